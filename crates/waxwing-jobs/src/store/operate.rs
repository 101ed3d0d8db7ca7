//! What upkeep, watching and operators ask and are answered.

use std::time::Duration;

use waxwing_core::{CanonicalJson, ClientId, JobId, ToolName};

use super::client::Bound;
use crate::job::Snapshot;
use crate::state::StageName;

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "stores build it")]
pub struct Swept {
    /// Jobs whose lease had run out.
    pub lapsed: usize,
    /// Jobs deleted because their lifetime was over.
    pub jobs: usize,
    /// How many of those had not ended: work that was promised and never done.
    pub unfinished: usize,
    /// Nonces forgotten.
    pub nonces: usize,
    /// Idempotency keys forgotten.
    pub keys: usize,
    /// Whether another sweep would find something to do at once.
    pub remaining: Remaining,
}

/// What a sweep left for the next, of any kind, those that [`Swept`] does not count included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "something or nothing, there is no third")]
pub enum Remaining {
    /// Nothing that was due.
    #[default]
    Nothing,
    /// The limit was reached: more may be due.
    More,
}

impl Remaining {
    /// What is left where `done` reached `limit` or did not.
    #[must_use]
    pub fn after(done: impl IntoIterator<Item = usize>, limit: usize) -> Self {
        if done.into_iter().any(|count| count >= limit) { Self::More } else { Self::Nothing }
    }
}

/// A job and the version somebody has seen of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a pair, complete as it is")]
pub struct Seen {
    /// The job.
    pub id: JobId<'static>,
    /// The version.
    pub version: u64,
}

/// Which jobs an operator wants to see; the default is the first 100 of all.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "stores read every part")]
pub struct Filter {
    /// In one of these stages; empty means any.
    pub stages: Vec<StageName>,
    /// Of this kind.
    pub kind: Option<ToolName<'static>>,
    /// Of this client.
    pub owner: Option<ClientId<'static>>,
    /// Created at least so long ago.
    pub older_than: Option<Duration>,
    /// Continue after this cursor, [`Page::next`] of the page before.
    pub after: Option<u64>,
    /// The most jobs on the page.
    pub limit: usize,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            stages: Vec::new(),
            kind: None,
            owner: None,
            older_than: None,
            after: None,
            limit: 100,
        }
    }
}

/// One page of jobs.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "stores build it")]
pub struct Page {
    /// The jobs, oldest first.
    pub jobs: Vec<Listed>,
    /// Where the next page starts; `None` on the last.
    pub next: Option<u64>,
}

/// A job in an operator's list: nothing the client sent or got.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "stores build it")]
pub struct Listed {
    /// The job.
    pub id: JobId<'static>,
    /// Whose it is.
    pub owner: ClientId<'static>,
    /// Which work.
    pub kind: ToolName<'static>,
    /// Where it stands.
    pub stage: StageName,
    /// Which attempt runs, comes next or was the last, from 1.
    pub attempt: u32,
    /// Who works on it, or did last.
    pub worker: Option<String>,
    /// When it was created, store's time, milliseconds since the Unix epoch.
    pub created_ms: u64,
    /// How long ago that is.
    pub age: Duration,
}

/// How many jobs there are, and how much room they take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "stores build it")]
pub struct Census {
    /// Waiting for a worker.
    pub queued: u64,
    /// With a worker.
    pub running: u64,
    /// Waiting for answers.
    pub parked: u64,
    /// Failed and still readable: an operator may requeue them.
    pub failed: u64,
    /// Age of the oldest job that could be claimed now, since it became ready.
    pub oldest_ready: Option<Duration>,
    /// Every job that is stored, ended ones and those a sweep has still to delete included: only
    /// lifetimes bound them. Not counted anew for each census.
    pub stored: u64,
    /// Bytes of the store on its disk, where it can tell.
    pub bytes: Option<u64>,
}

/// A job as an operator sees it, whoever's it is.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "stores build it")]
pub struct Inspected {
    /// As its owner sees it.
    pub snapshot: Snapshot,
    /// Its line in the list: stage, attempt, worker, age.
    pub listed: Listed,
    /// When it moves by itself, store's time, milliseconds since the Unix epoch: a queued job may be
    /// claimed from then on, a running one is anybody's unless its worker shows a sign of life by
    /// then. `None` of other stages, and where the store does not tell.
    pub due_ms: Option<u64>,
    /// What the work is to be done with; `None` where the store does not tell operators.
    pub input: Option<CanonicalJson<'static>>,
}

/// Verdict on a requeue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "operators are told each")]
pub enum RequeueVerdict {
    /// It is queued again.
    Done,
    /// It has not failed.
    NotFailed,
    /// There is no such job.
    Unknown,
    /// No room for another unfinished job.
    Full(Bound),
}

/// Verdict on a purge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "operators are told each")]
pub enum PurgeVerdict {
    /// It is gone. Its idempotency key still stands for it.
    Done,
    /// It has not ended; cancel it first.
    NotEnded,
    /// There is no such job.
    Unknown,
}

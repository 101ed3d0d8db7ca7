//! The contract of a store: where jobs live, and the only writer of their state.
//!
//! Every store keeps these promises, and [`crate::contract`] checks them:
//! - times are the store's own clock, whatever the caller's says;
//! - a write is durable, as far as [`Store::info`] promises, before its verdict is returned;
//! - a batch is one commit, with a verdict for each item in the order given;
//! - an item of a batch sees what the items before it did;
//! - a job that is expired, somebody else's or never was is the same: unknown;
//! - every change that a [`Snapshot`] can show raises its version.

mod client;
mod operate;
mod work;

use std::time::Duration;

use async_trait::async_trait;
use waxwing_core::{ClientId, JobId, ServerId};

use crate::input::{Answered, Answers};
use crate::job::{CancelRequest, NewJob, NonceRecord, Snapshot};
pub use client::{Admission, Bound, CancelVerdict, Started};
pub use operate::{
    Census, Filter, Inspected, Listed, Page, PurgeVerdict, Remaining, RequeueVerdict, Seen, Swept,
};
pub use work::{Beat, BeatVerdict, Claim, Claimed, Outcome, Settle, SettleVerdict, Ticket};

/// How long after a job has moved a [`Store::changed`] that waits for it may still be silent.
pub const TOLD_WITHIN: Duration = Duration::from_secs(2);

/// Where jobs live. Calls may be dropped at any await: what they asked for may then have happened
/// or not, but never in part.
#[async_trait]
pub trait Store: std::fmt::Debug + Send + Sync {
    /// What kind of store this is and what it promises about restarts.
    fn info(&self) -> StoreInfo;

    /// Whether servers elsewhere work over the same store; [`Sharing::Replicas`] by default, which is
    /// the careful answer.
    fn sharing(&self) -> Sharing {
        Sharing::Replicas
    }

    /// Says which server this store works for: to be called by a server before anything else. The
    /// first call decides it for as long as the store exists, as durably as a job; processes that
    /// are one server say the same. Jobs and idempotency keys are told apart by client alone, so a
    /// second server on the store would read, cancel and run the first one's jobs.
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`] when it works for another, see [`StoreError::of_another`].
    async fn bind(&self, server: &ServerId<'_>) -> Result<(), StoreError>;

    /// Spends nonces: each is Fresh once within the time it is kept. Full means that a bound is
    /// reached and nothing was stored; a nonce still kept is never forgotten to make room.
    async fn admit(&self, nonces: Vec<NonceRecord>) -> Result<Vec<Admission>, StoreError>;

    /// Raises the mark of this name to `at_least`, if it is lower, and gives its height: the greatest
    /// that any process ever asked for. A mark never sinks, and is as durable as a job. `None`, which
    /// is the default: this store keeps no marks.
    async fn raise_mark(&self, name: &str, at_least: i64) -> Result<Option<i64>, StoreError> {
        let _ = (name, at_least);
        Ok(None)
    }

    /// Starts jobs. For each, in this order and in one commit: its nonce is spent, its idempotency
    /// key is looked up or kept, the bounds are checked, the job is stored. Replayed and Full store
    /// nothing; Existing and Conflict have spent the nonce.
    async fn start(&self, jobs: Vec<NewJob>) -> Result<Vec<Started>, StoreError>;

    /// A job of this owner, or nothing. A pure read; it sees every start, settle, cancel and
    /// answer that was acknowledged before it was called.
    async fn get(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
    ) -> Result<Option<Snapshot>, StoreError>;

    /// Gives answers to a parked job; the last one makes it claimable in the same commit. Answers
    /// to a job that waits for none are all ignored. `None`: unknown.
    async fn answer(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
        answers: Answers,
    ) -> Result<Option<Answered>, StoreError>;

    /// Asks to stop a job. The reason of the first request stands.
    async fn cancel(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
        request: CancelRequest,
    ) -> Result<CancelVerdict, StoreError>;

    /// Takes up to `max` ready jobs of the given kinds, one worker each, raising each one's epoch
    /// in the same statement. Owners take turns: a job waits for about as many of every other
    /// owner's jobs as its own owner has before it.
    async fn claim(&self, claim: Claim) -> Result<Vec<Claimed>, StoreError>;

    /// Keeps running jobs for another lease, and stores their progress and checkpoints.
    async fn beat(&self, beats: Vec<Beat>) -> Result<Vec<BeatVerdict>, StoreError>;

    /// Ends attempts. Stale: the job is no longer this epoch's, and nothing was changed.
    async fn settle(&self, settles: Vec<Settle>) -> Result<Vec<SettleVerdict>, StoreError>;

    /// Moves jobs whose lease ran out, deletes what has expired, each up to `limit`. Any process
    /// may call it at any time, and it is the only thing that needs to be called for upkeep: again
    /// at once while [`Swept::remaining`] says that there is more.
    async fn sweep(&self, limit: usize) -> Result<Swept, StoreError>;

    /// Those of the jobs whose version is no longer the one seen, or that are unknown; waits up to
    /// `wait` for the first, and tells it within [`TOLD_WITHIN`] of its commit. Comes back empty-handed
    /// only when `wait` is over, and never with a job that has not moved.
    async fn changed(
        &self,
        seen: &[Seen],
        wait: Duration,
    ) -> Result<Vec<JobId<'static>>, StoreError>;

    /// Jobs for an operator, oldest first, a page at a time. Expired jobs are left out.
    async fn list(&self, filter: Filter) -> Result<Page, StoreError>;

    /// A job by its id alone, for an operator; `None` when it never was or has expired. By default
    /// it is looked for in [`Store::list`], page by page, and its input is not told: a store with
    /// an index of ids does better.
    async fn inspect(&self, id: &JobId<'_>) -> Result<Option<Inspected>, StoreError> {
        let mut filter = Filter { limit: 500, ..Filter::default() };
        loop {
            let Page { jobs, next } = self.list(filter.clone()).await?;
            if let Some(listed) = jobs.into_iter().find(|job| job.id.as_str() == id.as_str()) {
                let snapshot = self.get(&listed.owner, id).await?;
                let seen = |snapshot| Inspected { snapshot, listed, due_ms: None, input: None };
                return Ok(snapshot.map(seen));
            }
            match next {
                Some(_) => filter.after = next,
                None => return Ok(None),
            }
        }
    }

    /// How many jobs there are in each unfinished stage: for an operator's gauges.
    async fn census(&self) -> Result<Census, StoreError>;

    /// Whether the store reads and writes at the moment: for a readiness check, and cheap enough to
    /// be asked every second. May wait as long as a write does. By default a [`Store::census`].
    async fn health(&self) -> Result<(), StoreError> {
        self.census().await.map(drop)
    }

    /// Has failed jobs tried again, for an operator.
    async fn requeue(&self, ids: Vec<JobId<'static>>) -> Result<Vec<RequeueVerdict>, StoreError>;

    /// Deletes jobs that have ended, for an operator.
    async fn purge(&self, ids: Vec<JobId<'static>>) -> Result<Vec<PurgeVerdict>, StoreError>;
}

/// A store that could not do what it was asked; by blame. Nothing is known of what became of the
/// items, except after [`StoreError::Misconfigured`]: nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The outside world: a busy, full or failing disk, a database that does not answer. Later may
    /// be better.
    #[error("the job store is not available: {0}")]
    Unavailable(String),
    /// What was stored does not read back.
    #[error("the job store holds damaged data: {0}")]
    Corrupt(String),
    /// The operator's: the store may not be used as it is set up.
    #[error("the job store cannot be used: {0}")]
    Misconfigured(String),
    /// A fault of ours: the store refused a statement it never should have been sent.
    #[error("the job store met a fault in this program: {0}")]
    Fault(String),
}

impl StoreError {
    /// Refuses `server` on a store that works for the server `bound`.
    #[must_use]
    pub fn of_another(bound: &str, server: &ServerId<'_>) -> Self {
        Self::Misconfigured(format!(
            "it works for the server {bound:?}, not for {:?}: use the same server_id, or another \
             file or schema for this server",
            server.as_str()
        ))
    }
}

/// What kind of store this is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "stores of other crates build it")]
pub struct StoreInfo {
    /// The backend's name, such as `sqlite`.
    pub backend: &'static str,
    /// What an acknowledged write survives.
    pub durability: Durability,
    /// One line for the log: where, which version.
    pub detail: String,
}

/// Who works over a store, as a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "callers must decide about each")]
pub enum Sharing {
    /// One process at a time.
    Alone,
    /// Several, on one machine or on many.
    Replicas,
}

/// What an acknowledged write survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "callers must decide about each")]
pub enum Durability {
    /// Nothing: all is lost when the process ends.
    Process,
    /// The end of the process and a power cut.
    PowerCut,
}

/// How much a store takes before it says Full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "every bound is a decision of whoever opens a store")]
pub struct Bounds {
    /// Unfinished jobs in all; 100,000 by default.
    pub unfinished: u64,
    /// Unfinished jobs of one client; 10,000 by default.
    pub unfinished_per_client: u64,
    /// Nonces in all; 2,000,000 by default.
    pub nonces: u64,
    /// Nonces of one (server, client, key); 500,000 by default.
    pub nonces_per_key: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            unfinished: 100_000,
            unfinished_per_client: 10_000,
            nonces: 2_000_000,
            nonces_per_key: 500_000,
        }
    }
}

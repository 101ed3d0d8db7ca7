//! What workers ask and are answered.

use std::time::Duration;

use waxwing_core::{CanonicalJson, ClientId, JobId, ToolName};

use crate::input::{Answers, InputRequests};
use crate::job::{Failure, Progress};
use crate::state::Cancel;

/// A worker's request for work.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "stores read every part")]
pub struct Claim {
    /// Who asks; for people to read, never compared.
    pub worker: String,
    /// The kinds it can do; jobs of other kinds are left alone.
    pub kinds: Vec<ToolName<'static>>,
    /// How long the jobs are its own without a beat.
    pub lease: Duration,
    /// The most it takes.
    pub max: usize,
}

/// A worker's right to write to a job.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "jobs.md closes the guard")]
pub struct Ticket {
    /// The job.
    pub id: JobId<'static>,
    /// The claim that gave the right; a later claim ends it.
    pub epoch: u64,
}

/// A job as its worker gets it.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "stores build it; a new part must reach every store")]
pub struct Claimed {
    /// The right to write to it.
    pub ticket: Ticket,
    /// Whose it is.
    pub owner: ClientId<'static>,
    /// Which work.
    pub kind: ToolName<'static>,
    /// With what.
    pub input: CanonicalJson<'static>,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// How many there may be.
    pub max_attempts: u32,
    /// Every answer the job got in its life.
    pub answers: Answers,
    /// What an earlier attempt left for this one.
    pub checkpoint: Option<CanonicalJson<'static>>,
    /// How long the job has to live.
    pub expires_in: Duration,
    /// How long it was ready before this claim; see [`Life::waited`](crate::state::Life::waited).
    pub waited: Duration,
}

/// A sign of life.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "stores read every part")]
pub struct Beat {
    /// The right to write to the job.
    pub ticket: Ticket,
    /// How long it is the worker's from now, without another beat.
    pub lease: Duration,
    /// New progress, if any.
    pub progress: Option<Progress>,
    /// A new checkpoint, if any.
    pub checkpoint: Option<CanonicalJson<'static>>,
}

/// Verdict on a beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "jobs.md closes the verdicts")]
pub enum BeatVerdict {
    /// The job is still the worker's; it should stop if asked.
    Held(Cancel),
    /// It is not, and nothing was changed.
    Lost,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "jobs.md closes the outcomes")]
pub enum Outcome {
    /// The result.
    Complete(CanonicalJson<'static>),
    /// A failure that no further attempt would mend.
    Fail(Failure),
    /// The work stopped because it was asked to.
    Cancelled,
    /// A failure; to be tried again if attempts remain.
    Retry {
        /// How long to wait before.
        after: Duration,
        /// The failure.
        failure: Failure,
    },
    /// The work needs answers.
    Park {
        /// What it asks for.
        requests: InputRequests,
        /// What it leaves for its next run; `None` keeps what was left before.
        checkpoint: Option<CanonicalJson<'static>>,
    },
    /// The worker gives the job back untouched.
    Release,
}

/// The end of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "jobs.md closes the guard")]
pub struct Settle {
    /// The right to write to the job.
    pub ticket: Ticket,
    /// What became of it.
    pub outcome: Outcome,
}

/// Verdict on a settle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "jobs.md closes the verdicts")]
pub enum SettleVerdict {
    /// It is stored.
    Done,
    /// The job is no longer this worker's; nothing was changed.
    Stale,
}

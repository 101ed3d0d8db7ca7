//! Who does the work: the [`Runner`], what it is given, and what it may say at the end.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;
use waxwing_core::{CanonicalJson, ClientId, ErrorCode, JobId, ToolName};

use crate::cancellation::Cancellation;
use crate::engine::Reports;
use crate::input::{Answers, InputRequests};
use crate::job::{Cause, Failure, Progress};

/// Does the work of jobs. It may run a job more than once: a worker can die after the work and
/// before its end is stored.
#[async_trait]
pub trait Runner: Send + Sync + 'static {
    /// The kinds of work it can do, asked once. Jobs of other kinds are left for other processes.
    fn kinds(&self) -> Vec<Kind>;

    /// Runs one attempt. The future is dropped when the job's time is over, when another worker
    /// has taken the job, and a moment after the job's cancellation is asked for.
    async fn run(&self, context: JobContext) -> Result<RunOutcome, JobFailure>;
}

/// A kind of work, and what it may take up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Kind {
    /// Its name.
    pub name: ToolName<'static>,
    /// The most attempts of it that run here at once, whatever else there is room for; those beyond stay
    /// in the queue, for other processes too. Without bound by default.
    pub most: usize,
    /// Whose places it takes; those of jobs by default.
    pub lane: Lane,
}

impl Kind {
    /// The same kind with at most so many attempts at once; 0 counts as 1.
    #[must_use]
    pub const fn at_most(mut self, most: usize) -> Self {
        self.most = if most == 0 { 1 } else { most };
        self
    }

    /// The same kind in another lane.
    #[must_use]
    pub const fn in_lane(mut self, lane: Lane) -> Self {
        self.lane = lane;
        self
    }
}

impl From<ToolName<'static>> for Kind {
    fn from(name: ToolName<'static>) -> Self {
        Self { name, most: usize::MAX, lane: Lane::Jobs }
    }
}

/// Work of one lane never takes the places of another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "somebody waits or nobody does, there is no third")]
pub enum Lane {
    /// Nobody waits on the line for it, and it may take long.
    Jobs,
    /// A caller waits on the line for it.
    Calls,
}

impl Lane {
    /// Every lane.
    pub const ALL: [Self; 2] = [Self::Jobs, Self::Calls];
}

/// How an attempt ends well.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "jobs.md closes the outcomes")]
pub enum RunOutcome {
    /// The job's result.
    Complete(CanonicalJson<'static>),
    /// The job waits for answers and gives its worker back; it is run again when all are there.
    Park {
        /// What it asks for; a key may be used once in a job's life.
        requests: InputRequests,
        /// What the next run finds as its checkpoint; `None` keeps the last one.
        checkpoint: Option<CanonicalJson<'static>>,
    },
}

/// Whether another attempt might end better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "runners choose, and the engine acts on each")]
pub enum Retry {
    /// It might: the job is tried again after a back-off, while attempts remain.
    Later,
    /// It might in another process, such as a newer one: like [`Retry::Later`], and for one lease this
    /// process leaves jobs of the kind to others.
    Elsewhere,
    /// It will not: the job fails now.
    Never,
}

/// How an attempt ends badly.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobFailure {
    /// Whether another attempt might end better.
    pub retry: Retry,
    /// What the peer is told.
    pub failure: Failure,
}

impl JobFailure {
    /// A failure that another attempt might mend.
    #[must_use]
    pub fn retryable(message: impl Into<String>) -> Self {
        Self { retry: Retry::Later, failure: Failure::new(Cause::Tool, message) }
    }

    /// A failure that is final.
    #[must_use]
    pub fn permanent(message: impl Into<String>) -> Self {
        Self { retry: Retry::Never, failure: Failure::new(Cause::Tool, message) }
    }

    /// The same failure with a code of the wire.
    #[must_use]
    pub fn with_code(mut self, code: ErrorCode) -> Self {
        self.failure = self.failure.with_code(code);
        self
    }

    /// The same failure with details.
    #[must_use]
    pub fn with_details(mut self, details: CanonicalJson<'static>) -> Self {
        self.failure = self.failure.with_details(details);
        self
    }
}

/// One attempt, as the work sees it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct JobContext {
    /// The job.
    pub id: JobId<'static>,
    /// The client it belongs to.
    pub owner: ClientId<'static>,
    /// Which work.
    pub kind: ToolName<'static>,
    /// With what.
    pub input: CanonicalJson<'static>,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// How many there may be.
    pub max_attempts: u32,
    /// Every answer the job got in its life; empty until it has asked.
    pub answers: Answers,
    /// What an earlier run left, by [`JobContext::save`] or when it parked.
    pub checkpoint: Option<CanonicalJson<'static>>,
    /// When the job's lifetime is over and this attempt is dropped.
    pub deadline: Instant,
    /// Tells the work that it should stop.
    pub cancellation: Cancellation,
    pub(crate) reports: Arc<Reports>,
}

impl JobContext {
    /// Says how far the work is. Costs next to nothing: the newest report is stored within a few
    /// tens of milliseconds, reports in between may be skipped, numbers that are not finite are.
    pub fn progress(&self, done: f64, total: Option<f64>, message: Option<&str>) {
        if let Some(progress) = Progress::new(done, total, message.map(str::to_owned)) {
            self.reports.progress(progress);
        }
    }

    /// Leaves something for the next run of this job, should there be one; replaces what was left
    /// before. Stored as soon as progress is, and with the end of the attempt at the latest.
    pub fn save(&self, checkpoint: CanonicalJson<'static>) {
        self.reports.save(checkpoint);
    }
}

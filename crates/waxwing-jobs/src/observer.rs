//! What an engine tells of its work while it works: the seam for metrics and for an audit log. It counts
//! and writes nothing itself.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use waxwing_core::{CanonicalJson, ClientId, JobId, ToolName};

use crate::store::Swept;

/// Hears what an engine does. Called on the engine's own tasks, so it must not block. By default it
/// does nothing with what it hears.
#[async_trait]
pub trait Observer: fmt::Debug + Send + Sync + 'static {
    /// A job was claimed here, for its attempt of this number, after it was ready for `waited`.
    fn claimed(&self, kind: &ToolName<'_>, attempt: u32, waited: Duration) {
        let _ = (kind, attempt, waited);
    }

    /// An attempt has ended here, after it ran for `ran`.
    fn ended(&self, kind: &ToolName<'_>, how: AttemptEnd, ran: Duration) {
        let _ = (kind, how, ran);
    }

    /// A job has come to its end by an attempt of this engine, and that is stored. The attempt keeps its
    /// place among those that run at once until this returns, so an observer that cannot keep up slows the
    /// engine down. A drain waits for it as for work.
    ///
    /// Told once for each end. Not told when the process dies in between, nor of jobs that end without an
    /// attempt: cancelled before one or between two, or failed by a sweep because the last worker died.
    async fn job_ended(&self, job: &JobEnd<'_>) {
        let _ = job;
    }

    /// A sweep by this engine is over. What it moved or deleted may have been any process's.
    fn swept(&self, swept: &Swept) {
        let _ = swept;
    }
}

/// A job that has come to its end.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct JobEnd<'a> {
    /// The job.
    pub id: &'a JobId<'static>,
    /// Whose it is.
    pub owner: &'a ClientId<'static>,
    /// Which work it was.
    pub kind: &'a ToolName<'static>,
    /// How it ended.
    pub how: JobEnding<'a>,
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the ends of jobs.md")]
pub enum JobEnding<'a> {
    /// With this result.
    Completed(&'a CanonicalJson<'static>),
    /// Without one; it is dead unless an operator requeues it.
    Failed,
    /// At the client's request.
    Cancelled,
}

/// Hears nothing.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has nothing to configure")]
pub struct Unobserved;

impl Observer for Unobserved {}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum AttemptEnd {
    /// With a result.
    Completed,
    /// Without, and the job with it: the job is dead unless an operator requeues it.
    Failed,
    /// Without, and the job is tried again.
    Retried,
    /// With questions.
    Parked,
    /// At the client's request.
    Cancelled,
    /// Given back by a process that stops.
    Released,
    /// The job was no longer this worker's: its lease had run out.
    Lost,
    /// The job's lifetime was over before its work was.
    Expired,
}

impl AttemptEnd {
    /// Every end.
    pub const ALL: [Self; 8] = [
        Self::Completed,
        Self::Failed,
        Self::Retried,
        Self::Parked,
        Self::Cancelled,
        Self::Released,
        Self::Lost,
        Self::Expired,
    ];

    /// The name, for a metric's label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Retried => "retried",
            Self::Parked => "parked",
            Self::Cancelled => "cancelled",
            Self::Released => "released",
            Self::Lost => "lost",
            Self::Expired => "expired",
        }
    }
}

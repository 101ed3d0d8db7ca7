//! The state machine of a job (jobs.md): what may happen next, and nothing that does it.
//!
//! Each transition takes a [`Life`] and the store's time and gives the life that follows, or a
//! verdict that refuses. Payloads (input, output, answers) are carried by the callers.

use std::time::Duration;

use crate::clock::millis;

/// Whether the client has asked a running job to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "asked or not, there is no third")]
pub enum Cancel {
    /// It has not.
    NotAsked,
    /// It has; the worker is told with its next beat.
    Asked,
}

/// Where a job stands. Times are the store's, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "jobs.md closes the states; stores map each")]
pub enum Stage {
    /// Waits for a worker.
    Queued {
        /// Not to be claimed before this time.
        ready_ms: u64,
    },
    /// A worker has it.
    Running {
        /// The worker is presumed dead from this time on.
        lease_until_ms: u64,
        /// Whether it should stop.
        cancel: Cancel,
    },
    /// Waits for answers.
    Parked,
    /// Ended with a result.
    Completed,
    /// Ended without.
    Failed,
    /// Ended at the client's request.
    Cancelled,
}

impl Stage {
    /// Whether the job has ended. Ended jobs never change, but for an operator's requeue.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// The stage's name alone.
    #[must_use]
    pub const fn name(self) -> StageName {
        match self {
            Self::Queued { .. } => StageName::Queued,
            Self::Running { .. } => StageName::Running,
            Self::Parked => StageName::Parked,
            Self::Completed => StageName::Completed,
            Self::Failed => StageName::Failed,
            Self::Cancelled => StageName::Cancelled,
        }
    }
}

/// The name of a stage, as stores and operators spell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "jobs.md closes the states; stores map each")]
pub enum StageName {
    /// Waits for a worker.
    Queued,
    /// A worker has it.
    Running,
    /// Waits for answers.
    Parked,
    /// Ended with a result.
    Completed,
    /// Ended without.
    Failed,
    /// Ended at the client's request.
    Cancelled,
}

impl StageName {
    /// Every name.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Running, Self::Parked, Self::Completed, Self::Failed, Self::Cancelled];

    /// The spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Parked => "parked",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Which attempt runs, comes next or was the last of a job that stands here, from 1, after so many
    /// failed ones.
    #[must_use]
    pub const fn attempt(self, failures: u32) -> u32 {
        match self {
            Self::Failed => failures,
            _ => failures.saturating_add(1),
        }
    }

    /// The name that is spelled so.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.as_str() == text)
    }
}

/// Everything about a job that decides what may happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "stores keep and restore every part")]
pub struct Life {
    /// Where the job stands.
    pub stage: Stage,
    /// Rises with each claim; a worker's write must name the epoch it was given.
    pub epoch: u64,
    /// Attempts that failed since creation or requeue.
    pub failures: u32,
    /// How many may fail before the job does.
    pub max_attempts: u32,
    /// Rises with each visible change.
    pub version: u64,
    /// When the job was created.
    pub created_ms: u64,
    /// From when on it is as if it had never been.
    pub expires_ms: u64,
}

/// What a worker says became of its attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "jobs.md closes the outcomes")]
pub enum Ending {
    /// There is a result.
    Complete,
    /// There will be none, however often it is tried.
    Fail,
    /// The work stopped because it was asked to.
    Cancelled,
    /// It failed and may be tried again after a delay, if attempts remain.
    Retry {
        /// The delay.
        after: Duration,
    },
    /// It needs answers.
    Park,
    /// The worker gives the job back untouched: no attempt is lost.
    Release,
}

/// The store's answer to a worker that beats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "held or lost, there is no third")]
pub enum Beaten {
    /// The job is still the worker's.
    Held(Life, Cancel),
    /// It is not.
    Lost,
}

/// The store's answer to a client that cancels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "jobs.md closes the verdicts")]
pub enum CancelStep {
    /// Nobody worked on it: it is cancelled now.
    Settled(Life),
    /// Its worker will be told.
    Requested(Life),
    /// Its worker was told before: nothing changes.
    RequestedBefore,
    /// It has ended.
    AlreadyTerminal,
    /// It has expired.
    Unknown,
}

impl Life {
    /// A job that is created now and may be claimed at once.
    #[must_use]
    pub fn new(now_ms: u64, ttl: Duration, max_attempts: u32) -> Self {
        Self {
            stage: Stage::Queued { ready_ms: now_ms },
            epoch: 0,
            failures: 0,
            max_attempts: max_attempts.max(1),
            version: 1,
            created_ms: now_ms,
            expires_ms: now_ms.saturating_add(millis(ttl)),
        }
    }

    /// Whether the job's time is over, which makes it unknown to everybody.
    #[must_use]
    pub const fn is_expired(&self, now_ms: u64) -> bool {
        now_ms >= self.expires_ms
    }

    /// The number of the attempt that runs or comes next, from 1.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.failures.saturating_add(1)
    }

    /// How long the job has been ready for a worker; zero when it is not.
    #[must_use]
    pub const fn waited(&self, now_ms: u64) -> Duration {
        match self.stage {
            Stage::Queued { ready_ms } => Duration::from_millis(now_ms.saturating_sub(ready_ms)),
            _ => Duration::ZERO,
        }
    }

    const fn moved_to(self, stage: Stage) -> Self {
        Self { stage, version: self.version + 1, ..self }
    }

    /// A worker takes the job. `None` when it is not queued, not ready yet, or expired.
    #[must_use]
    pub fn claim(self, now_ms: u64, lease: Duration) -> Option<Self> {
        match self.stage {
            Stage::Queued { ready_ms } if ready_ms <= now_ms && !self.is_expired(now_ms) => {
                let lease_until_ms = now_ms.saturating_add(millis(lease));
                let running = Stage::Running { lease_until_ms, cancel: Cancel::NotAsked };
                Some(Self { epoch: self.epoch + 1, ..self.moved_to(running) })
            }
            _ => None,
        }
    }

    /// The request to stop, when the job runs and is this epoch's.
    const fn held(&self, epoch: u64, now_ms: u64) -> Option<Cancel> {
        match self.stage {
            Stage::Running { cancel, .. } if self.epoch == epoch && !self.is_expired(now_ms) => {
                Some(cancel)
            }
            _ => None,
        }
    }

    /// A worker keeps the job for another lease. News, such as progress, raise the version.
    #[must_use]
    pub fn beat(self, epoch: u64, now_ms: u64, lease: Duration, news: News) -> Beaten {
        let Some(cancel) = self.held(epoch, now_ms) else { return Beaten::Lost };
        let stage = Stage::Running { lease_until_ms: now_ms.saturating_add(millis(lease)), cancel };
        let version = self.version + u64::from(matches!(news, News::Some));
        Beaten::Held(Self { stage, version, ..self }, cancel)
    }

    /// A worker is done with the job. `None` when the job is no longer its own.
    ///
    /// A job whose client asked to stop it is cancelled by anything but a result or a final
    /// failure: it is neither tried again nor parked nor given back.
    #[must_use]
    pub fn settle(self, epoch: u64, now_ms: u64, ending: Ending) -> Option<Self> {
        let cancel = self.held(epoch, now_ms)?;
        let failures = match ending {
            Ending::Fail | Ending::Retry { .. } => self.failures.saturating_add(1),
            Ending::Complete | Ending::Cancelled | Ending::Park | Ending::Release => self.failures,
        };
        let stage = match (ending, cancel) {
            (Ending::Complete, _) => Stage::Completed,
            (Ending::Fail, _) => Stage::Failed,
            (Ending::Cancelled, _) | (_, Cancel::Asked) => Stage::Cancelled,
            (Ending::Retry { .. }, _) if failures >= self.max_attempts => Stage::Failed,
            (Ending::Retry { after }, _) => {
                Stage::Queued { ready_ms: now_ms.saturating_add(millis(after)) }
            }
            (Ending::Park, _) => Stage::Parked,
            (Ending::Release, _) => Stage::Queued { ready_ms: now_ms },
        };
        Some(Self { failures, ..self.moved_to(stage) })
    }

    /// A worker's lease has run out: its attempt failed, and the job is tried again at once if
    /// attempts remain. `None` when there is no such lease.
    #[must_use]
    pub fn lapse(self, now_ms: u64) -> Option<Self> {
        match self.stage {
            Stage::Running { lease_until_ms, .. } if lease_until_ms <= now_ms => {
                self.settle(self.epoch, now_ms, Ending::Retry { after: Duration::ZERO })
            }
            _ => None,
        }
    }

    /// The client asks to stop the job.
    #[must_use]
    pub const fn cancel(self, now_ms: u64) -> CancelStep {
        if self.is_expired(now_ms) {
            return CancelStep::Unknown;
        }
        match self.stage {
            Stage::Queued { .. } | Stage::Parked => {
                CancelStep::Settled(self.moved_to(Stage::Cancelled))
            }
            Stage::Running { lease_until_ms, cancel: Cancel::NotAsked } => CancelStep::Requested(
                self.moved_to(Stage::Running { lease_until_ms, cancel: Cancel::Asked }),
            ),
            Stage::Running { cancel: Cancel::Asked, .. } => CancelStep::RequestedBefore,
            Stage::Completed | Stage::Failed | Stage::Cancelled => CancelStep::AlreadyTerminal,
        }
    }

    /// The client has answered, leaving `outstanding` requests: the last answer makes the job
    /// claimable. `None` when it is not parked, or expired.
    #[must_use]
    pub fn answered(self, now_ms: u64, outstanding: usize) -> Option<Self> {
        match self.stage {
            Stage::Parked if !self.is_expired(now_ms) => Some(self.moved_to(match outstanding {
                0 => Stage::Queued { ready_ms: now_ms },
                _ => Stage::Parked,
            })),
            _ => None,
        }
    }

    /// An operator has a failed job tried again, with all its attempts and its lifetime counted
    /// from now: the one way out of an ended stage. `None` when it has not failed, or has expired.
    #[must_use]
    pub fn requeue(self, now_ms: u64) -> Option<Self> {
        match self.stage {
            Stage::Failed if !self.is_expired(now_ms) => {
                let ttl_ms = self.expires_ms.saturating_sub(self.created_ms);
                let queued = self.moved_to(Stage::Queued { ready_ms: now_ms });
                Some(Self { failures: 0, expires_ms: now_ms.saturating_add(ttl_ms), ..queued })
            }
            _ => None,
        }
    }
}

/// Whether a beat carries something a client can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "some or none, there is no third")]
pub enum News {
    /// It does.
    Some,
    /// It only keeps the lease.
    None,
}

#[cfg(test)]
mod tests;

//! A job as its client and its operator see it: how it is ordered, what it shows, how it failed.

use std::time::Duration;

use waxwing_core::{
    CanonicalJson, ClientId, ErrorCode, IdempotencyKey, JobId, KeyId, Nonce, ServerId, ToolName,
};

use crate::input::InputRequests;

/// The most bytes kept of a progress message, a failure message or a cancel reason.
const MOST_TEXT: usize = 4096;

/// Shortens `text` to the bytes a store keeps, at a character's boundary. NUL, which some databases have
/// no text for, becomes U+FFFD.
pub(crate) fn bounded(mut text: String) -> String {
    if text.contains('\0') {
        text = text.replace('\0', "\u{fffd}");
    }
    if text.len() > MOST_TEXT {
        text.truncate(text.floor_char_boundary(MOST_TEXT));
    }
    text
}

/// An order for a job.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewJob {
    /// Made by the caller: unguessable and never used before.
    pub id: JobId<'static>,
    /// The client the job belongs to.
    pub owner: ClientId<'static>,
    /// Which work is to be done.
    pub kind: ToolName<'static>,
    /// What it is to be done with.
    pub input: CanonicalJson<'static>,
    /// How long the job lives from its creation, finished or not; one hour by default.
    pub ttl: Duration,
    /// How many attempts may fail before the job does; 3 by default, at least 1.
    pub max_attempts: u32,
    /// The nonce of the request that starts the job, to be spent in the same commit.
    pub nonce: Option<NonceRecord>,
    /// What makes retries of one start one job.
    pub idempotency: Option<Idempotency>,
}

impl NewJob {
    /// A job with the default lifetime and attempts, without nonce or idempotency key.
    #[must_use]
    pub const fn new(
        id: JobId<'static>,
        owner: ClientId<'static>,
        kind: ToolName<'static>,
        input: CanonicalJson<'static>,
    ) -> Self {
        Self {
            id,
            owner,
            kind,
            input,
            ttl: Duration::from_secs(3600),
            max_attempts: 3,
            nonce: None,
            idempotency: None,
        }
    }

    /// The same job with another lifetime.
    #[must_use]
    pub const fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// The same job with another bound on attempts; 0 counts as 1.
    #[must_use]
    pub const fn with_max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = if attempts == 0 { 1 } else { attempts };
        self
    }

    /// The same job, spending this nonce when it starts.
    #[must_use]
    pub fn with_nonce(mut self, nonce: NonceRecord) -> Self {
        self.nonce = Some(nonce);
        self
    }

    /// The same job under an idempotency key.
    #[must_use]
    pub fn with_idempotency(mut self, idempotency: Idempotency) -> Self {
        self.idempotency = Some(idempotency);
        self
    }
}

/// One use of a nonce (wire.md §5).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the wire format closes the scope (wire.md §5)")]
pub struct NonceRecord {
    /// The audience.
    pub server: ServerId<'static>,
    /// Who spends it.
    pub client: ClientId<'static>,
    /// With which key.
    pub key: KeyId<'static>,
    /// The nonce.
    pub nonce: Nonce<'static>,
    /// For how long from now it must not be accepted again.
    pub keep: Duration,
}

/// One use of an idempotency key (wire.md §5); its scope is the job's owner.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the wire format closes it (wire.md §5)")]
pub struct Idempotency {
    /// The key.
    pub key: IdempotencyKey<'static>,
    /// Digest of (`tool`, `args`): the same key with another digest is a conflict.
    pub digest: [u8; 32],
    /// For how long from now the key stands for this call; 24 h by default of the wire.
    pub keep: Duration,
}

/// How far the work is.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    done: f64,
    total: Option<f64>,
    message: Option<String>,
}

impl Progress {
    /// Progress in units of the tool's choice. `None` when a number is not finite, since the wire
    /// has no spelling for it; a message keeps its first 4096 bytes.
    #[must_use]
    pub fn new(done: f64, total: Option<f64>, message: Option<String>) -> Option<Self> {
        let finite = done.is_finite() && total.is_none_or(f64::is_finite);
        finite.then(|| Self { done, total, message: message.map(bounded) })
    }

    /// Units done.
    #[must_use]
    pub const fn done(&self) -> f64 {
        self.done
    }

    /// Units in all, when known.
    #[must_use]
    pub const fn total(&self) -> Option<f64> {
        self.total
    }

    /// What is being done, for a person.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }
}

/// A client's request to stop a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CancelRequest {
    reason: Option<String>,
}

impl CancelRequest {
    /// A request with an optional reason, of which the first 4096 bytes are kept.
    #[must_use]
    pub fn new(reason: Option<String>) -> Self {
        Self { reason: reason.map(bounded) }
    }

    /// Why the job should stop, in the client's words.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

/// Why an attempt ended without a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The tool reports a failure.
    Tool,
    /// The tool panicked.
    Panic,
    /// The worker died, lost its lease, or stopped before the work was done.
    LeaseLost,
    /// What was stored of the job does not read back.
    Corrupt,
    /// A newer version of this program stored it, for a reason that this one has no word for.
    Unknown,
}

/// A failure as the peer is told it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// What kind of failure.
    pub cause: Cause,
    /// The wire's code, when one fits better than `job_failed`.
    pub code: Option<ErrorCode>,
    /// What went wrong, for a person or a model.
    pub message: String,
    /// More, in the code's own form.
    pub details: Option<CanonicalJson<'static>>,
}

impl Failure {
    /// A failure with a message, of which the first 4096 bytes are kept.
    #[must_use]
    pub fn new(cause: Cause, message: impl Into<String>) -> Self {
        Self { cause, code: None, message: bounded(message.into()), details: None }
    }

    /// The same failure with a code of the wire.
    #[must_use]
    pub const fn with_code(mut self, code: ErrorCode) -> Self {
        self.code = Some(code);
        self
    }

    /// The same failure with details.
    #[must_use]
    pub fn with_details(mut self, details: CanonicalJson<'static>) -> Self {
        self.details = Some(details);
        self
    }
}

/// One attempt that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "stores keep and restore every part")]
pub struct Attempt {
    /// Its number, from 1; an operator's requeue starts again at 1.
    pub number: u32,
    /// When it ended, store's time, milliseconds since the Unix epoch.
    pub ended_ms: u64,
    /// How it ended.
    pub failure: Failure,
}

/// Where a job stands, with what belongs to that place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "jobs.md closes the states; every reader maps each")]
pub enum Phase {
    /// Waits for a worker, or for the delay before its next attempt.
    Queued,
    /// A worker has it.
    Running,
    /// Waits for answers to these requests, no worker being held.
    Parked {
        /// What is outstanding.
        requests: InputRequests,
    },
    /// Ended with a result.
    Completed {
        /// The result.
        output: CanonicalJson<'static>,
    },
    /// Ended without; the attempts say why, the last one last.
    Failed,
    /// Stopped at the client's request.
    Cancelled {
        /// The request.
        request: CancelRequest,
    },
}

impl Phase {
    /// Whether the job has ended.
    #[must_use]
    pub const fn is_terminal(&self) -> bool {
        matches!(self, Self::Completed { .. } | Self::Failed | Self::Cancelled { .. })
    }

    /// Whether the job is a worker's to bring on: one has it, or it waits for one. On the wire both are
    /// `running`.
    #[must_use]
    pub const fn is_worked_on(&self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }
}

/// A job as it stood at one moment.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "stores build it; a new part must reach every store")]
pub struct Snapshot {
    /// The job.
    pub id: JobId<'static>,
    /// Whose it is.
    pub owner: ClientId<'static>,
    /// Which work.
    pub kind: ToolName<'static>,
    /// Where it stands.
    pub phase: Phase,
    /// How far the work is, once it has said so.
    pub progress: Option<Progress>,
    /// The attempts that failed so far, oldest first, at most the latest 20.
    pub attempts: Vec<Attempt>,
    /// Set once the client has asked to stop a job that runs.
    pub cancel: Option<CancelRequest>,
    /// Rises with every change that this snapshot can show.
    pub version: u64,
    /// When the job was created, store's time, milliseconds since the Unix epoch.
    pub created_ms: u64,
    /// How long it lives from then.
    pub ttl_ms: u64,
    /// When this snapshot was read, by the same clock.
    pub read_ms: u64,
}

impl Snapshot {
    /// When to ask again, in milliseconds: a quarter of the job's age, from 100 ms to 5 s, so that
    /// short jobs are seen soon and long ones are not asked after all the time.
    #[must_use]
    pub fn poll_after_ms(&self) -> u64 {
        (self.read_ms.saturating_sub(self.created_ms) / 4).clamp(100, 5_000)
    }

    /// Whether a client would see no difference between the two. That a worker took the job, or
    /// gave it back for another attempt, is none.
    #[must_use]
    pub fn shows_the_same_as(&self, other: &Self) -> bool {
        let same_phase =
            self.phase == other.phase || self.phase.is_worked_on() && other.phase.is_worked_on();
        same_phase && self.progress == other.progress
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_keep_their_first_4096_bytes_and_no_part_of_a_character() {
        let kept = "x".repeat(4096);
        assert_eq!(Failure::new(Cause::Tool, kept.clone()).message, kept);
        let cut = Failure::new(Cause::Tool, format!("{}\u{1f600}", "x".repeat(4095)));
        assert_eq!(cut.message, "x".repeat(4095));
        assert_eq!(CancelRequest::new(Some(format!("{kept}y"))).reason(), Some(kept.as_str()));
    }

    #[test]
    fn texts_hold_no_nul() {
        let told = Progress::new(1.0, None, Some("a\0b".to_owned())).unwrap();
        assert_eq!(told.message(), Some("a\u{fffd}b"));
        assert_eq!(CancelRequest::new(Some("\0".to_owned())).reason(), Some("\u{fffd}"));
    }
}

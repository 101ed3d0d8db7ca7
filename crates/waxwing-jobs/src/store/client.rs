//! What clients' calls are answered with.

use waxwing_core::JobId;

use crate::job::Snapshot;

/// Which bound is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "callers must decide about each")]
pub enum Bound {
    /// Unfinished jobs of this client.
    ClientJobs,
    /// Unfinished jobs in all.
    AllJobs,
    /// Nonces, of this key or in all.
    Nonces,
}

/// Verdict on a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "jobs.md closes the verdicts")]
pub enum Admission {
    /// Never seen, and kept from now on.
    Fresh,
    /// Seen before.
    Replayed,
    /// No room; nothing was stored.
    Full,
}

/// Verdict on a start.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "jobs.md closes the verdicts")]
pub enum Started {
    /// The job is stored.
    Created,
    /// The idempotency key stands for this job.
    Existing {
        /// The job of the first start.
        id: JobId<'static>,
        /// As it stands; `None` when the key has outlived it.
        snapshot: Option<Box<Snapshot>>,
    },
    /// The idempotency key stands for another call.
    Conflict,
    /// The nonce was seen before; nothing was stored.
    Replayed,
    /// No room; nothing was stored, not even the nonce.
    Full(Bound),
    /// The caller gave an id that a job already has; nothing was stored.
    IdTaken,
}

/// Verdict on a cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "jobs.md closes the verdicts")]
pub enum CancelVerdict {
    /// It is cancelled now.
    Settled,
    /// Its worker is told.
    Requested,
    /// It has ended before.
    AlreadyTerminal,
    /// There is no such job for this owner.
    Unknown,
}

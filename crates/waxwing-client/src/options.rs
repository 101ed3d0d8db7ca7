//! What a caller may set for one call or one wait.

use std::time::Duration;

use waxwing_core::{IdempotencyKey, ToolDigest, TraceParent};

/// Settings of one call; the default has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallOptions {
    pub(crate) idempotency_key: Option<IdempotencyKey<'static>>,
    pub(crate) tool_digest: Option<ToolDigest<'static>>,
    pub(crate) traceparent: Option<TraceParent<'static>>,
    pub(crate) timeout: Option<Duration>,
}

impl CallOptions {
    /// No settings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes this call and every other with the same key one call: whoever does not know whether a
    /// call was done sends it again with its key (wire.md §5).
    #[must_use]
    pub fn idempotency_key(mut self, key: IdempotencyKey<'static>) -> Self {
        self.idempotency_key = Some(key);
        self
    }

    /// Pins the tool's definition: if it has changed, the server answers `tool_changed` (wire.md §7).
    #[must_use]
    pub fn tool_digest(mut self, digest: ToolDigest<'static>) -> Self {
        self.tool_digest = Some(digest);
        self
    }

    /// W3C trace context, carried in the signed bytes.
    #[must_use]
    pub fn traceparent(mut self, traceparent: TraceParent<'static>) -> Self {
        self.traceparent = Some(traceparent);
        self
    }

    /// How long this call may take in all, instead of the client's own setting.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

/// How to wait for a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitOptions {
    pub(crate) deadline: Option<Duration>,
    pub(crate) patience: Duration,
}

impl WaitOptions {
    /// No deadline, and a patience of one minute.
    #[must_use]
    pub const fn new() -> Self {
        Self { deadline: None, patience: Duration::from_secs(60) }
    }

    /// How long to wait for the job in all; without it, until the job ends. The job itself goes on
    /// when the wait is over.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// How long to go on without any answer, while the server restarts or the network is away; one
    /// minute by default.
    #[must_use]
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }
}

impl Default for WaitOptions {
    fn default() -> Self {
        Self::new()
    }
}

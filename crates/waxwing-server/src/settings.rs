//! The bounds of a server that have defaults: of its connections, and of the jobs it starts.

use std::time::Duration;

/// Bounds of the HTTP front door. A peer outside them is answered if it can be, then cut off.
///
/// A connection has at most one call under way. At its worst that call holds its message, its
/// arguments once more, its output and its reply, each of up to `Limits::max_message` bytes in a
/// buffer that may have grown to twice that: eight times `max_message` for each of
/// [`Self::connections`], 8 GiB with the defaults. What a tool decodes and holds comes on top, and
/// arguments that break their schema are read into a tree, which can take tens of times their text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpLimits {
    /// Connections at once, on each listener; 1024. One more is told `overloaded` and closed.
    pub connections: usize,
    /// Bytes of a request's head; 16 KiB, at least 1 KiB.
    pub head_bytes: usize,
    /// How long a new connection may be silent; 10 s.
    pub first_byte: Duration,
    /// How long a head may take from its first byte to its last; 10 s.
    pub head: Duration,
    /// How long a connection may rest between calls; 60 s.
    pub idle: Duration,
    /// How long a body may take before [`Self::body_rate`] is asked of it; 10 s.
    pub body_grace: Duration,
    /// Bytes a second that a body has to come with, on average, once its grace is over; 8192, at
    /// least 1.
    pub body_rate: u32,
    /// How long a peer may leave a reply unread; 30 s.
    pub write_stall: Duration,
}

impl HttpLimits {
    /// The defaults.
    pub const DEFAULT: Self = Self {
        connections: 1024,
        head_bytes: 16 << 10,
        first_byte: Duration::from_secs(10),
        head: Duration::from_secs(10),
        idle: Duration::from_secs(60),
        body_grace: Duration::from_secs(10),
        body_rate: 8 << 10,
        write_stall: Duration::from_secs(30),
    };
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// How the server's jobs are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobPolicy {
    /// How long a job can be asked about, from its start; one hour. A job with an idempotency key
    /// lives at least as long as [`Self::idempotency_ttl`].
    pub ttl: Duration,
    /// How many attempts may fail before the job does; 3.
    pub max_attempts: u32,
    /// How long an idempotency key stands for its call (wire.md §5); 24 h.
    pub idempotency_ttl: Duration,
    /// How long a call of a `sync` tool with an idempotency key waits for its outcome; 50 s, a
    /// little less than clients wait for an answer, so that they hear that it still runs. The work
    /// goes on after it, and a retry finds the outcome.
    pub sync_wait: Duration,
}

impl JobPolicy {
    /// The defaults.
    pub const DEFAULT: Self = Self {
        ttl: Duration::from_secs(3600),
        max_attempts: 3,
        idempotency_ttl: Duration::from_secs(24 * 3600),
        sync_wait: Duration::from_secs(50),
    };
}

impl Default for JobPolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use waxwing_client::ClientBuilder;

    use super::*;

    /// Else a client with the defaults never hears that its call with an idempotency key still runs.
    #[test]
    fn a_call_is_told_that_it_still_runs_before_its_client_gives_up() {
        let on_the_way = Duration::from_secs(5);
        assert!(JobPolicy::DEFAULT.sync_wait + on_the_way < ClientBuilder::TIMEOUT);
    }
}

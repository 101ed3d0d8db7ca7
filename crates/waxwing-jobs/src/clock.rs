//! The one clock seam of the crate: a store asks a [`Clock`] for its time and nothing else does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A store's own time, in milliseconds since the Unix epoch.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Milliseconds since the Unix epoch, never going back.
    fn now_ms(&self) -> u64;
}

/// A hundred years: longer than any process runs, and short enough to be added to any time. What is
/// longer counts as this.
pub const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// A duration in whole milliseconds; one that does not fit is the longest that does.
#[must_use]
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[expect(clippy::disallowed_methods, reason = "this is the clock seam")]
fn wall_ms() -> u64 {
    millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// The wall clock as it stood when this value was made, carried on by the monotonic clock.
///
/// A jump of the wall clock while the process runs therefore moves no lease and no deadline.
#[derive(Debug)]
pub struct SystemClock {
    anchor_ms: u64,
    anchor: Instant,
}

impl SystemClock {
    /// Takes the wall clock's time now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock seam")]
    pub fn new() -> Self {
        Self { anchor_ms: wall_ms(), anchor: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock seam")]
    fn now_ms(&self) -> u64 {
        self.anchor_ms.saturating_add(millis(self.anchor.elapsed()))
    }
}

/// Like [`SystemClock`], carried on by the tokio runtime's time, so that a paused runtime also
/// pauses a store that lives inside it.
#[derive(Debug)]
pub struct RuntimeClock {
    anchor_ms: u64,
    anchor: tokio::time::Instant,
}

impl RuntimeClock {
    /// Takes the wall clock's time now.
    #[must_use]
    pub fn new() -> Self {
        Self { anchor_ms: wall_ms(), anchor: tokio::time::Instant::now() }
    }
}

impl Default for RuntimeClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for RuntimeClock {
    fn now_ms(&self) -> u64 {
        self.anchor_ms.saturating_add(millis(self.anchor.elapsed()))
    }
}

/// A clock that stands still until it is told to move: for tests.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// A clock that stands at `now_ms`.
    #[must_use]
    pub fn new(now_ms: u64) -> Self {
        Self(Arc::new(AtomicU64::new(now_ms)))
    }

    /// Moves the clock, and every clone of it, forward.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(millis(by), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

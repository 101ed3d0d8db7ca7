//! The client's clock, and how far the server's is from it. The distance is learned from signed replies
//! only (wire.md §8, `stale`).

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A clock that can be set right.
pub(crate) struct Clock {
    /// Milliseconds since the Unix epoch.
    source: Box<dyn Fn() -> i64 + Send + Sync>,
    offset_ms: AtomicI64,
}

impl Clock {
    pub(crate) fn new(source: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self { source: Box::new(source), offset_ms: AtomicI64::new(0) }
    }

    pub(crate) fn of_system() -> Self {
        Self::new(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        })
    }

    /// The server's time, as well as it is known.
    pub(crate) fn now_ms(&self) -> i64 {
        (self.source)().saturating_add(self.offset_ms())
    }

    /// The server's clock less this machine's, in milliseconds; 0 until something else was learned.
    pub(crate) fn offset_ms(&self) -> i64 {
        self.offset_ms.load(Ordering::Relaxed)
    }

    /// Takes the server's time, of this moment.
    pub(crate) fn learn(&self, server_ts_ms: i64) {
        let offset_ms = server_ts_ms.saturating_sub((self.source)());
        self.offset_ms.store(offset_ms, Ordering::Relaxed);
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("offset_ms", &self.offset_ms()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_learned_replaces_what_was_learned_before() {
        let clock = Clock::new(|| 1_000);
        assert_eq!(clock.now_ms(), 1_000);
        clock.learn(5_000);
        assert_eq!((clock.now_ms(), clock.offset_ms()), (5_000, 4_000));
        clock.learn(900);
        assert_eq!((clock.now_ms(), clock.offset_ms()), (900, -100));
        clock.learn(i64::MIN);
        assert!(clock.now_ms() < 0, "no overflow");
    }
}

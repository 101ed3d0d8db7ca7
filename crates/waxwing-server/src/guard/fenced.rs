//! The guard of a process that has a durable store for itself: nonces in memory, and in the store one
//! mark that outlives them.
//!
//! Every message that was ever accepted is dated at or before the mark, and a guard accepts nothing
//! that is dated at or before the mark it found when it began. So nothing is accepted twice, whatever
//! clocks do in between; no part of this asks what time it is. A call pays for a durable write only
//! when the mark has to move: twice a second, and for messages dated ahead of the clock.

use async_trait::async_trait;
use waxwing_crypto::{Admission, MemoryReplayGuard, NonceRecord, ReplayGuard};

use super::ServingGuard;
use super::mark::Mark;

/// Memory behind a durable mark.
#[derive(Debug)]
pub(super) struct FencedGuard {
    /// Forgets, and so refuses, everything up to `fence_ms`.
    memory: MemoryReplayGuard,
    mark: Mark,
    /// Where the mark stood when this guard began.
    fence_ms: i64,
}

impl FencedGuard {
    /// `memory` takes nothing for fresh that is dated up to where `mark` stands.
    pub(super) fn new(memory: MemoryReplayGuard, mark: Mark) -> Self {
        let fence_ms = mark.height_ms();
        Self { memory, mark, fence_ms }
    }
}

#[async_trait]
impl ReplayGuard for FencedGuard {
    async fn admit(&self, record: &NonceRecord<'_>, now_ms: i64) -> Admission {
        match self.memory.admit_now(record, now_ms) {
            Admission::Fresh => {}
            // The sender's clock is not to blame, as `stale` would say: a later call will do.
            Admission::Forgotten if now_ms <= self.fence_ms => return Admission::Unavailable,
            refused => return refused,
        }
        match self.mark.cover(record.ts_ms, now_ms).await {
            Ok(()) => Admission::Fresh,
            Err(error) => {
                tracing::warn!(%error, "the mark of the replay guard cannot be written");
                Admission::Unavailable
            }
        }
    }
}

impl ServingGuard for FencedGuard {
    fn outage(&self, now_ms: i64) -> Option<&'static str> {
        let why = "the replay guard takes no calls yet: an earlier server took messages that are dated \
                   ahead of this clock, or the clock was set back\n";
        if now_ms <= self.fence_ms { Some(why) } else { self.memory.outage(now_ms) }
    }
}

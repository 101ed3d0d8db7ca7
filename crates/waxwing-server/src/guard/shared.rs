//! The guard of several servers over one store: every nonce is spent there.
//!
//! The store forgets a nonce by its own clock, servers judge messages by theirs. What keeps the two
//! together is a mark: the latest time at which any server has admitted a call. It moves with the calls
//! and, slowly, without them. A server whose clock lies behind it by more than the clock window admits
//! nothing, and nonces are kept for as long as that rule could let one through.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use waxwing_core::ServerId;
use waxwing_crypto::{Admission, MemoryReplayGuard, NonceRecord, ReplayGuard, Window};
use waxwing_jobs::{Admission as Spent, NonceRecord as Spend, Store, StoreError};

use super::ServingGuard;
use super::mark::Mark;
use crate::environment::Environment;

/// How often the mark is moved on when no call does.
const TICK: Duration = Duration::from_secs(30);

/// Memory before a store. Memory costs nothing beside the store, and it remembers what this server
/// itself has accepted whatever any clock says.
#[derive(Debug)]
pub(super) struct SharedGuard {
    memory: MemoryReplayGuard,
    store: Arc<dyn Store>,
    server_id: ServerId<'static>,
    span_ms: i64,
    mark: Option<Mark>,
}

impl SharedGuard {
    pub(super) const fn new(
        memory: MemoryReplayGuard,
        store: Arc<dyn Store>,
        server_id: ServerId<'static>,
        window: Window,
        mark: Option<Mark>,
    ) -> Self {
        Self { memory, store, server_id, span_ms: window.span_ms(), mark }
    }

    /// Moves the mark on for as long as the guard lives.
    pub(super) fn watch(self: &Arc<Self>, environment: Arc<dyn Environment>) {
        let guard = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(TICK).await;
                let Some(guard) = guard.upgrade() else { break };
                let now_ms = environment.now_ms();
                if let Some(mark) = &guard.mark
                    && let Err(error) = mark.cover(now_ms, now_ms).await
                {
                    tracing::warn!(%error, "the mark of the replay guard cannot be written");
                }
            }
        });
    }

    /// Whether this server's clock lies so far behind the others' that the store may have forgotten
    /// what it takes for new.
    fn is_behind(&self, now_ms: i64) -> bool {
        let latest_ms = self.mark.as_ref().map_or(i64::MIN, Mark::height_ms);
        now_ms < latest_ms.saturating_sub(self.span_ms)
    }

    async fn spend(&self, record: &NonceRecord<'_>, now_ms: i64) -> Result<Admission, StoreError> {
        if let Some(mark) = &self.mark {
            mark.cover(now_ms, now_ms).await?;
            // The store may have told what the others have made of it meanwhile.
            if self.is_behind(now_ms) {
                return Ok(Admission::Unavailable);
            }
        }
        // Its time in the window, as much again for a clock that lies behind, and two ticks for the
        // mark to move on.
        let ahead_ms = record.ts_ms.saturating_sub(now_ms);
        let keep_ms = ahead_ms.saturating_add(self.span_ms.saturating_mul(2)).max(0);
        let nonce = Spend {
            server: self.server_id.clone(),
            client: record.client_id.clone().into_owned(),
            key: record.key_id.clone().into_owned(),
            nonce: record.nonce.clone().into_owned(),
            keep: Duration::from_millis(keep_ms.unsigned_abs()) + 2 * TICK,
        };
        let verdicts = self.store.admit(vec![nonce]).await?;
        Ok(match verdicts.first() {
            Some(Spent::Fresh) => Admission::Fresh,
            Some(Spent::Replayed) => Admission::Replayed,
            Some(Spent::Full) => Admission::Full,
            None => return Err(StoreError::Fault("no verdict on a nonce".to_owned())),
        })
    }
}

#[async_trait]
impl ReplayGuard for SharedGuard {
    async fn admit(&self, record: &NonceRecord<'_>, now_ms: i64) -> Admission {
        if self.is_behind(now_ms) {
            return Admission::Unavailable;
        }
        match self.memory.admit_now(record, now_ms) {
            Admission::Fresh => {}
            refused => return refused,
        }
        self.spend(record, now_ms).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the store of the replay guard cannot be reached");
            Admission::Unavailable
        })
    }
}

impl ServingGuard for SharedGuard {
    fn outage(&self, now_ms: i64) -> Option<&'static str> {
        let why = "the replay guard takes no calls: this clock lies behind that of other servers on the \
                   store\n";
        if self.is_behind(now_ms) { Some(why) } else { self.memory.outage(now_ms) }
    }
}

//! A moment in the store that only moves on, taken a little ahead so that few calls have to write it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use waxwing_jobs::{Store, StoreError};

use crate::environment::Environment;

/// How far ahead a mark is set, in milliseconds. While calls come it is written twice in this time;
/// after a crash the next server waits for up to this time.
const LEAD_MS: i64 = 500;

/// A moment that this server has made durable.
#[derive(Debug)]
pub(super) struct Mark {
    store: Arc<dyn Store>,
    name: String,
    /// Never above what the store holds.
    height_ms: AtomicI64,
    moving: Mutex<()>,
}

impl Mark {
    /// The mark of this name as earlier servers left it; `None` in a store that keeps none.
    pub(super) async fn find(
        store: Arc<dyn Store>,
        name: String,
    ) -> Result<Option<Self>, StoreError> {
        let height = store.raise_mark(&name, i64::MIN).await?;
        let mark = |height| Self {
            store,
            name,
            height_ms: AtomicI64::new(height),
            moving: Mutex::const_new(()),
        };
        Ok(height.map(mark))
    }

    pub(super) fn height_ms(&self) -> i64 {
        self.height_ms.load(Ordering::SeqCst)
    }

    /// Waits until the clock has passed the mark, if that takes no longer than a mark is set ahead.
    pub(super) async fn let_pass(&self, environment: &dyn Environment) {
        let ahead = self.height_ms().saturating_sub(environment.now_ms()).saturating_add(1);
        if (1..=LEAD_MS + 1).contains(&ahead) {
            tokio::time::sleep(Duration::from_millis(ahead.unsigned_abs())).await;
        }
    }

    /// Makes sure that the mark covers `ts_ms`. It is moved on early, by one call at a time, so that
    /// as a rule nobody has to wait for it.
    pub(super) async fn cover(&self, ts_ms: i64, now_ms: i64) -> Result<(), StoreError> {
        let (height_ms, ahead_ms) = (self.height_ms(), now_ms.saturating_add(LEAD_MS));
        if ts_ms > height_ms {
            return self.raise(ts_ms.saturating_add(LEAD_MS).max(ahead_ms)).await;
        }
        if height_ms < ahead_ms - LEAD_MS / 2
            && let Ok(_turn) = self.moving.try_lock()
            && let Err(error) = self.raise(ahead_ms).await
        {
            // Whoever needs it will try again, and wait for it.
            tracing::debug!(%error, "a mark could not be moved on early");
        }
        Ok(())
    }

    async fn raise(&self, at_least_ms: i64) -> Result<(), StoreError> {
        let height = self.store.raise_mark(&self.name, at_least_ms).await?;
        let gone = || StoreError::Fault("the store keeps no marks any more".to_owned());
        self.height_ms.fetch_max(height.ok_or_else(gone)?, Ordering::SeqCst);
        Ok(())
    }
}

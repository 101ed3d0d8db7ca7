//! Which replay guard a server has: in memory, in memory with a durable mark, or in the store that
//! its replicas share (wire.md §5).

mod fenced;
mod mark;
mod shared;

use std::sync::Arc;

use waxwing_core::ServerId;
use waxwing_crypto::{Capacity, MemoryReplayGuard, ReplayGuard, Window};
use waxwing_jobs::{Durability, Sharing, Store, StoreError};

use crate::environment::Environment;
use fenced::FencedGuard;
use mark::Mark;
use shared::SharedGuard;

/// Where nonces are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplayPolicy {
    /// As the store asks for: [`Self::Store`] over one that replicas share; over one that a single
    /// process has for itself, in memory, with a mark in the store that outlives the process when the
    /// store does.
    #[default]
    Auto,
    /// In the memory of this process. What is dated before its start is refused. A message that was
    /// accepted although it was dated ahead of the server's clock, or before that clock was set back,
    /// can be replayed once after a restart within the clock window.
    Memory,
    /// In the store: one durable write for each call. For several processes over one store.
    Store,
}

/// Whether the nonce of a call that starts a job is spent in the same commit as the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobNonces {
    /// It is: other processes over the same store refuse it as well.
    WithTheJob,
    /// The store has spent it already, when the call was admitted.
    SpentBefore,
}

/// A replay guard as a server has it.
pub(crate) trait ServingGuard: ReplayGuard {
    /// Why it refuses the calls of every client whose clock is right, if it does at this time. Looks
    /// at memory alone, and spends nothing.
    fn outage(&self, now_ms: i64) -> Option<&'static str>;
}

impl ServingGuard for MemoryReplayGuard {
    fn outage(&self, now_ms: i64) -> Option<&'static str> {
        let why = "the replay guard takes no calls: the clock was set back to a time that it has \
                   forgotten\n";
        self.has_forgotten(now_ms).then_some(why)
    }
}

/// The guard of one running server.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) replay: Arc<dyn ServingGuard>,
    pub(crate) job_nonces: JobNonces,
}

/// What a guard is made from.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) policy: ReplayPolicy,
    pub(crate) server_id: &'a ServerId<'static>,
    pub(crate) store: &'a Arc<dyn Store>,
    pub(crate) window: Window,
    pub(crate) capacity: Capacity,
    pub(crate) environment: &'a Arc<dyn Environment>,
}

impl Plan<'_> {
    /// Makes the guard. May wait half a second when the server follows on one that has just ended.
    ///
    /// # Errors
    /// [`StoreError`]: what an earlier guard left in the store cannot be read.
    pub(crate) async fn open(&self) -> Result<Guard, StoreError> {
        let durable = self.store.info().durability == Durability::PowerCut;
        let (replay, kept): (Arc<dyn ServingGuard>, _) = match (self.policy, self.store.sharing()) {
            (ReplayPolicy::Memory, _) => (self.memory(), "in memory"),
            (ReplayPolicy::Auto, _) if !durable => (self.memory(), "in memory"),
            (ReplayPolicy::Auto, Sharing::Alone) => match self.mark("dated").await? {
                Some(mark) => (self.fenced(mark).await?, "in memory, with a mark in the job store"),
                None => return self.shared().await,
            },
            (ReplayPolicy::Auto, Sharing::Replicas) | (ReplayPolicy::Store, _) => {
                return self.shared().await;
            }
        };
        tracing::info!("nonces are kept {kept}");
        Ok(Guard { replay, job_nonces: JobNonces::WithTheJob })
    }

    fn memory(&self) -> Arc<MemoryReplayGuard> {
        Arc::new(self.memory_since(self.environment.now_ms()))
    }

    /// A guard in memory to which nothing that is dated before `since_ms` is fresh.
    fn memory_since(&self, since_ms: i64) -> MemoryReplayGuard {
        let mut seed = [0; 32];
        seed[..16].copy_from_slice(&self.environment.random());
        seed[16..].copy_from_slice(&self.environment.random());
        MemoryReplayGuard::new(self.window, self.capacity, since_ms, seed)
    }

    async fn fenced(&self, mark: Mark) -> Result<Arc<FencedGuard>, StoreError> {
        mark.let_pass(&**self.environment).await;
        let (now_ms, height_ms) = (self.environment.now_ms(), mark.height_ms());
        if now_ms <= height_ms {
            let wait_ms = height_ms.saturating_sub(now_ms);
            tracing::warn!(
                wait_ms,
                "calls are refused for now: an earlier server accepted messages dated ahead of this \
                 clock, or the clock was set back; docs/security.md tells the way out"
            );
        }
        let memory = self.memory_since(now_ms.max(height_ms.saturating_add(1)));
        Ok(Arc::new(FencedGuard::new(memory, mark)))
    }

    async fn shared(&self) -> Result<Guard, StoreError> {
        let Self { store, server_id, window, environment, .. } = *self;
        let mark = self.mark("clock").await?;
        if mark.is_none() {
            tracing::warn!(
                "the job store keeps no marks: a replica whose clock is set back may accept replays"
            );
        }
        let memory = self.memory_since(environment.now_ms());
        let guard = SharedGuard::new(memory, Arc::clone(store), server_id.clone(), window, mark);
        let guard = Arc::new(guard);
        guard.watch(Arc::clone(environment));
        tracing::info!("nonces are kept in the job store");
        Ok(Guard { replay: guard, job_nonces: JobNonces::SpentBefore })
    }

    async fn mark(&self, kind: &str) -> Result<Option<Mark>, StoreError> {
        Mark::find(Arc::clone(self.store), format!("replay/{kind}/{}", self.server_id)).await
    }
}

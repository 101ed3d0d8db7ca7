//! A store that can be away, damaged in one job, or slow to look; and counts what it is asked.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use waxwing_core::{ClientId, JobId, ServerId};
use waxwing_jobs::{
    Admission, Answered, Answers, Beat, BeatVerdict, CancelRequest, CancelVerdict, Census, Claim,
    Claimed, Filter, NewJob, NonceRecord, Page, PurgeVerdict, RequeueVerdict, Seen, Settle,
    SettleVerdict, Snapshot, Started, Store, StoreError, StoreInfo, Swept,
};

use crate::support::memory;

/// The memory store behind a door that a test can shut. Reads of single jobs, by which tests look,
/// go past it.
#[derive(Debug)]
pub(crate) struct Away {
    inner: Arc<dyn Store>,
    shut: Mutex<Option<StoreError>>,
    asked: AtomicUsize,
    pub(crate) claims: AtomicUsize,
    /// So many beats take a second and then fail.
    pub(crate) beats_to_fail: AtomicUsize,
    /// How the ends of these jobs fail, and everything that is stored with them.
    pub(crate) unsettled: Mutex<HashMap<String, StoreError>>,
    /// How reports of these jobs fail, and everything that is stored with them.
    pub(crate) unreported: Mutex<HashMap<String, StoreError>>,
    /// How long a look for changes takes before it sees anything.
    look: Duration,
}

/// A store that is there, twice: to be told where it is, and to be given to engines.
pub(crate) fn away() -> (Arc<Away>, Arc<dyn Store>) {
    slow_to_look(Duration::ZERO)
}

/// Like [`away`], with a round trip before each look for changes.
pub(crate) fn slow_to_look(look: Duration) -> (Arc<Away>, Arc<dyn Store>) {
    let store = Arc::new(Away {
        inner: memory(),
        shut: Mutex::default(),
        asked: AtomicUsize::new(0),
        claims: AtomicUsize::new(0),
        beats_to_fail: AtomicUsize::new(0),
        unsettled: Mutex::default(),
        unreported: Mutex::default(),
        look,
    });
    (Arc::clone(&store), store)
}

pub(crate) fn unavailable() -> StoreError {
    StoreError::Unavailable("away".into())
}

impl Away {
    pub(crate) fn leave(&self) {
        self.leave_as(unavailable());
    }

    /// Fails everything like this.
    pub(crate) fn leave_as(&self, error: StoreError) {
        *self.shut.lock().unwrap() = Some(error);
    }

    pub(crate) fn come_back(&self) {
        *self.shut.lock().unwrap() = None;
    }

    /// Is away for so long, from now on.
    pub(crate) async fn away_for(&self, time: Duration) {
        self.leave();
        tokio::time::sleep(time).await;
        self.come_back();
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn ask(&self) -> Result<&Arc<dyn Store>, StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        match &*self.shut.lock().unwrap() {
            Some(error) => Err(error.clone()),
            None => Ok(&self.inner),
        }
    }
}

#[async_trait]
impl Store for Away {
    fn info(&self) -> StoreInfo {
        self.inner.info()
    }
    async fn bind(&self, server: &ServerId<'_>) -> Result<(), StoreError> {
        self.ask()?.bind(server).await
    }
    async fn admit(&self, nonces: Vec<NonceRecord>) -> Result<Vec<Admission>, StoreError> {
        self.ask()?.admit(nonces).await
    }
    async fn start(&self, jobs: Vec<NewJob>) -> Result<Vec<Started>, StoreError> {
        self.ask()?.start(jobs).await
    }
    async fn get(&self, o: &ClientId<'_>, id: &JobId<'_>) -> Result<Option<Snapshot>, StoreError> {
        self.inner.get(o, id).await
    }
    async fn answer(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
        answers: Answers,
    ) -> Result<Option<Answered>, StoreError> {
        self.ask()?.answer(owner, id, answers).await
    }
    async fn cancel(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
        request: CancelRequest,
    ) -> Result<CancelVerdict, StoreError> {
        self.ask()?.cancel(owner, id, request).await
    }
    async fn claim(&self, claim: Claim) -> Result<Vec<Claimed>, StoreError> {
        self.claims.fetch_add(1, Ordering::SeqCst);
        self.ask()?.claim(claim).await
    }
    async fn beat(&self, beats: Vec<Beat>) -> Result<Vec<BeatVerdict>, StoreError> {
        let less = |left: usize| left.checked_sub(1);
        if self.beats_to_fail.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
            return Err(unavailable());
        }
        let store = self.ask()?;
        let poison = {
            let unreported = self.unreported.lock().unwrap();
            let reports = |beat: &&Beat| beat.progress.is_some() || beat.checkpoint.is_some();
            let of = |beat: &Beat| unreported.get(beat.ticket.id.as_str()).cloned();
            beats.iter().filter(reports).find_map(of)
        };
        match poison {
            Some(error) => Err(error),
            None => store.beat(beats).await,
        }
    }
    async fn settle(&self, settles: Vec<Settle>) -> Result<Vec<SettleVerdict>, StoreError> {
        let store = self.ask()?;
        let poison = {
            let unsettled = self.unsettled.lock().unwrap();
            settles.iter().find_map(|settle| unsettled.get(settle.ticket.id.as_str()).cloned())
        };
        match poison {
            Some(error) => Err(error),
            None => store.settle(settles).await,
        }
    }
    async fn sweep(&self, limit: usize) -> Result<Swept, StoreError> {
        self.ask()?.sweep(limit).await
    }
    async fn changed(&self, s: &[Seen], wait: Duration) -> Result<Vec<JobId<'static>>, StoreError> {
        let store = self.ask()?;
        if !self.look.is_zero() {
            tokio::time::sleep(self.look).await;
        }
        store.changed(s, wait).await
    }
    async fn list(&self, filter: Filter) -> Result<Page, StoreError> {
        self.ask()?.list(filter).await
    }
    async fn census(&self) -> Result<Census, StoreError> {
        self.ask()?.census().await
    }
    async fn requeue(&self, ids: Vec<JobId<'static>>) -> Result<Vec<RequeueVerdict>, StoreError> {
        self.ask()?.requeue(ids).await
    }
    async fn purge(&self, ids: Vec<JobId<'static>>) -> Result<Vec<PurgeVerdict>, StoreError> {
        self.ask()?.purge(ids).await
    }
}

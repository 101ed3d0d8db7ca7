//! A store before another that a test breaks and mends, stalls, and has take what it must not take.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use waxwing_core::{ClientId, JobId, ServerId};
use waxwing_jobs::{
    Admission, Answered, Answers, Beat, BeatVerdict, CancelRequest, CancelVerdict, Census, Claim,
    Claimed, Durability, Filter, NewJob, NonceRecord, Page, PurgeVerdict, RequeueVerdict, Seen,
    Settle, SettleVerdict, Sharing, Snapshot, Started, Store, StoreError, StoreInfo, Swept,
};

use crate::harness::{PATIENCE, memory};

/// Obeys the test alone.
#[derive(Debug)]
pub(crate) struct UnrulyStore {
    inner: Arc<dyn Store>,
    durability: Durability,
    broken: AtomicBool,
    breaks_after_writes: AtomicBool,
    stalled: watch::Sender<bool>,
    settles: watch::Sender<Settles>,
    stale_writes: StaleWrites,
    /// The latest epoch of each job.
    epochs: Mutex<HashMap<JobId<'static>, u64>>,
}

/// How many ends of attempts came, and how many of them got their verdict.
#[derive(Clone, Copy, Debug, Default)]
struct Settles {
    came: usize,
    judged: usize,
}

/// What becomes of the result of a worker that has lost its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StaleWrites {
    Refused,
    Taken,
}

impl UnrulyStore {
    /// One that does nothing wrong yet.
    pub(crate) fn over(inner: Arc<dyn Store>, stale_writes: StaleWrites) -> Arc<Self> {
        let durability = inner.info().durability;
        Arc::new(Self::new(inner, durability, stale_writes))
    }

    /// One in memory that says it survives as much, and is away but for what a server asks at its start.
    pub(crate) fn broken(durability: Durability) -> Arc<Self> {
        let store = Self::new(memory(), durability, StaleWrites::Refused);
        store.broken.store(true, Ordering::SeqCst);
        Arc::new(store)
    }

    fn new(inner: Arc<dyn Store>, durability: Durability, stale_writes: StaleWrites) -> Self {
        Self {
            inner,
            durability,
            broken: AtomicBool::new(false),
            breaks_after_writes: AtomicBool::new(false),
            stalled: watch::Sender::new(false),
            settles: watch::Sender::default(),
            stale_writes,
            epochs: Mutex::default(),
        }
    }

    /// It is away from now on, or back again.
    pub(crate) fn set_broken(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }

    /// It breaks once a cancel or an answer is stored.
    pub(crate) fn break_after_a_write(&self) {
        self.breaks_after_writes.store(true, Ordering::SeqCst);
    }

    /// It lets nothing through from now on, as for a process that is stopped; or goes on.
    pub(crate) fn set_stalled(&self, stalled: bool) {
        self.stalled.send_replace(stalled);
    }

    /// Waits until a worker has brought the end of an attempt, stalled or not.
    pub(crate) async fn settle_came(&self) {
        self.settles_are(|settles| settles.came > 0).await;
    }

    /// Waits until there is a verdict on it.
    pub(crate) async fn settle_judged(&self) {
        self.settles_are(|settles| settles.judged > 0).await;
    }

    async fn settles_are(&self, so: impl Fn(&Settles) -> bool) {
        let mut settles = self.settles.subscribe();
        tokio::time::timeout(PATIENCE, settles.wait_for(so)).await.expect("in time").unwrap();
    }

    async fn ask(&self) -> Result<&dyn Store, StoreError> {
        // The sender is this value's own, so waiting cannot fail.
        let _ = self.stalled.subscribe().wait_for(|stalled| !stalled).await;
        if self.broken.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("the disk /dev/sdb is gone".to_owned()));
        }
        Ok(&*self.inner)
    }

    fn wrote(&self) {
        if self.breaks_after_writes.swap(false, Ordering::SeqCst) {
            self.set_broken(true);
        }
    }
}

#[async_trait]
impl Store for UnrulyStore {
    fn info(&self) -> StoreInfo {
        StoreInfo { backend: "unruly", durability: self.durability, detail: String::new() }
    }

    fn sharing(&self) -> Sharing {
        Sharing::Alone
    }

    async fn bind(&self, server: &ServerId<'_>) -> Result<(), StoreError> {
        self.inner.bind(server).await
    }

    async fn admit(&self, nonces: Vec<NonceRecord>) -> Result<Vec<Admission>, StoreError> {
        self.ask().await?.admit(nonces).await
    }

    /// It can always be read.
    async fn raise_mark(&self, name: &str, at_least: i64) -> Result<Option<i64>, StoreError> {
        if at_least != i64::MIN {
            self.ask().await?;
        }
        self.inner.raise_mark(name, at_least).await
    }

    async fn start(&self, jobs: Vec<NewJob>) -> Result<Vec<Started>, StoreError> {
        self.ask().await?.start(jobs).await
    }

    async fn get(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
    ) -> Result<Option<Snapshot>, StoreError> {
        self.ask().await?.get(owner, id).await
    }

    async fn answer(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
        answers: Answers,
    ) -> Result<Option<Answered>, StoreError> {
        let answered = self.ask().await?.answer(owner, id, answers).await;
        self.wrote();
        answered
    }

    async fn cancel(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
        request: CancelRequest,
    ) -> Result<CancelVerdict, StoreError> {
        let verdict = self.ask().await?.cancel(owner, id, request).await;
        self.wrote();
        verdict
    }

    async fn claim(&self, claim: Claim) -> Result<Vec<Claimed>, StoreError> {
        let claimed = self.ask().await?.claim(claim).await?;
        let tickets = claimed.iter().map(|job| (job.ticket.id.clone(), job.ticket.epoch));
        self.epochs.lock().unwrap().extend(tickets);
        Ok(claimed)
    }

    async fn beat(&self, beats: Vec<Beat>) -> Result<Vec<BeatVerdict>, StoreError> {
        self.ask().await?.beat(beats).await
    }

    async fn settle(&self, mut settles: Vec<Settle>) -> Result<Vec<SettleVerdict>, StoreError> {
        self.settles.send_modify(|settles| settles.came += 1);
        let inner = self.ask().await?;
        if self.stale_writes == StaleWrites::Taken {
            let epochs = self.epochs.lock().unwrap();
            for Settle { ticket, .. } in &mut settles {
                ticket.epoch = epochs[&ticket.id];
            }
        }
        let verdicts = inner.settle(settles).await;
        self.settles.send_modify(|settles| settles.judged += 1);
        verdicts
    }

    async fn sweep(&self, limit: usize) -> Result<Swept, StoreError> {
        self.ask().await?.sweep(limit).await
    }

    async fn changed(
        &self,
        seen: &[Seen],
        wait: Duration,
    ) -> Result<Vec<JobId<'static>>, StoreError> {
        self.ask().await?.changed(seen, wait).await
    }

    async fn list(&self, filter: Filter) -> Result<Page, StoreError> {
        self.ask().await?.list(filter).await
    }

    async fn census(&self) -> Result<Census, StoreError> {
        self.ask().await?.census().await
    }

    async fn requeue(&self, ids: Vec<JobId<'static>>) -> Result<Vec<RequeueVerdict>, StoreError> {
        self.ask().await?.requeue(ids).await
    }

    async fn purge(&self, ids: Vec<JobId<'static>>) -> Result<Vec<PurgeVerdict>, StoreError> {
        self.ask().await?.purge(ids).await
    }
}

//! What an engine with nothing to do asks of its store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use waxwing_core::{ClientId, JobId, ServerId};
use waxwing_jobs::{
    Admission, Answered, Answers, Beat, BeatVerdict, CancelRequest, CancelVerdict, Census, Claim,
    Claimed, Engine, EngineConfig, Filter, NewJob, NonceRecord, Page, PurgeVerdict, RequeueVerdict,
    Seen, Settle, SettleVerdict, Snapshot, Started, Store, StoreError, StoreInfo, Swept,
};

use crate::orders::Idle;
use crate::places::Place;
use crate::table::{Promise, Table, Unit};

/// What a new engine asks at first is not what an idle one asks.
const SETTLED: Duration = Duration::from_secs(6);

pub(crate) async fn run(place: &Place, time: Duration, table: &mut Table) {
    let place = place.counting();
    let asked = Arc::new(AtomicU64::new(0));
    let store = Counted { store: place.open("idle").await, asked: Arc::clone(&asked) };
    let _engine = Engine::launch(Arc::new(store), Arc::new(Idle), EngineConfig::default());
    let counts = || [Some(asked.load(Ordering::Relaxed)), place.statements()];
    tokio::time::sleep(SETTLED).await;
    let before = counts();
    tokio::time::sleep(time).await;
    let names =
        ["idle worker, operations of the store", "idle worker, statements by the server's log"];
    for ((name, before), after) in names.into_iter().zip(before).zip(counts()) {
        if let (Some(before), Some(after)) = (before, after) {
            let rate = (after - before) as f64 / time.as_secs_f64();
            table.add(name, rate, Unit::PerSecond, Promise::AtMost(1.0));
        }
    }
}

/// Counts what the store is asked.
#[derive(Debug)]
struct Counted {
    store: Arc<dyn Store>,
    asked: Arc<AtomicU64>,
}

impl Counted {
    fn asked(&self) -> &dyn Store {
        self.asked.fetch_add(1, Ordering::Relaxed);
        &*self.store
    }
}

#[async_trait]
impl Store for Counted {
    fn info(&self) -> StoreInfo {
        self.store.info()
    }

    async fn bind(&self, server: &ServerId<'_>) -> Result<(), StoreError> {
        self.asked().bind(server).await
    }

    async fn admit(&self, nonces: Vec<NonceRecord>) -> Result<Vec<Admission>, StoreError> {
        self.asked().admit(nonces).await
    }

    async fn start(&self, jobs: Vec<NewJob>) -> Result<Vec<Started>, StoreError> {
        self.asked().start(jobs).await
    }

    async fn get(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
    ) -> Result<Option<Snapshot>, StoreError> {
        self.asked().get(owner, id).await
    }

    async fn answer(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
        answers: Answers,
    ) -> Result<Option<Answered>, StoreError> {
        self.asked().answer(owner, id, answers).await
    }

    async fn cancel(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
        request: CancelRequest,
    ) -> Result<CancelVerdict, StoreError> {
        self.asked().cancel(owner, id, request).await
    }

    async fn claim(&self, claim: Claim) -> Result<Vec<Claimed>, StoreError> {
        self.asked().claim(claim).await
    }

    async fn beat(&self, beats: Vec<Beat>) -> Result<Vec<BeatVerdict>, StoreError> {
        self.asked().beat(beats).await
    }

    async fn settle(&self, settles: Vec<Settle>) -> Result<Vec<SettleVerdict>, StoreError> {
        self.asked().settle(settles).await
    }

    async fn sweep(&self, limit: usize) -> Result<Swept, StoreError> {
        self.asked().sweep(limit).await
    }

    async fn changed(
        &self,
        seen: &[Seen],
        wait: Duration,
    ) -> Result<Vec<JobId<'static>>, StoreError> {
        self.asked().changed(seen, wait).await
    }

    async fn list(&self, filter: Filter) -> Result<Page, StoreError> {
        self.asked().list(filter).await
    }

    async fn census(&self) -> Result<Census, StoreError> {
        self.asked().census().await
    }

    async fn requeue(&self, ids: Vec<JobId<'static>>) -> Result<Vec<RequeueVerdict>, StoreError> {
        self.asked().requeue(ids).await
    }

    async fn purge(&self, ids: Vec<JobId<'static>>) -> Result<Vec<PurgeVerdict>, StoreError> {
        self.asked().purge(ids).await
    }
}

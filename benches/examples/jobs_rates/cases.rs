//! The measured cases, each on a store of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::Semaphore;
use waxwing_core::{JobId, ToolName};
use waxwing_jobs::{
    Admission, AttemptEnd, Claim, Engine, EngineConfig, JobContext, JobFailure, NonceRecord,
    Observer, Outcome, RunOutcome, Runner, Settle, Started, Store,
};

use crate::orders::{Idle, by_callers, id, json, kind, order, owner};
use crate::places::Place;

/// Jobs in one commit when a store is filled.
const FILL: u64 = 256;

/// Polls that are measured.
const POLLS: u64 = 20_000;

fn rate(count: u64, began: Instant) -> f64 {
    count as f64 / began.elapsed().as_secs_f64()
}

/// Starts a second.
pub(crate) async fn starts(place: &Place, count: u64) -> f64 {
    let store = place.open("starts").await;
    let began = Instant::now();
    by_callers(count, move |n| {
        let store = Arc::clone(&store);
        async move {
            let started = store.start(vec![order(n)]).await.expect("a start");
            assert_eq!(started, [Started::Created]);
        }
    })
    .await;
    rate(count, began)
}

/// Counts the attempts that completed.
#[derive(Debug)]
pub(crate) struct Completions(pub(crate) Arc<Semaphore>);

impl Observer for Completions {
    fn ended(&self, _: &ToolName<'_>, how: AttemptEnd, _: Duration) {
        assert_eq!(how, AttemptEnd::Completed);
        self.0.add_permits(1);
    }
}

/// Whole lives a second: started by callers, claimed, run and settled by an engine as it comes.
pub(crate) async fn lifecycle(place: &Place, count: u64) -> f64 {
    let completed = Arc::new(Semaphore::new(0));
    let mut config = EngineConfig::default();
    config.observer = Arc::new(Completions(Arc::clone(&completed)));
    let engine = Arc::new(Engine::launch(place.open("lifecycle").await, Arc::new(Idle), config));
    let began = Instant::now();
    by_callers(count, move |n| {
        let engine = Arc::clone(&engine);
        let completed = Arc::clone(&completed);
        async move {
            assert_eq!(engine.start(order(n)).await.expect("a start"), Started::Created);
            // As many are under way as there are callers, so that nothing is left at the end.
            completed.acquire().await.expect("it stays open").forget();
        }
    })
    .await;
    rate(count, began)
}

/// Nonces a second.
pub(crate) async fn nonces(place: &Place, count: u64) -> f64 {
    let store = place.open("nonces").await;
    let began = Instant::now();
    by_callers(count, move |n| {
        let store = Arc::clone(&store);
        async move {
            let nonce = NonceRecord {
                server: "server".parse().expect("an id"),
                client: owner(n),
                key: "k1".parse().expect("an id"),
                nonce: format!("{:032x}", u128::from(n)).parse().expect("a nonce"),
                keep: Duration::from_secs(150),
            };
            assert_eq!(store.admit(vec![nonce]).await.expect("a verdict"), [Admission::Fresh]);
        }
    })
    .await;
    rate(count, began)
}

/// Fills a store with jobs that have ended.
async fn fill(store: &dyn Store, count: u64) {
    let mut n = 0;
    while n < count {
        let batch = FILL.min(count - n);
        let orders = (n..n + batch).map(order).collect();
        store.start(orders).await.expect("starts");
        let claim = Claim {
            worker: "fill".to_owned(),
            kinds: vec![kind()],
            lease: Duration::from_secs(60),
            max: batch as usize,
        };
        let claimed = store.claim(claim).await.expect("claims");
        assert_eq!(claimed.len() as u64, batch);
        let outcome = Outcome::Complete(json("done"));
        let settle =
            |job: waxwing_jobs::Claimed| Settle { ticket: job.ticket, outcome: outcome.clone() };
        store.settle(claimed.into_iter().map(settle).collect()).await.expect("settles");
        n += batch;
    }
}

/// The mean time of a poll, over ids in no order.
pub(crate) async fn polls(place: &Place, name: &str, stored: u64) -> Duration {
    let store = place.open(name).await;
    fill(&*store, stored).await;
    let pick = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % stored;
    for round in 0..2 {
        let began = Instant::now();
        for n in (0..POLLS).map(pick) {
            let found = store.get(&owner(n), &id(n)).await.expect("a poll");
            assert!(found.is_some());
        }
        // The first round warms the caches.
        if round == 1 {
            return began.elapsed() / u32::try_from(POLLS).expect("a few");
        }
    }
    Duration::ZERO
}

/// Waits to be told, then ends, and notes when.
struct Told {
    go: Arc<Semaphore>,
    ended: Arc<Mutex<HashMap<JobId<'static>, Instant>>>,
}

#[async_trait]
impl Runner for Told {
    fn kinds(&self) -> Vec<ToolName<'static>> {
        vec![kind()]
    }

    async fn run(&self, context: JobContext) -> Result<RunOutcome, JobFailure> {
        self.go.acquire().await.expect("it stays open").forget();
        self.ended.lock().expect("no panic").insert(context.id, Instant::now());
        Ok(RunOutcome::Complete(json("done")))
    }
}

/// How long it takes from the end of a job's work, its commit included, until a poll that waits for
/// it answers: in the same process, or over a store opened a second time as another process would.
pub(crate) async fn waits(place: &Place, count: usize, same: bool) -> Vec<Duration> {
    let name = if same { "waits-here" } else { "waits-there" };
    let (go, ended) = (Arc::new(Semaphore::new(0)), Arc::default());
    let runner = Told { go: Arc::clone(&go), ended: Arc::clone(&ended) };
    let worker = Engine::launch(place.open(name).await, Arc::new(runner), EngineConfig::default());
    let other = Engine::launch(place.open(name).await, Arc::new(Nothing), EngineConfig::default());
    let waiter = if same { &worker } else { &other };
    let mut waits = Vec::with_capacity(count);
    for n in 0..count as u64 {
        worker.start(order(n)).await.expect("a start");
        let (owner, id) = (owner(n), id(n));
        let wait = waiter.wait(&owner, &id, None, Duration::from_secs(30));
        let release = async {
            // The wait has begun by then; a different moment of each look, too.
            tokio::time::sleep(Duration::from_millis(40 + n % 26)).await;
            go.add_permits(1);
        };
        let (found, ()) = tokio::join!(wait, release);
        assert!(found.expect("a poll").is_some_and(|job| job.phase.is_terminal()));
        let at = ended.lock().expect("no panic").get(&id).copied();
        waits.push(at.expect("its end").elapsed());
    }
    waits
}

/// Can do nothing.
struct Nothing;

#[async_trait]
impl Runner for Nothing {
    fn kinds(&self) -> Vec<ToolName<'static>> {
        Vec::new()
    }

    async fn run(&self, _: JobContext) -> Result<RunOutcome, JobFailure> {
        Err(JobFailure::permanent("nothing to do"))
    }
}

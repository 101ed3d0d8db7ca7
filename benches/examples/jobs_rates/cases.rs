//! The measured cases, each on a store of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use waxwing_core::ToolName;
use waxwing_jobs::{
    Admission, AttemptEnd, Claim, Engine, EngineConfig, NonceRecord, Observer, Outcome, Settle,
    Started, Store,
};

use crate::bare::Reader;
use crate::orders::{Idle, Ids, by_callers, id, json, kind, order, owner, scattered};
use crate::places::Place;

/// Jobs in one commit when a store is filled.
const FILL: u64 = 256;

/// Rounds of polls.
const POLL_ROUNDS: u64 = 24;

/// Rounds that are not counted: they warm the caches, and the database tidies up after the filling.
const WARMING: u64 = 8;

/// Polls of one store in a round.
const POLLS: u64 = 4_000;

fn rate(count: u64, began: Instant) -> f64 {
    count as f64 / began.elapsed().as_secs_f64()
}

/// Starts a second.
pub(crate) async fn starts(place: &Place, name: &str, count: u64, ids: Ids) -> f64 {
    let store = place.open(name).await;
    let began = Instant::now();
    by_callers(count, move |n| {
        let store = Arc::clone(&store);
        async move {
            let started = store.start(vec![ids.order(n)]).await.expect("a start");
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
pub(crate) async fn lifecycle(place: &Place, name: &str, count: u64) -> f64 {
    let completed = Arc::new(Semaphore::new(0));
    let mut config = EngineConfig::default();
    config.observer = Arc::new(Completions(Arc::clone(&completed)));
    let engine = Arc::new(Engine::launch(place.open(name).await, Arc::new(Idle), config));
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
pub(crate) async fn nonces(place: &Place, name: &str, count: u64) -> f64 {
    let store = place.open(name).await;
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

/// The times of polls.
pub(crate) struct Polls {
    /// Of stores with few and with many jobs.
    pub(crate) stores: [Vec<Duration>; 2],
    /// Of the same row of the store with few, by the bare driver, where that is a way to another
    /// process and back.
    pub(crate) bare: Vec<Duration>,
}

/// Polls one after the other, over ids in no order, in stores with so many jobs each. The stores
/// take turns, so that they meet the machine in the same mood.
pub(crate) async fn polls(place: &Place, stored: [u64; 2]) -> Polls {
    let names = ["few", "many"];
    let mut stores = Vec::new();
    for (name, stored) in names.into_iter().zip(stored) {
        let store = place.open(name).await;
        fill(&*store, stored).await;
        stores.push((store, stored));
    }
    let reader = match place.url(names[0]) {
        Some(url) => Some(Reader::open(&url, names[0]).await),
        None => None,
    };
    let mut polls = Polls { stores: [Vec::new(), Vec::new()], bare: Vec::new() };
    for round in 0..POLL_ROUNDS {
        if round == WARMING {
            polls = Polls { stores: [Vec::new(), Vec::new()], bare: Vec::new() };
        }
        for ((store, stored), times) in stores.iter().zip(&mut polls.stores) {
            for n in round * POLLS..(round + 1) * POLLS {
                let n = scattered(n) % stored;
                let (owner, id, began) = (owner(n), id(n), Instant::now());
                let found = store.get(&owner, &id).await.expect("a poll");
                times.push(began.elapsed());
                assert!(found.is_some());
            }
        }
        if let Some(reader) = &reader {
            for n in round * POLLS..(round + 1) * POLLS {
                let n = scattered(n) % stored[0];
                let began = Instant::now();
                reader.read(n).await;
                polls.bare.push(began.elapsed());
            }
        }
    }
    polls
}

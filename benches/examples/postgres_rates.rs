//! Rates of the PostgreSQL store on a server of its own, with syncs on: starts, whole lifecycles,
//! admissions, polls. `cargo run --release -p waxwing-benches --example postgres_rates`

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement prints its figures and ends when something is wrong"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use waxwing_core::{CanonicalJson, ClientId, JobId, KeyId, Nonce, ServerId, ToolName};
use waxwing_jobs::{Bounds, Claim, NewJob, NonceRecord, Outcome, Settle, Store};
use waxwing_store_postgres::{PostgresConfig, PostgresStore};
use waxwing_testkit::postgres::{Cluster, programs};

const CALLERS: usize = 64;

fn owner() -> ClientId<'static> {
    ClientId::new("client").unwrap()
}

fn id(name: String) -> JobId<'static> {
    JobId::new(name).unwrap()
}

fn json() -> CanonicalJson<'static> {
    CanonicalJson::from_serialize(&"x".repeat(500)).unwrap()
}

fn order(name: String) -> NewJob {
    NewJob::new(id(name), owner(), ToolName::new("work").unwrap(), json())
}

fn nonce(name: &str) -> NonceRecord {
    NonceRecord {
        server: ServerId::new("server").unwrap(),
        client: owner(),
        key: KeyId::new("k1").unwrap(),
        nonce: Nonce::new(format!("{name:->22}")).unwrap(),
        keep: Duration::from_secs(150),
    }
}

/// Has `CALLERS` callers do something again and again for a while; gives how often, in a second.
async fn rate<F, Fut>(name: &str, seconds: u64, work: F)
where
    F: Fn(usize, usize) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let (begun, time) = (Instant::now(), Duration::from_secs(seconds));
    let done = Arc::new(AtomicUsize::new(0));
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (work, done) = (work.clone(), Arc::clone(&done));
        callers.spawn(async move {
            for n in 0.. {
                if begun.elapsed() > time {
                    return;
                }
                work(caller, n).await;
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }
    let rate = done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64();
    println!("{name:<40} {rate:>10.0}/s");
}

/// Claims and completes all that there is, with four claims at once.
async fn drain(store: &Arc<PostgresStore>, wanted: usize) {
    let done = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for n in 0..4 {
        let (store, done) = (Arc::clone(store), Arc::clone(&done));
        workers.spawn(async move {
            while done.load(Ordering::Relaxed) < wanted {
                let kinds = vec![ToolName::new("work").unwrap()];
                let lease = Duration::from_secs(30);
                let claim = Claim { worker: format!("w{n}"), kinds, lease, max: 64 };
                let claimed = store.claim(claim).await.unwrap();
                if claimed.is_empty() {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                    continue;
                }
                done.fetch_add(claimed.len(), Ordering::Relaxed);
                let end = |job: waxwing_jobs::Claimed| Settle {
                    ticket: job.ticket,
                    outcome: Outcome::Complete(json()),
                };
                store.settle(claimed.into_iter().map(end).collect()).await.unwrap();
            }
        });
    }
    while let Some(ended) = workers.join_next().await {
        ended.unwrap();
    }
}

async fn lifecycles(store: &Arc<PostgresStore>, number: usize) {
    let begun = Instant::now();
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let store = Arc::clone(store);
        callers.spawn(async move {
            for n in 0..number / CALLERS {
                store.start(vec![order(format!("life-{caller}-{n}"))]).await.unwrap();
            }
        });
    }
    drain(store, number / CALLERS * CALLERS).await;
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }
    let rate = number as f64 / begun.elapsed().as_secs_f64();
    println!("{:<40} {rate:>10.0}/s", "lifecycles (start, claim, settle)");
}

async fn polls(store: &Arc<PostgresStore>, stored: usize, from: usize) {
    for first in (from..stored).step_by(250) {
        let jobs = (first..(first + 250).min(stored)).map(|n| order(format!("poll-{n}")));
        store.start(jobs.collect()).await.unwrap();
    }
    let mut times = Vec::new();
    for n in 0..2000 {
        let id = id(format!("poll-{}", n * 7919 % stored));
        let begun = Instant::now();
        store.get(&owner(), &id).await.unwrap().unwrap();
        times.push(begun.elapsed());
    }
    times.sort();
    println!(
        "{:<40} {:>10.0?} median, {:.0?} p99",
        format!("poll with {stored} jobs"),
        times[1000],
        times[1980]
    );
}

#[tokio::main]
async fn main() {
    let Some(programs) = programs("postgres_rates") else { return };
    let server = Cluster::start(programs, &[]);
    let config = PostgresConfig::parse(&server.url("rates")).unwrap();
    let bounds = Bounds {
        unfinished: 10_000_000,
        unfinished_per_client: 10_000_000,
        nonces: 100_000_000,
        nonces_per_key: 100_000_000,
    };
    let store = Arc::new(PostgresStore::open(&config, bounds).await.unwrap());
    println!("{}", store.info().detail);
    let s = Arc::clone(&store);
    rate("admissions, 64 callers", 5, move |caller, n| {
        let store = Arc::clone(&s);
        async move {
            store.admit(vec![nonce(&format!("{caller}-{n}"))]).await.unwrap();
        }
    })
    .await;
    lifecycles(&store, 20_000).await;
    let s = Arc::clone(&store);
    rate("starts, 64 callers", 5, move |caller, n| {
        let store = Arc::clone(&s);
        async move {
            store.start(vec![order(format!("start-{caller}-{n}"))]).await.unwrap();
        }
    })
    .await;
    polls(&store, 1_000, 0).await;
    polls(&store, 100_000, 1_000).await;
}

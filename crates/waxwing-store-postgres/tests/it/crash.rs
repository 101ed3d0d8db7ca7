//! A server that crashes, and connections that are cut, while many callers work: nothing that was
//! acknowledged is lost, nothing has two results though work is taken from workers that stand still,
//! and everything is counted as it is.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use waxwing_jobs::{
    Admission, Bounds, Claim, Outcome, Phase, Settle, SettleVerdict, Started, Store, StoreError,
};
use waxwing_store_postgres::{PostgresConfig, PostgresStore};
use waxwing_testkit::postgres::{Cluster, programs};

use crate::support::{claim, connect, find, json, miscounted, nonce, order};

/// What the callers were told.
#[derive(Default)]
pub(crate) struct Told {
    started: Mutex<Vec<String>>,
    /// Which worker was told that its result is stored.
    completed: Mutex<BTreeMap<String, Vec<String>>>,
    admitted: Mutex<Vec<String>>,
    away: AtomicUsize,
    /// How often a worker was told that the job is no longer its own.
    stale: AtomicUsize,
}

/// So short that work is taken from those who stand still, and from all while the server is down.
const BRIEF: Duration = Duration::from_millis(300);

/// Every so many claims a worker stands still for longer than that.
const STALLED: usize = 8;

/// Moves jobs whose lease ran out, until it is told to stop.
pub(crate) async fn sweeper(store: Arc<PostgresStore>, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::SeqCst) {
        match store.sweep(100).await {
            Ok(_) | Err(StoreError::Unavailable(_)) => {}
            Err(other) => panic!("{other}"),
        }
        tokio::time::sleep(BRIEF / 6).await;
    }
}

/// Starts, admits, claims and completes until it is told to stop.
pub(crate) async fn caller(
    store: Arc<PostgresStore>,
    told: Arc<Told>,
    stop: Arc<AtomicBool>,
    name: usize,
) {
    for n in 0.. {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let job = format!("job-{name}-{n}");
        match store
            .start(vec![order(&job).with_max_attempts(10_000)])
            .await
            .map(|mut verdicts| verdicts.remove(0))
        {
            Ok(Started::Created) => told.started.lock().unwrap().push(job.clone()),
            Err(StoreError::Unavailable(_)) => drop(told.away.fetch_add(1, Ordering::SeqCst)),
            other => panic!("a start of {job} gave {other:?}"),
        }
        match store.admit(vec![nonce(&job)]).await.map(|mut verdicts| verdicts.remove(0)) {
            Ok(Admission::Fresh) => told.admitted.lock().unwrap().push(job),
            Err(StoreError::Unavailable(_)) => drop(told.away.fetch_add(1, Ordering::SeqCst)),
            other => panic!("an admission of {job} gave {other:?}"),
        }
        let claimed = match store.claim(Claim { lease: BRIEF, ..claim(2) }).await {
            Ok(claimed) => claimed,
            Err(StoreError::Unavailable(_)) => continue,
            Err(other) => panic!("{other}"),
        };
        if n % STALLED == 0 && !claimed.is_empty() {
            tokio::time::sleep(BRIEF * 2).await;
        }
        for job in claimed {
            let (name, by) = (job.ticket.id.to_string(), format!("{name}-{n}"));
            let outcome = Outcome::Complete(json(&by));
            match store.settle(vec![Settle { ticket: job.ticket, outcome }]).await {
                Ok(verdicts) if verdicts == [SettleVerdict::Done] => {
                    told.completed.lock().unwrap().entry(name).or_default().push(by);
                }
                Ok(_) => drop(told.stale.fetch_add(1, Ordering::SeqCst)),
                Err(StoreError::Unavailable(_)) => {}
                Err(other) => panic!("{other}"),
            }
        }
    }
}

/// Waits until the callers were told of so many more starts.
pub(crate) async fn progress(told: &Told, more: usize) {
    let begun = Instant::now();
    let wanted = told.started.lock().unwrap().len() + more;
    while told.started.lock().unwrap().len() < wanted {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing moves");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Everything that was acknowledged is there, once.
pub(crate) async fn check(store: &PostgresStore, told: &Told) {
    let started = told.started.lock().unwrap().clone();
    for job in &started {
        let found = find(store, job).await;
        assert!(found.is_some(), "{job} was acknowledged and is lost");
    }
    let completed = told.completed.lock().unwrap().clone();
    for (job, by) in &completed {
        assert_eq!(by.len(), 1, "{job} has two results");
        let phase = find(store, job).await.unwrap().phase;
        assert_eq!(phase, Phase::Completed { output: json(&by[0]) });
    }
    let admitted = told.admitted.lock().unwrap().clone();
    let again = admitted.iter().map(|name| nonce(name)).collect();
    let verdicts = store.admit(again).await.unwrap();
    assert!(verdicts.iter().all(|verdict| *verdict == Admission::Replayed));
    assert!(!completed.is_empty() && !admitted.is_empty());
    assert!(told.stale.load(Ordering::SeqCst) > 0, "no worker lost its job");
}

async fn under_load(server: &mut Cluster, disturb: impl AsyncFnOnce(&mut Cluster, &Told)) {
    let config = PostgresConfig::parse(&server.url("jobs")).unwrap();
    let store = Arc::new(PostgresStore::open(&config, Bounds::default()).await.unwrap());
    let (told, stop) = (Arc::new(Told::default()), Arc::new(AtomicBool::new(false)));
    let mut callers = JoinSet::new();
    for name in 0..64 {
        let (store, told, stop) = (Arc::clone(&store), Arc::clone(&told), Arc::clone(&stop));
        callers.spawn(caller(store, told, stop, name));
    }
    let other = PostgresStore::open(&config, Bounds::default()).await.unwrap();
    callers.spawn(sweeper(Arc::new(other), Arc::clone(&stop)));
    disturb(server, &told).await;
    stop.store(true, Ordering::SeqCst);
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }
    // Another process, which knows nothing but the database.
    drop(store);
    let store = PostgresStore::open(&config, Bounds::default()).await.unwrap();
    check(&store, &told).await;
    assert_eq!(miscounted(&connect(server).await, "jobs").await, [""; 0]);
}

fn rounds(most: usize) -> usize {
    if std::env::var("WAXWING_QUICK").is_ok_and(|quick| quick == "1") { 1 } else { most }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_crashes_under_load_loses_nothing_it_acknowledged() {
    let Some(programs) = programs("a_server_that_crashes_under_load") else { return };
    let mut server = Cluster::start(programs, &[]);
    under_load(&mut server, async |server, told| {
        for _ in 0..rounds(3) {
            progress(told, 200).await;
            server.crash();
            server.restart();
            progress(told, 1).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_cut_under_load_lose_nothing_that_was_acknowledged() {
    let Some(programs) = programs("connections_cut_under_load") else { return };
    let mut server = Cluster::start(programs, &[]);
    under_load(&mut server, async |server, told| {
        let client = connect(server).await;
        for _ in 0..rounds(25) {
            progress(told, 20).await;
            const CUT: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                WHERE application_name = 'waxwing'";
            let begun = Instant::now();
            // Those that were cut just now may not be back yet.
            while client.query_one(CUT, &[]).await.unwrap().get::<_, i64>(0) == 0 {
                assert!(begun.elapsed() < Duration::from_secs(60), "nobody is connected");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        progress(told, 100).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_server_is_down_callers_are_told_so_and_later_go_on() {
    let Some(programs) = programs("while_the_server_is_down") else { return };
    let mut server = Cluster::start(programs, &[]);
    let config = PostgresConfig::parse(&server.url("jobs")).unwrap();
    let store = PostgresStore::open(&config, Bounds::default()).await.unwrap();
    store.start(vec![order("one")]).await.unwrap();
    server.crash();
    let begun = Instant::now();
    assert!(matches!(store.health().await, Err(StoreError::Unavailable(_))));
    assert!(begun.elapsed() < Duration::from_secs(5), "a check that is made every second");
    let away = store.start(vec![order("two")]).await;
    assert!(matches!(away, Err(StoreError::Unavailable(_))), "{away:?}");
    server.restart();
    assert!(find(&store, "one").await.is_some());
    assert_eq!(store.start(vec![order("two")]).await.unwrap(), [Started::Created]);
    assert_eq!(store.health().await, Ok(()));
}

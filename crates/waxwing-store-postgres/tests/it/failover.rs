//! A primary that is lost and a standby that takes its place: the same store goes on by itself, and
//! nothing that was acknowledged is lost. No standby is ever asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_postgres::Client;
use waxwing_core::ToolName;
use waxwing_jobs::{
    Beat, BeatVerdict, Bounds, Claim, Claimed, NewJob, Outcome, Phase, Settle, SettleVerdict,
    Started, Store, StoreError,
};
use waxwing_store_postgres::{PostgresConfig, PostgresStore};
use waxwing_testkit::postgres::{Cluster, programs};

use crate::crash::{Told, caller, check, progress, sweeper};
use crate::gate::Gate;
use crate::support::{LEASE, connect, find, id, json, miscounted, order, owner};

async fn open(url: &str) -> Result<PostgresStore, StoreError> {
    PostgresStore::open(&PostgresConfig::parse(url)?, Bounds::default()).await
}

/// Waits until the first column of a query's first row is true.
async fn until(client: &Client, sql: &str) {
    let patience = Instant::now() + Duration::from_secs(60);
    while !client.query_one(sql, &[]).await.unwrap().get::<_, bool>(0) {
        assert!(Instant::now() < patience, "never: {sql}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Has every commit of the primary wait until its standby has it.
async fn synchronous(primary: &Cluster) {
    let client = connect(primary).await;
    client.batch_execute("ALTER SYSTEM SET synchronous_standby_names = '*'").await.unwrap();
    client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    until(&client, "SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'").await;
}

/// A kind of jobs that the load's callers leave alone.
fn kept() -> ToolName<'static> {
    ToolName::new("kept").unwrap()
}

async fn claim_kept(store: &PostgresStore, lease: Duration) -> Option<Claimed> {
    let claim = Claim { worker: "w".into(), kinds: vec![kept()], lease, max: 1 };
    store.claim(claim).await.unwrap().pop()
}

fn complete(job: &Claimed) -> Vec<Settle> {
    let outcome = Outcome::Complete(json("kept"));
    vec![Settle { ticket: job.ticket.clone(), outcome }]
}

/// How the primary is lost. Whoever promotes a standby sees to it that it does not come back.
enum Loss {
    /// It crashes.
    Crash,
    /// It, or the way to it, falls silent.
    Silence,
}

async fn fail_over(test: &str, loss: Loss) {
    let Some(programs) = programs(test) else { return };
    let mut primary = Cluster::start(programs, &[]);
    let standby = primary.standby();
    synchronous(&primary).await;
    let gate = Gate::new(&primary);
    let url = gate.before(&primary, &primary.url_with(&standby, "jobs")) + "&connect_timeout=1";
    let store = Arc::new(open(&url).await.unwrap());
    for name in ["slow", "stalled"] {
        let job = NewJob::new(id(name), owner(), kept(), json(name));
        assert_eq!(store.start(vec![job]).await.unwrap(), [Started::Created]);
    }
    let slow = claim_kept(&store, LEASE).await.unwrap();
    let stalled = claim_kept(&store, Duration::from_millis(1)).await.unwrap();

    let (told, stop) = (Arc::new(Told::default()), Arc::new(AtomicBool::new(false)));
    let mut callers = JoinSet::new();
    for name in 0..32 {
        let (store, told, stop) = (Arc::clone(&store), Arc::clone(&told), Arc::clone(&stop));
        callers.spawn(caller(store, told, stop, name));
    }
    callers.spawn(sweeper(Arc::clone(&store), Arc::clone(&stop)));
    progress(&told, 300).await;
    match loss {
        Loss::Crash => primary.crash(),
        Loss::Silence => gate.hush_for_good(),
    }
    // The standby answers reads, and has all of it; but nobody may take its word yet.
    let client = connect(&standby).await;
    let asked = tokio::spawn({
        let store = Arc::clone(&store);
        async move { find(&*store, "slow").await }
    });
    until(&client, "SELECT pg_is_in_recovery()").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!asked.is_finished(), "a standby was asked");
    until(&client, "SELECT pg_promote()").await;
    assert!(asked.await.unwrap().is_some());
    progress(&told, 300).await;
    stop.store(true, Ordering::SeqCst);
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }

    // A ticket from before is as good as it was, and one that had lapsed is worth nothing.
    let beat = Beat { ticket: slow.ticket.clone(), lease: LEASE, progress: None, checkpoint: None };
    let held = store.beat(vec![beat]).await.unwrap();
    assert!(matches!(held[..], [BeatVerdict::Held(_)]));
    assert_eq!(store.settle(complete(&slow)).await.unwrap(), [SettleVerdict::Done]);
    let again = loop {
        store.sweep(100).await.unwrap();
        if let Some(again) = claim_kept(&store, LEASE).await {
            break again;
        }
    };
    assert_eq!(again.ticket.id, stalled.ticket.id);
    assert_eq!(store.settle(complete(&stalled)).await.unwrap(), [SettleVerdict::Stale]);
    assert_eq!(store.settle(complete(&again)).await.unwrap(), [SettleVerdict::Done]);
    // Another process, which knows nothing but the new primary.
    let store = open(&standby.url("jobs")).await.unwrap();
    check(&store, &told).await;
    assert_eq!(miscounted(&client, "jobs").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_to_a_synchronous_standby_loses_nothing() {
    fail_over("a_failover_to_a_synchronous_standby_loses_nothing", Loss::Crash).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_does_a_failover_from_a_primary_that_fell_silent() {
    fail_over("nor_does_a_failover_from_a_silent_primary", Loss::Silence).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_behind_the_primarys_name_is_never_asked() {
    let Some(programs) = programs("a_standby_behind_the_primarys_name") else { return };
    let primary = Cluster::start(programs, &[]);
    let gate = Gate::new(&primary);
    let url = gate.before(&primary, &primary.url("jobs"));
    let store = open(&url).await.unwrap();
    store.start(vec![order("one")]).await.unwrap();
    let standby = primary.standby();
    let client = connect(&standby).await;
    until(&client, "SELECT count(*) = 1 FROM jobs.jobs").await;
    // After a switchover one name leads to what was the primary.
    gate.lead_to(&standby);
    gate.cut();
    let read = store.get(&owner(), &id("one")).await;
    assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    let error = open(&url).await.unwrap_err();
    assert!(matches!(error, StoreError::Misconfigured(_)), "{error}");
    assert!(error.to_string().contains("standby"), "{error}");
    until(&client, "SELECT pg_promote()").await;
    assert_eq!(find(&store, "one").await.unwrap().phase, Phase::Queued);
}

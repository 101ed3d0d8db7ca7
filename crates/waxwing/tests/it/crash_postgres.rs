//! PostgreSQL dies under a server, or its connections are cut, at random moments while jobs are started
//! and run: the server lives on, its callers are told to come again, and nothing is lost or done
//! twice. A fifth as many moments as `kill -9` of the server has.

use std::time::{Duration, Instant};

use tokio_postgres::NoTls;
use waxwing_jobs::Bounds;
use waxwing_store_postgres::{PostgresConfig, PostgresStore};
use waxwing_testkit::postgres::{Cluster, programs};

use crate::crash::load::{Load, Mortal, check_store, equip};
use crate::crash::{Random, crashes, patient_client, seed};
use crate::support::{ServerProcess, Site, get};

const TEST: &str = "no_job_is_lost_and_none_has_two_results_when_postgresql_dies";

/// How long a server tries to reach its database before it says that it cannot.
const PATIENCE: Duration = Duration::from_secs(10);

/// Ends the server's connections, as an operator or a failing network would; how many there were.
async fn cut(cluster: &Cluster) -> i64 {
    let mut driver = tokio_postgres::Config::new();
    driver.host_path(cluster.folder()).user("postgres").dbname("postgres");
    let (client, connection) = driver.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE application_name = 'waxwing'";
    client.query_one(sql, &[]).await.unwrap().get(0)
}

/// Waits until a caller is told to come again.
async fn put_off(load: &Load) {
    let begun = Instant::now();
    while load.ledger().put_off() == 0 {
        assert!(begun.elapsed() < 2 * PATIENCE, "nobody is told that the database is away");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until the server says of itself whether it can serve.
async fn readiness_is(server: &ServerProcess, status: &str) {
    let begun = Instant::now();
    while !tokio::task::block_in_place(|| get(server.admin, "/readyz")).contains(status) {
        assert!(begun.elapsed() < PATIENCE, "/readyz does not say {status}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_job_is_lost_and_none_has_two_results_when_postgresql_dies() {
    let Some(programs) = programs(TEST) else { return };
    let (seed, moments) = (seed(), crashes().div_ceil(5));
    // A few moments alone show no more than that it works.
    let is_thorough = moments >= 20;
    eprintln!("WAXWING_SEED={seed}");
    // What is synced stays so: only what makes a start slow is less.
    let mut cluster =
        Cluster::start(programs, &["shared_buffers=16MB", "recovery_init_sync_method=syncfs"]);
    let site = Site::new();
    site.keep_jobs_in(&cluster.url("jobs"));
    equip(&site);
    // The server lives on and keeps its jobs: an absence of the database takes no attempt from them,
    // save when it comes between a claim and its answer.
    site.edit("waxwing.toml", "max_attempts = 100000", "max_attempts = 3");
    let server = site.serve();
    let client = patient_client(&site, server.address, 2 * PATIENCE);
    let load = Load::begin(client, Mortal::Database, seed);

    let mut random = Random(seed);
    for moment in 0..moments {
        load.progress(5).await;
        tokio::time::sleep(Duration::from_millis(random.below(200))).await;
        if moment % 2 == 0 {
            tokio::task::block_in_place(|| cluster.crash());
            // For longer than a lease, or not; once for longer than the server has patience.
            tokio::time::sleep(Duration::from_millis(random.below(1000))).await;
            if moment == 0 && is_thorough {
                put_off(&load).await;
                readiness_is(&server, "HTTP/1.1 503").await;
            }
            tokio::task::block_in_place(|| cluster.restart());
            readiness_is(&server, "HTTP/1.1 200").await;
        } else {
            let begun = Instant::now();
            // Those that were cut just now may not be back yet.
            while cut(&cluster).await == 0 {
                assert!(begun.elapsed() < 2 * PATIENCE, "nobody is connected");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
    load.progress(5).await;
    let ledger = load.end().await;
    // The same process as in the beginning, and well.
    server.signal("TERM");
    assert_eq!(server.ended().code, 0);
    let config = PostgresConfig::parse(&cluster.url("jobs")).unwrap();
    let store = PostgresStore::open(&config, Bounds::default()).await.unwrap();
    let retried = check_store(&store, &ledger).await;
    let (jobs, put_off) = (ledger.acknowledged(), ledger.put_off());
    eprintln!(
        "{moments} moments, {jobs} jobs, {retried} tried again, {put_off} answers to come again"
    );
    assert!(jobs > 2 * moments, "too few jobs to mean anything");
    assert!(!is_thorough || put_off > 0, "the database was not away for long");
}

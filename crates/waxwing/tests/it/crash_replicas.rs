//! Three servers on one PostgreSQL, called in turn, that stall for longer than their leases and are killed at
//! random moments while jobs are started and run: workers that wake up have lost their jobs, and
//! nothing that they then write is taken. A fifth as many moments as `kill -9` of one server has.

use std::net::SocketAddr;
use std::time::Duration;

use waxwing_jobs::Bounds;
use waxwing_store_postgres::{PostgresConfig, PostgresStore};
use waxwing_testkit::postgres::{fresh_name, shared};

use crate::crash::load::{Load, Mortal, check_store, equip};
use crate::crash::{Random, client, crashes, seed, wait_for_port};
use crate::support::{ServerProcess, Site, get};

/// The lease of [`equip`], and a sweep.
const LEASE_AND_SWEEP: Duration = Duration::from_millis(350);

/// How many attempts a server has lost to others, by its own count.
fn lost(server: &ServerProcess) -> u64 {
    const LINE: &str = "waxwing_job_attempts_total{tool=\"work\",end=\"lost\"} ";
    let metrics = get(server.admin, "/metrics");
    let count = metrics.lines().find_map(|line| line.strip_prefix(LINE));
    count.map_or(0, |count| count.trim().parse().unwrap())
}

/// Kills a server and starts it again where it was.
fn replace(server: &mut ServerProcess, site: &Site) {
    let address = server.address;
    server.kill();
    wait_for_port(address);
    *server = ServerProcess::start(&site.path("waxwing.toml"), Some(address));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_stale_write_is_taken_when_replicas_stall_and_die() {
    let test = "no_stale_write_is_taken_when_replicas_stall_and_die";
    let Some(cluster) = shared(test) else { return };
    let (seed, moments) = (seed(), crashes().div_ceil(5));
    eprintln!("WAXWING_SEED={seed}");
    let url = cluster.url(&fresh_name("stalls"));
    let site = Site::new();
    site.keep_jobs_in(&url);
    equip(&site);
    let config = site.path("waxwing.toml");
    let mut servers: Vec<_> =
        (0..3u8).map(|number| ServerProcess::start(&config, own_address(number))).collect();
    let clients = servers.iter().map(|server| client(&site, server.address)).collect();
    let load = Load::begin_on(clients, Mortal::Server, seed);

    let (mut random, mut stale) = (Random(seed), 0);
    for _ in 0..moments {
        load.progress(5).await;
        tokio::time::sleep(Duration::from_millis(random.below(200))).await;
        let server = &mut servers[random.below(3) as usize];
        if random.below(3) > 0 {
            server.signal("STOP");
            let more = Duration::from_millis(random.below(500));
            tokio::time::sleep(LEASE_AND_SWEEP + more).await;
            server.signal("CONT");
        } else {
            stale += tokio::task::block_in_place(|| lost(server));
            tokio::task::block_in_place(|| replace(server, &site));
        }
    }
    load.progress(5).await;
    let ledger = load.end().await;
    stale += servers.iter().map(lost).sum::<u64>();
    drop(servers);
    let config = PostgresConfig::parse(&url).unwrap();
    let store = PostgresStore::open(&config, Bounds::default()).await.unwrap();
    let retried = check_store(&store, &ledger).await;
    let jobs = ledger.acknowledged();
    eprintln!("{moments} moments, {jobs} jobs, {retried} tried again, {stale} stale workers");
    assert!(jobs > 2 * moments, "too few jobs to mean anything");
    assert!(retried > 0 && stale > 0, "nobody had lost a job");
}

/// An address that nobody else takes while its server is dead.
fn own_address(number: u8) -> Option<SocketAddr> {
    let [.., high, low] = std::process::id().to_be_bytes();
    let on_linux = cfg!(target_os = "linux");
    on_linux.then(|| SocketAddr::from(([127, 101 + number, high, low], 0)))
}

//! `kill -9` at random moments while jobs are started and run: no acknowledged job is lost, none has
//! two results, and the store opens every time. The number of moments is `WAXWING_CRASHES`.

pub(crate) mod load;

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use waxwing_client::Client;
use waxwing_crypto::HmacKey;
use waxwing_jobs::Bounds;
use waxwing_store_sqlite::SqliteStore;

use crate::support::{ServerProcess, Site, is_quick};
use load::{Load, Mortal, check_store, equip};

/// How often to strike: as often as `WAXWING_CRASHES` says, or a tenth of what a release is held to.
pub(crate) fn crashes() -> usize {
    let asked = std::env::var("WAXWING_CRASHES").ok();
    asked.map_or(if is_quick() { 10 } else { 100 }, |number| number.parse().unwrap())
}

/// `WAXWING_SEED`, or a fresh one.
pub(crate) fn seed() -> u64 {
    let seed = std::env::var("WAXWING_SEED").ok().map(|seed| seed.parse().unwrap());
    seed.unwrap_or_else(|| getrandom::u64().unwrap())
}

/// SplitMix64: a seed gives the same moments again.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

pub(crate) fn client(site: &Site, address: SocketAddr) -> Client {
    patient_client(site, address, Duration::from_secs(5))
}

/// A client that waits so long for an answer.
pub(crate) fn patient_client(site: &Site, address: SocketAddr, timeout: Duration) -> Client {
    let profile: toml::Table = site.read("client.toml").parse().unwrap();
    let text = |name: &str| profile[name].as_str().unwrap();
    let secret = {
        use base64::Engine as _;
        base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(text("secret")).unwrap()
    };
    Client::builder(
        format!("http://{address}"),
        text("client_id").parse().unwrap(),
        text("server_id").parse().unwrap(),
        text("key_id").parse().unwrap(),
        HmacKey::new(&secret).unwrap().into(),
    )
    .timeout(timeout)
    .build()
    .unwrap()
}

/// Servers that are killed at the same time, each with its own store and callers: after a crash a server
/// may wait for half a second before it serves.
const LANES: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_job_is_lost_and_none_has_two_results() {
    let (seed, moments) = (seed(), crashes());
    eprintln!("WAXWING_SEED={seed}");
    let mut lanes = JoinSet::new();
    for lane in 0..LANES {
        lanes.spawn(strike(lane, seed.wrapping_add(lane as u64), moments.div_ceil(LANES)));
    }
    let (mut jobs, mut retried) = (0, 0);
    for (started, again) in lanes.join_all().await {
        (jobs, retried) = (jobs + started, retried + again);
    }
    eprintln!("{moments} moments, {jobs} jobs, {retried} of them tried again");
    assert!(jobs > 2 * moments && retried > 0, "too little to mean anything");
}

/// Waits until nobody holds a dead server's port: a program that it was just about to start does, for as
/// long as that takes.
pub(crate) fn wait_for_port(address: SocketAddr) {
    let begun = Instant::now();
    while let Err(error) = TcpListener::bind(address) {
        assert!(begun.elapsed() < Duration::from_secs(30), "{address}: {error}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Kills one server so many times: how many jobs there were, and how many of them were tried again.
async fn strike(lane: usize, seed: u64, moments: usize) -> (usize, usize) {
    let guard = ["auto", "store"][lane % 2];
    let site = Site::new();
    equip(&site);
    site.append("waxwing.toml", &format!("[replay]\nguard = \"{guard}\"\n"));
    // An address of its own, so that nobody takes its port while its server is dead.
    if cfg!(target_os = "linux") {
        let [.., high, low] = std::process::id().to_be_bytes();
        let address = format!("127.{}.{high}.{low}:0", 1 + lane);
        site.edit("waxwing.toml", "127.0.0.1:0", &address);
    }
    let mut server = site.serve();
    let address = server.address;
    let load = Load::begin(client(&site, address), Mortal::Server, seed);

    let mut random = Random(seed);
    for moment in 0..moments {
        // Any moment will do, as long as there is something to lose.
        load.progress((3 * moment).saturating_sub(load.ledger().acknowledged())).await;
        tokio::time::sleep(Duration::from_millis(random.below(400))).await;
        // One in four is killed again before it is up.
        let early = (random.below(4) == 0).then(|| Duration::from_millis(random.below(40)));
        let config = site.path("waxwing.toml");
        server = tokio::task::spawn_blocking(move || {
            server.kill();
            if let Some(early) = early {
                ServerProcess::start_and_kill(&config, address, early);
            }
            wait_for_port(address);
            ServerProcess::start(&config, Some(address))
        })
        .await
        .unwrap();
    }
    let ledger = load.end().await;
    drop(server);
    let store = SqliteStore::open(site.path("waxwing.db"), Bounds::default()).unwrap();
    let retried = check_store(&store, &ledger).await;
    (ledger.acknowledged(), retried)
}

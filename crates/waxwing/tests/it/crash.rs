//! `kill -9` at random moments while jobs are started and run: no acknowledged job is lost, and none has
//! two results.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use waxwing_client::{CallOptions, Client, ClientError, JobStatus, WaitOptions};
use waxwing_core::JobId;
use waxwing_crypto::HmacKey;
use waxwing_jobs::state::StageName;
use waxwing_jobs::{Bounds, Filter, Store as _};
use waxwing_store_sqlite::SqliteStore;

use crate::support::{ServerProcess, Site, is_quick};

/// Callers at the same time.
const CALLERS: u64 = 6;
/// How long to try again and again, while the server is dying and rising.
const PATIENCE: Duration = Duration::from_secs(30);

/// SplitMix64: a seed gives the same moments again.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// What the callers were told.
#[derive(Default)]
struct Ledger {
    /// By idempotency key: the job, and what its output must be.
    acknowledged: Mutex<BTreeMap<String, (JobId<'static>, Value)>>,
    /// By job: the output that was seen first.
    finished: Mutex<BTreeMap<String, Value>>,
}

fn client(site: &Site, address: SocketAddr) -> Client {
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
    .timeout(Duration::from_secs(5))
    .build()
    .unwrap()
}

/// Starts a job and, as long as it is unknown whether that happened, starts it again with its key.
async fn start(client: &Client, key: &str, args: &Value) -> JobId<'static> {
    let options = CallOptions::new().idempotency_key(key.parse().unwrap());
    let trying = async {
        loop {
            match client.start_with("long_task", args, &options).await {
                Ok(job) => return job.job_id,
                Err(ClientError::Unreachable { .. } | ClientError::Timeout { .. }) => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Err(other) => panic!("{key}: {other:?}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, trying).await.unwrap()
}

/// One caller: starts jobs, asks some of them for again, waits for some, until told to stop.
async fn call(client: Client, ledger: Arc<Ledger>, stop: Arc<AtomicBool>, caller: u64, seed: u64) {
    let mut random = Random(seed ^ (caller << 32));
    let mut waiting = JoinSet::new();
    for n in 0.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let key = format!("caller-{caller}:order-{n}");
        let seconds = (50 + random.below(250)) as f64 / 1000.0;
        let output = json!({"seconds": seconds, "payload": {"key": key}});
        let job = start(&client, &key, &output).await;
        let entry = (job.clone(), output.clone());
        ledger.acknowledged.lock().unwrap().insert(key.clone(), entry);
        if random.below(4) == 0 {
            assert_eq!(start(&client, &key, &output).await, job, "one key, two jobs");
        }
        tokio::time::sleep(Duration::from_millis(random.below(60))).await;
        if random.below(4) == 0 {
            waiting.spawn(wait(client.clone(), Arc::clone(&ledger), job, output));
        }
    }
    while let Some(ended) = waiting.join_next().await {
        ended.unwrap();
    }
}

/// Waits for a job, through any number of kills, and writes down what it came to.
async fn wait(client: Client, ledger: Arc<Ledger>, job: JobId<'static>, output: Value) {
    let options = WaitOptions::new().patience(PATIENCE);
    let came: Value = client.wait_with(&job, &options, |_| {}).await.unwrap();
    assert_eq!(came, output);
    ledger.finished.lock().unwrap().insert(job.to_string(), came);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_job_is_lost_and_none_has_two_results() {
    let seed = std::env::var("WAXWING_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| getrandom::u64().unwrap());
    let moments = if is_quick() { 10 } else { 100 };
    eprintln!("WAXWING_SEED={seed}, {moments} moments");
    let site = Site::new();
    let jobs =
        "\n[jobs]\nlease_ms = 300\nsweep_ms = 50\nmax_attempts = 100000\nconcurrency = 256\n";
    site.append("waxwing.toml", jobs);
    let mut server = site.serve();
    let address = server.address;
    let client = client(&site, address);
    let (ledger, stop) = (Arc::<Ledger>::default(), Arc::<AtomicBool>::default());

    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (ledger, stop) = (Arc::clone(&ledger), Arc::clone(&stop));
        callers.spawn(call(client.clone(), ledger, stop, caller, seed));
    }
    let mut random = Random(seed);
    for _ in 0..moments {
        tokio::time::sleep(Duration::from_millis(random.below(300))).await;
        // One in four is killed again before it is up.
        let early = (random.below(4) == 0).then(|| Duration::from_millis(random.below(40)));
        let config = site.path("waxwing.toml");
        server = tokio::task::spawn_blocking(move || {
            server.kill();
            if let Some(early) = early {
                ServerProcess::start_and_kill(&config, address, early);
            }
            ServerProcess::start(&config, Some(address))
        })
        .await
        .unwrap();
    }
    stop.store(true, Ordering::SeqCst);
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }

    let acknowledged = ledger.acknowledged.lock().unwrap().clone();
    let finished = ledger.finished.lock().unwrap().clone();
    for (key, (job, output)) in &acknowledged {
        let options = WaitOptions::new().patience(PATIENCE).deadline(Duration::from_secs(60));
        let came: Value = client.wait_with(job, &options, |_| {}).await.unwrap();
        assert_eq!(came, *output, "{key}");
        let again = client.poll::<Value>(job, 0).await.unwrap();
        assert_eq!(again, JobStatus::Done(came.clone()), "{key}");
        if let Some(before) = finished.get(job.as_str()) {
            assert_eq!(*before, came, "{key}: two results");
        }
    }
    drop(server);
    check_store(&site, &acknowledged).await;
    eprintln!("{} jobs, {} waited for through the kills", acknowledged.len(), finished.len());
    assert!(acknowledged.len() > 2 * moments, "too few jobs to mean anything");
}

/// In the store: exactly the acknowledged jobs, each once, each completed.
async fn check_store(site: &Site, acknowledged: &BTreeMap<String, (JobId<'static>, Value)>) {
    let store = SqliteStore::open(site.path("waxwing.db"), Bounds::default()).unwrap();
    let mut stored = BTreeSet::new();
    let mut after = None;
    loop {
        let page = store.list(Filter { after, limit: 500, ..Filter::default() }).await.unwrap();
        for job in &page.jobs {
            assert!(stored.insert(job.id.to_string()), "{} is there twice", job.id);
            assert_eq!(job.stage, StageName::Completed, "{}", job.id);
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let expected: BTreeSet<_> = acknowledged.values().map(|(job, _)| job.to_string()).collect();
    assert_eq!(expected.len(), acknowledged.len(), "two keys, one job");
    assert_eq!(stored, expected);
}

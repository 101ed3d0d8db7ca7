//! Callers at work while what serves them dies and rises, and what they were told: each word of it must
//! still be true in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;
use waxwing_client::{CallOptions, Client, ClientError, JobStatus, WaitOptions};
use waxwing_core::{ErrorCode, JobId};
use waxwing_jobs::Store;
use waxwing_testkit::ledger::check;

use super::Random;
use crate::support::{Site, stored};

/// Callers at the same time.
const CALLERS: u64 = 6;
/// How long to try again and again, while the server is dying and rising.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most milliseconds that a job takes, and that a caller rests between two.
const WORK: u64 = 150;
const REST: u64 = 120;

/// Its output is that of one run alone: which attempt it was, and in which process.
const SCRIPT: &str = r#"read -r args
order=${args#*'"order":"'}; order=${order%%'"'*}
seconds=${args#*'"seconds":"'}; seconds=${seconds%%'"'*}
sleep "$seconds"
echo "{\"order\":\"$order\",\"attempt\":$WAXWING_ATTEMPT,\"process\":$$}"
"#;
const TOOL: &str = r#"
[[tool]]
name = "work"
description = "Works for a while, and says which run it was."
command = ["sh", "work.script"]
mode = "job"
concurrency = 256
input_schema = { type = "object", properties = { order = { type = "string" }, seconds = { type = "string" } } }
output_schema = true

[jobs]
lease_ms = 300
sweep_ms = 50
max_attempts = 100000
concurrency = 256
"#;

/// What a caller is told when it is unknown what its call has done.
const SAFE: &str = "A retry with the same idempotency key is safe.";

/// What dies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mortal {
    /// The server, which then cannot be reached.
    Server,
    /// The server's database alone: it must say so, and ask to come again.
    Database,
}

impl Mortal {
    /// Whether an error says no more than that this is away.
    fn explains(self, error: &ClientError) -> bool {
        match (self, error) {
            (Self::Server, error) => {
                matches!(error, ClientError::Unreachable { .. } | ClientError::Timeout { .. })
            }
            (Self::Database, ClientError::Failed(error) | ClientError::Refused(error)) => {
                let code = error.code;
                let nothing_was_done =
                    code == ErrorCode::Overloaded && error.retry_after_ms.is_some();
                let unknown = code == ErrorCode::Internal && error.message.contains(SAFE);
                nothing_was_done || unknown
            }
            (Self::Database, _) => false,
        }
    }
}

/// What the callers were told.
#[derive(Default)]
pub(crate) struct Ledger {
    /// By order, which is also the idempotency key: its job.
    acknowledged: Mutex<BTreeMap<String, JobId<'static>>>,
    /// By job: the result that was seen first, whoever saw it.
    results: Mutex<BTreeMap<String, Value>>,
    /// How often callers were told that something is away.
    put_off: AtomicUsize,
}

impl Ledger {
    /// Writes down the result of a job; an error when it had another one before.
    fn saw(&self, job: &JobId<'_>, result: &Value) -> Result<(), String> {
        let mut results = self.results.lock().unwrap();
        let first = results.entry(job.to_string()).or_insert_with(|| result.clone());
        if first == result { Ok(()) } else { Err(format!("{job}: {first}, then {result}")) }
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    pub(crate) fn put_off(&self) -> usize {
        self.put_off.load(Ordering::SeqCst)
    }
}

#[test]
fn a_second_result_is_noticed() {
    let (ledger, job) = (Ledger::default(), "j".parse().unwrap());
    for _ in 0..2 {
        ledger.saw(&job, &json!({"attempt": 1, "process": 7})).unwrap();
    }
    ledger.saw(&job, &json!({"attempt": 2, "process": 8})).unwrap_err();
}

/// Adds the tool that the callers use, with short leases, to a site.
pub(crate) fn equip(site: &Site) {
    site.write("work.script", SCRIPT);
    site.append("waxwing.toml", TOOL);
}

/// The callers, until they are told to stop.
pub(crate) struct Load {
    caller: Caller,
    callers: JoinSet<()>,
    stop: Arc<AtomicBool>,
}

impl Load {
    pub(crate) fn begin(client: Client, mortal: Mortal, seed: u64) -> Self {
        Self::begin_on(vec![client], mortal, seed)
    }

    /// Callers that go to servers in turn, as a load balancer would send them.
    pub(crate) fn begin_on(clients: Vec<Client>, mortal: Mortal, seed: u64) -> Self {
        let caller = Caller {
            clients: clients.into(),
            turn: Arc::default(),
            mortal,
            ledger: Arc::default(),
        };
        let (mut callers, stop) = (JoinSet::new(), Arc::<AtomicBool>::default());
        for number in 0..CALLERS {
            callers.spawn(caller.clone().run(Arc::clone(&stop), number, seed));
        }
        Self { caller, callers, stop }
    }

    /// Waits until so many more jobs are acknowledged.
    pub(crate) async fn progress(&self, more: usize) {
        let (begun, ledger) = (Instant::now(), &self.caller.ledger);
        let wanted = ledger.acknowledged() + more;
        while ledger.acknowledged() < wanted {
            assert!(begun.elapsed() < PATIENCE, "nothing moves");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What the callers have been told so far.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.caller.ledger
    }

    /// Stops the callers and asks for every job that was acknowledged: each has a result, and the same
    /// one as often as it is asked for.
    pub(crate) async fn end(mut self) -> Arc<Ledger> {
        self.stop.store(true, Ordering::SeqCst);
        while let Some(ended) = self.callers.join_next().await {
            ended.unwrap();
        }
        let ledger = &self.caller.ledger;
        let acknowledged = ledger.acknowledged.lock().unwrap().clone();
        for (order, job) in &acknowledged {
            self.caller.wait(order, job).await;
            let again = self.caller.client().poll::<Value>(job, 0).await.unwrap();
            let JobStatus::Done(again) = again else { panic!("{order}: {again:?}") };
            ledger.saw(job, &again).unwrap();
        }
        Arc::clone(ledger)
    }
}

#[derive(Clone)]
struct Caller {
    clients: Arc<[Client]>,
    turn: Arc<AtomicUsize>,
    mortal: Mortal,
    ledger: Arc<Ledger>,
}

impl Caller {
    /// A client of the server whose turn it is.
    fn client(&self) -> &Client {
        &self.clients[self.turn.fetch_add(1, Ordering::SeqCst) % self.clients.len()]
    }

    /// Starts jobs, some of them twice, asks for earlier ones and waits for some.
    async fn run(self, stop: Arc<AtomicBool>, number: u64, seed: u64) {
        let mut random = Random(seed ^ (number << 32));
        let (mut waiting, mut own) = (JoinSet::new(), Vec::new());
        for n in 0.. {
            if stop.load(Ordering::SeqCst) {
                break;
            }
            let order = format!("caller-{number}:order-{n}");
            let seconds = (10 + random.below(WORK - 10)) as f64 / 1000.0;
            let args = json!({"order": order, "seconds": seconds.to_string()});
            let job = self.start(&order, &args).await;
            self.ledger.acknowledged.lock().unwrap().insert(order.clone(), job.clone());
            if random.below(4) == 0 {
                assert_eq!(self.start(&order, &args).await, job, "one key, two jobs");
            }
            own.push(job.clone());
            tokio::time::sleep(Duration::from_millis(random.below(REST))).await;
            if random.below(4) == 0 {
                let caller = self.clone();
                waiting.spawn(async move { caller.wait(&order, &job).await });
            }
            let earlier = random.below(own.len() as u64) as usize;
            self.ask(&own[earlier]).await;
        }
        while let Some(ended) = waiting.join_next().await {
            ended.unwrap();
        }
    }

    /// Starts a job and, as long as it is unknown whether that happened, starts it again with its key.
    async fn start(&self, order: &str, args: &Value) -> JobId<'static> {
        let options = CallOptions::new().idempotency_key(order.parse().unwrap());
        let trying = async {
            loop {
                match self.client().start_with("work", args, &options).await {
                    Ok(job) => return job.job_id,
                    Err(error) => self.put_off(order, &error),
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, trying).await.unwrap()
    }

    fn put_off(&self, what: &str, error: &ClientError) {
        assert!(self.mortal.explains(error), "{what}: {error:?}");
        self.ledger.put_off.fetch_add(1, Ordering::SeqCst);
    }

    /// How a job stands now, in case it has its result.
    async fn ask(&self, job: &JobId<'_>) {
        match self.client().poll::<Value>(job, 0).await {
            Ok(JobStatus::Running { .. }) => {}
            Ok(JobStatus::Done(result)) => self.ledger.saw(job, &result).unwrap(),
            Ok(other) => panic!("{job}: {other:?}"),
            Err(error) => self.put_off(job.as_str(), &error),
        }
    }

    /// Waits for a job, through whatever happens, and writes down what it came to.
    async fn wait(&self, order: &str, job: &JobId<'_>) {
        let options = WaitOptions::new().patience(PATIENCE);
        let waiting = async {
            loop {
                match self.client().wait_with::<Value>(job, &options, |_| {}).await {
                    Ok(result) => return result,
                    Err(error) => self.put_off(order, &error),
                }
            }
        };
        let result = tokio::time::timeout(10 * PATIENCE, waiting).await.unwrap();
        assert_eq!(result["order"], *order);
        self.ledger.saw(job, &result).unwrap();
    }
}

/// In the store is what the callers were told, and no result of a worker that had lost its job; how many
/// jobs took more than one attempt. That the check bites is shown by the tests of `waxwing-server`.
pub(crate) async fn check_store(store: &dyn Store, ledger: &Ledger) -> usize {
    let results = ledger.results.lock().unwrap().clone();
    let by_order = ledger.acknowledged.lock().unwrap().clone();
    let acknowledged: BTreeSet<_> = by_order.values().map(JobId::to_string).collect();
    assert_eq!(acknowledged.len(), by_order.len(), "two keys, one job");
    let checked = check(store, stored(store).await, &acknowledged, &results).await;
    checked.unwrap_or_else(|finding| panic!("{finding}"))
}

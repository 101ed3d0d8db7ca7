//! Three servers on one PostgreSQL, called in turn, with no affinity: they are one server. Any of them may
//! be killed or stall with a job in its hands.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;
use waxwing_client::{CallOptions, Client, ClientError, JobStatus, WaitOptions};
use waxwing_core::JobId;
use waxwing_core::message::Outcome;
use waxwing_jobs::{Bounds, Inspected, Store as _};
use waxwing_store_postgres::{PostgresConfig, PostgresStore};
use waxwing_testkit::postgres::{fresh_name, shared};

use crate::crash::client;
use crate::support::{ServerProcess, Site, get, post, signed, stored};

const LEASE: Duration = Duration::from_millis(500);
const SWEEP: Duration = Duration::from_millis(100);
/// What a move may take beyond lease and sweep, on a machine with much else to do.
const MARGIN: Duration = Duration::from_secs(3);
/// How long anything may take that should take a moment.
const PATIENCE: Duration = Duration::from_secs(30);

/// Works until it is told to end, unless its site is gone; its output says which attempt it was.
const GATE: &str = r#"echo "$WAXWING_ATTEMPT" >> began
until [ -e "go-$WAXWING_ATTEMPT" ] || [ ! -e gate.script ]; do sleep 0.01; done
echo "{\"attempt\": $WAXWING_ATTEMPT}"
"#;
const CONFIG: &str = r#"
[[tool]]
name = "gate"
description = "Works until it is told to end."
command = ["sh", "gate.script"]
mode = "job"
input_schema = { type = "object" }
output_schema = true

[jobs]
lease_ms = 500
sweep_ms = 100
"#;

struct Replicas {
    site: Site,
    servers: Vec<ServerProcess>,
    clients: Vec<Client>,
    next: AtomicUsize,
    store: PostgresStore,
}

impl Replicas {
    /// Three servers with a store of their own, for this test; `None` where there is no PostgreSQL.
    async fn start(test: &str) -> Option<Self> {
        let url = shared(test)?.url(&fresh_name("replicas"));
        let site = Site::new();
        site.keep_jobs_in(&url);
        site.write("gate.script", GATE);
        site.append("waxwing.toml", CONFIG);
        let config = site.path("waxwing.toml");
        let servers: Vec<_> = (0..3).map(|_| ServerProcess::start(&config, None)).collect();
        let clients = servers.iter().map(|server| client(&site, server.address)).collect();
        let config = PostgresConfig::parse(&url).unwrap();
        let store = PostgresStore::open(&config, Bounds::default()).await.unwrap();
        Some(Self { site, servers, clients, next: AtomicUsize::new(0), store })
    }

    /// A client of the next server, as a load balancer would choose it.
    fn client(&self) -> &Client {
        &self.clients[self.next.fetch_add(1, Ordering::SeqCst) % self.clients.len()]
    }

    async fn inspect(&self, job: &JobId<'_>) -> Inspected {
        self.store.inspect(job).await.unwrap().unwrap()
    }

    /// Starts a job of the gate and waits until it is at work: which server has it, and its attempt.
    async fn at_work(&self) -> (JobId<'static>, usize, u32) {
        let job = self.client().start("gate", &json!({})).await.unwrap().job_id;
        until("the job begins", async || !self.began().is_empty()).await;
        let Inspected { listed, .. } = self.inspect(&job).await;
        let worker = listed.worker.unwrap();
        let holds = |server: &ServerProcess| worker.contains(&format!("-{}-", server.id()));
        (job, self.servers.iter().position(holds).unwrap(), listed.attempt)
    }

    /// The attempts that have begun.
    fn began(&self) -> Vec<u32> {
        let text = std::fs::read_to_string(self.site.path("began")).unwrap_or_default();
        text.lines().map(|line| line.parse().unwrap()).collect()
    }

    /// Lets an attempt end.
    fn open_gate(&self, attempt: u32) {
        self.site.write(&format!("go-{attempt}"), "");
    }

    /// Waits until an attempt that comes after this one has begun, which must be soon after `since`.
    async fn moves_on(&self, attempt: u32, since: Instant) {
        until("another attempt", async || self.began().last() > Some(&attempt)).await;
        let moved = since.elapsed();
        assert!(moved < LEASE + SWEEP + MARGIN, "{moved:?}");
    }

    /// Lets every attempt after this one end, and waits for the result: that of the last, however many
    /// a busy machine makes of them.
    async fn finish(&self, client: &Client, job: &JobId<'_>, attempt: u32) -> Value {
        (1..20).for_each(|more| self.open_gate(attempt + more));
        let options = WaitOptions::new().deadline(PATIENCE);
        let done: Value = client.wait_with(job, &options, |_| {}).await.unwrap();
        let last = self.inspect(job).await.listed.attempt;
        assert!(last > attempt);
        assert_eq!(done, json!({"attempt": last}));
        done
    }

    /// Every server says the same of a job.
    async fn all_say(&self, job: &JobId<'_>, done: Option<&Value>) {
        for client in &self.clients {
            match (client.poll::<Value>(job, 0).await.unwrap(), done) {
                (JobStatus::Running { .. }, None) => {}
                (JobStatus::Done(result), Some(done)) => assert_eq!(result, *done),
                (other, _) => panic!("{other:?}, not {done:?}"),
            }
        }
    }
}

/// Waits until it is so.
async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "not seen: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_starts_with_one_key_on_three_replicas_are_one_job() {
    let test = "a_hundred_starts_with_one_key_on_three_replicas_are_one_job";
    let Some(replicas) = Replicas::start(test).await else { return };
    replicas.open_gate(1);
    let mut starts = JoinSet::new();
    for _ in 0..100 {
        let client = replicas.client().clone();
        starts.spawn(async move {
            let options = CallOptions::new().idempotency_key("order-1".parse().unwrap());
            client.start_with("gate", &json!({}), &options).await.unwrap().job_id.to_string()
        });
    }
    let named: BTreeSet<String> = starts.join_all().await.into_iter().collect();
    assert_eq!(named.len(), 1, "{named:?}");
    let job: JobId<'static> = named.first().unwrap().parse().unwrap();
    let done: Value = replicas.client().wait(&job, |_| {}).await.unwrap();
    assert_eq!(done, json!({"attempt": 1}));
    replicas.all_say(&job, Some(&done)).await;
    let ids: Vec<_> = stored(&replicas.store).await.into_iter().map(|job| job.id).collect();
    assert_eq!(ids, [job]);
    assert_eq!(replicas.began(), [1], "it ran more than once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_envelope_sent_to_three_replicas_is_accepted_once() {
    let test = "one_envelope_sent_to_three_replicas_is_accepted_once";
    let Some(replicas) = Replicas::start(test).await else { return };
    const ROUNDS: usize = 20;
    for round in 0..ROUNDS {
        for (tool, args, taken) in [
            ("batch_sum", json!({"numbers": [1]}), "\"status\":\"ok\""),
            ("long_task", json!({"seconds": 0.001}), "\"status\":\"accepted\""),
        ] {
            let message =
                Arc::new(signed(&replicas.site, tool, args, &format!("{tool}-of-round-{round}")));
            let together = Arc::new(Barrier::new(3));
            let mut posts = JoinSet::new();
            for server in &replicas.servers {
                let (address, message) = (server.address, Arc::clone(&message));
                let together = Arc::clone(&together);
                posts.spawn_blocking(move || {
                    together.wait();
                    post(address, &message)
                });
            }
            let answers = posts.join_all().await;
            let accepted = answers.iter().filter(|(_, text)| text.contains(taken)).count();
            let replayed = answers
                .iter()
                .filter(|(status, text)| *status == 409 && text.contains("\"code\":\"replayed\""))
                .count();
            assert_eq!((accepted, replayed), (1, 2), "{tool}: {answers:?}");
        }
    }
    assert_eq!(stored(&replicas.store).await.len(), ROUNDS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_replica_answers_polls_cancels_and_answers() {
    let test = "any_replica_answers_polls_cancels_and_answers";
    let Some(replicas) = Replicas::start(test).await else { return };
    let is = |a: usize| &replicas.clients[a % 3];
    for first in 0..3 {
        // Asked on one, seen on the next, answered on the third.
        let args = json!({"to": "Ada", "amount": 5});
        let job = is(first).start("transfer", &args).await.unwrap().job_id;
        until("its questions", async || {
            let status = is(first + 1).poll::<Value>(&job, 1000).await.unwrap();
            matches!(status, JobStatus::InputRequired { .. })
        })
        .await;
        let answers = json!({"sure": true});
        is(first + 2).answer::<_, Value>(&job, &answers).await.unwrap();
        let done: Value = is(first).wait(&job, |_| {}).await.unwrap();
        assert_eq!(done, json!({"to": "Ada", "amount": 5, "confirmed": true}));
        replicas.all_say(&job, Some(&done)).await;

        // Waited for on one while another cancels it.
        let job = is(first).start("long_task", &json!({"seconds": 20})).await.unwrap().job_id;
        let (waiter, waited) = (is(first + 1).clone(), job.clone());
        let waiting = tokio::spawn(async move { waiter.wait::<Value>(&waited, |_| {}).await });
        let admin = replicas.servers[(first + 1) % 3].admin;
        until("a call that waits", async || {
            get(admin, "/metrics").contains("waxwing_calls_in_flight 1\n")
        })
        .await;
        is(first + 2).cancel::<Value>(&job, Some("enough")).await.unwrap();
        // Long before the wait would end by itself.
        let ended = tokio::time::timeout(PATIENCE / 3, waiting).await.unwrap().unwrap();
        let Err(ClientError::OtherStatus(outcome)) = ended else { panic!("{ended:?}") };
        assert!(matches!(*outcome, Outcome::Cancelled { .. }), "{outcome:?}");
    }
}

/// When the worker that stalled wakes up.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wakes {
    WhileAnotherWorks,
    AfterAnotherIsDone,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_stopped_for_longer_than_its_lease_changes_nothing_when_it_goes_on() {
    let test = "a_replica_stopped_for_longer_than_its_lease_changes_nothing_when_it_goes_on";
    for wakes in [Wakes::WhileAnotherWorks, Wakes::AfterAnotherIsDone] {
        let Some(replicas) = Replicas::start(test).await else { return };
        let (job, holder, attempt) = replicas.at_work().await;
        let stalled = &replicas.servers[holder];
        stalled.signal("STOP");
        let since = Instant::now();
        assert_eq!(replicas.inspect(&job).await.listed.attempt, attempt);
        // Its program ends, and the result waits in a pipe for the server to wake up.
        replicas.open_gate(attempt);
        replicas.moves_on(attempt, since).await;

        let is_told = async || {
            let metrics = get(stalled.admin, "/metrics");
            metrics.contains("waxwing_job_attempts_total{tool=\"gate\",end=\"lost\"}")
        };
        if wakes == Wakes::WhileAnotherWorks {
            stalled.signal("CONT");
            until("that it is told", is_told).await;
            replicas.all_say(&job, None).await;
        }
        let other = &replicas.clients[(holder + 1) % 3];
        let done = replicas.finish(other, &job, attempt).await;
        let ended = replicas.inspect(&job).await;
        if wakes == Wakes::AfterAnotherIsDone {
            stalled.signal("CONT");
            until("that it is told", is_told).await;
        }
        replicas.all_say(&job, Some(&done)).await;
        assert_eq!(replicas.inspect(&job).await.snapshot.version, ended.snapshot.version);
        assert!(replicas.began().is_sorted_by(|one, next| one < next), "an attempt ran twice");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_job_of_a_killed_replica_is_finished_by_another() {
    let test = "the_job_of_a_killed_replica_is_finished_by_another";
    let Some(mut replicas) = Replicas::start(test).await else { return };
    let (job, holder, attempt) = replicas.at_work().await;
    replicas.servers[holder].kill();
    let since = Instant::now();
    replicas.clients.remove(holder);
    replicas.moves_on(attempt, since).await;
    let done = replicas.finish(replicas.client(), &job, attempt).await;
    replicas.all_say(&job, Some(&done)).await;
}

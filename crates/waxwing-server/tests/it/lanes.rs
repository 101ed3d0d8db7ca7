//! Which work holds up which: jobs and keyed calls, tools with few places, versions of a tool, and jobs
//! whose time is over before they are.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use waxwing_core::JobId;
use waxwing_core::message::{Outcome, Request};
use waxwing_jobs::{EngineConfig, Inspected, Store};
use waxwing_server::JobPolicy;
use waxwing_tools::{Registry, Tool, ToolError};

use crate::harness::{House, PATIENCE, TestClock, memory, server_id};
use crate::logs::run_log;
use crate::metrics::until;
use crate::restart::quick;
use crate::tools::{Signals, holding_job};
use crate::wire::{Caller, output, post};

/// Two places in each lane.
fn two_places() -> EngineConfig {
    let mut config = EngineConfig::default();
    config.concurrency = 2;
    config
}

fn keyed(caller: &Caller, tool: &str, args: Value) -> Request<'static, Value> {
    let mut request = caller.request(tool, args);
    request.idempotency_key = Some(tool.parse().unwrap());
    request
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_jobs_hold_up_no_keyed_call() {
    let house = House::with(|builder| builder.engine(two_places())).await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    for _ in 0..3 {
        agent.start(&mut wire, "hold_later", json!({"text": "x"})).await;
    }
    house.signals.entered().await;
    house.signals.entered().await;
    let request = keyed(&agent, "batch_sum", json!({"numbers": [1, 2]}));
    assert_eq!(output(&agent.send(&mut wire, &request).await.1)["total"], 3);
    assert_eq!(house.signals.unseen(), 0, "two jobs run, one waits");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keyed_calls_hold_up_no_job() {
    let house = House::with(|builder| builder.engine(two_places())).await;
    let agent = house.caller("agent-7");
    let mut held = Vec::new();
    for n in 0..3 {
        let mut request = keyed(&agent, "hold", json!({"text": "x"}));
        request.idempotency_key = Some(format!("hold-{n}").parse().unwrap());
        let mut wire = house.wire().await;
        wire.send(post(&agent.sign(&request).0)).await;
        held.push(wire);
    }
    house.signals.entered().await;
    house.signals.entered().await;
    let mut wire = house.wire().await;
    let job = agent.start(&mut wire, "say_later", json!({"text": "hi"})).await;
    assert_eq!(output(&agent.settle(&mut wire, &job).await), "hi");
    assert_eq!(house.signals.unseen(), 0, "two calls run, one waits");
}

fn narrow_and_wide(signals: &Signals) -> Registry {
    let narrow = holding_job(signals).limits(|limits| limits.concurrency = 1);
    let wide = Tool::job("count_later", "Counts.", |args: Greeting| async move {
        Ok::<_, ToolError>(args.name.len())
    });
    Registry::builder().tool(narrow).tool(wide).build(&server_id()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_with_one_place_holds_up_no_other() {
    let tune = |builder: waxwing_server::ServerBuilder| builder.engine(two_places());
    let house = House::offering(narrow_and_wide, memory(), TestClock::new(), tune).await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    let mut held = Vec::new();
    for _ in 0..10 {
        held.push(agent.start(&mut wire, "hold_later", json!({"text": "x"})).await);
    }
    house.signals.entered().await;
    let job = agent.start(&mut wire, "count_later", json!({"name": "Ada"})).await;
    assert_eq!(output(&agent.settle(&mut wire, &job).await), 3);
    let samples = until(&house, r#"waxwing_jobs{state="queued"}"#, 9.0).await;
    assert_eq!(samples[r#"waxwing_jobs{state="running"}"#], 1.0);
    // An attempt's end makes room for the next one at once.
    house.signals.release(10);
    for job in &held {
        assert_eq!(output(&agent.settle(&mut wire, job).await), "x");
    }
}

#[derive(Deserialize, JsonSchema)]
struct Greeting {
    name: String,
}

#[derive(Deserialize, JsonSchema)]
struct LouderGreeting {
    name: String,
    times: usize,
}

fn older(_: &Signals) -> Registry {
    let greet =
        Tool::job(
            "greet",
            "Greets.",
            |args: Greeting| async move { Ok::<_, ToolError>(args.name) },
        );
    Registry::builder().tool(greet).build(&server_id()).unwrap()
}

fn newer(signals: &Signals) -> Registry {
    let greet = Tool::job("greet", "Greets.", |args: LouderGreeting| async move {
        Ok::<_, ToolError>(args.name.repeat(args.times))
    });
    Registry::builder().tool(greet).tool(holding_job(signals)).build(&server_id()).unwrap()
}

/// The job of the store once it is as the test wants it.
async fn inspected(
    store: &Arc<dyn Store>,
    job: &JobId<'_>,
    wanted: impl Fn(&Inspected) -> bool,
) -> Inspected {
    let seen = async {
        loop {
            match store.inspect(job).await.unwrap() {
                Some(seen) if wanted(&seen) => break seen,
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.expect("the job in time")
}

/// A rolling update: a server that does not know the new arguments yet gets the job first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_an_older_server_cannot_take_is_done_by_a_newer_one() {
    let store = memory();
    let mut eager = EngineConfig::default();
    eager.idle_poll = Duration::from_millis(10);
    eager.backoff = quick().backoff;
    let mut busy = eager.clone();
    busy.concurrency = 1;
    let open = |tools: fn(&Signals) -> Registry, engine| {
        let store = Arc::clone(&store);
        House::offering(tools, store, TestClock::new(), |builder| builder.engine(engine))
    };
    let (_older, newer) = (open(older, eager).await, open(newer, busy).await);
    let (agent, mut wire) = (newer.caller("agent-7"), newer.wire().await);
    let held = agent.start(&mut wire, "hold_later", json!({"text": "x"})).await;
    newer.signals.entered().await;
    let job = agent.start(&mut wire, "greet", json!({"name": "Ada", "times": 2})).await;
    let tried = inspected(&store, &job, |seen| !seen.snapshot.attempts.is_empty()).await;
    assert_eq!(tried.snapshot.attempts[0].failure.code, Some(waxwing_core::ErrorCode::InvalidArgs));
    newer.signals.release(1);
    assert_eq!(output(&agent.settle(&mut wire, &job).await), "AdaAda");
    assert_eq!(output(&agent.settle(&mut wire, &held).await), "x");
    let done = inspected(&store, &job, |_| true).await;
    assert_eq!(done.snapshot.attempts.len(), 1, "the older one left it alone then");
}

/// What was promised and not done leaves a trace: in the log, and in the measures.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_expires_unfinished_leaves_a_trace() {
    let mut policy = JobPolicy::DEFAULT;
    policy.ttl = Duration::from_millis(400);
    let house = House::with(|builder| builder.jobs(policy).engine(quick())).await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    let outcome = agent.call(&mut wire, "hold_later", json!({"text": "x"})).await.1;
    let Outcome::Accepted { job_id, .. } = outcome else { panic!("{outcome:?}") };
    house.signals.entered().await;
    house.signals.dropped().await;
    let expired = r#"waxwing_job_attempts_total{tool="hold_later",end="expired"}"#;
    until(&house, expired, 1.0).await;
    until(&house, r#"waxwing_job_store_swept_total{kind="unfinished"}"#, 1.0).await;
    let log = run_log().text();
    let line = log.lines().find(|line| line.contains("lifetime") && line.contains(job_id.as_str()));
    assert!(
        line.is_some_and(|line| line.contains("WARN") && line.contains("hold_later")),
        "{line:?}"
    );
}

//! Idempotency keys (wire.md §5): one call, however often it is sent.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use waxwing_client::{CallOptions, Client};
use waxwing_core::ErrorCode;
use waxwing_core::message::{Outcome, Request};
use waxwing_jobs::{Bounds, ManualClock, MemoryStore};
use waxwing_server::JobPolicy;

use crate::harness::{House, NOW_MS, PATIENCE, key_of, server_id};
use crate::metrics::scraped;
use crate::wire::{Caller, Wire, error, output, post};

fn keyed(caller: &Caller, tool: &str, args: Value, key: &str) -> Request<'static, Value> {
    let mut request = caller.request(tool, args);
    request.idempotency_key = Some(key.parse().unwrap());
    request
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_starts_with_one_key_are_one_job() {
    let house = House::open().await;
    let agent = house.caller("agent-7");
    let starts: Vec<_> = (0..16)
        .map(|_| {
            let (agent, addr) = (agent.clone(), house.addr);
            tokio::spawn(async move {
                let request = keyed(&agent, "say_later", json!({"text": "hi"}), "once");
                match agent.send(&mut Wire::connect(addr).await, &request).await.1 {
                    Outcome::Accepted { job_id, .. } => job_id.as_str().to_owned(),
                    other => panic!("{other:?}"),
                }
            })
        })
        .collect();
    let mut ids = BTreeSet::new();
    for start in starts {
        ids.insert(start.await.unwrap());
    }
    assert_eq!(ids.len(), 1);
    // A key is its client's.
    let (other, mut wire) = (house.caller("agent-8"), house.wire().await);
    let request = keyed(&other, "say_later", json!({"text": "other"}), "once");
    assert!(matches!(other.send(&mut wire, &request).await.1, Outcome::Accepted { .. }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_tool_runs_once_and_every_retry_gets_its_first_outcome() {
    let house = House::open().await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    for _ in 0..3 {
        let request = keyed(&agent, "count", json!({}), "count-once");
        assert_eq!(output(&agent.send(&mut wire, &request).await.1), 1);
    }
    assert_eq!(house.signals.unseen(), 1);
    // A failure is an outcome too, with the code and details it had.
    for _ in 0..2 {
        let request = keyed(&agent, "fail", json!({}), "fail-once");
        let (status, outcome) = agent.send(&mut wire, &request).await;
        let told = error(outcome);
        assert_eq!((status, told.code), (200, ErrorCode::ToolFailed));
        assert_eq!(told.message, "the pump is broken");
        assert_eq!(crate::wire::details(&told), json!({"bar": 0}));
    }
    for (tool, code) in [
        ("lie", ErrorCode::InvalidOutput),
        ("panic", ErrorCode::Internal),
        ("sleep", ErrorCode::Timeout),
    ] {
        let request = keyed(&agent, tool, json!({}), tool);
        assert_eq!(error(agent.send(&mut wire, &request).await.1).code, code, "{tool}");
    }
    let request = keyed(&agent, "batch_sum", json!({"numbers": [1]}), "count-once");
    assert_eq!(error(agent.send(&mut wire, &request).await.1).code, ErrorCode::Conflict);
}

/// The second call waits for the first, and the first goes on when its caller has gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_finds_the_call_that_lost_its_caller() {
    let house = House::open().await;
    let agent = house.caller("agent-7");
    let request = || keyed(&agent, "hold", json!({"text": "held"}), "hold-once");
    let mut lost = house.wire().await;
    lost.send(post(&agent.sign(&request()).0)).await;
    house.signals.entered().await;
    drop(lost);
    let (mut wire, (message, sent)) = (house.wire().await, agent.sign(&request()));
    wire.send(post(&message)).await;
    house.signals.release(1);
    let answer = wire.answer().await.unwrap();
    assert_eq!(output(&agent.verify(&sent, &answer)), "held");
    assert_eq!(house.signals.unseen(), 0, "it ran once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_takes_too_long_can_be_asked_for_again() {
    let mut policy = JobPolicy::DEFAULT;
    policy.sync_wait = Duration::from_millis(50);
    let house = House::with(|builder| builder.jobs(policy)).await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    let request = || keyed(&agent, "hold", json!({"text": "held"}), "hold-once");
    let told = error(agent.send(&mut wire, &request()).await.1);
    assert_eq!(told.code, ErrorCode::Timeout);
    assert!(told.retry_after_ms.is_some());
    house.signals.release(1);
    let retried = async {
        loop {
            match agent.send(&mut wire, &request()).await.1 {
                Outcome::Error(error) => assert_eq!(error.code, ErrorCode::Timeout),
                outcome => break outcome,
            }
        }
    };
    let outcome = tokio::time::timeout(PATIENCE, retried).await.expect("the outcome in time");
    assert_eq!(output(&outcome), "held");
}

/// The client of this workspace does so by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_asks_again_until_its_call_has_an_outcome() {
    let mut policy = JobPolicy::DEFAULT;
    policy.sync_wait = Duration::from_millis(50);
    let house = House::with(|builder| builder.jobs(policy)).await;
    let id = "agent-7".parse().unwrap();
    let url = format!("http://{}", house.addr);
    let client = Client::builder(url, id, server_id(), "k1".parse().unwrap(), key_of("agent-7"))
        .clock(|| NOW_MS)
        .build()
        .unwrap();
    let options = CallOptions::new().idempotency_key("once".parse().unwrap());
    let calling = tokio::spawn(async move {
        client.call_with::<_, Value>("hold", &json!({"text": "held"}), &options).await
    });
    house.signals.entered().await;
    let told = r#"waxwing_calls_total{tool="hold",code="timeout"}"#;
    let told = async { while !scraped(&house).await.contains_key(told) {} };
    tokio::time::timeout(PATIENCE, told).await.expect("it is told that it still runs");
    house.signals.release(1);
    assert_eq!(calling.await.unwrap().unwrap(), "held");
    assert_eq!(house.signals.unseen(), 0, "it ran once");
}

/// A key stands for a job that is there, for as long as it stands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_lives_as_long_as_its_key() {
    const HOUR: Duration = Duration::from_secs(3600);
    let clock = ManualClock::new(NOW_MS.unsigned_abs());
    let store = MemoryStore::with_clock(Bounds::default(), Arc::new(clock.clone()));
    let house = House::over(Arc::new(store), |builder| builder).await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    let mut ids = BTreeSet::new();
    for wait in [Duration::ZERO, 23 * HOUR] {
        clock.advance(wait);
        let request = keyed(&agent, "say_later", json!({"text": "hi"}), "once");
        let outcome = agent.send(&mut wire, &request).await.1;
        let Outcome::Accepted { job_id, ttl_ms, .. } = outcome else { panic!("{outcome:?}") };
        assert_eq!(ttl_ms, 24 * 3_600_000);
        assert_eq!(output(&agent.settle(&mut wire, &job_id).await), "hi");
        ids.insert(job_id);
    }
    assert_eq!(ids.len(), 1);
    // With its key gone, the call is a new one.
    clock.advance(HOUR);
    let request = keyed(&agent, "say_later", json!({"text": "hi"}), "once");
    let outcome = agent.send(&mut wire, &request).await.1;
    let Outcome::Accepted { job_id, .. } = outcome else { panic!("{outcome:?}") };
    assert!(!ids.contains(&job_id));
}

//! A graceful stop: calls and jobs get their time, and no more than that.

use std::time::Duration;

use serde_json::json;
use tokio::net::TcpStream;
use waxwing_core::ErrorCode;
use waxwing_core::message::Outcome;

use crate::harness::{House, PATIENCE};
use crate::wire::{Wire, error, output, post};

/// Waits until the server has begun to stop.
async fn draining(house: &House) {
    let mut wire = Wire::connect(house.admin).await;
    let stopped = async {
        while wire.fetch("/readyz").await.status == 200 {
            tokio::task::yield_now().await;
        }
        while TcpStream::connect(house.addr).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, stopped).await.expect("the listener closes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_answers_the_calls_it_has_taken() {
    let mut house = House::open().await;
    let agent = house.caller("agent-7");
    let (mut wire, mut idle) = (house.wire().await, house.wire().await);
    house.good_on(&mut idle).await;
    let (message, sent) = agent.sign(&agent.request("hold", json!({"text": "held"})));
    wire.send(post(&message)).await;
    house.signals.entered().await;
    house.begin_stop();
    draining(&house).await;
    idle.ends().await;
    let mut admin = Wire::connect(house.admin).await;
    assert_eq!(admin.fetch("/livez").await.status, 200);
    let unready = admin.fetch("/readyz").await;
    assert_eq!((unready.status, unready.text()), (503, "draining\n"));
    house.signals.release(1);
    let answer = wire.answer().await.unwrap();
    assert_eq!(output(&agent.verify(&sent, &answer)), "held");
    wire.ends().await;
    let summary = house.ended().await;
    assert_eq!((summary.connections_cut, summary.jobs_released), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_lets_running_jobs_finish() {
    let mut house = House::open().await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    agent.start(&mut wire, "hold_later", json!({"text": "held"})).await;
    house.signals.entered().await;
    house.begin_stop();
    draining(&house).await;
    house.signals.release(1);
    let summary = house.ended().await;
    assert_eq!((summary.connections_cut, summary.jobs_released), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_with_its_time() {
    let mut house = House::with(|builder| builder.drain(Duration::from_millis(100))).await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    agent.start(&mut wire, "hold_later", json!({"text": "held"})).await;
    house.signals.entered().await;
    wire.send(post(&agent.sign(&agent.request("hold", json!({"text": "held"}))).0)).await;
    house.signals.entered().await;
    let signals = house.signals.clone();
    house.begin_stop();
    let summary = house.ended().await;
    assert_eq!((summary.connections_cut, summary.jobs_released), (1, 1));
    wire.ends().await;
    signals.dropped().await;
    signals.dropped().await;
}

/// Whoever waits for a job is told how it stands, and does not hold up the stop.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_wakes_waiting_polls() {
    let mut house = House::open().await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    let job = agent.start(&mut wire, "hold_later", json!({"text": "held"})).await;
    house.signals.entered().await;
    agent.progress(&mut wire, &job).await;
    let poll = agent.request("poll_job", json!({"job_id": job, "wait_ms": 30_000}));
    let (message, sent) = agent.sign(&poll);
    let readings = house.clock.readings();
    wire.send(post(&message)).await;
    house.clock.read_after(readings).await;
    house.begin_stop();
    let began = std::time::Instant::now();
    let answer = wire.answer().await.expect("a poll that was taken is answered");
    assert!(matches!(agent.verify(&sent, &answer), Outcome::Running { .. }));
    assert!(began.elapsed() < Duration::from_secs(9));
    house.signals.release(1);
    assert_eq!(house.ended().await.connections_cut, 0);
}

/// So is whoever waits for a call with an idempotency key; the work itself has the drain time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_wakes_waiting_keyed_calls() {
    let mut house = House::open().await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    let mut call = agent.request("hold", json!({"text": "held"}));
    call.idempotency_key = Some("once".parse().unwrap());
    let (message, sent) = agent.sign(&call);
    wire.send(post(&message)).await;
    house.signals.entered().await;
    house.begin_stop();
    let began = std::time::Instant::now();
    let answer = wire.answer().await.expect("a call that was taken is answered");
    let told = error(agent.verify(&sent, &answer));
    assert_eq!(told.code, ErrorCode::Timeout);
    assert!(told.retry_after_ms.is_some());
    assert!(began.elapsed() < Duration::from_secs(9));
    house.signals.release(1);
    let summary = house.ended().await;
    assert_eq!((summary.connections_cut, summary.jobs_released), (0, 0));
}

//! A graceful stop: calls and jobs get their time, and no more than that.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::net::TcpStream;
use waxwing_core::ErrorCode;
use waxwing_core::message::Outcome;
use waxwing_crypto::SentRequest;
use waxwing_jobs::EngineConfig;
use waxwing_server::ServerBuilder;

use crate::harness::{House, PATIENCE, memory};
use crate::wire::{Caller, Wire, error, output, post};

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

/// A call of `hold` with an idempotency key, on its way.
async fn keyed(house: &House, key: &str) -> Held {
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    let mut call = agent.request("hold", json!({"text": "held"}));
    call.idempotency_key = Some(key.parse().unwrap());
    let (message, sent) = agent.sign(&call);
    wire.send(post(&message)).await;
    Held { agent, wire, sent }
}

struct Held {
    agent: Caller,
    wire: Wire,
    sent: SentRequest,
}

impl Held {
    async fn outcome(mut self) -> Outcome<'static> {
        let answer = self.wire.answer().await.expect("a call that was taken is answered");
        self.agent.verify(&self.sent, &answer)
    }
}

/// A call with an idempotency key has the drain time, like any other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_answers_the_keyed_calls_it_is_at_work_on() {
    let mut house = House::open().await;
    let call = keyed(&house, "once").await;
    house.signals.entered().await;
    house.begin_stop();
    draining(&house).await;
    house.signals.release(1);
    assert_eq!(output(&call.outcome().await), "held");
    let summary = house.ended().await;
    assert_eq!((summary.connections_cut, summary.jobs_released), (0, 0));
}

/// One that takes longer is told in time that it still runs; the connection is not cut.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keyed_call_that_outlasts_a_stop_is_told_so() {
    let mut house = House::with(|builder| builder.drain(Duration::from_millis(1_100))).await;
    let call = keyed(&house, "once").await;
    house.signals.entered().await;
    let began = std::time::Instant::now();
    house.begin_stop();
    let told = error(call.outcome().await);
    assert!(began.elapsed() >= Duration::from_millis(90), "it was given what there is");
    assert_eq!(told.code, ErrorCode::Timeout);
    assert!(told.retry_after_ms.is_some());
    let summary = house.ended().await;
    assert_eq!((summary.connections_cut, summary.jobs_released), (0, 1));
}

/// One that is still in the queue will not be claimed here any more, and is told at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_sends_queued_keyed_calls_away() {
    let mut engine = EngineConfig::default();
    engine.concurrency = 1;
    let store = memory();
    let tune = |builder: ServerBuilder| builder.engine(engine);
    let mut house = House::over(Arc::clone(&store), tune).await;
    let first = keyed(&house, "one").await;
    house.signals.entered().await;
    let second = keyed(&house, "two").await;
    let queued = async {
        while store.census().await.unwrap().queued == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, queued).await.expect("the second waits");
    let began = std::time::Instant::now();
    house.begin_stop();
    let told = error(second.outcome().await);
    assert_eq!(told.code, ErrorCode::Timeout);
    assert!(told.retry_after_ms.is_some());
    assert!(began.elapsed() < Duration::from_secs(8));
    house.signals.release(1);
    assert_eq!(output(&first.outcome().await), "held");
    assert_eq!(house.ended().await.connections_cut, 0);
}

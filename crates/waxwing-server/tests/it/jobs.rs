//! The life of a job over HTTP.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use waxwing_core::ErrorCode;
use waxwing_core::message::Outcome;
use waxwing_jobs::{Bounds, EngineConfig, ManualClock, MemoryStore};

use crate::harness::{House, NOW_MS};
use crate::wire::{details, error, output};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_accepted_shown_at_work_and_done() {
    let house = House::open().await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    let (status, outcome) = agent.call(&mut wire, "hold_later", json!({"text": "hi"})).await;
    let Outcome::Accepted { job_id, poll_after_ms, ttl_ms } = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!((status, poll_after_ms, ttl_ms), (200, 100, 3_600_000));
    house.signals.entered().await;
    let running = agent.progress(&mut wire, &job_id).await;
    assert_eq!((running.done, running.total), (1, Some(2)));
    assert_eq!(running.message.as_deref(), Some("holding"));

    // A poll that waits is woken by the end, long before its time.
    let began = Instant::now();
    let waiting = tokio::spawn({
        let (agent, job_id, mut wire) = (agent.clone(), job_id.clone(), house.wire().await);
        async move { agent.poll(&mut wire, &job_id, 30_000).await }
    });
    house.signals.release(1);
    let done = waiting.await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!(output(&done), "hi");
    assert_eq!(output(&agent.poll(&mut wire, &job_id, 0).await), "hi", "and stays so");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poll_waits_no_longer_than_it_was_told() {
    let house = House::open().await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    let job = agent.start(&mut wire, "hold_later", json!({"text": "hi"})).await;
    agent.progress(&mut wire, &job).await;
    let began = Instant::now();
    assert!(matches!(agent.poll(&mut wire, &job, 50).await, Outcome::Running { .. }));
    assert!(began.elapsed() >= Duration::from_millis(50));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_cancelled_and_says_why() {
    let house = House::open().await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    let job = agent.start(&mut wire, "hold_later", json!({"text": "hi"})).await;
    house.signals.entered().await;
    let args = json!({"job_id": job, "reason": "no longer needed"});
    let (status, first) = agent.call(&mut wire, "cancel_job", args.clone()).await;
    assert_eq!(status, 200);
    assert!(matches!(first, Outcome::Running { .. } | Outcome::Cancelled { .. }), "{first:?}");
    let settled = agent.settle(&mut wire, &job).await;
    let told = Outcome::Cancelled { job_id: job.clone(), reason: Some("no longer needed".into()) };
    assert_eq!(settled, told);
    house.signals.dropped().await;
    assert_eq!(agent.call(&mut wire, "cancel_job", args).await.1, told, "again changes nothing");
}

/// The work is told, and what it still comes to counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_reaches_the_tool() {
    let mut config = EngineConfig::default();
    config.cancel_grace = Duration::from_secs(10);
    let house = House::with(|builder| builder.engine(config)).await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    let job = agent.start(&mut wire, "heed_later", json!({})).await;
    // Only what runs can heed anything; what is still queued is cancelled at once.
    agent.progress(&mut wire, &job).await;
    agent.call(&mut wire, "cancel_job", json!({"job_id": job})).await;
    assert_eq!(output(&agent.settle(&mut wire, &job).await), "heeded");
}

/// Absent, foreign and expired are one answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_its_owners_and_for_its_time_only() {
    let clock = ManualClock::new(NOW_MS.unsigned_abs());
    let store = MemoryStore::with_clock(Bounds::default(), Arc::new(clock.clone()));
    let house = House::over(Arc::new(store), |builder| builder).await;
    let (agent, other) = (house.caller("agent-7"), house.caller("agent-8"));
    let mut wire = house.wire().await;
    let job = agent.start(&mut wire, "say_later", json!({"text": "hi"})).await;
    assert_eq!(output(&agent.settle(&mut wire, &job).await), "hi");

    let mut told = Vec::new();
    for (caller, id) in [(&other, job.as_str()), (&agent, "00000000000000000000000000000000")] {
        for (tool, args) in [
            ("poll_job", json!({"job_id": id})),
            ("poll_job", json!({"job_id": id, "wait_ms": 30_000})),
            ("cancel_job", json!({"job_id": id})),
            ("answer_job", json!({"job_id": id, "answers": {"a": 1}})),
        ] {
            let (status, outcome) = caller.call(&mut wire, tool, args).await;
            assert_eq!(status, 404, "{tool}");
            told.push(error(outcome));
        }
    }
    clock.advance(Duration::from_millis(3_599_999));
    assert_eq!(output(&agent.poll(&mut wire, &job, 0).await), "hi");
    clock.advance(Duration::from_millis(1));
    told.push(error(agent.poll(&mut wire, &job, 0).await));
    assert_eq!(told[0].code, ErrorCode::UnknownJob);
    assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_that_panics_is_tried_again() {
    let mut config = EngineConfig::default();
    (config.backoff.base, config.backoff.cap) =
        (Duration::from_millis(1), Duration::from_millis(1));
    let house = House::with(|builder| builder.engine(config)).await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    let job = agent.start(&mut wire, "panic_later", json!({})).await;
    assert_eq!(output(&agent.settle(&mut wire, &job).await), 2);
}

/// Arguments that are wrong start nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_with_wrong_arguments_never_is() {
    let house = House::open().await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    let (_, outcome) = agent.call(&mut wire, "hold_later", json!({"txt": 1})).await;
    let told = error(outcome);
    assert_eq!(told.code, ErrorCode::InvalidArgs);
    assert_eq!(details(&told)["violations"].as_array().unwrap().len(), 2);
    assert_eq!(house.signals.unseen(), 0);
}

//! Tools that ask, and tools that resume: from the tool's `ask` to the client's answer and back, over
//! restarts.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use waxwing_core::message::Outcome;
use waxwing_core::{ErrorCode, JobId};
use waxwing_jobs::{Bounds, Store};
use waxwing_store_sqlite::SqliteStore;

use crate::harness::{House, NOW_MS, TestClock};
use crate::restart::quick;
use crate::wire::{Caller, Wire, details, error, output};

/// A clock that has gone on: right after a crash, nobody knows which messages were seen before.
fn later() -> TestClock {
    TestClock::at(NOW_MS + 60_000)
}

#[track_caller]
fn questions(outcome: &Outcome<'_>) -> Value {
    match outcome {
        Outcome::InputRequired { requests, .. } => requests.decode().unwrap(),
        other => panic!("it asks for nothing: {other:?}"),
    }
}

async fn answer(
    agent: &Caller,
    wire: &mut Wire,
    job: &JobId<'_>,
    answers: Value,
) -> Outcome<'static> {
    let args = json!({"job_id": job, "answers": answers});
    agent.call(wire, "answer_job", args).await.1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_asks_holds_no_worker_survives_a_restart_and_goes_on_with_its_answers() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.sqlite");
    let open =
        || -> Arc<dyn Store> { Arc::new(SqliteStore::open(&path, Bounds::default()).unwrap()) };
    let mut one_slot = quick();
    one_slot.concurrency = 1;
    let first = House::over(open(), |builder| builder.engine(one_slot.clone())).await;
    let (agent, mut wire) = (first.caller("agent-7"), first.wire().await);
    let job = agent.start(&mut wire, "order_parcel", json!({})).await;
    let asked = questions(&agent.settle(&mut wire, &job).await);
    assert_eq!(asked["colour"]["message"], "Which colour?");
    assert_eq!(asked["colour"]["schema"]["enum"], json!(["red", "blue"]));
    assert_eq!(asked["size"]["schema"]["maximum"], 255);
    assert_eq!(asked.as_object().unwrap().len(), 2, "both at once");

    // The only slot is free: another job is done meanwhile.
    let other = agent.start(&mut wire, "say_later", json!({"text": "meanwhile"})).await;
    assert_eq!(output(&agent.settle(&mut wire, &other).await), "meanwhile");

    let wrong = error(answer(&agent, &mut wire, &job, json!({"size": 300})).await);
    assert_eq!(wrong.code, ErrorCode::InvalidArgs);
    assert_eq!(details(&wrong)["violations"][0]["path"], "/answers/size");
    let partly = answer(&agent, &mut wire, &job, json!({"size": 3})).await;
    assert_eq!(questions(&partly).as_object().unwrap().len(), 1, "partial answers are kept");
    first.crash().await;

    let second = House::over_at(open(), later(), |builder| builder.engine(one_slot)).await;
    let (agent, mut wire) = (second.caller("agent-7"), second.wire().await);
    let asked = questions(&agent.poll(&mut wire, &job, 0).await);
    assert!(asked["colour"].is_object() && asked.as_object().unwrap().len() == 1, "{asked}");
    answer(&agent, &mut wire, &job, json!({"colour": "blue"})).await;
    let asked = questions(&agent.settle(&mut wire, &job).await);
    assert_eq!(asked["sure"]["message"], "A blue one of size 3?");
    answer(&agent, &mut wire, &job, json!({"sure": true})).await;
    let done = output(&agent.settle(&mut wire, &job).await);
    let wanted = json!({"colour": "blue", "size": 3, "sure": true, "attempt": 1});
    assert_eq!(done, wanted, "asking costs no attempt");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parked_job_is_cancelled_at_once() {
    let house = House::open().await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    let job = agent.start(&mut wire, "order_parcel", json!({})).await;
    questions(&agent.settle(&mut wire, &job).await);
    let (_, outcome) = agent.call(&mut wire, "cancel_job", json!({"job_id": job})).await;
    assert!(matches!(outcome, Outcome::Cancelled { .. }), "{outcome:?}");
    let late = answer(&agent, &mut wire, &job, json!({"size": 1})).await;
    assert!(matches!(late, Outcome::Cancelled { .. }), "{late:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_that_asks_for_more_than_a_reply_can_say_fails() {
    let limits = waxwing_core::Limits::default().with_max_message(64 << 10);
    let house = House::with(|builder| builder.limits(limits)).await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    let job = agent.start(&mut wire, "verbose_question", json!({})).await;
    let told = error(agent.settle(&mut wire, &job).await);
    assert_eq!(told.code, ErrorCode::JobFailed);
    assert!(told.message.contains("asks for input"), "{told}");
    assert_eq!(details(&told)["attempts"].as_array().unwrap().len(), 1, "it is not tried again");
}

/// A long job goes on where it was on another replica, after its own has crashed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_job_resumes_from_its_checkpoint_on_another_server_after_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.sqlite");
    let open =
        || -> Arc<dyn Store> { Arc::new(SqliteStore::open(&path, Bounds::default()).unwrap()) };
    let first = House::over(open(), |builder| builder.engine(quick())).await;
    let (agent, mut wire) = (first.caller("agent-7"), first.wire().await);
    let job = agent.start(&mut wire, "copy_rows", json!({})).await;
    first.signals.entered().await;
    // Progress and checkpoint are stored together.
    let wait = Duration::from_secs(20);
    tokio::time::timeout(wait, agent.progress(&mut wire, &job)).await.unwrap();
    first.crash().await;
    let second = House::over_at(open(), later(), |builder| builder.engine(quick())).await;
    let (agent, mut wire) = (second.caller("agent-7"), second.wire().await);
    assert_eq!(output(&agent.settle(&mut wire, &job).await), 7);
}

//! What a server leaves, the next one finds.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use waxwing_core::message::Outcome;
use waxwing_core::{ErrorCode, ServerId};
use waxwing_jobs::{Bounds, EngineConfig, Store};
use waxwing_server::{BindError, Server};
use waxwing_store_sqlite::SqliteStore;
use waxwing_tools::Registry;

use crate::harness::{House, memory, ring};
use crate::wire::{error, output};

pub(crate) fn quick() -> EngineConfig {
    let mut config = EngineConfig::default();
    (config.lease, config.sweep_every) = (Duration::from_millis(300), Duration::from_millis(50));
    config.idle_poll = Duration::from_millis(50);
    (config.backoff.base, config.backoff.cap) =
        (Duration::from_millis(1), Duration::from_millis(1));
    config
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_released_job_is_finished_by_the_next_server() {
    let store = memory();
    let mut first =
        House::over(Arc::clone(&store), |builder| builder.drain(Duration::from_millis(50))).await;
    let (agent, mut wire) = (first.caller("agent-7"), first.wire().await);
    let done = agent.start(&mut wire, "say_later", json!({"text": "before"})).await;
    assert_eq!(output(&agent.settle(&mut wire, &done).await), "before");
    let job = agent.start(&mut wire, "hold_later", json!({"text": "after"})).await;
    first.signals.entered().await;
    first.begin_stop();
    assert_eq!(first.ended().await.jobs_released, 1);

    let second = House::over(store, |builder| builder.engine(quick())).await;
    let (agent, mut wire) = (second.caller("agent-7"), second.wire().await);
    assert_eq!(output(&agent.poll(&mut wire, &done, 0).await), "before");
    second.signals.release(1);
    assert_eq!(output(&agent.settle(&mut wire, &job).await), "after");
}

/// A crash in the middle of a job: the next server, over the same file, runs it again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_accepted_job_survives_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.sqlite");
    let open =
        || -> Arc<dyn Store> { Arc::new(SqliteStore::open(&path, Bounds::default()).unwrap()) };
    let first = House::over(open(), |builder| builder.engine(quick())).await;
    let (agent, mut wire) = (first.caller("agent-7"), first.wire().await);
    let job = agent.start(&mut wire, "hold_later", json!({"text": "after"})).await;
    let mut once = agent.request("hold", json!({"text": "once"}));
    once.idempotency_key = Some("once".parse().unwrap());
    wire.send(crate::wire::post(&agent.sign(&once).0)).await;
    first.signals.entered().await;
    first.signals.entered().await;
    first.crash().await;

    let second = House::over(open(), |builder| builder.engine(quick())).await;
    // A crashed server's mark lies half a second ahead of its clock.
    second.clock.advance(1_000);
    let (agent, mut wire) = (second.caller("agent-7"), second.wire().await);
    second.signals.release(1);
    assert_eq!(output(&agent.settle(&mut wire, &job).await), "after");

    // A sync call is not run again: whether it had its effect is not known, and that is said.
    let mut again = agent.request("hold", json!({"text": "once"}));
    again.idempotency_key = Some("once".parse().unwrap());
    let told = error(agent.send(&mut wire, &again).await.1);
    assert_eq!(told.code, ErrorCode::Internal);
    assert!(told.message.contains("is unknown"), "{told}");
}

/// A call with an idempotency key is never run twice: what a stop cut short may have had its effect.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keyed_call_that_a_stop_cuts_short_is_not_run_again() {
    let store = memory();
    let mut first =
        House::over(Arc::clone(&store), |builder| builder.drain(Duration::from_millis(50))).await;
    let (agent, mut wire) = (first.caller("agent-7"), first.wire().await);
    let mut once = agent.request("hold", json!({"text": "once"}));
    once.idempotency_key = Some("once".parse().unwrap());
    wire.send(crate::wire::post(&agent.sign(&once).0)).await;
    first.signals.entered().await;
    first.begin_stop();
    first.ended().await;

    let second = House::over(store, |builder| builder.engine(quick())).await;
    let (agent, mut wire) = (second.caller("agent-7"), second.wire().await);
    second.signals.release(1);
    let mut again = agent.request("hold", json!({"text": "once"}));
    again.idempotency_key = Some("once".parse().unwrap());
    let told = error(agent.send(&mut wire, &again).await.1);
    assert_eq!(told.code, ErrorCode::Internal);
    assert!(told.message.contains("is unknown"), "{told}");
    assert_eq!(second.signals.unseen(), 0, "it ran once");
}

/// A start that another replica has seen is not started again, whatever this one remembers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_is_not_replayed_on_another_replica() {
    let store = memory();
    let one = House::over(Arc::clone(&store), |builder| builder).await;
    let two = House::over(store, |builder| builder).await;
    let agent = one.caller("agent-7");
    let (message, sent) = agent.sign(&agent.request("say_later", json!({"text": "hi"})));
    let first = one.wire().await.post(&message).await;
    assert!(matches!(agent.verify(&sent, &first), Outcome::Accepted { .. }));
    let second = two.wire().await.post(&message).await;
    assert_eq!(error(agent.verify(&sent, &second)).code, ErrorCode::Replayed);
}

/// Jobs and keys are told apart by client alone, so a store is one server's, under one id.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_serves_one_server_id() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.sqlite");
    let open =
        || -> Arc<dyn Store> { Arc::new(SqliteStore::open(&path, Bounds::default()).unwrap()) };
    let first = House::over(open(), |builder| builder).await;
    let other: ServerId<'static> = "other.example".parse().unwrap();
    let bind = async || {
        let registry = Registry::builder().build(&other).unwrap();
        Server::builder(other.clone(), ring(), registry, open()).bind().await
    };
    let refused = bind().await.unwrap_err();
    assert!(matches!(refused, BindError::Store(_)), "{refused:?}");
    let text = refused.to_string();
    assert!(text.contains("sums.example") && text.contains("other.example"), "{text}");
    assert!(!text.contains('\n') && std::error::Error::source(&refused).is_none(), "{text}");
    first.good().await;
    // It is the file that remembers.
    first.crash().await;
    assert!(matches!(bind().await, Err(BindError::Store(_))));
    let second = House::over(open(), |builder| builder).await;
    second.clock.advance(1_000);
    second.good().await;
}

//! Health on its own listener.

use std::sync::Arc;

use serde_json::json;
use waxwing_core::ErrorCode;
use waxwing_core::message::Outcome;
use waxwing_jobs::Durability;

use crate::harness::{House, memory};
use crate::unruly::{StaleWrites, UnrulyStore};
use crate::wire::{Wire, details, error, output};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_serves_is_alive_and_ready() {
    let house = House::open().await;
    assert!(house.admin.ip().is_loopback());
    assert_ne!(house.admin, house.addr);
    let mut wire = Wire::connect(house.admin).await;
    for (path, status) in
        [("/livez", 200), ("/readyz", 200), ("/metrics", 200), ("/", 404), ("/v1/call", 404)]
    {
        let answer = wire.fetch(path).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    wire.send("POST /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let answer = wire.answer().await.unwrap();
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")));
    wire.send("GET /livez HTTP/1.1\r\nHost: evil.example\r\n\r\n").await;
    assert_eq!(wire.answer().await.unwrap().status, 421);
    wire.send("GET /livez HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\n\r\n")
        .await;
    assert_eq!(wire.answer().await.unwrap().status, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_its_store_is_alive_and_not_ready() {
    let store = UnrulyStore::broken(Durability::Process);
    let house = House::over(Arc::<UnrulyStore>::clone(&store), |builder| builder).await;
    assert_eq!(Wire::connect(house.admin).await.fetch("/livez").await.status, 200);
    assert_eq!(house.ready().await.0, 503);
    // Calls that need no store go on; the others say nothing of what is behind them.
    house.good().await;
    let agent = house.caller("agent-7");
    for (tool, args) in [
        ("poll_job", json!({"job_id": "a"})),
        ("poll_job", json!({"job_id": "a", "wait_ms": 10})),
        ("answer_job", json!({"job_id": "a", "answers": {"a": 1}})),
    ] {
        // What was only read may be asked for again, whatever happened.
        let (status, outcome) = agent.call(&mut house.wire().await, tool, args).await;
        let told = error(outcome);
        assert_eq!((status, told.code), (503, ErrorCode::Overloaded), "{tool}");
        assert!(told.retry_after_ms.is_some() && !told.message.contains("disk"), "{told}");
    }
    for (tool, args, advice) in [
        ("say_later", json!({"text": "hi"}), "same idempotency key is safe"),
        ("cancel_job", json!({"job_id": "a"}), "poll_job"),
    ] {
        let (status, outcome) = agent.call(&mut house.wire().await, tool, args).await;
        let told = error(outcome);
        assert_eq!((status, told.code), (500, ErrorCode::Internal), "{tool}");
        assert!(details(&told)["correlation_id"].is_string());
        assert!(told.message.contains(advice) && !told.message.contains("disk"), "{told}");
    }
    store.set_broken(false);
    assert_eq!(house.ready().await.0, 200);
    let mut wire = house.wire().await;
    let job = agent.start(&mut wire, "say_later", json!({"text": "hi"})).await;
    assert_eq!(output(&agent.settle(&mut wire, &job).await), "hi");
}

/// A store that goes away in the middle: what the client asked for is stored, only the job cannot be
/// shown.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_cannot_be_shown_is_not_said_to_be_lost() {
    let store = UnrulyStore::over(memory(), StaleWrites::Refused);
    let house = House::over(Arc::<UnrulyStore>::clone(&store), |builder| builder).await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    let job = agent.start(&mut wire, "order_parcel", json!({})).await;
    agent.settle(&mut wire, &job).await;
    for (tool, args) in [
        ("answer_job", json!({"job_id": job, "answers": {"size": 3}})),
        ("cancel_job", json!({"job_id": job})),
    ] {
        store.break_after_a_write();
        let (status, outcome) = agent.call(&mut wire, tool, args).await;
        let told = error(outcome);
        assert_eq!((status, told.code), (500, ErrorCode::Internal), "{tool}");
        assert!(told.message.contains("was recorded"), "{told}");
        assert!(!told.message.contains("idempotency"), "{told}");
        store.set_broken(false);
    }
    assert!(matches!(agent.poll(&mut wire, &job, 0).await, Outcome::Cancelled { .. }));
}

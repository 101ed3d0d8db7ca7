//! Health on its own listener.

use std::sync::Arc;

use serde_json::json;
use waxwing_core::ErrorCode;
use waxwing_jobs::Durability;

use crate::harness::House;
use crate::wire::{Wire, details, error};

pub(crate) mod broken_store;

use broken_store::BrokenStore;

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
    let house = House::over(Arc::new(BrokenStore(Durability::Process)), |builder| builder).await;
    let mut wire = Wire::connect(house.admin).await;
    assert_eq!(wire.fetch("/livez").await.status, 200);
    assert_eq!(wire.fetch("/readyz").await.status, 503);
    // Calls that need no store go on; the others say nothing of what is behind them.
    house.good().await;
    let agent = house.caller("agent-7");
    for args in [json!({"job_id": "a"}), json!({"job_id": "a", "wait_ms": 10})] {
        // A poll changes nothing, so it may be repeated whatever happened.
        let (status, outcome) = agent.call(&mut house.wire().await, "poll_job", args).await;
        let told = error(outcome);
        assert_eq!((status, told.code), (503, ErrorCode::Overloaded));
        assert!(told.retry_after_ms.is_some() && !told.message.contains("disk"), "{told}");
    }
    for (tool, args) in [
        ("say_later", json!({"text": "hi"})),
        ("cancel_job", json!({"job_id": "a"})),
        ("answer_job", json!({"job_id": "a", "answers": {"a": 1}})),
    ] {
        let (status, outcome) = agent.call(&mut house.wire().await, tool, args).await;
        let told = error(outcome);
        assert_eq!((status, told.code), (500, ErrorCode::Internal), "{tool}");
        assert!(details(&told)["correlation_id"].is_string());
        assert!(!told.message.contains("disk"), "{told}");
    }
}

//! The reserved tools of wire.md §6: what they answer and how they teach.

use serde_json::{Value, json};
use waxwing_core::ErrorCode;

use crate::codes::NoSecretsForGuests;
use crate::harness::{House, key_of};
use crate::wire::{details, error, output};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_says_who_it_is_and_which_key_it_knows() {
    let house = House::open().await;
    let mut wire = house.wire().await;
    for client in ["agent-7", "agent-8"] {
        let (_, outcome) = house.caller(client).call(&mut wire, "server_identity", json!({})).await;
        assert_eq!(
            output(&outcome),
            json!({
                "server_id": "sums.example",
                "server_version": env!("CARGO_PKG_VERSION"),
                "protocol": "waxwing/1",
                "fingerprint": key_of(client).fingerprint(),
                "capabilities": {
                    "jobs": {"durability": "process"},
                    "idempotency": ["sync", "job"],
                    "algorithms": ["hmac-sha256", "ed25519"],
                },
                "limits": {
                    "max_message": 1 << 20,
                    "max_depth": 64,
                    "window_past_ms": 120_000,
                    "window_future_ms": 30_000,
                    "max_wait_ms": 30_000,
                    "job_ttl_ms": 3_600_000,
                    "idempotency_ttl_ms": 86_400_000,
                },
            })
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_is_shown_what_it_may_use() {
    let house = House::with(|builder| builder.authorizer(NoSecretsForGuests)).await;
    let mut wire = house.wire().await;
    let mut names = async |client: &str, args: Value| -> Vec<String> {
        let (_, outcome) = house.caller(client).call(&mut wire, "list_tools", args).await;
        let page = output(&outcome);
        assert_eq!(page.get("next_cursor"), None);
        let tools = page["tools"].as_array().unwrap().clone();
        assert!(tools.iter().all(|tool| tool["digest"].as_str().unwrap().len() == 64));
        tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    };
    let all = names("agent-7", json!({})).await;
    assert!(all.is_sorted() && all.contains(&"secret_tool".to_owned()), "{all:?}");
    let shown = names("guest", json!({})).await;
    assert_eq!(shown.len(), all.len() - 1);
    assert!(!shown.contains(&"secret_tool".to_owned()));
    let rest = names("agent-7", json!({"cursor": "say_later"})).await;
    assert!(rest.iter().all(|name| name.as_str() > "say_later"), "{rest:?}");

    // Nor is it hinted at.
    let (_, outcome) = house.caller("guest").call(&mut wire, "secret_too", json!({})).await;
    assert!(!details(&error(outcome))["similar"].to_string().contains("secret_tool"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_arguments_are_told_like_those_of_any_tool() {
    let house = House::open().await;
    let mut wire = house.wire().await;
    let agent = house.caller("agent-7");
    for (tool, args, paths) in [
        ("server_identity", json!({"verbose": true}), vec!["/verbose"]),
        ("list_tools", json!({"curser": "a"}), vec!["/curser"]),
        ("list_tools", json!({"cursor": "no name"}), vec!["/cursor"]),
        ("poll_job", json!({}), vec!["/job_id"]),
        ("poll_job", json!({"job_id": 7, "wait_ms": 30_001}), vec!["/job_id", "/wait_ms"]),
        ("poll_job", json!({"job_id": "a b"}), vec!["/job_id"]),
        ("poll_job", json!({"job_id": "a", "wait_ms": -1}), vec!["/wait_ms"]),
        ("poll_job", json!({"job_id": "a", "wait_ms": 1.5}), vec!["/wait_ms"]),
        ("cancel_job", json!({"job_id": "a", "why": "b"}), vec!["/why"]),
        ("cancel_job", json!({"job_id": "a", "reason": "x".repeat(257)}), vec!["/reason"]),
        ("answer_job", json!({"job_id": "a"}), vec!["/answers"]),
        ("answer_job", json!({"job_id": "a", "answers": {}}), vec!["/answers"]),
        ("answer_job", json!({"job_id": "a", "answers": []}), vec!["/answers"]),
    ] {
        let (status, outcome) = agent.call(&mut wire, tool, args.clone()).await;
        let told = error(outcome);
        assert_eq!((status, told.code), (422, ErrorCode::InvalidArgs), "{tool} {args}");
        assert!(told.message.starts_with(&format!("The arguments of {tool} were refused")));
        let violations = details(&told)["violations"].as_array().unwrap().clone();
        let mut found: Vec<&str> = violations.iter().map(|v| v["path"].as_str().unwrap()).collect();
        found.sort_unstable();
        assert_eq!(found, paths, "{tool} {args}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reserved_tool_has_no_digest() {
    let house = House::open().await;
    let agent = house.caller("agent-7");
    let mut request = agent.request("server_identity", json!({}));
    request.tool_digest = Some("0".repeat(64).parse().unwrap());
    let (_, outcome) = agent.send(&mut house.wire().await, &request).await;
    assert_eq!(error(outcome).code, ErrorCode::ToolChanged);
}

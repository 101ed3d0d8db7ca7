//! Pinned definitions: the digest goes with the call, what is not pinned can be refused before it is
//! sent, and a server that lists another digest than the definition's is found out.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use waxwing_client::{CallOptions, ClientError, Misuse, Pins};
use waxwing_core::message::Outcome;
use waxwing_core::{CallError, ErrorCode};

use crate::peer::{self, Peer, answer, listed};

fn definition() -> Value {
    json!({"name": "batch_sum", "title": "Sum", "description": "Adds numbers.", "mode": "sync",
        "input_schema": {"type": "object", "properties": {"numbers": {"minItems": 1.0}}},
        "output_schema": {"type": "number"}, "annotations": {"read_only": true}})
}

async fn listing_peer(tool: Value) -> Peer {
    Peer::answering(move |call| {
        let page = json!({"tools": [tool]});
        answer(200, call.reply(Outcome::Ok(peer::json(&page))))
    })
    .await
}

#[tokio::test]
async fn a_listed_digest_must_be_that_of_the_definition() {
    let tool = listed(&definition());
    let tools = listing_peer(tool.clone()).await.client().list_tools().await.unwrap();
    assert_eq!(tools[0].digest.as_str(), tool["digest"]);

    for (member, value) in [
        ("description", json!("Adds numbers. Then sends them on.")),
        ("title", json!("Sums")),
        ("mode", json!("job")),
        ("input_schema", json!({"type": "object"})),
        ("output_schema", json!(true)),
        ("annotations", json!({})),
        ("digest", json!("0".repeat(64))),
    ] {
        let mut confused = tool.clone();
        confused[member] = value;
        let error = listing_peer(confused).await.client().list_tools().await.unwrap_err();
        assert!(matches!(error, ClientError::WrongDigest { .. }), "{member}: {error:?}");
    }
}

#[tokio::test]
async fn a_pin_goes_with_the_call_and_an_unpinned_tool_can_be_refused() {
    let digests = Arc::<Mutex<Vec<Value>>>::default();
    let seen = Arc::clone(&digests);
    let peer = Peer::answering(move |call| {
        seen.lock().unwrap().push(call.request()["tool_digest"].clone());
        answer(200, call.echo())
    })
    .await;
    let digest = "ab".repeat(32);
    let pins = Pins::new([("known".parse().unwrap(), digest.parse().unwrap())]);
    let client = peer.builder().pins(pins.clone()).build().unwrap();
    client.call::<_, Value>("known", &json!({})).await.unwrap();
    client.call::<_, Value>("new", &json!({})).await.unwrap();
    let chosen = CallOptions::new().tool_digest("cd".repeat(32).parse().unwrap());
    client.call_with::<_, Value>("known", &json!({}), &chosen).await.unwrap();

    let strict = peer.builder().pins(pins.require()).build().unwrap();
    let error = strict.call::<_, Value>("new", &json!({})).await.unwrap_err();
    let ClientError::Misuse(Misuse::NotPinned { tool }) = error else { panic!("{error:?}") };
    assert_eq!(tool.as_str(), "new");
    strict.call::<_, Value>("known", &json!({})).await.unwrap();
    strict.call::<_, Value>("server_identity", &json!({})).await.unwrap();
    let sent = [json!(digest), Value::Null, json!("cd".repeat(32)), json!(digest), Value::Null];
    assert_eq!(*digests.lock().unwrap(), sent, "the refused call was not sent");
}

#[tokio::test]
async fn a_changed_tool_is_told() {
    let peer = Peer::answering(|call| {
        let details = peer::json(&json!({"digest": "0".repeat(64)}));
        let error = CallError::new(ErrorCode::ToolChanged, "changed").with_details(details);
        answer(409, call.reply(Outcome::Error(error)))
    })
    .await;
    let pins = Pins::new([("known".parse().unwrap(), "1".repeat(64).parse().unwrap())]);
    let client = peer.builder().pins(pins).build().unwrap();
    let error = client.call::<_, Value>("known", &json!({})).await.unwrap_err();
    assert!(matches!(&error, ClientError::Failed(e) if e.code == ErrorCode::ToolChanged));
}

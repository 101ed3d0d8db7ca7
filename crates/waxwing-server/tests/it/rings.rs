//! The ring of keys changes while calls go on.

use std::sync::Arc;

use serde_json::json;
use waxwing_core::ErrorCode;

use crate::harness::{House, empty_ring};
use crate::wire::{output, post};

/// A call ends with the keys it began with: its reply is signed although its key is gone by then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_under_way_keeps_its_ring() {
    let house = House::open().await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    let (message, sent) = agent.sign(&agent.request("hold", json!({"text": "held"})));
    wire.send(post(&message)).await;
    house.signals.entered().await;
    let before = house.rings.replace(empty_ring());
    assert_eq!((before.len(), house.rings.current().len()), (3, 0));

    let mut other = house.wire().await;
    let (message, _) = agent.sign(&agent.request("batch_sum", json!({"numbers": [1]})));
    let refused = other.post(&message).await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.refusal().code, ErrorCode::Unauthenticated);

    house.signals.release(1);
    let answer = wire.answer().await.unwrap();
    assert_eq!(output(&agent.verify(&sent, &answer)), "held");
    // The old ring goes with the last call that uses it.
    assert_eq!(Arc::strong_count(&before), 1);
    house.rings.replace(before);
    house.good_on(&mut other).await;
}

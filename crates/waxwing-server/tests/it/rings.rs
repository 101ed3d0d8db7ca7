//! The ring of keys changes while calls go on.

use std::sync::Arc;

use serde_json::json;
use waxwing_core::ErrorCode;
use waxwing_crypto::{Ed25519Key, Ed25519SigningKey, Key, KeyRecord, KeyState, Validity};

use crate::harness::empty_ring;
use crate::harness::{House, NOW_MS, key_of, ring};
use crate::wire::{HttpAnswer, output, post};

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

/// All that a stranger is shown: the status line, the headers but the clock's, the body.
fn shown(answer: &HttpAnswer) -> (Vec<String>, Vec<u8>) {
    let is_clock = |line: &&str| line.to_ascii_lowercase().starts_with("date:");
    let head = answer.head.lines().filter(|line| !is_clock(line)).map(str::to_owned).collect();
    (head, answer.body.clone())
}

/// Nobody learns over the wire which clients and keys there are, or in which state they are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_no_usable_key_is_answered_in_the_same_bytes() {
    let house = House::open().await;
    let signing = |number: u8| {
        let mut secret = *b"0123456789abcdef0123456789abcde.";
        secret[31] = number;
        Ed25519SigningKey::new(&secret).unwrap()
    };
    let mut keys = ring();
    let mut add = |id: &str, key: Key, state, validity| {
        let record = KeyRecord::new(id.parse().unwrap(), key);
        let record = record.with_state(state).with_validity(validity);
        keys.insert_record("agent-7".parse().unwrap(), record);
    };
    let own = || key_of("agent-7");
    let past = Validity::new(None, Some(NOW_MS)).unwrap();
    let future = Validity::new(Some(NOW_MS + 1), None).unwrap();
    let both = Ed25519Key::of_server(signing(1), signing(2).public_key()).unwrap();
    add("revoked", own(), KeyState::Revoked, Validity::ALWAYS);
    add("expired", own(), KeyState::Active, past);
    add("early", own(), KeyState::Active, future);
    add("other", both.into(), KeyState::Active, Validity::ALWAYS);
    // The detector: the same key in a usable record is answered otherwise.
    add("retiring", own(), KeyState::Retiring, Validity::ALWAYS);
    house.rings.replace(keys);

    let mut wire = house.wire().await;
    let (agent, nobody) = (house.caller("agent-7"), house.caller("nobody"));
    let forger = house.caller("agent-7").with_key_of("agent-8");
    let mut told = Vec::new();
    for (caller, key_id) in [
        (&forger, "k1"),
        (&nobody, "k1"),
        (&agent, "unknown"),
        (&agent, "revoked"),
        (&agent, "expired"),
        (&agent, "early"),
        (&agent, "other"),
        (&agent, "retiring"),
    ] {
        let mut request = caller.request("batch_sum", json!({"numbers": [1]}));
        request.key_id = key_id.parse().unwrap();
        told.push((key_id, shown(&wire.post(&caller.sign(&request).0).await)));
        if key_id != "retiring" {
            // As many digits as an Ed25519 signature has.
            let (message, sent) = caller.sign(&request);
            let text = String::from_utf8(message).unwrap();
            let end = text.rfind("\",\"tool\"").unwrap();
            drop(sent);
            let long = format!("{}{}{}", &text[..end], "0".repeat(64), &text[end..]);
            told.push((key_id, shown(&wire.post(long.as_bytes()).await)));
        }
    }
    let (_, usable) = told.pop().unwrap();
    let (_, first) = told[0].clone();
    assert!(first.0[0].contains("401"), "{first:?}");
    assert_ne!(usable, first);
    for (key_id, answer) in told {
        assert_eq!(answer, first, "{key_id}");
    }
}

//! The worked example after somebody without the key has changed it: nothing here is accepted.

use std::error::Error;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use waxwing_core::ErrorCode::{self, Malformed, Unauthenticated, UnsupportedVersion, WrongServer};

use crate::vector::{File, hex};
use crate::world::{NOW_MS, TS_MS, World, canonical, with, without};

pub(crate) fn file(world: &World) -> Result<File, Box<dyn Error>> {
    let (request, reply) = (&world.request, &world.reply);
    let mut vectors = Vec::new();
    for (name, changes, code) in of_request() {
        let bytes = canonical(&with(request, changes))?;
        vectors.push(world.request_vector(name, &bytes, NOW_MS, Some(code))?);
    }
    let right = request["signature"].as_str().unwrap_or_default();
    let hash = hex(&Sha256::digest(canonical(&without(request, "signature"))?));
    for (name, signature, code) in signatures(right, &hash) {
        let bytes = canonical(&with(request, json!({ "signature": signature })))?;
        vectors.push(world.request_vector(name, &bytes, NOW_MS, Some(code))?);
    }
    let bytes = world.signed_by(1, request)?;
    let name = "signed with another key of the client";
    vectors.push(world.request_vector(name, &bytes, NOW_MS, Some(Unauthenticated))?);
    let turned = with(reply, json!({"typ": "request"}));
    let bytes = canonical(&turned)?;
    vectors.push(world.request_vector("a reply sent back", &bytes, NOW_MS, Some(Malformed))?);

    for (name, changes, check) in of_reply(request) {
        let bytes = canonical(&with(reply, changes))?;
        vectors.push(world.reply_vector(name, &bytes, NOW_MS, Some(check))?);
    }
    let turned = with(request, json!({"typ": "reply"}));
    let bytes = canonical(&turned)?;
    vectors.push(world.reply_vector("a request sent back", &bytes, NOW_MS, Some("not_a_reply"))?);
    let about = "wire.md section 4: the worked example, changed by somebody who has no key";
    Ok(File { about, head: Some(world.head()), vectors })
}

fn of_request() -> Vec<(&'static str, Value, ErrorCode)> {
    let id = "3f0c2a7e-1c77-4e0e-9c3e-1d2f3a4b5c6d";
    let nonce = "0d7a1c5575c14a578f398a1a";
    vec![
        (
            "a number is changed",
            args("café € 😀\n", json!([1.5, 2, 0, 1e21, 0.2])),
            Unauthenticated,
        ),
        (
            "a number becomes a string",
            args("café € 😀\n", json!([1.5, 2, "0", 1e21, 0.1])),
            Unauthenticated,
        ),
        (
            "two numbers change places",
            args("café € 😀\n", json!([2, 1.5, 0, 1e21, 0.1])),
            Unauthenticated,
        ),
        (
            "a character is decomposed",
            args("cafe\u{301} € 😀\n", json!([1.5, 2, 0, 1e21, 0.1])),
            Unauthenticated,
        ),
        (
            "white space inside a string",
            args("café € 😀\n ", json!([1.5, 2, 0, 1e21, 0.1])),
            Unauthenticated,
        ),
        ("no arguments", json!({"args": {}}), Unauthenticated),
        ("another tool", json!({"tool": "batch_sun"}), Unauthenticated),
        ("a later time", json!({"ts_ms": TS_MS + 1}), Unauthenticated),
        ("another nonce", json!({"nonce": "0d7a1c5575c14a578f398a1b"}), Unauthenticated),
        ("another request_id", json!({"request_id": "r-2"}), Unauthenticated),
        ("two members change values", json!({"request_id": nonce, "nonce": id}), Unauthenticated),
        ("a boundary moves", json!({"client_id": "agent-7k", "key_id": "1"}), Unauthenticated),
        ("another key of the client", json!({"key_id": "k2"}), Unauthenticated),
        ("another client", json!({"client_id": "agent-8"}), Unauthenticated),
        ("another case", json!({"client_id": "Agent-7"}), Unauthenticated),
        ("an idempotency_key is added", json!({"idempotency_key": "i"}), Unauthenticated),
        ("a tool_digest is added", json!({"tool_digest": "0".repeat(64)}), Unauthenticated),
        (
            "a traceparent is added",
            json!({
                "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            }),
            Unauthenticated,
        ),
        ("another audience", json!({"server_id": "other.example"}), WrongServer),
        ("another version", json!({"v": "waxwing/0"}), UnsupportedVersion),
        ("another direction", json!({"typ": "reply"}), Malformed),
        ("an algorithm is added", json!({"alg": "none"}), Malformed),
    ]
}

fn args(note: &str, numbers: Value) -> Value {
    json!({"args": {"note": note, "numbers": numbers}})
}

/// Signatures in place of the right one; `hash` is one over the same bytes without a key.
fn signatures(right: &str, hash: &str) -> Vec<(&'static str, Value, ErrorCode)> {
    let (half, _) = right.split_at(32);
    vec![
        ("the last digit is changed", json!(right.replace("8bec", "8bed")), Unauthenticated),
        ("all zeros", json!("0".repeat(64)), Unauthenticated),
        ("a hash without a key", json!(hash), Unauthenticated),
        ("twice the signature", json!(right.repeat(2)), Unauthenticated),
        ("the signature and zeros", json!(format!("{right}{}", "0".repeat(64))), Unauthenticated),
        ("half the signature", json!(half), Malformed),
        ("upper-case digits", json!(right.to_uppercase()), Malformed),
        ("a digit too many", json!(format!("{right}0")), Malformed),
        ("no digits", json!(""), Malformed),
        ("null", Value::Null, Malformed),
        ("an array", json!([right]), Malformed),
    ]
}

fn of_reply(request: &Value) -> Vec<(&'static str, Value, &'static str)> {
    let wrong = "wrong_signature";
    vec![
        ("another result", json!({"result": {"count": 6, "total": 1e21}}), wrong),
        ("the signature of the request", json!({"signature": request["signature"]}), wrong),
        ("a signature of zeros", json!({"signature": "0".repeat(64)}), wrong),
        ("a reply to another request", json!({"in_reply_to": "0".repeat(64)}), wrong),
        ("a reply with another request_id", json!({"request_id": "r-2"}), wrong),
        ("a reply from another server", json!({"server_id": "other.example"}), wrong),
        ("a reply with a later time", json!({"ts_ms": TS_MS + 43}), wrong),
        ("a reply with another nonce", json!({"nonce": "c1b7f0aa90e24bd2a5b7c1f4"}), wrong),
        (
            "a job that is done",
            json!({"status": "done", "result": {"job_id": "j", "output": 1}}),
            wrong,
        ),
        ("a result becomes an error", json!({"status": "error"}), "not_a_reply"),
        ("a member is added", json!({"note": ""}), "not_a_reply"),
        ("half a signature", json!({"signature": "0".repeat(32)}), "not_a_reply"),
        ("a reply without a signature", json!({"signature": null}), "not_a_reply"),
    ]
}

//! Requests as a server reads them (wire.md §2, §5): shape, audience, key, signature, clock window.
//! Each is signed rightly, so that nothing but the rule it breaks can refuse it.

use std::error::Error;

use serde_json::{Value, json};
use waxwing_core::ErrorCode::{Malformed, Stale, Unauthenticated, UnsupportedVersion, WrongServer};

use crate::vector::{File, Vector};
use crate::world::{NOW_MS, SERVER_ID, TS_MS, World, canonical, with, without};

pub(crate) fn file(world: &World) -> Result<File, Box<dyn Error>> {
    let request = &world.request;
    let mut vectors = Vec::new();
    let mut worked = world.request_vector(
        "the worked example (section 11)",
        &canonical(request)?,
        NOW_MS,
        None,
    )?;
    worked.flip = true;
    vectors.push(worked);
    spellings(world, &mut vectors)?;

    for (name, changes) in accepted() {
        let bytes = world.signed(&with(request, changes))?;
        vectors.push(world.request_vector(name, &bytes, NOW_MS, None)?);
    }
    for (name, number, changes) in [
        ("another key of the client", 1, json!({"key_id": "k2"})),
        ("another client", 2, json!({"client_id": "agent-8"})),
    ] {
        let bytes = world.signed_by(number, &with(request, changes))?;
        vectors.push(world.request_vector(name, &bytes, NOW_MS, None)?);
    }
    for (name, changes) in malformed() {
        let bytes = world.signed(&with(request, changes))?;
        vectors.push(world.request_vector(name, &bytes, NOW_MS, Some(Malformed))?);
    }
    for name in request.as_object().into_iter().flat_map(|object| object.keys()) {
        let message = without(request, name);
        let bytes =
            if name == "signature" { canonical(&message)? } else { world.signed(&message)? };
        let title = format!("no {name}");
        vectors.push(world.request_vector(&title, &bytes, NOW_MS, Some(Malformed))?);
    }
    for (name, bytes) in [
        ("an array", canonical(&json!([request]))?),
        ("a name twice", br#"{"v":"waxwing/1","v":"waxwing/1"}"#.to_vec()),
        ("a reply", canonical(&world.reply)?),
    ] {
        vectors.push(world.request_vector(name, &bytes, NOW_MS, Some(Malformed))?);
    }
    for (name, changes, code) in [
        ("another version", json!({"v": "waxwing/2"}), UnsupportedVersion),
        ("another version with members of its own", json!({"v": 2, "x": 1}), UnsupportedVersion),
        ("another server", json!({"server_id": "sums.example."}), WrongServer),
        ("an unknown client", json!({"client_id": "agent-9"}), Unauthenticated),
        ("an unknown key", json!({"key_id": "k9"}), Unauthenticated),
        ("the key of another client", json!({"client_id": "agent-8"}), Unauthenticated),
    ] {
        let bytes = world.signed(&with(request, changes))?;
        vectors.push(world.request_vector(name, &bytes, NOW_MS, Some(code))?);
    }
    for (name, now_ms, code) in [
        ("as old as allowed", TS_MS + 120_000, None),
        ("too old", TS_MS + 120_001, Some(Stale)),
        ("as far ahead as allowed", TS_MS - 30_000, None),
        ("too far ahead", TS_MS - 30_001, Some(Stale)),
    ] {
        vectors.push(world.request_vector(name, &canonical(request)?, now_ms, code)?);
    }
    let about =
        "wire.md sections 2, 4, 5: requests as a server judges them, up to the clock window";
    Ok(File { about, head: Some(world.head()), vectors })
}

/// The worked example in other words: the signature is over the canonical bytes and holds.
fn spellings(world: &World, vectors: &mut Vec<Vector>) -> Result<(), Box<dyn Error>> {
    let pretty = serde_json::to_string_pretty(&world.request)?;
    let text = String::from_utf8(canonical(&world.request)?)?;
    let rotated = match text.strip_prefix('{').and_then(|rest| rest.rsplit_once(",\"v\":")) {
        Some((members, _)) => format!("{{\"v\":\"waxwing/1\",{members}}}"),
        None => return Err("the worked example does not end in v".into()),
    };
    for (name, input) in [
        ("with white space", pretty),
        ("with names in another order", rotated),
        ("with escapes", text.replace("café", "caf\\u00e9").replace("\"tool\"", "\"\\u0074ool\"")),
        (
            "with other numbers",
            text.replace("1790000000000", "1.79e12").replace("[1.5,2", "[15e-1,2.0"),
        ),
    ] {
        vectors.push(world.request_vector(name, input.as_bytes(), NOW_MS, None)?);
    }
    Ok(())
}

fn accepted() -> Vec<(&'static str, Value)> {
    vec![
        ("no arguments", json!({"args": {}})),
        (
            "arguments of every type",
            json!({"args": {"a": [null, true, -0.5, "", {}], "\u{1f600}": 1, "\u{fb33}": 2}}),
        ),
        (
            "every optional member",
            json!({
                "idempotency_key": "order:2026.09-1",
                "tool_digest": "0123456789abcdef".repeat(4),
                "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            }),
        ),
        ("the shortest texts", json!({"request_id": "r", "nonce": "A".repeat(16), "tool": "t"})),
        (
            "the longest texts",
            json!({
                "request_id": "A.z_0:-9".repeat(16), "nonce": "_-zA".repeat(16), "tool": "T-_9".repeat(16),
            }),
        ),
    ]
}

fn malformed() -> Vec<(&'static str, Value)> {
    vec![
        ("an unknown member", json!({"x": 1})),
        ("an algorithm", json!({"alg": "none"})),
        ("a member of replies", json!({"status": "ok"})),
        ("typ reply", json!({"typ": "reply"})),
        ("args is an array", json!({"args": [1]})),
        ("args is null", json!({"args": null})),
        ("ts_ms is a string", json!({"ts_ms": TS_MS.to_string()})),
        ("ts_ms is a fraction", json!({"ts_ms": 1_790_000_000_000.5})),
        ("ts_ms is no bare integer", json!({"ts_ms": 1e21})),
        ("request_id is empty", json!({"request_id": ""})),
        ("request_id is too long", json!({"request_id": "r".repeat(129)})),
        ("request_id has a slash", json!({"request_id": "a/b"})),
        ("request_id ends in a line end", json!({"request_id": "r\n"})),
        ("client_id is a number", json!({"client_id": 7})),
        ("client_id has a space", json!({"client_id": "agent 7"})),
        ("client_id is not ASCII", json!({"client_id": "agént-7"})),
        ("server_id is an array", json!({"server_id": [SERVER_ID]})),
        ("key_id is too long", json!({"key_id": "k".repeat(129)})),
        ("nonce is too short", json!({"nonce": "n".repeat(15)})),
        ("nonce is too long", json!({"nonce": "n".repeat(65)})),
        ("nonce has a point", json!({"nonce": "0d7a1c5575c14a57."})),
        ("tool has a point", json!({"tool": "batch.sum"})),
        ("tool is too long", json!({"tool": "t".repeat(65)})),
        ("idempotency_key is null", json!({"idempotency_key": null})),
        ("tool_digest in upper case", json!({"tool_digest": "0123456789ABCDEF".repeat(4)})),
        ("tool_digest is too short", json!({"tool_digest": "0".repeat(63)})),
        ("traceparent is empty", json!({"traceparent": ""})),
    ]
}

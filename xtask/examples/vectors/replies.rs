//! Replies and refusals as the client that sent the worked request judges them (wire.md §3, §5).

use std::error::Error;

use serde_json::{Value, json};
use waxwing_core::message::Outcome;
use waxwing_core::{CallError, CanonicalJson, ErrorCode};

use crate::vector::File;
use crate::world::{NOW_MS, TS_MS, World, canonical, with, without};

const NOT_A_REPLY: Option<&str> = Some("not_a_reply");

pub(crate) fn file(world: &World) -> Result<File, Box<dyn Error>> {
    let reply = &world.reply;
    let mut vectors = Vec::new();
    let mut worked =
        world.reply_vector("the worked example (section 11)", &canonical(reply)?, NOW_MS, None)?;
    worked.flip = true;
    vectors.push(worked);
    let pretty = serde_json::to_string_pretty(reply)?;
    vectors.push(world.reply_vector("with white space", pretty.as_bytes(), NOW_MS, None)?);

    for (name, outcome) in outcomes()? {
        let bytes = canonical(&world.answer(outcome)?)?;
        vectors.push(world.reply_vector(name, &bytes, NOW_MS, None)?);
    }
    for (name, changes) in wrong_shapes() {
        let bytes = world.signed(&with(reply, changes))?;
        vectors.push(world.reply_vector(name, &bytes, NOW_MS, NOT_A_REPLY)?);
    }
    for name in reply.as_object().into_iter().flat_map(|object| object.keys()) {
        let message = without(reply, name);
        let bytes =
            if name == "signature" { canonical(&message)? } else { world.signed(&message)? };
        vectors.push(world.reply_vector(&format!("no {name}"), &bytes, NOW_MS, NOT_A_REPLY)?);
    }
    for (name, bytes) in [
        ("nothing", Vec::new()),
        ("a page", b"<html>502 Bad Gateway</html>".to_vec()),
        ("an array", canonical(&json!([reply]))?),
        ("the request itself", canonical(&world.request)?),
    ] {
        vectors.push(world.reply_vector(name, &bytes, NOW_MS, NOT_A_REPLY)?);
    }
    for (name, changes, check) in [
        ("to another request", json!({"in_reply_to": "0".repeat(64)}), "wrong_request"),
        ("to another request_id", json!({"request_id": "r-2"}), "wrong_request"),
        ("to another client", json!({"client_id": "agent-8"}), "wrong_party"),
        ("from another server", json!({"server_id": "other.example"}), "wrong_party"),
        ("under another key_id", json!({"key_id": "k2"}), "wrong_party"),
    ] {
        let bytes = world.signed(&with(reply, changes))?;
        vectors.push(world.reply_vector(name, &bytes, NOW_MS, Some(check))?);
    }
    let bytes = world.signed_by(1, reply)?;
    let wrong = Some("wrong_signature");
    vectors.push(world.reply_vector("signed with another key", &bytes, NOW_MS, wrong)?);
    let (ts_ms, outside) = (TS_MS + 42, Some("outside_window"));
    for (name, now_ms, check) in [
        ("as old as allowed", ts_ms + 120_000, None),
        ("too old", ts_ms + 120_001, outside),
        ("as far ahead as allowed", ts_ms - 30_000, None),
        ("too far ahead", ts_ms - 30_001, outside),
    ] {
        vectors.push(world.reply_vector(name, &canonical(reply)?, now_ms, check)?);
    }
    let about = "wire.md sections 3, 4, 5: replies as the client that sent `sent` judges them";
    Ok(File { about, head: Some(world.head()), vectors })
}

fn outcomes() -> Result<Vec<(&'static str, Outcome<'static>)>, Box<dyn Error>> {
    let json = |value: Value| CanonicalJson::from_serialize(&value);
    let job_id = || "job:1".parse();
    let refused = CallError::new(ErrorCode::InvalidArgs, "numbers: expected \"an array\"\n")
        .with_details(json(json!({"violations": []}))?);
    let busy = CallError::new(ErrorCode::RateLimited, "later").with_retry_after_ms(1500);
    Ok(vec![
        ("ok with null", Outcome::Ok(json(Value::Null)?)),
        (
            "accepted",
            Outcome::Accepted { job_id: job_id()?, poll_after_ms: 500, ttl_ms: 86_400_000 },
        ),
        ("running", Outcome::Running { job_id: job_id()?, poll_after_ms: 0, progress: None }),
        (
            "input_required",
            Outcome::InputRequired {
                job_id: job_id()?,
                requests: json(json!({"name": {"message": "Who?", "schema": {"type": "string"}}}))?,
            },
        ),
        ("done", Outcome::Done { job_id: job_id()?, output: json(json!([1.5, "€"]))? }),
        ("cancelled", Outcome::Cancelled { job_id: job_id()?, reason: None }),
        (
            "cancelled for a reason",
            Outcome::Cancelled { job_id: job_id()?, reason: Some("enough".to_owned()) },
        ),
        ("a signed error with details", Outcome::Error(refused)),
        ("a signed error with a time to wait", Outcome::Error(busy)),
    ])
}

/// Signed rightly, and no reply all the same.
fn wrong_shapes() -> Vec<(&'static str, Value)> {
    vec![
        ("an unknown member", json!({"x": 1})),
        ("another version", json!({"v": "waxwing/2"})),
        ("typ request", json!({"typ": "request"})),
        ("an unknown status", json!({"status": "fine"})),
        ("status error without an error", json!({"status": "error"})),
        ("a result and an error", json!({"error": {"code": "internal", "message": ""}})),
        ("accepted without a job", json!({"status": "accepted"})),
        (
            "accepted with an unknown member",
            json!({
                "status": "accepted",
                "result": {"job_id": "j", "poll_after_ms": 1, "ttl_ms": 1, "x": 1},
            }),
        ),
        (
            "running with a negative time",
            json!({
                "status": "running", "result": {"job_id": "j", "poll_after_ms": -1},
            }),
        ),
        (
            "running with progress in words",
            json!({
                "status": "running", "result": {"job_id": "j", "poll_after_ms": 1, "progress": "half"},
            }),
        ),
        (
            "running with progress null",
            json!({
                "status": "running", "result": {"job_id": "j", "poll_after_ms": 1, "progress": null},
            }),
        ),
        (
            "cancelled for the reason null",
            json!({
                "status": "cancelled", "result": {"job_id": "j", "reason": null},
            }),
        ),
        ("done without an output", json!({"status": "done", "result": {"job_id": "j"}})),
        (
            "done with a job_id that is none",
            json!({
                "status": "done", "result": {"job_id": "", "output": 1},
            }),
        ),
        ("in_reply_to of another length", json!({"in_reply_to": "0".repeat(63)})),
        ("nonce is too short", json!({"nonce": "n"})),
        ("ts_ms is a string", json!({"ts_ms": "now"})),
    ]
}

pub(crate) fn refusals(world: &World) -> Result<File, Box<dyn Error>> {
    let refusal = |error: Value| json!({"v": "waxwing/1", "typ": "refusal", "error": error});
    let plain = |code: &str| refusal(json!({"code": code, "message": "no"}));
    let unsigned = Some("unsigned_refusal");
    let mut vectors = Vec::new();
    for code in ErrorCode::ALL {
        let check = if code.in_refusal() { unsigned } else { NOT_A_REPLY };
        let bytes = canonical(&plain(code.as_str()))?;
        vectors.push(world.reply_vector(code.as_str(), &bytes, NOW_MS, check)?);
    }
    let full = json!({"code": "overloaded", "message": "", "retry_after_ms": 250, "details": [1]});
    let signature = json!({"signature": "0".repeat(64)});
    for (name, message, check) in [
        ("with all that an error can have", refusal(full), unsigned),
        ("an unknown code", plain("teapot"), NOT_A_REPLY),
        ("an error that is text", refusal(json!("no")), NOT_A_REPLY),
        ("no message", refusal(json!({"code": "malformed"})), NOT_A_REPLY),
        (
            "an unknown member of the error",
            refusal(json!({"code": "malformed", "message": "", "x": 1})),
            NOT_A_REPLY,
        ),
        (
            "a wait that is no count",
            refusal(json!({"code": "overloaded", "message": "", "retry_after_ms": 0.5})),
            NOT_A_REPLY,
        ),
        ("with a result", with(&plain("malformed"), json!({"result": 1})), NOT_A_REPLY),
        ("with a signature", with(&plain("malformed"), signature), NOT_A_REPLY),
        ("another version", with(&plain("malformed"), json!({"v": "waxwing/2"})), NOT_A_REPLY),
        ("no version", without(&plain("malformed"), "v"), NOT_A_REPLY),
    ] {
        vectors.push(world.reply_vector(name, &canonical(&message)?, NOW_MS, check)?);
    }
    let about = "wire.md section 3: refusals, which a client must never take for an answer";
    Ok(File { about, head: Some(world.head()), vectors })
}

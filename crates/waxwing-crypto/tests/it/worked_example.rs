//! The worked example of wire.md §11, both ways: its bytes were made by an independent implementation.

use serde_json::json;
use waxwing_core::message::{Outcome, Request};
use waxwing_core::{CanonicalJson, Limits, Scratch, Signature};
use waxwing_crypto::{SentRequest, Window, sign_reply, sign_request, verify_reply};

use crate::fixture::{key, server_id, verify};

const REQUEST: &str = r#"{"args":{"note":"café € 😀\n","numbers":[1.5,2,0,1e+21,0.1]},"client_id":"agent-7","key_id":"k1","nonce":"0d7a1c5575c14a578f398a1a","request_id":"3f0c2a7e-1c77-4e0e-9c3e-1d2f3a4b5c6d","server_id":"sums.example","tool":"batch_sum","ts_ms":1790000000000,"typ":"request","v":"waxwing/1"}"#;
const REQUEST_SIGNATURE: &str = "39a69c7ca9a17db3c189b4c51919348bb6f11df46a905a3f09c3e9b9e0748bec";
const REPLY: &str = r#"{"client_id":"agent-7","in_reply_to":"39a69c7ca9a17db3c189b4c51919348bb6f11df46a905a3f09c3e9b9e0748bec","key_id":"k1","nonce":"c1b7f0aa90e24bd2a5b7c1f3","request_id":"3f0c2a7e-1c77-4e0e-9c3e-1d2f3a4b5c6d","result":{"count":5,"total":1e+21},"server_id":"sums.example","status":"ok","ts_ms":1790000000042,"typ":"reply","v":"waxwing/1"}"#;
const REPLY_SIGNATURE: &str = "8d3732c992139ec5388bbe639eb7240d5cb7cd3c3b16b52c6e1a08dbc03af7c2";

/// The message with its signature in its sorted place.
fn with_signature(unsigned: &str, before: &str, signature: &str) -> String {
    unsigned.replacen(before, &format!("\"signature\":\"{signature}\",{before}"), 1)
}

fn request_text() -> String {
    with_signature(REQUEST, "\"tool\":", REQUEST_SIGNATURE)
}

fn reply_text() -> String {
    with_signature(REPLY, "\"status\":", REPLY_SIGNATURE)
}

fn request() -> Request<'static, serde_json::Value> {
    Request {
        request_id: "3f0c2a7e-1c77-4e0e-9c3e-1d2f3a4b5c6d".parse().unwrap(),
        ts_ms: 1_790_000_000_000,
        client_id: "agent-7".parse().unwrap(),
        server_id: server_id(),
        key_id: "k1".parse().unwrap(),
        nonce: "0d7a1c5575c14a578f398a1a".parse().unwrap(),
        tool: "batch_sum".parse().unwrap(),
        args: json!({"numbers": [1.5, 2.0, -0.0, 1e21, 0.1], "note": "café € 😀\n"}),
        idempotency_key: None,
        tool_digest: None,
        traceparent: None,
    }
}

#[test]
fn we_write_its_request() {
    let mut out = Vec::new();
    let signature = sign_request(&key(), &request(), &mut Scratch::new(), &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), request_text());
    assert_eq!(signature.as_str(), REQUEST_SIGNATURE);
}

#[test]
fn we_verify_its_request_and_write_its_reply() {
    let (text, mut scratch) = (request_text(), Scratch::new());
    let verified = verify(text.as_bytes(), &mut scratch).unwrap();
    let output = json!({"total": 1e21, "count": 5});
    let mut out = Vec::new();
    sign_reply(
        &verified,
        Outcome::Ok(CanonicalJson::from_serialize(&output).unwrap()),
        1_790_000_000_042,
        "c1b7f0aa90e24bd2a5b7c1f3".parse().unwrap(),
        &mut Scratch::new(),
        &mut out,
    )
    .unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), reply_text());
}

#[test]
fn we_verify_its_reply() {
    let sent = SentRequest::new(&request(), Signature::new(REQUEST_SIGNATURE).unwrap());
    let (text, mut scratch) = (reply_text(), Scratch::new());
    let reply = verify_reply(
        text.as_bytes(),
        &Limits::default(),
        &key(),
        &sent,
        1_790_000_000_100,
        &Window::DEFAULT,
        &mut scratch,
    )
    .unwrap();
    let Outcome::Ok(output) = reply.into_outcome() else { panic!("not ok") };
    assert_eq!(output.as_str(), r#"{"count":5,"total":1e+21}"#);
}

#[test]
fn other_spellings_of_it_verify_alike() {
    let value: serde_json::Value = serde_json::from_str(&request_text()).unwrap();
    let text = serde_json::to_string_pretty(&value).unwrap().replace("agent-7", "\\u0061gent-7");
    let mut scratch = Scratch::new();
    let verified = verify(text.as_bytes(), &mut scratch).unwrap();
    assert_eq!(verified.signature().as_str(), REQUEST_SIGNATURE);
    assert_eq!(verified.client_id.as_str(), "agent-7");
}

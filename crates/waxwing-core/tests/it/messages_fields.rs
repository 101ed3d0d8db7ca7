//! The members of messages one by one: identifiers, times, outcomes and errors (wire.md §2, §3, §8).

use waxwing_core::message::{Answer, Outcome, Refusal, Request};
use waxwing_core::{CallError, CanonicalJson, ErrorCode, Limits, Scratch};

use crate::messages::{answer, request};
use crate::samples::{self, Member, text, with, without};

fn leaked(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

const ALPHANUMERIC: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

#[test]
fn identifiers_keep_their_alphabets_and_lengths() {
    let party = format!("{ALPHANUMERIC}._:/@-");
    let token = format!("{ALPHANUMERIC}._:-");
    let name = format!("{ALPHANUMERIC}_-");
    let (hex, trace) = ("0123456789abcdef", "0123456789abcdef-");
    for (id, shortest, longest, alphabet) in [
        ("client_id", 1, 128, party.as_str()),
        ("server_id", 1, 128, &party),
        ("key_id", 1, 128, &party),
        ("request_id", 1, 128, &token),
        ("idempotency_key", 1, 128, &token),
        ("nonce", 16, 64, &name),
        ("tool", 1, 64, &name),
        ("tool_digest", 64, 64, hex),
        ("traceparent", 55, 128, trace),
    ] {
        let accepted = |value: String| {
            request(&text(&with(samples::REQUEST, id, leaked(format!("\"{value}\""))))).is_ok()
        };
        let lengths: Vec<usize> = (0..140).filter(|n| accepted("a".repeat(*n))).collect();
        assert_eq!(lengths, (shortest..=longest).collect::<Vec<_>>(), "{id}");
        for character in (0x20..0x7f_u8).map(char::from).chain(['\u{7f}', '\u{e9}', '\u{ff10}']) {
            let escaped = match character {
                '"' | '\\' => format!("\\{character}"),
                plain => plain.to_string(),
            };
            let rest = "a".repeat(shortest - 1);
            let fits = alphabet.contains(character);
            assert_eq!(accepted(format!("{escaped}{rest}")), fits, "{id} {character:?}");
            assert_eq!(accepted(format!("{rest}{escaped}")), fits, "{id} {character:?}");
        }
    }
    for id in ["signature", "in_reply_to"] {
        let accepted = |value: String| {
            answer(&text(&with(samples::REPLY, id, leaked(format!("\"{value}\""))))).is_ok()
        };
        let lengths: Vec<usize> = (0..140).filter(|n| accepted("a".repeat(*n))).collect();
        assert_eq!(lengths, [64, 128], "{id}");
        assert!(!accepted("A".repeat(64)) && !accepted("g".repeat(64)));
    }
}

#[test]
fn times_are_integers() {
    for (ts_ms, expected) in [
        ("0", Some(0)),
        ("-0", Some(0)),
        ("-1", Some(-1)),
        ("1.0", Some(1)),
        ("1e3", Some(1000)),
        ("1.5e1", Some(15)),
        ("9007199254740991", Some(9_007_199_254_740_991)),
        ("-9007199254740991", Some(-9_007_199_254_740_991)),
        ("9007199254740992", None),
        ("1e21", None),
        ("0.5", None),
        ("1e-7", None),
        ("\"1\"", None),
    ] {
        let message = samples::joined(&with(samples::REQUEST, "ts_ms", ts_ms));
        let mut scratch = Scratch::new();
        let read = Request::read(message.as_bytes(), &Limits::default(), &mut scratch);
        assert_eq!(read.ok().map(|read| read.claim().ts_ms), expected, "{ts_ms}");
    }
}

/// A reply with this status, and this result or error.
fn reply(status: &'static str, name: &'static str, value: &'static str) -> String {
    let members = with(&without(samples::REPLY, "result"), name, value);
    text(&with(&members, "status", leaked(format!("\"{status}\""))))
}

#[test]
fn every_status_has_its_result() {
    for (status, result) in [
        ("ok", "null"),
        ("ok", "[{}]"),
        ("accepted", "{\"job_id\":\"j\",\"poll_after_ms\":0,\"ttl_ms\":9007199254740991}"),
        ("running", "{\"job_id\":\"j\",\"poll_after_ms\":1}"),
        ("running", "{\"job_id\":\"j\",\"poll_after_ms\":1,\"progress\":{\"done\":1}}"),
        (
            "running",
            "{\"job_id\":\"j\",\"poll_after_ms\":1,\"progress\":{\"done\":1,\"message\":\"\",\"total\":2}}",
        ),
        ("input_required", "{\"job_id\":\"j\",\"requests\":{}}"),
        (
            "input_required",
            "{\"job_id\":\"j\",\"requests\":{\"k\":{\"message\":\"m\",\"schema\":{}}}}",
        ),
        ("done", "{\"job_id\":\"j\",\"output\":null}"),
        ("cancelled", "{\"job_id\":\"j\"}"),
        ("cancelled", "{\"job_id\":\"j\",\"reason\":\"\\n\"}"),
    ] {
        answer(&reply(status, "result", result))
            .unwrap_or_else(|error| panic!("{status} {result}: {error}"));
    }
    for (status, result) in [
        ("accepted", "{}"),
        ("accepted", "null"),
        ("accepted", "[\"j\",1,2]"),
        ("accepted", "{\"job_id\":\"j\",\"poll_after_ms\":1}"),
        ("accepted", "{\"job_id\":\"j\",\"ttl_ms\":1}"),
        ("accepted", "{\"poll_after_ms\":1,\"ttl_ms\":2}"),
        ("accepted", "{\"job_id\":\"j\",\"poll_after_ms\":1,\"ttl_ms\":2,\"x\":3}"),
        ("accepted", "{\"job_id\":\"j\",\"poll_after_ms\":-1,\"ttl_ms\":2}"),
        ("accepted", "{\"job_id\":\"j\",\"poll_after_ms\":1.5,\"ttl_ms\":2}"),
        ("accepted", "{\"job_id\":\"j\",\"poll_after_ms\":\"1\",\"ttl_ms\":2}"),
        ("accepted", "{\"job_id\":\"\",\"poll_after_ms\":1,\"ttl_ms\":2}"),
        ("accepted", "{\"job_id\":\"a b\",\"poll_after_ms\":1,\"ttl_ms\":2}"),
        ("accepted", "{\"job_id\":1,\"poll_after_ms\":1,\"ttl_ms\":2}"),
        ("running", "{\"job_id\":\"j\"}"),
        ("running", "[\"j\",1]"),
        ("running", "{\"job_id\":\"j\",\"poll_after_ms\":1,\"progress\":1}"),
        ("running", "{\"job_id\":\"j\",\"poll_after_ms\":1,\"progress\":{}}"),
        ("running", "{\"job_id\":\"j\",\"poll_after_ms\":1,\"progress\":{\"done\":-1}}"),
        ("running", "{\"job_id\":\"j\",\"poll_after_ms\":1,\"progress\":{\"done\":1,\"x\":2}}"),
        (
            "running",
            "{\"job_id\":\"j\",\"poll_after_ms\":1,\"progress\":{\"done\":1,\"message\":5}}",
        ),
        ("running", "{\"job_id\":\"j\",\"poll_after_ms\":1,\"x\":2}"),
        ("input_required", "{\"job_id\":\"j\"}"),
        ("input_required", "{\"job_id\":\"j\",\"requests\":[]}"),
        ("input_required", "{\"job_id\":\"j\",\"requests\":{},\"x\":1}"),
        ("input_required", "{\"a\":1,\"job_id\":\"j\",\"requests\":{}}"),
        ("input_required", "{\"requests\":{}}"),
        ("done", "{\"job_id\":\"j\"}"),
        ("done", "{\"output\":1}"),
        ("done", "{\"job_id\":\"j\",\"output\":1,\"x\":1}"),
        ("done", "[\"j\",1]"),
        ("done", "\"j\""),
        ("cancelled", "{}"),
        ("cancelled", "[\"j\",\"r\"]"),
        ("cancelled", "{\"job_id\":\"j\",\"reason\":1}"),
        ("cancelled", "{\"job_id\":\"j\",\"x\":1}"),
        ("error", "{}"),
        ("OK", "1"),
        ("", "1"),
        ("unknown", "1"),
    ] {
        assert!(answer(&reply(status, "result", result)).is_err(), "{status} {result}");
    }
}

/// An optional member is there with its type, or it is not there: `null` is neither.
#[test]
fn null_is_not_the_absence_of_an_optional_member() {
    for (status, result) in [
        ("running", "{\"job_id\":\"j\",\"poll_after_ms\":1,\"progress\":null}"),
        (
            "running",
            "{\"job_id\":\"j\",\"poll_after_ms\":1,\"progress\":{\"done\":1,\"total\":null}}",
        ),
        (
            "running",
            "{\"job_id\":\"j\",\"poll_after_ms\":1,\"progress\":{\"done\":1,\"message\":null}}",
        ),
        ("cancelled", "{\"job_id\":\"j\",\"reason\":null}"),
    ] {
        assert!(answer(&reply(status, "result", result)).is_err(), "{status} {result}");
    }
}

/// serde would take an array for a struct, at any depth.
#[test]
fn an_array_in_place_of_progress_is_refused() {
    for progress in ["[1,2,\"m\"]", "[1,null,null]", "[]"] {
        let result = format!("{{\"job_id\":\"j\",\"poll_after_ms\":1,\"progress\":{progress}}}");
        assert!(answer(&reply("running", "result", leaked(result))).is_err(), "{progress}");
    }
}

const ERRORS: [(&str, bool); 22] = [
    ("{\"code\":\"internal\",\"message\":\"m\"}", true),
    ("{\"code\":\"stale\",\"details\":null,\"message\":\"\"}", true),
    ("{\"code\":\"stale\",\"details\":{\"a\":[1]},\"message\":\"\\n\u{e9}\"}", true),
    ("{\"code\":\"overloaded\",\"message\":\"m\",\"retry_after_ms\":0}", true),
    (
        "{\"code\":\"overloaded\",\"details\":1,\"message\":\"m\",\"retry_after_ms\":9007199254740991}",
        true,
    ),
    ("{}", false),
    ("null", false),
    ("[]", false),
    ("\"internal\"", false),
    ("[\"internal\",\"m\"]", false),
    ("{\"message\":\"m\"}", false),
    ("{\"code\":\"internal\"}", false),
    ("{\"code\":\"unheard_of\",\"message\":\"m\"}", false),
    ("{\"code\":\"Internal\",\"message\":\"m\"}", false),
    ("{\"code\":500,\"message\":\"m\"}", false),
    ("{\"code\":\"internal\",\"message\":1}", false),
    ("{\"code\":\"internal\",\"message\":null}", false),
    ("{\"code\":\"internal\",\"message\":\"m\",\"retry_after_ms\":-1}", false),
    ("{\"code\":\"internal\",\"message\":\"m\",\"retry_after_ms\":1.5}", false),
    ("{\"code\":\"internal\",\"message\":\"m\",\"retry_after_ms\":null}", false),
    ("{\"code\":\"internal\",\"message\":\"m\",\"x\":1}", false),
    ("{\"a\":1,\"code\":\"internal\",\"message\":\"m\"}", false),
];

#[test]
fn errors_have_their_shape() {
    for (error, fits) in ERRORS {
        assert_eq!(answer(&reply("error", "error", error)).is_ok(), fits, "{error}");
        assert!(answer(&reply("ok", "error", error)).is_err(), "{error}");
        let unsigned =
            error.replace("\"internal\"", "\"malformed\"").replace("\"stale\"", "\"malformed\"");
        let refusal = text(&with(samples::REFUSAL, "error", leaked(unsigned)));
        assert_eq!(answer(&refusal).is_ok(), fits, "{refusal}");
    }
    let both: Vec<Member> = with(samples::REPLY, "error", ERRORS[0].0);
    assert!(answer(&text(&both)).is_err());
    assert!(answer(&text(&with(&both, "status", "\"error\""))).is_err());
    assert!(answer(&text(&without(samples::REPLY, "result"))).is_err());
}

#[test]
fn a_refusal_carries_only_what_may_travel_unsigned() {
    let unsigned = [
        "too_large",
        "malformed",
        "unsupported_version",
        "wrong_server",
        "unauthenticated",
        "overloaded",
    ];
    for code in ErrorCode::ALL {
        let error = CallError::new(code, "what to send instead");
        let fits = unsigned.contains(&code.as_str());
        assert_eq!(Refusal::new(error).is_some(), fits, "{code}");
        let error = format!("{{\"code\":\"{code}\",\"message\":\"m\"}}");
        let refusal = text(&with(samples::REFUSAL, "error", leaked(error.clone())));
        assert_eq!(answer(&refusal).is_ok(), fits, "{code}");
        let signed = reply("error", "error", leaked(error));
        assert!(answer(&signed).is_ok(), "{code}");
    }
}

#[test]
fn a_refusal_is_written_as_it_is_read() {
    let details =
        CanonicalJson::from_serialize(&serde_json::json!({"b": [1.0], "a": "\n"})).unwrap();
    let error = CallError::new(ErrorCode::Malformed, "line\n\"two\"")
        .with_details(details)
        .with_retry_after_ms(7);
    let refusal = Refusal::new(error).unwrap();
    let text = refusal.to_vec().unwrap();
    assert_eq!(
        std::str::from_utf8(&text).unwrap(),
        "{\"error\":{\"code\":\"malformed\",\"details\":{\"a\":\"\\n\",\"b\":[1]},\"message\":\"line\\n\\\"two\\\"\",\"retry_after_ms\":7},\"typ\":\"refusal\",\"v\":\"waxwing/1\"}"
    );
    let mut scratch = Scratch::new();
    let read = Answer::read(&text, &Limits::default(), &mut scratch).unwrap();
    assert!(matches!(read, Answer::Refusal(read) if *read == refusal));
    let endless = CallError::new(ErrorCode::Overloaded, "").with_retry_after_ms(u64::MAX);
    assert!(Refusal::new(endless).unwrap().to_vec().is_err());
}

/// Drafting refuses what no peer could read, and keeps what the buffer held.
#[test]
fn a_draft_is_refused_or_whole() {
    let source = text(samples::REQUEST);
    let mut scratch = Scratch::new();
    let read = Request::read(source.as_bytes(), &Limits::default(), &mut scratch).unwrap();
    let (request, signature) = read.into_checked();
    let mut out = b"before".to_vec();
    let draft = request.draft(64, &mut Scratch::new(), &mut out).unwrap();
    draft.complete(&mut out, signature.as_str().as_bytes()).unwrap();
    assert_eq!(out, format!("before{source}").as_bytes());

    let mut out = b"before".to_vec();
    let with_args = |args: serde_json::Value, ts_ms: i64| Request {
        request_id: request.request_id.clone(),
        ts_ms,
        client_id: request.client_id.clone(),
        server_id: request.server_id.clone(),
        key_id: request.key_id.clone(),
        nonce: request.nonce.clone(),
        tool: request.tool.clone(),
        args,
        idempotency_key: None,
        tool_digest: None,
        traceparent: None,
    };
    for args in ["[]", "1", "\"a\"", "null", "{\"a\":9007199254740992}"] {
        let refused = with_args(serde_json::from_str(args).unwrap(), 0);
        assert!(refused.draft(64, &mut Scratch::new(), &mut out).is_err(), "{args}");
        assert!(out.starts_with(b"before"));
    }
    let refused = with_args(serde_json::json!({}), i64::MIN);
    assert!(refused.draft(64, &mut Scratch::new(), &mut out).is_err());

    for wrong in [63, 65, 0, 128] {
        let mut out = Vec::new();
        let draft = request.draft(64, &mut Scratch::new(), &mut out).unwrap();
        assert!(draft.complete(&mut out, "a".repeat(wrong).as_bytes()).is_err());
    }
    let draft = request.draft(64, &mut Scratch::new(), &mut Vec::new()).unwrap();
    assert!(draft.complete(&mut [], &[b'a'; 64]).is_err());
    assert!(matches!(Outcome::Error(CallError::new(ErrorCode::Stale, "")).http_status(), 401));
}

/// serde would take an array, or `null`, where a closed object or a member stands.
#[test]
fn results_are_closed_objects_at_every_depth() {
    let reply = |status: &str, result: &str| {
        format!(
            r#"{{"client_id":"a","in_reply_to":"{sig}","key_id":"k","nonce":"0123456789abcdef","request_id":"r","result":{result},"server_id":"s","signature":"{sig}","status":"{status}","ts_ms":1,"typ":"reply","v":"waxwing/1"}}"#,
            sig = "0".repeat(64)
        )
    };
    let read =
        |text: &str| Answer::read(text.as_bytes(), &Limits::default(), &mut Scratch::new()).is_ok();
    for (status, good, bad) in [
        (
            "running",
            r#"{"job_id":"j","poll_after_ms":5,"progress":{"done":1,"message":"m","total":2}}"#,
            vec![
                r#"{"job_id":"j","poll_after_ms":5,"progress":[1,2,"m"]}"#,
                r#"{"job_id":"j","poll_after_ms":5,"progress":null}"#,
                r#"{"job_id":"j","poll_after_ms":5,"progress":{"done":1,"total":null}}"#,
                r#"{"job_id":"j","poll_after_ms":-5}"#,
                r#"["j",5]"#,
            ],
        ),
        (
            "accepted",
            r#"{"job_id":"j","poll_after_ms":5,"ttl_ms":6}"#,
            vec![r#"["j",5,6]"#, r#"{"job_id":"j","poll_after_ms":5,"ttl_ms":6,"x":1}"#],
        ),
        (
            "cancelled",
            r#"{"job_id":"j","reason":"r"}"#,
            vec![r#"{"job_id":"j","reason":null}"#, r#"{"job_id":"j","reason":["r"]}"#],
        ),
        ("done", r#"{"job_id":"j","output":[1]}"#, vec![r#"["j",[1]]"#, r#"{"job_id":"j"}"#]),
    ] {
        assert!(read(&reply(status, good)), "{status}: {good}");
        for bad in bad {
            assert!(!read(&reply(status, bad)), "{status}: {bad}");
        }
    }
}

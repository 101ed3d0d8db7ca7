//! Every code of wire.md §8 that a server can produce now, each with its HTTP status, and a good
//! call after each.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use waxwing_core::message::Outcome;
use waxwing_core::{CallError, ClientId, ErrorCode, Limits};
use waxwing_jobs::{Bounds, MemoryStore};
use waxwing_server::{Access, Authorizer, HttpLimits};

use crate::harness::House;
use crate::wire::{Caller, Wire, details, error, post};

/// `rate_limited` alone is missing: there is no rate limiter yet.
const OUT_OF_REACH: [ErrorCode; 1] = [ErrorCode::RateLimited];

/// Lets everybody but the guest use everything.
#[derive(Debug)]
pub(crate) struct NoSecretsForGuests;

impl Authorizer for NoSecretsForGuests {
    fn judge(&self, client: &ClientId<'_>, tool: &str) -> Access {
        match (client.as_str(), tool) {
            ("guest", "secret_tool" | "no_such_secret") => Access::Denied,
            _ => Access::Allowed,
        }
    }
}

/// The codes seen, and the server they come from.
struct Seen {
    house: House,
    wire: Wire,
    codes: BTreeSet<&'static str>,
}

impl Seen {
    fn note(&mut self, code: ErrorCode, status: u16, error: &CallError) {
        assert_eq!(error.code, code, "{error}");
        assert_eq!(status, code.http_status(), "{error}");
        assert!(!error.message.is_empty());
        self.codes.insert(code.as_str());
    }

    /// Posts bytes that are refused unsigned.
    async fn refused(&mut self, code: ErrorCode, message: &[u8]) -> CallError {
        let answer = self.wire.post(message).await;
        let error = answer.refusal();
        self.note(code, answer.status, &error);
        self.good().await;
        error
    }

    /// Makes a call that is answered with a signed error.
    async fn failed(&mut self, code: ErrorCode, tool: &str, args: Value) -> CallError {
        let agent = self.house.caller("agent-7");
        let request = agent.request(tool, args);
        let (status, outcome) = agent.send(&mut self.wire, &request).await;
        let error = error(outcome);
        self.note(code, status, &error);
        self.good().await;
        error
    }

    /// A good call on the same connection, unless the server has ended it, and on a new one.
    async fn good(&mut self) {
        self.house.good_on(&mut self.wire).await;
        self.house.good().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_code_comes_with_its_status_and_harms_nothing() {
    let bounds = Bounds { unfinished_per_client: 1, ..Bounds::default() };
    let house = House::over(Arc::new(MemoryStore::new(bounds)), |builder| {
        builder.limits(Limits::default().with_max_message(64 << 10)).authorizer(NoSecretsForGuests)
    })
    .await;
    let wire = house.wire().await;
    let mut seen = Seen { house, wire, codes: BTreeSet::new() };
    refusals(&mut seen).await;
    admission(&mut seen).await;
    arguments(&mut seen).await;
    tools(&mut seen).await;
    jobs(&mut seen).await;
    seen.codes.extend(overloaded_connections().await);

    let expected: BTreeSet<&str> = ErrorCode::ALL
        .into_iter()
        .filter(|code| !OUT_OF_REACH.contains(code))
        .map(ErrorCode::as_str)
        .collect();
    assert_eq!(seen.codes, expected);
}

/// Steps 1 to 6 of wire.md §5: unsigned.
async fn refusals(seen: &mut Seen) {
    let agent = seen.house.caller("agent-7");
    let sum = |caller: &Caller| caller.request("batch_sum", json!({"numbers": [1]}));
    let signed = |caller: &Caller| caller.sign(&sum(caller)).0;

    let malformed = seen.refused(ErrorCode::Malformed, b"{\"a\":1,\"a\":2}").await;
    assert_eq!(details(&malformed)["offset"], 7);
    seen.refused(ErrorCode::Malformed, b"").await;
    seen.refused(ErrorCode::Malformed, b"[]").await;
    seen.refused(ErrorCode::Malformed, b"{}").await;

    let message = String::from_utf8(signed(&agent)).unwrap();
    let other_version = message.replace("waxwing/1", "waxwing/2");
    let version = seen.refused(ErrorCode::UnsupportedVersion, other_version.as_bytes()).await;
    assert_eq!(details(&version), json!({"supported": ["waxwing/1"]}));

    let mut elsewhere = sum(&agent);
    elsewhere.server_id = "other.example".parse().unwrap();
    seen.refused(ErrorCode::WrongServer, &agent.sign(&elsewhere).0).await;

    // Unknown client, unknown key and wrong signature are one text.
    let stranger = Caller::new("stranger", seen.house.clock.clone());
    let forger = seen.house.caller("agent-7").with_key_of("agent-8");
    let mut other_key = sum(&agent);
    other_key.key_id = "k2".parse().unwrap();
    let tampered = message.replace("\"numbers\":[1]", "\"numbers\":[2]");
    let mut texts = BTreeSet::new();
    for forged in
        [signed(&stranger), signed(&forger), agent.sign(&other_key).0, tampered.into_bytes()]
    {
        let refused = seen.refused(ErrorCode::Unauthenticated, &forged).await;
        texts.insert(refused.to_string());
        assert_eq!(refused.details, None);
    }
    assert_eq!(texts.len(), 1);

    // Told by its length alone, before a byte of it is read; the connection ends with it.
    let long = vec![b' '; (64 << 10) + 1];
    seen.wire.send(&post(&long)[..200]).await;
    let answer = seen.wire.answer().await.unwrap();
    seen.note(ErrorCode::TooLarge, answer.status, &answer.refusal());
    seen.wire = seen.house.wire().await;
    seen.good().await;
}

/// Steps 7 and 8: signed, and only what passes them spends its nonce.
async fn admission(seen: &mut Seen) {
    let agent = seen.house.caller("agent-7");
    for offset_ms in [-120_001, 30_001, i64::from(i32::MIN)] {
        let mut request = agent.request("batch_sum", json!({"numbers": [1]}));
        request.ts_ms += offset_ms;
        let (status, outcome) = agent.send(&mut seen.wire, &request).await;
        let stale = error(outcome);
        seen.note(ErrorCode::Stale, status, &stale);
        // The server's time is what a client mends its clock with.
        assert_eq!(details(&stale), json!({"server_ts_ms": seen.house.clock.now_ms()}));
        seen.good().await;
        request.ts_ms -= offset_ms;
        let (status, _) = agent.send(&mut seen.wire, &request).await;
        assert_eq!(status, 200, "a stale message has not spent its nonce");
    }

    let (message, sent) = agent.sign(&agent.request("batch_sum", json!({"numbers": [1]})));
    let first = seen.wire.post(&message).await;
    assert!(matches!(agent.verify(&sent, &first), Outcome::Ok(_)));
    for _ in 0..2 {
        let again = seen.wire.post(&message).await;
        let replayed = error(agent.verify(&sent, &again));
        seen.note(ErrorCode::Replayed, again.status, &replayed);
        seen.good().await;
    }
}

/// Steps 9 to 11.
async fn arguments(seen: &mut Seen) {
    let guest = seen.house.caller("guest");
    // What a client may not use looks the same whether there is such a tool or not.
    for tool in ["secret_tool", "no_such_secret"] {
        let (status, outcome) = guest.call(&mut seen.wire, tool, json!({"wrong": 1})).await;
        seen.note(ErrorCode::Forbidden, status, &error(outcome));
        seen.good().await;
    }
    let unknown = seen.failed(ErrorCode::UnknownTool, "batch_sun", json!({})).await;
    assert_eq!(details(&unknown)["similar"][0], "batch_sum");

    let agent = seen.house.caller("agent-7");
    let mut pinned = agent.request("batch_sum", json!({"not": "looked at"}));
    pinned.tool_digest = Some("0".repeat(64).parse().unwrap());
    let (status, outcome) = agent.send(&mut seen.wire, &pinned).await;
    let changed = error(outcome);
    seen.note(ErrorCode::ToolChanged, status, &changed);
    let mut current = agent.request("batch_sum", json!({"numbers": [1]}));
    current.tool_digest = Some(details(&changed)["digest"].as_str().unwrap().parse().unwrap());
    assert_eq!(agent.send(&mut seen.wire, &current).await.0, 200);

    let wrong = json!({"numbers": ["1", 2, null], "extra": true});
    let invalid = seen.failed(ErrorCode::InvalidArgs, "batch_sum", wrong).await;
    let violations = details(&invalid)["violations"].as_array().unwrap().clone();
    let paths: Vec<&str> = violations.iter().map(|v| v["path"].as_str().unwrap()).collect();
    assert_eq!(violations.len(), 3, "{paths:?}");
    assert!(paths.contains(&"/numbers/0") && paths.contains(&"/numbers/2"), "{paths:?}");
}

/// Step 12: the tool's own ways to fail.
async fn tools(seen: &mut Seen) {
    let failed = seen.failed(ErrorCode::ToolFailed, "fail", json!({})).await;
    assert_eq!(
        (failed.message.as_str(), details(&failed)),
        ("the pump is broken", json!({"bar": 0}))
    );
    let lied = seen.failed(ErrorCode::InvalidOutput, "lie", json!({})).await;
    assert!(details(&lied)["correlation_id"].is_string());
    let internal = seen.failed(ErrorCode::Internal, "panic", json!({})).await;
    assert!(details(&internal)["correlation_id"].is_string());
    assert!(!internal.message.contains("secret-in-a-panic"));
    seen.failed(ErrorCode::Timeout, "sleep", json!({})).await;

    // The one place of `hold_alone` is taken: nothing more of it is run.
    let (agent, mut other) = (seen.house.caller("agent-8"), seen.house.wire().await);
    let (message, sent) = agent.sign(&agent.request("hold_alone", json!({"text": "held"})));
    other.send(post(&message)).await;
    seen.house.signals.entered().await;
    let full = seen.failed(ErrorCode::Overloaded, "hold_alone", json!({"text": "more"})).await;
    assert!(full.retry_after_ms.is_some());
    seen.house.signals.release(1);
    let held = other.answer().await.unwrap();
    assert_eq!(crate::wire::output(&agent.verify(&sent, &held)), json!("held"));
}

/// The codes of jobs.
async fn jobs(seen: &mut Seen) {
    let agent = seen.house.caller("agent-7");
    let job = agent.start(&mut seen.wire, "fail_later", json!({})).await;
    let failed = error(agent.settle(&mut seen.wire, &job).await);
    seen.note(ErrorCode::JobFailed, 200, &failed);
    let attempts = &details(&failed)["attempts"];
    assert_eq!(attempts[0]["message"], "the pump is broken");
    assert_eq!(attempts[0]["code"], "tool_failed");
    seen.good().await;

    seen.failed(ErrorCode::UnknownJob, "poll_job", json!({"job_id": "never-was"})).await;

    // One unfinished job is all that the store takes of a client.
    let job = agent.start(&mut seen.wire, "hold_later", json!({"text": "a"})).await;
    let full = seen.failed(ErrorCode::Overloaded, "say_later", json!({"text": "b"})).await;
    assert!(full.retry_after_ms.is_some());
    seen.house.signals.release(1);
    agent.settle(&mut seen.wire, &job).await;

    let mut first = agent.request("say_later", json!({"text": "a"}));
    first.idempotency_key = Some("once".parse().unwrap());
    assert_eq!(agent.send(&mut seen.wire, &first).await.0, 200);
    let mut other = agent.request("say_later", json!({"text": "b"}));
    other.idempotency_key = Some("once".parse().unwrap());
    let (status, outcome) = agent.send(&mut seen.wire, &other).await;
    seen.note(ErrorCode::Conflict, status, &error(outcome));
    seen.good().await;
}

/// More connections than there is room for: told so without a byte being read.
async fn overloaded_connections() -> [&'static str; 1] {
    let mut limits = HttpLimits::DEFAULT;
    limits.connections = 1;
    let house = House::with(|builder| builder.http(limits)).await;
    let mut only = house.wire().await;
    house.good_on(&mut only).await;
    let mut beyond = house.wire().await;
    let answer = beyond.answer().await.unwrap();
    let error = answer.refusal();
    assert_eq!((answer.status, error.code), (503, ErrorCode::Overloaded));
    assert!(error.retry_after_ms.is_some());
    beyond.ends().await;
    house.good_on(&mut only).await;
    [error.code.as_str()]
}

//! What is sent, what is refused before it is sent, and what a call gives back.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use waxwing_client::{CallOptions, Client, ClientError, InvalidUrl, Misuse};
use waxwing_core::message::Outcome;
use waxwing_core::{CallError, ErrorCode, Limits, WriteError};

use crate::peer::{self, Peer, answer, builder, job, key, script};

#[tokio::test]
async fn what_is_sent_is_what_was_asked_for() {
    let peer = Peer::answering(|call| {
        let mut request = call.request();
        request["signature"].take();
        answer(200, call.reply(Outcome::Ok(peer::json(&request))))
    })
    .await;
    let client = peer
        .builder()
        .clock(|| peer::now_ms() / 1000 * 1000)
        .entropy(|buffer| {
            buffer.fill(0xab);
            Ok(())
        })
        .build()
        .unwrap();
    let options = CallOptions::new()
        .idempotency_key("order-1".parse().unwrap())
        .tool_digest("0f".repeat(32).parse().unwrap())
        .traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap());
    let sent: Value = client.call_with("echo", &json!({"a": 1}), &options).await.unwrap();
    assert!(sent["ts_ms"].as_i64().unwrap() % 1000 == 0);
    let mut rest = sent.clone();
    rest["ts_ms"].take();
    let expected = json!({
        "v": "waxwing/1", "typ": "request", "client_id": "agent-7", "server_id": "sums.example",
        "key_id": "k1", "tool": "echo", "args": {"a": 1}, "ts_ms": null, "signature": null,
        "request_id": "abababab-abab-4bab-abab-abababababab",
        "nonce": "abababababab4bababababababababab",
        "idempotency_key": "order-1", "tool_digest": "0f".repeat(32),
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    });
    assert_eq!(rest, expected);
}

#[tokio::test]
async fn what_cannot_be_sent_is_the_callers_misuse() {
    let peer = Peer::answering(|call| answer(200, call.echo())).await;
    let limits = Limits::DEFAULT.with_max_message(1_000);
    let client = peer.builder().limits(limits).build().unwrap();
    let misuse = async |tool: &str, args: &dyn Fn() -> Value| match client
        .call::<_, Value>(tool, &args())
        .await
        .unwrap_err()
    {
        ClientError::Misuse(misuse) => misuse,
        other => panic!("{other:?}"),
    };
    assert!(matches!(misuse("no spaces", &|| json!({})).await, Misuse::ToolName(_)));
    assert_eq!(misuse("echo", &|| json!([1])).await, Misuse::Arguments(WriteError::NotObject));
    let large = misuse("echo", &|| json!({"text": "x".repeat(2_000)})).await;
    assert!(matches!(large, Misuse::TooLarge { bytes: 2_000.., limit: 1_000 }), "{large}");

    let nan = BTreeMap::from([("x", f64::NAN)]);
    let error = client.call::<_, Value>("echo", &nan).await.unwrap_err();
    assert!(matches!(error, ClientError::Misuse(Misuse::Arguments(WriteError::NotFinite))));
    assert_eq!(peer.calls(), 0);
}

#[tokio::test]
async fn no_randomness_no_call() {
    let peer = Peer::answering(|call| answer(200, call.echo())).await;
    let dry = peer.builder().entropy(|_| Err(io::Error::other("dry"))).build().unwrap();
    let error = dry.call::<_, Value>("echo", &json!({})).await.unwrap_err();
    assert!(matches!(error, ClientError::NoEntropy(_)), "{error:?}");
    assert_eq!(peer.calls(), 0);
}

#[tokio::test]
async fn canonical_arguments_are_sent_as_they_are() {
    let peer = Peer::answering(|call| answer(200, call.echo())).await;
    let args = peer::json(&json!({"b": 1e21, "a": "x"}));
    let outcome = peer.client().call_raw("echo", &args, &CallOptions::new()).await.unwrap();
    assert_eq!(outcome, Outcome::Ok(args));
}

#[tokio::test]
async fn outputs_of_another_type_are_not_returned() {
    #[derive(Debug, Deserialize)]
    struct Sum {
        #[expect(dead_code, reason = "it is never decoded")]
        total: f64,
    }
    let peer = Peer::answering(|call| answer(200, call.echo())).await;
    let error = peer.client().call::<_, Sum>("echo", &json!({"sum": 1})).await.unwrap_err();
    assert!(matches!(error, ClientError::Decode(_)));
    assert!(error.to_string().contains("missing field `total`"), "{error}");
}

#[tokio::test]
async fn calling_a_job_tool_loses_nothing() {
    let peer = Peer::answering(|call| {
        let job_id = job("job-1");
        answer(200, call.reply(Outcome::Accepted { job_id, poll_after_ms: 100, ttl_ms: 1000 }))
    })
    .await;
    let error = peer.client().call::<_, Value>("long_task", &json!({})).await.unwrap_err();
    assert_eq!(error.to_string(), "the tool runs as job job-1; wait for that job");
    let ClientError::OtherStatus(outcome) = error else { panic!() };
    assert_eq!(outcome.status(), "accepted");
}

#[test]
fn urls_that_cannot_be_called() {
    let error = builder("https://sums.example").build().unwrap_err();
    assert_eq!(error, InvalidUrl::NoTls);
    assert!(error.to_string().contains("TLS is not built in yet"));
}

#[tokio::test]
async fn a_client_shows_nothing_of_its_key() {
    let peer = Peer::answering(|_| answer(200, "{}")).await;
    let client = peer.client();
    let error = client.call::<_, Value>("echo", &json!({})).await.unwrap_err();
    for shown in [format!("{client:?}"), format!("{:?}", peer.builder()), format!("{error:?}")] {
        assert!(!shown.contains("canary"), "{shown}");
        assert!(!shown.contains("99, 97, 110, 97"), "{shown}");
    }
    assert!(format!("{client:?}").contains("agent-7"));
    assert_eq!(key().algorithm(), "hmac-sha256");
}

/// The client's side of a rotation: the newest key that may signs, call by call.
#[tokio::test]
async fn each_call_is_signed_with_the_newest_key_that_may() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use waxwing_crypto::{HmacKey, KeyChain, KeyRecord, Validity};

    let peer = Peer::start(|call| async move {
        let used = call.request()["key_id"].as_str().unwrap().to_owned();
        // Nobody answers the second key here: which one was used is told by an unsigned refusal.
        answer(401, format!("{{\"error\":{{\"code\":\"unauthenticated\",\"message\":\"{used}\"}},\"typ\":\"refusal\",\"v\":\"waxwing/1\"}}"))
    })
    .await;
    let mut keys = KeyChain::default();
    for (id, from, until) in [("k1", None, Some(30)), ("k2", Some(20), Some(40))] {
        let secret: Vec<u8> = (0..32).map(|i| i ^ id.as_bytes()[1]).collect();
        let record = KeyRecord::new(id.parse().unwrap(), HmacKey::new(&secret).unwrap().into());
        keys.insert(record.with_validity(Validity::new(from, until).unwrap()));
    }
    let now = Arc::new(AtomicI64::new(0));
    let clock = Arc::clone(&now);
    let url = format!("http://{}", peer.address);
    let (client_id, server_id) = ("agent-7".parse().unwrap(), "sums.example".parse().unwrap());
    let client = Client::builder_with_keys(url, client_id, server_id, keys)
        .clock(move || clock.load(Ordering::SeqCst))
        .build()
        .unwrap();
    for (now_ms, signs) in
        [(0, Some("k1")), (19, Some("k1")), (20, Some("k2")), (39, Some("k2")), (40, None)]
    {
        now.store(now_ms, Ordering::SeqCst);
        let error = client.call::<_, Value>("echo", &json!({})).await.unwrap_err();
        match (error, signs) {
            (ClientError::Refused(error), Some(id)) => assert_eq!(error.message, id, "{now_ms}"),
            (ClientError::Misuse(Misuse::NoKey), None) => {}
            other => panic!("{now_ms}: {other:?}"),
        }
    }
}

/// What a server says of a call with an idempotency key that has not ended in the time it waits.
fn still_running() -> Outcome<'static> {
    Outcome::Error(CallError::new(ErrorCode::Timeout, "It still runs.").with_retry_after_ms(1_000))
}

/// What it says of one that the tool has given up on: this is its outcome.
fn timed_out() -> Outcome<'static> {
    Outcome::Error(CallError::new(ErrorCode::Timeout, "It took too long."))
}

fn keyed() -> CallOptions {
    CallOptions::new().idempotency_key("order-1".parse().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_keyed_call_that_still_runs_is_asked_for_again() {
    let done = Outcome::Ok(peer::json(&json!(5)));
    let peer = script(vec![still_running(), still_running(), done]).await;
    let began = tokio::time::Instant::now();
    let output: Value = peer.client().call_with("sum", &json!({}), &keyed()).await.unwrap();
    assert_eq!((output, peer.calls()), (json!(5), 3));
    assert!(began.elapsed() >= Duration::from_secs(2), "it pauses as it is asked to");

    // What the tool itself ran out of is an outcome.
    let peer = script(vec![still_running(), timed_out()]).await;
    let error = peer.client().call_with::<_, Value>("sum", &json!({}), &keyed()).await.unwrap_err();
    assert!(matches!(error, ClientError::Failed(e) if e.message == "It took too long."));
    assert_eq!(peer.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_keyed_call_that_never_ends_is_said_to_run() {
    let peer = script(vec![still_running()]).await;
    let after = Duration::from_millis(2_500);
    let call = peer.client();
    let error = call.call_raw("sum", &json!({}), &keyed().timeout(after)).await.unwrap_err();
    assert!(matches!(error, ClientError::StillRunning { after: told } if told == after));
    assert_eq!(
        error.to_string(),
        "the call still runs after 2500 ms; send it again with the same idempotency key"
    );
    assert_eq!(peer.calls(), 3);
}

/// Without a key another message would be another call.
#[tokio::test]
async fn a_call_without_a_key_is_never_sent_again() {
    let peer = script(vec![still_running()]).await;
    let error = peer.client().call::<_, Value>("sum", &json!({})).await.unwrap_err();
    assert!(matches!(error, ClientError::Failed(e) if e.code == ErrorCode::Timeout));
    assert_eq!(peer.calls(), 1);
}

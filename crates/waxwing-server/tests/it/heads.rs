//! Heads that two readers could read in two ways, and bytes that are no HTTP at all: each refused,
//! none of them harmful.

use std::time::Duration;

use serde_json::json;
use waxwing_server::HttpLimits;

use crate::harness::House;
use crate::wire::{output, post};

const HOUR: Duration = Duration::from_secs(3600);
const LINE: &str = "POST /v1/call HTTP/1.1\r\n";
const REST: &str = "Content-Type: application/json\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ambiguous_heads_are_refused_and_end_the_connection() {
    let house = House::open().await;
    let long = format!("X: {}\r\n", "a".repeat(20_000));
    let many = "X: a\r\n".repeat(200);
    for (what, head, status) in [
        (
            "length and chunks",
            format!(
                "{LINE}Host: localhost\r\n{REST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"
            ),
            400,
        ),
        (
            "chunks and length",
            format!(
                "{LINE}Host: localhost\r\n{REST}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"
            ),
            400,
        ),
        (
            "one length twice",
            format!("{LINE}Host: localhost\r\n{REST}Content-Length: 2\r\nContent-Length: 2\r\n"),
            400,
        ),
        (
            "two lengths",
            format!("{LINE}Host: localhost\r\n{REST}Content-Length: 2\r\nContent-Length: 3\r\n"),
            400,
        ),
        (
            "a list of lengths",
            format!("{LINE}Host: localhost\r\n{REST}Content-Length: 2, 2\r\n"),
            400,
        ),
        ("a signed length", format!("{LINE}Host: localhost\r\n{REST}Content-Length: +2\r\n"), 400),
        ("two hosts", format!("{LINE}Host: localhost\r\nHost: evil.example\r\n{REST}"), 400),
        ("one host twice", format!("{LINE}Host: localhost\r\nHost: localhost\r\n{REST}"), 400),
        ("no host", format!("{LINE}{REST}Content-Length: 2\r\n"), 400),
        (
            "a blank before the colon",
            format!("{LINE}Host: localhost\r\n{REST}Content-Length : 2\r\n"),
            400,
        ),
        ("a folded line", format!("{LINE}Host: localhost\r\nX: a\r\n b\r\n{REST}"), 400),
        ("bare line feeds", format!("{LINE}Host: localhost\nContent-Length: 2\n"), 400),
        ("a bare carriage return", format!("{LINE}Host: localhost\r{REST}\r\n"), 400),
        ("a control character", format!("{LINE}Host: local\0host\r\n{REST}"), 400),
        (
            "an absolute target",
            format!("POST http://localhost/v1/call HTTP/1.1\r\nHost: localhost\r\n{REST}"),
            400,
        ),
        (
            "another coding",
            format!("{LINE}Host: localhost\r\n{REST}Transfer-Encoding: gzip, chunked\r\n"),
            501,
        ),
        ("another version", format!("POST /v1/call HTTP/3.0\r\nHost: localhost\r\n{REST}"), 505),
        ("the preface of HTTP/2", "PRI * HTTP/2.0\r\n".to_owned(), 400),
        ("a long field", format!("{LINE}Host: localhost\r\n{long}"), 431),
        ("many fields", format!("{LINE}Host: localhost\r\n{many}"), 431),
        ("no HTTP", "hello there\r\n".to_owned(), 400),
        ("a hand-shake of TLS", "\u{16}\u{3}\u{1}".to_owned(), 400),
    ] {
        let mut wire = house.wire().await;
        wire.send(format!("{head}\r\n{{}}")).await;
        let answer = wire.answer().await.unwrap_or_else(|| panic!("{what}: no answer"));
        let status = if what == "the preface of HTTP/2" { 505 } else { status };
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        wire.ends().await;
        house.good().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_head_behind_a_good_call_harms_only_itself() {
    // No deadline helps: the call's end alone has to bring the answer to the bad head.
    let mut limits = HttpLimits::DEFAULT;
    (limits.first_byte, limits.head, limits.idle) = (HOUR, HOUR, HOUR);
    let house = House::with(|builder| builder.http(limits)).await;
    let agent = house.caller("agent-7");
    let mut wire = house.wire().await;
    let (message, sent) = agent.sign(&agent.request("hold", json!({"text": "held"})));
    let smuggled = format!("{LINE}Host: a\r\nHost: b\r\n\r\n");
    wire.send([post(&message), smuggled.into_bytes()].concat()).await;
    house.signals.entered().await;
    house.signals.release(1);
    let answer = wire.answer().await.unwrap();
    assert_eq!(output(&agent.verify(&sent, &answer)), "held");
    assert_eq!(wire.answer().await.unwrap().status, 400);
    wire.ends().await;
    house.good().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_that_stop_in_the_middle_are_forgotten() {
    let house = House::open().await;
    let agent = house.caller("agent-7");
    let (message, _) = agent.sign(&agent.request("count", json!({})));
    let whole = post(&message);
    for at in [0, 1, 20, whole.len() - message.len(), whole.len() - 1] {
        let mut wire = house.wire().await;
        wire.send(&whole[..at]).await;
        wire.finish().await;
        if let Some(answer) = wire.answer().await {
            assert_eq!(answer.status, 400, "cut at {at}: {answer:?}");
        }
        house.good().await;
    }
    assert_eq!(house.signals.unseen(), 0, "no part of a message is a call");
    // And the message itself is as good as ever: none of its parts has spent its nonce.
    assert_eq!(house.wire().await.post(&message).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_chunks_are_no_call() {
    let house = House::open().await;
    for body in ["zz\r\n{}\r\n0\r\n\r\n", "2\r\n{}X\r\n0\r\n\r\n", "ffffffffffffffffff\r\n{}"] {
        let mut wire = house.wire().await;
        let head = format!("{LINE}Host: localhost\r\n{REST}Transfer-Encoding: chunked\r\n\r\n");
        wire.send(head + body).await;
        if let Some(answer) = wire.answer().await {
            assert_eq!(answer.status, 400, "{body:?}: {answer:?}");
        }
        wire.ends().await;
        house.good().await;
    }
}

/// A body that is announced as chunks is bounded as well, as it comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_chunks_end_at_the_bound() {
    let limits = waxwing_core::Limits::default().with_max_message(10_000);
    let house = House::with(|builder| builder.limits(limits)).await;
    let mut wire = house.wire().await;
    wire.send(format!("{LINE}Host: localhost\r\n{REST}Transfer-Encoding: chunked\r\n\r\n")).await;
    let chunk = format!("3e8\r\n{}\r\n", " ".repeat(1000));
    for _ in 0..11 {
        wire.send(&chunk).await;
    }
    let answer = wire.answer().await.unwrap();
    assert_eq!(answer.refusal().code, waxwing_core::ErrorCode::TooLarge);
    wire.ends().await;
    house.good().await;
}

/// However a request is bent, nothing of it is served that its key did not sign, and nobody is
/// harmed. The message is forged, so a run of the tool would be a break-in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_flipped_bit_opens_the_door() {
    let house = House::open().await;
    let forger = house.caller("agent-7").with_key_of("agent-8");
    let (message, _) = forger.sign(&forger.request("count", json!({})));
    let whole = post(&message);
    for (at, byte) in whole.iter().enumerate() {
        let mut bent = whole.clone();
        bent[at] = byte ^ (1 << (at % 8));
        let mut wire = house.wire().await;
        wire.send(&bent).await;
        wire.finish().await;
        if let Some(answer) = wire.answer().await {
            let refused = matches!(answer.status, 400..=499 | 501 | 505);
            assert!(refused, "bit {} of byte {at}: {answer:?}", at % 8);
        }
    }
    assert_eq!(house.signals.unseen(), 0);
    house.good().await;
}

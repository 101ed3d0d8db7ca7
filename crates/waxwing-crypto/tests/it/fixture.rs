//! A client, a server and messages between them.

use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use serde_json::{Value, json};
use waxwing_core::message::{Outcome, Request};
use waxwing_core::{CanonicalJson, Limits, Scratch, ServerId, Signature};
use waxwing_crypto::{
    HmacKey, Key, KeyRing, RequestFault, SentRequest, Verified, sign_reply, sign_request,
    verify_request,
};

pub(crate) const NOW: i64 = 1_790_000_000_000;

pub(crate) fn key() -> Key {
    let secret: Vec<u8> = (0..32).collect();
    HmacKey::new(&secret).unwrap().into()
}

pub(crate) fn server_id() -> ServerId<'static> {
    "sums.example".parse().unwrap()
}

/// The ring of every test.
pub(crate) fn ring() -> &'static KeyRing {
    static RING: LazyLock<KeyRing> = LazyLock::new(new_ring);
    &RING
}

/// Two clients, the first with two keys; no two keys are the same.
fn new_ring() -> KeyRing {
    let decoy = |seed: u8| {
        let secret: Vec<u8> = (0..32).map(|i| i ^ seed).collect();
        HmacKey::new(&secret).unwrap()
    };
    let other = |seed: u8| -> Key { decoy(seed).into() };
    let mut ring = KeyRing::new(decoy(0x80).into());
    ring.insert("agent-7".parse().unwrap(), "k1".parse().unwrap(), key());
    ring.insert("agent-7".parse().unwrap(), "k2".parse().unwrap(), other(0x40));
    ring.insert("agent-8".parse().unwrap(), "k1".parse().unwrap(), other(0x20));
    ring
}

pub(crate) fn request(nonce: u64, args: Value) -> Request<'static, Value> {
    Request {
        request_id: "3f0c2a7e-1c77-4e0e-9c3e-1d2f3a4b5c6d".parse().unwrap(),
        ts_ms: NOW,
        client_id: "agent-7".parse().unwrap(),
        server_id: server_id(),
        key_id: "k1".parse().unwrap(),
        nonce: format!("nonce-{nonce:018}").parse().unwrap(),
        tool: "batch_sum".parse().unwrap(),
        args,
        idempotency_key: None,
        tool_digest: None,
        traceparent: None,
    }
}

/// The signed bytes of a request, and its signature.
pub(crate) fn signed(request: &Request<'_, Value>) -> (Vec<u8>, Signature<'static>) {
    let mut out = Vec::new();
    let signature = sign_request(&key(), request, &mut Scratch::new(), &mut out).unwrap();
    (out, signature)
}

pub(crate) fn verify<'a>(
    bytes: &'a [u8],
    scratch: &'a mut Scratch,
) -> Result<Verified<'a>, RequestFault> {
    verify_request(bytes, &Limits::default(), &server_id(), ring(), NOW, scratch)
}

/// The signed reply of an honest server, and what the client remembers of its request.
pub(crate) fn exchange(nonce: u64) -> (Vec<u8>, SentRequest) {
    let request = request(nonce, json!({"numbers": [1.5, 2]}));
    let (bytes, signature) = signed(&request);
    let mut scratch = Scratch::new();
    let verified = verify(&bytes, &mut scratch).unwrap();
    let mut reply = Vec::new();
    sign_reply(
        &verified,
        Outcome::Ok(CanonicalJson::from_serialize(&json!({"count": 2, "total": 3.5})).unwrap()),
        NOW + 42,
        "server-nonce-0001".parse().unwrap(),
        &mut Scratch::new(),
        &mut reply,
    )
    .unwrap();
    (reply, SentRequest::new(&request, signature))
}

/// What a future gives that has nothing to wait for.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => unreachable!("it waits"),
    }
}

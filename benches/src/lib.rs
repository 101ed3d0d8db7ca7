//! What the benches share: payloads made from a fixed seed, a key, and the rivals' way of doing it.

#![expect(clippy::expect_used, reason = "a bench that cannot go on must stop")]

pub mod payload;
pub mod rivals;

use waxwing_core::message::Request;
use waxwing_core::{Scratch, ServerId};
use waxwing_crypto::{HmacKey, Key, KeyRing, sign_request};

use payload::Args;

/// The secret of every bench.
pub const SECRET: &[u8; 32] = b"0123456789abcdef0123456789abcdef";

/// The clock of every bench.
pub const NOW_MS: i64 = 1_790_000_000_000;

/// The benches' key.
#[must_use]
pub fn key() -> Key {
    HmacKey::new(SECRET).expect("a strong key").into()
}

/// The ring of a server that knows a thousand clients, the benches' one among them.
#[must_use]
pub fn ring() -> KeyRing {
    let mut ring =
        KeyRing::new(HmacKey::new(b"a decoy key of thirty-two bytes!").expect("strong").into());
    for n in 0..1000 {
        let client = format!("agent-{n}").parse().expect("an id");
        ring.insert(client, "k1".parse().expect("an id"), key());
    }
    ring
}

/// The benches' server.
#[must_use]
pub fn server_id() -> ServerId<'static> {
    "sums.example".parse().expect("an id")
}

/// The request that carries `args`.
#[must_use]
pub fn request<A>(args: A) -> Request<'static, A> {
    Request {
        request_id: "3f0c2a7e-1c77-4e0e-9c3e-1d2f3a4b5c6d".parse().expect("an id"),
        ts_ms: NOW_MS,
        client_id: "agent-7".parse().expect("an id"),
        server_id: server_id(),
        key_id: "k1".parse().expect("an id"),
        nonce: "0d7a1c5575c14a578f398a1a".parse().expect("a nonce"),
        tool: "batch_sum".parse().expect("a name"),
        args,
        idempotency_key: None,
        tool_digest: None,
        traceparent: None,
    }
}

/// The signed bytes of the request that carries `args`.
#[must_use]
pub fn message(args: &Args) -> Vec<u8> {
    let mut out = Vec::new();
    sign_request(&key(), &request(args), &mut Scratch::new(), &mut out).expect("it signs");
    out
}

//! Keys in every state and of both algorithms: who is let in, that all others hear the same, and that a
//! rotation makes nothing replayable.

use std::sync::LazyLock;

use serde_json::{Value, json};
use waxwing_core::message::{Outcome, Refusal, Request};
use waxwing_core::{CanonicalJson, Limits, Scratch, Signature};
use waxwing_crypto::{
    Ed25519Key, Ed25519SigningKey, HmacKey, Key, KeyRecord, KeyRing, KeyState, ReplyFault,
    SentRequest, Validity, Window, sign_reply, sign_request, verify_reply, verify_request,
};

use crate::fixture::{NOW, request, server_id};

/// A secret of its own for each number.
pub(crate) fn secret(number: u8) -> [u8; 32] {
    std::array::from_fn(|i| (i as u8).wrapping_mul(37) ^ number)
}

fn signing(number: u8) -> Ed25519SigningKey {
    Ed25519SigningKey::new(&secret(number)).unwrap()
}

/// The number of the server's own secret.
const SERVER: u8 = 0xff;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Hmac,
    Ed25519,
}

pub(crate) const BOTH: [Algorithm; 2] = [Algorithm::Hmac, Algorithm::Ed25519];

impl Algorithm {
    /// The client's side of the key of that number.
    pub(crate) fn of_client(self, number: u8) -> Key {
        match self {
            Self::Hmac => HmacKey::new(&secret(number)).unwrap().into(),
            Self::Ed25519 => {
                let server = signing(SERVER).public_key();
                Ed25519Key::of_client(signing(number), server).unwrap().into()
            }
        }
    }

    /// The server's side of it.
    pub(crate) fn of_server(self, number: u8) -> Key {
        match self {
            Self::Hmac => self.of_client(number),
            Self::Ed25519 => {
                let client = signing(number).public_key();
                Ed25519Key::of_server(signing(SERVER), client).unwrap().into()
            }
        }
    }
}

/// A key of the clients `hmac` and `ed25519`: its name, its number, its state and its time.
type TestKey = (&'static str, u8, KeyState, [Option<i64>; 2]);

const KEYS: [TestKey; 7] = [
    ("active", 1, KeyState::Active, [None, None]),
    ("retiring", 2, KeyState::Retiring, [None, Some(NOW + 1)]),
    ("revoked", 3, KeyState::Revoked, [None, None]),
    ("early", 4, KeyState::Active, [Some(NOW + 1), None]),
    ("expired", 5, KeyState::Active, [None, Some(NOW)]),
    ("over", 6, KeyState::Retiring, [Some(NOW - 10), Some(NOW)]),
    ("timely", 7, KeyState::Active, [Some(NOW), Some(NOW + 1)]),
];

fn client(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Hmac => "hmac",
        Algorithm::Ed25519 => "ed25519",
    }
}

pub(crate) fn ring() -> &'static KeyRing {
    static RING: LazyLock<KeyRing> = LazyLock::new(|| {
        let mut ring = KeyRing::new(HmacKey::new(&secret(0x80)).unwrap().into());
        for algorithm in BOTH {
            for (id, number, state, [from, until]) in KEYS {
                let record = KeyRecord::new(id.parse().unwrap(), algorithm.of_server(number))
                    .with_state(state)
                    .with_validity(Validity::new(from, until).unwrap());
                ring.insert_record(client(algorithm).parse().unwrap(), record);
            }
        }
        ring
    });
    &RING
}

pub(crate) fn named(client: &str, key_id: &str) -> Request<'static, Value> {
    let mut request = request(1, json!({"numbers": [1.5, 2]}));
    request.client_id = client.parse().unwrap();
    request.key_id = key_id.parse().unwrap();
    request
}

pub(crate) fn signed(key: &Key, request: &Request<'_, Value>) -> (Vec<u8>, Signature<'static>) {
    let mut out = Vec::new();
    let signature = sign_request(key, request, &mut Scratch::new(), &mut out).unwrap();
    (out, signature)
}

/// The refusal that the bytes are answered with, if they are.
fn refusal(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut scratch = Scratch::new();
    let limits = Limits::default();
    let fault = verify_request(bytes, &limits, &server_id(), ring(), NOW, &mut scratch).err()?;
    Some(Refusal::new(fault.to_call_error()).unwrap().to_vec().unwrap())
}

#[test]
fn keys_verify_as_their_state_and_time_say() {
    for algorithm in BOTH {
        for (id, number, ..) in KEYS {
            let (bytes, _) = signed(&algorithm.of_client(number), &named(client(algorithm), id));
            let taken = ["active", "retiring", "timely"].contains(&id);
            assert_eq!(refusal(&bytes).is_none(), taken, "{algorithm:?} {id}");
        }
    }
}

#[test]
fn every_key_that_cannot_be_used_is_refused_in_the_same_bytes() {
    let mut refusals = Vec::new();
    for algorithm in BOTH {
        let key = |number| algorithm.of_client(number);
        let client = client(algorithm);
        for (bytes, _) in [
            signed(&key(1), &named("nobody", "active")),
            signed(&key(1), &named(client, "unknown")),
            signed(&key(3), &named(client, "revoked")),
            signed(&key(4), &named(client, "early")),
            signed(&key(5), &named(client, "expired")),
            signed(&key(6), &named(client, "over")),
            signed(&key(9), &named(client, "active")),
            signed(&key(2), &named(client, "active")),
        ] {
            refusals.push(refusal(&bytes).unwrap());
        }
        let (right, _) = signed(&key(1), &named(client, "active"));
        let right: Value = serde_json::from_slice(&right).unwrap();
        for signature in ["0".repeat(64), "0".repeat(128), "f".repeat(64), "f".repeat(128)] {
            let mut changed = right.clone();
            changed["signature"] = signature.into();
            refusals.push(refusal(&serde_json::to_vec(&changed).unwrap()).unwrap());
        }
    }
    assert_eq!(refusals.len(), 2 * (8 + 4));
    assert!(refusals.iter().all(|bytes| *bytes == refusals[0]));
    assert!(String::from_utf8_lossy(&refusals[0]).contains("unauthenticated"));
}

/// The classic confusion: a public key is known to everybody, so it must never be a secret.
#[test]
fn the_algorithm_is_the_keys_and_not_the_messages() {
    let public_as_secret = |number: u8| -> Key {
        HmacKey::new(signing(number).public_key().as_bytes()).unwrap().into()
    };
    for (key, claimed) in [
        (public_as_secret(1), "ed25519"),
        (public_as_secret(SERVER), "ed25519"),
        (Algorithm::Hmac.of_client(1), "ed25519"),
        (Algorithm::Ed25519.of_client(1), "hmac"),
    ] {
        let (bytes, _) = signed(&key, &named(claimed, "active"));
        assert!(refusal(&bytes).is_some(), "{claimed}");
    }
    // And so on the other side: a reply by the other algorithm, or by the request's own key.
    let (request, sent) = exchange(Algorithm::Ed25519);
    let reply = reply_of(&request);
    assert!(verify(&reply, &Algorithm::Ed25519.of_client(1), &sent).is_ok());
    for key in [Algorithm::Hmac.of_client(1), public_as_secret(SERVER)] {
        assert_eq!(verify(&reply, &key, &sent), Err(ReplyFault::WrongSignature));
    }
    let client_to_itself =
        Ed25519Key::of_client(signing(2), signing(1).public_key()).unwrap().into();
    assert_eq!(verify(&reply, &client_to_itself, &sent), Err(ReplyFault::WrongSignature));
}

fn exchange(algorithm: Algorithm) -> (Vec<u8>, SentRequest) {
    let request = named(client(algorithm), "active");
    let (bytes, signature) = signed(&algorithm.of_client(1), &request);
    (bytes, SentRequest::new(&request, signature))
}

fn reply_of(request: &[u8]) -> Vec<u8> {
    let mut scratch = Scratch::new();
    let limits = Limits::default();
    let verified =
        verify_request(request, &limits, &server_id(), ring(), NOW, &mut scratch).unwrap();
    let outcome = Outcome::Ok(CanonicalJson::from_serialize(&json!({"total": 3.5})).unwrap());
    let mut reply = Vec::new();
    let nonce = "server-nonce-0001".parse().unwrap();
    sign_reply(&verified, outcome, NOW, nonce, &mut Scratch::new(), &mut reply).unwrap();
    reply
}

fn verify(reply: &[u8], key: &Key, sent: &SentRequest) -> Result<(), ReplyFault> {
    let (limits, mut scratch) = (Limits::default(), Scratch::new());
    verify_reply(reply, &limits, key, sent, NOW, &Window::DEFAULT, &mut scratch).map(drop)
}

#[test]
fn replies_are_signed_by_the_other_half_of_the_same_key() {
    for algorithm in BOTH {
        let (request, sent) = exchange(algorithm);
        let reply = reply_of(&request);
        assert_eq!(verify(&reply, &algorithm.of_client(1), &sent), Ok(()));
        let digits = |bytes: &[u8]| {
            let message: Value = serde_json::from_slice(bytes).unwrap();
            message["signature"].as_str().unwrap().len()
        };
        let length = if algorithm == Algorithm::Hmac { 64 } else { 128 };
        assert_eq!((digits(&request), digits(&reply)), (length, length));
        let other =
            reply_of(&signed(&algorithm.of_client(7), &named(client(algorithm), "timely")).0);
        assert!(verify(&other, &algorithm.of_client(1), &sent).is_err());
    }
    // Any client's replies carry the server's one Ed25519 key: the binding tells them apart.
    let (_, sent) = exchange(Algorithm::Ed25519);
    let other = reply_of(&signed(&Algorithm::Ed25519.of_client(7), &named("ed25519", "timely")).0);
    let fault = verify(&other, &Algorithm::Ed25519.of_client(1), &sent);
    assert_eq!(fault, Err(ReplyFault::WrongRequest));
}

#[test]
fn the_fingerprint_is_the_same_on_both_sides() {
    for algorithm in BOTH {
        let (here, there) = (algorithm.of_client(1), algorithm.of_server(1));
        assert_eq!(here.fingerprint(), there.fingerprint());
        assert_eq!(here.algorithm(), there.algorithm());
    }
    let of_server = signing(SERVER).public_key().fingerprint();
    assert_eq!(Algorithm::Ed25519.of_client(1).fingerprint(), of_server);
    assert_eq!(Algorithm::Ed25519.of_server(2).fingerprint(), of_server);
}

#[test]
fn no_flipped_bit_of_an_ed25519_exchange_is_accepted() {
    let quick = std::env::var_os("WAXWING_QUICK").is_some();
    let (limits, mut scratch, mut tried) = (Limits::default(), Scratch::new(), 0_u32);
    for n in 0..if quick { 1 } else { 12 } {
        let mut request = named("ed25519", "active");
        request.args = json!({"n": n, "note": "x\"\u{20ac}".repeat(n), "numbers": [n, 0.5]});
        let (message, _) = signed(&Algorithm::Ed25519.of_client(1), &request);
        for bit in 0..message.len() * 8 {
            let mut changed = message.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let verdict =
                verify_request(&changed, &limits, &server_id(), ring(), NOW, &mut scratch);
            let refused = verdict.is_err() || crate::tamper::is_respelling(&changed, &message);
            assert!(refused, "bit {bit} of {}", String::from_utf8_lossy(&message));
            tried += 1;
        }
    }
    let (request, sent) = exchange(Algorithm::Ed25519);
    let reply = reply_of(&request);
    for bit in 0..reply.len() * 8 {
        let mut changed = reply.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(verify(&changed, &Algorithm::Ed25519.of_client(1), &sent).is_err(), "bit {bit}");
        tried += 1;
    }
    println!("{tried} flipped bits, none accepted");
}

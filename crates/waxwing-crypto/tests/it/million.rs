//! A million tampered messages in one count: every flipped bit, fields swapped within and between
//! messages, boundaries moved, other keys, algorithms, audiences and directions, replies to other
//! requests. None is accepted. What is counted is what the receiver's own entry points say.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use serde_json::{Map, Value, json};
use waxwing_core::message::Outcome;
use waxwing_core::{CanonicalJson, Limits, Scratch};
use waxwing_crypto::{
    HmacKey, KeyRing, SentRequest, Window, sign_reply, sign_request, verify_reply, verify_request,
};

use crate::fixture::{NOW, request, server_id};
use crate::keys::{Algorithm, BOTH, secret};
use crate::tamper::is_respelling;

/// A golden exchange: a request, its reply, and what the client remembers.
struct Golden {
    request: Vec<u8>,
    reply: Vec<u8>,
    sent: SentRequest,
}

/// What was tried and what was let in.
#[derive(Default)]
struct Count {
    tried: AtomicU64,
    accepted: AtomicU64,
}

fn ring(algorithm: Algorithm) -> KeyRing {
    let mut ring = KeyRing::new(HmacKey::new(&secret(0x80)).unwrap().into());
    for (client, key, number) in [("agent-7", "k1", 1), ("agent-7", "k2", 2), ("agent-8", "k1", 3)]
    {
        ring.insert(client.parse().unwrap(), key.parse().unwrap(), algorithm.of_server(number));
    }
    ring
}

fn args(n: u64) -> Value {
    match n % 4 {
        0 => json!({"numbers": [n, 0.5, 1e21, -3.25]}),
        1 => json!({"note": format!("line {n}\n\"quoted\" \u{20ac}"), "deep": [[[{"a": null}]]]}),
        2 => json!({}),
        _ => {
            json!({"numbers": [0.1 + n as f64], "flag": true, "z": "0123456789".repeat(n as usize % 7)})
        }
    }
}

fn golden(algorithm: Algorithm, n: u64) -> Golden {
    let mut request = request(n, args(n));
    if n.is_multiple_of(3) {
        request.idempotency_key = Some(format!("order-{n}").parse().unwrap());
        request.tool_digest = Some(format!("{n:064x}").parse().unwrap());
    }
    let (key, mut scratch, mut message) = (algorithm.of_client(1), Scratch::new(), Vec::new());
    let signature = sign_request(&key, &request, &mut scratch, &mut message).unwrap();
    let sent = SentRequest::new(&request, signature);
    let (ring, mut reply) = (ring(algorithm), Vec::new());
    let verified =
        verify_request(&message, &Limits::default(), &server_id(), &ring, NOW, &mut scratch)
            .unwrap();
    let output = CanonicalJson::from_serialize(&json!({"count": n, "total": 3.5})).unwrap();
    let nonce = format!("server-nonce-{n:05}").parse().unwrap();
    sign_reply(&verified, Outcome::Ok(output), NOW + 42, nonce, &mut Scratch::new(), &mut reply)
        .unwrap();
    Golden { request: message, reply, sent }
}

impl Count {
    fn note(&self, is_accepted: bool) {
        self.tried.fetch_add(1, Ordering::Relaxed);
        self.accepted.fetch_add(u64::from(is_accepted), Ordering::Relaxed);
    }

    /// A message for the server of `ring`. `like` is the one it was made of: another spelling of that is
    /// no forgery.
    fn request(&self, ring: &KeyRing, message: &[u8], like: &[u8]) {
        let (limits, mut scratch) = (Limits::default(), Scratch::new());
        let verdict = verify_request(message, &limits, &server_id(), ring, NOW, &mut scratch);
        self.note(verdict.is_ok() && !is_respelling(message, like));
    }

    fn reply(&self, algorithm: Algorithm, sent: &SentRequest, message: &[u8], like: &[u8]) {
        let (limits, mut scratch) = (Limits::default(), Scratch::new());
        let (key, window) = (algorithm.of_client(1), Window::DEFAULT);
        let verdict = verify_reply(message, &limits, &key, sent, NOW, &window, &mut scratch);
        self.note(verdict.is_ok() && !is_respelling(message, like));
    }
}

fn object(message: &[u8]) -> Map<String, Value> {
    serde_json::from_slice(message).unwrap()
}

fn text(object: &Map<String, Value>) -> Vec<u8> {
    serde_json::to_vec(object).unwrap()
}

/// Every single bit of a message.
fn flips(message: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..message.len() * 8).map(|bit| {
        let mut changed = message.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        changed
    })
}

/// The values of two members changed for each other, all pairs.
fn swaps(message: &[u8]) -> Vec<Vec<u8>> {
    let object = object(message);
    let names: Vec<&String> = object.keys().collect();
    let mut made = Vec::new();
    for (i, a) in names.iter().enumerate() {
        for b in names.iter().take(i).filter(|b| object[**b] != object[*a]) {
            let mut swapped = object.clone();
            swapped.insert((*a).clone(), object[*b].clone());
            swapped.insert((*b).clone(), object[*a].clone());
            made.push(text(&swapped));
        }
    }
    made
}

/// Characters that go from the end of one member to the beginning of another, and the other way.
fn moved_boundaries(message: &[u8]) -> Vec<Vec<u8>> {
    let object = object(message);
    let strings: Vec<(&String, &str)> =
        object.iter().filter_map(|(name, value)| Some((name, value.as_str()?))).collect();
    let mut made = Vec::new();
    for (from, value) in &strings {
        for (to, other) in strings.iter().filter(|(to, _)| to != from) {
            for at in (1..value.len()).step_by(3) {
                let (head, tail) = value.split_at(at);
                let mut moved = object.clone();
                moved.insert((*from).clone(), head.into());
                moved.insert((*to).clone(), format!("{tail}{other}").into());
                made.push(text(&moved));
                moved.insert((*from).clone(), tail.into());
                moved.insert((*to).clone(), format!("{other}{head}").into());
                made.push(text(&moved));
            }
        }
    }
    made
}

/// One golden exchange and all that can be done to it with the others at hand.
fn tamper(algorithm: Algorithm, at: usize, all: &[Golden], elsewhere: &Golden, count: &Count) {
    let (mine, other) = (ring(algorithm), ring(BOTH[usize::from(algorithm == BOTH[0])]));
    let Golden { request, reply, sent } = &all[at];
    let changed = flips(request).chain(swaps(request)).chain(moved_boundaries(request));
    for message in changed {
        count.request(&mine, &message, request);
    }
    for message in flips(reply).chain(swaps(reply)) {
        count.reply(algorithm, sent, &message, reply);
    }
    let (own, own_reply) = (object(request), object(reply));
    for (n, Golden { request: theirs, reply: their_reply, .. }) in all.iter().enumerate() {
        if n == at {
            continue;
        }
        for (name, value) in
            object(theirs).iter().filter(|(name, value)| own.get(*name) != Some(value))
        {
            let mut mixed = own.clone();
            mixed.insert(name.clone(), value.clone());
            count.request(&mine, &text(&mixed), request);
        }
        for (name, value) in object(their_reply) {
            let mut mixed = own_reply.clone();
            if mixed.insert(name, value.clone()) != Some(value) {
                count.reply(algorithm, sent, &text(&mixed), reply);
            }
        }
        // A true reply to another request.
        count.reply(algorithm, sent, their_reply, reply);
    }
    // Another key, client, audience, algorithm, direction, and true messages for another algorithm.
    for (name, value) in
        [("key_id", "k2"), ("key_id", "k9"), ("client_id", "agent-8"), ("server_id", "x")]
    {
        let mut changed = own.clone();
        changed.insert(name.to_owned(), value.into());
        count.request(&mine, &text(&changed), request);
        let mut changed = own_reply.clone();
        changed.insert(name.to_owned(), value.into());
        count.reply(algorithm, sent, &text(&changed), reply);
    }
    let (limits, mut scratch) = (Limits::default(), Scratch::new());
    let audience = "other.example".parse().unwrap();
    count.note(verify_request(request, &limits, &audience, &mine, NOW, &mut scratch).is_ok());
    count.request(&other, request, b"");
    count.request(&mine, &elsewhere.request, b"");
    count.reply(algorithm, sent, &elsewhere.reply, b"");
    count.request(&mine, reply, b"");
    count.reply(algorithm, sent, request, b"");
}

/// All of it over so many golden exchanges, on two threads.
fn run(algorithm: Algorithm, envelopes: u64, count: &Count) {
    let all: Vec<Golden> = (0..envelopes).map(|n| golden(algorithm, n)).collect();
    let elsewhere = golden(BOTH[usize::from(algorithm == BOTH[0])], 0);
    // The detector fires: what was not tampered with is accepted.
    let fresh = Count::default();
    fresh.request(&ring(algorithm), &all[0].request, b"");
    fresh.reply(algorithm, &all[0].sent, &all[0].reply, b"");
    assert_eq!(fresh.accepted.into_inner(), 2);
    thread::scope(|scope| {
        for half in 0..2 {
            let (all, elsewhere) = (&all, &elsewhere);
            scope.spawn(move || {
                for at in (half..all.len()).step_by(2) {
                    tamper(algorithm, at, all, elsewhere, count);
                }
            });
        }
    });
}

#[test]
fn of_a_million_tampered_messages_none_is_accepted() {
    let quick = std::env::var_os("WAXWING_QUICK").is_some();
    let count = Count::default();
    run(Algorithm::Hmac, if quick { 4 } else { 125 }, &count);
    run(Algorithm::Ed25519, if quick { 1 } else { 3 }, &count);
    let (tried, accepted) = (count.tried.into_inner(), count.accepted.into_inner());
    println!("{tried} tampered messages, {accepted} accepted");
    assert_eq!(accepted, 0);
    assert!(quick || tried >= 1_000_000, "{tried}");
}

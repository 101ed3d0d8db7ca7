//! Keys of both algorithms, in every state (wire.md §4, §5): Ed25519 verified strictly, algorithms that
//! cannot be swapped, and keys that are over.

use std::error::Error;

use serde_json::{Value, json};
use waxwing_core::ErrorCode::{self, Malformed, Unauthenticated};
use waxwing_crypto::KeyState;

use crate::vector::File;
use crate::world::{Material, NOW_MS, Side, TS_MS, World, WorldKey, canonical, mac, with, without};

/// The order of the group, little-endian: added to `S`, it gives another spelling of the same number.
const ORDER: [u8; 32] = *b"\xed\xd3\xf5\x5c\x1a\x63\x12\x58\xd6\x9c\xf7\xa2\xde\xf9\xde\x14\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x10";

pub(crate) fn file() -> Result<File, Box<dyn Error>> {
    let world = World::of(keys())?;
    let request = &world.request;
    let mut vectors = Vec::new();
    let mut worked =
        world.request_vector("the worked example", &canonical(request)?, NOW_MS, None)?;
    worked.flip = true;
    vectors.push(worked);
    let pretty = serde_json::to_string_pretty(request)?;
    vectors.push(world.request_vector("with white space", pretty.as_bytes(), NOW_MS, None)?);
    for (name, key, claimed, code) in by_name() {
        let bytes = world.signed_by(key, &with(request, claimed))?;
        vectors.push(world.request_vector(name, &bytes, NOW_MS, code)?);
    }
    for (name, now_ms, code) in [
        ("a key in its first moment", NOW_MS + 1, None),
        ("a key before its first moment", NOW_MS, Some(Unauthenticated)),
    ] {
        let bytes = world.signed_by(5, &with(request, json!({"key_id": "k5"})))?;
        vectors.push(world.request_vector(name, &bytes, now_ms, code)?);
    }
    for (name, now_ms, code) in [
        ("a retiring key in its last moment", NOW_MS, None),
        ("a retiring key after its last moment", NOW_MS + 1, Some(Unauthenticated)),
    ] {
        let bytes = world.signed_by(6, &with(request, json!({"key_id": "k6"})))?;
        vectors.push(world.request_vector(name, &bytes, now_ms, code)?);
    }
    for Forged(name, signature, code) in signatures(&world, request, Side::Server)? {
        let bytes = canonical(&with(request, json!({ "signature": signature })))?;
        vectors.push(world.request_vector(name, &bytes, NOW_MS, Some(code))?);
    }

    let reply = &world.reply;
    let mut worked =
        world.reply_vector("the reply to the worked example", &canonical(reply)?, NOW_MS, None)?;
    worked.flip = true;
    vectors.push(worked);
    for Forged(name, signature, code) in signatures(&world, reply, Side::Client)? {
        let check = if code == Malformed { "not_a_reply" } else { "wrong_signature" };
        let bytes = canonical(&with(reply, json!({ "signature": signature })))?;
        let name = format!("a reply with {name}");
        vectors.push(world.reply_vector(&name, &bytes, NOW_MS, Some(check))?);
    }
    let other = with(reply, json!({"in_reply_to": "0".repeat(128), "ts_ms": TS_MS}));
    let wrong = Some("wrong_request");
    let name = "a reply to another request";
    vectors.push(world.reply_vector(name, &world.signed(&other)?, NOW_MS, wrong)?);
    let about = "wire.md sections 4, 5: keys of both algorithms, in every state";
    Ok(File { about, head: Some(world.head()), vectors })
}

fn keys() -> Vec<WorldKey> {
    let pair = |key_id: &'static str, number: u8| {
        let secret = std::array::from_fn(|i| (i as u8).wrapping_mul(7) ^ number);
        WorldKey::new("agent-7", key_id, Material::Ed25519(secret))
    };
    vec![
        pair("k1", 1),
        pair("k2", 2),
        WorldKey::new("agent-8", "k1", Material::Hmac((0x40..0x70).collect())),
        WorldKey { state: KeyState::Revoked, ..pair("k3", 3) },
        WorldKey { not_after_ms: Some(NOW_MS), ..pair("k4", 4) },
        WorldKey { not_before_ms: Some(NOW_MS + 1), ..pair("k5", 5) },
        WorldKey {
            state: KeyState::Retiring,
            not_before_ms: Some(TS_MS),
            not_after_ms: Some(NOW_MS + 1),
            ..pair("k6", 6)
        },
    ]
}

/// Which key signs, what the message claims, and what becomes of it.
fn by_name() -> Vec<(&'static str, usize, Value, Option<ErrorCode>)> {
    let no = Some(Unauthenticated);
    vec![
        ("another key of the client", 1, json!({"key_id": "k2"}), None),
        ("a client with the other algorithm", 2, json!({"client_id": "agent-8"}), None),
        ("a revoked key", 3, json!({"key_id": "k3"}), no),
        ("an expired key", 4, json!({"key_id": "k4"}), no),
        ("an unknown key", 0, json!({"key_id": "k9"}), no),
        ("an unknown client", 0, json!({"client_id": "agent-9"}), no),
        ("the name of another key", 1, json!({}), no),
        ("ed25519 for a key that is hmac-sha256", 0, json!({"client_id": "agent-8"}), no),
        ("hmac-sha256 for a key that is ed25519", 2, json!({}), no),
    ]
}

/// A signature in place of the right one: what it is, its text, and what is said of it.
struct Forged(&'static str, String, ErrorCode);

/// All of them; the last one is that of the `other` side.
fn signatures(world: &World, message: &Value, other: Side) -> Result<Vec<Forged>, Box<dyn Error>> {
    let right = message["signature"].as_str().unwrap_or_default();
    let (r, s) = right.split_at(64);
    let signed = canonical(&without(message, "signature"))?;
    let head = world.head();
    let pair = head.keys.first().and_then(|key| key.pair.as_ref()).ok_or("no pair")?;
    let public_as_secret =
        |public: &str| -> Result<String, Box<dyn Error>> { mac(&bytes_of(public), &signed) };
    let turned: Value = serde_json::from_slice(&world.signed_as(0, other, message)?)?;
    let turned = turned["signature"].as_str().unwrap_or_default().to_owned();
    let one = format!("01{}", "0".repeat(62));
    Ok(vec![
        Forged("S with the order added to it", format!("{r}{}", plus_order(s)), Unauthenticated),
        Forged("all zeros", "0".repeat(128), Unauthenticated),
        Forged("all ones", "f".repeat(128), Unauthenticated),
        Forged("an R of order one and S zero", format!("{one}{}", "0".repeat(64)), Unauthenticated),
        Forged("R and S changed for each other", format!("{s}{r}"), Unauthenticated),
        Forged("R alone", r.to_owned(), Unauthenticated),
        Forged("R twice", r.repeat(2), Unauthenticated),
        Forged(
            "a MAC with the client's public key",
            public_as_secret(&pair.public_key)?,
            Unauthenticated,
        ),
        Forged(
            "a MAC with the server's public key",
            public_as_secret(&pair.server_public_key)?,
            Unauthenticated,
        ),
        Forged("upper-case digits", right.to_uppercase(), Malformed),
        Forged("a digit too few", right[1..].to_owned(), Malformed),
        Forged("the other side's signature", turned, Unauthenticated),
    ])
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap_or_default();
    (0..hex.len()).step_by(2).map(digit).collect()
}

fn plus_order(s: &str) -> String {
    let mut carry = 0;
    let digit = |(a, b): (u8, u8)| {
        let digit = u16::from(a) + u16::from(b) + carry;
        carry = digit >> 8;
        format!("{:02x}", digit & 0xff)
    };
    bytes_of(s).into_iter().zip(ORDER).map(digit).collect()
}

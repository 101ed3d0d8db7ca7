//! What is timed: the verdict on requests that fail in different ways, and a comparison that leaks, which the
//! method has to see.

use serde_json::{Value, json};
use waxwing_core::message::Request;
use waxwing_core::{Limits, Scratch, ServerId};
use waxwing_crypto::{HmacKey, Key, KeyRing, sign_request, verify_request};

const NOW: i64 = 1_790_000_000_000;

/// Two inputs, and what is done with them.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) inputs: [Vec<u8>; 2],
    /// How many runs make one sample.
    pub(crate) runs: u32,
    pub(crate) operation: Box<dyn Operation>,
    pub(crate) expectation: Expectation,
}

/// What is timed; it says whether the input was accepted.
pub(crate) trait Operation {
    fn run(&self, input: &[u8]) -> bool;
}

impl<F: Fn(&[u8]) -> bool> Operation for F {
    fn run(&self, input: &[u8]) -> bool {
        self(input)
    }
}

/// What the times must say.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expectation {
    Constant,
    Leaks,
}

fn key(seed: u8) -> HmacKey {
    let secret: Vec<u8> = (0..32).map(|i| i ^ seed).collect();
    #[expect(clippy::expect_used, reason = "32 bytes that differ")]
    HmacKey::new(&secret).expect("a key")
}

fn ring() -> KeyRing {
    let mut ring = KeyRing::new(key(0x80).into());
    for n in 0..100 {
        let (client, id) = (id(format!("agent-{n:03}")), id("k1".to_owned()));
        ring.insert(client, id, key(n).into());
    }
    ring
}

#[expect(clippy::unwrap_used, reason = "all texts given here are identifiers")]
fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: String) -> T {
    text.parse().unwrap()
}

/// A request that agent-007 signed, with one member changed afterwards; all are of one length.
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a request of this form has both")]
fn request(member: &str, change: impl FnOnce(&str) -> String) -> Vec<u8> {
    let request: Request<'static, Value> = Request {
        request_id: id("3f0c2a7e-1c77-4e0e-9c3e-1d2f3a4b5c6d".to_owned()),
        ts_ms: NOW,
        client_id: id("agent-007".to_owned()),
        server_id: id("sums.example".to_owned()),
        key_id: id("k1".to_owned()),
        nonce: id("0d7a1c5575c14a578f398a1a".to_owned()),
        tool: id("batch_sum".to_owned()),
        args: json!({"numbers": [1.5, 2.0, 3.25]}),
        idempotency_key: None,
        tool_digest: None,
        traceparent: None,
    };
    let mut message = Vec::new();
    let key: Key = key(7).into();
    sign_request(&key, &request, &mut Scratch::new(), &mut message).unwrap();
    let value: Value = serde_json::from_slice(&message).unwrap();
    let old = value[member].as_str().unwrap();
    let text = String::from_utf8(message).unwrap();
    text.replace(&format!("\"{member}\":\"{old}\""), &format!("\"{member}\":\"{}\"", change(old)))
        .into_bytes()
}

/// The signature with one digit changed, from 0.
fn wrong_at(place: usize) -> Vec<u8> {
    request("signature", |old| {
        let other = |digit: char| if digit == '0' { '1' } else { '0' };
        old.char_indices()
            .map(|(at, digit)| if at == place { other(digit) } else { digit })
            .collect()
    })
}

fn verdict(name: &'static str, inputs: [Vec<u8>; 2]) -> Subject {
    let (ring, limits) = (ring(), Limits::default());
    let server: ServerId<'static> = id("sums.example".to_owned());
    let operation = move |message: &[u8]| {
        let mut scratch = Scratch::new();
        verify_request(message, &limits, &server, &ring, NOW, &mut scratch).is_ok()
    };
    let (operation, expectation) = (Box::new(operation), Expectation::Constant);
    Subject { name, inputs, runs: 2, operation, expectation }
}

/// Compares digit by digit and stops at the first that differs.
fn early_exit(expected: &[u8], found: &[u8]) -> bool {
    expected.len() == found.len()
        && expected
            .iter()
            .zip(found)
            .all(|(a, b)| std::hint::black_box(a) == std::hint::black_box(b))
}

pub(crate) fn subjects() -> Vec<Subject> {
    let digits = b"39a69c7ca9a17db3c189b4c51919348bb6f11df46a905a3f09c3e9b9e0748bec".to_vec();
    let (mut first, mut last) = (digits.clone(), digits.clone());
    first.iter_mut().take(1).for_each(|digit| *digit = b'0');
    last.iter_mut().rev().take(1).for_each(|digit| *digit = b'0');
    vec![
        verdict("the first digit wrong, the last digit wrong", [wrong_at(0), wrong_at(63)]),
        verdict(
            "an unknown key of a client, a wrong signature",
            [request("key_id", |_| "k9".to_owned()), wrong_at(31)],
        ),
        verdict(
            "an unknown client, a wrong signature",
            [request("client_id", |_| "agent-xyz".to_owned()), wrong_at(31)],
        ),
        Subject {
            name: "control: a comparison that stops at the first difference",
            inputs: [first, last],
            runs: 16,
            operation: Box::new(move |found: &[u8]| early_exit(&digits, found)),
            expectation: Expectation::Leaks,
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_classes_fail_and_have_one_length() {
        for Subject { name, inputs: [a, b], operation, .. } in subjects() {
            assert_eq!(a.len(), b.len(), "{name}");
            assert!(a != b && !operation.run(&a) && !operation.run(&b), "{name}");
        }
        let good = request("tool", str::to_owned);
        assert!(subjects().remove(0).operation.run(&good), "what is not tampered with passes");
    }
}

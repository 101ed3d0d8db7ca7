//! Nothing that was changed verifies: bits, bytes, fields, boundaries, keys, audiences, directions.

use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, prop_assume, proptest};
use serde_json::{Value, json};
use waxwing_core::{ErrorCode, Limits, Scratch, canonical};
use waxwing_crypto::{RequestFault, verify_request};

use crate::fixture::{NOW, exchange, request, ring, server_id, signed, verify};

/// Envelopes of different forms, all signed by agent-7 with k1.
fn golden(count: u64) -> Vec<Vec<u8>> {
    let args = |n: u64| match n % 4 {
        0 => json!({"numbers": [n, 0.5, 1e21, -3.25]}),
        1 => json!({"note": format!("line {n}\n\"quoted\" \u{20ac}"), "deep": [[[{"a": null}]]]}),
        2 => json!({}),
        _ => {
            json!({"numbers": [0.1 + n as f64], "flag": true, "z": "0123456789".repeat(n as usize % 7)})
        }
    };
    (0..count)
        .map(|n| {
            let mut request = request(n, args(n));
            if n % 3 == 0 {
                request.idempotency_key = Some("order-1".parse().unwrap());
                request.traceparent = Some(
                    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap(),
                );
            }
            signed(&request).0
        })
        .collect()
}

/// Whether `changed` is the same message in another spelling, such as `1E+21` for `1e+21`: a receiver
/// must accept that (wire.md §4).
pub(crate) fn is_respelling(changed: &[u8], message: &[u8]) -> bool {
    canonical::canonicalize(changed, &Limits::default())
        .is_ok_and(|text| text.as_bytes() == message)
}

#[test]
fn no_flipped_bit_is_accepted() {
    let quick = std::env::var_os("WAXWING_QUICK").is_some();
    let (mut scratch, limits, mut tried) = (Scratch::new(), Limits::default(), 0_u32);
    for message in golden(if quick { 8 } else { 100 }) {
        assert!(verify(&message, &mut scratch).is_ok());
        for bit in 0..message.len() * 8 {
            let mut changed = message.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let verdict =
                verify_request(&changed, &limits, &server_id(), ring(), NOW, &mut scratch);
            let refused = verdict.is_err() || is_respelling(&changed, &message);
            assert!(refused, "bit {bit} of {}", String::from_utf8_lossy(&message));
            tried += 1;
        }
    }
    println!("{tried} flipped bits, none accepted");
}

proptest! {
    #[test]
    fn no_changed_byte_is_accepted(n in 0_u64..50, place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut message = golden(n + 1).pop().unwrap();
        let place = place.index(message.len());
        prop_assume!(message[place] != byte);
        message[place] = byte;
        let mut scratch = Scratch::new();
        let true_message = golden(n + 1).pop().unwrap();
        prop_assert!(
            verify(&message, &mut scratch).is_err() || is_respelling(&message, &true_message)
        );
    }

    #[test]
    fn what_is_signed_verifies_and_is_the_same(numbers in proptest::collection::vec(-1e15_f64..1e15, 0..20), note in ".*") {
        let args = json!({"numbers": numbers, "note": note});
        let (bytes, signature) = signed(&request(1, args.clone()));
        let mut scratch = Scratch::new();
        let verified = verify(&bytes, &mut scratch).unwrap();
        prop_assert_eq!(verified.signature(), &signature);
        let read: Value = verified.args.decode().unwrap();
        for (read, sent) in read["numbers"].as_array().unwrap().iter().zip(&numbers) {
            prop_assert_eq!(read.as_f64(), Some(*sent));
        }
        prop_assert_eq!(read["note"].as_str(), Some(note.as_str()));
    }
}

/// The members of two true messages mixed, each pair of members swapped, each value put elsewhere.
#[test]
fn no_mixture_of_true_messages_is_accepted() {
    let messages = golden(12);
    let objects: Vec<Value> = messages.iter().map(|m| serde_json::from_slice(m).unwrap()).collect();
    let mut scratch = Scratch::new();
    for (i, a) in objects.iter().enumerate() {
        for b in &objects[..i] {
            for member in a.as_object().unwrap().keys() {
                let mut mixed = a.clone();
                match b.get(member) {
                    Some(value) if value != &a[member] => mixed[member] = value.clone(),
                    _ => continue,
                }
                let text = serde_json::to_vec(&mixed).unwrap();
                let fault = verify(&text, &mut scratch).unwrap_err();
                assert!(matches!(fault, RequestFault::Unauthenticated), "{member}: {fault}");
            }
        }
    }
}

#[test]
fn boundaries_cannot_be_moved() {
    let message: Value = serde_json::from_slice(&golden(1)[0]).unwrap();
    let mut scratch = Scratch::new();
    for (from, to) in [("nonce", "request_id"), ("client_id", "key_id"), ("server_id", "tool")] {
        let mut moved = message.clone();
        let mut text = moved[from].as_str().unwrap().to_owned();
        let last = text.pop().unwrap();
        moved[to] = format!("{last}{}", moved[to].as_str().unwrap()).into();
        moved[from] = text.into();
        assert!(verify(&serde_json::to_vec(&moved).unwrap(), &mut scratch).is_err(), "{from}");
    }
}

#[test]
fn unknown_client_unknown_key_and_wrong_signature_are_told_alike() {
    let message: Value = serde_json::from_slice(&golden(1)[0]).unwrap();
    let mut scratch = Scratch::new();
    let mut faults = Vec::new();
    for (member, value) in [
        ("client_id", "nobody"),
        ("key_id", "k9"),
        ("key_id", "k2"),
        ("client_id", "agent-8"),
        ("signature", &"0".repeat(64)),
        ("signature", &"0".repeat(128)),
    ] {
        let mut changed = message.clone();
        changed[member] = value.into();
        let fault = verify(&serde_json::to_vec(&changed).unwrap(), &mut scratch).unwrap_err();
        faults.push(fault.to_call_error());
    }
    assert!(faults.iter().all(|fault| fault == &faults[0]));
    assert_eq!(faults[0].code, ErrorCode::Unauthenticated);
}

#[test]
fn a_message_for_another_server_or_in_the_other_direction_is_refused() {
    let message = &golden(1)[0];
    let mut scratch = Scratch::new();
    let elsewhere = "other.example".parse().unwrap();
    let fault = verify_request(message, &Limits::default(), &elsewhere, ring(), NOW, &mut scratch);
    assert_eq!(fault.unwrap_err(), RequestFault::WrongServer);
    // A reply is signed with the same key; it must not pass for a request.
    let (reply, _) = exchange(1);
    assert_eq!(
        verify(&reply, &mut scratch).unwrap_err().to_call_error().code,
        ErrorCode::Malformed
    );
}

#[test]
fn a_truncated_signature_is_no_signature() {
    let text = String::from_utf8(golden(1).remove(0)).unwrap();
    let mut scratch = Scratch::new();
    let start = text.find("\"signature\":\"").unwrap() + 13;
    for length in 0..64 {
        let cut = format!("{}{}", &text[..start + length], &text[start + 64..]);
        let fault = verify(cut.as_bytes(), &mut scratch).unwrap_err();
        assert_eq!(fault.to_call_error().code, ErrorCode::Malformed, "{length}");
    }
}

//! A client takes a reply only when it is true, to this request, from these parties, and timely.

use waxwing_core::message::{Outcome, Refusal};
use waxwing_core::{CallError, ErrorCode, Limits, Scratch};
use waxwing_crypto::{HmacKey, Key, ReplyFault, SentRequest, Window, verify_reply};

use crate::fixture::{NOW, exchange, key};

fn check(bytes: &[u8], key: &Key, sent: &SentRequest, now_ms: i64) -> Result<(), ReplyFault> {
    let mut scratch = Scratch::new();
    let reply =
        verify_reply(bytes, &Limits::default(), key, sent, now_ms, &Window::DEFAULT, &mut scratch)?;
    assert!(matches!(reply.into_outcome(), Outcome::Ok(_)));
    Ok(())
}

#[test]
fn the_true_reply_is_taken() {
    let (reply, sent) = exchange(1);
    check(&reply, &key(), &sent, NOW).unwrap();
}

#[test]
fn a_true_reply_to_another_request_is_not() {
    let (_, sent) = exchange(1);
    let (other, _) = exchange(2);
    assert_eq!(check(&other, &key(), &sent, NOW), Err(ReplyFault::WrongRequest));
}

#[test]
fn a_reply_under_another_key_is_not() {
    let (reply, sent) = exchange(1);
    let other = HmacKey::new(b"0123456789abcdef0123456789abcdef").unwrap().into();
    assert_eq!(check(&reply, &other, &sent, NOW), Err(ReplyFault::WrongSignature));
}

#[test]
fn an_old_or_early_reply_is_not() {
    let (reply, sent) = exchange(1);
    for (now_ms, distance_ms) in [(NOW + 200_000, -199_958), (NOW - 200_000, 200_042)] {
        let fault = check(&reply, &key(), &sent, now_ms);
        assert_eq!(fault, Err(ReplyFault::OutsideWindow { distance_ms }));
    }
}

#[test]
fn an_unsigned_refusal_is_only_a_hint() {
    let (_, sent) = exchange(1);
    let error = CallError::new(ErrorCode::Unauthenticated, "who are you?");
    let refusal = Refusal::new(error).unwrap();
    let fault = check(&refusal.to_vec().unwrap(), &key(), &sent, NOW);
    assert_eq!(fault, Err(ReplyFault::Refused(Box::new(refusal))));
}

#[test]
fn no_flipped_bit_of_a_reply_is_accepted() {
    let (reply, sent) = exchange(1);
    for bit in 0..reply.len() * 8 {
        let mut changed = reply.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(check(&changed, &key(), &sent, NOW).is_err(), "bit {bit}");
    }
}

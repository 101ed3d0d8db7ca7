//! Replies and refusals: read in place and in another spelling they are the same, and written again they
//! are the canonical bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use waxwing_core::message::{Answer, MessageError};
use waxwing_core::{Scratch, canonical};
use waxwing_core_fuzz::{LIMITS, messages, respaced, respell::respell};

fuzz_target!(|input: &[u8]| {
    let bytes = match input.split_first() {
        Some((0, raw)) => raw.to_vec(),
        Some((1, input)) => messages::message(messages::REFUSAL, input),
        Some((which, input)) => {
            let outcome = messages::OUTCOMES[usize::from(*which) % messages::OUTCOMES.len()];
            messages::message(&[messages::REPLY, outcome].concat(), input)
        }
        None => return,
    };
    let Some(spaced) = respaced(&bytes) else { return };
    let (mut first, mut second, mut third) = (Scratch::new(), Scratch::new(), Scratch::new());
    let in_place = Answer::read(&bytes, &LIMITS, &mut first);
    match (in_place, Answer::read(&spaced, &LIMITS, &mut second)) {
        (Ok(a), Ok(b)) => {
            assert!(same(&a, &b));
            let canonical = canonical::canonicalize(&bytes, &LIMITS).unwrap();
            assert_eq!(String::from_utf8(written(&a)).unwrap(), canonical);
            let respelled = respell(&canonical, input);
            assert!(same(&a, &Answer::read(respelled.as_bytes(), &LIMITS, &mut third).unwrap()));
        }
        (Err(MessageError::Json(a)), Err(MessageError::Json(b))) => {
            assert_eq!((a.reason(), a.offset() + 1, a.path()), (b.reason(), b.offset(), b.path()));
        }
        (Err(a), Err(b)) => assert_eq!(a, b),
        (a, b) => panic!("{a:?} {b:?}"),
    }
});

fn same(a: &Answer<'_>, b: &Answer<'_>) -> bool {
    match (a, b) {
        (Answer::Reply(a), Answer::Reply(b)) => {
            (a.claim(), a.signature(), a.signed()) == (b.claim(), b.signature(), b.signed())
        }
        (Answer::Refusal(a), Answer::Refusal(b)) => a == b,
        _ => false,
    }
}

fn written(answer: &Answer<'_>) -> Vec<u8> {
    match answer {
        Answer::Refusal(refusal) => refusal.to_vec().unwrap(),
        Answer::Reply(reply) => {
            let mut out = Vec::new();
            let digits = reply.signature().as_str();
            let draft = reply.claim().draft(digits.len(), &mut Scratch::new(), &mut out).unwrap();
            assert_eq!(draft.signed(&out), reply.signed().map(str::as_bytes));
            draft.complete(&mut out, digits.as_bytes()).unwrap();
            out
        }
    }
}

//! Requests: read in place and in another spelling they are the same, and written again they are the
//! canonical bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use waxwing_core::message::{MessageError, Request};
use waxwing_core::{Scratch, canonical};
use waxwing_core_fuzz::{LIMITS, messages, respaced, respell::respell};

fuzz_target!(|input: &[u8]| {
    let bytes = match input.split_first() {
        Some((0, raw)) => raw.to_vec(),
        _ => messages::message(messages::REQUEST, input),
    };
    let Some(spaced) = respaced(&bytes) else { return };
    let (mut first, mut second) = (Scratch::new(), Scratch::new());
    let in_place = Request::read(&bytes, &LIMITS, &mut first);
    let other = Request::read(&spaced, &LIMITS, &mut second);
    match (in_place, other) {
        (Ok(a), Ok(b)) => {
            assert_eq!((a.claim(), a.signature()), (b.claim(), b.signature()));
            assert_eq!(a.signed(), b.signed());
            let canonical = canonical::canonicalize(&bytes, &LIMITS).unwrap();
            let mut out = Vec::new();
            let digits = a.signature().as_str();
            let draft = a.claim().draft(digits.len(), &mut Scratch::new(), &mut out).unwrap();
            assert_eq!(draft.signed(&out), a.signed().map(str::as_bytes));
            draft.complete(&mut out, digits.as_bytes()).unwrap();
            assert_eq!(out, canonical.as_bytes());
            let respelled = respell(&canonical, input);
            let mut third = Scratch::new();
            let c = Request::read(respelled.as_bytes(), &LIMITS, &mut third).unwrap();
            assert_eq!((a.claim(), a.signed()), (c.claim(), c.signed()));
        }
        (Err(MessageError::Json(a)), Err(MessageError::Json(b))) => {
            assert_eq!((a.reason(), a.offset() + 1, a.path()), (b.reason(), b.offset(), b.path()));
        }
        (Err(a), Err(b)) => assert_eq!(a, b),
        (a, b) => panic!("{a:?} {b:?}"),
    }
});

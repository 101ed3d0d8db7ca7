//! The check in place against the rewriting reader: it says yes exactly where rewriting changes nothing,
//! and both refuse for the same reason at the same byte.
#![no_main]

use libfuzzer_sys::fuzz_target;
use waxwing_core::canonical::{self, Reason};
use waxwing_core_fuzz::{LIMITS, respaced, rewritten};

fuzz_target!(|bytes: &[u8]| {
    let Some(spaced) = respaced(bytes) else { return };
    match (canonical::check(bytes, &LIMITS), rewritten(&spaced)) {
        (Ok(text), Ok(canonical)) => assert_eq!(text, canonical),
        (Err(error), Ok(canonical)) => {
            assert_eq!(error.reason(), Reason::NotCanonical);
            let (same, behind) = (error.offset(), error.offset() + 1);
            assert_eq!(bytes[..same], canonical.as_bytes()[..same]);
            assert_ne!(bytes.get(same..behind), canonical.as_bytes().get(same..behind));
        }
        (Err(in_place), Err(error)) => {
            assert_eq!(in_place.reason(), error.reason());
            assert_eq!(in_place.offset() + 1, error.offset());
            assert_eq!(in_place.path(), error.path());
        }
        (Ok(text), Err(error)) => panic!("{error}: {text}"),
    }
});

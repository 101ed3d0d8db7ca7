//! The strict reader against an independent one: what it takes is canonical afterwards and has the same
//! value; what it refuses alone, it refuses for a rule that only wire.md §1 has.
#![no_main]

use std::borrow::Cow;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use waxwing_core::canonical::{self, Reason};
use waxwing_core_fuzz::LIMITS;

fuzz_target!(|bytes: &[u8]| {
    let other = serde_json::from_slice::<Value>(bytes);
    match canonical::canonicalize(bytes, &LIMITS) {
        Ok(text) => {
            assert_eq!(canonical::check(text.as_bytes(), &LIMITS), Ok(text.as_ref()));
            let again = canonical::canonicalize(text.as_bytes(), &LIMITS).unwrap();
            assert!(matches!(again, Cow::Borrowed(again) if again == text));
            let ours: Value = serde_json::from_str(&text).unwrap();
            assert!(same(&other.unwrap(), &ours), "{text}");
        }
        Err(error) => {
            assert!(error.offset() <= bytes.len());
            let only_ours = matches!(
                error.reason(),
                Reason::DuplicateName | Reason::UnsafeInteger | Reason::TooDeep(_)
            );
            assert!(other.is_err() || only_ours, "{error}");
        }
    }
});

/// Equality by what JSON means: `1` and `1.0` are one number.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(name, value)| b.get(name).is_some_and(|b| same(value, b)))
        }
        _ => a == b,
    }
}

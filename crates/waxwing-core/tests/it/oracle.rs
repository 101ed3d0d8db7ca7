//! What must hold for any bytes at all: the two readers agree with each other and with serde_json.

use serde_json::Value;
use waxwing_core::Limits;
use waxwing_core::canonical::{self, JsonError, Reason};

/// What the rewriting reader makes of `bytes`: with a space in front they are never canonical. The
/// offset of an error is that of `bytes`.
pub(crate) fn rewritten(bytes: &[u8]) -> Result<String, (usize, JsonError)> {
    canonical::canonicalize(&[b" ", bytes].concat(), &Limits::default())
        .map(|text| text.into_owned())
        .map_err(|error| (error.offset() - 1, error))
}

/// Holds both readers to each other and to serde_json, and gives the canonical text.
pub(crate) fn read(bytes: &[u8]) -> Result<String, Reason> {
    let limits = Limits::default();
    let shown = String::from_utf8_lossy(bytes);
    let checked = canonical::check(bytes, &limits);
    let canonical = canonical::canonicalize(bytes, &limits);
    assert_eq!(checked.is_ok(), canonical.as_ref().is_ok_and(|text| text.as_bytes() == bytes));

    let serde = serde_json::from_slice::<Value>(bytes);
    match &canonical {
        Ok(text) => {
            assert_eq!(canonical::check(text.as_bytes(), &limits), Ok(text.as_ref()), "{shown}");
            let ours: Value = serde_json::from_str(text).unwrap();
            assert!(same(&ours, &serde.unwrap()), "{shown} became {text}");
        }
        Err(error) => {
            assert!(error.offset() <= bytes.len(), "{shown}: {error:?}");
            let only_ours = matches!(
                error.reason(),
                Reason::DuplicateName | Reason::UnsafeInteger | Reason::TooDeep(_)
            );
            assert!(serde.is_err() || only_ours, "{shown}: {error:?}");
        }
    }

    if !bytes.starts_with(b"\xef\xbb\xbf") {
        match (rewritten(bytes), &canonical, checked) {
            (Ok(other), Ok(text), Ok(_)) => assert_eq!(other, *text),
            (Ok(other), Ok(text), Err(error)) => {
                assert_eq!(
                    (&other, error.reason()),
                    (&text.clone().into_owned(), Reason::NotCanonical)
                );
                let first = bytes.iter().zip(other.as_bytes()).take_while(|(a, b)| a == b).count();
                assert_eq!(error.offset(), first, "{shown}");
            }
            (Err((offset, other)), Err(error), Err(checked)) => {
                assert_eq!((offset, other.reason()), (error.offset(), error.reason()), "{shown}");
                assert_eq!(*error, checked, "{shown}");
            }
            (other, ..) => panic!("{shown}: rewriting says {other:?}"),
        }
    }
    canonical.map(|text| text.into_owned()).map_err(|error| error.reason())
}

/// Equality by what JSON means: `1` and `1.0` are one number.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

//! The arguments of `waxwing call`: key=value pairs and a JSON object, merged into one object.

use serde_json::{Map, Value};
use waxwing_core::{CanonicalJson, Limits};

/// Arguments that are not what `--help` says.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ArgumentError {
    #[error("{pair:?} is not of the form key=value")]
    NotAPair { pair: String },
    #[error("the value of {key:?} is JSON that cannot be sent: {reason}")]
    Value { key: String, reason: String },
    #[error("--args is not a JSON object: {reason}")]
    Object { reason: String },
    #[error("the argument {key:?} is given twice")]
    Twice { key: String },
}

/// One object of the pairs and of the text of `--args`.
pub(crate) fn merge(
    pairs: &[String],
    object: Option<&str>,
) -> Result<Map<String, Value>, ArgumentError> {
    let mut merged = object.map_or_else(|| Ok(Map::new()), parse_object)?;
    for pair in pairs {
        let (key, text) = match pair.split_once('=') {
            Some((key, text)) if !key.is_empty() => (key, text),
            _ => return Err(ArgumentError::NotAPair { pair: pair.clone() }),
        };
        let value = parse_value(key, text)?;
        if merged.insert(key.to_owned(), value).is_some() {
            return Err(ArgumentError::Twice { key: key.to_owned() });
        }
    }
    Ok(merged)
}

fn parse_object(text: &str) -> Result<Map<String, Value>, ArgumentError> {
    let object = |reason: String| ArgumentError::Object { reason };
    let json = CanonicalJson::read(text.as_bytes(), &Limits::DEFAULT)
        .map_err(|error| object(error.to_string()))?;
    json.decode().map_err(|_| object("it is another value".to_owned()))
}

/// JSON when it is JSON, a string otherwise. What is JSON to others but not to the strict reader, such
/// as an integer too large to be exact, is an error: as a string it would surprise.
fn parse_value(key: &str, text: &str) -> Result<Value, ArgumentError> {
    match CanonicalJson::read(text.as_bytes(), &Limits::DEFAULT) {
        Ok(json) => Ok(json.decode().unwrap_or_else(|_| text.into())),
        Err(_) if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() => Ok(text.into()),
        Err(error) => Err(ArgumentError::Value { key: key.to_owned(), reason: error.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn merged(pairs: &[&str], object: Option<&str>) -> Result<Value, ArgumentError> {
        let pairs: Vec<String> = pairs.iter().map(|pair| (*pair).to_owned()).collect();
        merge(&pairs, object).map(Value::Object)
    }

    #[test]
    fn values_are_json_or_strings() {
        for (pair, value) in [
            ("k=1", json!(1)),
            ("k=-2.5e3", json!(-2500)),
            ("k=true", json!(true)),
            ("k=null", json!(null)),
            ("k=[1, {\"a\": \"b\"}]", json!([1, {"a": "b"}])),
            ("k=\"1\"", json!("1")),
            ("k=", json!("")),
            ("k=Ada Lovelace", json!("Ada Lovelace")),
            ("k=a=b", json!("a=b")),
            ("k=[1", json!("[1")),
            ("k=01", json!("01")),
            ("k=2026-01-01", json!("2026-01-01")),
            ("k=caf\u{e9}", json!("caf\u{e9}")),
        ] {
            assert_eq!(merged(&[pair], None).unwrap(), json!({"k": value}), "{pair}");
        }
    }

    #[test]
    fn json_that_cannot_be_sent_does_not_become_a_string() {
        for pair in ["k=9007199254740993", "k={\"a\":1,\"a\":2}"] {
            assert!(matches!(merged(&[pair], None), Err(ArgumentError::Value { .. })), "{pair}");
        }
    }

    #[test]
    fn both_ways_merge_and_nothing_is_given_twice() {
        assert_eq!(merged(&[], None).unwrap(), json!({}));
        assert_eq!(merged(&["b=2"], Some("{\"a\":1}")).unwrap(), json!({"a": 1, "b": 2}));
        let twice = Err(ArgumentError::Twice { key: "a".to_owned() });
        assert_eq!(merged(&["a=1", "a=1"], None), twice);
        assert_eq!(merged(&["a=1"], Some("{\"a\":1}")), twice);
    }

    #[test]
    fn what_is_no_pair_and_no_object_is_refused() {
        for pair in ["a", "=1", ""] {
            assert!(matches!(merged(&[pair], None), Err(ArgumentError::NotAPair { .. })), "{pair}");
        }
        for object in ["[1]", "1", "{", "{\"a\":1,\"a\":2}", ""] {
            let error = merged(&[], Some(object)).unwrap_err();
            assert!(matches!(error, ArgumentError::Object { .. }), "{object}");
        }
    }
}

//! What to send instead of a value of the wrong type or outside an enumeration.

use serde_json::Value;

use super::Spot;
use super::leaf::{has_type, is_kind};
use crate::schema::phrase::{about, kinds, literal, phrase};
use crate::text;

/// What to send instead of `value`, which has none of the types of `schema`.
pub(super) fn of_type(root: &Value, schema: &Value, value: &Value, spot: Spot) -> String {
    let advice = advice(schema, value, spot);
    let advice = advice.unwrap_or_else(|| format!("Send {}.", phrase(root, schema)));
    advice + &about(schema)
}

fn advice(schema: &Value, value: &Value, spot: Spot) -> Option<String> {
    let map = schema.as_object()?;
    let wanted = kinds(map);
    // What is in a container may be secret by a name of its own.
    let shown = |value: &Value| {
        let text = literal(value);
        let plain = !spot.secret && !value.is_object() && !value.is_array();
        (plain && !text.ends_with('…')).then_some(text)
    };
    match value {
        Value::Null if spot.optional => Some("Leave the member out instead.".to_owned()),
        Value::String(string) => of_string(&wanted, string, spot),
        Value::Array(items) => match items.as_slice() {
            [only] if has_type(map, only) => {
                Some("Send the value itself, not an array that holds it.".to_owned())
            }
            _ => None,
        },
        _ if wanted.contains(&"array") => {
            let items = schema.get("items").and_then(Value::as_object);
            let fits = items.is_some_and(|items| has_type(items, value));
            fits.then(|| match shown(value) {
                Some(text) => format!("Send an array, also for one item: [{text}]."),
                None => "Send an array, also for one item.".to_owned(),
            })
        }
        Value::Number(number) if wanted.contains(&"integer") => {
            let near = number.as_f64().map(f64::round).filter(|near| near.abs() < 1e15)?;
            Some(format!("Send a whole number, such as {near}."))
        }
        Value::Number(_) | Value::Bool(_) if wanted.contains(&"string") => {
            Some(match shown(&Value::String(literal(value))) {
                Some(text) => format!("Send a string, in quotes: {text}."),
                None => "Send a string, in quotes.".to_owned(),
            })
        }
        Value::Number(number) if wanted.contains(&"boolean") => match number.as_f64() {
            Some(0.0) => Some("Send false, not 0.".to_owned()),
            Some(1.0) => Some("Send true, not 1.".to_owned()),
            _ => None,
        },
        _ => None,
    }
}

/// A string where something else is wanted is most often that something, encoded twice.
fn of_string(wanted: &[&str], string: &str, spot: Spot) -> Option<String> {
    let is_wanted = |value: &Value| wanted.iter().any(|kind| is_kind(kind, value));
    let inner = serde_json::from_str::<Value>(string.trim()).ok().filter(|inner| is_wanted(inner));
    match inner {
        Some(Value::Object(_)) => {
            Some("Send an object, not a string that contains one.".to_owned())
        }
        Some(Value::Array(_)) => Some("Send an array, not a string that contains one.".to_owned()),
        Some(_) if spot.secret => Some("Send the value without quotes.".to_owned()),
        Some(inner) => Some(format!("Send {}, without quotes.", literal(&inner))),
        None if wanted.contains(&"boolean") => match string.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Some("Send true, without quotes.".to_owned()),
            "false" | "no" | "off" => Some("Send false, without quotes.".to_owned()),
            _ => None,
        },
        None if spot.optional && string.is_empty() => {
            Some("Leave the member out when there is nothing to say.".to_owned())
        }
        None => None,
    }
}

/// What to send instead of `value`, which is none of `allowed`.
pub(super) fn of_options(allowed: &[&Value], value: &Value) -> String {
    if let [only] = allowed {
        return format!("Send {}.", literal(only));
    }
    if let Value::String(string) = value {
        let words = allowed.iter().filter_map(|option| option.as_str());
        if let Some(near) = text::similar(string, words).first() {
            return format!("Did you mean {}?", text::quoted(near));
        }
        let unquoted = serde_json::from_str::<Value>(string).ok();
        if let Some(inner) = unquoted.filter(|inner| allowed.contains(&inner)) {
            return format!("Send {}, without quotes.", literal(&inner));
        }
    }
    let text = Value::String(literal(value));
    if allowed.contains(&&text) {
        return format!("Send {}, in quotes.", literal(&text));
    }
    "Send one of these, spelled exactly so.".to_owned()
}

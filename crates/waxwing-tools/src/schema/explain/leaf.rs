//! Numbers, strings and types: what one value alone can break.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use super::{Explainer, Spot};
use crate::schema::phrase::{about, kinds, phrase};
use crate::schema::rules::{self, SchemaFault};
use crate::schema::walk::children;

/// Compiled checks of the keywords whose meaning is more than a comparison, so that the report
/// and the judge cannot differ over them.
pub(crate) struct Leaves(BTreeMap<String, Validator>);

impl Leaves {
    pub(crate) fn new(schema: &Value) -> Result<Self, SchemaFault> {
        let mut leaves = Self(BTreeMap::new());
        leaves.collect(schema)?;
        Ok(leaves)
    }

    fn collect(&mut self, schema: &Value) -> Result<(), SchemaFault> {
        let Value::Object(map) = schema else { return Ok(()) };
        for keyword in ["format", "multipleOf", "pattern"] {
            if let Some(value) = map.get(keyword) {
                self.add(keyword, value)?;
            }
        }
        for child in children(map) {
            if let ("patternProperties", Some(pattern)) = (child.keyword, child.token) {
                self.add("pattern", &Value::String(pattern))?;
            }
            self.collect(child.schema)?;
        }
        Ok(())
    }

    fn add(&mut self, keyword: &str, value: &Value) -> Result<(), SchemaFault> {
        if let Entry::Vacant(place) = self.0.entry(key(keyword, value)) {
            place.insert(rules::validator(&json!({ keyword: value }))?);
        }
        Ok(())
    }

    /// Whether `{keyword: argument}` accepts `value`.
    pub(super) fn accept(&self, keyword: &str, argument: &Value, value: &Value) -> bool {
        let leaf = self.0.get(&key(keyword, argument));
        leaf.is_none_or(|leaf| leaf.is_valid(value))
    }
}

fn key(keyword: &str, argument: &Value) -> String {
    format!("{keyword} {argument}")
}

/// Whether `value` has one of the types that `map` allows.
pub(super) fn has_type(map: &Map<String, Value>, value: &Value) -> bool {
    !map.contains_key("type") || kinds(map).iter().any(|kind| is_kind(kind, value))
}

/// Whether `value` is of the type `kind`.
pub(super) fn is_kind(kind: &str, value: &Value) -> bool {
    match (kind, value) {
        ("integer", Value::Number(number)) => {
            number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|n| n.fract() == 0.0)
        }
        ("number", Value::Number(_))
        | ("string", Value::String(_))
        | ("boolean", Value::Bool(_))
        | ("array", Value::Array(_))
        | ("object", Value::Object(_))
        | ("null", Value::Null) => true,
        _ => false,
    }
}

/// Equality of JSON, where `1` and `1.0` are the same.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(name, value)| b.get(name).is_some_and(|other| same(value, other)))
        }
        (a, b) => a == b,
    }
}

impl<'a> Explainer<'a> {
    pub(super) fn number(
        &mut self,
        schema: &'a Value,
        map: &'a Map<String, Value>,
        value: &Value,
        spot: Spot,
    ) {
        let number = value.as_f64().unwrap_or(f64::NAN);
        let bound = |keyword: &str| map.get(keyword).and_then(Value::as_f64);
        let broken = [
            ("minimum", bound("minimum").is_some_and(|bound| number < bound)),
            ("exclusiveMinimum", bound("exclusiveMinimum").is_some_and(|bound| number <= bound)),
            ("maximum", bound("maximum").is_some_and(|bound| number > bound)),
            ("exclusiveMaximum", bound("exclusiveMaximum").is_some_and(|bound| number >= bound)),
            ("multipleOf", !self.leaf(map, "multipleOf", value)),
        ];
        for (keyword, _) in broken.into_iter().filter(|(_, broken)| *broken) {
            let expected = phrase(self.root, schema);
            let hint = format!("Send {expected}.{}", about(schema));
            self.push(keyword, expected, value, spot, hint);
        }
    }

    pub(super) fn string(
        &mut self,
        schema: &'a Value,
        map: &'a Map<String, Value>,
        string: &str,
        value: &Value,
        spot: Spot,
    ) {
        let length = string.chars().count() as f64;
        let bound = |keyword: &str| map.get(keyword).and_then(Value::as_f64);
        let broken = [
            ("minLength", bound("minLength").is_some_and(|bound| length < bound)),
            ("maxLength", bound("maxLength").is_some_and(|bound| length > bound)),
            ("pattern", !self.leaf(map, "pattern", value)),
            ("format", !self.leaf(map, "format", value)),
        ];
        for (keyword, _) in broken.into_iter().filter(|(_, broken)| *broken) {
            let expected = phrase(self.root, schema);
            let hint = match (keyword, length as u64) {
                ("minLength", 0) => format!("It must not be empty.{}", about(schema)),
                ("minLength" | "maxLength", length) => {
                    format!("It has {length} characters: send {expected}.{}", about(schema))
                }
                _ => format!("Send {expected}.{}", about(schema)),
            };
            self.push(keyword, expected, value, spot, hint);
        }
    }

    fn leaf(&self, map: &Map<String, Value>, keyword: &str, value: &Value) -> bool {
        map.get(keyword).is_none_or(|argument| self.leaves.accept(keyword, argument, value))
    }
}

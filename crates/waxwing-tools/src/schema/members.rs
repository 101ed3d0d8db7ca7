//! Which members schemas speak of, so that a restriction can be held against the schema it narrows:
//! one that names a member no value can have holds nothing back.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::walk::{Applies, children, resolve};
use crate::text::push_token;

/// References followed within one another: a recursive schema ends somewhere.
const DEEPEST_REFERENCE: usize = 8;
/// Stands for every item of an array.
const ITEM: &str = "*";

/// The members that `restriction` names and that no value of `schema` can have, each as a JSON
/// Pointer in which `*` is any item.
pub(super) fn unknown(restriction: &Value, schema: &Value) -> Vec<String> {
    let named = Members::of(restriction);
    let known = Members::of(schema);
    let parent = |path: &str| path.rsplit_once('/').map_or("", |(parent, _)| parent).to_owned();
    let strange = |path: &&String| {
        let inside = known.named.contains(&parent(path)) || parent(path).is_empty();
        inside && !known.named.contains(*path) && !known.open.contains(&parent(path))
    };
    named.named.iter().filter(strange).cloned().collect()
}

/// What a schema says about members.
#[derive(Debug, Default)]
struct Members {
    /// Members and items that are spoken of.
    named: BTreeSet<String>,
    /// Values that may have members nobody names.
    open: BTreeSet<String>,
}

impl Members {
    fn of(schema: &Value) -> Self {
        let mut members = Self::default();
        members.collect(schema, schema, &mut String::new(), 0);
        members
    }

    fn collect(&mut self, root: &Value, schema: &Value, path: &mut String, depth: usize) {
        let Value::Object(map) = schema else { return };
        if let Some(target) = map.get("$ref").and_then(Value::as_str).and_then(|r| resolve(root, r))
        {
            if depth < DEEPEST_REFERENCE {
                self.collect(root, target, path, depth + 1);
            } else {
                self.open.insert(path.clone());
            }
        }
        if is_open(map) {
            self.open.insert(path.clone());
        }
        for name in map.get("required").and_then(Value::as_array).into_iter().flatten() {
            if let Some(name) = name.as_str() {
                self.within(path, name, |members, path| _ = members.named.insert(path.clone()));
            }
        }
        for child in children(map) {
            let token = match (child.applies, child.keyword) {
                (Applies::InPlace, _) => {
                    self.collect(root, child.schema, path, depth);
                    continue;
                }
                (_, "properties") => child.token.unwrap_or_default(),
                (_, "items" | "prefixItems" | "contains") => ITEM.to_owned(),
                _ => continue,
            };
            self.within(path, &token, |members, path| {
                members.named.insert(path.clone());
                members.collect(root, child.schema, path, depth);
            });
        }
    }

    fn within(&mut self, path: &mut String, token: &str, f: impl FnOnce(&mut Self, &mut String)) {
        let length = path.len();
        push_token(path, token);
        f(self, path);
        path.truncate(length);
    }
}

/// Whether a value of this schema may have members that no schema names. A part of a schema that
/// says nothing about members says nothing about others either.
fn is_open(map: &Map<String, Value>) -> bool {
    let opens = |keyword: &str| map.get(keyword).is_some_and(|value| *value != Value::Bool(false));
    let is_bare = map.get("type").is_some_and(|kind| *kind == "object")
        && !["properties", "additionalProperties", "unevaluatedProperties", "$ref"]
            .iter()
            .chain(&["allOf", "anyOf", "oneOf"])
            .any(|keyword| map.contains_key(*keyword));
    opens("additionalProperties")
        || opens("unevaluatedProperties")
        || map.contains_key("patternProperties")
        || is_bare
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tool() -> Value {
        json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "amount": {"type": "number"},
                "to": {"type": "object", "additionalProperties": false,
                       "properties": {"iban": {"type": "string"}}},
                "lines": {"type": "array", "items": {"type": "object", "additionalProperties": false,
                          "properties": {"price": {}}}},
                "note": {"type": "object"},
                "tree": {"$ref": "#/$defs/Tree"},
            },
            "$defs": {"Tree": {"type": "object", "additionalProperties": false, "properties": {
                "kids": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}}}},
        })
    }

    #[test]
    fn what_the_schema_knows_or_leaves_open_is_not_strange() {
        let restriction = json!({
            "required": ["amount"],
            "properties": {
                "amount": {"maximum": 100},
                "to": {"properties": {"iban": {"pattern": "^DE"}}},
                "lines": {"items": {"properties": {"price": {"maximum": 9}}}},
                "note": {"properties": {"anything": {"const": 1}}},
                "tree": {"properties": {"kids": {"items": {"properties": {"kids": {}}}}}},
            },
        });
        assert_eq!(unknown(&restriction, &tool()), Vec::<String>::new());
    }

    #[test]
    fn a_slip_is_found_at_every_depth_and_in_every_form() {
        for (restriction, strange) in [
            (json!({"properties": {"ammount": {"maximum": 1}}}), "/ammount"),
            (json!({"required": ["amout"]}), "/amout"),
            (json!({"properties": {"to": {"properties": {"ibann": {}}}}}), "/to/ibann"),
            (
                json!({"properties": {"lines": {"items": {"properties": {"prize": {}}}}}}),
                "/lines/*/prize",
            ),
            (json!({"anyOf": [{"properties": {"amounts": {}}}]}), "/amounts"),
            (json!({"not": {"required": ["a/b"]}}), "/a~1b"),
        ] {
            assert_eq!(unknown(&restriction, &tool()), [strange], "{restriction}");
        }
        assert_eq!(unknown(&json!({"required": ["x"]}), &json!({"type": "object"})), [""; 0]);
    }
}

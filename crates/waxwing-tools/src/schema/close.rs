//! Closes objects: a member that a schema does not name is refused unless the schema says
//! otherwise. A plain object gets `additionalProperties: false`; one put together from several
//! schemas gets `unevaluatedProperties: false` where they meet, and its parts stay open.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Origin;
use super::walk::{Applies, children, children_mut, definition_name};

const OPENNESS: [&str; 3] = ["additionalProperties", "unevaluatedProperties", "patternProperties"];

/// Closes every object of `schema`.
pub(super) fn close(schema: &mut Value, origin: Origin) {
    let mut closer = Closer { origin, parts: BTreeSet::new() };
    closer.collect_parts(schema, Place::Whole);
    closer.subschema(schema, Place::Whole);
    let Some(Value::Object(definitions)) = schema.get_mut("$defs") else { return };
    for (name, definition) in definitions {
        let place = if closer.parts.contains(name) { Place::Part } else { Place::Whole };
        closer.subschema(definition, place);
    }
}

/// Whether a schema says everything about its value, or only a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Whole,
    Part,
}

struct Closer {
    origin: Origin,
    /// Definitions that are somewhere only a part of a value's schema.
    parts: BTreeSet<String>,
}

impl Closer {
    fn collect_parts(&mut self, schema: &Value, place: Place) {
        let Value::Object(map) = schema else { return };
        let own = self.place_of_children(map, place);
        if let Some(name) = map.get("$ref").and_then(Value::as_str).and_then(definition_name)
            && (place == Place::Part || map.contains_key("properties"))
        {
            self.parts.insert(name);
        }
        for child in children(map) {
            self.collect_parts(child.schema, place_of(child.applies, child.keyword, own));
        }
    }

    fn subschema(&self, schema: &mut Value, place: Place) {
        let Value::Object(map) = schema else { return };
        let children_place = self.place_of_children(map, place);
        for (applies, keyword, child) in children_mut(map) {
            if applies != Applies::Nowhere {
                self.subschema(child, place_of(applies, keyword, children_place));
            }
        }
        if place == Place::Whole && self.names_members(map) && !says_otherwise(map) {
            let keyword = match children_place {
                Place::Part => "unevaluatedProperties",
                Place::Whole => "additionalProperties",
            };
            map.insert(keyword.to_owned(), Value::Bool(false));
        }
    }

    /// Whether `map` is the schema of an object whose members are known: one with `properties`,
    /// and a derived one without any, which is a struct without fields.
    fn names_members(&self, map: &Map<String, Value>) -> bool {
        let is_object = map.get("type").is_some_and(|kind| kind == "object");
        map.contains_key("properties")
            || (self.origin == Origin::Derived && is_object && !is_union(map))
            || map.contains_key("allOf") && is_object
    }

    /// Whether the in-place children of `map` describe the whole value or a part of it.
    fn place_of_children(&self, map: &Map<String, Value>, place: Place) -> Place {
        let beside = map.contains_key("properties") && is_composite(map);
        if place == Place::Part || beside || map.contains_key("allOf") || says_otherwise(map) {
            Place::Part
        } else {
            Place::Whole
        }
    }
}

fn place_of(applies: Applies, keyword: &str, in_place: Place) -> Place {
    match (applies, keyword) {
        // To close these would change what they say.
        (_, "not" | "if" | "then" | "else" | "dependentSchemas" | "contains") => Place::Part,
        (Applies::InPlace, _) => in_place,
        (Applies::Inside | Applies::Nowhere, _) => Place::Whole,
    }
}

fn says_otherwise(map: &Map<String, Value>) -> bool {
    OPENNESS.iter().any(|keyword| map.contains_key(*keyword))
}

fn is_union(map: &Map<String, Value>) -> bool {
    map.contains_key("oneOf") || map.contains_key("anyOf")
}

fn is_composite(map: &Map<String, Value>) -> bool {
    ["allOf", "anyOf", "oneOf", "if", "then", "else", "dependentSchemas", "$ref"]
        .iter()
        .any(|keyword| map.contains_key(*keyword))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn closed(mut schema: Value, origin: Origin) -> Value {
        close(&mut schema, origin);
        schema
    }

    #[test]
    fn plain_objects_are_closed_at_every_depth() {
        let inner = json!({"type": "object", "properties": {"a": {}}});
        let schema = json!({"properties": {"list": {"items": inner}}});
        let done = closed(schema, Origin::Written);
        assert_eq!(done["additionalProperties"], false);
        assert_eq!(done["properties"]["list"]["items"]["additionalProperties"], false);
    }

    #[test]
    fn what_a_schema_says_itself_stays() {
        for said in [json!({"additionalProperties": true}), json!({"patternProperties": {}})] {
            let mut schema = said;
            schema["properties"] = json!({"a": {}});
            assert_eq!(closed(schema.clone(), Origin::Written), schema);
        }
    }

    #[test]
    fn an_object_without_members_is_open_when_written_and_closed_when_derived() {
        let schema = json!({"type": "object"});
        assert_eq!(closed(schema.clone(), Origin::Written), schema);
        assert_eq!(closed(schema, Origin::Derived)["additionalProperties"], false);
    }

    #[test]
    fn objects_put_together_are_closed_where_they_meet() {
        let part = json!({"type": "object", "properties": {"b": {}}});
        let schema = json!({"properties": {"a": {}}, "oneOf": [part]});
        let done = closed(schema, Origin::Derived);
        assert_eq!(done["unevaluatedProperties"], false);
        assert_eq!(done["oneOf"][0].get("additionalProperties"), None);
    }

    #[test]
    fn a_union_alone_closes_its_branches() {
        let branch = json!({"type": "object", "properties": {"b": {}}});
        let done = closed(json!({"oneOf": [branch]}), Origin::Derived);
        assert_eq!(done["oneOf"][0]["additionalProperties"], false);
        assert_eq!(done.get("unevaluatedProperties"), None);
    }

    #[test]
    fn a_definition_that_is_a_part_stays_open_and_conditions_are_never_closed() {
        let schema = json!({
            "properties": {"whole": {"$ref": "#/$defs/Whole"}},
            "allOf": [{"$ref": "#/$defs/Base"}],
            "if": {"properties": {"kind": {"const": 1}}},
            "$defs": {
                "Base": {"properties": {"kind": {}}},
                "Whole": {"properties": {"a": {}}},
            },
        });
        let done = closed(schema, Origin::Written);
        assert_eq!(done["unevaluatedProperties"], false);
        assert_eq!(done["$defs"]["Base"].get("additionalProperties"), None);
        assert_eq!(done["if"].get("additionalProperties"), None);
        assert_eq!(done["$defs"]["Whole"]["additionalProperties"], false);
    }
}

//! Schemas written by hand: the dialect line dropped, small references written out.

use serde_json::{Map, Value};

use super::rules::{DIALECT, SchemaFault};
use super::walk::{children_mut, definition_name};

/// Bytes of a definition that is still written out where it is referred to.
const SMALL: usize = 2048;
/// References that are written out at most, so that a schema grows by a known amount.
const MOST_INLINED: usize = 64;

/// Takes `$schema` off the root when it names the one dialect.
pub(super) fn drop_dialect(schema: &mut Value) -> Result<(), SchemaFault> {
    let Value::Object(root) = schema else { return Ok(()) };
    match root.remove("$schema") {
        None => Ok(()),
        Some(Value::String(dialect)) if dialect.trim_end_matches('#') == DIALECT => Ok(()),
        Some(_) => Err(SchemaFault::Dialect),
    }
}

/// Writes small definitions that refer to nothing themselves in the place of their references,
/// and drops the definitions nobody needs any more.
pub(super) fn inline(schema: &mut Value) {
    let Some(Value::Object(definitions)) = schema.get("$defs") else { return };
    let small: Map<String, Value> = definitions
        .iter()
        .filter(|(_, definition)| definition.is_object() && !refers(definition))
        .filter(|(_, definition)| definition.to_string().len() <= SMALL)
        .map(|(name, definition)| (name.clone(), definition.clone()))
        .collect();
    let mut left = MOST_INLINED;
    replace(schema, &small, &mut left);
    let text = schema.to_string();
    let Value::Object(root) = schema else { return };
    if let Some(Value::Object(definitions)) = root.get_mut("$defs") {
        definitions.retain(|name, _| {
            let token = name.replace('~', "~0").replace('/', "~1");
            text.contains(&Value::from(format!("#/$defs/{token}")).to_string())
        });
        if definitions.is_empty() {
            root.remove("$defs");
        }
    }
}

fn refers(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => map.contains_key("$ref") || map.values().any(refers),
        Value::Array(list) => list.iter().any(refers),
        _ => false,
    }
}

fn replace(schema: &mut Value, small: &Map<String, Value>, left: &mut usize) {
    let Value::Object(map) = schema else { return };
    children_mut(map).for_each(|(_, _, child)| replace(child, small, left));
    let reference = map.get("$ref").and_then(Value::as_str);
    let target = reference.and_then(definition_name).and_then(|name| small.get(&name));
    let Some(Value::Object(target)) = target else { return };
    // Keywords beside a reference hold together with it, so only texts may be laid over it.
    let is_text = |keyword: &String| matches!(keyword.as_str(), "$ref" | "title" | "description");
    if *left == 0 || !map.keys().all(is_text) {
        return;
    }
    *left -= 1;
    map.remove("$ref");
    for (keyword, value) in target {
        map.entry(keyword.clone()).or_insert_with(|| value.clone());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_one_dialect_is_dropped_and_another_refused() {
        let mut schema = json!({"$schema": DIALECT, "type": "object"});
        drop_dialect(&mut schema).unwrap();
        assert_eq!(schema, json!({"type": "object"}));
        let mut old = json!({"$schema": "http://json-schema.org/draft-07/schema#"});
        assert!(matches!(drop_dialect(&mut old), Err(SchemaFault::Dialect)));
    }

    #[test]
    fn small_references_are_written_out_and_recursive_ones_stay() {
        let mut schema = json!({
            "properties": {
                "at": {"$ref": "#/$defs/Point", "description": "Where."},
                "tree": {"$ref": "#/$defs/Tree"},
            },
            "$defs": {
                "Point": {"type": "string", "description": "A point."},
                "Tree": {"type": "array", "items": {"$ref": "#/$defs/Tree"}},
            },
        });
        inline(&mut schema);
        let tree = json!({"type": "array", "items": {"$ref": "#/$defs/Tree"}});
        assert_eq!(
            schema,
            json!({
                "properties": {
                    "at": {"type": "string", "description": "Where."},
                    "tree": {"$ref": "#/$defs/Tree"},
                },
                "$defs": {"Tree": tree},
            })
        );
    }

    #[test]
    fn a_reference_beside_a_constraint_stays() {
        let mut schema = json!({
            "properties": {"n": {"$ref": "#/$defs/N", "minimum": 3}},
            "$defs": {"N": {"type": "number"}},
        });
        let before = schema.clone();
        inline(&mut schema);
        assert_eq!(schema, before);
    }
}

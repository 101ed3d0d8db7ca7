//! Schemas that lead back to themselves by several ways, against values as deep as a message may
//! be: without a memory of what was checked each level would multiply the work, and none of these
//! would end.

use serde_json::{Value, json};
use waxwing_tools::CompiledSchema;

use crate::tools::canonical;

const DEPTH: usize = 60;

fn node(own: &Value) -> Value {
    let mut node = json!({
        "type": "object", "required": ["left"],
        "properties": {"left": {"$ref": "#/$defs/Node"}, "right": {"$ref": "#/$defs/Node"}},
    });
    let properties = node["properties"].as_object_mut().unwrap();
    properties.extend(own.as_object().unwrap().clone());
    node
}

fn nested(leaf: &str, tag: &str) -> String {
    let inner = format!("{}{leaf}", "{\"left\":".repeat(DEPTH));
    format!("{inner}{}", format!(",\"right\":1{tag}}}").repeat(DEPTH))
}

/// Recursive definitions, each with what every level of a value needs beside `left` and `right`.
fn recursive() -> Vec<(Value, &'static str)> {
    let number = json!({"type": "number"});
    let (a, b) = (node(&json!({"a": {}})), node(&json!({"b": {}})));
    let (add, mul) =
        (node(&json!({"tag": {"const": "add"}})), node(&json!({"tag": {"const": "mul"}})));
    let into =
        json!({"properties": {"left": {"$ref": "#/$defs/Node"}}, "additionalProperties": true});
    let mut only_object = into.clone();
    only_object["type"] = json!("object");
    let flat = json!({
        "type": ["object", "number"], "oneOf": [number, only_object, {"type": "object", "required": ["other"]}],
        "properties": {"right": {}}, "unevaluatedProperties": false,
    });
    vec![
        (json!({"anyOf": [number, a, b]}), ""),
        (
            json!({"oneOf": [number, node(&json!({"c": {}})), {"type": "object", "required": ["x"],
            "properties": {"left": {"$ref": "#/$defs/Node"}, "x": {}}}]}),
            "",
        ),
        (json!({"oneOf": [number, add, mul]}), ",\"tag\":\"mul\""),
        (json!({"type": ["object", "number"], "allOf": [into, into, into]}), ""),
        (json!({"type": ["object", "number"], "if": into, "then": into, "else": into}), ""),
        (flat, ""),
    ]
}

#[test]
fn a_value_of_a_recursive_schema_is_checked_in_time_whether_right_or_wrong() {
    for (definition, tag) in recursive() {
        let schema = json!({
            "type": "object", "properties": {"root": {"$ref": "#/$defs/Node"}},
            "required": ["root"], "$defs": {"Node": definition},
        });
        let compiled = CompiledSchema::written_args(schema.clone()).unwrap();
        let check =
            |leaf: &str| compiled.check(&canonical(&format!("{{\"root\":{}}}", nested(leaf, tag))));
        check("1").unwrap_or_else(|violations| panic!("{schema}: {violations}"));
        let violations = check("\"x\"").unwrap_err();
        assert!(!violations.as_slice().is_empty());
    }
}

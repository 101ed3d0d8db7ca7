//! What is refused at registration, each with its reason.

use serde_json::{Value, json};
use waxwing_tools::{
    CompiledSchema, RESERVED_TOOLS, Registry, RegistryError, Tool, ToolError, ToolMode,
    WrittenSchemas,
};

use crate::tools::{Nothing, server};

fn plain(name: &str) -> Tool {
    Tool::sync(name, "d", |_: Nothing| async move { Ok::<_, ToolError>(1) })
}

fn refused(tools: impl IntoIterator<Item = Tool>) -> RegistryError {
    let builder = tools.into_iter().fold(Registry::builder(), |builder, tool| builder.tool(tool));
    builder.build(&server()).unwrap_err()
}

#[test]
fn reserved_duplicate_and_unusable_names_are_refused_all_at_once() {
    for name in RESERVED_TOOLS {
        assert!(refused([plain(name)]).to_string().contains("reserved"), "{name}");
    }
    let error = refused([plain("a"), plain("a"), plain("b c"), plain(""), plain("poll_job")]);
    let names: Vec<&str> = error.refused.iter().map(|refused| refused.tool.as_str()).collect();
    assert_eq!(names, ["a", "b c", "", "poll_job"]);
    let text = error.to_string();
    assert_eq!(text.lines().count(), 4, "{text}");
    assert!(text.contains("another tool has this name already"), "{text}");
    assert!(text.contains("1 to 64 of A-Za-z0-9_-"), "{text}");
}

#[test]
fn empty_and_endless_texts_and_limits_of_zero_are_refused() {
    let tool = |description: &str| {
        Tool::sync("t", description, |_: Nothing| async move { Ok::<_, ToolError>(1) })
    };
    assert!(refused([tool(" ")]).to_string().contains("description is empty"));
    assert!(refused([tool(&"d".repeat(4097))]).to_string().contains("too long"));
    assert!(refused([tool("d").title("")]).to_string().contains("title is empty"));
    let none = tool("d").limits(|limits| limits.concurrency = 0);
    assert!(refused([none]).to_string().contains("`concurrency` is zero"));
    let none = tool("d").limits(|limits| limits.time = Some(std::time::Duration::ZERO));
    assert!(refused([none]).to_string().contains("`time` is zero"));
}

#[test]
fn arguments_of_a_type_that_is_no_object_are_refused() {
    let number = Tool::sync("t", "d", |_: f64| async move { Ok::<_, ToolError>(1) });
    assert!(refused([number]).to_string().contains("input schema is not of an object"));
    let list = Tool::sync("t", "d", |_: Vec<f64>| async move { Ok::<_, ToolError>(1) });
    assert!(refused([list]).to_string().contains("use a struct"));
}

#[test]
fn each_rule_of_schemas_refuses_with_its_reason() {
    let nested = (0..30).fold(json!({}), |inner, _| json!({"items": inner}));
    let branches: Vec<Value> = (0..1001).map(|_| json!(true)).collect();
    let property = |schema: Value| json!({"type": "object", "properties": {"a": schema}});
    let cases = [
        (json!(7), "a schema is an object"),
        (json!(true), "not of an object"),
        (json!({}), "not of an object"),
        (json!({"type": ["object", "null"]}), "not of an object"),
        (
            json!({"type": "object", "$schema": "http://json-schema.org/draft-07/schema#"}),
            "dialect",
        ),
        (property(json!({"$ref": "https://example.com/schema.json"})), "nothing is ever fetched"),
        (property(json!({"$ref": "other.json#/x"})), "nothing is ever fetched"),
        (property(json!({"$ref": "#/properties/a"})), "#/$defs/NAME"),
        (property(json!({"$ref": 7})), "#/$defs/NAME"),
        (property(json!({"$ref": "#/$defs/gone"})), "a definition that is not there"),
        (property(json!({"$id": "https://example.com/"})), "$id"),
        (property(json!({"$dynamicRef": "#x"})), "$dynamicRef"),
        (property(json!({"type": "integer", "format": "uint32"})), "`minimum` and `maximum`"),
        (property(json!({"format": "int64"})), "`minimum` and `maximum`"),
        (property(json!({"format": "postcode"})), "nothing checks it"),
        (property(json!({"type": ["string", "null"]})), "take null out"),
        (property(json!({"anyOf": [{"type": "string"}, {"type": "null"}]})), "take null out"),
        (property(json!({"pattern": "(?=a)b"})), "linear time"),
        (property(json!({"pattern": "(a)\\1"})), "linear time"),
        (property(json!({"pattern": "("})), "unclosed group"),
        (property(json!({"pattern": "(a{1000}){1000}"})), "smaller repetitions"),
        (property(json!({"patternProperties": {"(?<!a)b": true}})), "linear time"),
        (property(json!({"minimun": 1})), "did you mean `minimum`"),
        (property(json!({"nullable": true})), "`required`"),
        (property(json!({"definitions": {}})), "write `$defs`"),
        (property(json!({"unevaluatedItems": false})), "`prefixItems`"),
        (property(json!({"$defs": {}})), "at the root only"),
        (property(json!({"type": "float"})), "not valid"),
        (property(json!({"minLength": -1})), "minimum"),
        (property(json!({"items": [true]})), "at /properties/a/items"),
        (property(nested), "more than 24 levels"),
        (property(json!({"anyOf": branches})), "more than 1000 subschemas"),
        (property(json!({"description": "d".repeat(70_000)})), "more than 65536 bytes"),
        (property(json!({"maximum": 18_446_744_073_709_551_615_u64})), "canonical"),
        (json!({"type": "object", "allOf": [{"$ref": "#"}]}), "leads back to itself"),
        (
            json!({
                "type": "object", "properties": {"a": {"$ref": "#/$defs/A"}},
                "$defs": {"A": {"anyOf": [{"$ref": "#/$defs/B"}]}, "B": {"not": {"$ref": "#/$defs/A"}}},
            }),
            "leads back to itself",
        ),
    ];
    for (schema, reason) in cases {
        let written = WrittenSchemas { input: schema.clone(), output: json!(true) };
        let tool =
            Tool::untyped("t", "d", ToolMode::Sync, written, |_, args| async move { Ok(args) });
        let error = refused([tool]).to_string();
        let shown: String = schema.to_string().chars().take(200).collect();
        assert!(error.contains(reason), "{shown}: {error}");
        assert!(error.starts_with("tool \"t\": the "), "{error}");
    }
}

#[test]
fn the_output_is_held_to_the_same_rules_but_may_be_any_value_and_null() {
    CompiledSchema::written(json!({"type": ["number", "null"]})).unwrap();
    CompiledSchema::written(json!(true)).unwrap();
    let nullable = json!({"type": "object", "properties": {"a": {"type": ["string", "null"]}}});
    CompiledSchema::written(nullable).unwrap();
    let written = WrittenSchemas {
        input: json!({"type": "object"}),
        output: json!({"$ref": "https://example.com/"}),
    };
    let tool = Tool::untyped("t", "d", ToolMode::Sync, written, |_, args| async move { Ok(args) });
    assert!(refused([tool]).to_string().contains("the output schema at the root: $ref"));
}

#[test]
fn a_recursive_schema_that_goes_into_the_value_is_taken() {
    let tree = json!({
        "type": "object",
        "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#/$defs/Leaf"}},
        "$defs": {"Leaf": {"anyOf": [{"type": "number"}, {"items": {"$ref": "#/$defs/Leaf"}}]}},
    });
    let schema = CompiledSchema::written_args(tree).unwrap();
    let deep = format!("{}{{\"right\":[[1]]}}{}", "{\"left\":".repeat(50), "}".repeat(50));
    schema.check(&crate::tools::canonical(&deep)).unwrap();
}

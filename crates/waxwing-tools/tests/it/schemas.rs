//! What the schema of a type looks like to a client.

use std::collections::BTreeMap;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use waxwing_tools::CompiledSchema;

fn args<T: serde::de::DeserializeOwned + JsonSchema>() -> Value {
    CompiledSchema::of_args::<T>().unwrap().schema().clone()
}

fn property<T: serde::de::DeserializeOwned + JsonSchema>(name: &str) -> Value {
    args::<T>()["properties"][name].clone()
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Numbers {
    a: u8,
    b: u64,
    c: i32,
    d: i64,
    e: f32,
    f: usize,
    #[schemars(range(min = 5, max = 10))]
    g: u32,
}

#[test]
fn number_formats_become_bounds() {
    let schema = args::<Numbers>();
    assert!(!schema.to_string().contains("format"), "{schema}");
    let greatest = 9_007_199_254_740_991_i64;
    let integer = |low: i64, high: i64| json!({"type": "integer", "minimum": low, "maximum": high});
    let cases = [
        ("a", integer(0, 255)),
        ("b", integer(0, greatest)),
        ("c", integer(-2_147_483_648, 2_147_483_647)),
        ("d", integer(-greatest, greatest)),
        ("e", json!({"type": "number"})),
        ("f", integer(0, greatest)),
        ("g", integer(5, 10)),
    ];
    for (name, expected) in cases {
        assert_eq!(property::<Numbers>(name), expected, "{name}");
    }
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Inner {
    x: Option<u8>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Colour {
    Red,
    Green,
}

/// All that may be left out.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Optional {
    /// A text.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inner: Option<Inner>,
    colour: Option<Colour>,
    list: Option<Vec<Option<u8>>>,
    #[serde(default)]
    count: Option<u8>,
    #[serde(default = "seven")]
    seven: u8,
}

fn seven() -> u8 {
    7
}

#[test]
fn optional_members_are_plain_and_not_required() {
    let schema = args::<Optional>();
    assert_eq!(schema.get("required"), None);
    assert_eq!(schema["description"], "All that may be left out.");
    assert_eq!(schema.get("title"), None);
    assert_eq!(schema["properties"]["text"], json!({"type": "string", "description": "A text."}));
    assert_eq!(schema["properties"]["inner"]["type"], "object");
    assert_eq!(schema["properties"]["inner"]["additionalProperties"], false);
    assert_eq!(schema["properties"]["colour"], json!({"type": "string", "enum": ["red", "green"]}));
    // Here null is a value of its own: absence would shift the items.
    assert_eq!(schema["properties"]["list"]["items"]["type"], json!(["integer", "null"]));
    assert_eq!(schema["properties"]["count"].get("default"), None);
    assert_eq!(schema["properties"]["seven"]["default"], 7);
}

#[test]
fn an_output_says_null_where_it_may_send_null() {
    let schema = CompiledSchema::of_output::<Optional>().unwrap();
    let properties = &schema.schema()["properties"];
    assert_eq!(properties["text"]["type"], "string");
    assert_eq!(properties["count"]["type"], json!(["integer", "null"]));
    let value =
        Optional { text: None, inner: None, colour: None, list: None, count: None, seven: 7 };
    schema.check(&crate::tools::json_of(&value)).unwrap();
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Tree {
    value: f64,
    children: Vec<Tree>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Forest {
    tree: Tree,
    first: Inner,
    second: Inner,
}

#[test]
fn references_are_inlined_unless_a_type_is_recursive() {
    let schema = args::<Forest>();
    assert_eq!(schema["properties"]["first"], schema["properties"]["second"]);
    let references = schema.to_string().matches("$ref").count();
    assert!(references > 0 && references <= 2, "{schema}");
    let tree = r#"{"first":{},"second":{"x":1},"tree":{"children":[{"children":[],"value":2}],"value":1}}"#;
    let compiled = CompiledSchema::of_args::<Forest>().unwrap();
    compiled.check(&crate::tools::canonical(tree)).unwrap();
    let wrong = tree.replace("\"value\":2", "\"value\":\"2\"");
    let violations = compiled.check(&crate::tools::canonical(&wrong)).unwrap_err();
    assert_eq!(violations.as_slice()[0].path, "/tree/children/0/value");
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Flat {
    a: u8,
    #[serde(flatten)]
    kind: Kind,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind")]
enum Kind {
    One { b: u8 },
    Two { c: u8 },
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Open {
    a: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[test]
fn flattened_types_are_closed_as_a_whole_and_open_ones_stay_open() {
    let flat = CompiledSchema::of_args::<Flat>().unwrap();
    let check = |text: &str| flat.check(&crate::tools::canonical(text));
    check(r#"{"a":1,"b":2,"kind":"One"}"#).unwrap();
    for wrong in [
        r#"{"a":1,"b":2,"kind":"One","x":1}"#,
        r#"{"a":1,"b":2,"c":3,"kind":"One"}"#,
        r#"{"a":1,"b":2,"kind":"Three"}"#,
        r#"{"a":1,"kind":"One"}"#,
    ] {
        check(wrong).unwrap_err();
    }
    let open = CompiledSchema::of_args::<Open>().unwrap();
    open.check(&crate::tools::canonical(r#"{"a":1,"x":{"y":[]}}"#)).unwrap();
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(tag = "op", rename_all = "lowercase")]
enum Operation {
    Add { by: f64 },
    Reset,
}

#[test]
fn a_union_of_objects_can_be_the_arguments() {
    let schema = args::<Operation>();
    assert_eq!(schema["type"], "object");
    let compiled = CompiledSchema::of_args::<Operation>().unwrap();
    compiled.check(&crate::tools::canonical(r#"{"by":2,"op":"add"}"#)).unwrap();
    compiled.check(&crate::tools::canonical(r#"{"op":"reset"}"#)).unwrap();
    compiled.check(&crate::tools::canonical(r#"{"by":2,"op":"reset"}"#)).unwrap_err();
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Nothing {}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Unit;

#[test]
fn a_struct_without_fields_takes_the_empty_object_only() {
    let schema = CompiledSchema::of_args::<Nothing>().unwrap();
    schema.check(&crate::tools::canonical("{}")).unwrap();
    schema.check(&crate::tools::canonical(r#"{"a":1}"#)).unwrap_err();
    CompiledSchema::of_args::<Unit>().unwrap_err();
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Address {
    ip: IpAddr,
}

#[test]
fn addresses_are_checked_although_their_format_is_no_standard_one() {
    let schema = CompiledSchema::of_args::<Address>().unwrap();
    for good in [r#"{"ip":"192.0.2.1"}"#, r#"{"ip":"2001:db8::1"}"#] {
        schema.check(&crate::tools::canonical(good)).unwrap();
    }
    schema.check(&crate::tools::canonical(r#"{"ip":"example.org"}"#)).unwrap_err();
}

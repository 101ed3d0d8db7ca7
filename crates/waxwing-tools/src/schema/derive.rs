//! Schemas from types, freed of what trips clients up: the Rust names of number formats, `null`
//! for a member that can be left out, references that could be written out.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::rules::required;
use super::walk::children_mut;

/// The greatest integer of canonical JSON (wire.md §1).
const GREATEST: i64 = (1 << 53) - 1;

/// The schema of what `T` decodes from.
pub(super) fn of_args<T: JsonSchema>() -> Value {
    tidy(settings().for_deserialize().into_generator().into_root_schema_for::<T>().to_value())
}

/// The schema of what `T` encodes to.
pub(super) fn of_output<T: JsonSchema>() -> Value {
    tidy(settings().for_serialize().into_generator().into_root_schema_for::<T>().to_value())
}

fn settings() -> SchemaSettings {
    SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    })
}

fn tidy(mut schema: Value) -> Value {
    if let Value::Object(root) = &mut schema {
        // The root's title is the name of a Rust type: nothing to a caller.
        root.remove("title");
    }
    subschema(&mut schema);
    schema
}

fn subschema(schema: &mut Value) {
    let Value::Object(map) = schema else { return };
    children_mut(map).for_each(|(_, _, child)| subschema(child));
    format(map);
    optional_members(map);
}

/// Turns the formats that schemars names after Rust types into bounds, and drops those that
/// nothing checks.
fn format(map: &mut Map<String, Value>) {
    let Some(format) = map.get("format").and_then(Value::as_str) else { return };
    let bounds = match format {
        "int8" | "uint8" | "int16" | "uint16" => None,
        "int32" => Some((i64::from(i32::MIN), i64::from(i32::MAX))),
        "uint32" => Some((0, i64::from(u32::MAX))),
        "int64" | "int128" | "int" => Some((-GREATEST, GREATEST)),
        "uint64" | "uint128" | "uint" => Some((0, GREATEST)),
        "ip" => {
            map.insert("anyOf".to_owned(), json!([{"format": "ipv4"}, {"format": "ipv6"}]));
            None
        }
        known if is_checked(known) => return,
        _ => None,
    };
    map.remove("format");
    if let Some((least, greatest)) = bounds {
        tighten(map, ["minimum", "exclusiveMinimum"], least, |own| own >= least as f64);
        tighten(map, ["maximum", "exclusiveMaximum"], greatest, |own| own <= greatest as f64);
    }
}

fn is_checked(format: &str) -> bool {
    let draft = jsonschema::Draft::Draft202012;
    format != "regex" && jsonschema::options().is_known_format(draft, format)
}

/// Sets the first of `keywords` to the type's own bound, unless one of them is at least as tight.
fn tighten(
    map: &mut Map<String, Value>,
    keywords: [&str; 2],
    bound: i64,
    is_tighter: impl Fn(f64) -> bool,
) {
    let own = keywords.iter().filter_map(|keyword| map.get(*keyword)).filter_map(Value::as_f64);
    if !own.into_iter().any(is_tighter) {
        let [inclusive, _] = keywords;
        map.insert(inclusive.to_owned(), Value::from(bound));
    }
}

/// Takes `null` out of members that may be left out.
fn optional_members(map: &mut Map<String, Value>) {
    let names: Vec<String> = required(map).into_iter().map(str::to_owned).collect();
    let Some(Value::Object(properties)) = map.get_mut("properties") else { return };
    for (name, property) in properties {
        if let (false, Value::Object(property)) = (names.contains(name), property) {
            forbid_null(property);
        }
    }
}

fn forbid_null(schema: &mut Map<String, Value>) {
    let null = Value::from("null");
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| *kind != null);
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(options)) = schema.get_mut("enum") {
        options.retain(|option| !option.is_null());
    }
    if schema.get("default") == Some(&Value::Null) {
        schema.remove("default");
    }
    let Some(Value::Array(branches)) = schema.get_mut("anyOf") else { return };
    branches.retain(|branch| branch.get("type") != Some(&null));
    if let [Value::Object(only)] = branches.as_mut_slice() {
        let only = std::mem::take(only);
        schema.remove("anyOf");
        for (keyword, value) in only {
            // A text at the member says more than the one at its type.
            schema.entry(keyword).or_insert(value);
        }
    }
}

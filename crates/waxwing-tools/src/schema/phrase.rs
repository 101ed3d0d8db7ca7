//! What a schema expects, in a few words: "a whole number from 1 to 20".

use serde_json::{Map, Value};
use waxwing_core::CanonicalJson;

use super::rules::required;
use super::walk::resolve;
use crate::text;

/// Options of an enumeration that are listed.
const MOST_OPTIONS: usize = 12;
/// Characters of a whole phrase.
const LONGEST: usize = 240;

/// What `schema`, a part of `root`, expects.
pub(super) fn phrase(root: &Value, schema: &Value) -> String {
    text::cut(&within(root, schema, 0), LONGEST)
}

fn within(root: &Value, schema: &Value, depth: usize) -> String {
    let Value::Object(map) = schema else {
        return if *schema == Value::Bool(false) { "nothing" } else { "any value" }.to_owned();
    };
    if let Some(options) = options(map) {
        return one_of(&options);
    }
    if let Some(target) = map.get("$ref").and_then(Value::as_str).and_then(|r| resolve(root, r))
        && depth < 3
    {
        return within(root, target, depth + 1);
    }
    let kinds = kinds(map);
    if !kinds.is_empty() {
        let phrases: Vec<String> =
            kinds.iter().map(|kind| of_kind(root, map, kind, depth)).collect();
        return text::alternatives(phrases.iter().map(String::as_str));
    }
    for union in ["anyOf", "oneOf"] {
        if let Some(Value::Array(branches)) = map.get(union)
            && depth < 3
        {
            return of_branches(root, branches, depth);
        }
    }
    "a value that keeps the schema".to_owned()
}

/// What a union expects: the fixed values of all its branches first, then its other forms.
pub(super) fn forms(root: &Value, branches: &[Value]) -> String {
    text::cut(&of_branches(root, branches, 0), LONGEST)
}

fn of_branches(root: &Value, branches: &[Value], depth: usize) -> String {
    let fixed = |branch: &Value| {
        options(branch.as_object()?).map(|list| list.into_iter().cloned().collect())
    };
    let fixed: Vec<Vec<Value>> = branches.iter().filter_map(fixed).collect();
    let fixed = fixed.concat();
    let mut phrases: Vec<String> = Vec::new();
    if !fixed.is_empty() {
        phrases.push(one_of(&fixed.iter().collect::<Vec<_>>()));
    }
    let others = branches.iter().filter(|b| b.as_object().is_none_or(|map| options(map).is_none()));
    for branch in others.take(6) {
        let branch = within(root, branch, depth + 1);
        if !phrases.contains(&branch) {
            phrases.push(branch);
        }
    }
    text::alternatives(phrases.iter().map(String::as_str))
}

/// The values that `const` or `enum` allow.
pub(super) fn options(map: &Map<String, Value>) -> Option<Vec<&Value>> {
    match (map.get("const"), map.get("enum")) {
        (Some(only), _) => Some(vec![only]),
        (None, Some(Value::Array(options))) => Some(options.iter().collect()),
        _ => None,
    }
}

/// "one of "red", "green"", in few words.
pub(super) fn one_of(options: &[&Value]) -> String {
    let mut shown: Vec<String> = options.iter().take(MOST_OPTIONS).map(|v| literal(v)).collect();
    if let [only] = shown.as_slice() {
        return format!("exactly {only}");
    }
    if options.len() > MOST_OPTIONS {
        shown.push(format!("{} more", options.len() - MOST_OPTIONS));
    }
    format!("one of {}", text::alternatives(shown.iter().map(String::as_str)))
}

/// A value of a schema as one would send it.
pub(super) fn literal(value: &Value) -> String {
    match value {
        Value::String(string) => text::quoted(string),
        other => text::cut(&canonical(other), text::LONGEST_ECHO),
    }
}

/// The value as it would be on the wire.
pub(super) fn canonical(value: &Value) -> String {
    match CanonicalJson::from_serialize(value) {
        Ok(text) => text.as_str().to_owned(),
        Err(_) => value.to_string(),
    }
}

/// The types that `map` allows, or implies by a keyword that is only for one.
pub(super) fn kinds(map: &Map<String, Value>) -> Vec<&str> {
    match map.get("type") {
        Some(Value::String(kind)) => return vec![kind],
        Some(Value::Array(kinds)) => return kinds.iter().filter_map(Value::as_str).collect(),
        _ => {}
    }
    let implied: [(&str, &[&str]); 4] = [
        ("object", &["properties", "required", "minProperties", "maxProperties"]),
        ("array", &["items", "prefixItems", "minItems", "maxItems", "uniqueItems"]),
        ("string", &["pattern", "format", "minLength", "maxLength"]),
        ("number", &["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]),
    ];
    let has = |keywords: &[&str]| keywords.iter().any(|keyword| map.contains_key(*keyword));
    implied.iter().filter(|(_, keywords)| has(keywords)).map(|(kind, _)| *kind).collect()
}

fn of_kind(root: &Value, map: &Map<String, Value>, kind: &str, depth: usize) -> String {
    match kind {
        "null" => "null".to_owned(),
        "boolean" => "true or false".to_owned(),
        "integer" => format!("a whole number{}", bounds(map)),
        "number" => format!("a number{}", bounds(map)),
        "string" => string(map),
        "array" => {
            let count = count(map, "minItems", "maxItems", "item");
            let unique = map.get("uniqueItems") == Some(&Value::Bool(true));
            let of = map.get("items").filter(|_| depth < 2).filter(|items| items.is_object());
            let each = of.map(|items| format!(", each {}", within(root, items, depth + 1)));
            let once = if unique { ", none twice" } else { "" };
            format!("an array{count}{}{once}", each.unwrap_or_default())
        }
        "object" => {
            let names: Vec<String> = required(map)
                .iter()
                .take(8)
                .map(|name| format!("`{}`", text::cut(name, 40)))
                .collect();
            if names.is_empty() {
                format!("an object{}", count(map, "minProperties", "maxProperties", "member"))
            } else {
                format!("an object with {}", text::listed(names.iter().map(String::as_str)))
            }
        }
        other => other.to_owned(),
    }
}

/// " from 1 to 20", " above 0 and at most 20", " of at least 1", "".
fn bounds(map: &Map<String, Value>) -> String {
    let number = |keyword: &str| map.get(keyword).filter(|bound| bound.is_number());
    let low = tightest(number("minimum"), number("exclusiveMinimum"), |a, b| a >= b);
    let high = tightest(number("maximum"), number("exclusiveMaximum"), |a, b| a <= b);
    let multiple = number("multipleOf").map(|step| format!(" that is a multiple of {step}"));
    let range = match (low, high) {
        (None, None) => String::new(),
        (Some(Bound::Inclusive(low)), Some(Bound::Inclusive(high))) => {
            format!(" from {low} to {high}")
        }
        (Some(low), None) => format!(" {}", low.words("at least", "above")),
        (None, Some(high)) => format!(" {}", high.words("at most", "below")),
        (Some(low), Some(high)) => {
            format!(" {} and {}", low.words("at least", "above"), high.words("at most", "below"))
        }
    };
    format!("{range}{}", multiple.unwrap_or_default())
}

enum Bound<'a> {
    Inclusive(&'a Value),
    Exclusive(&'a Value),
}

impl Bound<'_> {
    fn words(&self, inclusive: &str, exclusive: &str) -> String {
        match self {
            Self::Inclusive(bound) => format!("{inclusive} {bound}"),
            Self::Exclusive(bound) => format!("{exclusive} {bound}"),
        }
    }
}

fn tightest<'a>(
    inclusive: Option<&'a Value>,
    exclusive: Option<&'a Value>,
    wins: impl Fn(f64, f64) -> bool,
) -> Option<Bound<'a>> {
    match (inclusive, exclusive) {
        (None, None) => None,
        (Some(bound), None) => Some(Bound::Inclusive(bound)),
        (None, Some(bound)) => Some(Bound::Exclusive(bound)),
        (Some(bound), Some(strict)) => {
            let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
            Some(if wins(number(strict), number(bound)) {
                Bound::Exclusive(strict)
            } else {
                Bound::Inclusive(bound)
            })
        }
    }
}

/// " of 1 to 3 items", " of at least 1 item", " of at most 3 items", "".
fn count(map: &Map<String, Value>, least: &str, most: &str, one: &str) -> String {
    let least = map.get(least).and_then(Value::as_f64).filter(|least| *least > 0.0);
    let most = map.get(most).and_then(Value::as_f64);
    let many = |n: f64| format!("{n} {one}{}", if n == 1.0 { "" } else { "s" });
    match (least, most) {
        (None, None) => String::new(),
        (Some(least), None) => format!(" of at least {}", many(least)),
        (None, Some(most)) => format!(" of at most {}", many(most)),
        (Some(least), Some(most)) if least == most => format!(" of exactly {}", many(most)),
        (Some(least), Some(most)) => format!(" of {least} to {}", many(most)),
    }
}

fn string(map: &Map<String, Value>) -> String {
    let mut phrase = format!("a string{}", count(map, "minLength", "maxLength", "character"));
    if let Some(format) = map.get("format").and_then(Value::as_str) {
        phrase.push_str(&format!(" in the format {format}"));
        if let Some(example) = example(format) {
            phrase.push_str(&format!(", such as {example}"));
        }
    }
    if let Some(pattern) = map.get("pattern").and_then(Value::as_str) {
        phrase.push_str(&format!(" that matches {}", text::cut(pattern, 80)));
    }
    phrase
}

fn example(format: &str) -> Option<&'static str> {
    Some(match format {
        "date-time" => "2026-11-22T15:04:05Z",
        "date" => "2026-11-22",
        "time" => "15:04:05Z",
        "duration" => "PT1H30M",
        "email" => "ada@example.org",
        "hostname" => "host.example.org",
        "ipv4" => "192.0.2.1",
        "ipv6" => "2001:db8::1",
        "uri" => "https://example.org/path",
        "uuid" => "3f0c2a7e-1c77-4e0e-9c3e-1d2f3a4b5c6d",
        "json-pointer" => "/items/0",
        _ => return None,
    })
}

/// The first sentence of what the schema says about itself, in brackets; with the unit, often.
pub(super) fn about(schema: &Value) -> String {
    let Some(description) = schema.get("description").and_then(Value::as_str) else {
        return String::new();
    };
    let first = description.split("\n\n").next().unwrap_or_default();
    let line = first.split_whitespace().collect::<Vec<_>>().join(" ");
    let sentence = line.split_inclusive(". ").next().unwrap_or_default().trim();
    if sentence.is_empty() { String::new() } else { format!(" ({})", text::cut(sentence, 120)) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schemas_are_said_in_words() {
        let cases = [
            (json!(true), "any value"),
            (json!(false), "nothing"),
            (json!({"type": "boolean"}), "true or false"),
            (json!({"type": "integer", "minimum": 1}), "a whole number at least 1"),
            (json!({"type": "number", "minimum": 1, "maximum": 20}), "a number from 1 to 20"),
            (
                json!({"type": "number", "exclusiveMinimum": 0, "maximum": 20}),
                "a number above 0 and at most 20",
            ),
            (json!({"type": "number", "minimum": 1, "exclusiveMinimum": 0}), "a number at least 1"),
            (json!({"minimum": 1, "multipleOf": 5}), "a number at least 1 that is a multiple of 5"),
            (json!({"type": "string", "minLength": 1}), "a string of at least 1 character"),
            (
                json!({"type": "string", "minLength": 2, "maxLength": 2}),
                "a string of exactly 2 characters",
            ),
            (json!({"format": "ipv4"}), "a string in the format ipv4, such as 192.0.2.1"),
            (json!({"type": "string", "pattern": "^a+$"}), "a string that matches ^a+$"),
            (
                json!({"type": "array", "minItems": 1, "maxItems": 3, "items": {"type": "number"}}),
                "an array of 1 to 3 items, each a number",
            ),
            (json!({"type": "object", "required": ["b", "a"]}), "an object with `a` and `b`"),
            (json!({"type": ["string", "null"]}), "a string or null"),
            (json!({"const": "x"}), "exactly \"x\""),
            (json!({"enum": ["x", 2, null]}), "one of \"x\", 2 or null"),
            (json!({"anyOf": [{"type": "null"}, {"type": "boolean"}]}), "null or true or false"),
            (json!({"not": {}}), "a value that keeps the schema"),
        ];
        for (schema, expected) in cases {
            assert_eq!(phrase(&schema, &schema), expected, "{schema}");
        }
    }

    #[test]
    fn phrases_are_bounded_even_where_schemas_refer_to_themselves() {
        let schema = json!({"$ref": "#"});
        assert!(!phrase(&schema, &schema).is_empty());
        let many: Vec<String> = (0..500).map(|i| format!("option-{i}")).collect();
        let schema = json!({"enum": many});
        let said = phrase(&schema, &schema);
        assert!(said.chars().count() <= LONGEST, "{said}");
    }

    #[test]
    fn about_is_one_sentence() {
        let schema = json!({"description": "How long\nto work, in seconds. More.\n\nMore."});
        assert_eq!(about(&schema), " (How long to work, in seconds.)");
        assert_eq!(about(&json!({})), "");
    }
}

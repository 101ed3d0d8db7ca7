//! The members of a schema's objects as the rows of a table: name, type, whether it is needed, limits.

use serde_json::{Map, Value};

use crate::table::Table;

/// Members that are shown of a schema, and how deep.
const MOST_ROWS: usize = 100;
const DEEPEST: usize = 4;

/// The table of an object's members, unless the schema names none.
pub(super) fn table(schema: &Value) -> Option<Table> {
    let mut rows = Vec::new();
    collect(schema, schema, "", 0, &mut rows);
    if rows.is_empty() {
        return None;
    }
    let mut table = Table::new(&["NAME", "TYPE", "NEEDED", "LIMITS", "DESCRIPTION"]);
    let is_cut = rows.len() > MOST_ROWS;
    for row in rows.into_iter().take(MOST_ROWS) {
        table.row(row);
    }
    if is_cut {
        table.row(["and more: see --json"]);
    }
    Some(table)
}

/// A schema in one line.
pub(super) fn summary(schema: &Value) -> String {
    let parts = [kind(schema, schema, 0), limits(schema), description(schema)];
    let told = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ");
    crate::terminal::printable(&told)
}

fn collect(root: &Value, schema: &Value, before: &str, depth: usize, rows: &mut Vec<[String; 5]>) {
    let schema = resolved(root, schema);
    let Some(Value::Object(members)) = schema.get("properties") else { return };
    let needed = |name: &str| {
        let list = schema.get("required").and_then(Value::as_array);
        list.is_some_and(|list| list.iter().any(|it| it.as_str() == Some(name)))
    };
    for (name, member) in members {
        if rows.len() > MOST_ROWS {
            return;
        }
        let member = resolved(root, member);
        let path = format!("{before}{name}");
        let row = [
            path.clone(),
            kind(root, member, 0),
            if needed(name) { "yes" } else { "no" }.to_owned(),
            limits(member),
            description(member),
        ];
        rows.push(row);
        if depth < DEEPEST {
            collect(root, member, &format!("{path}."), depth + 1, rows);
            if let Some(items) = member.get("items") {
                collect(root, items, &format!("{path}[]."), depth + 1, rows);
            }
        }
    }
}

/// What a reference of this schema points at.
fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    match schema.get("$ref").and_then(Value::as_str) {
        Some("#") => root,
        Some(reference) => {
            reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
        }
        None => schema,
    }
}

fn description(schema: &Value) -> String {
    schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The type in words.
fn kind(root: &Value, schema: &Value, depth: usize) -> String {
    if depth > DEEPEST {
        return "any".to_owned();
    }
    let name = match schema.get("type") {
        Some(Value::String(name)) => name.clone(),
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or ")
        }
        _ => return implied(root, schema, depth),
    };
    match schema.get("items") {
        Some(items) if name == "array" => {
            match kind(root, resolved(root, items), depth + 1).as_str() {
                "any" | "" => name,
                inner if inner.contains(' ') => format!("array of ({inner})"),
                inner => format!("array of {inner}s"),
            }
        }
        _ => name,
    }
}

/// The type of a schema that does not say it.
fn implied(root: &Value, schema: &Value, depth: usize) -> String {
    let branches = ["oneOf", "anyOf"].iter().find_map(|keyword| schema.get(*keyword)?.as_array());
    let values = schema.get("enum").and_then(Value::as_array).map(Vec::as_slice);
    let values = values.or_else(|| schema.get("const").map(std::slice::from_ref));
    let mut kinds: Vec<String> = match (branches, values) {
        (Some(branches), _) => {
            let kind = |branch| kind(root, resolved(root, branch), depth + 1);
            branches.iter().map(kind).collect()
        }
        (None, Some(values)) => values.iter().map(|value| type_of(value).to_owned()).collect(),
        (None, None) => return "any".to_owned(),
    };
    let mut seen = Vec::new();
    kinds.retain(|kind| {
        !seen.contains(kind) && {
            seen.push(kind.clone());
            true
        }
    });
    kinds.join(" or ")
}

const fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The bounds in words.
fn limits(schema: &Value) -> String {
    let Value::Object(map) = schema else { return String::new() };
    let mut parts = bounds(map);
    if let Some(values) = map.get("enum").and_then(Value::as_array) {
        parts.push(values.iter().map(plain).collect::<Vec<_>>().join(" or "));
    }
    if let Some(value) = map.get("const") {
        parts.push(format!("only {}", plain(value)));
    }
    if let Some(items) = map.get("items") {
        let inner = limits(items);
        if !inner.is_empty() {
            parts.push(format!("each {inner}"));
        }
    }
    if let Some(value) = map.get("default") {
        parts.push(format!("else {}", plain(value)));
    }
    parts.join(", ")
}

fn bounds(map: &Map<String, Value>) -> Vec<String> {
    const WORDS: [(&str, &str, &str); 14] = [
        ("minimum", "at least ", ""),
        ("exclusiveMinimum", "above ", ""),
        ("maximum", "at most ", ""),
        ("exclusiveMaximum", "below ", ""),
        ("multipleOf", "multiple of ", ""),
        ("minLength", "at least ", " characters"),
        ("maxLength", "at most ", " characters"),
        ("minItems", "at least ", " items"),
        ("maxItems", "at most ", " items"),
        ("minProperties", "at least ", " members"),
        ("maxProperties", "at most ", " members"),
        ("pattern", "matches ", ""),
        ("format", "format ", ""),
        ("contentEncoding", "encoded as ", ""),
    ];
    let mut parts: Vec<String> = WORDS
        .iter()
        .filter_map(|(keyword, before, after)| {
            map.get(*keyword).map(|value| format!("{before}{}{after}", plain(value)))
        })
        .collect();
    if map.get("uniqueItems") == Some(&Value::Bool(true)) {
        parts.push("no item twice".to_owned());
    }
    parts
}

/// A value without quotes where it needs none.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) if !text.is_empty() && !text.contains(char::is_whitespace) => {
            text.clone()
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schemas_are_told_in_one_line() {
        for (schema, line) in [
            (
                json!({"type": "integer", "minimum": 0, "maximum": 9}),
                "integer  at least 0, at most 9",
            ),
            (json!({"enum": ["a", "b c", 1]}), "string or number  a or \"b c\" or 1"),
            (json!({"anyOf": [{"type": "string"}, {"type": "null"}]}), "string or null"),
            (
                json!({"type": "array", "items": {"type": ["string", "null"]}}),
                "array of (string or null)",
            ),
            (json!(true), "any"),
            (json!({"type": "string", "pattern": "\u{1b}"}), "string  matches \u{fffd}"),
            (
                json!({"type": "string", "default": "", "description": "A\u{1b}."}),
                "string  else \"\"  A\u{fffd}.",
            ),
        ] {
            assert_eq!(summary(&schema), line);
        }
    }

    #[test]
    fn a_recursive_schema_ends() {
        let list = json!({"type": "array", "items": {"$ref": "#"}});
        assert!(summary(&list).starts_with("array of (array of"));
        let wide: Map<String, Value> =
            (0..100).map(|i| (format!("m{i}"), json!({"$ref": "#"}))).collect();
        assert!(table(&json!({"properties": wide})).is_some());
        let tree = json!({"$ref": "#/$defs/Tree", "$defs": {"Tree": {"type": "object", "properties": {
            "kids": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}}}}});
        let canvas = crate::table::Canvas { width: None, paint: crate::table::Paint::Plain };
        let text = table(&tree).unwrap().render(canvas);
        assert!(text.contains("kids[].kids[].kids") && text.lines().count() < 10, "{text}");
    }
}

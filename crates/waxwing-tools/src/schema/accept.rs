//! A first pass over canonical text that only ever says "surely valid" or "ask the judge": most
//! calls are right and most schemas plain, and then one look at each byte is proof enough.
//! Whatever is not plain is left to the judge, so this can be wrong in one direction only.

mod scan;
mod shape;

use serde_json::Value;

use super::rules::SchemaFault;
use scan::Scan;
use shape::Shape;

/// The plain part of a schema.
pub(super) struct Accept(Shape);

/// The answer of the first pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FirstLook {
    /// The value keeps the schema.
    Valid,
    /// Not known: the judge decides.
    Unsure,
}

impl Accept {
    pub(super) fn new(schema: &Value) -> Result<Self, SchemaFault> {
        Shape::new(schema).map(Self)
    }

    /// Looks once at `canonical`, which must be canonical JSON.
    pub(super) fn look(&self, canonical: &str) -> FirstLook {
        let mut scan = Scan::new(canonical);
        match scan.value(&self.0).filter(|()| scan.is_at_end()) {
            Some(()) => FirstLook::Valid,
            None => FirstLook::Unsure,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn look(schema: Value, text: &str) -> FirstLook {
        Accept::new(&schema).unwrap().look(text)
    }

    #[test]
    fn plain_values_of_plain_schemas_are_valid_at_first_look() {
        let cases = [
            (json!({}), r#"{"a":[1,"}\"",{}]}"#),
            (json!({"type": "integer"}), "-12"),
            (json!({"type": "integer", "minimum": 0, "maximum": 20}), "20"),
            (json!({"type": "number", "exclusiveMinimum": 0}), "0.5"),
            (json!({"type": "string", "minLength": 2, "maxLength": 2}), r#""é\n""#),
            (json!({"type": "string", "maxLength": 1}), "\"\\u001f\""),
            (json!({"type": "string", "pattern": "^a+$"}), r#""aaa""#),
            (json!({"format": "ipv4"}), r#""192.0.2.1""#),
            (json!({"type": ["string", "null"]}), "null"),
            (json!({"enum": ["a", 2, true]}), "true"),
            (json!({"const": {"b": 1.0}}), r#"{"b":1}"#),
            (json!({"items": {"type": "number"}, "minItems": 1}), "[1,2.5,1e+21]"),
            (json!({"items": {"type": "number"}, "maxItems": 0}), "[]"),
            (json!({"prefixItems": [{"const": 1}], "items": {"const": 2}}), "[1,2,2]"),
            (json!({"anyOf": [{"type": "string"}, {"type": "integer"}]}), "5"),
            (json!({"oneOf": [{"const": "a"}, {"const": "b"}]}), r#""b""#),
            (json!({"additionalProperties": {"type": "integer"}}), r#"{"a":1,"b":2}"#),
            (
                json!({
                    "type": "object", "required": ["b"], "additionalProperties": false,
                    "properties": {"a": {"type": "string"}, "b": {"type": "boolean"}, "c\n": {}},
                }),
                r#"{"b":false,"c\n":[]}"#,
            ),
        ];
        for (schema, text) in cases {
            assert_eq!(look(schema.clone(), text), FirstLook::Valid, "{schema} {text}");
        }
    }

    #[test]
    fn what_is_wrong_or_not_plain_is_left_to_the_judge() {
        let cases = [
            (json!(false), "1"),
            (json!({"type": "integer"}), "1.5"),
            (json!({"type": "integer"}), "1e+21"),
            (json!({"type": "integer", "maximum": 20}), "21"),
            (json!({"exclusiveMinimum": 0}), "0"),
            (json!({"type": "string"}), "1"),
            (json!({"minLength": 2}), r#""\n""#),
            (json!({"pattern": "^a+$"}), r#""b""#),
            (json!({"enum": ["a"]}), r#""b""#),
            (json!({"items": {"type": "number"}}), r#"[1,"2"]"#),
            (json!({"minItems": 1}), "[]"),
            (json!({"uniqueItems": true}), "[1,2]"),
            (json!({"not": {}}), "1"),
            (json!({"required": ["a"], "properties": {"a": {}}}), "{}"),
            (json!({"additionalProperties": false}), r#"{"a":1}"#),
            (json!({"$ref": "#"}), "1"),
            (json!({"oneOf": [{"type": "integer"}, {"type": "number"}]}), "1"),
        ];
        for (schema, text) in cases {
            assert_eq!(look(schema.clone(), text), FirstLook::Unsure, "{schema} {text}");
        }
    }

    #[test]
    fn text_that_is_not_canonical_never_panics_and_is_never_accepted_whole() {
        let schema = json!({"properties": {"a": {"items": {"type": "integer"}}}});
        for text in [
            "",
            "{",
            "[",
            "\"",
            "{\"",
            "{\"a",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":[",
            "[1",
            "1x",
            "{\"a\":[1]",
            "{\"a\":[1]} ",
            "\"\\",
            "-",
            "{}{}",
            "tru",
            "{\"a\":1,}",
        ] {
            assert_eq!(look(schema.clone(), text), FirstLook::Unsure, "{text}");
        }
    }
}

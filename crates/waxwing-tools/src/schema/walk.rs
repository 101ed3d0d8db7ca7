//! Where the subschemas of a schema are: the keywords of JSON Schema 2020-12 that we take.

use serde_json::{Map, Value};

/// What a keyword holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// Data: a bound, a text, a value.
    Data,
    /// One subschema.
    One(Applies),
    /// A list of subschemas.
    List(Applies),
    /// An object of subschemas.
    Named(Applies),
}

/// What a subschema is applied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Applies {
    /// The same value as the schema it is in.
    InPlace,
    /// A part of that value.
    Inside,
    /// Nothing, until something refers to it.
    Nowhere,
}

/// Every keyword that a schema may use.
pub(super) const KEYWORDS: &[(&str, Holds)] = &[
    ("$comment", Holds::Data),
    ("$defs", Holds::Named(Applies::Nowhere)),
    ("$ref", Holds::Data),
    ("additionalProperties", Holds::One(Applies::Inside)),
    ("allOf", Holds::List(Applies::InPlace)),
    ("anyOf", Holds::List(Applies::InPlace)),
    ("const", Holds::Data),
    ("contains", Holds::One(Applies::Inside)),
    ("contentEncoding", Holds::Data),
    ("contentMediaType", Holds::Data),
    ("default", Holds::Data),
    ("dependentRequired", Holds::Data),
    ("dependentSchemas", Holds::Named(Applies::InPlace)),
    ("deprecated", Holds::Data),
    ("description", Holds::Data),
    ("else", Holds::One(Applies::InPlace)),
    ("enum", Holds::Data),
    ("examples", Holds::Data),
    ("exclusiveMaximum", Holds::Data),
    ("exclusiveMinimum", Holds::Data),
    ("format", Holds::Data),
    ("if", Holds::One(Applies::InPlace)),
    ("items", Holds::One(Applies::Inside)),
    ("maxContains", Holds::Data),
    ("maxItems", Holds::Data),
    ("maxLength", Holds::Data),
    ("maxProperties", Holds::Data),
    ("maximum", Holds::Data),
    ("minContains", Holds::Data),
    ("minItems", Holds::Data),
    ("minLength", Holds::Data),
    ("minProperties", Holds::Data),
    ("minimum", Holds::Data),
    ("multipleOf", Holds::Data),
    ("not", Holds::One(Applies::InPlace)),
    ("oneOf", Holds::List(Applies::InPlace)),
    ("pattern", Holds::Data),
    ("patternProperties", Holds::Named(Applies::Inside)),
    ("prefixItems", Holds::List(Applies::Inside)),
    ("properties", Holds::Named(Applies::Inside)),
    ("propertyNames", Holds::One(Applies::Inside)),
    ("readOnly", Holds::Data),
    ("required", Holds::Data),
    ("then", Holds::One(Applies::InPlace)),
    ("title", Holds::Data),
    ("type", Holds::Data),
    ("unevaluatedProperties", Holds::One(Applies::Inside)),
    ("uniqueItems", Holds::Data),
    ("writeOnly", Holds::Data),
];

/// What `keyword` holds, if it is one of ours.
pub(super) fn holds(keyword: &str) -> Option<Holds> {
    let at = KEYWORDS.binary_search_by(|(name, _)| (*name).cmp(keyword)).ok()?;
    KEYWORDS.get(at).map(|(_, holds)| *holds)
}

/// A direct subschema and where it is.
pub(super) struct Child<'a> {
    pub(super) keyword: &'a str,
    /// Its index or name below the keyword, for keywords that hold several.
    pub(super) token: Option<String>,
    pub(super) applies: Applies,
    pub(super) schema: &'a Value,
}

/// The direct subschemas of `schema`.
pub(super) fn children(schema: &Map<String, Value>) -> impl Iterator<Item = Child<'_>> {
    schema.iter().flat_map(|(keyword, value)| {
        let child = |token, applies, schema| Child { keyword, token, applies, schema };
        let found: Vec<Child<'_>> = match (holds(keyword), value) {
            (Some(Holds::One(applies)), schema) => vec![child(None, applies, schema)],
            (Some(Holds::List(applies)), Value::Array(list)) => list
                .iter()
                .enumerate()
                .map(|(i, schema)| child(Some(i.to_string()), applies, schema))
                .collect(),
            (Some(Holds::Named(applies)), Value::Object(named)) => named
                .iter()
                .map(|(name, schema)| child(Some(name.clone()), applies, schema))
                .collect(),
            _ => Vec::new(),
        };
        found
    })
}

/// The direct subschemas of `schema`, to change.
pub(super) fn children_mut(
    schema: &mut Map<String, Value>,
) -> impl Iterator<Item = (Applies, &str, &mut Value)> {
    schema.iter_mut().flat_map(|(keyword, value)| {
        let found: Vec<(Applies, &str, &mut Value)> = match (holds(keyword), value) {
            (Some(Holds::One(applies)), schema) => vec![(applies, keyword.as_str(), schema)],
            (Some(Holds::List(applies)), Value::Array(list)) => {
                list.iter_mut().map(|schema| (applies, keyword.as_str(), schema)).collect()
            }
            (Some(Holds::Named(applies)), Value::Object(named)) => {
                named.values_mut().map(|schema| (applies, keyword.as_str(), schema)).collect()
            }
            _ => Vec::new(),
        };
        found
    })
}

/// The name of the definition that `reference` (`#/$defs/NAME`) points at.
pub(super) fn definition_name(reference: &str) -> Option<String> {
    let token = reference.strip_prefix("#/$defs/")?;
    let plain = !token.is_empty() && !token.contains(['/', '%']);
    plain.then(|| token.replace("~1", "/").replace("~0", "~"))
}

/// The schema that `reference` points at in `root`: `#` or `#/$defs/NAME`.
pub(super) fn resolve<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    if reference == "#" {
        return Some(root);
    }
    root.get("$defs")?.get(definition_name(reference)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_sorted_so_that_the_search_finds_them() {
        assert!(KEYWORDS.is_sorted_by(|(a, _), (b, _)| a < b));
        assert_eq!(holds("items"), Some(Holds::One(Applies::Inside)));
        assert_eq!(holds("unevaluatedItems"), None);
    }
}

//! The plain part of a schema, compiled: what the scan compares a value with.

use std::collections::BTreeSet;

use jsonschema::Validator;
use serde_json::{Map, Value, json};
use waxwing_core::CanonicalJson;

use crate::schema::phrase::options;
use crate::schema::rules::{self, SchemaFault, required};

/// A schema as the scan sees it.
pub(super) enum Shape {
    /// Takes any value.
    Any,
    /// Not plain: the judge decides.
    Ask,
    /// Takes what keeps the rule.
    Rule(Box<Rule>),
}

/// Every bound of a plain schema. One that is absent does not bind.
pub(super) struct Rule {
    pub(super) kinds: Kinds,
    /// Canonical texts, of which the value must be one.
    pub(super) options: Option<Vec<Box<str>>>,
    /// Shapes, of which the value must have one.
    pub(super) any_of: Vec<Shape>,
    pub(super) low: f64,
    pub(super) above: f64,
    pub(super) high: f64,
    pub(super) below: f64,
    pub(super) length: Range,
    /// Compiled `pattern` and `format`.
    pub(super) checks: Vec<Validator>,
    pub(super) count: Range,
    pub(super) prefix: Vec<Shape>,
    pub(super) items: Shape,
    pub(super) members: Range,
    pub(super) properties: Vec<Property>,
    pub(super) required: usize,
    pub(super) additional: Shape,
}

/// A member that a schema names.
pub(super) struct Property {
    /// The name as canonical text has it between its quotes.
    pub(super) name: Box<str>,
    pub(super) need: Need,
    pub(super) shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Required,
    Optional,
}

/// An inclusive range of counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    least: usize,
    most: usize,
}

impl Range {
    const ALL: Self = Self { least: 0, most: usize::MAX };

    /// `Some` when `count` is within.
    pub(super) fn holds(self, count: usize) -> Option<()> {
        (self.least <= count && count <= self.most).then_some(())
    }

    /// Whether every count is within, so that none needs to be made.
    pub(super) fn is_all(self) -> bool {
        self == Self::ALL
    }
}

/// A set of JSON types. An integer is a number spelled without fraction and exponent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kinds(u8);

impl Kinds {
    pub(super) const NULL: Self = Self(1);
    pub(super) const BOOLEAN: Self = Self(2);
    pub(super) const INTEGER: Self = Self(4);
    pub(super) const NUMBER: Self = Self(8 | 4);
    pub(super) const STRING: Self = Self(16);
    pub(super) const ARRAY: Self = Self(32);
    pub(super) const OBJECT: Self = Self(64);
    const ALL: Self = Self(127);

    /// `Some` when the set has all of `other`.
    pub(super) fn has(self, other: Self) -> Option<()> {
        (self.0 & other.0 == other.0).then_some(())
    }

    fn is_disjoint(self, other: Self) -> bool {
        self.0 & other.0 == 0
    }

    fn of(value: &Value) -> Option<Self> {
        let kind = |name: &Value| {
            Some(match name.as_str()? {
                "null" => Self::NULL,
                "boolean" => Self::BOOLEAN,
                "integer" => Self::INTEGER,
                "number" => Self::NUMBER,
                "string" => Self::STRING,
                "array" => Self::ARRAY,
                "object" => Self::OBJECT,
                _ => return None,
            })
        };
        match value {
            Value::Array(names) => {
                let all = names.iter().map(kind).collect::<Option<Vec<Self>>>()?;
                Some(Self(all.iter().fold(0, |bits, kinds| bits | kinds.0)))
            }
            name => kind(name),
        }
    }
}

impl Shape {
    pub(super) fn new(schema: &Value) -> Result<Self, SchemaFault> {
        match schema {
            Value::Bool(true) => Ok(Self::Any),
            Value::Object(map) => Ok(match Rule::new(map)? {
                Some(rule) => Self::Rule(Box::new(rule)),
                None => Self::Ask,
            }),
            _ => Ok(Self::Ask),
        }
    }

    fn list(schemas: &Value) -> Result<Vec<Self>, SchemaFault> {
        schemas.as_array().into_iter().flatten().map(Self::new).collect()
    }
}

impl Rule {
    /// The rule of `map`, or `None` when `map` has a keyword that is not plain.
    fn new(map: &Map<String, Value>) -> Result<Option<Self>, SchemaFault> {
        let mut rule = Self {
            kinds: Kinds::ALL,
            options: None,
            any_of: Vec::new(),
            low: f64::NEG_INFINITY,
            above: f64::NEG_INFINITY,
            high: f64::INFINITY,
            below: f64::INFINITY,
            length: Range::ALL,
            checks: Vec::new(),
            count: Range::ALL,
            prefix: Vec::new(),
            items: Shape::Any,
            members: Range::ALL,
            properties: Vec::new(),
            required: 0,
            additional: Shape::Any,
        };
        for (keyword, value) in map {
            if rule.keyword(map, keyword, value)?.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(rule))
    }

    /// Takes in one keyword; `None` when it is not plain.
    fn keyword(
        &mut self,
        map: &Map<String, Value>,
        keyword: &str,
        value: &Value,
    ) -> Result<Option<()>, SchemaFault> {
        match keyword {
            "type" => match Kinds::of(value) {
                Some(kinds) => self.kinds = kinds,
                None => return Ok(None),
            },
            "const" | "enum" => {
                if map.contains_key("const") && map.contains_key("enum") {
                    return Ok(None);
                }
                self.options = options(map).as_deref().and_then(texts);
                return Ok(self.options.is_some().then_some(()));
            }
            "anyOf" | "oneOf" => {
                let exclusive = keyword == "anyOf" || are_exclusive(value);
                if !exclusive || !self.any_of.is_empty() {
                    return Ok(None);
                }
                self.any_of = Shape::list(value)?;
            }
            "pattern" | "format" => {
                self.checks.push(rules::validator(&json!({ keyword: value }))?);
            }
            "prefixItems" => self.prefix = Shape::list(value)?,
            "items" => self.items = Shape::new(value)?,
            "properties" => {
                let Some(properties) = properties(map, value)? else { return Ok(None) };
                self.properties = properties;
            }
            "required" => {
                let named = map.get("properties").and_then(Value::as_object);
                let names = required(map);
                self.required = names.len();
                let known = |name: &&str| named.is_some_and(|named| named.contains_key(*name));
                return Ok(names.iter().all(known).then_some(()));
            }
            "additionalProperties" => self.additional = Shape::new(value)?,
            _ => return Ok(self.bound(keyword, value)),
        }
        Ok(Some(()))
    }

    /// Takes in a bound or a text; `None` for any other keyword.
    fn bound(&mut self, keyword: &str, value: &Value) -> Option<()> {
        let count = || {
            let count = value.as_f64().filter(|count| *count >= 0.0)?;
            Some(count as usize)
        };
        match keyword {
            "minimum" => self.low = value.as_f64()?,
            "exclusiveMinimum" => self.above = value.as_f64()?,
            "maximum" => self.high = value.as_f64()?,
            "exclusiveMaximum" => self.below = value.as_f64()?,
            "minLength" => self.length.least = count()?,
            "maxLength" => self.length.most = count()?,
            "minItems" => self.count.least = count()?,
            "maxItems" => self.count.most = count()?,
            "minProperties" => self.members.least = count()?,
            "maxProperties" => self.members.most = count()?,
            "$comment" | "$defs" | "contentEncoding" | "contentMediaType" | "default"
            | "deprecated" | "description" | "examples" | "readOnly" | "title" | "writeOnly" => {}
            other => return other.starts_with("x-").then_some(()),
        }
        Some(())
    }

    /// Whether numbers need no comparison.
    pub(super) fn takes_any_number(&self) -> bool {
        self.low == f64::NEG_INFINITY
            && self.above == f64::NEG_INFINITY
            && self.high == f64::INFINITY
            && self.below == f64::INFINITY
    }
}

fn texts(options: &[&Value]) -> Option<Vec<Box<str>>> {
    let text = |option: &&Value| {
        let canonical = CanonicalJson::from_serialize(*option).ok()?;
        Some(canonical.as_str().into())
    };
    options.iter().map(text).collect()
}

fn properties(
    map: &Map<String, Value>,
    value: &Value,
) -> Result<Option<Vec<Property>>, SchemaFault> {
    let needed = required(map);
    let Value::Object(named) = value else { return Ok(None) };
    let mut properties = Vec::new();
    let mut names: Vec<&String> = named.keys().collect();
    names.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
    for name in names {
        let Ok(text) = CanonicalJson::from_serialize(name) else { return Ok(None) };
        let quoted = text.as_str();
        let Some(bare) = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
            return Ok(None);
        };
        let need = if needed.contains(name.as_str()) { Need::Required } else { Need::Optional };
        let shape = match named.get(name) {
            Some(schema) => Shape::new(schema)?,
            None => Shape::Ask,
        };
        properties.push(Property { name: bare.into(), need, shape });
    }
    Ok(Some(properties))
}

/// Whether no value can keep two of `branches`, so that one that holds is the only one.
fn are_exclusive(branches: &Value) -> bool {
    let branches: Option<Vec<&Map<String, Value>>> = branches
        .as_array()
        .map_or(Some(Vec::new()), |list| list.iter().map(Value::as_object).collect());
    branches.is_some_and(|branches| {
        branches
            .iter()
            .enumerate()
            .all(|(i, one)| branches.iter().skip(i + 1).all(|other| exclude_each_other(one, other)))
    })
}

fn exclude_each_other(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    let kinds = |map: &Map<String, Value>| map.get("type").and_then(Kinds::of);
    if let (Some(a), Some(b)) = (kinds(one), kinds(other))
        && a.is_disjoint(b)
    {
        return true;
    }
    if let (Some(a), Some(b)) = (options(one), options(other)) {
        return are_disjoint(&a, &b);
    }
    let are_objects = [one, other].iter().all(|map| kinds(map) == Some(Kinds::OBJECT));
    are_objects
        && (needs_what_is_closed(one, other)
            || needs_what_is_closed(other, one)
            || differ_in_a_tag(one, other))
}

fn are_disjoint(a: &[&Value], b: &[&Value]) -> bool {
    match (texts(a), texts(b)) {
        (Some(a), Some(b)) => {
            let a: BTreeSet<Box<str>> = a.into_iter().collect();
            b.iter().all(|text| !a.contains(text))
        }
        _ => false,
    }
}

/// Whether `one` requires a member that `other` does not take.
fn needs_what_is_closed(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    let closed = other.get("additionalProperties") == Some(&Value::Bool(false))
        && !other.contains_key("patternProperties");
    let takes = |name: &str| other.get("properties").is_some_and(|named| named.get(name).is_some());
    closed && required(one).iter().any(|name| !takes(name))
}

/// Whether both require a member and fix it to different values.
fn differ_in_a_tag(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    let needed = required(other);
    required(one).intersection(&needed).any(|name| {
        let tag = |map: &Map<String, Value>| {
            let property = map.get("properties")?.get(*name)?.as_object()?;
            Some(options(property)?.into_iter().cloned().collect::<Vec<Value>>())
        };
        match (tag(one), tag(other)) {
            (Some(a), Some(b)) => {
                are_disjoint(&a.iter().collect::<Vec<_>>(), &b.iter().collect::<Vec<_>>())
            }
            _ => false,
        }
    })
}

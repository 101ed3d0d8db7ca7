//! The rules a tool's schema keeps, so that any client can digest it and no peer can make it
//! slow. A schema that breaks one is refused when its tool is registered.

use std::collections::BTreeSet;

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::{Map, Value};
use waxwing_core::CanonicalJson;
use waxwing_core::canonical::WriteError;

use super::walk::{self, Applies, children, definition_name, resolve};
use crate::text;

/// The one dialect.
pub(super) const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// Subschemas that may be inside one another.
pub(super) const DEEPEST: usize = 24;
/// Subschemas in all.
pub(super) const MOST: usize = 1000;
/// Bytes of a schema in canonical form.
pub(super) const LARGEST: usize = 64 << 10;
/// Bytes a compiled pattern may take up: what keeps counted repetitions within counted ones small.
const LARGEST_PATTERN: usize = 256 << 10;

/// Why a schema is refused; `at` is the JSON Pointer of the place in the schema.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaFault {
    /// Arguments are named: their schema is of an object.
    #[error("is not of an object: arguments are named members, so use a struct")]
    NotAnObject,
    /// Another dialect than 2020-12.
    #[error("is of another dialect: leave $schema out or set it to {DIALECT}")]
    Dialect,
    /// A schema is an object or a boolean.
    #[error("at {at}: a schema is an object, `true` or `false`")]
    NotASchema {
        /// Where.
        at: String,
    },
    /// Not a keyword that is checked, so it would promise what nothing holds.
    #[error("at {at}: the keyword {} is not taken here{hint}", text::quoted(keyword))]
    Keyword {
        /// Where.
        at: String,
        /// The keyword.
        keyword: String,
        /// What to write instead, with its own beginning.
        hint: String,
    },
    /// A reference out of the schema is never followed.
    #[error("at {at}: $ref must be `#` or `#/$defs/NAME`; nothing is ever fetched")]
    Reference {
        /// Where.
        at: String,
    },
    /// A reference to nothing.
    #[error("at {at}: $ref points at a definition that is not there")]
    Dangling {
        /// Where.
        at: String,
    },
    /// A schema that, to check a value, checks the same value against itself.
    #[error("at {at}: $ref leads back to itself without going into the value")]
    Endless {
        /// Where.
        at: String,
    },
    /// A format that clients do not know or that nothing checks.
    #[error("at {at}: the format {} is not taken{hint}", text::quoted(format))]
    Format {
        /// Where.
        at: String,
        /// The format.
        format: String,
        /// What to write instead, with its own beginning.
        hint: &'static str,
    },
    /// A member that may be left out need not also be `null`.
    #[error("at {at}: a member that may be left out must not also allow null: take null out")]
    Nullable {
        /// Where.
        at: String,
    },
    /// A pattern that cannot be matched in linear time, or not at all.
    #[error("at {at}: {reason}")]
    Pattern {
        /// Where.
        at: String,
        /// Why.
        reason: String,
    },
    /// Too deep, too many, too long.
    #[error("has more than {limit} {what}")]
    TooBig {
        /// What there is too much of.
        what: &'static str,
        /// How much there may be.
        limit: usize,
    },
    /// It breaks the 2020-12 meta-schema.
    #[error("at {at}: {reason}")]
    Invalid {
        /// Where.
        at: String,
        /// Why.
        reason: String,
    },
    /// A number or text in it has no canonical form.
    #[error("has no canonical form: {0}")]
    Unwritable(WriteError),
}

/// Holds any schema to the rules.
pub(super) fn check(schema: &Value) -> Result<(), SchemaFault> {
    let mut rules = Rules { root: schema, count: 0, path: String::new() };
    rules.subschema(schema, 0)?;
    let canonical = CanonicalJson::from_serialize(schema).map_err(SchemaFault::Unwritable)?;
    if canonical.as_str().len() > LARGEST {
        return Err(SchemaFault::TooBig { what: "bytes", limit: LARGEST });
    }
    Endless::search(schema)
}

/// Holds a schema of arguments to what only they keep. A union of objects gets the `type` that
/// it implies.
pub(super) fn check_args(schema: &mut Value) -> Result<(), SchemaFault> {
    let implied = is_object(schema, schema, 0);
    let Value::Object(map) = &mut *schema else { return Err(SchemaFault::NotAnObject) };
    if map.get("type") != Some(&Value::from("object")) {
        if map.contains_key("type") || !implied {
            return Err(SchemaFault::NotAnObject);
        }
        map.insert("type".to_owned(), Value::from("object"));
    }
    no_needless_null(schema, &mut String::new())
}

/// Whether every value of `schema` is an object.
fn is_object(root: &Value, schema: &Value, depth: usize) -> bool {
    let every = |branches: &Value| {
        let list = branches.as_array();
        list.is_some_and(|list| list.iter().all(|branch| is_object(root, branch, depth + 1)))
    };
    depth <= DEEPEST
        && schema.as_object().is_some_and(|map| {
            map.get("type").is_some_and(|kind| kind == "object")
                || ["oneOf", "anyOf"].iter().any(|union| map.get(*union).is_some_and(every))
                || map
                    .get("$ref")
                    .and_then(Value::as_str)
                    .and_then(|reference| resolve(root, reference))
                    .is_some_and(|target| is_object(root, target, depth + 1))
        })
}

fn no_needless_null(schema: &Value, path: &mut String) -> Result<(), SchemaFault> {
    let Value::Object(map) = schema else { return Ok(()) };
    let required = required(map);
    for child in children(map) {
        let before = path.len();
        text::push_token(path, child.keyword);
        if let Some(token) = &child.token {
            text::push_token(path, token);
        }
        let member = child.token.as_deref().filter(|_| child.keyword == "properties");
        if member.is_some_and(|name| !required.contains(name)) && allows_null(child.schema) {
            return Err(SchemaFault::Nullable { at: path.clone() });
        }
        no_needless_null(child.schema, path)?;
        path.truncate(before);
    }
    Ok(())
}

/// The names in `required`.
pub(super) fn required(map: &Map<String, Value>) -> BTreeSet<&str> {
    let names = map.get("required").and_then(Value::as_array);
    names.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Whether the schema says null beside something else.
fn allows_null(schema: &Value) -> bool {
    let types = schema.get("type").and_then(Value::as_array);
    let listed = types.is_some_and(|types| types.len() > 1 && types.contains(&Value::from("null")));
    listed
        || ["anyOf", "oneOf"].into_iter().any(|union| {
            let branches = schema.get(union).and_then(Value::as_array);
            branches.is_some_and(|branches| {
                branches.len() > 1
                    && branches.iter().any(|branch| branch.get("type") == Some(&"null".into()))
            })
        })
}

struct Rules<'a> {
    root: &'a Value,
    count: usize,
    path: String,
}

impl Rules<'_> {
    fn subschema(&mut self, schema: &Value, depth: usize) -> Result<(), SchemaFault> {
        self.count += 1;
        if self.count > MOST {
            return Err(SchemaFault::TooBig { what: "subschemas", limit: MOST });
        }
        if depth > DEEPEST {
            return Err(SchemaFault::TooBig { what: "levels", limit: DEEPEST });
        }
        let map = match schema {
            Value::Bool(_) => return Ok(()),
            Value::Object(map) => map,
            _ => return Err(SchemaFault::NotASchema { at: self.at() }),
        };
        for (keyword, value) in map {
            self.keyword(keyword, value)?;
        }
        for child in children(map) {
            let before = self.path.len();
            text::push_token(&mut self.path, child.keyword);
            if let Some(token) = &child.token {
                text::push_token(&mut self.path, token);
            }
            if child.keyword == "patternProperties" {
                self.pattern(child.token.as_deref().unwrap_or_default())?;
            }
            self.subschema(child.schema, depth + 1)?;
            self.path.truncate(before);
        }
        Ok(())
    }

    fn keyword(&self, keyword: &str, value: &Value) -> Result<(), SchemaFault> {
        match (keyword, value) {
            ("$ref", Value::String(reference)) => {
                if reference != "#" && definition_name(reference).is_none() {
                    return Err(SchemaFault::Reference { at: self.at() });
                }
                match resolve(self.root, reference) {
                    Some(_) => Ok(()),
                    None => Err(SchemaFault::Dangling { at: self.at() }),
                }
            }
            ("$ref", _) => Err(SchemaFault::Reference { at: self.at() }),
            ("$defs", _) if !self.path.is_empty() => Err(SchemaFault::Keyword {
                at: self.at(),
                keyword: keyword.to_owned(),
                hint: ": definitions stand at the root only".to_owned(),
            }),
            ("format", Value::String(format)) => self.format(format),
            ("pattern", Value::String(pattern)) => self.pattern(pattern),
            _ if walk::holds(keyword).is_some() || keyword.starts_with("x-") => Ok(()),
            _ => Err(SchemaFault::Keyword {
                at: self.at(),
                keyword: keyword.to_owned(),
                hint: keyword_hint(keyword),
            }),
        }
    }

    fn format(&self, format: &str) -> Result<(), SchemaFault> {
        let known = jsonschema::options().is_known_format(Draft::Draft202012, format);
        let hint = match format {
            _ if format.starts_with("uint") || format.starts_with("int") => {
                ": say `minimum` and `maximum` instead"
            }
            // Matching a peer's text as a pattern is nothing a tool's schema should ask for.
            _ if known && format != "regex" => return Ok(()),
            _ => ", as nothing checks it: say it in the description",
        };
        Err(SchemaFault::Format { at: self.at(), format: format.to_owned(), hint })
    }

    fn pattern(&self, pattern: &str) -> Result<(), SchemaFault> {
        match regex::RegexBuilder::new(pattern).size_limit(LARGEST_PATTERN).build() {
            Ok(_) => Ok(()),
            Err(error) => {
                let reason = pattern_reason(&error);
                Err(SchemaFault::Pattern { at: self.at(), reason })
            }
        }
    }

    fn at(&self) -> String {
        if self.path.is_empty() { "the root".to_owned() } else { self.path.clone() }
    }
}

fn pattern_reason(error: &regex::Error) -> String {
    let said = error.to_string();
    let reason = said.rsplit("error: ").next().unwrap_or_default();
    let shown = match error {
        regex::Error::CompiledTooBig(limit) => {
            format!("the pattern needs more than {limit} bytes; use smaller repetitions")
        }
        _ => format!("the pattern cannot be matched in linear time or at all: {reason}"),
    };
    text::cut(shown.trim(), 300)
}

fn keyword_hint(keyword: &str) -> String {
    let instead = match keyword {
        "definitions" => "write `$defs`",
        "dependencies" => "write `dependentRequired` or `dependentSchemas`",
        "additionalItems" => "write `prefixItems` with `items`",
        "nullable" => "write the type \"null\", or leave the member out of `required`",
        "unevaluatedItems" => "write `prefixItems` with `items`",
        "$schema" => "it stands at the root only",
        "$id" | "$anchor" | "$dynamicRef" | "$dynamicAnchor" | "$recursiveRef"
        | "$recursiveAnchor" | "$vocabulary" => "refer to `#/$defs/NAME` only",
        _ => {
            let known = walk::KEYWORDS.iter().map(|(name, _)| *name);
            return match text::similar(keyword, known).first() {
                Some(near) => format!(": did you mean `{near}`? Names of your own begin with x-"),
                None => ": names of your own begin with x-".to_owned(),
            };
        }
    };
    format!(": {instead}")
}

/// Looks for a schema that applies itself to the same value again: a depth-first search along what
/// is applied in place, begun anew at each schema that is applied to a part of the value.
struct Endless<'a> {
    root: &'a Value,
    open: Vec<*const Value>,
    done: BTreeSet<*const Value>,
    later: Vec<(&'a Value, String)>,
}

impl<'a> Endless<'a> {
    fn search(root: &'a Value) -> Result<(), SchemaFault> {
        let later = vec![(root, String::new())];
        let mut search = Self { root, open: Vec::new(), done: BTreeSet::new(), later };
        while let Some((schema, at)) = search.later.pop() {
            search.subschema(schema, &at)?;
        }
        Ok(())
    }

    fn subschema(&mut self, schema: &'a Value, at: &str) -> Result<(), SchemaFault> {
        let Value::Object(map) = schema else { return Ok(()) };
        let id = std::ptr::from_ref(schema);
        if self.open.contains(&id) {
            let at = if at.is_empty() { "the root" } else { at };
            return Err(SchemaFault::Endless { at: at.to_owned() });
        }
        if !self.done.insert(id) {
            return Ok(());
        }
        self.open.push(id);
        for child in children(map) {
            let mut below = at.to_owned();
            text::push_token(&mut below, child.keyword);
            if let Some(token) = &child.token {
                text::push_token(&mut below, token);
            }
            match child.applies {
                Applies::InPlace => self.subschema(child.schema, &below)?,
                Applies::Inside | Applies::Nowhere => self.later.push((child.schema, below)),
            }
        }
        let reference = map.get("$ref").and_then(Value::as_str);
        if let Some(target) = reference.and_then(|reference| resolve(self.root, reference)) {
            self.subschema(target, at)?;
        }
        self.open.pop();
        Ok(())
    }
}

/// Compiles a schema that keeps the rules.
pub(super) fn validator(schema: &Value) -> Result<Validator, SchemaFault> {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .should_validate_formats(true)
        .with_pattern_options(PatternOptions::regex().size_limit(LARGEST_PATTERN))
        .build(schema)
        .map_err(|error| SchemaFault::Invalid {
            at: match error.instance_path().as_str() {
                "" => "the root".to_owned(),
                path => path.to_owned(),
            },
            reason: text::cut(&error.to_string(), 300),
        })
}

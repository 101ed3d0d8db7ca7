//! Schemas of arguments and outputs: where they come from, the rules they keep, and the check of
//! a value against one.

mod accept;
mod close;
mod derive;
mod explain;
mod members;
mod phrase;
mod rules;
mod violation;
mod walk;
mod written;

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use waxwing_core::CanonicalJson;

use accept::{Accept, FirstLook};
use explain::explain;
pub use rules::SchemaFault;
pub use violation::{Violation, Violations};

/// A schema that is not checked yet.
#[derive(Clone, Debug)]
pub(crate) struct SchemaDraft {
    schema: Value,
    origin: Origin,
}

/// Who made a schema: a derive, whose habits are mended, or a person, who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Derived,
    Written,
}

impl SchemaDraft {
    pub(crate) fn of_args<T: JsonSchema>() -> Self {
        Self { schema: derive::of_args::<T>(), origin: Origin::Derived }
    }

    pub(crate) fn of_output<T: JsonSchema>() -> Self {
        Self { schema: derive::of_output::<T>(), origin: Origin::Derived }
    }

    pub(crate) fn written(schema: Value) -> Self {
        Self { schema, origin: Origin::Written }
    }

    pub(crate) fn compile_args(self) -> Result<CompiledSchema, SchemaFault> {
        let mut schema = self.tidied()?;
        rules::check_args(&mut schema)?;
        CompiledSchema::new(schema)
    }

    pub(crate) fn compile_output(self) -> Result<CompiledSchema, SchemaFault> {
        CompiledSchema::new(self.tidied()?)
    }

    /// A schema that narrows another: within the same rules, but open, since it speaks only of the
    /// members that it narrows.
    pub(crate) fn compile_restriction(self) -> Result<CompiledSchema, SchemaFault> {
        let Self { mut schema, .. } = self;
        written::drop_dialect(&mut schema)?;
        rules::check(&schema)?;
        written::inline(&mut schema);
        CompiledSchema::new(schema)
    }

    /// The schema as it will be shown: within the rules, references inlined, objects closed.
    fn tidied(self) -> Result<Value, SchemaFault> {
        let Self { mut schema, origin } = self;
        // Hand-written schemas are held to the rules before anything walks them.
        if origin == Origin::Written {
            written::drop_dialect(&mut schema)?;
            rules::check(&schema)?;
            written::inline(&mut schema);
        }
        close::close(&mut schema, origin);
        rules::check(&schema)?;
        Ok(schema)
    }
}

/// A schema that keeps the rules, ready to check values with.
///
/// Made once for each tool. A value that a first pass over its text proves valid costs that pass;
/// any other is read into a tree and judged, and what is refused is explained.
pub struct CompiledSchema {
    schema: Value,
    accept: Accept,
    judge: jsonschema::Validator,
    leaves: explain::Leaves,
}

impl CompiledSchema {
    /// The schema of arguments of type `T`: what a tool with these arguments publishes.
    ///
    /// # Errors
    /// [`SchemaFault`] when the type's schema breaks a rule.
    pub fn of_args<T: DeserializeOwned + JsonSchema>() -> Result<Self, SchemaFault> {
        SchemaDraft::of_args::<T>().compile_args()
    }

    /// The schema of answers of type `T`, which a job asks for: any value, held to the rules of
    /// arguments.
    ///
    /// # Errors
    /// [`SchemaFault`] when the type's schema breaks a rule.
    pub fn of_answer<T: DeserializeOwned + JsonSchema>() -> Result<Self, SchemaFault> {
        SchemaDraft::of_args::<T>().compile_output()
    }

    /// The schema of outputs of type `T`.
    ///
    /// # Errors
    /// [`SchemaFault`] when the type's schema breaks a rule.
    pub fn of_output<T: Serialize + JsonSchema>() -> Result<Self, SchemaFault> {
        SchemaDraft::of_output::<T>().compile_output()
    }

    /// A schema written by hand, for arguments: an object at its root.
    ///
    /// # Errors
    /// [`SchemaFault`] when it breaks a rule.
    pub fn written_args(schema: Value) -> Result<Self, SchemaFault> {
        SchemaDraft::written(schema).compile_args()
    }

    /// A schema written by hand, for any value.
    ///
    /// # Errors
    /// [`SchemaFault`] when it breaks a rule.
    pub fn written(schema: Value) -> Result<Self, SchemaFault> {
        SchemaDraft::written(schema).compile_output()
    }

    /// A schema written by hand that narrows another, such as what one client may send to a tool. It
    /// keeps the rules of every schema but is not closed, so it need name only what it narrows.
    ///
    /// # Errors
    /// [`SchemaFault`] when it breaks a rule.
    pub fn restriction(schema: Value) -> Result<Self, SchemaFault> {
        SchemaDraft::written(schema).compile_restriction()
    }

    /// The members that this schema names and that no value of `schema` can have, each as a JSON
    /// Pointer in which `*` is any item of an array. A restriction that names one holds nothing back
    /// there: most likely a slip.
    #[must_use]
    pub fn members_unknown_to(&self, schema: &Value) -> Vec<String> {
        members::unknown(&self.schema, schema)
    }

    /// The same violations without what came in members that this schema marks `writeOnly`, for
    /// violations that another schema found in the same value.
    #[must_use]
    pub(crate) fn redact(&self, violations: Violations) -> Violations {
        violations.redacted(|path| self.is_secret(path))
    }

    fn new(schema: Value) -> Result<Self, SchemaFault> {
        let judge = rules::validator(&schema)?;
        let leaves = explain::Leaves::new(&schema)?;
        let accept = Accept::new(&schema)?;
        Ok(Self { schema, accept, judge, leaves })
    }

    /// The schema as published.
    #[must_use]
    pub fn schema(&self) -> &Value {
        &self.schema
    }

    /// Checks a value: nothing is coerced, everything that is wrong is reported at once.
    ///
    /// # Errors
    /// [`Violations`] in the order of the value.
    pub fn check(&self, value: &CanonicalJson<'_>) -> Result<(), Violations> {
        if self.accept.look(value.as_str()) == FirstLook::Valid {
            return Ok(());
        }
        let Ok(tree) = value.decode::<Value>() else {
            return Err(Violations::from(Violation::unreadable()));
        };
        if self.judge.is_valid(&tree) {
            return Ok(());
        }
        Err(explain(&self.schema, &self.leaves, &tree))
    }

    /// Checks a value and decodes it.
    ///
    /// # Errors
    /// [`Violations`]; one with the keyword `decode` when the value keeps the schema and `T`
    /// refuses it all the same.
    pub fn decode<T: DeserializeOwned>(&self, value: &CanonicalJson<'_>) -> Result<T, Violations> {
        self.check(value)?;
        value.decode().map_err(|error| {
            Violations::from(self.undecodable(value, String::new(), &error.to_string()))
        })
    }

    /// The violation of a value that keeps the schema but does not decode at `path`.
    pub(crate) fn undecodable(
        &self,
        value: &CanonicalJson<'_>,
        path: String,
        reason: &str,
    ) -> Violation {
        let tree = value.decode::<Value>().unwrap_or(Value::Null);
        let secret = self.is_secret(&path);
        Violation::undecodable(tree.pointer(&path), path, reason, secret)
    }

    /// Whether the value at `path`, or one around it, is never to be repeated.
    fn is_secret(&self, path: &str) -> bool {
        let mut schema = Some(&self.schema);
        path.split('/').skip(1).any(|token| {
            schema = schema.and_then(|schema| {
                let inside = schema.get("properties").and_then(|named| named.get(token));
                inside
                    .or_else(|| schema.get("items"))
                    .or_else(|| schema.get("additionalProperties"))
            });
            let marked = schema.and_then(|schema| schema.get("writeOnly"));
            marked == Some(&Value::Bool(true)) || violation::is_secret_name(token)
        })
    }
}

impl fmt::Debug for CompiledSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CompiledSchema").field(&self.schema).finish()
    }
}

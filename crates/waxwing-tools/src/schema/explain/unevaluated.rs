//! Members that no schema put together here has looked at: `unevaluatedProperties`.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::object::{Names, in_order};
use super::{Explainer, Spot, list, reference};
use crate::schema::violation::is_secret_name;
use crate::schema::walk::{Applies, children};

impl<'a> Explainer<'a> {
    /// `unevaluatedProperties`: members that no schema put together here has looked at.
    pub(super) fn unevaluated(
        &mut self,
        schema: &'a Value,
        map: &'a Map<String, Value>,
        members: &Map<String, Value>,
        value: &Value,
        before: usize,
    ) {
        let Some(rule) = map.get("unevaluatedProperties") else { return };
        let mut known = BTreeSet::new();
        self.known_names(schema, &mut known, 0);
        let mut evaluated = BTreeSet::new();
        self.evaluated(schema, value, members, &mut evaluated);
        let strangers: Vec<&str> = in_order(members.keys().map(String::as_str))
            .into_iter()
            .filter(|name| !evaluated.contains(*name))
            // Where a part is broken its members count as unevaluated: that says nothing new.
            .filter(|name| self.found.len() == before || !known.contains(name))
            .collect();
        let names = Names {
            known: known.into_iter().collect(),
            missing: Vec::new(),
            unknown: strangers.clone(),
        };
        for name in strangers {
            let Some(member) = members.get(name) else { continue };
            let spot = Spot { optional: true, secret: is_secret_name(name) };
            self.below(name, |explainer| match rule {
                Value::Bool(false) => {
                    explainer.unknown("unevaluatedProperties", schema, name, member, &names, spot);
                }
                rule => explainer.visit(rule, member, spot),
            });
        }
    }

    /// Every member name that `schema` or a schema put together with it knows.
    fn known_names(&self, schema: &'a Value, names: &mut BTreeSet<&'a str>, depth: usize) {
        let Value::Object(map) = schema else { return };
        if depth > 32 {
            return;
        }
        let properties = map.get("properties").and_then(Value::as_object);
        names.extend(properties.into_iter().flat_map(Map::keys).map(String::as_str));
        if let Some(target) = reference(self.root, map) {
            self.known_names(target, names, depth + 1);
        }
        for child in children(map).filter(|child| child.applies == Applies::InPlace) {
            if !matches!(child.keyword, "not" | "if") {
                self.known_names(child.schema, names, depth + 1);
            }
        }
    }

    /// The members that `schema` and what is put together with it have looked at, of `value`.
    fn evaluated<'v>(
        &self,
        schema: &'a Value,
        value: &Value,
        members: &'v Map<String, Value>,
        names: &mut BTreeSet<&'v str>,
    ) {
        let Value::Object(map) = schema else { return };
        self.evaluated_here(map, members, names);
        let mut parts: Vec<&'a Value> = Vec::new();
        parts.extend(reference(self.root, map));
        for keyword in ["allOf", "anyOf", "oneOf"] {
            parts.extend(list(map, keyword).iter().filter(|part| self.holds(part, value)));
        }
        if let Some(condition) = map.get("if") {
            let holds = self.holds(condition, value);
            parts.extend(Some(condition).filter(|_| holds));
            parts.extend(map.get(if holds { "then" } else { "else" }));
        }
        let dependents = map.get("dependentSchemas").and_then(Value::as_object);
        for (name, part) in dependents.into_iter().flatten() {
            parts.extend(Some(part).filter(|_| members.contains_key(name)));
        }
        for part in parts {
            self.evaluated(part, value, members, names);
            if part.get("unevaluatedProperties").is_some() {
                names.extend(members.keys().map(String::as_str));
            }
        }
    }

    fn evaluated_here<'v>(
        &self,
        map: &'a Map<String, Value>,
        members: &'v Map<String, Value>,
        names: &mut BTreeSet<&'v str>,
    ) {
        let properties = map.get("properties").and_then(Value::as_object);
        for name in members.keys() {
            if map.contains_key("additionalProperties")
                || properties.is_some_and(|properties| properties.contains_key(name))
                || self.patterns(map, name).next().is_some()
            {
                names.insert(name);
            }
        }
    }
}

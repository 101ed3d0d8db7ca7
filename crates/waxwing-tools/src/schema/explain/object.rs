//! What an object can break: members that are missing, unknown or wrong.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Explainer, Spot};
use crate::schema::phrase::{about, phrase};
use crate::schema::rules::required;
use crate::schema::violation::{Violation, described, described_without_value, is_secret_name};
use crate::text;

/// Unknown members that are compared with a name, so that a flood of them costs little.
const MOST_COMPARED: usize = 64;

/// Characters of a name that may be a slip of another.
const LONGEST_COMPARED: usize = 64;

/// The members of a schema and of a value against each other.
pub(super) struct Names<'n> {
    pub(super) known: Vec<&'n str>,
    pub(super) missing: Vec<&'n str>,
    pub(super) unknown: Vec<&'n str>,
}

impl<'a> Explainer<'a> {
    pub(super) fn object(
        &mut self,
        schema: &'a Value,
        map: &'a Map<String, Value>,
        members: &Map<String, Value>,
        value: &Value,
        spot: Spot,
    ) {
        self.member_count(schema, map, members, value, spot);
        let properties = map.get("properties").and_then(Value::as_object);
        let needed = required(map);
        let needed_by = |name: &str| dependents(map, members, name);
        let missing: BTreeSet<&str> = needed
            .iter()
            .copied()
            .chain(dependent_names(map, members))
            .filter(|name| !members.contains_key(*name))
            .collect();
        let covered = |name: &str| {
            properties.is_some_and(|properties| properties.contains_key(name))
                || self.patterns(map, name).next().is_some()
        };
        let names = Names {
            known: properties.into_iter().flat_map(Map::keys).map(String::as_str).collect(),
            missing: missing.iter().copied().collect(),
            unknown: members.keys().map(String::as_str).filter(|name| !covered(name)).collect(),
        };
        for name in in_order(members.keys().map(String::as_str).chain(missing)) {
            if self.is_full() {
                return;
            }
            let property = properties.and_then(|properties| properties.get(name));
            match members.get(name) {
                None => self.missing(property, name, members, &names, needed_by(name)),
                Some(member) => {
                    let optional = !needed.contains(name);
                    let secret = spot.secret || is_secret_name(name);
                    let inner = Spot { optional, secret };
                    self.below(name, |explainer| {
                        explainer.member(schema, property, name, member, &names, inner);
                    });
                }
            }
        }
        for (name, dependent) in
            map.get("dependentSchemas").and_then(Value::as_object).into_iter().flatten()
        {
            if members.contains_key(name) {
                self.visit(dependent, value, spot);
            }
        }
    }

    fn member_count(
        &mut self,
        schema: &'a Value,
        map: &'a Map<String, Value>,
        members: &Map<String, Value>,
        value: &Value,
        spot: Spot,
    ) {
        let count = members.len() as f64;
        let bound = |keyword: &str| map.get(keyword).and_then(Value::as_f64);
        for (keyword, broken, words) in [
            (
                "minProperties",
                bound("minProperties").is_some_and(|bound| count < bound),
                "at least",
            ),
            ("maxProperties", bound("maxProperties").is_some_and(|bound| count > bound), "at most"),
        ] {
            if broken {
                let limit = bound(keyword).unwrap_or_default();
                let expected = format!("an object of {words} {limit} members");
                let hint = format!("Send {words} {limit} members.{}", about(schema));
                self.push(keyword, expected, value, spot, hint);
            }
        }
    }

    /// One member that is there; the path is at it.
    fn member(
        &mut self,
        schema: &'a Value,
        property: Option<&'a Value>,
        name: &str,
        member: &Value,
        names: &Names<'_>,
        spot: Spot,
    ) {
        let Value::Object(map) = schema else { return };
        if let Some(rule) = map.get("propertyNames")
            && !self.holds(rule, &Value::String(name.to_owned()))
        {
            let expected = format!("a member whose name is {}", phrase(self.root, rule));
            let got = format!("the name {}", text::quoted(name));
            let hint = "Rename the member or leave it out.".to_owned();
            let path = self.path.clone();
            let keyword = "propertyNames".to_owned();
            self.report(Violation { path, keyword, expected, got, hint });
        }
        let mut covered = false;
        if let Some(property) = property {
            covered = true;
            self.visit(property, member, spot);
        }
        let patterns: Vec<&'a Value> = self.patterns(map, name).collect();
        for pattern in patterns {
            covered = true;
            self.visit(pattern, member, spot);
        }
        match map.get("additionalProperties") {
            Some(Value::Bool(false)) if !covered => {
                self.unknown("additionalProperties", schema, name, member, names, spot);
            }
            Some(schema) if !covered => self.visit(schema, member, spot),
            _ => {}
        }
    }

    /// The subschemas of `patternProperties` whose pattern is in `name`.
    pub(super) fn patterns(
        &self,
        map: &'a Map<String, Value>,
        name: &str,
    ) -> impl Iterator<Item = &'a Value> + use<'a> {
        let text = Value::String(name.to_owned());
        let leaves = self.leaves;
        let patterns = map.get("patternProperties").and_then(Value::as_object);
        patterns.into_iter().flatten().filter_map(move |(pattern, schema)| {
            let pattern = Value::String(pattern.clone());
            leaves.accept("pattern", &pattern, &text).then_some(schema)
        })
    }

    fn missing(
        &mut self,
        property: Option<&'a Value>,
        name: &str,
        members: &Map<String, Value>,
        names: &Names<'_>,
        because: Option<&str>,
    ) {
        if self.ends_trial() {
            return;
        }
        let any = Value::Bool(true);
        // What a part requires may be described by the schema around it.
        let around = |map: &&'a Map<String, Value>| map.get("properties")?.get(name);
        let property = property.or_else(|| self.around.iter().rev().find_map(around));
        let schema = property.unwrap_or(&any);
        let renamed = self.renamed(property, name, members, names);
        let hint = match (renamed, because) {
            (Some(sent), _) => format!("Rename {} to {}.", text::quoted(sent), text::quoted(name)),
            (None, Some(other)) => {
                format!("Add it: {} needs it beside it.", text::quoted(other))
            }
            (None, None) => "Add it.".to_owned(),
        };
        let mut path = self.path.clone();
        text::push_token(&mut path, name);
        self.report(Violation {
            path,
            keyword: if because.is_some() { "dependentRequired" } else { "required" }.to_owned(),
            expected: phrase(self.root, schema),
            got: "nothing".to_owned(),
            hint: hint + &about(schema),
        });
    }

    /// The unknown member that is most likely meant by the missing `name`: one that is spelled
    /// like it, or the only unknown one where this is the only missing one and the value fits.
    fn renamed<'n>(
        &self,
        property: Option<&'a Value>,
        name: &str,
        members: &Map<String, Value>,
        names: &Names<'n>,
    ) -> Option<&'n str> {
        if let Some(near) = text::similar(name, comparable(names.unknown.iter().copied())).first() {
            return Some(near);
        }
        match (names.missing.as_slice(), names.unknown.as_slice(), property) {
            ([_], [only], Some(property)) => {
                members.get(*only).filter(|value| self.holds(property, value)).map(|_| *only)
            }
            _ => None,
        }
    }

    pub(super) fn unknown(
        &mut self,
        keyword: &str,
        schema: &'a Value,
        name: &str,
        member: &Value,
        names: &Names<'_>,
        spot: Spot,
    ) {
        if self.ends_trial() {
            return;
        }
        let hint = match self.meant(schema, name, member, names) {
            Some(near) => format!("Did you mean {}?", text::quoted(near)),
            None if names.known.is_empty() => "Leave it out: no members are taken.".to_owned(),
            None if member.is_object() && self.holds(schema, member) => {
                format!("Send the members of {} themselves, without it.", text::quoted(name))
            }
            None => {
                let shown = |name: &&str| format!("`{}`", text::cut(name, 40));
                let mut known: Vec<String> = names.known.iter().take(12).map(shown).collect();
                if names.known.len() > 12 {
                    known.push(format!("{} more", names.known.len() - 12));
                }
                match known.as_slice() {
                    [only] => format!("Leave it out: the only member is {only}."),
                    known => {
                        let known = text::listed(known.iter().map(String::as_str));
                        format!("Leave it out: the members are {known}.")
                    }
                }
            }
        };
        let got = if spot.secret { described_without_value(member) } else { described(member) };
        let path = self.path.clone();
        let expected = "no member of this name".to_owned();
        self.report(Violation { path, keyword: keyword.to_owned(), expected, got, hint });
    }

    /// The member that is most likely meant by the unknown `name`: a missing one that is spelled
    /// like it, the only missing one if the value fits, or any that is spelled like it.
    fn meant<'n>(
        &self,
        schema: &'a Value,
        name: &str,
        member: &Value,
        names: &Names<'n>,
    ) -> Option<&'n str> {
        if let Some(near) = text::similar(name, names.missing.iter().copied()).first() {
            return Some(near);
        }
        let property = |name: &str| schema.get("properties").and_then(|named| named.get(name));
        if let ([missing], [_]) = (names.missing.as_slice(), names.unknown.as_slice())
            && property(missing).is_some_and(|schema| self.holds(schema, member))
        {
            return Some(missing);
        }
        text::similar(name, names.known.iter().copied()).first().copied()
    }
}

/// The names that `dependentRequired` asks for, given `members`.
fn dependent_names<'s>(
    map: &'s Map<String, Value>,
    members: &Map<String, Value>,
) -> impl Iterator<Item = &'s str> {
    let rules = map.get("dependentRequired").and_then(Value::as_object);
    let active: Vec<&'s Value> = rules
        .into_iter()
        .flatten()
        .filter(|(name, _)| members.contains_key(*name))
        .map(|(_, names)| names)
        .collect();
    active.into_iter().filter_map(Value::as_array).flatten().filter_map(Value::as_str)
}

/// The member that makes `name` needed, when no `required` does.
fn dependents<'s>(
    map: &'s Map<String, Value>,
    members: &Map<String, Value>,
    name: &str,
) -> Option<&'s str> {
    if required(map).contains(name) {
        return None;
    }
    let rules = map.get("dependentRequired").and_then(Value::as_object)?;
    let asks = |names: &Value| names.as_array().is_some_and(|names| names.contains(&name.into()));
    rules
        .iter()
        .find(|(member, names)| members.contains_key(*member) && asks(names))
        .map(|(member, _)| member.as_str())
}

/// The first of `names` that are short enough to be a slip of another name, as many as are worth
/// the comparison.
pub(super) fn comparable<'n>(
    names: impl IntoIterator<Item = &'n str>,
) -> impl Iterator<Item = &'n str> {
    let is_short = |name: &&str| name.chars().nth(LONGEST_COMPARED).is_none();
    names.into_iter().filter(is_short).take(MOST_COMPARED)
}

/// Names in the order of canonical JSON: by UTF-16 code units.
pub(super) fn in_order<'n>(names: impl IntoIterator<Item = &'n str>) -> Vec<&'n str> {
    let mut names: Vec<&str> = names.into_iter().collect();
    names.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_names_or_of_letters_is_not_compared() {
        let flood: Vec<String> = (0..100_000).map(|i| format!("name{i}")).collect();
        assert_eq!(comparable(flood.iter().map(String::as_str)).count(), 64);
        let (long, longest) = ("n".repeat(65), "é".repeat(64));
        let kept: Vec<&str> = comparable([long.as_str(), "n", longest.as_str()]).collect();
        assert_eq!(kept, ["n", longest.as_str()]);
    }
}

//! What is wrong where several schemas are offered: find the one that was meant, and say what is
//! wrong with that; else say what there is to choose from.

use serde_json::{Map, Value};

use super::leaf::{has_type, same};
use super::object::comparable;
use super::{Explainer, Spot, hint, reference};
use crate::schema::phrase::{forms, one_of, options};
use crate::schema::rules::required;
use crate::schema::violation::Violation;
use crate::text;

/// How well a branch goes with a value that it refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// Another type, or the value names another branch.
    No,
    /// The same type.
    Type,
    /// The value names this branch.
    Named,
}

impl<'a> Explainer<'a> {
    pub(super) fn union(
        &mut self,
        keyword: &str,
        branches: &'a [Value],
        value: &Value,
        spot: Spot,
    ) {
        if let Some(branch) = self.only_possible(branches, value) {
            return self.visit(branch, value, spot);
        }
        let holding = branches.iter().filter(|branch| self.holds(branch, value)).count();
        match (keyword, holding) {
            (_, 0) => self.none_holds(keyword, branches, value, spot),
            ("oneOf", 2..) => {
                let expected = "a value that fits exactly one of the forms".to_owned();
                let hint = format!("It fits {holding} forms at once: say more, or say less.");
                self.push(keyword, expected, value, spot, hint);
            }
            _ => {}
        }
    }

    /// The one branch that type and tags leave, when the value is meant for it: it alone decides,
    /// so that nothing needs to be tried.
    fn only_possible(&self, branches: &'a [Value], value: &Value) -> Option<&'a Value> {
        let mut possible = branches
            .iter()
            .filter(|branch| self.flat(branch).is_none() || self.fit(branch, value) > Fit::No);
        let only = possible.next().filter(|_| possible.next().is_none())?;
        let is_meant = !value.is_object() || self.fit(only, value) == Fit::Named;
        (is_meant && options(self.flat(only)?).is_none()).then_some(only)
    }

    fn none_holds(&mut self, keyword: &str, branches: &'a [Value], value: &Value, spot: Spot) {
        if self.ends_trial()
            || self.all_options(keyword, branches, value, spot)
            || self.tag(branches, value)
        {
            return;
        }
        let fits: Vec<Fit> = branches.iter().map(|branch| self.fit(branch, value)).collect();
        let best = fits.iter().copied().max().unwrap_or(Fit::No);
        let mut meant = branches.iter().zip(&fits).filter(|(_, fit)| **fit == best);
        let only = meant.next().map(|(branch, _)| branch).filter(|_| meant.next().is_none());
        // Of a fixed value the other forms are worth knowing as well.
        let is_fixed = |branch: &Value| branch.as_object().is_some_and(|b| options(b).is_some());
        if let (true, Some(branch)) = (best > Fit::No, only)
            && !is_fixed(branch)
        {
            return self.visit(branch, value, spot);
        }
        let hint = self.union_hint(branches, value, spot);
        self.push(keyword, forms(self.root, branches), value, spot, hint);
    }

    fn union_hint(&self, branches: &'a [Value], value: &Value, spot: Spot) -> String {
        let maps: Vec<&Map<String, Value>> =
            branches.iter().filter_map(|branch| self.flat(branch)).collect();
        let near = match value {
            Value::Null if spot.optional => return "Leave the member out instead.".to_owned(),
            Value::String(string) => {
                let fixed = maps.iter().filter_map(|map| options(map)).flatten();
                let fixed = fixed.filter_map(Value::as_str);
                text::similar(string, fixed).first().copied()
            }
            Value::Object(members) => {
                let needed: Vec<&str> = maps.iter().flat_map(|map| required(map)).collect();
                let near =
                    |name: &str| text::similar(name, needed.iter().copied()).first().copied();
                comparable(members.keys().map(String::as_str)).find_map(near)
            }
            _ => None,
        };
        match near {
            Some(near) => format!("Did you mean {}?", text::quoted(near)),
            None => "Send one of these forms, whole.".to_owned(),
        }
    }

    /// A union of fixed values is one enumeration.
    fn all_options(
        &mut self,
        keyword: &str,
        branches: &'a [Value],
        value: &Value,
        spot: Spot,
    ) -> bool {
        let each: Option<Vec<Vec<&Value>>> =
            branches.iter().map(|branch| options(branch.as_object()?)).collect();
        let Some(each) = each else { return false };
        let allowed = each.concat();
        let hint = hint::of_options(&allowed, value);
        self.push(keyword, one_of(&allowed), value, spot, hint);
        true
    }

    /// Objects that one member tells apart: when that member is missing or names none of them,
    /// it is what is wrong.
    fn tag(&mut self, branches: &'a [Value], value: &Value) -> bool {
        let Value::Object(members) = value else { return false };
        let Some(name) = self.tag_name(branches) else { return false };
        let tags: Vec<&Value> =
            branches.iter().filter_map(|branch| tag_of(self.flat(branch)?, name)).collect();
        let Some(sent) = members.get(name) else {
            let mut path = self.path.clone();
            text::push_token(&mut path, name);
            self.report(Violation {
                path,
                keyword: "required".to_owned(),
                expected: one_of(&tags),
                got: "nothing".to_owned(),
                hint: "Add it: it says which form the other members have.".to_owned(),
            });
            return true;
        };
        if tags.iter().any(|tag| same(tag, sent)) {
            return false;
        }
        self.below(name, |explainer| {
            let spot = Spot { optional: false, secret: false };
            explainer.push("enum", one_of(&tags), sent, spot, hint::of_options(&tags, sent));
        });
        true
    }

    /// The member that every branch requires and fixes to a value of its own.
    fn tag_name(&self, branches: &'a [Value]) -> Option<&'a str> {
        let first = self.flat(branches.first()?)?;
        required(first).into_iter().find(|name| {
            branches.iter().all(|branch| {
                self.flat(branch)
                    .is_some_and(|map| required(map).contains(name) && tag_of(map, name).is_some())
            })
        })
    }

    fn fit(&self, branch: &'a Value, value: &Value) -> Fit {
        let Some(map) = self.flat(branch) else { return Fit::No };
        if !has_type(map, value) {
            return Fit::No;
        }
        let Value::Object(members) = value else { return Fit::Type };
        let properties = map.get("properties").and_then(Value::as_object);
        let tags = properties.into_iter().flatten().filter_map(|(name, property)| {
            let tag = property.as_object()?.get("const")?;
            Some(members.get(name).map(|sent| same(tag, sent)))
        });
        let tags: Vec<Option<bool>> = tags.collect();
        if tags.contains(&Some(false)) {
            return Fit::No;
        }
        let needed = required(map);
        let has_all = !needed.is_empty() && needed.iter().all(|name| members.contains_key(*name));
        if tags.contains(&Some(true)) || has_all { Fit::Named } else { Fit::Type }
    }

    /// The object of a branch, behind its reference.
    fn flat(&self, branch: &'a Value) -> Option<&'a Map<String, Value>> {
        let map = branch.as_object()?;
        match reference(self.root, map) {
            Some(target) => target.as_object(),
            None => Some(map),
        }
    }
}

fn tag_of<'s>(map: &'s Map<String, Value>, name: &str) -> Option<&'s Value> {
    map.get("properties")?.get(name)?.get("const")
}

//! Trials: whether a subschema accepts a value. Each answer is remembered, since a recursive
//! schema asks the same again at every level, and what all of them may cost is bounded.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use serde_json::Value;

use super::{Explainer, Spot};
use crate::schema::violation::Violation;

/// Steps that one report may spend on trials; a subschema against a value is one, and each member
/// of an object one more.
const MOST_TRIED: usize = 20_000;

/// Steps that one report may spend on the walk itself, beside those for each value in the document.
const MOST_WALKED: usize = 20_000;

/// Steps of the walk for each value: one as itself, one as a member, the same for a second schema.
const WALKED_FOR_EACH: usize = 4;

/// What a pass through schema and value is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To say what is wrong.
    Report,
    /// To know whether anything is wrong: nothing is said.
    Trial,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Holds,
    Broken,
}

/// What one report may still cost, and what its trials have shown.
pub(super) struct Work {
    walk: Cell<usize>,
    trials: Cell<usize>,
    /// By the places of schema and value, which stay where they are for the whole report.
    known: RefCell<HashMap<(*const Value, *const Value), Verdict>>,
}

impl Work {
    pub(super) fn on(value: &Value) -> Self {
        Self {
            walk: Cell::new(MOST_WALKED + WALKED_FOR_EACH * count(value)),
            trials: Cell::new(MOST_TRIED),
            known: RefCell::default(),
        }
    }

    /// Whether nothing more may be done, so that whatever seems to be so now is not known.
    pub(super) fn is_spent(&self) -> bool {
        self.walk.get() == 0 || self.trials.get() == 0
    }

    pub(super) fn pay(&self, purpose: Purpose, value: &Value) {
        let purse = match purpose {
            Purpose::Report => &self.walk,
            Purpose::Trial => &self.trials,
        };
        let members = value.as_object().map_or(0, serde_json::Map::len);
        purse.set(purse.get().saturating_sub(1 + members));
    }

    fn recall(&self, schema: &Value, value: &Value) -> Option<Verdict> {
        self.known.borrow().get(&key(schema, value)?).copied()
    }

    fn remember(&self, schema: &Value, value: &Value, verdict: Verdict) {
        if let Some(key) = key(schema, value).filter(|_| !self.is_spent()) {
            self.known.borrow_mut().insert(key, verdict);
        }
    }
}

/// Containers only: a plain value is tried as fast as it is found here, and one that is made for
/// its trial, as the name of a member is, leaves its place to the next.
fn key(schema: &Value, value: &Value) -> Option<(*const Value, *const Value)> {
    let is_container = value.is_object() || value.is_array();
    is_container.then(|| (std::ptr::from_ref(schema), std::ptr::from_ref(value)))
}

/// Values in a document; it is no deeper than a message may be.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

impl<'a> Explainer<'a> {
    /// Whether `schema` accepts `value`, leaving no trace but the work it took.
    pub(super) fn holds(&self, schema: &'a Value, value: &Value) -> bool {
        let mut trial = Explainer {
            root: self.root,
            leaves: self.leaves,
            path: String::new(),
            found: Vec::new(),
            most: 1,
            purpose: Purpose::Trial,
            work: self.work,
            around: Vec::new(),
        };
        trial.visit(schema, value, Spot::TOP);
        trial.found.is_empty()
    }

    /// One visit of a trial, unless its outcome is known.
    pub(super) fn attempt(&mut self, schema: &'a Value, value: &Value, spot: Spot) {
        match self.work.recall(schema, value) {
            Some(Verdict::Holds) => {}
            Some(Verdict::Broken) => self.broken(),
            None => {
                self.look(schema, value, spot);
                let holds = self.found.is_empty();
                let verdict = if holds { Verdict::Holds } else { Verdict::Broken };
                self.work.remember(schema, value, verdict);
            }
        }
    }

    /// Whether this is a trial, which then knows that something is wrong and need not say what.
    pub(super) fn ends_trial(&mut self) -> bool {
        let is_trial = self.purpose == Purpose::Trial;
        if is_trial {
            self.broken();
        }
        is_trial
    }

    fn broken(&mut self) {
        self.report(Violation {
            path: String::new(),
            keyword: String::new(),
            expected: String::new(),
            got: String::new(),
            hint: String::new(),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use serde_json::json;

    use super::*;
    use crate::schema::CompiledSchema;
    use crate::schema::explain::explain_within;
    use crate::schema::violation::Violations;

    /// The report on `value`, with the steps that its walk and its trials took.
    fn counted(schema: &Value, value: &Value) -> (Violations, usize, usize) {
        let schema = CompiledSchema::written(schema.clone()).unwrap();
        assert!(!schema.judge.is_valid(value), "{value}");
        let work = Work::on(value);
        let before = (work.walk.get(), work.trials.get());
        let violations = explain_within(&schema.schema, &schema.leaves, value, &work);
        (violations, before.0 - work.walk.get(), before.1 - work.trials.get())
    }

    /// A recursive union of two operations, told apart by `op`.
    fn tagged() -> Value {
        let operation = |op: &str| {
            json!({
                "type": "object", "required": ["left", "op", "right"],
                "properties": {
                    "left": {"$ref": "#/$defs/Node"}, "right": {"$ref": "#/$defs/Node"},
                    "op": {"const": op},
                },
            })
        };
        let union = json!({"oneOf": [{"type": "number"}, operation("add"), operation("mul")]});
        json!({"$ref": "#/$defs/Node", "$defs": {"Node": union}})
    }

    /// A recursive union whose branches all go into the same members.
    fn untagged(keyword: &str) -> Value {
        let form = |own: &str| {
            json!({
                "type": "object", "required": ["left", "right"],
                "properties": {
                    "left": {"$ref": "#/$defs/Node"}, "right": {"$ref": "#/$defs/Node"}, own: {},
                },
            })
        };
        let union = json!({keyword: [{"type": "number"}, form("a"), form("b"), form("c")]});
        json!({"$ref": "#/$defs/Node", "$defs": {"Node": union}})
    }

    fn nested(depth: usize, op: &str, leaf: &Value) -> Value {
        (0..depth).fold(leaf.clone(), |inner, _| match op {
            "" => json!({"left": inner, "right": 1}),
            op => json!({"left": inner, "op": op, "right": 1}),
        })
    }

    #[test]
    fn a_tagged_union_is_followed_to_its_wrong_leaf_without_trials() {
        for depth in [1, 8, 16, 60] {
            let (violations, walk, trials) = counted(&tagged(), &nested(depth, "mul", &json!("x")));
            let [only] = violations.as_slice() else { panic!("{violations}") };
            assert_eq!(only.path, "/left".repeat(depth));
            assert!(walk < 20 * depth + 20 && trials < 20, "{depth}: {walk} and {trials}");
        }
    }

    #[test]
    fn an_untagged_union_is_tried_once_at_each_level() {
        for (keyword, depth) in [("anyOf", 8), ("anyOf", 60), ("oneOf", 16), ("oneOf", 60)] {
            let (violations, _, trials) =
                counted(&untagged(keyword), &nested(depth, "", &json!("x")));
            assert!(!violations.as_slice().is_empty());
            assert!(trials < 60 * depth, "{keyword} {depth}: {trials}");
        }
    }

    #[test]
    fn what_is_left_open_when_the_work_is_spent_is_not_said() {
        // Each item fits exactly one form, which takes trials; only the last is wrong.
        let form = |own: &str| json!({"properties": {"x": {}, own: {}}, "required": ["x"]});
        let items = json!({"oneOf": [form("a"), form("b")]});
        let schema = json!({"type": "array", "items": items});
        let mut list: Vec<Value> = (0..20_000).map(|_| json!({"a": 1, "x": 1})).collect();
        list.push(json!({"c": 1}));
        let (violations, _, trials) = counted(&schema, &Value::from(list));
        assert_eq!(trials, MOST_TRIED);
        let [only] = violations.as_slice() else { panic!("{violations}") };
        assert_eq!((only.keyword.as_str(), violations.has_more()), ("schema", true));
    }

    #[test]
    fn a_fault_at_the_end_of_a_long_plain_list_is_found() {
        let mut list = vec![json!(1); 100_000];
        list.push(json!("1"));
        let schema = json!({"type": "array", "items": {"type": "integer"}});
        let (violations, walk, trials) = counted(&schema, &Value::from(list));
        assert_eq!(violations.as_slice()[0].path, "/100000");
        assert_eq!((walk, trials), (100_002, 0));
    }

    #[test]
    fn the_names_of_members_are_tried_each_for_itself() {
        let schema = json!({"type": "object", "propertyNames": {"pattern": "^[a-z]+$"}});
        let value = json!({"a": 1, "B": 1, "c": 1, "D": 1});
        let (violations, ..) = counted(&schema, &value);
        let mut paths = String::new();
        for violation in violations.as_slice() {
            write!(paths, "{} ", violation.path).unwrap();
        }
        assert_eq!(paths, "/B /D ");
    }
}

//! Says everything that is wrong with a value the judge has refused, in the order of the value.
//! Walks schema and value together, so that it knows the schema around each fault, and stops at a
//! bound, so that a large wrong value costs no more than the report of it.

mod array;
mod hint;
mod leaf;
mod object;
mod trial;
mod unevaluated;
mod union;

use serde_json::{Map, Value};

pub(super) use leaf::Leaves;
use trial::{Purpose, Work};

use super::phrase::{about, one_of, options, phrase};
use super::violation::{
    MOST_REPORTED, Rest, Violation, Violations, described, described_without_value,
};
use super::walk::resolve;
use crate::text;

/// Characters of a member name in a reported path.
const LONGEST_TOKEN: usize = 64;

/// One report in the making.
pub(super) struct Explainer<'a> {
    root: &'a Value,
    leaves: &'a Leaves,
    path: String,
    found: Vec<Violation>,
    most: usize,
    purpose: Purpose,
    work: &'a Work,
    /// The schemas that apply to the same value around the one being visited.
    around: Vec<&'a Map<String, Value>>,
}

/// What is known of the place a value is at.
#[derive(Clone, Copy)]
struct Spot {
    /// The member may be left out, so `null` is never the way to say nothing.
    optional: bool,
    /// The value is never repeated.
    secret: bool,
}

impl Spot {
    const TOP: Self = Self { optional: false, secret: false };
}

/// Everything that is wrong with `value`, which the judge of `root` has refused.
pub(super) fn explain(root: &Value, leaves: &Leaves, value: &Value) -> Violations {
    explain_within(root, leaves, value, &Work::on(value))
}

fn explain_within(root: &Value, leaves: &Leaves, value: &Value, work: &Work) -> Violations {
    // One more than is reported tells whether there are more.
    let most = MOST_REPORTED + 1;
    let mut explainer = Explainer {
        root,
        leaves,
        path: String::new(),
        found: Vec::new(),
        most,
        purpose: Purpose::Report,
        work,
        around: Vec::new(),
    };
    explainer.visit(root, value, Spot::TOP);
    let mut found = explainer.found;
    let rest = if found.len() > MOST_REPORTED || work.is_spent() { Rest::More } else { Rest::None };
    found.truncate(MOST_REPORTED);
    if found.is_empty() {
        found.push(Violation {
            path: String::new(),
            keyword: "schema".to_owned(),
            expected: phrase(root, root),
            got: described(value),
            hint: "Send a value that keeps the schema in the tool's definition.".to_owned(),
        });
    }
    Violations::new(found, rest)
}

impl<'a> Explainer<'a> {
    fn visit(&mut self, schema: &'a Value, value: &Value, spot: Spot) {
        if self.is_full() {
            return;
        }
        match self.purpose {
            Purpose::Report => self.look(schema, value, spot),
            Purpose::Trial => self.attempt(schema, value, spot),
        }
    }

    fn look(&mut self, schema: &'a Value, value: &Value, spot: Spot) {
        self.work.pay(self.purpose, value);
        let Value::Object(map) = schema else {
            if *schema == Value::Bool(false) {
                let hint = "Leave it out: nothing is taken here.".to_owned();
                self.push("false", "nothing".to_owned(), value, spot, hint);
            }
            return;
        };
        let secret = spot.secret || map.get("writeOnly") == Some(&Value::Bool(true));
        let spot = Spot { secret, ..spot };
        if !leaf::has_type(map, value) {
            if self.ends_trial() {
                return;
            }
            // What else is wrong follows from the type.
            let hint = hint::of_type(self.root, schema, value, spot);
            return self.push("type", phrase(self.root, schema), value, spot, hint);
        }
        let before = self.found.len();
        self.around.push(map);
        if let Some(target) = reference(self.root, map) {
            self.visit(target, value, spot);
        }
        if !self.options(schema, map, value, spot) {
            self.content(schema, map, value, spot);
            self.combined(map, value, spot);
        }
        self.around.pop();
        if let Value::Object(members) = value {
            self.unevaluated(schema, map, members, value, before);
        }
    }

    /// The keywords that are for one type of value.
    fn content(
        &mut self,
        schema: &'a Value,
        map: &'a Map<String, Value>,
        value: &Value,
        spot: Spot,
    ) {
        match value {
            Value::Number(_) => self.number(schema, map, value, spot),
            Value::String(string) => self.string(schema, map, string, value, spot),
            Value::Array(items) => self.array(schema, map, items, value, spot),
            Value::Object(members) => self.object(schema, map, members, value, spot),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn is_full(&self) -> bool {
        self.found.len() >= self.most || self.work.is_spent()
    }

    fn push(&mut self, keyword: &str, expected: String, value: &Value, spot: Spot, hint: String) {
        let got = if spot.secret { described_without_value(value) } else { described(value) };
        let path = self.path.clone();
        self.report(Violation { path, keyword: keyword.to_owned(), expected, got, hint });
    }

    fn report(&mut self, violation: Violation) {
        if !self.is_full() {
            self.found.push(violation);
        }
    }

    /// Runs `inside` with `token` appended to the path.
    fn below(&mut self, token: &str, inside: impl FnOnce(&mut Self)) {
        let before = self.path.len();
        let around = std::mem::take(&mut self.around);
        text::push_token(&mut self.path, &text::cut(token, LONGEST_TOKEN));
        inside(self);
        self.path.truncate(before);
        self.around = around;
    }

    /// `const` and `enum`; whether they are broken.
    fn options(
        &mut self,
        schema: &'a Value,
        map: &'a Map<String, Value>,
        value: &Value,
        spot: Spot,
    ) -> bool {
        for keyword in ["const", "enum"] {
            if map.contains_key(keyword)
                && let Some(allowed) = options(map)
                && !allowed.iter().any(|option| leaf::same(option, value))
            {
                if self.ends_trial() {
                    return true;
                }
                let hint = hint::of_options(&allowed, value) + &about(schema);
                self.push(keyword, one_of(&allowed), value, spot, hint);
                return true;
            }
        }
        false
    }

    /// The keywords that put schemas together.
    fn combined(&mut self, map: &'a Map<String, Value>, value: &Value, spot: Spot) {
        for part in list(map, "allOf") {
            self.visit(part, value, spot);
        }
        if map.contains_key("anyOf") {
            self.union("anyOf", list(map, "anyOf"), value, spot);
        }
        if map.contains_key("oneOf") {
            self.union("oneOf", list(map, "oneOf"), value, spot);
        }
        if let Some(not) = map.get("not")
            && self.holds(not, value)
        {
            let unwanted = phrase(self.root, not);
            let hint = format!("Send another value: {unwanted} is not taken here.");
            self.push("not", format!("anything but {unwanted}"), value, spot, hint);
        }
        if let Some(condition) = map.get("if") {
            let branch = if self.holds(condition, value) { "then" } else { "else" };
            if let Some(branch) = map.get(branch) {
                self.visit(branch, value, spot);
            }
        }
    }
}

/// The schema that `$ref` in `map` points at.
fn reference<'a>(root: &'a Value, map: &Map<String, Value>) -> Option<&'a Value> {
    resolve(root, map.get("$ref")?.as_str()?)
}

/// The subschemas in the list `keyword`.
fn list<'a>(map: &'a Map<String, Value>, keyword: &str) -> &'a [Value] {
    map.get(keyword).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

//! What an array can break: its length, its items, its repetitions.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use waxwing_core::CanonicalJson;

use super::{Explainer, Spot, list};
use crate::schema::phrase::{about, phrase};

impl<'a> Explainer<'a> {
    pub(super) fn array(
        &mut self,
        schema: &'a Value,
        map: &'a Map<String, Value>,
        items: &[Value],
        value: &Value,
        spot: Spot,
    ) {
        let count = items.len() as f64;
        let bound = |keyword: &str| map.get(keyword).and_then(Value::as_f64);
        for (keyword, broken) in [
            ("minItems", bound("minItems").is_some_and(|bound| count < bound)),
            ("maxItems", bound("maxItems").is_some_and(|bound| count > bound)),
        ] {
            if broken {
                let expected = phrase(self.root, schema);
                let hint = format!("Send {expected}.{}", about(schema));
                self.push(keyword, expected, value, spot, hint);
            }
        }
        if map.get("uniqueItems") == Some(&Value::Bool(true))
            && let Some((first, second)) = repetition(items)
        {
            let expected = phrase(self.root, schema);
            let hint = format!("Items {first} and {second} are equal: send each value once.");
            self.push("uniqueItems", expected, value, spot, hint);
        }
        self.contains(map, items, value, spot);
        self.items(map, items, spot);
    }

    fn items(&mut self, map: &'a Map<String, Value>, items: &[Value], spot: Spot) {
        let prefix = list(map, "prefixItems");
        let inner = Spot { optional: false, ..spot };
        for (i, item) in items.iter().enumerate() {
            let schema = prefix.get(i).or_else(|| map.get("items"));
            let Some(schema) = schema else { return };
            if self.is_full() {
                return;
            }
            self.below(&i.to_string(), |explainer| explainer.visit(schema, item, inner));
        }
    }

    fn contains(
        &mut self,
        map: &'a Map<String, Value>,
        items: &[Value],
        value: &Value,
        spot: Spot,
    ) {
        let Some(wanted) = map.get("contains") else { return };
        let least = map.get("minContains").and_then(Value::as_f64).unwrap_or(1.0);
        let most = map.get("maxContains").and_then(Value::as_f64).unwrap_or(f64::INFINITY);
        let count = items.iter().filter(|item| self.holds(wanted, item)).count() as f64;
        let each = phrase(self.root, wanted);
        if count < least {
            let expected = format!("an array in which at least {least} is {each}");
            let hint = format!("{count} of the items are: add what is missing.");
            self.push("contains", expected, value, spot, hint);
        } else if count > most {
            let expected = format!("an array in which at most {most} is {each}");
            let hint = format!("{count} of the items are: take some out.");
            self.push("maxContains", expected, value, spot, hint);
        }
    }
}

/// The first two items that are equal, by index.
fn repetition(items: &[Value]) -> Option<(usize, usize)> {
    let mut seen = BTreeMap::new();
    items.iter().enumerate().find_map(|(i, item)| {
        let text = CanonicalJson::from_serialize(item).ok()?.as_str().to_owned();
        seen.insert(text, i).map(|first| (first, i))
    })
}

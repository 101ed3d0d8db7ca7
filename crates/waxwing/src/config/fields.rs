//! A TOML file taken apart key by key, so that everything that is wrong with it is told at once, each
//! fault with its place and the name of its key.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize as _;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::file::{self, ConfigError};

/// A table whose keys are taken one by one; what is left at the end nobody knows.
#[derive(Debug)]
pub(super) struct Fields<'t> {
    /// What stands before a key in a fault: `jobs.` in that table.
    prefix: String,
    left: DeTable<'t>,
    /// The keys that were asked for, and where their values begin.
    known: BTreeMap<&'static str, usize>,
    /// Where the table begins.
    start: usize,
    faults: Vec<Fault>,
}

#[derive(Debug)]
struct Fault {
    at: usize,
    text: String,
}

impl<'t> Fields<'t> {
    /// The whole of a file.
    pub(super) fn parse(path: &Path, text: &'t str) -> Result<Self, ConfigError> {
        let table = DeTable::parse(text).map_err(|error| file::syntax(path, text, &error))?;
        Ok(Self::new(String::new(), table.into_inner(), 0))
    }

    const fn new(prefix: String, left: DeTable<'t>, start: usize) -> Self {
        Self { prefix, left, known: BTreeMap::new(), start, faults: Vec::new() }
    }

    /// Names the table in its faults.
    pub(super) fn call_it(&mut self, name: impl Display) {
        self.prefix = format!("{name}: ");
    }

    /// Something is wrong with a key: `what` follows on its name.
    pub(super) fn fault(&mut self, key: &'static str, what: impl Display) {
        let at = self.known.get(key).copied().unwrap_or(self.start);
        self.fault_at(at, key, what);
    }

    fn fault_at(&mut self, at: usize, key: &str, what: impl Display) {
        self.faults.push(Fault { at, text: format!("{}{key} {what}", self.prefix) });
    }

    fn value(&mut self, key: &'static str) -> Option<Spanned<DeValue<'t>>> {
        let value = self.left.remove(key);
        self.known.insert(key, value.as_ref().map_or(self.start, |value| value.span().start));
        value
    }

    /// The text of a key, which is not taken with it.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.left.get(key).and_then(|value| value.get_ref().as_str())
    }

    /// The value of a key, if it is there and right.
    pub(super) fn take<T: DeserializeOwned>(&mut self, key: &'static str) -> Option<T> {
        let value = self.value(key)?;
        let start = value.span().start;
        match T::deserialize(ValueDeserializer::from(value)) {
            Ok(taken) => Some(taken),
            Err(error) => {
                let at = error.span().map_or(start, |span| span.start);
                self.fault_at(at, key, format_args!("is wrong: {}", error.message()));
                None
            }
        }
    }

    /// The same, of a key that must be there.
    pub(super) fn required<T: DeserializeOwned>(&mut self, key: &'static str) -> Option<T> {
        if !self.left.contains_key(key) {
            self.fault(key, "is missing");
        }
        self.take(key)
    }

    /// A whole number.
    pub(super) fn within<T>(&mut self, key: &'static str, least: u64, most: u64) -> Option<T>
    where
        T: TryFrom<u64>,
    {
        let value = ValueDeserializer::from(self.value(key)?);
        let Ok(number) = i64::deserialize(value) else {
            self.fault(key, format_args!("must be a whole number, {least} to {most}"));
            return None;
        };
        let right = u64::try_from(number).ok().filter(|number| (least..=most).contains(number));
        let right = right.and_then(|number| T::try_from(number).ok());
        if right.is_none() {
            self.fault(key, format_args!("must be {least} to {most}, and is {number}"));
        }
        right
    }

    /// A number of milliseconds.
    pub(super) fn millis(&mut self, key: &'static str, least: u64, most: u64) -> Option<Duration> {
        self.within(key, least, most).map(Duration::from_millis)
    }

    /// A table within, if it is there.
    pub(super) fn table<R>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Self) -> R,
    ) -> Option<R> {
        let value = self.value(key)?;
        let start = value.span().start;
        let DeValue::Table(table) = value.into_inner() else {
            self.fault(key, "must be a table");
            return None;
        };
        let prefix = format!("{}{key}.", self.prefix);
        Some(self.within_it(Fields::new(prefix, table, start), read))
    }

    /// The tables of `[[key]]`, each with its number, from 1.
    pub(super) fn tables<R>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(usize, &mut Self) -> R,
    ) -> Vec<R> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let DeValue::Array(items) = value.into_inner() else {
            self.fault(key, format_args!("must be tables, each under its own [[{key}]]"));
            return Vec::new();
        };
        let mut all = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let (number, start) = (index + 1, item.span().start);
            let DeValue::Table(table) = item.into_inner() else {
                self.fault_at(start, key, format_args!("number {number} must be a table"));
                continue;
            };
            let prefix = format!("[[{key}]] number {number}: ");
            all.push(self.within_it(Fields::new(prefix, table, start), |it| read(number, it)));
        }
        all
    }

    fn within_it<R>(&mut self, mut table: Self, read: impl FnOnce(&mut Self) -> R) -> R {
        let made = read(&mut table);
        table.end();
        self.faults.append(&mut table.faults);
        made
    }

    /// Names with texts that may be secrets, so that no fault repeats one.
    pub(super) fn texts(&mut self, key: &'static str) -> BTreeMap<String, String> {
        let mut texts = BTreeMap::new();
        match self.value(key).map(Spanned::into_inner) {
            None => {}
            Some(DeValue::Table(table)) => {
                for (name, value) in table {
                    let (name, at) = (name.into_inner().into_owned(), value.span().start);
                    match value.into_inner() {
                        DeValue::String(text) => drop(texts.insert(name, text.into_owned())),
                        _ => {
                            self.fault_at(at, key, format_args!("must have a string for {name:?}"));
                        }
                    }
                }
            }
            Some(_) => self.fault(key, "must be a table of names and strings"),
        }
        texts
    }

    /// Nothing may be left.
    fn end(&mut self) {
        let known = self.known.keys().copied().collect::<Vec<_>>().join(", ");
        for (key, _) in std::mem::take(&mut self.left) {
            let what = format_args!("is no key here; the keys are {known}");
            self.fault_at(key.span().start, key.get_ref(), what);
        }
    }

    /// What was wrong so far, one line each, in the order of the file.
    pub(super) fn faults_so_far(&mut self, path: &Path, text: &str) -> Vec<String> {
        let mut faults = std::mem::take(&mut self.faults);
        faults.sort_by_key(|fault| fault.at);
        let line = |Fault { at, text: what }| {
            let (line, column) = file::place(text, at);
            format!("{}:{line}:{column}: {what}", path.display())
        };
        faults.into_iter().map(line).collect()
    }

    /// The same when every key that there may be was asked for.
    pub(super) fn faults(mut self, path: &Path, text: &str) -> Vec<String> {
        self.end();
        self.faults_so_far(path, text)
    }
}

/// What is read of a text, or all that is wrong with it, without places.
#[cfg(test)]
pub(super) fn read_text<R>(
    text: &str,
    read: impl FnOnce(&mut Fields<'_>) -> R,
) -> (R, Vec<String>) {
    let mut fields = Fields::parse(Path::new("a.toml"), text).unwrap();
    let made = read(&mut fields);
    fields.end();
    (made, fields.faults.into_iter().map(|fault| fault.text).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_told_with_its_place_in_the_order_of_the_file() {
        let text = "b = \"x\"\n[t]\nn = 9\nx = 1\nm = 1\n[[l]]\n[[l]]\na = 1\n[u]\n";
        let mut fields = Fields::parse(Path::new("a.toml"), text).unwrap();
        fields.tables("l", |_, table| table.required::<u8>("a"));
        fields.table("t", |table| {
            table.within::<u8>("n", 1, 8);
            table.millis("m", 1, 8);
        });
        fields.take::<u8>("b");
        assert_eq!(
            fields.faults(Path::new("a.toml"), text),
            [
                "a.toml:1:5: b is wrong: invalid type: string \"x\", expected u8",
                "a.toml:3:5: t.n must be 1 to 8, and is 9",
                "a.toml:4:1: t.x is no key here; the keys are m, n",
                "a.toml:6:1: [[l]] number 1: a is missing",
                "a.toml:9:2: u is no key here; the keys are b, l, t",
            ]
        );
    }

    #[test]
    fn what_is_no_table_is_told_and_no_text_of_one_that_may_be_secret() {
        let text = "t = 1\nl = [1]\nm = {}\ns = { a = 4711, b = \"canary\" }\nr = \"canary\"\n";
        let ((), faults) = read_text(text, |fields| {
            fields.table("t", |_| {});
            fields.tables("l", |_, _| {});
            fields.tables("m", |_, _| {});
            assert_eq!(fields.texts("s"), [("b".to_owned(), "canary".to_owned())].into());
            fields.texts("r");
        });
        assert_eq!(
            faults,
            [
                "t must be a table",
                "l number 1 must be a table",
                "m must be tables, each under its own [[m]]",
                "s must have a string for \"a\"",
                "r must be a table of names and strings",
            ]
        );
    }
}

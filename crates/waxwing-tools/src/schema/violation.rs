//! What is wrong with a value, in words that let whoever sent it do better (wire.md §8).

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::phrase::canonical;
use crate::text;

/// Violations that are reported of one value.
pub(super) const MOST_REPORTED: usize = 64;

/// One thing that is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Violation {
    /// JSON Pointer of the value; of where it should be, when it is missing. A member name of more
    /// than 64 characters is cut in it.
    pub path: String,
    /// The schema keyword that is broken; `decode` when the schema is kept and the tool's type
    /// refuses the value all the same, `maxBytes` when the whole is too large.
    pub keyword: String,
    /// What is expected there.
    pub expected: String,
    /// What came: its type and, when it is short and not secret, its value.
    pub got: String,
    /// What to send instead.
    pub hint: String,
}

impl Violation {
    pub(crate) fn oversized(bytes: usize, limit: usize) -> Self {
        Self {
            path: String::new(),
            keyword: "maxBytes".to_owned(),
            expected: format!("at most {limit} bytes of arguments"),
            got: format!("{bytes} bytes"),
            hint: "Send less at once, in several calls.".to_owned(),
        }
    }

    pub(super) fn unreadable() -> Self {
        Self {
            path: String::new(),
            keyword: "decode".to_owned(),
            expected: "JSON".to_owned(),
            got: "text that cannot be read".to_owned(),
            hint: "Send JSON.".to_owned(),
        }
    }

    pub(super) fn undecodable(
        value: Option<&Value>,
        path: String,
        reason: &str,
        secret: bool,
    ) -> Self {
        let mut reason = reason.to_owned();
        if secret {
            reason = "another value".to_owned();
        } else if let Some(Value::String(long)) = value
            && long.chars().count() > text::LONGEST_ECHO
        {
            reason = reason.replace(long.as_str(), "…");
        }
        let got = match value {
            Some(value) if secret => described_without_value(value),
            Some(value) => described(value),
            None => "nothing".to_owned(),
        };
        Self {
            path,
            keyword: "decode".to_owned(),
            expected: "a value that the tool can decode".to_owned(),
            got,
            hint: format!("The tool says: {}.", text::cut(reason.trim_end_matches('.'), 200)),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, expected, got, hint, .. } = self;
        let place = if path.is_empty() { "the top level" } else { &text::printable(path) };
        write!(f, "{place}: expected {expected}, got {got}. {hint}")
    }
}

/// Everything that is wrong with a value, in the order of the value; at most 64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violations {
    list: Vec<Violation>,
    rest: Rest,
}

/// Whether there is more than is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    None,
    More,
}

impl Violations {
    pub(super) fn new(list: Vec<Violation>, rest: Rest) -> Self {
        Self { list, rest }
    }

    /// The same without what came at the paths that are secret.
    pub(super) fn redacted(mut self, is_secret: impl Fn(&str) -> bool) -> Self {
        for violation in self.list.iter_mut().filter(|violation| is_secret(&violation.path)) {
            violation.got = "a value that is not repeated".to_owned();
            violation.hint = "Send what is expected.".to_owned();
        }
        self
    }

    /// The violations.
    #[must_use]
    pub fn as_slice(&self) -> &[Violation] {
        &self.list
    }

    /// Whether there may be more than [`Self::as_slice`] has room for.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.rest == Rest::More
    }

    /// The text for a caller of `tool`: enough, without the structured details, to mend the call.
    #[must_use]
    pub fn summary(&self, tool: &str) -> String {
        self.report(&format!("The arguments of {tool} were refused, so nothing was run"))
    }

    /// `head`, how many things there are to mend, and each of them on a line of its own.
    #[must_use]
    pub fn report(&self, head: &str) -> String {
        let count = match (self.list.len(), self.rest) {
            (1, Rest::None) => "one thing".to_owned(),
            (n, Rest::None) => format!("{n} things"),
            (n, Rest::More) => format!("more than {n} things"),
        };
        let mut text = format!("{head}: {count} to mend.");
        for violation in &self.list {
            text.push_str("\n- ");
            text.push_str(&violation.to_string());
        }
        if self.has_more() {
            text.push_str("\n- And more of the kind: mend these first.");
        }
        text
    }
}

impl From<Violation> for Violations {
    fn from(only: Violation) -> Self {
        Self::new(vec![only], Rest::None)
    }
}

/// One line, for a log.
impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, violation) in self.list.iter().enumerate() {
            write!(f, "{}{violation}", if i == 0 { "" } else { " | " })?;
        }
        if self.has_more() { f.write_str(" | and more") } else { Ok(()) }
    }
}

/// The type of a value and, when it is short, the value.
pub(super) fn described(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(truth) => format!("the boolean {truth}"),
        Value::Number(_) => format!("the number {}", canonical(value)),
        Value::String(text) if text.is_empty() => "an empty string".to_owned(),
        Value::String(string) => {
            let length = string.chars().count();
            let shown = text::quoted(string);
            if length > text::LONGEST_ECHO - 2 {
                format!("the string {shown} of {length} characters")
            } else {
                format!("the string {shown}")
            }
        }
        Value::Array(_) | Value::Object(_) => described_without_value(value),
    }
}

/// The type of a value and its size.
pub(super) fn described_without_value(value: &Value) -> String {
    let sized = |count: usize, one: &str, many: &str| match count {
        0 => format!("no {many}"),
        1 => format!("1 {one}"),
        n => format!("{n} {many}"),
    };
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "a boolean".to_owned(),
        Value::Number(_) => "a number".to_owned(),
        Value::String(text) => {
            format!("a string of {}", sized(text.chars().count(), "character", "characters"))
        }
        Value::Array(items) => format!("an array of {}", sized(items.len(), "item", "items")),
        Value::Object(members) => {
            format!("an object of {}", sized(members.len(), "member", "members"))
        }
    }
}

/// Whether a member of this name may hold a secret, whose value no message repeats.
pub(super) fn is_secret_name(name: &str) -> bool {
    const SECRET: [&str; 11] = [
        "password",
        "passwd",
        "passphrase",
        "secret",
        "token",
        "apikey",
        "credential",
        "authorization",
        "privatekey",
        "cookie",
        "signature",
    ];
    let letters: String =
        name.chars().filter(char::is_ascii_alphanumeric).flat_map(char::to_lowercase).collect();
    SECRET.iter().any(|word| letters.contains(word)) || matches!(letters.as_str(), "pin" | "pwd")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_described_by_type_and_short_value() {
        let long = "s".repeat(3000);
        let cases = [
            (json!(null), "null"),
            (json!(true), "the boolean true"),
            (json!(1.5), "the number 1.5"),
            (json!(""), "an empty string"),
            (json!("a\"b"), "the string \"a\\\"b\""),
            (json!([1, 2]), "an array of 2 items"),
            (json!([]), "an array of no items"),
            (json!({"a": 1}), "an object of 1 member"),
        ];
        for (value, expected) in cases {
            assert_eq!(described(&value), expected);
        }
        let cut = described(&json!(long));
        assert!(cut.len() < 80 && cut.ends_with("of 3000 characters"), "{cut}");
    }

    #[test]
    fn names_of_secrets_are_known_in_any_spelling() {
        for name in ["password", "apiKey", "API_KEY", "x-auth-token", "client_secret", "pin"] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["note", "numbers", "spinner", "key"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn an_undecodable_value_shows_neither_a_long_nor_a_secret_string() {
        let long = "z".repeat(100);
        let reason = format!("invalid value: string \"{long}\", expected a colour");
        let violation =
            Violation::undecodable(Some(&json!(long)), "/colour".into(), &reason, false);
        assert!(!violation.to_string().contains(&long), "{violation}");
        let secret = json!("hunter2");
        let reason = "invalid value: string \"hunter2\", expected 9 letters";
        let violation = Violation::undecodable(Some(&secret), "/password".into(), reason, true);
        assert!(!violation.to_string().contains("hunter2"), "{violation}");
    }
}

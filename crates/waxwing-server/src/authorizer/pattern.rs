//! Which tools a rule is about: one name, or all that begin alike.

use std::fmt;
use std::str::FromStr;

use waxwing_core::ToolName;

/// A tool's name, or a beginning of names followed by `*`; `*` alone is every tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolPattern(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Name(ToolName<'static>),
    Beginning(String),
}

/// A text that is no [`ToolPattern`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a tool is given by its name, 1 to 64 of A-Za-z0-9_-, or as beginning* with one star, at the end"
)]
#[non_exhaustive]
pub struct InvalidPattern;

impl ToolPattern {
    /// Whether the tool named `tool` is meant.
    #[must_use]
    pub fn covers(&self, tool: &str) -> bool {
        match &self.0 {
            Kind::Name(name) => name.as_str() == tool,
            Kind::Beginning(beginning) => tool.starts_with(beginning),
        }
    }

    /// The name, when it is one.
    pub(super) fn name(&self) -> Option<&str> {
        match &self.0 {
            Kind::Name(name) => Some(name.as_str()),
            Kind::Beginning(_) => None,
        }
    }
}

impl FromStr for ToolPattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        let is_name = |text: &str| ToolName::new(text.to_owned()).is_ok();
        match text.strip_suffix('*') {
            Some(beginning) if beginning.is_empty() || is_name(beginning) => {
                Ok(Self(Kind::Beginning(beginning.to_owned())))
            }
            Some(_) => Err(InvalidPattern),
            None => match ToolName::new(text.to_owned()) {
                Ok(name) => Ok(Self(Kind::Name(name))),
                Err(_) => Err(InvalidPattern),
            },
        }
    }
}

impl fmt::Display for ToolPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Name(name) => f.write_str(name.as_str()),
            Kind::Beginning(beginning) => write!(f, "{beginning}*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_itself_and_a_beginning_is_all_that_begin_so() {
        let covered = |pattern: &str| -> Vec<&str> {
            let pattern: ToolPattern = pattern.parse().unwrap();
            let tools = ["files", "files_read", "files_write", "Files_read", "transfer"];
            tools.into_iter().filter(|tool| pattern.covers(tool)).collect()
        };
        assert_eq!(covered("files"), ["files"]);
        assert_eq!(covered("files_*"), ["files_read", "files_write"]);
        assert_eq!(covered("files*"), ["files", "files_read", "files_write"]);
        assert_eq!(covered("*").len(), 5);
    }

    #[test]
    fn a_star_stands_at_the_end_alone() {
        let long = "a".repeat(65);
        for text in ["", "**", "*_read", "a*b", "a*b*", "a b", "a.*", "files_?", "a,b", &long] {
            assert_eq!(text.parse::<ToolPattern>(), Err(InvalidPattern), "{text}");
        }
        for text in ["a", "a*", "*", "A-b_9*"] {
            assert_eq!(text.parse::<ToolPattern>().unwrap().to_string(), text);
        }
    }
}

//! What is odd about rules, seen beside the tools they are for: names that no tool has, and
//! restrictions that hold nothing back.

use std::fmt;

use waxwing_core::ClientId;
use waxwing_tools::{RESERVED_TOOLS, Registry, similar};

use super::{AllowRules, ToolPattern};

/// Something odd about a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RuleFinding {
    /// No tool is meant by it, so it allows nothing.
    NoTool {
        /// Whose rule it is.
        client: ClientId<'static>,
        /// What it names.
        pattern: String,
        /// A tool of nearly this name.
        similar: Option<String>,
    },
    /// It names a reserved tool, which is everybody's (wire.md §6).
    Reserved {
        /// Whose rule it is.
        client: ClientId<'static>,
        /// The tool.
        tool: String,
    },
    /// Its arguments name a member that the tool does not take, so it holds nothing back there.
    NoMember {
        /// Whose rule it is.
        client: ClientId<'static>,
        /// The tool.
        tool: String,
        /// JSON Pointer of the member; `*` is any item of an array.
        member: String,
        /// A member of nearly this name.
        similar: Option<String>,
    },
}

impl RuleFinding {
    /// Whether the rule may allow more than whoever wrote it meant, so that nobody should rely on it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self, Self::NoMember { .. })
    }
}

impl fmt::Display for RuleFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hint = |similar: &Option<String>| match similar {
            Some(name) => format!("; did you mean {name:?}?"),
            None => String::new(),
        };
        match self {
            Self::NoTool { client, pattern, similar } => {
                let hint = hint(similar);
                write!(f, "the rule for {client} names {pattern:?}, and no tool is called so{hint}")
            }
            Self::Reserved { client, tool } => {
                write!(f, "the rule for {client} names {tool:?}, which every client may use anyway")
            }
            Self::NoMember { client, tool, member, similar } => write!(
                f,
                "the rule for {client} narrows {member:?}, which {tool} does not take, so it holds \
                 nothing back{}",
                hint(similar)
            ),
        }
    }
}

impl AllowRules {
    /// What is odd about these rules when they are for the tools of `registry`.
    #[must_use]
    pub fn review(&self, registry: &Registry) -> Vec<RuleFinding> {
        let mut findings = Vec::new();
        for rule in self.rules() {
            let client = || rule.client.clone();
            for pattern in &rule.tools {
                findings.extend(odd_pattern(registry, pattern, client));
            }
            let Some(schema) = &rule.args else { continue };
            for tool in registry.iter().map(|tool| &tool.definition) {
                if !rule.covers(tool.name.as_str()) {
                    continue;
                }
                let takes = tool.input_schema.get("properties").and_then(|it| it.as_object());
                for member in schema.members_unknown_to(&tool.input_schema) {
                    let name = member.trim_start_matches('/');
                    let known = takes.into_iter().flatten().map(|(name, _)| name.as_str());
                    findings.push(RuleFinding::NoMember {
                        client: client(),
                        tool: tool.name.as_str().to_owned(),
                        similar: similar(name, known).first().map(|&name| name.to_owned()),
                        member,
                    });
                }
            }
        }
        findings
    }
}

fn odd_pattern(
    registry: &Registry,
    pattern: &ToolPattern,
    client: impl Fn() -> ClientId<'static>,
) -> Option<RuleFinding> {
    let names = || registry.iter().map(|tool| tool.definition.name.as_str());
    if names().any(|name| pattern.covers(name)) {
        return None;
    }
    let text = pattern.to_string();
    match pattern.name() {
        Some(name) if RESERVED_TOOLS.contains(&name) => {
            Some(RuleFinding::Reserved { client: client(), tool: text })
        }
        _ => {
            let near = similar(text.trim_end_matches('*'), names());
            let similar = near.first().map(|&name| name.to_owned());
            Some(RuleFinding::NoTool { client: client(), pattern: text, similar })
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use waxwing_tools::{Tool, ToolMode, WrittenSchemas};

    use super::*;
    use crate::authorizer::{Access, AllowRule};

    fn registry() -> Registry {
        let input = json!({"type": "object", "properties": {"amount": {"type": "number"}}});
        let schemas = WrittenSchemas { input, output: json!({}) };
        let transfer = Tool::untyped(
            "transfer",
            "Moves money.",
            ToolMode::Sync,
            schemas,
            |_, args| async move { Ok(args) },
        );
        Registry::builder().tool(transfer).build(&"bank".parse().unwrap()).unwrap()
    }

    fn review(tools: &[&str], args: Value) -> Vec<String> {
        let tools: Vec<ToolPattern> = tools.iter().map(|tool| tool.parse().unwrap()).collect();
        let rule = AllowRule::new("a".parse().unwrap(), tools).with_args(args).unwrap();
        let rules = AllowRules::new(Access::Allowed).allow(rule);
        rules.review(&registry()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn rules_that_fit_the_tools_are_not_odd() {
        let args = json!({"properties": {"amount": {"maximum": 100}}});
        assert_eq!(review(&["transfer", "trans*", "*"], args), [""; 0]);
    }

    #[test]
    fn names_that_no_tool_has_and_slips_in_arguments_are_told() {
        assert_eq!(
            review(&["tranfser", "files_*", "poll_job"], json!({})),
            [
                "the rule for a names \"tranfser\", and no tool is called so; did you mean \
                 \"transfer\"?",
                "the rule for a names \"files_*\", and no tool is called so",
                "the rule for a names \"poll_job\", which every client may use anyway",
            ]
        );
        assert_eq!(
            review(&["transfer"], json!({"properties": {"ammount": {"maximum": 100}}})),
            ["the rule for a narrows \"/ammount\", which transfer does not take, so it holds \
              nothing back; did you mean \"amount\"?"]
        );
    }
}

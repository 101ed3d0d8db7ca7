//! What shipping clients of models reject or stumble over in a tool, though the protocol takes it.

use std::collections::BTreeMap;

use serde_json::Value;
use waxwing_tools::{Registry, ToolDefinition};

/// Characters of a function's name that interfaces to models take.
const LONGEST_NAME: usize = 64;
/// Characters of a function's description that all of them take.
const LONGEST_DESCRIPTION: usize = 1024;
/// A description with fewer characters tells a model little.
const SHORTEST_DESCRIPTION: usize = 10;

/// What is odd about tools, in order of name. `server_id` is what a host may call the server.
pub(super) fn lint(registry: &Registry, server_id: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut alike: BTreeMap<String, &str> = BTreeMap::new();
    for tool in registry.iter().map(|tool| &tool.definition) {
        let name = tool.name.as_str();
        let mut say = |text: String| found.push(format!("tool {name}: {text}"));
        names(name, server_id, &mut say);
        if let Some(other) = alike.insert(name.to_lowercase().replace('-', "_"), name) {
            say(format!(
                "its name differs from {other} only in case, or in - and _, which some hosts make one"
            ));
        }
        descriptions(tool, &mut say);
        members(tool, &mut say);
    }
    found
}

fn names(name: &str, server_id: &str, say: &mut impl FnMut(String)) {
    if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        say("Gemini takes only names that begin with a letter or _".to_owned());
    }
    if name.contains("__") {
        say("hosts that name tools SERVER__TOOL take the part before __ for a server".to_owned());
    }
    let prefixed = format!("mcp__{server_id}__{name}").chars().count();
    if prefixed > LONGEST_NAME {
        say(format!(
            "hosts that put mcp__SERVER__ before a name get {prefixed} characters with this server's id, \
             and interfaces to models take {LONGEST_NAME}"
        ));
    }
}

fn descriptions(tool: &ToolDefinition, say: &mut impl FnMut(String)) {
    match tool.description.chars().count() {
        count if count > LONGEST_DESCRIPTION => say(format!(
            "its description has {count} characters, and some interfaces to models take no more than \
             {LONGEST_DESCRIPTION}"
        )),
        count if count < SHORTEST_DESCRIPTION => {
            say("its description is so short that a model cannot know when to use it".to_owned());
        }
        _ => {}
    }
}

fn members(tool: &ToolDefinition, say: &mut impl FnMut(String)) {
    let Some(Value::Object(members)) = tool.input_schema.get("properties") else { return };
    let silent: Vec<&str> = members
        .iter()
        .filter(|(_, schema)| schema.get("description").and_then(Value::as_str).is_none())
        .map(|(name, _)| name.as_str())
        .collect();
    if !silent.is_empty() {
        say(format!("no description of {}", silent.join(", ")));
    }
    let is_plain = |name: &str| {
        name.len() <= LONGEST_NAME
            && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    for name in members.keys().filter(|name| !is_plain(name)) {
        say(format!(
            "the argument {name:?} is not of letters, digits and _, which is all that Gemini takes"
        ));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use waxwing_tools::{Tool, ToolMode, WrittenSchemas};

    use super::*;

    fn findings(tools: &[(&str, &str, Value)], server_id: &str) -> Vec<String> {
        let mut registry = Registry::builder();
        for (name, description, properties) in tools {
            let input = json!({"type": "object", "properties": properties});
            let schemas = WrittenSchemas { input, output: json!({}) };
            let tool =
                Tool::untyped(*name, *description, ToolMode::Sync, schemas, |_, args| async move {
                    Ok(args)
                });
            registry = registry.tool(tool);
        }
        lint(&registry.build(&server_id.parse().unwrap()).unwrap(), server_id)
    }

    fn one(name: &str, description: &str, properties: Value) -> Vec<String> {
        findings(&[(name, description, properties)], "sums.example")
    }

    #[test]
    fn a_plain_tool_is_not_odd() {
        let properties = json!({"amount_1": {"type": "number", "description": "In euros."}});
        assert_eq!(one("batch_sum", "Adds numbers.", properties), [""; 0]);
    }

    #[test]
    fn everything_that_clients_stumble_over_is_told() {
        let long = "x".repeat(50);
        for (name, description, properties, words) in [
            ("1st", "Adds numbers.", json!({}), "begin with a letter"),
            ("a__b", "Adds numbers.", json!({}), "SERVER__TOOL"),
            (&*long, "Adds numbers.", json!({}), "get 69 characters"),
            ("a", "Adds.", json!({}), "so short"),
            ("a", &"x".repeat(1025), json!({}), "has 1025 characters"),
            ("a", "Adds numbers.", json!({"b": {}, "c": {}}), "no description of b, c"),
            (
                "a",
                "Adds numbers.",
                json!({"b-c": {"description": "B."}}),
                "\"b-c\" is not of letters",
            ),
        ] {
            let found = one(name, description, properties);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].contains(words), "{found:?}");
        }
    }

    #[test]
    fn names_that_hosts_make_one_are_told() {
        let tools = [
            ("get-user", "Finds somebody.", json!({})),
            ("get_User", "Finds somebody.", json!({})),
        ];
        let found = findings(&tools, "s");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("tool get_User: its name differs from get-user"), "{found:?}");
    }
}

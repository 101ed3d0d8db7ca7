//! Who may call what, in `waxwing.toml`: `[authorisation]` and one `[[allow]]` for each rule.

use serde::Deserialize;
use serde_json::{Map, Value};
use waxwing_core::ClientId;
use waxwing_server::{Access, AllowRule, AllowRules, ToolPattern};

use super::fields::Fields;

/// The verdict on clients that have no rule, as the file spells it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum DefaultAccess {
    /// They may call every tool.
    Allow,
    /// They may call none.
    Deny,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Pattern(ToolPattern);

impl TryFrom<String> for Pattern {
    type Error = waxwing_server::InvalidPattern;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

/// The rules of a file, if nothing is wrong with any of them.
pub(super) fn read(file: &mut Fields<'_>) -> Option<AllowRules> {
    let default = file.table("authorisation", |table| table.take("default")).flatten();
    let others = match default {
        None | Some(DefaultAccess::Allow) => Access::Allowed,
        Some(DefaultAccess::Deny) => Access::Denied,
    };
    let rules: Option<Vec<AllowRule>> = file.tables("allow", rule).into_iter().collect();
    Some(rules?.into_iter().fold(AllowRules::new(others), AllowRules::allow))
}

fn rule(number: usize, table: &mut Fields<'_>) -> Option<AllowRule> {
    let client = table.required::<ClientId<'static>>("client");
    if let Some(client) = &client {
        table.call_it(format_args!("[[allow]] {number}, for {client}"));
    }
    let tools = table.required::<Vec<Pattern>>("tools");
    let args = table.take::<Map<String, Value>>("args");
    let rule = AllowRule::new(client?, tools?.into_iter().map(|Pattern(tool)| tool));
    match args.map(Value::Object) {
        None => Some(rule),
        Some(schema) => rule.with_args(schema).map_err(|fault| table.fault("args", fault)).ok(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use waxwing_core::CanonicalJson;
    use waxwing_server::{ArgsAccess, Authorizer as _};

    use super::super::fields::read_text;
    use super::*;

    fn read(text: &str) -> Result<AllowRules, String> {
        let (rules, faults) = read_text(text, super::read);
        if faults.is_empty() { Ok(rules.unwrap()) } else { Err(faults.join("\n")) }
    }

    #[test]
    fn rules_are_read_as_they_are_written() {
        let rules = read(
            "[[allow]]\nclient = \"agent-7\"\ntools = [\"batch_sum\", \"files_*\"]\n\
             [[allow]]\nclient = \"agent-7\"\ntools = [\"transfer\"]\n\
             args = { properties = { amount = { maximum = 100 } } }\n",
        )
        .unwrap();
        let client = |text: &'static str| ClientId::new(text).unwrap();
        assert_eq!(rules.judge(&client("agent-7"), "files_read"), Access::Allowed);
        assert_eq!(rules.judge(&client("agent-7"), "other"), Access::Denied);
        assert_eq!(rules.judge(&client("agent-8"), "other"), Access::Allowed);
        let args = |amount: i32| CanonicalJson::from_serialize(&json!({"amount": amount})).unwrap();
        let judge = |amount| rules.judge_args(&client("agent-7"), "transfer", &args(amount));
        assert_eq!(judge(100), ArgsAccess::Allowed);
        assert!(matches!(judge(101), ArgsAccess::Beyond(_)));
    }

    #[test]
    fn the_default_can_be_to_deny() {
        let rules = read("[authorisation]\ndefault = \"deny\"\n").unwrap();
        assert_eq!(rules.judge(&ClientId::new("a").unwrap(), "x"), Access::Denied);
        let rules = read("").unwrap();
        assert_eq!(rules.judge(&ClientId::new("a").unwrap(), "x"), Access::Allowed);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, words) in [
            ("[authorisation]\ndefault = \"maybe\"", "`maybe`"),
            ("[authorisation]\ndefalt = \"deny\"", "authorisation.defalt is no key here"),
            ("[[allow]]\nclient = \"a\"\n", "[[allow]] 1, for a: tools is missing"),
            ("[[allow]]\ntools = []\n", "[[allow]] number 1: client is missing"),
            ("[[allow]]\nclient = \"a b\"\ntools = []\n", "client_id must be"),
            ("[[allow]]\nclient = \"a\"\ntools = [\"a*b\"]\n", "one star, at the end"),
            ("[[allow]]\nclient = \"a\"\ntools = \"a\"\n", "sequence"),
            ("[[allow]]\nclient = \"a\"\ntools = []\nargs = true\n", "map"),
            (
                "[[allow]]\nclient = \"a\"\ntools = [\"*\"]\nargs = { maximun = 1 }\n\
                 [[allow]]\nclient = \"b\"\ntools = [\"*\"]\nargs = { pattern = \"(?=a)\" }\n",
                "[[allow]] 2, for b: args at ",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}

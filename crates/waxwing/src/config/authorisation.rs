//! Who may call what, in `waxwing.toml`: `[authorisation]` and one `[[allow]]` for each rule.

use serde::Deserialize;
use serde_json::{Map, Value};
use waxwing_core::ClientId;
use waxwing_server::{Access, AllowRule, AllowRules, ToolPattern};

/// `[authorisation]`: what holds where no rule is.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuthorisationTable {
    #[serde(default)]
    default: DefaultAccess,
}

/// The verdict on clients that have no rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DefaultAccess {
    /// They may call every tool.
    #[default]
    Allow,
    /// They may call none.
    Deny,
}

/// `[[allow]]`: one rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AllowTable {
    client: ClientId<'static>,
    tools: Vec<Pattern>,
    /// A schema that the arguments must also meet.
    args: Option<Map<String, Value>>,
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

/// The rules of a configuration.
///
/// # Errors
/// What is wrong with each rule that cannot hold.
pub(crate) fn rules(
    authorisation: &AuthorisationTable,
    allow: &[AllowTable],
) -> Result<AllowRules, Vec<String>> {
    let others = match authorisation.default {
        DefaultAccess::Allow => Access::Allowed,
        DefaultAccess::Deny => Access::Denied,
    };
    let (mut rules, mut faults) = (AllowRules::new(others), Vec::new());
    for (index, AllowTable { client, tools, args }) in allow.iter().enumerate() {
        let rule = AllowRule::new(client.clone(), tools.iter().map(|Pattern(it)| it.clone()));
        let rule = match args {
            Some(schema) => rule.with_args(Value::Object(schema.clone())),
            None => Ok(rule),
        };
        match rule {
            Ok(rule) => rules = rules.allow(rule),
            Err(fault) => {
                let number = index + 1;
                faults
                    .push(format!("[[allow]] {number}, for {client}: the schema of args {fault}"));
            }
        }
    }
    if faults.is_empty() { Ok(rules) } else { Err(faults) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use waxwing_core::CanonicalJson;
    use waxwing_server::{ArgsAccess, Authorizer as _};

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Part {
        #[serde(default)]
        authorisation: AuthorisationTable,
        #[serde(default)]
        allow: Vec<AllowTable>,
    }

    fn read(text: &str) -> Result<AllowRules, String> {
        let part: Part = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        rules(&part.authorisation, &part.allow).map_err(|faults| faults.join("\n"))
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
            ("[authorisation]\ndefalt = \"deny\"", "`defalt`"),
            ("[[allow]]\nclient = \"a\"\n", "`tools`"),
            ("[[allow]]\ntools = []\n", "`client`"),
            ("[[allow]]\nclient = \"a b\"\ntools = []\n", "client_id must be"),
            ("[[allow]]\nclient = \"a\"\ntools = [\"a*b\"]\n", "one star, at the end"),
            ("[[allow]]\nclient = \"a\"\ntools = \"a\"\n", "sequence"),
            ("[[allow]]\nclient = \"a\"\ntools = []\nargs = true\n", "map"),
            (
                "[[allow]]\nclient = \"a\"\ntools = [\"*\"]\nargs = { maximun = 1 }\n\
                 [[allow]]\nclient = \"b\"\ntools = [\"*\"]\nargs = { pattern = \"(?=a)\" }\n",
                "[[allow]] 2, for b: the schema of args at ",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}

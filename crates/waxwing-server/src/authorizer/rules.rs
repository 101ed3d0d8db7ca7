//! Rules that allow: tools by name for each client, and what a client may send them. What no rule
//! allows is denied to a client that has rules; clients without any are told apart by one default.

use std::collections::BTreeMap;

use serde_json::Value;
use waxwing_core::{CanonicalJson, ClientId};
use waxwing_tools::{CompiledSchema, SchemaFault};

use super::{Access, ArgsAccess, Authorizer, ToolPattern};

/// One rule: a client may call these tools, perhaps only with some arguments.
#[derive(Debug)]
pub struct AllowRule {
    pub(super) client: ClientId<'static>,
    pub(super) tools: Vec<ToolPattern>,
    pub(super) args: Option<CompiledSchema>,
}

impl AllowRule {
    /// `client` may call `tools`, with any arguments that they take. Without tools the rule allows
    /// nothing, and the client is one that has rules.
    #[must_use]
    pub fn new(client: ClientId<'static>, tools: impl IntoIterator<Item = ToolPattern>) -> Self {
        Self { client, tools: tools.into_iter().collect(), args: None }
    }

    /// The same rule for arguments that also meet `schema`, which speaks only of what it narrows: it
    /// is not closed.
    ///
    /// # Errors
    /// [`SchemaFault`] when `schema` breaks a rule of schemas.
    pub fn with_args(self, schema: Value) -> Result<Self, SchemaFault> {
        Ok(Self { args: Some(CompiledSchema::restriction(schema)?), ..self })
    }

    pub(super) fn covers(&self, tool: &str) -> bool {
        self.tools.iter().any(|pattern| pattern.covers(tool))
    }
}

/// Rules for each client. A call is allowed when one rule of its client allows it; the order of rules
/// means nothing.
#[derive(Debug)]
pub struct AllowRules {
    /// The verdict on clients that have no rule.
    others: Access,
    clients: BTreeMap<ClientId<'static>, Vec<AllowRule>>,
}

impl AllowRules {
    /// No rules yet: every client gets the verdict `others`.
    #[must_use]
    pub fn new(others: Access) -> Self {
        Self { others, clients: BTreeMap::new() }
    }

    /// The same rules with one more. Its client is denied whatever its rules do not allow.
    #[must_use]
    pub fn allow(mut self, rule: AllowRule) -> Self {
        self.clients.entry(rule.client.clone()).or_default().push(rule);
        self
    }

    /// The verdict on clients that have no rule.
    #[must_use]
    pub fn others(&self) -> Access {
        self.others
    }

    /// The clients that have rules, in order of name.
    pub fn clients(&self) -> impl Iterator<Item = &ClientId<'static>> {
        self.clients.keys()
    }

    pub(super) fn rules(&self) -> impl Iterator<Item = &AllowRule> {
        self.clients.values().flatten()
    }
}

impl Authorizer for AllowRules {
    fn judge(&self, client: &ClientId<'_>, tool: &str) -> Access {
        match self.clients.get(client.as_str()) {
            None => self.others,
            Some(rules) if rules.iter().any(|rule| rule.covers(tool)) => Access::Allowed,
            Some(_) => Access::Denied,
        }
    }

    fn judge_args(
        &self,
        client: &ClientId<'_>,
        tool: &str,
        args: &CanonicalJson<'_>,
    ) -> ArgsAccess {
        let Some(rules) = self.clients.get(client.as_str()) else {
            return match self.others {
                Access::Allowed => ArgsAccess::Allowed,
                Access::Denied => ArgsAccess::Denied,
            };
        };
        let mut nearest = None;
        for rule in rules.iter().filter(|rule| rule.covers(tool)) {
            let Some(Err(violations)) = rule.args.as_ref().map(|schema| schema.check(args)) else {
                return ArgsAccess::Allowed;
            };
            let count = violations.as_slice().len();
            if nearest.as_ref().is_none_or(|(least, _)| count < *least) {
                nearest = Some((count, violations));
            }
        }
        nearest.map_or(ArgsAccess::Denied, |(_, violations)| ArgsAccess::Beyond(violations))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn client(text: &str) -> ClientId<'static> {
        text.to_owned().parse().unwrap()
    }

    fn rule(who: &str, tools: &[&str], args: Option<Value>) -> AllowRule {
        let tools = tools.iter().map(|tool| tool.parse().unwrap());
        let rule = AllowRule::new(client(who), tools.collect::<Vec<_>>());
        match args {
            Some(schema) => rule.with_args(schema).unwrap(),
            None => rule,
        }
    }

    fn judge_args(rules: &AllowRules, who: &str, tool: &str, args: Value) -> ArgsAccess {
        rules.judge_args(&client(who), tool, &CanonicalJson::from_serialize(&args).unwrap())
    }

    fn at_most(amount: u32) -> Option<Value> {
        Some(json!({"properties": {"amount": {"maximum": amount}}}))
    }

    #[test]
    fn any_rule_for_a_client_denies_it_all_else() {
        let rules = AllowRules::new(Access::Allowed)
            .allow(rule("a", &["batch_sum", "files_*"], None))
            .allow(rule("a", &["transfer"], at_most(100)))
            .allow(rule("mute", &[], None));
        let allowed = |who: &str| -> Vec<&str> {
            let tools = ["batch_sum", "files_read", "transfer", "other", "no_such_tool"];
            let may = |tool: &&str| rules.judge(&client(who), tool) == Access::Allowed;
            tools.into_iter().filter(may).collect()
        };
        assert_eq!(allowed("a"), ["batch_sum", "files_read", "transfer"]);
        assert_eq!(allowed("mute"), [""; 0]);
        assert_eq!(allowed("b").len(), 5, "a client without rules");
        assert_eq!(judge_args(&rules, "b", "transfer", json!({})), ArgsAccess::Allowed);
        assert_eq!(judge_args(&rules, "mute", "transfer", json!({})), ArgsAccess::Denied);
        assert_eq!(judge_args(&rules, "a", "other", json!({})), ArgsAccess::Denied);
    }

    #[test]
    fn clients_without_rules_can_be_denied() {
        let rules = AllowRules::new(Access::Denied).allow(rule("a", &["*"], None));
        assert_eq!(rules.judge(&client("a"), "x"), Access::Allowed);
        assert_eq!(rules.judge(&client("b"), "x"), Access::Denied);
        assert_eq!(judge_args(&rules, "b", "x", json!({})), ArgsAccess::Denied);
    }

    #[test]
    fn one_rule_is_enough_and_the_nearest_is_told() {
        let strict = json!({"required": ["to"], "properties": {
            "amount": {"maximum": 100}, "to": {"enum": ["ada"]}, "urgent": {"const": false}}});
        let rules = AllowRules::new(Access::Allowed)
            .allow(rule("a", &["transfer"], Some(strict)))
            .allow(rule("a", &["trans*"], at_most(5)));
        for args in [json!({"amount": 5, "to": "eve", "urgent": true}), json!({"to": "ada"})] {
            assert_eq!(judge_args(&rules, "a", "transfer", args), ArgsAccess::Allowed);
        }
        let args = json!({"amount": 500, "to": "eve", "urgent": true});
        let ArgsAccess::Beyond(violations) = judge_args(&rules, "a", "transfer", args) else {
            panic!("allowed")
        };
        let [violation] = violations.as_slice() else { panic!("{violations}") };
        assert_eq!((&*violation.path, &*violation.keyword), ("/amount", "maximum"));
        assert!(violation.expected.contains("at most 5"), "{violation}");
    }

    #[test]
    fn a_rule_without_arguments_opens_what_another_narrows() {
        let rules = AllowRules::new(Access::Allowed)
            .allow(rule("a", &["transfer"], at_most(1)))
            .allow(rule("a", &["*"], None));
        assert_eq!(judge_args(&rules, "a", "transfer", json!({"amount": 2})), ArgsAccess::Allowed);
    }

    #[test]
    fn a_restriction_keeps_the_rules_of_schemas() {
        for schema in [
            json!({"properties": {"a": {"pattern": "(?=x)"}}}),
            json!({"properties": {"a": {"$ref": "https://example.com/a"}}}),
            json!({"maximun": 1}),
            json!({"properties": {"a": {"maximum": "100"}}}),
        ] {
            let rule = AllowRule::new(client("a"), []);
            rule.with_args(schema).unwrap_err();
        }
    }

    proptest! {
        /// A restriction with a bound lets through exactly what the bound does, and rules only add.
        #[test]
        fn more_rules_allow_more(bounds in prop::collection::vec(0_u32..50, 1..5), amount in 0_u32..60) {
            let mut rules = AllowRules::new(Access::Denied);
            for bound in &bounds {
                rules = rules.allow(rule("a", &["transfer"], at_most(*bound)));
            }
            let verdict = judge_args(&rules, "a", "transfer", json!({"amount": amount}));
            let greatest = bounds.iter().max().copied().unwrap_or(0);
            prop_assert_eq!(verdict == ArgsAccess::Allowed, amount <= greatest);
        }
    }
}

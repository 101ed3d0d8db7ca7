//! What the list of tools weighs: every model that is shown it pays for it with each turn.

use serde::Serialize;
use waxwing_core::{CanonicalJson, ClientId};
use waxwing_server::{Access, AllowRules, Authorizer as _};
use waxwing_tools::Registry;

/// Bytes for one token, about. JSON of names, English words and braces takes 3 to 5 in the tokenizers of
/// today's models; which it is depends on the model.
const BYTES_A_TOKEN: usize = 4;
/// More than this is a good part of what a model reads at once.
const MANY_TOKENS: usize = 10_000;
/// Interfaces to models take no more tools than this in one request.
const MOST_TOOLS: usize = 128;

/// What `list_tools` shows one client.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct ListSize {
    /// The client, or what stands for all that have no rule.
    pub(super) client: String,
    pub(super) tools: usize,
    /// Bytes of the canonical definitions.
    pub(super) bytes: usize,
    /// Tokens, estimated as a quarter of the bytes.
    pub(super) tokens: usize,
}

impl ListSize {
    pub(super) fn warning(&self) -> Option<String> {
        let Self { client, tools, tokens, .. } = self;
        if *tools > MOST_TOOLS {
            let text =
                "so some would be left out by models that take 128: give it fewer by [[allow]]";
            Some(format!("{client} is shown {tools} tools, {text}"))
        } else if *tokens > MANY_TOKENS {
            let text = "that a model reads before it does anything: give it fewer tools by [[allow]], \
                        or shorter descriptions";
            Some(format!("{client} is shown a list of about {tokens} tokens, {text}"))
        } else {
            None
        }
    }
}

/// The list of each client that has rules, and of all others.
pub(super) fn lists(registry: &Registry, rules: &AllowRules) -> Vec<ListSize> {
    let named = rules.clients().map(|client| (client.as_str(), client.as_str()));
    let named: Vec<_> = named.collect();
    // An id that no rule is for, so that it stands for all of them.
    let other = format!("others-{}", uuid::Uuid::new_v4());
    let others = if named.is_empty() { "every client" } else { "other clients" };
    let all = named.into_iter().chain([(other.as_str(), others)]);
    all.filter_map(|(id, shown)| Some(list(registry, rules, &ClientId::new(id).ok()?, shown)))
        .collect()
}

fn list(registry: &Registry, rules: &AllowRules, client: &ClientId<'_>, shown: &str) -> ListSize {
    let seen = registry
        .iter()
        .filter(|tool| rules.judge(client, tool.definition.name.as_str()) == Access::Allowed);
    let (mut tools, mut bytes) = (0, 0);
    for tool in seen {
        tools += 1;
        bytes += CanonicalJson::from_serialize(tool).map_or(0, |json| json.as_str().len());
    }
    ListSize { client: shown.to_owned(), tools, bytes, tokens: bytes.div_ceil(BYTES_A_TOKEN) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_that_weigh_much_are_warned_of() {
        let size = |tools, tokens| ListSize { client: "a".into(), tools, bytes: 0, tokens };
        assert_eq!(size(128, 10_000).warning(), None);
        assert!(size(129, 10).warning().unwrap().contains("a is shown 129 tools"));
        assert!(size(5, 10_001).warning().unwrap().contains("about 10001 tokens"));
    }
}

//! What a server tells about a tool, and the digest that lets a client pin it (wire.md §7).

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use waxwing_core::canonical::WriteError;
use waxwing_core::{CanonicalJson, ServerId, ToolDigest, ToolName};

/// Whether a tool answers in the reply or starts a job (wire.md §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "the wire format closes this list")]
pub enum ToolMode {
    /// The reply carries the output.
    Sync,
    /// The reply carries a job id; the output is polled for.
    Job,
}

/// Hints for a caller that decides whether to ask a person first. They are the tool author's word
/// and nothing enforces them; an absent one says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Annotations {
    /// Changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
    /// May destroy or overwrite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destructive: Option<bool>,
    /// A second call with the same arguments changes nothing more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotent: Option<bool>,
    /// Reaches beyond the server, such as to the web.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_world: Option<bool>,
}

/// A tool as callers see it (wire.md §7).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ToolDefinition {
    /// The name a request calls it by.
    pub name: ToolName<'static>,
    /// A name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it does and when to use it, for a person or a model.
    pub description: String,
    /// Whether it answers at once.
    pub mode: ToolMode,
    /// JSON Schema 2020-12 of the arguments.
    pub input_schema: Value,
    /// JSON Schema 2020-12 of the output.
    pub output_schema: Value,
    /// Hints.
    pub annotations: Annotations,
}

impl ToolDefinition {
    /// SHA-256 over the canonical definition with a `server_id` member: the same tool on another
    /// server is another tool.
    ///
    /// # Errors
    /// [`WriteError`] when a schema holds a number that canonical JSON cannot.
    pub fn digest(&self, server_id: &ServerId<'_>) -> Result<ToolDigest<'static>, WriteError> {
        #[derive(Serialize)]
        struct Pinned<'a> {
            server_id: &'a str,
            #[serde(flatten)]
            definition: &'a ToolDefinition,
        }
        let pinned = Pinned { server_id: server_id.as_str(), definition: self };
        let canonical = CanonicalJson::from_serialize(&pinned)?;
        Ok(hex_digest(canonical.as_str().as_bytes()))
    }
}

#[expect(clippy::expect_used, reason = "32 bytes are always 64 lower-case hex digits")]
fn hex_digest(bytes: &[u8]) -> ToolDigest<'static> {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let hex: String = Sha256::digest(bytes)
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .collect();
    ToolDigest::new(hex).expect("a SHA-256 in hex")
}

/// A definition with its digest: one entry of `list_tools` (wire.md §6).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ListedTool {
    /// The definition.
    #[serde(flatten)]
    pub definition: ToolDefinition,
    /// Its digest for this server.
    pub digest: ToolDigest<'static>,
}

/// One page of `list_tools` (wire.md §6).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ToolPage {
    /// Tools in order of name.
    pub tools: Vec<ListedTool>,
    /// Ask with this for what follows; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn definition() -> ToolDefinition {
        ToolDefinition {
            name: ToolName::new("batch_sum").unwrap(),
            title: None,
            description: "Adds numbers.".to_owned(),
            mode: ToolMode::Sync,
            input_schema: json!({"type": "object"}),
            output_schema: json!({"type": "number"}),
            annotations: Annotations::default(),
        }
    }

    #[test]
    fn digest_is_sha256_of_the_canonical_definition_and_server() {
        let server = ServerId::new("sums.example").unwrap();
        // The text whose SHA-256 this is, made by hand:
        // {"annotations":{},"description":"Adds numbers.","input_schema":{"type":"object"},
        //  "mode":"sync","name":"batch_sum","output_schema":{"type":"number"},
        //  "server_id":"sums.example"} without the line breaks and the spaces after them.
        assert_eq!(
            definition().digest(&server).unwrap().as_str(),
            "cb4b953fdb700448fd90529116011e017e6d0789299b147394bc989463398969"
        );
    }

    #[test]
    fn digest_changes_with_every_member_and_with_the_server() {
        let server = ServerId::new("sums.example").unwrap();
        let digest = definition().digest(&server).unwrap();
        let other = ServerId::new("sums.example2").unwrap();
        assert_ne!(definition().digest(&other).unwrap(), digest);
        let changes: [fn(&mut ToolDefinition); 7] = [
            |d| d.name = ToolName::new("batch_sum2").unwrap(),
            |d| d.title = Some(String::new()),
            |d| d.description.push(' '),
            |d| d.mode = ToolMode::Job,
            |d| d.input_schema = json!({}),
            |d| d.output_schema = json!({}),
            |d| d.annotations.read_only = Some(false),
        ];
        for change in changes {
            let mut changed = definition();
            change(&mut changed);
            assert_ne!(changed.digest(&server).unwrap(), digest, "{changed:?}");
        }
    }

    #[test]
    fn a_definition_reads_back_and_is_closed() {
        let text = serde_json::to_value(definition()).unwrap();
        assert_eq!(serde_json::from_value::<ToolDefinition>(text.clone()).unwrap(), definition());
        let mut open = text;
        open["color"] = json!("red");
        serde_json::from_value::<ToolDefinition>(open).unwrap_err();
    }
}

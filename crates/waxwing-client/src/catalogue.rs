//! What a server is and which tools it has: `server_identity` and `list_tools` (wire.md §6, §7).

use serde::de::Error as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use waxwing_core::canonical::{self, WriteError};
use waxwing_core::{ServerId, ToolDigest, ToolName};

use crate::client::Client;
use crate::error::ClientError;

/// The most pages that are followed: more is a server that goes round in circles.
const MAX_PAGES: usize = 1_000;

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct ServerIdentity {
    /// The audience of calls.
    pub server_id: ServerId<'static>,
    /// The version of its software.
    pub server_version: String,
    /// The protocol, `waxwing/1`.
    pub protocol: String,
    /// What it shows of the key it shares with this client.
    pub fingerprint: String,
    /// What it can do beyond the protocol.
    pub capabilities: Value,
    /// Its limits, by name.
    pub limits: Map<String, Value>,
}

/// A tool as the server lists it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct ToolListing {
    /// Its name.
    pub name: ToolName<'static>,
    /// A name for people.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub title: Option<String>,
    /// What it does.
    pub description: String,
    /// `sync` or `job`.
    pub mode: String,
    /// What its arguments must be, JSON Schema 2020-12.
    pub input_schema: Value,
    /// What its output will be, JSON Schema 2020-12.
    pub output_schema: Value,
    /// Hints on what it does to the world.
    #[serde(default)]
    pub annotations: Value,
    /// Names exactly this definition, to pin it by [`CallOptions::tool_digest`](crate::CallOptions::tool_digest).
    pub digest: ToolDigest<'static>,
}

#[derive(Serialize)]
struct ListTools<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<&'a str>,
}

#[derive(Deserialize)]
struct Page {
    tools: Vec<ToolListing>,
    next_cursor: Option<String>,
}

impl ToolListing {
    /// The digest of this definition on this server (wire.md §7), whatever [`Self::digest`] says.
    ///
    /// # Errors
    /// [`WriteError`] when a schema has no canonical form.
    pub fn compute_digest(
        &self,
        server_id: &ServerId<'_>,
    ) -> Result<ToolDigest<'static>, WriteError> {
        #[derive(Serialize)]
        struct Pinned<'a> {
            server_id: &'a str,
            name: &'a ToolName<'static>,
            #[serde(skip_serializing_if = "Option::is_none")]
            title: Option<&'a str>,
            description: &'a str,
            mode: &'a str,
            input_schema: &'a Value,
            output_schema: &'a Value,
            annotations: &'a Value,
        }
        let pinned = Pinned {
            server_id: server_id.as_str(),
            name: &self.name,
            title: self.title.as_deref(),
            description: &self.description,
            mode: &self.mode,
            input_schema: &self.input_schema,
            output_schema: &self.output_schema,
            annotations: &self.annotations,
        };
        let hash = Sha256::digest(canonical::to_vec(&pinned)?);
        let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        ToolDigest::new(digits).map_err(|invalid| WriteError::Custom(invalid.to_string()))
    }

    fn check_digest(&self, server_id: &ServerId<'_>) -> Result<(), ClientError> {
        let custom = |error| ClientError::Decode(serde_json::Error::custom(error));
        let computed = self.compute_digest(server_id).map_err(custom)?;
        if computed == self.digest {
            return Ok(());
        }
        let (tool, listed) = (self.name.clone(), self.digest.clone());
        Err(ClientError::WrongDigest { tool, listed, computed })
    }
}

impl Client {
    /// What the server says of itself.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn identity(&self) -> Result<ServerIdentity, ClientError> {
        self.call("server_identity", &Map::new()).await
    }

    /// All tools that this client may see, page after page, in the server's order, each with the
    /// digest that its definition really has.
    ///
    /// # Errors
    /// As [`Self::call`]; `Decode` when the pages have no end, `WrongDigest`.
    pub async fn list_tools(&self) -> Result<Vec<ToolListing>, ClientError> {
        let mut tools = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let args = ListTools { cursor: cursor.as_deref() };
            let page: Page = self.call("list_tools", &args).await?;
            for tool in &page.tools {
                tool.check_digest(self.server_id())?;
            }
            tools.extend(page.tools);
            if page.next_cursor.is_none() {
                return Ok(tools);
            }
            if page.next_cursor == cursor {
                break;
            }
            cursor = page.next_cursor;
        }
        let endless = "list_tools goes on without an end";
        Err(ClientError::Decode(serde_json::Error::custom(endless)))
    }
}

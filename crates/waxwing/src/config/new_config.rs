//! The `waxwing.toml` that `waxwing init` and `waxwing demo` write.

use std::net::SocketAddr;
use std::path::Path;

use waxwing_core::ServerId;

use super::file::{self, ConfigError, Privacy};
use super::{Algorithm, server_key};

/// What is chosen; the rest is as everybody gets it.
pub(crate) struct NewConfig {
    pub(crate) listen: SocketAddr,
    pub(crate) admin_listen: SocketAddr,
    pub(crate) server_id: ServerId<'static>,
    /// What its first client signs with.
    pub(crate) algorithm: Algorithm,
    /// More of the file, after all else.
    pub(crate) more: &'static str,
}

impl NewConfig {
    /// Writes the file, with the keyring and the store beside it and the demo tools on.
    pub(crate) fn write_new(&self, path: &Path) -> Result<(), ConfigError> {
        let Self { listen, admin_listen, server_id, algorithm, more } = self;
        let signing_key = match algorithm {
            Algorithm::HmacSha256 => String::new(),
            Algorithm::Ed25519 => format!("signing_key = \"{}\"\n", server_key::NAME),
        };
        let text = format!(
            "# A Waxwing server. Paths are relative to this file; an unknown key is an error.\n\
             listen = \"{listen}\"\n\
             # Health (/livez, /readyz); keep it on the loopback address.\n\
             admin_listen = \"{admin_listen}\"\n\
             server_id = \"{server_id}\"\n\
             keyring = \"keyring.toml\"\n\
             {signing_key}\
             # Where jobs are kept: sqlite:PATH on one machine, postgres://USER@HOST/DATABASE for many,\n\
             # or memory: to lose them with the process.\n\
             store = \"sqlite:waxwing.db\"\n\
             \n\
             # Tools to try things with: batch_sum, long_task and transfer.\n\
             [tools]\n\
             demo = true\n\
             \n\
             # A program as a tool: arguments as JSON on stdin, one JSON value from stdout.\n\
             # [[tool]]\n\
             # name = \"word_count\"\n\
             # description = \"Counts the words of a text.\"\n\
             # command = [\"python3\", \"word_count.py\"]\n\
             # input_schema = {{ type = \"object\", properties = {{ text = {{ type = \"string\" }} }}, required = [\"text\"] }}\n\
             # output_schema = {{ type = \"integer\" }}\n\
             {more}"
        );
        file::write_new(path, &text, Privacy::Public)
    }
}

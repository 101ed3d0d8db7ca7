//! `waxwing keygen`: a fresh key for a client, on stdout, and into a keyring.toml if one is named.

use serde_json::json;

use crate::cli::KeygenArgs;
use crate::config::keyring::{self, KeyRecord};
use crate::exit::Failure;
use crate::{output, terminal};

pub(super) fn run(args: KeygenArgs) -> Result<(), Failure> {
    let KeygenArgs { client, key_id, keyring } = args;
    let key = KeyRecord::random(client, key_id)
        .map_err(|error| Failure::usage(format!("no random bytes for a key: {error}")))?;
    if let Some(path) = &keyring {
        keyring::append(path, &key)?;
    }
    let KeyRecord { client_id, key_id, algorithm, secret } = &key;
    output::print(&json!({
        "algorithm": algorithm,
        "client_id": client_id,
        "key_id": key_id,
        "secret": secret.expose(),
    }))?;
    terminal::note(&match keyring {
        Some(path) => format!(
            "added to {}; restart the server, and give these four values to {client_id}, for its client.toml",
            path.display(),
        ),
        None => format!(
            "a secret: give these four values to the server, as a [[key]] of its keyring.toml \
             (--keyring FILE does that), and to {client_id}, for its client.toml"
        ),
    });
    Ok(())
}

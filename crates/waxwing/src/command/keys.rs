//! `waxwing keys`: what there is, and how it changes. Files are changed whole or not at all.

mod list;
mod rotate;

use serde_json::{Value, json};
use waxwing_core::{ClientId, KeyId};
use waxwing_crypto::KeyState;

use crate::cli::{KeysAddArgs, KeysCommand, KeysRevokeArgs};
use crate::config::halves::{NewKey, ServerHalf};
use crate::config::keyring::{self, KeyEntry};
use crate::config::{ConfigError, PublicKey};
use crate::exit::Failure;
use crate::{output, terminal};

pub(super) fn run(command: KeysCommand) -> Result<(), Failure> {
    match command {
        KeysCommand::List(args) => list::run(&args),
        KeysCommand::Add(args) => add(args),
        KeysCommand::Rotate(args) => rotate::run(*args),
        KeysCommand::Revoke(args) => revoke(&args),
    }
}

/// Prints all of a new key that its client must have.
pub(super) fn print_new(
    client_id: &ClientId<'_>,
    key_id: &KeyId<'_>,
    key: &NewKey,
    server: Option<&PublicKey>,
) -> Result<(), Failure> {
    let mut document = json!({
        "algorithm": key.server_half().algorithm(),
        "client_id": client_id,
        "key_id": key_id,
        "secret": key.secret().expose(),
    });
    for (name, public) in [("public_key", key.public()), ("server_public_key", server)] {
        if let Some(public) = public {
            document[name] = Value::String(public.to_string());
        }
    }
    output::print(&document)
}

fn add(args: KeysAddArgs) -> Result<(), Failure> {
    let half = ServerHalf::Ed25519(args.public_key);
    let entry = KeyEntry::new(args.client, args.key_id, half);
    keyring::append(&args.keyring.keyring, &entry)?;
    let shown = entry.summary().map_err(|no_key| Failure::usage(no_key.to_string()))?;
    output::print(&shown)
}

fn revoke(args: &KeysRevokeArgs) -> Result<(), Failure> {
    let path = &args.keyring.keyring;
    let (was, shown) = keyring::change(path, |entries| {
        let entry = entries.iter().find(|entry| entry.is(&args.client, &args.key_id));
        let mut entry = entry
            .cloned()
            .ok_or_else(|| unknown(path, entries, &args.client, Some(&args.key_id)))?;
        let was = std::mem::replace(&mut entry.state, KeyState::Revoked);
        let shown = entry.summary();
        Ok(((was, shown), vec![entry]))
    })?;
    output::print(&shown.map_err(|no_key| Failure::usage(no_key.to_string()))?)?;
    terminal::note(match was {
        KeyState::Revoked => "it was revoked already",
        _ => "revoked; a running server refuses it within about a second",
    });
    Ok(())
}

/// What there is in place of a key that there is not.
fn unknown(
    path: &std::path::Path,
    entries: &[KeyEntry],
    client: &ClientId<'_>,
    key_id: Option<&KeyId<'_>>,
) -> ConfigError {
    let of_client: Vec<_> = entries
        .iter()
        .filter(|entry| entry.client_id.as_str() == client.as_str())
        .map(|entry| format!("{} ({})", entry.key_id, entry.state.as_str()))
        .collect();
    let what = key_id.map_or("active key".to_owned(), |id| format!("key {id}"));
    let text = if of_client.is_empty() {
        format!("there is no {what} of {client}, nor any other key of that client")
    } else {
        format!("there is no {what} of {client}; its keys are {}", of_client.join(", "))
    };
    ConfigError::value(path, text)
}

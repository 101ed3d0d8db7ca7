//! `waxwing keygen`: a fresh key for a client, on stdout, and into a keyring.toml if one is named; or the
//! server's own, into a file.

use std::path::{Path, PathBuf};

use serde_json::json;
use waxwing_core::{ClientId, KeyId};

use super::keys::print_new;
use crate::cli::KeygenArgs;
use crate::config::halves::NewKey;
use crate::config::keyring::{self, KeyEntry};
use crate::config::{Algorithm, ConfigError, PublicKey, server_key};
use crate::exit::Failure;
use crate::{output, terminal};

pub(super) fn run(args: KeygenArgs) -> Result<(), Failure> {
    match args.client {
        None => server(args.algorithm.unwrap_or(Algorithm::Ed25519), &args.out),
        Some(client_id) => {
            let algorithm = args.algorithm.unwrap_or(Algorithm::HmacSha256);
            let server = server_public(args.server_key, args.keyring.as_deref(), algorithm)?;
            client(client_id, args.key_id, algorithm, args.keyring.as_deref(), server.as_ref())
        }
    }
}

/// A fresh key.
pub(super) fn fresh(algorithm: Algorithm) -> Result<NewKey, Failure> {
    NewKey::random(algorithm)
        .map_err(|error| Failure::usage(format!("no random bytes for a key: {error}")))
}

/// The server's public key, if the algorithm has one and it can be had: from the file that is named, or
/// from the one beside the keyring.
pub(super) fn server_public(
    named: Option<PathBuf>,
    keyring: Option<&Path>,
    algorithm: Algorithm,
) -> Result<Option<PublicKey>, ConfigError> {
    let beside = || Some(keyring?.with_file_name(server_key::NAME)).filter(|path| path.exists());
    match (algorithm, named.or_else(beside)) {
        (Algorithm::Ed25519, Some(path)) => server_key::read_public(&path).map(Some),
        _ => Ok(None),
    }
}

fn client(
    client_id: ClientId<'static>,
    key_id: KeyId<'static>,
    algorithm: Algorithm,
    keyring: Option<&Path>,
    server: Option<&PublicKey>,
) -> Result<(), Failure> {
    let key = fresh(algorithm)?;
    let entry = KeyEntry::new(client_id, key_id, key.server_half());
    if let Some(path) = keyring {
        keyring::append(path, &entry)?;
    }
    print_new(&entry.client_id, &entry.key_id, &key, server)?;
    let client_id = &entry.client_id;
    terminal::note(&match (keyring, algorithm) {
        (Some(path), _) => format!(
            "added to {}, which a running server takes up by itself; give these values to \
             {client_id}, for its client.toml",
            path.display(),
        ),
        (None, Algorithm::HmacSha256) => format!(
            "a secret: give these four values to the server, as a [[key]] of its keyring.toml \
             (--keyring FILE does that), and to {client_id}, for its client.toml"
        ),
        (None, Algorithm::Ed25519) => format!(
            "the secret is {client_id}'s alone, for its client.toml; the server is given the \
             public_key: `waxwing keys add --client {client_id} --key-id {} --public-key ...`",
            entry.key_id,
        ),
    });
    if algorithm == Algorithm::Ed25519 && server.is_none() {
        terminal::note("its client.toml needs the server's public key too, as server_public_key");
    }
    Ok(())
}

fn server(algorithm: Algorithm, path: &Path) -> Result<(), Failure> {
    if algorithm != Algorithm::Ed25519 {
        let text = "a server has a key of its own with ed25519 only; with hmac-sha256 the clients' \
                    keys do for both sides";
        return Err(Failure::usage(text));
    }
    let key = fresh(algorithm)?;
    let Some(public) = key.public() else { return Err(Failure::usage("no public key")) };
    server_key::write_new(path, key.secret(), public)?;
    let written = path.display().to_string();
    output::print(&json!({ "algorithm": algorithm, "public_key": public, "written": written }))?;
    terminal::note(&format!(
        "name it in waxwing.toml: signing_key = \"{written}\"; clients with ed25519 keys are given \
         the public_key, for their client.toml, as server_public_key"
    ));
    Ok(())
}

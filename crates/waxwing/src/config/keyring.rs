//! `keyring.toml`: the keys a server knows, one `[[key]]` each.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;

use serde::Deserialize;
use waxwing_core::{ClientId, KeyId};
use waxwing_crypto::KeyRing;
use zeroize::Zeroizing;

use super::file::{self, ConfigError, Privacy};
use super::secret::{Algorithm, SecretText};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ring {
    #[serde(default)]
    key: Vec<KeyRecord>,
}

/// One key of one client.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyRecord {
    pub(crate) client_id: ClientId<'static>,
    pub(crate) key_id: KeyId<'static>,
    pub(crate) algorithm: Algorithm,
    pub(crate) secret: SecretText,
}

impl KeyRecord {
    /// A fresh key for a client.
    pub(crate) fn random(
        client_id: ClientId<'static>,
        key_id: KeyId<'static>,
    ) -> Result<Self, getrandom::Error> {
        let secret = SecretText::random()?;
        Ok(Self { client_id, key_id, algorithm: Algorithm::HmacSha256, secret })
    }

    fn to_toml(&self) -> Zeroizing<String> {
        let Self { client_id, key_id, secret, .. } = self;
        Zeroizing::new(format!(
            "[[key]]\n\
             client_id = \"{client_id}\"\n\
             key_id = \"{key_id}\"\n\
             algorithm = \"hmac-sha256\"\n\
             secret = \"{}\"\n",
            secret.expose(),
        ))
    }
}

/// Reads the file. `decoy` takes the work of keys that do not exist.
pub(crate) fn read(path: &Path, decoy: &SecretText) -> Result<KeyRing, ConfigError> {
    let ring: Ring = file::read(path, Privacy::Private)?;
    check(path, &ring)?;
    let no_key = |no_key: super::secret::NoKey| ConfigError::value(path, no_key.to_string());
    let mut keys = KeyRing::new(decoy.key(Algorithm::HmacSha256).map_err(no_key)?);
    for record in ring.key {
        let key = record.secret.key(record.algorithm).map_err(|no_key| {
            let KeyRecord { client_id, key_id, .. } = &record;
            ConfigError::value(path, format!("key {key_id} of {client_id}: {no_key}"))
        })?;
        keys.insert(record.client_id, record.key_id, key);
    }
    if keys.is_empty() {
        let text = "it has no [[key]], so every call would be refused; `waxwing keygen` makes one";
        return Err(ConfigError::value(path, text));
    }
    Ok(keys)
}

/// No key is there twice.
fn check(path: &Path, ring: &Ring) -> Result<(), ConfigError> {
    let mut seen = BTreeSet::new();
    for KeyRecord { client_id, key_id, .. } in &ring.key {
        if !seen.insert((client_id, key_id)) {
            let text = format!("key {key_id} of {client_id} is there twice");
            return Err(ConfigError::value(path, text));
        }
    }
    Ok(())
}

/// Writes a new file with one key.
pub(crate) fn write_new(path: &Path, record: &KeyRecord) -> Result<(), ConfigError> {
    let head = "# The keys this server knows. It holds secrets: keep its mode 600.\n\n";
    let text = Zeroizing::new([head, &record.to_toml()].concat());
    file::write_new(path, &text, Privacy::Private)
}

/// Adds a key to the file, or makes the file. What stands in it stays as it is; two that add keys at
/// the same time wait for each other.
pub(crate) fn append(path: &Path, record: &KeyRecord) -> Result<(), ConfigError> {
    if !path.exists() {
        return write_new(path, record);
    }
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .open(path)
        .map_err(|source| file::unwritable(path, source))?;
    file.lock().map_err(|source| file::unwritable(path, source))?;
    let text = file::read_text(path, &file, Privacy::Private)?;
    let ring: Ring = file::parse(path, &text)?;
    let KeyRecord { client_id, key_id, .. } = record;
    if ring.key.iter().any(|key| key.client_id == *client_id && key.key_id == *key_id) {
        let text = format!("key {key_id} of {client_id} is there already; choose another --key-id");
        return Err(ConfigError::value(path, text));
    }
    let gap = if text.is_empty() || text.ends_with("\n\n") {
        ""
    } else if text.ends_with('\n') {
        "\n"
    } else {
        "\n\n"
    };
    add(&mut file, &Zeroizing::new([gap, &record.to_toml()].concat()))
        .map_err(|source| file::unwritable(path, source))
}

/// Writes in one piece at the end; if that fails half-way, the file is as it was.
fn add(file: &mut File, text: &str) -> std::io::Result<()> {
    let before = file.seek(SeekFrom::End(0))?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        file.set_len(before)?;
    }
    written
}

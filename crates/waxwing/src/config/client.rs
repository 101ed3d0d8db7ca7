//! `client.toml`: whom a client calls, as whom, and with which keys.
//!
//! With one key its fields stand at the top. With several, as during a rotation, each is a `[[key]]`,
//! oldest first, and the newest that is active and valid signs.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use toml_edit::{DocumentMut, Table};
use waxwing_client::{Client, Pins};
use waxwing_core::{ClientId, KeyId, ServerId, ToolDigest, ToolName};
use waxwing_crypto::{Key, KeyChain, KeyRecord, KeyState, Validity};
use zeroize::Zeroizing;

use super::edit;
use super::file::{self, ConfigError, Privacy};
use super::halves::ClientHalf;
use super::keyring::set_lifetime;
use super::lifetime::{self, Moment};
use super::secret::{Algorithm, PublicKey, SecretText};
use crate::exit::Failure;

/// The file, as it is read and as it is written.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Fields")]
pub(crate) struct Profile {
    pub(crate) url: String,
    pub(crate) client_id: ClientId<'static>,
    pub(crate) server_id: ServerId<'static>,
    /// Oldest first; there is at least one, and no name is there twice.
    pub(crate) keys: Vec<ProfileKey>,
    /// The tools whose definitions were looked at.
    pub(crate) pins: BTreeMap<ToolName<'static>, ToolDigest<'static>>,
    /// Whether no other tool may be called.
    pub(crate) require_pins: bool,
}

/// One of the client's keys.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "KeyFields")]
pub(crate) struct ProfileKey {
    pub(crate) key_id: KeyId<'static>,
    pub(crate) half: ClientHalf,
    pub(crate) state: KeyState,
    pub(crate) validity: Validity,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    url: String,
    client_id: ClientId<'static>,
    server_id: ServerId<'static>,
    key_id: Option<KeyId<'static>>,
    algorithm: Option<Algorithm>,
    secret: Option<SecretText>,
    server_public_key: Option<PublicKey>,
    key: Option<Vec<ProfileKey>>,
    #[serde(default)]
    pins: BTreeMap<ToolName<'static>, ToolDigest<'static>>,
    #[serde(default)]
    require_pins: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFields {
    key_id: KeyId<'static>,
    algorithm: Algorithm,
    secret: SecretText,
    server_public_key: Option<PublicKey>,
    #[serde(default, deserialize_with = "lifetime::state")]
    state: KeyState,
    not_before: Option<Moment>,
    not_after: Option<Moment>,
}

impl TryFrom<Fields> for Profile {
    type Error = String;

    fn try_from(fields: Fields) -> Result<Self, String> {
        let Fields { url, client_id, server_id, key_id, algorithm, secret, .. } = fields;
        let keys = match (fields.key, key_id, algorithm, secret) {
            (None, Some(key_id), Some(algorithm), Some(secret)) => {
                let half = ClientHalf::of_fields(algorithm, secret, fields.server_public_key)?;
                vec![ProfileKey::new(key_id, half)]
            }
            (None, None, ..) => return Err("missing field `key_id`".to_owned()),
            (None, _, None, _) => return Err("missing field `algorithm`".to_owned()),
            (None, ..) => return Err("missing field `secret`".to_owned()),
            (Some(keys), None, None, None) if fields.server_public_key.is_none() => keys,
            (Some(_), ..) => return Err("it has fields of a key and [[key]] as well".to_owned()),
        };
        if keys.is_empty() {
            return Err("it has no key".to_owned());
        }
        for (at, key) in keys.iter().enumerate() {
            if keys.iter().take(at).any(|old| old.key_id == key.key_id) {
                return Err(format!("key {} is there twice", key.key_id));
            }
        }
        let Fields { pins, require_pins, .. } = fields;
        Ok(Self { url, client_id, server_id, keys, pins, require_pins })
    }
}

impl TryFrom<KeyFields> for ProfileKey {
    type Error = String;

    fn try_from(fields: KeyFields) -> Result<Self, String> {
        let key_id = fields.key_id;
        let of_key = |why: &str| format!("key {key_id}: {why}");
        let half = ClientHalf::of_fields(fields.algorithm, fields.secret, fields.server_public_key)
            .map_err(of_key)?;
        let validity = lifetime::validity(fields.not_before, fields.not_after)
            .map_err(|never| of_key(&never.to_string()))?;
        Ok(Self { key_id, half, state: fields.state, validity })
    }
}

impl ProfileKey {
    /// An active key without bounds in time.
    pub(crate) const fn new(key_id: KeyId<'static>, half: ClientHalf) -> Self {
        Self { key_id, half, state: KeyState::Active, validity: Validity::ALWAYS }
    }

    fn to_table(&self) -> Table {
        let mut table = Table::new();
        table["key_id"] = toml_edit::value(self.key_id.as_str());
        self.half.write(&mut table);
        set_lifetime(&mut table, self.state, self.validity);
        table
    }

    /// Why it does not sign.
    fn idle(&self, now: Moment) -> String {
        let moment = |ms: Option<i64>| ms.map(Moment::of_ms);
        let (from, until) = (moment(self.validity.not_before()), moment(self.validity.not_after()));
        let why = match (self.state, from, until) {
            (KeyState::Active, Some(from), _) if now < from => format!("begins at {from}"),
            (KeyState::Active, _, Some(until)) => format!("ended at {until}"),
            (state, ..) => format!("is {}", state.as_str()),
        };
        format!("{} {why}", self.key_id)
    }
}

impl Profile {
    /// A profile without pins.
    pub(crate) const fn new(
        url: String,
        client_id: ClientId<'static>,
        server_id: ServerId<'static>,
        keys: Vec<ProfileKey>,
    ) -> Self {
        Self { url, client_id, server_id, keys, pins: BTreeMap::new(), require_pins: false }
    }

    /// Reads the file.
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigError> {
        let profile: Self = file::read(path, Privacy::Private)?;
        // A profile with a secret that is no key is refused at once, whatever is done with it.
        profile.chain(path)?;
        Ok(profile)
    }

    fn chain(&self, path: &Path) -> Result<KeyChain, ConfigError> {
        let mut chain = KeyChain::default();
        for ProfileKey { key_id, half, state, validity } in &self.keys {
            let key = half.key().map_err(|no_key| ConfigError::value(path, no_key.to_string()))?;
            let record = KeyRecord::new(key_id.clone(), key);
            chain.insert(record.with_state(*state).with_validity(*validity));
        }
        Ok(chain)
    }

    /// The key that signs now, with its name.
    pub(crate) fn signer(&self, path: &Path) -> Result<(KeyId<'static>, Key), ConfigError> {
        let now = Moment::now();
        let signer = self.chain(path)?.into_signer(now.ms());
        signer.map(KeyRecord::into_parts).ok_or_else(|| {
            let idle: Vec<_> = self.keys.iter().map(|key| key.idle(now)).collect();
            ConfigError::value(path, format!("none of its keys may sign now: {}", idle.join(", ")))
        })
    }

    /// The client that the file at `path` describes.
    pub(crate) fn client(path: &Path) -> Result<Client, Failure> {
        Self::read(path)?.into_client(path)
    }

    /// The client that it describes; `path` is where it was read.
    pub(crate) fn into_client(self, path: &Path) -> Result<Client, Failure> {
        // What goes on for long takes up the next key by itself, but a first one there must be.
        self.signer(path)?;
        let keys = self.chain(path)?;
        let Self { url, client_id, server_id, pins, require_pins, .. } = self;
        let mut pins = Pins::new(pins);
        if require_pins {
            pins = pins.require();
        }
        let client = Client::builder_with_keys(url, client_id, server_id, keys).pins(pins).build();
        client.map_err(|error| ConfigError::value(path, error.to_string()).into())
    }

    /// Writes the file.
    pub(crate) fn write_new(&self, path: &Path) -> Result<(), ConfigError> {
        let Self { url, client_id, server_id, keys, .. } = self;
        let mut text = Zeroizing::new(format!(
            "# Whom to call and as whom. It holds a secret: keep its mode 600.\n\
             url = \"{url}\"\n\
             client_id = \"{client_id}\"\n\
             server_id = \"{server_id}\"\n",
        ));
        match keys.as_slice() {
            [key] => text.push_str(&Zeroizing::new(key.to_table().to_string())),
            keys => {
                let mut document = DocumentMut::new();
                if let Some(tables) = edit::key_tables(&mut document) {
                    keys.iter().for_each(|key| tables.push(key.to_table()));
                }
                text.push_str(&Zeroizing::new(document.to_string()));
            }
        }
        edit::create(path, &text)
    }

    /// Pins these tools; what is pinned besides stays so.
    pub(crate) fn pin(
        path: &Path,
        digests: &BTreeMap<ToolName<'static>, ToolDigest<'static>>,
    ) -> Result<(), ConfigError> {
        edit::edit(path, |_: Self, document| {
            let pins = document.entry("pins").or_insert(toml_edit::table());
            let no_table = || ConfigError::value(path, "pins is no table");
            let pins = pins.as_table_like_mut().ok_or_else(no_table)?;
            for (tool, digest) in digests {
                pins.insert(tool.as_str(), toml_edit::value(digest.as_str()));
            }
            Ok(())
        })
    }

    /// Puts a newer key into the file. The one that it replaces stays and signs until the new one begins,
    /// and for as long as `retiring` says; keys that have ended go.
    pub(crate) fn rotate(
        path: &Path,
        old: &KeyId<'_>,
        retiring: Validity,
        newest: &ProfileKey,
    ) -> Result<(), ConfigError> {
        edit::edit(path, |profile: Self, document| {
            let now = Moment::now().ms();
            let mut keys = profile.keys;
            keys.retain(|key| key.validity.not_after().is_none_or(|until| now < until));
            for key in keys.iter_mut().filter(|key| key.key_id.as_str() == old.as_str()) {
                // It may not have begun yet, and must not begin any sooner.
                let from = key.validity.not_before();
                key.validity = Validity::new(from, retiring.not_after()).unwrap_or(retiring);
            }
            keys.push(newest.clone());
            for name in ["key_id", "algorithm", "secret", "server_public_key", "key"] {
                document.remove(name);
            }
            let no_tables = || ConfigError::value(path, "key is no array of tables");
            let tables = edit::key_tables(document).ok_or_else(no_tables)?;
            keys.iter().for_each(|key| tables.push(key.to_table()));
            Ok(())
        })
    }
}

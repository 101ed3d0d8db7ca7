//! `keyring.toml`: the keys a server knows, one `[[key]]` each.

use std::collections::BTreeSet;
use std::fs::{File, Metadata};
use std::path::Path;

use serde::{Deserialize, Serialize};
use toml_edit::{Datetime, Table, value};
use waxwing_core::{ClientId, KeyId};
use waxwing_crypto::{Ed25519SigningKey, KeyRecord, KeyRing, KeyState, Validity};
use zeroize::Zeroizing;

use super::edit;
use super::file::{self, ConfigError, Privacy};
use super::halves::ServerHalf;
use super::lifetime::{self, Moment};
use super::secret::{Algorithm, NoKey, PublicKey, SecretText};

const HEAD: &str = "# The keys this server knows. It holds secrets: keep its mode 600.\n\n";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RingFile {
    #[serde(default)]
    key: Vec<KeyEntry>,
}

/// One key of one client.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Fields")]
pub(crate) struct KeyEntry {
    pub(crate) client_id: ClientId<'static>,
    pub(crate) key_id: KeyId<'static>,
    pub(crate) half: ServerHalf,
    pub(crate) state: KeyState,
    pub(crate) validity: Validity,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    client_id: ClientId<'static>,
    key_id: KeyId<'static>,
    algorithm: Algorithm,
    secret: Option<SecretText>,
    public_key: Option<PublicKey>,
    #[serde(default, deserialize_with = "lifetime::state")]
    state: KeyState,
    not_before: Option<Moment>,
    not_after: Option<Moment>,
}

impl TryFrom<Fields> for KeyEntry {
    type Error = String;

    fn try_from(fields: Fields) -> Result<Self, String> {
        let Fields { client_id, key_id, .. } = fields;
        let of_key = |why: &str| format!("key {key_id} of {client_id}: {why}");
        let half = ServerHalf::of_fields(fields.algorithm, fields.secret, fields.public_key)
            .map_err(of_key)?;
        let validity = lifetime::validity(fields.not_before, fields.not_after)
            .map_err(|never| of_key(&never.to_string()))?;
        Ok(Self { client_id, key_id, half, state: fields.state, validity })
    }
}

/// What may be shown of a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct KeySummary {
    pub(crate) client_id: ClientId<'static>,
    pub(crate) key_id: KeyId<'static>,
    pub(crate) algorithm: &'static str,
    pub(crate) state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) not_before: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) not_after: Option<Moment>,
    pub(crate) fingerprint: String,
}

impl KeyEntry {
    /// An active key without bounds in time.
    pub(crate) const fn new(
        client_id: ClientId<'static>,
        key_id: KeyId<'static>,
        half: ServerHalf,
    ) -> Self {
        let (state, validity) = (KeyState::Active, Validity::ALWAYS);
        Self { client_id, key_id, half, state, validity }
    }

    /// Whether it is the key of that name.
    pub(crate) fn is(&self, client_id: &ClientId<'_>, key_id: &KeyId<'_>) -> bool {
        self.client_id.as_str() == client_id.as_str() && self.key_id.as_str() == key_id.as_str()
    }

    /// What may be shown of it.
    pub(crate) fn summary(&self) -> Result<KeySummary, NoKey> {
        Ok(KeySummary {
            client_id: self.client_id.clone(),
            key_id: self.key_id.clone(),
            algorithm: self.half.algorithm().as_str(),
            state: self.state.as_str(),
            not_before: self.validity.not_before().map(Moment::of_ms),
            not_after: self.validity.not_after().map(Moment::of_ms),
            fingerprint: self.half.fingerprint()?,
        })
    }

    fn record(&self, server: Option<&Ed25519SigningKey>) -> Result<KeyRecord, NoKey> {
        let key = self.half.key(server)?;
        let record = KeyRecord::new(self.key_id.clone(), key);
        Ok(record.with_state(self.state).with_validity(self.validity))
    }

    fn to_table(&self) -> Table {
        let mut table = Table::new();
        table["client_id"] = value(self.client_id.as_str());
        table["key_id"] = value(self.key_id.as_str());
        self.half.write(&mut table);
        set_lifetime(&mut table, self.state, self.validity);
        table
    }
}

/// Writes what of state and time is not the default.
pub(super) fn set_lifetime(table: &mut Table, state: KeyState, validity: Validity) {
    if state == KeyState::Active {
        table.remove("state");
    } else {
        table["state"] = value(state.as_str());
    }
    for (name, ms) in [("not_before", validity.not_before()), ("not_after", validity.not_after())] {
        // What a moment is shown as is a date and time of TOML.
        match ms.and_then(|ms| Moment::of_ms(ms).to_string().parse::<Datetime>().ok()) {
            Some(moment) => table[name] = value(moment),
            None => drop(table.remove(name)),
        }
    }
}

/// A keyring that was read: the keys, and what may be shown of them, in order.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) ring: KeyRing,
    pub(crate) keys: Vec<KeySummary>,
}

/// The text of the file, and what `stamp` makes of the file from before it was read.
pub(crate) fn read_stamped<S>(
    path: &Path,
    stamp: impl FnOnce(&Metadata) -> S,
) -> (Option<S>, Result<Zeroizing<String>, ConfigError>) {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(source) => return (None, Err(file::unreadable(path, source))),
    };
    let stamp = file.metadata().ok().map(|metadata| stamp(&metadata));
    (stamp, file::read_text(path, &file, Privacy::Private))
}

/// The keys of such a text for a server. `decoy` takes the work of keys that cannot be used; `server` is
/// the server's own key, if it has one.
pub(crate) fn load(
    path: &Path,
    text: &str,
    decoy: &SecretText,
    server: Option<&Ed25519SigningKey>,
) -> Result<Loaded, ConfigError> {
    let file: RingFile = file::parse(path, text)?;
    check(path, &file)?;
    let decoy = decoy.hmac().map_err(|no_key| ConfigError::value(path, no_key.to_string()))?;
    let (mut ring, mut keys) = (KeyRing::new(decoy.into()), Vec::new());
    for entry in &file.key {
        let made = entry.record(server).and_then(|record| Ok((record, entry.summary()?)));
        let (record, summary) = made.map_err(|no_key| unusable(path, entry, &no_key))?;
        ring.insert_record(entry.client_id.clone(), record);
        keys.push(summary);
    }
    if ring.is_empty() {
        let text = "it has no [[key]], so every call would be refused; `waxwing keygen` makes one";
        return Err(ConfigError::value(path, text));
    }
    keys.sort_unstable();
    Ok(Loaded { ring, keys })
}

/// What may be shown of the keys in the file, in its order.
pub(crate) fn list(path: &Path) -> Result<Vec<KeySummary>, ConfigError> {
    let file: RingFile = file::read(path, Privacy::Private)?;
    check(path, &file)?;
    let summary =
        |entry: &KeyEntry| entry.summary().map_err(|no_key| unusable(path, entry, &no_key));
    file.key.iter().map(summary).collect()
}

fn unusable(path: &Path, entry: &KeyEntry, no_key: &NoKey) -> ConfigError {
    let KeyEntry { client_id, key_id, .. } = entry;
    ConfigError::value(path, format!("key {key_id} of {client_id}: {no_key}"))
}

/// No key is there twice.
fn check(path: &Path, ring: &RingFile) -> Result<(), ConfigError> {
    let mut seen = BTreeSet::new();
    for KeyEntry { client_id, key_id, .. } in &ring.key {
        if !seen.insert((client_id, key_id)) {
            let text = format!("key {key_id} of {client_id} is there twice");
            return Err(ConfigError::value(path, text));
        }
    }
    Ok(())
}

/// Writes a new file with one key.
pub(crate) fn write_new(path: &Path, entry: &KeyEntry) -> Result<(), ConfigError> {
    let mut document = toml_edit::DocumentMut::new();
    if let Some(tables) = edit::key_tables(&mut document) {
        tables.push(entry.to_table());
    }
    let text = Zeroizing::new(document.to_string());
    edit::create(path, &Zeroizing::new([HEAD, text.trim_start()].concat()))
}

/// Adds a key to the file, or makes the file. What stands in it stays as it is.
pub(crate) fn append(path: &Path, entry: &KeyEntry) -> Result<(), ConfigError> {
    if path.symlink_metadata().is_err() {
        match write_new(path, entry) {
            // Somebody else was faster: then there is a file to add to.
            Err(ConfigError::Exists { .. }) => {}
            other => return other,
        }
    }
    change(path, |entries| {
        refuse_twice(path, entries, &entry.client_id, &entry.key_id)?;
        Ok(((), vec![entry.clone()]))
    })
}

/// No key of that name may be there yet.
pub(crate) fn refuse_twice(
    path: &Path,
    entries: &[KeyEntry],
    client_id: &ClientId<'_>,
    key_id: &KeyId<'_>,
) -> Result<(), ConfigError> {
    if entries.iter().any(|entry| entry.is(client_id, key_id)) {
        let text = format!("key {key_id} of {client_id} is there already; choose another --key-id");
        return Err(ConfigError::value(path, text));
    }
    Ok(())
}

/// Changes the file: `decide` is given its keys and tells, beside what it gives back, which keys are to be
/// there in a new state or time, or anew. Two that change it at the same time wait for each other.
pub(crate) fn change<R>(
    path: &Path,
    decide: impl FnOnce(&[KeyEntry]) -> Result<(R, Vec<KeyEntry>), ConfigError>,
) -> Result<R, ConfigError> {
    edit::edit(path, |file: RingFile, document| {
        check(path, &file)?;
        let (given, changed) = decide(&file.key)?;
        if changed.is_empty() {
            return Ok(given);
        }
        let no_tables = || ConfigError::value(path, "key is no array of tables");
        let tables = edit::key_tables(document).ok_or_else(no_tables)?;
        for entry in changed {
            // The tables are those that were read, in the same order.
            let place = file.key.iter().position(|old| old.is(&entry.client_id, &entry.key_id));
            match place.and_then(|place| tables.get_mut(place)) {
                Some(table) => set_lifetime(table, entry.state, entry.validity),
                None => tables.push(entry.to_table()),
            }
        }
        Ok(given)
    })
}

#[cfg(test)]
mod tests;

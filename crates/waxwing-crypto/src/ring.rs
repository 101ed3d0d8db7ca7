//! The keys a server knows, by client and key id.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::BuildHasherDefault;

use waxwing_core::{ClientId, KeyId};

use crate::key::Key;

/// The keys of all clients, and a decoy that takes the work of a key that does not exist, so that an
/// unknown client and a wrong signature cannot be told apart by their time.
#[derive(Debug)]
pub struct KeyRing {
    // Nobody but the operator puts names in, so the hash needs no secret.
    clients: HashMap<ClientId<'static>, ClientKeys, BuildHasherDefault<DefaultHasher>>,
    decoy: Key,
}

/// A client has one key, or two while it changes from one to the other.
#[derive(Debug, Default)]
struct ClientKeys(Vec<(KeyId<'static>, Key)>);

/// A key to verify with: a real one, or the decoy.
pub(crate) enum Found<'r> {
    Key(&'r Key),
    Decoy(&'r Key),
}

impl KeyRing {
    /// An empty ring with a decoy, which should be a random key that nobody else knows.
    #[must_use]
    pub fn new(decoy: Key) -> Self {
        Self { clients: HashMap::default(), decoy }
    }

    /// Adds a key and gives back the one it replaces.
    pub fn insert(
        &mut self,
        client: ClientId<'static>,
        key_id: KeyId<'static>,
        key: Key,
    ) -> Option<Key> {
        let ClientKeys(keys) = self.clients.entry(client).or_default();
        match keys.iter_mut().find(|(id, _)| *id == key_id) {
            Some((_, old)) => Some(std::mem::replace(old, key)),
            None => {
                keys.push((key_id, key));
                None
            }
        }
    }

    /// The key of a client.
    #[must_use]
    pub fn find(&self, client: &ClientId<'_>, key_id: &KeyId<'_>) -> Option<&Key> {
        let ClientKeys(keys) = self.clients.get(client.as_str())?;
        keys.iter().find(|(id, _)| id.as_str() == key_id.as_str()).map(|(_, key)| key)
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.clients.values().map(|ClientKeys(keys)| keys.len()).sum()
    }

    /// Whether there is no key: every request is then refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    pub(crate) fn find_or_decoy(&self, client: &ClientId<'_>, key_id: &KeyId<'_>) -> Found<'_> {
        self.find(client, key_id).map_or(Found::Decoy(&self.decoy), Found::Key)
    }
}

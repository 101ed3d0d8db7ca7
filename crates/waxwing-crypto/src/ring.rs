//! The keys a server knows, by client and key id.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use waxwing_core::{ClientId, KeyId};

use crate::key::Key;

/// The keys of all clients, and a decoy that takes the work of a key that does not exist, so that an
/// unknown client and a wrong signature cannot be told apart by their time.
#[derive(Debug)]
pub struct KeyRing {
    clients: HashMap<ClientId<'static>, ClientKeys, BuildHasherDefault<NameHasher>>,
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

/// Eight bytes at a time by multiplication. Nobody but the operator puts names in, so nobody can choose
/// names that collide, and the hash needs no secret.
#[derive(Debug, Default)]
struct NameHasher(u64);

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        self.write_u64(rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
    }

    fn write_u8(&mut self, _end_of_string: u8) {}

    fn write_u64(&mut self, word: u64) {
        // An odd constant without pattern: 2^64 divided by the golden ratio.
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HmacKey;

    fn key(seed: u8) -> Key {
        let secret: Vec<u8> = (0..32).map(|i| i ^ seed).collect();
        HmacKey::new(&secret).unwrap().into()
    }

    #[test]
    fn each_key_is_found_under_its_own_name_only() {
        let mut ring = KeyRing::new(key(0xff));
        for n in 0..500 {
            let client: ClientId<'static> = format!("agent-{n}").parse().unwrap();
            for id in ["k1", "k2"] {
                assert!(ring.insert(client.clone(), id.parse().unwrap(), key(1)).is_none());
            }
        }
        assert_eq!(ring.len(), 1000);
        assert!(ring.insert("agent-3".parse().unwrap(), "k1".parse().unwrap(), key(2)).is_some());
        assert_eq!(ring.len(), 1000);
        let found = |client: &str, id: &str| {
            ring.find(&ClientId::new(client).unwrap(), &KeyId::new(id).unwrap()).is_some()
        };
        assert!(found("agent-499", "k2"));
        assert!(!found("agent-500", "k2") && !found("agent-1", "k3"));
    }
}

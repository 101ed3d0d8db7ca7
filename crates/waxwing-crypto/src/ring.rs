//! The keys a server knows, by client and key id, found in the same time whether they are there or not.

use std::hash::{BuildHasher, BuildHasherDefault, Hasher};

use waxwing_core::{ClientId, KeyId, Signature};

use crate::decoy::{Decoy, Ed25519Use};
use crate::key::Key;
use crate::record::KeyRecord;

/// The keys of all clients, and a decoy that takes the work where none of them can.
///
/// A claim is never found missing: a search by the hash of its names ends at some key, which verifies the
/// signature. Only then, and only if it holds, are the names compared. So an unknown client, an unknown
/// key, one that may not be used and a wrong signature take the same steps and the same time.
#[derive(Debug)]
pub struct KeyRing {
    /// The hash of each entry's names, in rising order.
    hashes: Vec<u64>,
    entries: Vec<Entry>,
    decoy: Decoy,
    ed25519: Ed25519Use,
}

#[derive(Debug)]
struct Entry {
    client: ClientId<'static>,
    record: KeyRecord,
}

impl Entry {
    fn is(&self, client: &ClientId<'_>, key_id: &KeyId<'_>) -> bool {
        self.client.as_str() == client.as_str() && self.record.key_id().as_str() == key_id.as_str()
    }
}

impl KeyRing {
    /// An empty ring with a decoy.
    #[must_use]
    pub const fn new(decoy: Decoy) -> Self {
        Self { hashes: Vec::new(), entries: Vec::new(), decoy, ed25519: Ed25519Use::Unused }
    }

    /// Adds an active key without bounds in time, and gives back the one it replaces.
    pub fn insert(
        &mut self,
        client: ClientId<'static>,
        key_id: KeyId<'static>,
        key: Key,
    ) -> Option<KeyRecord> {
        self.insert_record(client, KeyRecord::new(key_id, key))
    }

    /// Adds a key of a client, and gives back the one of the same name that it replaces.
    pub fn insert_record(
        &mut self,
        client: ClientId<'static>,
        record: KeyRecord,
    ) -> Option<KeyRecord> {
        if matches!(record.key(), Key::Ed25519(_)) {
            self.ed25519 = Ed25519Use::Used;
        }
        let hash = hash(&client, record.key_id());
        let at = self.nearest(hash, &client, record.key_id());
        match self.entries.get_mut(at) {
            Some(old) if old.is(&client, record.key_id()) => {
                Some(std::mem::replace(&mut old.record, record))
            }
            _ => {
                let place = self.hashes.partition_point(|other| *other < hash);
                self.hashes.insert(place, hash);
                self.entries.insert(place, Entry { client, record });
                None
            }
        }
    }

    /// The record of a key.
    #[must_use]
    pub fn find(&self, client: &ClientId<'_>, key_id: &KeyId<'_>) -> Option<&KeyRecord> {
        let entry = self.entries.get(self.nearest(hash(client, key_id), client, key_id))?;
        entry.is(client, key_id).then_some(&entry.record)
    }

    /// How many keys there are, in whichever state.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no key: every request is then refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The key that made `signature` over `parts`, if it is the one named and may be used at `now_ms`.
    /// Every other case costs what a wrong signature of that length does; see [`Decoy`].
    #[inline]
    pub(crate) fn verify(
        &self,
        (client, key_id): (&ClientId<'_>, &KeyId<'_>),
        parts: [&[u8]; 2],
        signature: &Signature<'_>,
        now_ms: i64,
    ) -> Option<&Key> {
        let entry = self.entries.get(self.nearest(hash(client, key_id), client, key_id));
        let key = entry.map(|entry| entry.record.key());
        let verdict = match key.filter(|key| key.signature_digits() == signature.as_str().len()) {
            Some(key) => key.verify(parts, signature),
            None => self.decoy.verify(parts, signature, self.ed25519),
        };
        let named = entry.filter(|entry| verdict.is_ok() && entry.is(client, key_id))?;
        named.record.to_verify(now_ms)
    }

    /// Where the entry of that hash stands, or if there is none some other; 0 in an empty ring. The
    /// number of steps depends on the number of keys alone.
    #[inline]
    fn nearest(&self, hash: u64, client: &ClientId<'_>, key_id: &KeyId<'_>) -> usize {
        let (mut at, mut size) = (0, self.hashes.len());
        while size > 1 {
            // Arithmetic, not a branch: which way it goes is what nobody may hear.
            let half = size / 2;
            let reached = self.hashes.get(at + half).map_or(0, |other| usize::from(*other <= hash));
            at += half * reached;
            size -= half;
        }
        // Other names of the same hash: nobody will live to see them.
        while at > 0
            && self.hashes.get(at - 1) == Some(&hash)
            && self.entries.get(at).is_some_and(|entry| !entry.is(client, key_id))
        {
            at -= 1;
        }
        at
    }
}

#[inline]
fn hash(client: &ClientId<'_>, key_id: &KeyId<'_>) -> u64 {
    BuildHasherDefault::<NameHasher>::default().hash_one((client.as_str(), key_id.as_str()))
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

    fn key(seed: u8) -> HmacKey {
        let secret: Vec<u8> = (0..32).map(|i| i ^ seed).collect();
        HmacKey::new(&secret).unwrap()
    }

    #[test]
    fn each_key_is_found_under_its_own_name_only() {
        let mut ring = KeyRing::new(key(0xff).into());
        for n in 0..500 {
            let client: ClientId<'static> = format!("agent-{n}").parse().unwrap();
            for id in ["k1", "k2"] {
                assert!(ring.insert(client.clone(), id.parse().unwrap(), key(1).into()).is_none());
            }
        }
        assert_eq!(ring.len(), 1000);
        let again = ring.insert("agent-3".parse().unwrap(), "k1".parse().unwrap(), key(2).into());
        assert!(again.is_some());
        assert_eq!(ring.len(), 1000);
        let found = |client: &str, id: &str| {
            ring.find(&ClientId::new(client).unwrap(), &KeyId::new(id).unwrap()).is_some()
        };
        assert!(found("agent-499", "k2"));
        assert!(!found("agent-500", "k2") && !found("agent-1", "k3"));

        // Even if all names had one hash.
        let same = hash(&"agent-1".parse().unwrap(), &"k1".parse().unwrap());
        ring.hashes.fill(same);
        let first = ("agent-1".parse().unwrap(), "k1".parse().unwrap());
        assert!(ring.find(&first.0, &first.1).is_some());
    }

    #[test]
    fn an_empty_ring_knows_nobody() {
        let ring = KeyRing::new(key(0xff).into());
        assert!(ring.is_empty());
        assert!(ring.find(&"agent-1".parse().unwrap(), &"k1".parse().unwrap()).is_none());
    }
}

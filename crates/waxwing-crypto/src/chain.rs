//! The keys of one client, in the order in which they were made. Rotation is one more key at the end:
//! both verify for a while, and the newest signs.

use waxwing_core::KeyId;

use crate::key::Key;
use crate::record::KeyRecord;

/// Keys of one client, oldest first; mostly one, two while it changes from one to the other.
#[derive(Debug, Default)]
pub struct KeyChain {
    records: Vec<KeyRecord>,
}

impl KeyChain {
    /// Adds a key as the newest, or puts it in the place of the one of the same name, which it gives back.
    pub fn insert(&mut self, record: KeyRecord) -> Option<KeyRecord> {
        match self.records.iter_mut().find(|old| old.key_id() == record.key_id()) {
            Some(old) => Some(std::mem::replace(old, record)),
            None => {
                self.records.push(record);
                None
            }
        }
    }

    /// The record of that name.
    #[must_use]
    #[inline]
    pub fn find(&self, key_id: &KeyId<'_>) -> Option<&KeyRecord> {
        self.records.iter().find(|record| record.key_id().as_str() == key_id.as_str())
    }

    /// The newest key that may sign at `now_ms`, with its name.
    #[must_use]
    pub fn signer(&self, now_ms: i64) -> Option<(&KeyId<'static>, &Key)> {
        let mut newest_first = self.records.iter().rev();
        newest_first.find_map(|record| Some((record.key_id(), record.to_sign(now_ms)?)))
    }

    /// As [`Self::signer`], and nothing else is kept.
    #[must_use]
    pub fn into_signer(self, now_ms: i64) -> Option<KeyRecord> {
        self.records.into_iter().rev().find(|record| record.to_sign(now_ms).is_some())
    }

    /// The records, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &KeyRecord> {
        self.records.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HmacKey, KeyState, Validity};

    fn record(id: &str) -> KeyRecord {
        let key = HmacKey::new(b"0123456789abcdef0123456789abcdef").unwrap();
        KeyRecord::new(id.parse().unwrap(), key.into())
    }

    fn signs(chain: &KeyChain, now_ms: i64) -> Option<&str> {
        chain.signer(now_ms).map(|(id, _)| id.as_str())
    }

    #[test]
    fn the_newest_key_that_may_signs() {
        let mut chain = KeyChain::default();
        assert!(chain.signer(0).is_none());
        let until = Validity::new(None, Some(30)).unwrap();
        chain.insert(record("k1").with_validity(until));
        let from = Validity::new(Some(10), Some(40)).unwrap();
        chain.insert(record("k2").with_validity(from));
        chain.insert(record("k3").with_state(KeyState::Retiring));
        chain.insert(record("k4").with_state(KeyState::Revoked));
        let signers = [9, 10, 39, 40].map(|now| signs(&chain, now));
        assert_eq!(signers, [Some("k1"), Some("k2"), Some("k2"), None]);
        // A key that takes another's place is as old as that one.
        assert!(chain.insert(record("k1").with_validity(until)).is_some());
        assert_eq!(signs(&chain, 10), Some("k2"));
        assert_eq!(chain.iter().count(), 4);
        assert_eq!(chain.into_signer(9).unwrap().key_id().as_str(), "k1");
    }
}

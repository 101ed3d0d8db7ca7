//! Nonces and idempotency keys in memory: what was used, and until when that counts.

use std::collections::{BTreeSet, HashMap};

use waxwing_core::{ClientId, IdempotencyKey, JobId, KeyId, Nonce, ServerId};

use crate::clock::millis;
use crate::job::{Idempotency, NonceRecord};
use crate::store::{Admission, Bounds};

/// Whose nonces: (server, client, key).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Scope(ServerId<'static>, ClientId<'static>, KeyId<'static>);

impl Scope {
    fn of(record: &NonceRecord) -> Self {
        Self(record.server.clone(), record.client.clone(), record.key.clone())
    }
}

/// What an idempotency key stands for.
#[derive(Clone, Debug)]
pub(super) struct KeyUse {
    pub(super) digest: [u8; 32],
    pub(super) id: JobId<'static>,
    until_ms: u64,
}

/// Everything that was used.
#[derive(Debug, Default)]
pub(super) struct Guard {
    nonces: HashMap<Scope, HashMap<Nonce<'static>, u64>>,
    nonce_ends: BTreeSet<(u64, Scope, Nonce<'static>)>,
    keys: HashMap<(ClientId<'static>, IdempotencyKey<'static>), KeyUse>,
    key_ends: BTreeSet<(u64, ClientId<'static>, IdempotencyKey<'static>)>,
}

impl Guard {
    /// What spending the nonce would come to; changes nothing that counts.
    pub(super) fn check(&mut self, record: &NonceRecord, now: u64, bounds: &Bounds) -> Admission {
        let scope = Scope::of(record);
        if self.is_kept(&scope, &record.nonce, now) {
            return Admission::Replayed;
        }
        if self.is_full(&scope, bounds) {
            // Only what still counts may refuse: make sure that nothing else is counted.
            self.forget_nonces(now, usize::MAX);
        }
        if self.is_full(&scope, bounds) { Admission::Full } else { Admission::Fresh }
    }

    fn is_kept(&self, scope: &Scope, nonce: &Nonce<'static>, now: u64) -> bool {
        self.nonces.get(scope).and_then(|kept| kept.get(nonce)).is_some_and(|until| now < *until)
    }

    fn is_full(&self, scope: &Scope, bounds: &Bounds) -> bool {
        let of_key = self.nonces.get(scope).map_or(0, HashMap::len);
        self.nonce_ends.len() as u64 >= bounds.nonces || of_key as u64 >= bounds.nonces_per_key
    }

    pub(super) fn spend(&mut self, record: &NonceRecord, now: u64) {
        let (scope, nonce) = (Scope::of(record), record.nonce.clone());
        let until = now.saturating_add(millis(record.keep));
        let kept = self.nonces.entry(scope.clone()).or_default();
        if let Some(before) = kept.insert(nonce.clone(), until) {
            self.nonce_ends.remove(&(before, scope.clone(), nonce.clone()));
        }
        self.nonce_ends.insert((until, scope, nonce));
    }

    pub(super) fn forget_nonces(&mut self, now: u64, limit: usize) -> usize {
        let mut forgotten = 0;
        while forgotten < limit {
            match self.nonce_ends.first() {
                Some((until, ..)) if *until <= now => {}
                _ => break,
            }
            let Some((_, scope, nonce)) = self.nonce_ends.pop_first() else { break };
            if let Some(kept) = self.nonces.get_mut(&scope) {
                kept.remove(&nonce);
                if kept.is_empty() {
                    self.nonces.remove(&scope);
                }
            }
            forgotten += 1;
        }
        forgotten
    }

    pub(super) fn lookup(
        &self,
        owner: &ClientId<'static>,
        key: &Idempotency,
        now: u64,
    ) -> Option<KeyUse> {
        let found = self.keys.get(&(owner.clone(), key.key.clone()))?;
        (now < found.until_ms).then(|| found.clone())
    }

    pub(super) fn keep_key(
        &mut self,
        owner: &ClientId<'static>,
        key: &Idempotency,
        id: &JobId<'static>,
        now: u64,
    ) {
        let until_ms = now.saturating_add(millis(key.keep));
        let row = KeyUse { digest: key.digest, id: id.clone(), until_ms };
        let scope = (owner.clone(), key.key.clone());
        if let Some(before) = self.keys.insert(scope, row) {
            self.key_ends.remove(&(before.until_ms, owner.clone(), key.key.clone()));
        }
        self.key_ends.insert((until_ms, owner.clone(), key.key.clone()));
    }

    pub(super) fn forget_keys(&mut self, now: u64, limit: usize) -> usize {
        let mut forgotten = 0;
        while forgotten < limit {
            match self.key_ends.first() {
                Some((until, ..)) if *until <= now => {}
                _ => break,
            }
            let Some((_, owner, key)) = self.key_ends.pop_first() else { break };
            self.keys.remove(&(owner, key));
            forgotten += 1;
        }
        forgotten
    }
}

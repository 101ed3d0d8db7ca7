//! The replay guard in memory: exact, bounded, and closed when in doubt (wire.md §5).
//!
//! Nonces live in two generations, each as long as the clock window. When one has passed, the elder is
//! dropped whole, so expiry costs nothing a call and a nonce outlives every moment at which its message
//! could still be in the window. What has been dropped is covered by a fence: no message that is as old
//! as a forgotten one, or older than the guard itself, is ever fresh, whichever way the clock jumps.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};
use waxwing_core::{ClientId, KeyId, Nonce};

use crate::window::Window;

/// One use of a nonce. The server's own id needs no place in it: a guard serves one server.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the scope of wire.md §5")]
pub struct NonceRecord<'a> {
    /// Whose nonce.
    pub client_id: &'a ClientId<'a>,
    /// Under which key.
    pub key_id: &'a KeyId<'a>,
    /// The nonce.
    pub nonce: &'a Nonce<'a>,
    /// The message's own time.
    pub ts_ms: i64,
}

/// Whether a message may be dispatched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Admission {
    /// Never seen; from now on it has been.
    Fresh,
    /// Seen before.
    Replayed,
    /// There is no room to remember it, so it must not be dispatched.
    Full,
    /// So old that the guard might have forgotten it.
    Forgotten,
}

/// How many nonces a guard remembers at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the two bounds of wire.md §5")]
pub struct Capacity {
    /// In all; 1,000,000 by default.
    pub total: usize,
    /// Under one key; 250,000 by default, so that one client cannot fill the guard.
    pub per_key: usize,
}

impl Default for Capacity {
    fn default() -> Self {
        Self { total: 1_000_000, per_key: 250_000 }
    }
}

/// The guard of one server process.
#[derive(Debug)]
pub struct ReplayGuard {
    memory: Mutex<Memory>,
    seeded: Sha256,
}

impl ReplayGuard {
    /// A guard that begins to remember at `now_ms`. `seed` is to be random: it keeps a client from
    /// choosing nonces that slow the guard down.
    #[must_use]
    pub fn new(window: Window, capacity: Capacity, now_ms: i64, seed: [u8; 32]) -> Self {
        let memory = Memory {
            span_ms: window.span_ms(),
            capacity,
            began_ms: now_ms,
            fence_ms: now_ms,
            young: Generation::default(),
            old: Generation::default(),
        };
        Self { memory: Mutex::new(memory), seeded: Sha256::new_with_prefix(seed) }
    }

    /// Checks and remembers in one step.
    #[must_use]
    pub fn admit(&self, record: &NonceRecord<'_>, now_ms: i64) -> Admission {
        let (key, nonce) = self.digests(record);
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.admit(key, nonce, record.ts_ms, now_ms)
    }

    /// Names a key and, under it, a nonce. Zero bytes part the fields: none of them can hold one.
    fn digests(&self, record: &NonceRecord<'_>) -> (u128, u128) {
        let mut hash = self.seeded.clone();
        for part in [record.client_id.as_str(), record.key_id.as_str()] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        let key = first_half(&hash.clone().finalize());
        hash.update(record.nonce.as_str().as_bytes());
        (key, first_half(&hash.finalize()))
    }
}

/// 128 bits of a digest: enough that no two nonces are ever mistaken for one.
fn first_half(digest: &[u8]) -> u128 {
    digest.iter().take(16).fold(0, |bits, byte| bits << 8 | u128::from(*byte))
}

#[derive(Debug)]
struct Memory {
    span_ms: i64,
    capacity: Capacity,
    /// When the younger generation began.
    began_ms: i64,
    /// Every message that was forgotten is older than this.
    fence_ms: i64,
    young: Generation,
    old: Generation,
}

#[derive(Debug, Default)]
struct Generation {
    nonces: HashSet<u128, BuildHasherDefault<Uniform>>,
    per_key: BTreeMap<u128, usize>,
    /// The time of the newest message in it.
    newest_ms: Option<i64>,
}

impl Memory {
    fn admit(&mut self, key: u128, nonce: u128, ts_ms: i64, now_ms: i64) -> Admission {
        self.turn(now_ms);
        if self.young.nonces.contains(&nonce) || self.old.nonces.contains(&nonce) {
            return Admission::Replayed;
        }
        if ts_ms < self.fence_ms {
            return Admission::Forgotten;
        }
        let of_key = |generation: &Generation| generation.per_key.get(&key).copied().unwrap_or(0);
        if self.young.nonces.len() + self.old.nonces.len() >= self.capacity.total
            || of_key(&self.young) + of_key(&self.old) >= self.capacity.per_key
        {
            return Admission::Full;
        }
        self.young.nonces.insert(nonce);
        *self.young.per_key.entry(key).or_default() += 1;
        self.young.newest_ms = self.young.newest_ms.max(Some(ts_ms));
        Admission::Fresh
    }

    /// Drops the elder generation when the younger one is a window old. A clock that went back makes
    /// the younger one begin anew, so that it lives its full time.
    fn turn(&mut self, now_ms: i64) {
        if now_ms < self.began_ms {
            self.began_ms = now_ms;
        }
        if now_ms.saturating_sub(self.began_ms) < self.span_ms {
            return;
        }
        self.began_ms = now_ms;
        std::mem::swap(&mut self.young, &mut self.old);
        if let Some(newest_ms) = self.young.forget() {
            self.fence_ms = self.fence_ms.max(newest_ms.saturating_add(1));
        }
    }
}

impl Generation {
    /// Empties the generation, keeps its room, and tells the time of the newest message in it.
    fn forget(&mut self) -> Option<i64> {
        self.nonces.clear();
        self.per_key.clear();
        self.newest_ms.take()
    }
}

/// Takes bits that are a digest already as their own hash.
#[derive(Debug, Default)]
struct Uniform(u64);

impl Hasher for Uniform {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, bits: u128) {
        self.0 = bits as u64;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_ne, proptest};

    use super::*;

    const SPAN: i64 = 150_000;

    fn guard(capacity: Capacity, now_ms: i64) -> ReplayGuard {
        ReplayGuard::new(Window::DEFAULT, capacity, now_ms, [7; 32])
    }

    fn admit(guard: &ReplayGuard, client: &str, n: u32, ts_ms: i64, now_ms: i64) -> Admission {
        let client_id = ClientId::new(client).unwrap();
        let key_id = KeyId::new("k1").unwrap();
        let nonce = Nonce::new(format!("nonce-{n:016}")).unwrap();
        let record = NonceRecord { client_id: &client_id, key_id: &key_id, nonce: &nonce, ts_ms };
        guard.admit(&record, now_ms)
    }

    #[test]
    fn a_nonce_is_fresh_once_for_each_client() {
        let guard = guard(Capacity::default(), 0);
        assert_eq!(admit(&guard, "a", 1, 5, 5), Admission::Fresh);
        assert_eq!(admit(&guard, "a", 1, 5, 5), Admission::Replayed);
        assert_eq!(admit(&guard, "b", 1, 5, 5), Admission::Fresh);
    }

    #[test]
    fn a_full_guard_refuses_and_forgets_nothing() {
        let guard = guard(Capacity { total: 4, per_key: 2 }, 0);
        for (client, n, verdict) in [
            ("a", 1, Admission::Fresh),
            ("a", 2, Admission::Fresh),
            ("a", 3, Admission::Full),
            ("b", 1, Admission::Fresh),
            ("b", 2, Admission::Fresh),
            ("c", 1, Admission::Full),
            ("a", 1, Admission::Replayed),
        ] {
            assert_eq!(admit(&guard, client, n, 0, 0), verdict, "{client} {n}");
        }
        // Two turns later there is room again.
        assert_eq!(admit(&guard, "c", 1, SPAN, SPAN), Admission::Full);
        assert_eq!(admit(&guard, "c", 1, 2 * SPAN, 2 * SPAN), Admission::Fresh);
    }

    #[test]
    fn what_was_sent_before_the_guard_began_is_refused() {
        let guard = guard(Capacity::default(), 1_000);
        assert_eq!(admit(&guard, "a", 1, 999, 1_000), Admission::Forgotten);
        assert_eq!(admit(&guard, "a", 1, 1_000, 1_000), Admission::Fresh);
    }

    #[test]
    fn a_clock_that_jumps_far_and_back_replays_nothing() {
        let guard = guard(Capacity::default(), 0);
        let day = 86_400_000;
        assert_eq!(admit(&guard, "a", 1, 10, 10), Admission::Fresh);
        for jump in [day, 2 * day, 4 * day] {
            assert_eq!(admit(&guard, "a", jump as u32, jump, jump), Admission::Fresh);
        }
        assert_eq!(admit(&guard, "a", 1, 10, 20), Admission::Forgotten);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// However the clock moves, a message that was fresh once never is again while it is in the
        /// window.
        #[test]
        fn nothing_is_fresh_twice(
            steps in proptest::collection::vec((any::<u8>(), -200_000_i64..300_000, -30_000_i64..120_000), 1..80),
        ) {
            let guard = guard(Capacity::default(), 0);
            let mut now = 0;
            let mut sent: Vec<(u32, i64)> = Vec::new();
            for (i, (pick, jump, age)) in steps.into_iter().enumerate() {
                now += jump;
                let n = i as u32;
                if admit(&guard, "a", n, now - age, now) == Admission::Fresh {
                    sent.push((n, now - age));
                }
                if let Some((n, ts)) = sent.get(usize::from(pick) % sent.len().max(1)) {
                    prop_assert_ne!(admit(&guard, "a", *n, *ts, now), Admission::Fresh);
                }
            }
            for (n, ts) in sent {
                prop_assert!(admit(&guard, "a", n, ts, ts) != Admission::Fresh);
            }
        }
    }
}

//! The replay guard in memory: exact, bounded, and closed when in doubt (wire.md §5).
//!
//! Nonces live in two generations, each as long as the clock window. When the younger one's time has
//! passed, or the clock has jumped out of it, the elder is dropped whole, so expiry costs nothing a
//! call. Safety does not hang on the clock: the times of all that was dropped are kept, and no message
//! dated in them is ever fresh. Nonces and counts are spread over many small locked tables; a table
//! that has to grow holds up only the few that share it.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, DefaultHasher, Hasher};
use std::mem;
use std::sync::PoisonError;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};

use crate::replay::forgotten::Forgotten;
use crate::replay::{Admission, Capacity, NonceRecord, ReplayGuard};
use crate::sync::{AtomicUsize, Mutex, MutexGuard, Ordering, RwLock};
use crate::window::Window;

/// Nonces to a table when the guard is full: growing one takes tens of microseconds.
const TABLE: usize = 4096;

/// The fewest and the most tables.
const TABLES: (usize, usize) = (16, 4096);

/// In how many parts of the capacity a generation has room from its beginning. Growing is for floods;
/// room for all of it in both generations would be 70 bytes a nonce.
const SHARE: usize = 5;

/// The guard of one server process. At a million nonces it takes up to 44 bytes for each, and about
/// 60 for each key that spends any; a fifth of that from the beginning.
#[derive(Debug)]
pub struct MemoryReplayGuard {
    memory: RwLock<Memory>,
    seeded: Sha256,
    seeded_key: DefaultHasher,
}

impl MemoryReplayGuard {
    /// A guard that begins to remember at `now_ms`: what is dated before is never fresh. `seed` is
    /// to be random: it keeps a client from choosing nonces that slow the guard down.
    #[must_use]
    pub fn new(window: Window, capacity: Capacity, now_ms: i64, seed: [u8; 32]) -> Self {
        // A whole block, so that its part of every digest is computed here.
        let mut block = [0; 64];
        block[..32].copy_from_slice(&seed);
        let mut seeded_key = DefaultHasher::new();
        seeded_key.write(&seed);
        Self {
            memory: RwLock::new(Memory::new(window, capacity, now_ms)),
            seeded: Sha256::new_with_prefix(block),
            seeded_key,
        }
    }

    /// [`ReplayGuard::admit`], at once: a guard in memory waits for nothing.
    #[must_use]
    pub fn admit_now(&self, record: &NonceRecord<'_>, now_ms: i64) -> Admission {
        let spend = self.digests(record);
        {
            let memory = self.memory.read().unwrap_or_else(PoisonError::into_inner);
            if !memory.is_over(now_ms) {
                return memory.admit(spend);
            }
        }
        let mut memory = self.memory.write().unwrap_or_else(PoisonError::into_inner);
        // Somebody else may have turned it meanwhile.
        let dropped = memory.is_over(now_ms).then(|| memory.turn(now_ms));
        let admission = memory.admit(spend);
        drop(memory);
        drop(dropped);
        admission
    }

    /// Whether a message of this date is never fresh: it is from a time of which nonces were
    /// forgotten.
    #[must_use]
    pub fn has_forgotten(&self, ts_ms: i64) -> bool {
        self.memory.read().unwrap_or_else(PoisonError::into_inner).forgotten.covers(ts_ms)
    }

    /// Nonces that are remembered now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.memory.read().unwrap_or_else(PoisonError::into_inner).total.load(Ordering::SeqCst)
    }

    /// Whether no nonce is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Names a key and, under it, a nonce. Zero bytes part the fields: none of them can hold one. The
    /// operator chose the keys, so a short hash tells them apart; clients choose nonces.
    fn digests(&self, record: &NonceRecord<'_>) -> Spend {
        let (mut nonce, mut key) = (self.seeded.clone(), self.seeded_key.clone());
        for part in [record.client_id.as_str(), record.key_id.as_str()] {
            nonce.update(part.as_bytes());
            nonce.update([0]);
            key.write(part.as_bytes());
            key.write_u8(0);
        }
        nonce.update(record.nonce.as_str().as_bytes());
        let nonce = Name(first_half(&nonce.finalize()));
        Spend { key: key.finish(), nonce, ts_ms: record.ts_ms }
    }
}

#[async_trait]
impl ReplayGuard for MemoryReplayGuard {
    async fn admit(&self, record: &NonceRecord<'_>, now_ms: i64) -> Admission {
        self.admit_now(record, now_ms)
    }
}

/// 128 bits of a digest: enough that no two nonces are ever mistaken for one.
fn first_half(digest: &[u8]) -> u128 {
    digest.iter().take(16).fold(0, |bits, byte| bits << 8 | u128::from(*byte))
}

/// What a message spends: names of its key and its nonce, and its time.
#[derive(Clone, Copy)]
struct Spend {
    key: u64,
    nonce: Name,
    ts_ms: i64,
}

/// A digest, which is its own hash: the low half finds a place in a table, the high half the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Name(u128);

#[derive(Debug)]
struct Memory {
    span_ms: i64,
    capacity: Capacity,
    /// When the younger generation began.
    began_ms: i64,
    /// The times of all that was dropped, and from before the beginning.
    forgotten: Forgotten,
    /// All nonces: never more than the capacity.
    total: AtomicUsize,
    nonces: Box<[Mutex<Generations<Nonces>>]>,
    counts: Box<[Mutex<Generations<Counts>>]>,
}

/// The same for the younger and the elder generation.
#[derive(Debug, Default)]
struct Generations<T> {
    young: T,
    old: T,
}

/// One generation's nonces in one table.
#[derive(Debug)]
struct Nonces {
    seen: HashSet<Name, BuildHasherDefault<Uniform>>,
    /// The times of the oldest and the newest message.
    dated: Option<(i64, i64)>,
}

/// One generation's number of nonces for each key, in one table.
#[derive(Debug, Default)]
struct Counts {
    of_key: HashMap<u64, usize, BuildHasherDefault<Uniform>>,
}

/// What is left of a generation whose time is over.
#[derive(Debug)]
struct Dropped {
    _nonces: Vec<Nonces>,
    _counts: Vec<Counts>,
}

impl Memory {
    fn new(window: Window, capacity: Capacity, now_ms: i64) -> Self {
        let (least, most) = TABLES;
        let tables = (capacity.total / TABLE).next_power_of_two().clamp(least, most);
        Self {
            span_ms: window.span_ms(),
            capacity,
            began_ms: now_ms,
            forgotten: Forgotten::before(now_ms),
            total: AtomicUsize::new(0),
            nonces: (0..tables)
                .map(|_| {
                    let sized = || Nonces::sized(&capacity, tables);
                    Mutex::new(Generations { young: sized(), old: sized() })
                })
                .collect(),
            counts: (0..least).map(|_| Mutex::default()).collect(),
        }
    }

    fn admit(&self, Spend { key, nonce, ts_ms }: Spend) -> Admission {
        // Held to the end: whoever brings the same nonce waits for the verdict on this one.
        let high = (nonce.0 >> 64) as u64;
        let Some(mut table) = table(&self.nonces, high) else { return Admission::Unavailable };
        if table.young.seen.contains(&nonce) || table.old.seen.contains(&nonce) {
            return Admission::Replayed;
        }
        if self.forgotten.covers(ts_ms) {
            return Admission::Forgotten;
        }
        match self.make_room(key) {
            Room::None => Admission::Full,
            Room::Taken => {
                table.young.insert(nonce, ts_ms);
                Admission::Fresh
            }
        }
    }

    /// Takes room for one more nonce of this key, if there is any.
    fn make_room(&self, key: u64) -> Room {
        let Some(mut counts) = table(&self.counts, key >> 32) else { return Room::None };
        let old = counts.old.of_key.get(&key).copied().unwrap_or(0);
        let young = counts.young.of_key.entry(key).or_default();
        if *young + old >= self.capacity.per_key {
            return Room::None;
        }
        let more = |total| (total < self.capacity.total).then_some(total + 1);
        if self.total.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).is_err() {
            return Room::None;
        }
        *young += 1;
        Room::Taken
    }

    /// Whether the younger generation's time is over, or the clock has jumped out of it. A generation
    /// may last longer than the window, never shorter.
    const fn is_over(&self, now_ms: i64) -> bool {
        now_ms.abs_diff(self.began_ms) >= self.span_ms.unsigned_abs()
    }

    /// Begins a new generation. What the elder held is given back, to be freed once nobody waits.
    fn turn(&mut self, now_ms: i64) -> Dropped {
        self.began_ms = now_ms;
        let (capacity, tables) = (self.capacity, self.nonces.len());
        let sized = || Nonces::sized(&capacity, tables);
        let nonces: Vec<Nonces> =
            self.nonces.iter_mut().map(|table| turn(table, sized())).collect();
        let _counts = self.counts.iter_mut().map(|table| turn(table, Counts::default())).collect();
        let dated = nonces.iter().filter_map(|table| table.dated);
        if let Some((oldest, newest)) = dated.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))) {
            self.forgotten.add(oldest, newest);
        }
        let dropped = nonces.iter().map(|table| table.seen.len()).sum();
        self.total.fetch_sub(dropped, Ordering::SeqCst);
        Dropped { _nonces: nonces, _counts }
    }
}

/// Whether there was room for one more.
enum Room {
    Taken,
    None,
}

/// The table that these bits choose, locked. There are 2^n of them, and at least one.
fn table<T>(tables: &[Mutex<T>], bits: u64) -> Option<MutexGuard<'_, T>> {
    let place = bits as usize & tables.len().wrapping_sub(1);
    let table = tables.get(place)?;
    Some(table.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Makes the younger generation the elder one, and gives what was the elder one.
fn turn<T>(table: &mut Mutex<Generations<T>>, young: T) -> T {
    let table = table.get_mut().unwrap_or_else(PoisonError::into_inner);
    mem::replace(&mut table.old, mem::replace(&mut table.young, young))
}

impl Nonces {
    /// An empty table, one of so many, with room for its share.
    fn sized(capacity: &Capacity, tables: usize) -> Self {
        let room = (capacity.total / tables / SHARE).min(TABLE);
        let seen = HashSet::with_capacity_and_hasher(room, BuildHasherDefault::default());
        Self { seen, dated: None }
    }

    fn insert(&mut self, nonce: Name, ts_ms: i64) {
        self.seen.insert(nonce);
        let (oldest, newest) = self.dated.unwrap_or((ts_ms, ts_ms));
        self.dated = Some((oldest.min(ts_ms), newest.max(ts_ms)));
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

    fn write_u64(&mut self, bits: u64) {
        self.0 = bits;
    }

    fn write_u128(&mut self, bits: u128) {
        self.0 = bits as u64;
    }
}

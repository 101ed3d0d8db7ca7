//! What a batch of starts comes to, item by item, from what is known of the database: pure.

use std::collections::{HashMap, HashSet};

use waxwing_core::JobId;
use waxwing_jobs::{Bound, Bounds, NewJob, Started};

use super::write::Counts;

/// How much is unfinished, of each client that matters and in all.
#[derive(Debug)]
pub(super) struct Room {
    bounds: Bounds,
    all: u64,
    of_client: HashMap<String, u64>,
}

impl Room {
    pub(super) fn new(bounds: Bounds, all: u64, of_client: HashMap<String, u64>) -> Self {
        Self { bounds, all, of_client }
    }

    /// Takes room for one more job of this client, or says which bound leaves none.
    pub(super) fn take(&mut self, client: &str) -> Result<(), Bound> {
        let own = self.of_client.entry(client.to_owned()).or_default();
        if *own >= self.bounds.unfinished_per_client {
            return Err(Bound::ClientJobs);
        }
        if self.all >= self.bounds.unfinished {
            return Err(Bound::AllJobs);
        }
        *own += 1;
        self.all += 1;
        Ok(())
    }

    fn give_back(&mut self, client: &str) {
        if let Some(own) = self.of_client.get_mut(client) {
            *own -= 1;
            self.all -= 1;
        }
    }
}

/// What an idempotency key stands for.
#[derive(Debug)]
pub(super) struct KeyUse {
    pub(super) digest: Vec<u8>,
    pub(super) job: String,
}

/// What the database knows that decides about a batch of starts.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) now: u64,
    pub(super) room: Room,
    /// What each item with a nonce is to spend, by the number of its (server, client, key).
    pub(super) spends: Vec<Option<(i64, String)>>,
    pub(super) nonces: HashSet<(i64, String)>,
    pub(super) nonces_of_scope: HashMap<i64, u64>,
    pub(super) nonces_in_all: u64,
    pub(super) keys: HashMap<(String, String), KeyUse>,
    pub(super) ids: HashSet<String>,
    /// The last place of each client's queued jobs, where it lies beyond the turn.
    pub(super) last_rank: HashMap<String, i64>,
    /// The highest place that was claimed.
    pub(super) turn: i64,
}

/// What is to be written of a batch, and what each caller is told once it is.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) verdicts: Vec<Started>,
    /// Items to be stored as jobs, by index, with their places in the queue.
    pub(super) jobs: Vec<(usize, i64)>,
    /// Items whose nonce is spent.
    pub(super) nonces: Vec<(i64, usize)>,
    /// Items whose idempotency key is kept.
    pub(super) keys: Vec<usize>,
    pub(super) counts: Counts,
}

impl Plan {
    pub(super) fn make(mut known: Known, orders: &[NewJob], bounds: &Bounds) -> Self {
        let mut plan = Self::default();
        for (index, order) in orders.iter().enumerate() {
            let verdict = plan.one(&mut known, index, order, bounds);
            plan.verdicts.push(verdict);
        }
        plan
    }

    /// Which items were refused for want of room, and by which bound.
    pub(super) fn refused(&self) -> impl Iterator<Item = (usize, Bound)> {
        let full = |(index, verdict): (usize, &Started)| match verdict {
            Started::Full(bound) => Some((index, *bound)),
            _ => None,
        };
        self.verdicts.iter().enumerate().filter_map(full)
    }

    pub(super) fn writes_nothing(&self) -> bool {
        self.jobs.is_empty() && self.nonces.is_empty()
    }

    fn one(&mut self, known: &mut Known, index: usize, order: &NewJob, bounds: &Bounds) -> Started {
        let spend = known.spends.get(index).cloned().flatten();
        if let Some(spend) = &spend {
            if known.nonces.contains(spend) {
                return Started::Replayed;
            }
            let of_scope = known.nonces_of_scope.get(&spend.0).copied().unwrap_or_default();
            if of_scope >= bounds.nonces_per_key || known.nonces_in_all >= bounds.nonces {
                return Started::Full(Bound::Nonces);
            }
        }
        let verdict = match earlier(known, order) {
            Some(verdict) => verdict,
            None => {
                // What is refused must not have taken room.
                let taken = known.ids.contains(order.id.as_str());
                match (known.room.take(order.owner.as_str()), taken) {
                    (Err(bound), _) => return Started::Full(bound),
                    (Ok(()), true) => {
                        known.room.give_back(order.owner.as_str());
                        return Started::IdTaken;
                    }
                    (Ok(()), false) => self.create(known, index, order),
                }
            }
        };
        if let Some(spend) = spend {
            *known.nonces_of_scope.entry(spend.0).or_default() += 1;
            known.nonces_in_all += 1;
            self.nonces.push((spend.0, index));
            known.nonces.insert(spend);
        }
        verdict
    }

    fn create(&mut self, known: &mut Known, index: usize, order: &NewJob) -> Started {
        let owner = order.owner.as_str();
        known.ids.insert(order.id.as_str().to_owned());
        if let Some(key) = &order.idempotency {
            let used = KeyUse { digest: key.digest.to_vec(), job: order.id.as_str().to_owned() };
            known.keys.insert((owner.to_owned(), key.key.as_str().to_owned()), used);
            self.keys.push(index);
        }
        // Behind its own jobs, and abreast of the first jobs of everybody else.
        let last = known.last_rank.entry(owner.to_owned()).or_default();
        *last = (*last).max(known.turn).saturating_add(1);
        self.jobs.push((index, *last));
        self.counts.add(owner, 1);
        self.counts.add_stored(1);
        Started::Created
    }
}

/// What an earlier start under the same idempotency key makes of this one.
fn earlier(known: &Known, order: &NewJob) -> Option<Started> {
    let key = order.idempotency.as_ref()?;
    let used = known.keys.get(&(order.owner.as_str().to_owned(), key.key.as_str().to_owned()))?;
    if used.digest != key.digest {
        return Some(Started::Conflict);
    }
    // An id that does not read back stands for no job that could be shown.
    let id = JobId::new(used.job.clone()).ok()?;
    Some(Started::Existing { id, snapshot: None })
}

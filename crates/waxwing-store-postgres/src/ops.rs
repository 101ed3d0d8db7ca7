//! What the store does in the database, each thought in a file of its own.

mod claim;
mod client;
mod fate;
mod guard;
mod job;
mod plan;
mod scope;
mod start;
mod upkeep;
mod view;
mod work;
mod write;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use waxwing_jobs::{Bounds, StoreError};

use crate::database::Database;
use crate::error::Error;

/// Where the operations meet: the database, the bounds, and what is remembered of both.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) database: Database,
    bounds: Bounds,
    scopes: scope::Scopes,
    /// How many nonces were kept of each, and in all (0), when that was last told.
    kept: Mutex<HashMap<i64, i64>>,
    /// The longest lease that the database is known to know of.
    longest_lease_ms: Mutex<u64>,
}

impl Core {
    pub(crate) fn new(database: Database, bounds: Bounds) -> Self {
        let (kept, longest_lease_ms) = (Mutex::default(), Mutex::default());
        Self { database, bounds, scopes: scope::Scopes::default(), kept, longest_lease_ms }
    }

    fn is_longer_lease(&self, lease_ms: u64) -> bool {
        *self.longest_lease_ms.lock().unwrap_or_else(PoisonError::into_inner) < lease_ms
    }

    fn knows_lease(&self, lease_ms: u64) {
        let mut known = self.longest_lease_ms.lock().unwrap_or_else(PoisonError::into_inner);
        *known = lease_ms.max(*known);
    }
}

/// Whether an error says that a job's row does not read back, and in which way.
fn damage(error: Error) -> Result<String, Error> {
    match error {
        Error::Store(StoreError::Corrupt(why)) => Ok(why),
        error => Err(error),
    }
}

#[cfg(test)]
mod tests;

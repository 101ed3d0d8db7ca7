//! What the store does in the database, each thought in a file of its own.

mod claim;
mod client;
mod guard;
mod job;
mod plan;
mod start;
mod upkeep;
mod view;
mod work;
mod write;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio_postgres::Row;
use waxwing_jobs::{Bounds, StoreError};

use crate::database::{Batch, Database, Fate};
use crate::error::Error;

/// Where the operations meet: the database, the bounds, and what is remembered of both.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) database: Database,
    bounds: Bounds,
    /// The numbers of (server, client, key), which never change.
    scopes: Mutex<HashMap<String, i64>>,
    /// How many nonces were kept of each, and in all (0), when that was last told.
    kept: Mutex<HashMap<i64, i64>>,
    /// The longest lease that the database is known to know of.
    longest_lease_ms: Mutex<u64>,
}

impl Core {
    pub(crate) fn new(database: Database, bounds: Bounds) -> Self {
        let (scopes, kept, longest_lease_ms) =
            (Mutex::default(), Mutex::default(), Mutex::default());
        Self { database, bounds, scopes, kept, longest_lease_ms }
    }

    /// What became of a write: written or not, and never in doubt.
    async fn decided(&self, batch: Batch, written: Result<Vec<Row>, Error>) -> Result<(), Error> {
        match written {
            Ok(_) => Ok(()),
            Err(Error::Lost(why)) => match self.database.fate(batch).await? {
                Fate::Committed => Ok(()),
                Fate::Never => Err(Error::Lost(why)),
            },
            Err(error) => Err(error),
        }
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

//! The file's own time. It is kept in the file and never goes back; every process carries it on with
//! its own clock, and none stays behind what another has written.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::{Connection, TransactionBehavior, params};
use waxwing_jobs::{Clock, StoreError};

use crate::error::Error;
use crate::files::{Company, Presence};
use crate::row::{integer, natural};

/// This process's clock, moved to the file's time.
#[derive(Debug)]
pub(crate) struct FileClock {
    own: Arc<dyn Clock>,
    ahead_ms: AtomicU64,
}

impl FileClock {
    pub(crate) fn new(own: Arc<dyn Clock>) -> Self {
        Self { own, ahead_ms: AtomicU64::new(0) }
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.own.now_ms().saturating_add(self.ahead_ms.load(Ordering::SeqCst))
    }

    /// Takes notice of the time that is kept in the file.
    pub(crate) fn catch_up(&self, kept_ms: u64) {
        self.ahead_ms.fetch_max(kept_ms.saturating_sub(self.own.now_ms()), Ordering::SeqCst);
    }
}

/// Brings the clock and the file together, and says that this process has the file open.
///
/// Where the file's time is ahead, this process's clock was set back: the file's counts. Where the
/// clock is ahead, either time has passed while nobody had the file open, or the clocks of two
/// processes differ: then the leases of the living move with the file's time.
pub(crate) fn join(
    connection: &mut Connection,
    path: &Path,
    clock: &FileClock,
) -> Result<(Presence, Company), StoreError> {
    Ok(meet(connection, path, clock)?)
}

fn meet(
    connection: &mut Connection,
    path: &Path,
    clock: &FileClock,
) -> Result<(Presence, Company), Error> {
    // The transaction also keeps two processes from looking for each other at once.
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (presence, company) = Presence::announce(path)?;
    const KEPT: &str = "SELECT now_ms, longest_lease_ms FROM totals";
    let (kept, longest) = tx.query_row(KEPT, [], |row| Ok((natural(row, 0)?, natural(row, 1)?)))?;
    clock.catch_up(kept);
    let now = clock.now_ms();
    if company == Company::Others {
        const MOVE: &str = "UPDATE jobs SET lease_until_ms = min(lease_until_ms, ?2) + ?3
            WHERE lease_until_ms > ?1";
        let latest = integer(kept.saturating_add(longest));
        tx.execute(MOVE, params![integer(kept), latest, integer(now - kept)])?;
    }
    tx.execute("UPDATE totals SET now_ms = ?1", [integer(now)])?;
    tx.commit()?;
    Ok((presence, company))
}

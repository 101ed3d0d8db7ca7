//! A job whose rows do not read back: it fails, for everybody to see, and stands in nobody's way.

use rusqlite::params;
use waxwing_jobs::{StoreError, record};

use super::Tx;
use crate::error::Error;

impl Tx<'_> {
    /// Does something to one job, wholly or not at all, within the operation.
    pub(super) fn undoing<T>(&self, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        self.execute("SAVEPOINT job", [])?;
        let done = work();
        if done.is_err() {
            self.execute("ROLLBACK TO job", [])?;
        }
        self.execute("RELEASE job", [])?;
        done
    }

    /// What was done to the job, or `None` when its rows are damaged, for which it fails.
    pub(super) fn or_condemn<T>(
        &self,
        seq: i64,
        done: Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let error = match done {
            Ok(done) => return Ok(Some(done)),
            Err(error) => error,
        };
        let Some(why) = error.damage() else { return Err(error) };
        tracing::error!(job = seq, why, "a job's rows are damaged; the job fails");
        self.condemn(seq)?;
        Ok(None)
    }

    /// Fails a job of which nothing but its number is known to be right.
    pub(super) fn condemn(&self, seq: i64) -> Result<(), Error> {
        const READ: &str = "SELECT min(max(failures, 0), 4294967294) + 1, attempts,
            stage IN ('queued', 'running', 'parked') FROM jobs WHERE seq = ?1";
        let found = self.one(READ, [seq], |row| {
            let attempts = row.get_ref(1)?.as_str_or_null().ok().flatten().map(str::to_owned);
            Ok((row.get::<_, u32>(0)?, attempts, row.get::<_, bool>(2)?))
        })?;
        let Some((number, attempts, unfinished)) = found else { return Ok(()) };
        let attempts = record::condemned_attempts(attempts.as_deref(), number, self.now)?;
        // Any of the numbers may be the damaged one: all of them are made such as read back.
        const FAIL: &str = "UPDATE jobs SET stage = 'failed', ready_ms = NULL, rank = NULL,
            lease_until_ms = NULL, room_until_ms = NULL, failures = ?2, attempts = ?3,
            epoch = min(max(epoch, 0), 9000000000000000000) + 1,
            version = min(max(version, 0), 9000000000000000000) + 1,
            max_attempts = min(max(max_attempts, 1), 4294967295),
            created_ms = max(created_ms, 0), expires_ms = max(expires_ms, 0)
            WHERE seq = ?1";
        self.execute(FAIL, params![seq, number, attempts])?;
        if unfinished {
            self.execute("UPDATE totals SET unfinished = unfinished - 1", [])?;
            const CLIENT: &str = "UPDATE clients SET unfinished = unfinished - 1
                WHERE client = (SELECT owner FROM jobs WHERE seq = ?1)";
            self.execute(CLIENT, [seq])?;
        }
        Ok(())
    }

    /// The number of the job of this id.
    pub(super) fn seq(&self, id: &str) -> rusqlite::Result<Option<i64>> {
        self.one("SELECT seq FROM jobs WHERE id = ?1", [id], |row| row.get(0))
    }

    /// Reads one row, which is there if anything is.
    pub(crate) fn look(&self) -> Result<(), Error> {
        let found = self.one("SELECT one FROM totals", [], |_| Ok(()))?;
        found.ok_or_else(|| StoreError::Corrupt("the totals are missing".to_owned()).into())
    }
}

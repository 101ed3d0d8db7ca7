//! A sweep: leases that ran out, and everything whose time is over.

use rusqlite::params;
use waxwing_jobs::{Swept, settlement};

use super::Tx;
use crate::error::Error;
use crate::row::{HOT, Hot, integer, natural};

/// A job whose time has come, should it read back.
struct Due {
    seq: i64,
    hot: rusqlite::Result<Hot>,
}

impl Tx<'_> {
    pub(crate) fn sweep(&self, limit: usize) -> Result<Swept, Error> {
        Ok(Swept {
            lapsed: self.lapse(limit)?,
            jobs: self.expire_jobs(limit)?,
            nonces: self.forget_nonces(limit)?,
            keys: self.forget_keys(limit)?,
        })
    }

    fn due(&self, condition: &str, limit: usize) -> rusqlite::Result<Vec<Due>> {
        let sql = format!("SELECT {HOT} FROM jobs WHERE {condition} LIMIT ?2");
        self.all(&sql, params![integer(self.now), integer(limit as u64)], |row| {
            Ok(Due { seq: row.get(0)?, hot: Hot::read(row) })
        })
    }

    fn lapse(&self, limit: usize) -> Result<usize, Error> {
        self.shorten_leases()?;
        let due = self.due("lease_until_ms <= ?1 ORDER BY lease_until_ms", limit)?;
        let mut lapsed = 0;
        for Due { seq, hot } in due {
            let done = self.undoing(|| {
                let hot = hot?;
                let Some(made) = settlement::lapse(hot.life, self.now) else { return Ok(0) };
                self.apply(&hot, &made)?;
                Ok(1)
            });
            lapsed += self.or_condemn(seq, done)?.unwrap_or(1);
        }
        Ok(lapsed)
    }

    /// A lease further ahead than any that was given is not one: it would hold its job for ever.
    fn shorten_leases(&self) -> rusqlite::Result<()> {
        const LONGEST: &str = "SELECT longest_lease_ms FROM totals";
        let longest = self.one(LONGEST, [], |row| natural(row, 0))?.unwrap_or_default();
        const SQL: &str = "UPDATE jobs SET lease_until_ms = ?1 WHERE lease_until_ms > ?1";
        self.execute(SQL, [integer(self.now.saturating_add(longest))]).map(drop)
    }

    /// Deletes jobs whose lifetime is over.
    pub(super) fn expire_jobs(&self, limit: usize) -> Result<usize, Error> {
        let due = self.due("expires_ms <= ?1 ORDER BY expires_ms", limit)?;
        let count = due.len();
        for Due { seq, hot } in due {
            if let Some(hot) = self.or_condemn(seq, hot.map_err(Error::from))? {
                self.delete(&hot)?;
            } else {
                self.delete_rows(seq)?;
            }
        }
        Ok(count)
    }

    pub(super) fn delete(&self, hot: &Hot) -> Result<(), Error> {
        self.delete_rows(hot.seq)?;
        if !hot.life.stage.is_terminal() {
            self.count_unfinished(&hot.owner, -1)?;
        }
        Ok(())
    }

    fn delete_rows(&self, seq: i64) -> rusqlite::Result<()> {
        const TABLES: [&str; 5] = [
            "DELETE FROM jobs WHERE seq = ?1",
            "DELETE FROM inputs WHERE job = ?1",
            "DELETE FROM outputs WHERE job = ?1",
            "DELETE FROM checkpoints WHERE job = ?1",
            "DELETE FROM exchanges WHERE job = ?1",
        ];
        for sql in TABLES {
            self.execute(sql, [seq])?;
        }
        self.count_deleted()
    }
}

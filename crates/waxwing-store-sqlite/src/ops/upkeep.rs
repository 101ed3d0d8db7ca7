//! A sweep: leases that ran out, and everything whose time is over.

use rusqlite::params;
use waxwing_jobs::{Swept, settlement};

use super::Tx;
use crate::error::Error;
use crate::row::{HOT, Hot, integer};

impl Tx<'_> {
    pub(crate) fn sweep(&self, limit: usize) -> Result<Swept, Error> {
        Ok(Swept {
            lapsed: self.lapse(limit)?,
            jobs: self.expire_jobs(limit)?,
            nonces: self.forget_nonces(limit)?,
            keys: self.forget_keys(limit)?,
        })
    }

    fn due(&self, condition: &str, limit: usize) -> rusqlite::Result<Vec<Hot>> {
        let sql = format!("SELECT {HOT} FROM jobs WHERE {condition} LIMIT ?2");
        self.all(&sql, params![integer(self.now), integer(limit as u64)], Hot::read)
    }

    fn lapse(&self, limit: usize) -> Result<usize, Error> {
        let mut lapsed = 0;
        for hot in self.due("lease_until_ms <= ?1 ORDER BY lease_until_ms", limit)? {
            if let Some(made) = settlement::lapse(hot.life, self.now) {
                self.apply(&hot, &made)?;
                lapsed += 1;
            }
        }
        Ok(lapsed)
    }

    /// Deletes jobs whose lifetime is over.
    pub(super) fn expire_jobs(&self, limit: usize) -> Result<usize, Error> {
        let due = self.due("expires_ms <= ?1 ORDER BY expires_ms", limit)?;
        due.iter().try_for_each(|hot| self.delete(hot))?;
        Ok(due.len())
    }

    pub(super) fn delete(&self, hot: &Hot) -> Result<(), Error> {
        const TABLES: [&str; 5] = [
            "DELETE FROM jobs WHERE seq = ?1",
            "DELETE FROM inputs WHERE job = ?1",
            "DELETE FROM outputs WHERE job = ?1",
            "DELETE FROM checkpoints WHERE job = ?1",
            "DELETE FROM exchanges WHERE job = ?1",
        ];
        for sql in TABLES {
            self.execute(sql, [hot.seq])?;
        }
        if !hot.life.stage.is_terminal() {
            self.count_unfinished(&hot.owner, -1)?;
        }
        Ok(())
    }
}

//! A sweep: leases that ran out, and everything whose time is over.

use rusqlite::params;
use waxwing_jobs::{Remaining, Swept, settlement};

use super::Tx;
use crate::error::Error;
use crate::row::{HOT, Hot, integer, natural};

/// A job whose time has come, should it read back.
struct Due {
    seq: i64,
    hot: rusqlite::Result<Hot>,
}

/// The most jobs that one start deletes so that there is room for its own.
const MOST_MADE_ROOM_FOR: usize = 500;

impl Tx<'_> {
    pub(crate) fn sweep(&self, limit: usize) -> Result<Swept, Error> {
        let lapsed = self.lapse(limit)?;
        let (jobs, unfinished) = self.expire_jobs(limit)?;
        let nonces = self.forget_nonces(limit)?;
        let keys = self.forget_keys(limit)?;
        let remaining = Remaining::after([lapsed, jobs, nonces, keys], limit);
        Ok(Swept { lapsed, jobs, unfinished, nonces, keys, remaining })
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

    /// Deletes jobs whose lifetime is over: how many, and how many of them had not ended.
    fn expire_jobs(&self, limit: usize) -> Result<(usize, usize), Error> {
        self.expire(self.due("expires_ms <= ?1 ORDER BY expires_ms", limit)?)
    }

    /// Deletes unfinished jobs whose lifetime is over, up to a sweep's limit: they take no room.
    pub(super) fn make_room(&self) -> Result<(), Error> {
        let due = self.due("room_until_ms <= ?1 ORDER BY room_until_ms", MOST_MADE_ROOM_FOR)?;
        self.expire(due).map(drop)
    }

    fn expire(&self, due: Vec<Due>) -> Result<(usize, usize), Error> {
        let (count, mut unfinished) = (due.len(), 0);
        for Due { seq, hot } in due {
            if let Some(hot) = self.or_condemn(seq, hot.map_err(Error::from))? {
                unfinished += usize::from(!hot.life.stage.is_terminal());
                self.delete(&hot)?;
            } else {
                self.delete_rows(seq)?;
            }
        }
        Ok((count, unfinished))
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

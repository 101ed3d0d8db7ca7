//! Counts and turns: how much is unfinished, and whose job is next.

use rusqlite::params;
use waxwing_jobs::Bound;

use super::Tx;
use crate::error::Error;
use crate::row::{integer, natural};

impl Tx<'_> {
    /// Unfinished jobs of this client, and the last place it was given.
    fn client(&self, owner: &str) -> rusqlite::Result<(u64, u64)> {
        const SQL: &str = "SELECT unfinished, last_rank FROM clients WHERE client = ?1";
        let found = self.one(SQL, [owner], |row| Ok((natural(row, 0)?, natural(row, 1)?)))?;
        Ok(found.unwrap_or_default())
    }

    /// Which bound leaves no room for one more job of this client.
    pub(super) fn room(&self, owner: &str) -> Result<Option<Bound>, Error> {
        if self.full(owner)?.is_none() {
            return Ok(None);
        }
        // Only what still lives may refuse: make sure that nothing else is counted.
        while self.expire_jobs(1000)? > 0 {}
        Ok(self.full(owner)?)
    }

    fn full(&self, owner: &str) -> rusqlite::Result<Option<Bound>> {
        if self.client(owner)?.0 >= self.bounds.unfinished_per_client {
            return Ok(Some(Bound::ClientJobs));
        }
        const SQL: &str = "SELECT unfinished FROM totals";
        let unfinished = self.one(SQL, [], |row| natural(row, 0))?.unwrap_or_default();
        Ok((unfinished >= self.bounds.unfinished).then_some(Bound::AllJobs))
    }

    /// Counts unfinished jobs that came (+1) or went (-1).
    pub(super) fn count_unfinished(&self, owner: &str, change: i64) -> rusqlite::Result<()> {
        self.execute("UPDATE totals SET unfinished = unfinished + ?1", [change])?;
        const SQL: &str = "INSERT INTO clients (client, unfinished, last_rank) VALUES (?1, ?2, 0)
            ON CONFLICT (client) DO UPDATE SET unfinished = unfinished + ?2";
        self.execute(SQL, params![owner, change]).map(|_| ())
    }

    /// The next place in the queue for this client: behind its own jobs, and abreast of the first
    /// jobs of everybody else.
    pub(super) fn place(&self, owner: &str) -> rusqlite::Result<u64> {
        const TURN: &str = "SELECT turn FROM totals";
        let turn = self.one(TURN, [], |row| natural(row, 0))?.unwrap_or_default();
        let rank = self.client(owner)?.1.max(turn).saturating_add(1);
        const SQL: &str = "INSERT INTO clients (client, unfinished, last_rank) VALUES (?1, 0, ?2)
            ON CONFLICT (client) DO UPDATE SET last_rank = ?2";
        self.execute(SQL, params![owner, integer(rank)])?;
        Ok(rank)
    }

    /// Moves the turn to a place that was claimed.
    pub(super) fn take_turn(&self, rank: u64) -> rusqlite::Result<()> {
        self.execute("UPDATE totals SET turn = max(turn, ?1)", [integer(rank)]).map(|_| ())
    }
}

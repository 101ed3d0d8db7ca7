//! Counts and turns: how much is unfinished, and whose job is next.

use std::collections::BTreeSet;

use rusqlite::{Row, params};
use waxwing_jobs::{Bound, Bounds, Claim};

use super::Tx;
use crate::error::Error;
use crate::row::{integer, natural};

/// What decides whether there is room for one more job of a client, and its place in the queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    /// Unfinished jobs of this client.
    own: u64,
    /// Unfinished jobs in all.
    all: u64,
    /// The last place this client was given.
    last_rank: u64,
    /// The highest place that was claimed.
    turn: u64,
}

impl Standing {
    fn full(&self, bounds: &Bounds) -> Option<Bound> {
        if self.own >= bounds.unfinished_per_client {
            return Some(Bound::ClientJobs);
        }
        (self.all >= bounds.unfinished).then_some(Bound::AllJobs)
    }

    /// Behind the client's own jobs, and abreast of the first jobs of everybody else.
    fn next_rank(&self) -> u64 {
        self.last_rank.max(self.turn).saturating_add(1)
    }
}

impl Tx<'_> {
    fn standing(&self, owner: &str) -> rusqlite::Result<Standing> {
        const SQL: &str = "SELECT coalesce(clients.unfinished, 0), totals.unfinished,
            coalesce(last_rank, 0), turn FROM totals LEFT JOIN clients ON client = ?1";
        let read = |row: &Row<'_>| {
            let [own, all, last_rank, turn] =
                [natural(row, 0)?, natural(row, 1)?, natural(row, 2)?, natural(row, 3)?];
            Ok(Standing { own, all, last_rank, turn })
        };
        self.statement(SQL)?.query_row([owner], read)
    }

    /// Where this client stands, when there is room for one more job of it.
    pub(super) fn standing_with_room(&self, owner: &str) -> Result<Result<Standing, Bound>, Error> {
        let standing = self.standing(owner)?;
        if standing.full(self.bounds).is_none() {
            return Ok(Ok(standing));
        }
        // Only what still lives may refuse: make sure that nothing else is counted.
        self.make_room()?;
        let standing = self.standing(owner)?;
        Ok(standing.full(self.bounds).map_or(Ok(standing), Err))
    }

    /// Which bound leaves no room for one more job of this client.
    pub(super) fn room(&self, owner: &str) -> Result<Option<Bound>, Error> {
        Ok(self.standing_with_room(owner)?.err())
    }

    /// Counts a new job of this client, which stands so, and gives it its place in the queue.
    pub(super) fn enter(&self, owner: &str, standing: Standing) -> rusqlite::Result<u64> {
        let rank = standing.next_rank();
        const CLIENT: &str =
            "INSERT INTO clients (client, unfinished, last_rank) VALUES (?1, 1, ?2)
            ON CONFLICT (client) DO UPDATE SET unfinished = unfinished + 1, last_rank = ?2";
        self.execute(CLIENT, params![owner, integer(rank)])?;
        self.execute("UPDATE totals SET unfinished = unfinished + 1, stored = stored + 1", [])?;
        Ok(rank)
    }

    /// Counts a stored job that went, whatever its stage.
    pub(super) fn count_deleted(&self) -> rusqlite::Result<()> {
        self.execute("UPDATE totals SET stored = stored - 1", []).map(drop)
    }

    /// Counts unfinished jobs that came (+1) or went (-1).
    pub(super) fn count_unfinished(&self, owner: &str, change: i64) -> rusqlite::Result<()> {
        self.execute("UPDATE totals SET unfinished = unfinished + ?1", [change])?;
        const SQL: &str = "INSERT INTO clients (client, unfinished, last_rank) VALUES (?1, ?2, 0)
            ON CONFLICT (client) DO UPDATE SET unfinished = unfinished + ?2";
        self.execute(SQL, params![owner, change]).map(|_| ())
    }

    /// The next place in the queue for this client.
    pub(super) fn place(&self, owner: &str) -> rusqlite::Result<u64> {
        let rank = self.standing(owner)?.next_rank();
        const SQL: &str = "INSERT INTO clients (client, unfinished, last_rank) VALUES (?1, 0, ?2)
            ON CONFLICT (client) DO UPDATE SET last_rank = ?2";
        self.execute(SQL, params![owner, integer(rank)])?;
        Ok(rank)
    }

    /// The places of the first jobs in the queue that may be claimed, by their numbers. Each kind's
    /// queue is read only as far as it is among the first of all.
    pub(super) fn first_in_queue(&self, claim: &Claim) -> rusqlite::Result<BTreeSet<(i64, i64)>> {
        const SQL: &str = "SELECT rank, seq FROM jobs
            WHERE kind = ?1 AND rank IS NOT NULL AND +expires_ms > ?2 ORDER BY rank, seq";
        let mut first = BTreeSet::new();
        for kind in &claim.kinds {
            let mut statement = self.statement(SQL)?;
            let mut rows = statement.query(params![kind.as_str(), integer(self.now)])?;
            while let Some(row) = rows.next()? {
                let place = (row.get(0)?, row.get(1)?);
                first.insert(place);
                if first.len() > claim.max && first.pop_last() == Some(place) {
                    break;
                }
            }
        }
        Ok(first)
    }

    /// Moves the turn to a place that was claimed.
    pub(super) fn take_turn(&self, rank: u64) -> rusqlite::Result<()> {
        self.execute("UPDATE totals SET turn = max(turn, ?1)", [integer(rank)]).map(|_| ())
    }
}

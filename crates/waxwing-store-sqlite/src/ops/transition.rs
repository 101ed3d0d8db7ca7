//! Stores what the state machine decided, under the guard of what it decided on.

use rusqlite::params;
use waxwing_jobs::settlement::{self, Settlement, Write};
use waxwing_jobs::state::{Life, Stage};
use waxwing_jobs::{Exchange, StoreError, record};

use super::Tx;
use crate::error::Error;
use crate::row::{HOT, Hot, integer, missing};

impl Tx<'_> {
    /// The job of this id, expired or not.
    pub(super) fn hot(&self, id: &str) -> rusqlite::Result<Option<Hot>> {
        let sql = &format!("SELECT {HOT} FROM jobs WHERE id = ?1");
        self.one(sql, [id], Hot::read)
    }

    /// The job of this owner and id, unless it is expired. Somebody else's job is missed in the
    /// index, as one that never was.
    pub(super) fn owned(&self, owner: &str, id: &str) -> rusqlite::Result<Option<Hot>> {
        let sql = &format!("SELECT {HOT} FROM jobs WHERE id = ?1 AND owner = ?2");
        let found = self.one(sql, [id, owner], Hot::read)?;
        Ok(found.filter(|hot| !hot.life.is_expired(self.now)))
    }

    /// Stores the life that follows. The row must still be as it was read, or nothing is right.
    pub(super) fn advance(&self, hot: &Hot, next: &Life) -> Result<(), Error> {
        self.advance_by(None, hot, next)
    }

    /// The same; a worker that is named is the job's from now on.
    pub(super) fn advance_by(
        &self,
        worker: Option<&str>,
        hot: &Hot,
        next: &Life,
    ) -> Result<(), Error> {
        let (mut ready, mut lease, mut rank) = (None, None, None);
        match next.stage {
            Stage::Queued { ready_ms } => {
                ready = Some(integer(ready_ms));
                if ready_ms <= self.now {
                    rank = Some(integer(self.place(&hot.owner)?));
                }
            }
            Stage::Running { lease_until_ms, .. } => lease = Some(integer(lease_until_ms)),
            Stage::Parked | Stage::Completed | Stage::Failed | Stage::Cancelled => {}
        }
        // Named only when it changes: its index is then written for a start and an end alone.
        let room = if next.stage.is_terminal() { "room_until_ms = NULL," } else { "" };
        let sql = format!(
            "UPDATE jobs SET {room} stage = ?4, ready_ms = ?5, rank = ?6,
            lease_until_ms = ?7, epoch = ?8, failures = ?9, version = ?10,
            worker = coalesce(?11, worker)
            WHERE seq = ?1 AND epoch = ?2 AND stage = ?3"
        );
        let changed = self.execute(
            &sql,
            params![
                hot.seq,
                integer(hot.life.epoch),
                hot.life.stage.name().as_str(),
                next.stage.name().as_str(),
                ready,
                rank,
                lease,
                integer(next.epoch),
                next.failures,
                integer(next.version),
                worker,
            ],
        )?;
        if changed != 1 {
            return Err(StoreError::Fault("a job changed under its writer".to_owned()).into());
        }
        match (hot.life.stage.is_terminal(), next.stage.is_terminal()) {
            (false, true) => self.count_unfinished(&hot.owner, -1)?,
            (true, false) => self.count_unfinished(&hot.owner, 1)?,
            (false, false) | (true, true) => {}
        }
        Ok(())
    }

    /// Stores a settlement: the life that follows and what goes with it.
    pub(super) fn apply(&self, hot: &Hot, settlement: &Settlement) -> Result<(), Error> {
        self.advance(hot, &settlement.life)?;
        match &settlement.write {
            Write::Nothing => {}
            Write::Output(output) => {
                const SQL: &str = "INSERT INTO outputs (job, output) VALUES (?1, ?2)";
                self.execute(SQL, params![hot.seq, output.as_str()])?;
            }
            Write::Attempt(attempt) => {
                const READ: &str = "SELECT attempts FROM jobs WHERE seq = ?1";
                let text = self.one(READ, [hot.seq], |row| row.get::<_, Option<String>>(0))?;
                let mut attempts = match text.flatten() {
                    Some(text) => record::attempts_from_text(&text)?,
                    None => Vec::new(),
                };
                settlement::list_attempt(&mut attempts, attempt.clone());
                const SQL: &str = "UPDATE jobs SET attempts = ?2 WHERE seq = ?1";
                self.execute(SQL, params![hot.seq, record::attempts_to_text(&attempts)?])?;
            }
            Write::Asked(exchange, checkpoint) => {
                self.keep_exchange(hot.seq, exchange)?;
                if let Some(checkpoint) = checkpoint {
                    self.keep_checkpoint(hot.seq, checkpoint.as_str())?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn keep_checkpoint(&self, seq: i64, checkpoint: &str) -> rusqlite::Result<()> {
        const SQL: &str = "INSERT INTO checkpoints (job, checkpoint) VALUES (?1, ?2)
            ON CONFLICT (job) DO UPDATE SET checkpoint = ?2";
        self.execute(SQL, params![seq, checkpoint]).map(|_| ())
    }

    pub(super) fn exchange(&self, seq: i64) -> Result<Exchange, Error> {
        const SQL: &str = "SELECT requests, answers FROM exchanges WHERE job = ?1";
        let texts =
            self.one(SQL, [seq], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
        let Some((requests, answers)) = texts else { return Ok(Exchange::default()) };
        let requests = record::requests_from_text(&requests)?;
        Ok(Exchange::restore(Some(requests), record::answers_from_text(&answers)?))
    }

    pub(super) fn keep_exchange(&self, seq: i64, exchange: &Exchange) -> Result<(), Error> {
        let requests = exchange.asked().ok_or_else(|| missing("the requests"))?;
        const SQL: &str = "INSERT INTO exchanges (job, requests, answers) VALUES (?1, ?2, ?3)
            ON CONFLICT (job) DO UPDATE SET requests = ?2, answers = ?3";
        let requests = record::requests_to_text(&requests)?;
        let answers = record::answers_to_text(exchange.answers())?;
        self.execute(SQL, params![seq, requests, answers])?;
        Ok(())
    }
}

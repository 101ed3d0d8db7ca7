//! A start: nonce, idempotency key, bounds and job, all in one commit.

use rusqlite::params;
use waxwing_core::JobId;
use waxwing_jobs::state::Life;
use waxwing_jobs::{Admission, Bound, NewJob, Started};

use super::queue::Standing;
use super::{Tx, view};
use crate::error::Error;
use crate::row::integer;

impl Tx<'_> {
    pub(crate) fn start(&self, job: &NewJob) -> Result<Started, Error> {
        if let Some(nonce) = &job.nonce {
            match self.check(nonce)? {
                Admission::Fresh => {}
                Admission::Replayed => return Ok(Started::Replayed),
                Admission::Full => return Ok(Started::Full(Bound::Nonces)),
            }
        }
        let owner = job.owner.as_str();
        let verdict = match self.earlier(job)? {
            Some(verdict) => verdict,
            None => {
                let standing = match self.standing_with_room(owner)? {
                    Ok(standing) => standing,
                    Err(bound) => return Ok(Started::Full(bound)),
                };
                if self.seq(job.id.as_str())?.is_some() {
                    return Ok(Started::IdTaken);
                }
                if let Some(key) = &job.idempotency {
                    self.keep_key(owner, key, job.id.as_str())?;
                }
                self.insert(job, standing)?;
                Started::Created
            }
        };
        if let Some(nonce) = &job.nonce {
            self.spend(nonce)?;
        }
        Ok(verdict)
    }

    /// What an earlier start under the same idempotency key makes of this one.
    fn earlier(&self, job: &NewJob) -> Result<Option<Started>, Error> {
        let Some(key) = &job.idempotency else { return Ok(None) };
        let Some(used) = self.key_use(job.owner.as_str(), key)? else { return Ok(None) };
        if used.digest != key.digest {
            return Ok(Some(Started::Conflict));
        }
        let id = JobId::new(used.job)?;
        let snapshot = view::snapshot(self.connection, &job.owner, &id, self.now)?.map(Box::new);
        Ok(Some(Started::Existing { id, snapshot }))
    }

    fn insert(&self, job: &NewJob, standing: Standing) -> Result<(), Error> {
        let life = Life::new(self.now, job.ttl, job.max_attempts);
        let rank = self.enter(job.owner.as_str(), standing)?;
        const JOB: &str = "INSERT INTO jobs (id, owner, kind, stage, ready_ms, rank, epoch,
            failures, max_attempts, version, created_ms, expires_ms, room_until_ms)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12)";
        self.execute(
            JOB,
            params![
                job.id.as_str(),
                job.owner.as_str(),
                job.kind.as_str(),
                life.stage.name().as_str(),
                integer(life.created_ms),
                integer(rank),
                integer(life.epoch),
                life.failures,
                life.max_attempts,
                integer(life.version),
                integer(life.created_ms),
                integer(life.expires_ms),
            ],
        )?;
        let seq = self.connection.last_insert_rowid();
        const INPUT: &str = "INSERT INTO inputs (job, input) VALUES (?1, ?2)";
        self.execute(INPUT, params![seq, job.input.as_str()])?;
        Ok(())
    }
}

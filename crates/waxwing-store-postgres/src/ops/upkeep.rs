//! A sweep: leases that ran out, and everything whose time is over. One statement tells whether
//! there is anything to do.

use tokio_postgres::types::Type;
use waxwing_jobs::{Swept, settlement};

use super::{Core, damage};
use crate::database::Patience;
use crate::error::Error;
use crate::row::{get, integer, number};

/// What there is to do: lapsed leases and such as lie further ahead than any that was given, then
/// jobs, nonces, keys, names of commits.
const DUE: &str = "
WITH clock AS MATERIALIZED (SELECT @now_ms() AS ms),
longest AS MATERIALIZED (SELECT ms + longest_lease_ms AS ms FROM @waxwing, clock)
SELECT EXISTS (SELECT FROM @jobs WHERE lease_until_ms <= (SELECT ms FROM clock)),
    EXISTS (SELECT FROM @jobs WHERE lease_until_ms > (SELECT ms FROM longest)),
    EXISTS (SELECT FROM @jobs WHERE expires_ms <= (SELECT ms FROM clock)),
    EXISTS (SELECT FROM @nonces WHERE until_ms <= (SELECT ms FROM clock)),
    EXISTS (SELECT FROM @idempotency WHERE until_ms <= (SELECT ms FROM clock)),
    EXISTS (SELECT FROM @commits WHERE until_ms <= (SELECT ms FROM clock))";

impl Core {
    pub(crate) async fn sweep(&self, limit: usize) -> Result<Swept, Error> {
        let rows = self.database.ask(DUE, &[]).await?;
        let Some(due) = rows.first() else { return Ok(Swept::default()) };
        let mut swept = Swept::default();
        if get(due, 1)? {
            self.shorten_leases().await?;
        }
        if get(due, 0)? {
            swept.lapsed = self.lapse(limit).await?;
        }
        if get(due, 2)? {
            swept.jobs = self.expire_jobs(limit).await?;
        }
        if get(due, 3)? {
            swept.nonces = self.forget_nonces(limit).await?;
        }
        if get(due, 4)? {
            swept.keys = self.forget_keys(limit).await?;
        }
        if get(due, 5)? {
            self.forget_commits(limit).await?;
        }
        Ok(swept)
    }

    async fn lapse(&self, limit: usize) -> Result<usize, Error> {
        const DUE: &str = "lease_until_ms <= clock.ms AND expires_ms + 0 > clock.ms
            ORDER BY lease_until_ms LIMIT $1";
        let limit = integer(limit as u64);
        let mut patience = Patience::new();
        loop {
            let mut jobs = self.read_jobs(DUE, &[(&limit, Type::INT8)]).await?;
            let now = jobs.now;
            let mut lapsed = 0;
            for job in &mut jobs.all {
                let made = job.life().map(|life| settlement::lapse(life, now));
                let done = match made {
                    Ok(None) => continue,
                    Ok(Some(made)) => job.apply(made),
                    Err(error) => Err(error),
                };
                if let Err(error) = done {
                    let why = damage(error)?;
                    job.condemn(&why, now)?;
                }
                lapsed += 1;
            }
            match self.write(&jobs).await {
                Ok(()) => return Ok(lapsed),
                Err(error) => patience.bear(error).await?,
            }
        }
    }

    /// A lease further ahead than any that was given is not one: it would hold its job for ever.
    /// Such are left when the database's clock is set back, or another host's takes its place.
    async fn shorten_leases(&self) -> Result<(), Error> {
        const SQL: &str = "
            WITH longest AS MATERIALIZED (SELECT @now_ms() + longest_lease_ms AS ms FROM @waxwing)
            UPDATE @jobs SET lease_until_ms = (SELECT ms FROM longest), revision = revision + 1
            WHERE lease_until_ms > (SELECT ms FROM longest)";
        self.database.ask(SQL, &[]).await.map(drop)
    }

    /// Runs a statement of upkeep with its limit and the place of its counters; it gives a count.
    pub(super) async fn upkeep(&self, sql: &str, limit: usize) -> Result<usize, Error> {
        let slot = self.database.next_batch().slot();
        let limit = integer(limit as u64);
        let values = [(&limit as _, Type::INT8), (&slot as _, Type::INT2)];
        let mut patience = Patience::new();
        loop {
            match self.database.once(sql, &values).await {
                Ok(rows) => return rows.first().map_or(Ok(0), |row| number(get(row, 0)?)),
                Err(error) => patience.bear(error).await?,
            }
        }
    }

    /// Deletes jobs whose lifetime is over.
    pub(super) async fn expire_jobs(&self, limit: usize) -> Result<usize, Error> {
        const SQL: &str = "
            WITH due AS MATERIALIZED (
                SELECT seq FROM @jobs WHERE expires_ms <= (SELECT @now_ms())
                ORDER BY expires_ms LIMIT $1 FOR UPDATE SKIP LOCKED),
            gone AS (
                DELETE FROM @jobs j USING due WHERE j.seq = due.seq RETURNING owner, stage),
            unfinished AS (
                SELECT owner FROM gone WHERE stage IN ('queued', 'running', 'parked')),
            counted AS (
                INSERT INTO @job_counts AS c (client, slot, jobs)
                SELECT owner, $2, -count(*) FROM unfinished GROUP BY owner
                UNION ALL SELECT '', $2, -count(*) FROM unfinished HAVING count(*) > 0
                UNION ALL SELECT ' stored', $2, -count(*) FROM gone HAVING count(*) > 0 ORDER BY 1
                ON CONFLICT (client, slot) DO UPDATE SET jobs = c.jobs + excluded.jobs)
            SELECT count(*) FROM gone";
        self.upkeep(SQL, limit).await
    }

    /// Deletes idempotency keys whose time is over.
    async fn forget_keys(&self, limit: usize) -> Result<usize, Error> {
        const SQL: &str = "
            WITH due AS MATERIALIZED (
                SELECT client, key FROM @idempotency WHERE until_ms <= (SELECT @now_ms())
                ORDER BY until_ms LIMIT $1 FOR UPDATE SKIP LOCKED),
            gone AS (
                DELETE FROM @idempotency k USING due
                WHERE k.client = due.client AND k.key = due.key RETURNING 1)
            SELECT count(*) FROM gone WHERE $2::smallint IS NOT NULL";
        self.upkeep(SQL, limit).await
    }

    /// Deletes names of commits that nobody asks for any more.
    async fn forget_commits(&self, limit: usize) -> Result<usize, Error> {
        const SQL: &str = "
            WITH due AS MATERIALIZED (
                SELECT batch FROM @commits WHERE until_ms <= (SELECT @now_ms())
                ORDER BY until_ms LIMIT $1 FOR UPDATE SKIP LOCKED),
            gone AS (
                DELETE FROM @commits k USING due WHERE k.batch = due.batch RETURNING 1)
            SELECT count(*) FROM gone WHERE $2::smallint IS NOT NULL";
        self.upkeep(SQL, limit).await
    }
}

//! A sweep: leases that ran out, and everything whose time is over. One statement tells whether
//! there is anything to do.

use tokio_postgres::types::Type;
use waxwing_jobs::{Bound, Remaining, Swept, settlement};

use super::guard::MOST_FREED;
use super::job::Depth;
use super::write::Again;
use super::{Core, damage};
use crate::database::Patience;
use crate::error::Error;
use crate::link::Value;
use crate::row::{get, integer, number};

/// What there is to do: lapsed leases and such as lie further ahead than any that was given, then
/// jobs that have expired before they ended and after, nonces, keys, names of commits. The first of
/// each is looked up: whether there is any that is due, the planner might read a whole table for.
const DUE: &str = "
WITH clock AS MATERIALIZED (SELECT @now_ms() AS ms),
longest AS MATERIALIZED (SELECT ms + longest_lease_ms AS ms FROM @waxwing, clock),
leases AS MATERIALIZED (
    SELECT min(lease_until_ms) AS first, max(lease_until_ms) AS last FROM @jobs
    WHERE stage = 'running'),
due AS (
    SELECT (SELECT first FROM leases) AS lease,
        (SELECT min(expires_ms) FROM @jobs WHERE stage IN ('queued', 'running', 'parked')) AS dying,
        (SELECT min(expires_ms) FROM @jobs
            WHERE stage IN ('completed', 'failed', 'cancelled')) AS ended,
        (SELECT min(until_ms) FROM @nonces) AS nonce,
        (SELECT min(until_ms) FROM @idempotency) AS key,
        (SELECT min(until_ms) FROM @commits) AS name)
SELECT coalesce(lease <= ms, false),
    coalesce((SELECT last FROM leases) > (SELECT ms FROM longest), false),
    coalesce(dying <= ms, false), coalesce(ended <= ms, false), coalesce(nonce <= ms, false),
    coalesce(key <= ms, false), coalesce(name <= ms, false)
FROM due, clock";

/// The most names of commits that a sweep deletes: they are short, and every write leaves one.
const MOST_NAMES: usize = 1000;

/// Which expired jobs are meant.
#[derive(Clone, Copy, Debug)]
enum Expired {
    /// Those that had not ended: they still take room.
    Unfinished,
    Ended,
}

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
            swept.unfinished = self.expire_jobs(Expired::Unfinished, limit, &[]).await?;
        }
        swept.jobs = swept.unfinished;
        if get(due, 3)? {
            let left = limit.saturating_sub(swept.jobs);
            swept.jobs += self.expire_jobs(Expired::Ended, left, &[]).await?;
        }
        if get(due, 4)? {
            swept.nonces = self.forget_nonces(limit, &[]).await?;
        }
        if get(due, 5)? {
            swept.keys = self.forget_keys(limit).await?;
        }
        let done = [swept.lapsed, swept.jobs, swept.nonces, swept.keys];
        swept.remaining = Remaining::after(done, limit);
        if get(due, 6)? && self.forget_commits(MOST_NAMES).await? == MOST_NAMES {
            swept.remaining = Remaining::More;
        }
        Ok(swept)
    }

    async fn lapse(&self, limit: usize) -> Result<usize, Error> {
        const DUE: &str = "stage = 'running' AND lease_until_ms <= clock.ms
            AND expires_ms + 0 > clock.ms ORDER BY lease_until_ms LIMIT $1";
        let limit = integer(limit as u64);
        let mut patience = Patience::new();
        loop {
            let mut jobs = self.read_jobs(DUE, &[(&limit, Type::INT8)], Depth::Whole).await?;
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
                    job.next = None;
                    jobs.damaged.push((job.hot.seq, damage(error)?));
                }
                lapsed += 1;
            }
            match self.write(&jobs, Again::Never).await {
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
            WHERE stage = 'running' AND lease_until_ms > (SELECT ms FROM longest)";
        self.database.ask(SQL, &[]).await.map(drop)
    }

    /// Runs a statement of upkeep with its limit, the place of its counters and what else it takes;
    /// it gives a count.
    pub(super) async fn upkeep(
        &self,
        sql: &str,
        limit: usize,
        more: &[Value<'_>],
    ) -> Result<usize, Error> {
        let slot = self.database.next_batch().slot();
        let limit = integer(limit as u64);
        let mut values: Vec<Value<'_>> = vec![(&limit, Type::INT8), (&slot, Type::INT2)];
        values.extend(more.iter().cloned());
        let mut patience = Patience::new();
        loop {
            match self.database.once(sql, &values).await {
                Ok(rows) => return rows.first().map_or(Ok(0), |row| number(get(row, 0)?)),
                Err(error) => patience.bear(error).await?,
            }
        }
    }

    /// Makes room for jobs of clients that met a bound, as far as a bounded number of such jobs
    /// gives any that expired before they ended: only what still lives may refuse.
    pub(super) async fn free_jobs(&self, refused: &[(&str, Bound)]) -> Result<usize, Error> {
        let all = refused.iter().any(|(_, bound)| *bound == Bound::AllJobs);
        let clients = refused.iter().map(|(client, _)| *client);
        let clients: Vec<&str> = if all { Vec::new() } else { clients.collect() };
        self.expire_jobs(Expired::Unfinished, MOST_FREED, &clients).await
    }

    /// Deletes jobs whose lifetime is over, of these clients or, where none is named, of all.
    async fn expire_jobs(
        &self,
        which: Expired,
        limit: usize,
        clients: &[&str],
    ) -> Result<usize, Error> {
        let stages = match which {
            Expired::Unfinished => "'queued', 'running', 'parked'",
            Expired::Ended => "'completed', 'failed', 'cancelled'",
        };
        let sql = format!(
            "WITH due AS MATERIALIZED (
                SELECT seq FROM @jobs
                WHERE stage IN ({stages}) AND expires_ms <= (SELECT @now_ms())
                    AND (cardinality($3) = 0 OR owner = ANY($3))
                ORDER BY expires_ms LIMIT $1 FOR UPDATE SKIP LOCKED),
            gone AS (
                DELETE FROM @jobs WHERE seq = ANY(ARRAY(SELECT seq FROM due))
                RETURNING owner, stage),
            unfinished AS (
                SELECT owner FROM gone WHERE stage IN ('queued', 'running', 'parked')),
            counted AS (
                INSERT INTO @job_counts AS c (client, slot, jobs)
                SELECT owner, $2, -count(*) FROM unfinished WHERE owner <> '' GROUP BY owner
                UNION ALL SELECT '', $2, -count(*) FROM unfinished HAVING count(*) > 0
                UNION ALL SELECT ' stored', $2, -count(*) FROM gone HAVING count(*) > 0
                UNION ALL SELECT ' failed', $2, -count(*) FROM gone WHERE stage = 'failed'
                    HAVING count(*) > 0 ORDER BY 1
                ON CONFLICT (client, slot) DO UPDATE SET jobs = c.jobs + excluded.jobs)
            SELECT count(*) FROM gone"
        );
        self.upkeep(&sql, limit, &[(&clients, Type::TEXT_ARRAY)]).await
    }

    /// Deletes idempotency keys whose time is over.
    async fn forget_keys(&self, limit: usize) -> Result<usize, Error> {
        const SQL: &str = "
            WITH due AS MATERIALIZED (
                SELECT ctid FROM @idempotency WHERE until_ms <= (SELECT @now_ms())
                ORDER BY until_ms LIMIT $1 FOR UPDATE SKIP LOCKED),
            gone AS (
                DELETE FROM @idempotency WHERE ctid = ANY(ARRAY(SELECT ctid FROM due)) RETURNING 1)
            SELECT count(*) FROM gone WHERE $2::smallint IS NOT NULL";
        self.upkeep(SQL, limit, &[]).await
    }

    /// Deletes names of commits that nobody may ask for any more, and leaves word of it.
    async fn forget_commits(&self, limit: usize) -> Result<usize, Error> {
        const SQL: &str = "
            WITH due AS MATERIALIZED (
                SELECT ctid FROM @commits WHERE until_ms <= (SELECT @now_ms())
                ORDER BY until_ms LIMIT $1 FOR UPDATE SKIP LOCKED),
            gone AS (
                DELETE FROM @commits WHERE ctid = ANY(ARRAY(SELECT ctid FROM due))
                RETURNING until_ms),
            told AS (
                UPDATE @waxwing SET forgotten_ms = greatest(forgotten_ms,
                    (SELECT max(until_ms) FROM gone))
                WHERE EXISTS (SELECT FROM gone))
            SELECT count(*) FROM gone WHERE $2::smallint IS NOT NULL";
        self.upkeep(SQL, limit, &[]).await
    }
}

//! What is only read: one job, a list of jobs, their number, and which have moved.

use std::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use waxwing_core::{ClientId, JobId, ToolName};
use waxwing_jobs::record::{self, StoredJob, StoredLine};
use waxwing_jobs::{Census, Filter, Inspected, Listed, Page, Seen, Snapshot, StoreError, millis};

use super::Core;
use crate::error::Error;
use crate::row::{HOT, HOT_COLUMNS, Hot, get, integer, missing, number, stage_name};

impl Core {
    /// One job of this owner, by one statement: all of it is of one moment. Only what its stage
    /// shows is read.
    pub(crate) async fn snapshot(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
    ) -> Result<Option<Snapshot>, Error> {
        let sql = format!(
            "SELECT {HOT}, kind, cancel_reason, progress_done, progress_total, progress_message,
                attempts, CASE stage WHEN 'completed' THEN output END,
                CASE stage WHEN 'parked' THEN requests END,
                CASE stage WHEN 'parked' THEN answers END, @now_ms()
            FROM @jobs WHERE id = $1 AND owner = $2"
        );
        let values = [(&id.as_str() as _, Type::TEXT), (&owner.as_str() as _, Type::TEXT)];
        let rows = self.database.ask(&sql, &values).await?;
        rows.first().map_or(Ok(None), |row| read(row, id))
    }

    /// Those of the jobs whose version is not the one seen, or that are unknown.
    pub(crate) async fn moved(&self, seen: &[Seen]) -> Result<Vec<JobId<'static>>, Error> {
        const SQL: &str = "
            SELECT n.nth FROM unnest($1, $2) WITH ORDINALITY AS n (id, version, nth)
            WHERE n.version IS DISTINCT FROM (SELECT j.version FROM @jobs j
                WHERE j.id = n.id AND j.expires_ms + 0 > (SELECT @now_ms()))
            ORDER BY n.nth";
        let ids: Vec<&str> = seen.iter().map(|seen| seen.id.as_str()).collect();
        let versions: Vec<i64> = seen.iter().map(|seen| integer(seen.version)).collect();
        let values = [(&ids as _, Type::TEXT_ARRAY), (&versions as _, Type::INT8_ARRAY)];
        let rows = self.database.ask(SQL, &values).await?;
        let mut moved = Vec::with_capacity(rows.len());
        for row in &rows {
            let nth: usize = number(get(row, 0)?)?;
            moved.extend(seen.get(nth.saturating_sub(1)).map(|seen| seen.id.clone()));
        }
        Ok(moved)
    }

    /// One page of an operator's list.
    pub(crate) async fn list(&self, filter: &Filter) -> Result<Page, Error> {
        const SQL: &str = "
            WITH clock AS MATERIALIZED (SELECT @now_ms() AS ms)
            SELECT j.seq, j.id, j.stage, j.owner, j.kind, j.failures, j.worker, j.created_ms, clock.ms
            FROM @jobs j, clock
            WHERE j.seq > $1 AND j.expires_ms + 0 > clock.ms
                AND ($2 IS NULL OR j.owner = $2) AND ($3 IS NULL OR j.kind = $3)
                AND ($4 IS NULL OR j.created_ms <= clock.ms - $4)
                AND (cardinality($5) = 0 OR j.stage = ANY($5))
            ORDER BY j.seq LIMIT $6";
        let stages: Vec<&str> = filter.stages.iter().map(|stage| stage.as_str()).collect();
        let older = filter.older_than.map(|age| integer(millis(age)));
        let after = filter.after.map_or(0, integer);
        // One more than asked for tells whether there is another page.
        let limit = integer((filter.limit as u64).saturating_add(1));
        let owner = filter.owner.as_ref().map(ClientId::as_str);
        let kind = filter.kind.as_ref().map(ToolName::as_str);
        let values = [
            (&after as _, Type::INT8),
            (&owner as _, Type::TEXT),
            (&kind as _, Type::TEXT),
            (&older as _, Type::INT8),
            (&stages as _, Type::TEXT_ARRAY),
            (&limit as _, Type::INT8),
        ];
        let mut rows = self.database.ask(SQL, &values).await?;
        let more = rows.len() > filter.limit;
        rows.truncate(filter.limit);
        let last = rows.last().filter(|_| more);
        let next = last.map(|row| number(get(row, 0)?)).transpose()?;
        // One damaged job must not hide the others from the operator.
        let listed = |row: &Row| {
            let listed = listed(row).map_err(StoreError::from);
            listed.inspect_err(|error| tracing::error!(%error, "a job cannot be listed")).ok()
        };
        Ok(Page { jobs: rows.iter().filter_map(listed).collect(), next })
    }

    /// One job by its id, with what only operators see.
    pub(crate) async fn inspect(&self, id: &JobId<'_>) -> Result<Option<Inspected>, Error> {
        const SQL: &str =
            "SELECT seq, id, stage, owner, kind, failures, worker, created_ms, @now_ms(),
            input, coalesce(ready_ms, lease_until_ms) FROM @jobs WHERE id = $1";
        let rows = self.database.ask(SQL, &[(&id.as_str(), Type::TEXT)]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let listed = listed(row)?;
        let input = record::json_from_text(get(row, 9)?, "the input")?;
        let due_ms = get::<Option<i64>>(row, 10)?.map(number).transpose()?;
        let snapshot = self.snapshot(&listed.owner, id).await?;
        Ok(snapshot.map(|snapshot| Inspected { snapshot, listed, due_ms, input: Some(input) }))
    }

    /// How many jobs have not ended, by the indexes of the hot stages, and how many failed, by their
    /// counter less those that a sweep has still to delete. The `+ 0` keeps the planner from the
    /// indexes of lifetimes, which hold every job.
    pub(crate) async fn census(&self) -> Result<Census, Error> {
        const SQL: &str = "
            WITH clock AS MATERIALIZED (SELECT @now_ms() AS ms),
            ready AS MATERIALIZED (
                SELECT count(*) AS jobs, min(ready_ms) AS first FROM @jobs, clock
                WHERE rank IS NOT NULL AND expires_ms + 0 > ms),
            delayed AS MATERIALIZED (
                SELECT count(*) AS jobs, min(ready_ms) FILTER (WHERE ready_ms <= ms) AS first
                FROM @jobs, clock
                WHERE stage = 'queued' AND rank IS NULL AND expires_ms + 0 > ms)
            SELECT ms, ready.jobs, delayed.jobs,
                (SELECT count(*) FROM @jobs WHERE stage = 'running' AND expires_ms + 0 > ms),
                (SELECT count(*) FROM @jobs WHERE stage = 'parked' AND expires_ms + 0 > ms),
                coalesce((SELECT sum(jobs) FROM @job_counts WHERE client = ' failed'), 0)::bigint
                    - (SELECT count(*) FROM @jobs WHERE stage = 'failed' AND expires_ms <= ms),
                least(ready.first, delayed.first),
                coalesce((SELECT sum(jobs) FROM @job_counts WHERE client = ' stored'), 0)::bigint,
                (SELECT sum(pg_total_relation_size(t.oid)) FROM pg_class t WHERE t.relkind = 'r'
                    AND t.relnamespace = (
                        SELECT relnamespace FROM pg_class WHERE oid = '@jobs'::regclass))::bigint
            FROM clock, ready, delayed";
        let rows = self.database.ask(SQL, &[]).await?;
        let row = rows.first().ok_or_else(|| missing("the count"))?;
        let count = |column| number::<u64>(get(row, column)?);
        let (now, oldest) = (count(0)?, get::<Option<i64>>(row, 6)?);
        let oldest = oldest.and_then(|ready| u64::try_from(ready).ok());
        Ok(Census {
            queued: count(1)? + count(2)?,
            running: count(3)?,
            parked: count(4)?,
            failed: super::start::count(get(row, 5)?),
            stored: super::start::count(get(row, 7)?),
            bytes: get::<Option<i64>>(row, 8)?.and_then(|bytes| u64::try_from(bytes).ok()),
            oldest_ready: oldest.map(|ready| Duration::from_millis(now.saturating_sub(ready))),
        })
    }

    /// Whether the database answers, takes writes and syncs them: one statement, which writes none.
    pub(crate) async fn health(&self) -> Result<(), StoreError> {
        const SQL: &str =
            "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on',
            current_setting('synchronous_commit') = 'off' OR current_setting('fsync') = 'off',
            (SELECT version FROM @waxwing)";
        let rows = self.database.ask_briefly(SQL).await?;
        let row = rows.first().ok_or_else(|| missing("the answer"))?;
        if get(row, 0)? {
            let why = "the database takes no writes: it is a standby or read-only";
            return Err(StoreError::Unavailable(why.to_owned()));
        }
        if get(row, 1)? {
            let why = "the database no longer syncs what it commits";
            return Err(StoreError::Misconfigured(why.to_owned()));
        }
        Ok(())
    }
}

/// The job in a row of [`Core::snapshot`], unless it is expired.
fn read(row: &Row, id: &JobId<'_>) -> Result<Option<Snapshot>, Error> {
    let hot = Hot::read(row, 0)?;
    let column = |n| HOT_COLUMNS + n;
    let (life, now) = (hot.life()?, number(get(row, column(9))?)?);
    if life.is_expired(now) {
        return Ok(None);
    }
    let stored = StoredJob {
        owner: hot.owner,
        kind: get(row, column(0))?,
        life,
        cancel_asked: hot.cancel_asked,
        cancel_reason: get(row, column(1))?,
        progress_done: get(row, column(2))?,
        progress_total: get(row, column(3))?,
        progress_message: get(row, column(4))?,
        attempts: get(row, column(5))?,
        output: get(row, column(6))?,
        requests: get(row, column(7))?,
        answers: get(row, column(8))?,
    };
    Ok(Some(stored.snapshot(id, now)?))
}

fn listed(row: &Row) -> Result<Listed, Error> {
    let line = StoredLine {
        id: get(row, 1)?,
        stage: stage_name(get(row, 2)?)?,
        owner: get(row, 3)?,
        kind: get(row, 4)?,
        failures: number(get(row, 5)?)?,
        worker: get(row, 6)?,
        created_ms: number(get(row, 7)?)?,
    };
    Ok(line.listed(number(get(row, 8)?)?)?)
}

//! What is only read: one job, a list of jobs, their number, and which have moved.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, params};
use waxwing_core::{ClientId, JobId, ToolName};
use waxwing_jobs::record::{self, StoredJob, StoredLine};
use waxwing_jobs::{Census, Filter, Inspected, Page, Seen, Snapshot, millis};

use super::prepare;
use crate::error::Error;
use crate::row::{HOT, HOT_COLUMNS, Hot, integer, natural, stage_name};

/// A job as it stands in its rows.
fn stored(row: &Row<'_>) -> rusqlite::Result<StoredJob> {
    let column = |n| HOT_COLUMNS + n;
    let hot = Hot::read(row)?;
    Ok(StoredJob {
        owner: hot.owner,
        kind: row.get(column(0))?,
        life: hot.life,
        cancel_asked: row.get(5)?,
        cancel_reason: row.get(column(1))?,
        progress_done: row.get(column(2))?,
        progress_total: row.get(column(3))?,
        progress_message: row.get(column(4))?,
        attempts: row.get(column(5))?,
        output: row.get(column(6))?,
        requests: row.get(column(7))?,
        answers: row.get(column(8))?,
    })
}

/// One job of this owner, by one statement: all of it is of one moment. Only what its stage shows
/// is read.
pub(crate) fn snapshot(
    connection: &Connection,
    owner: &ClientId<'_>,
    id: &JobId<'_>,
    now: u64,
) -> Result<Option<Snapshot>, Error> {
    let sql = format!(
        "SELECT {HOT}, kind, cancel_reason,
         progress_done, progress_total, progress_message, attempts,
         CASE stage WHEN 'completed' THEN (SELECT output FROM outputs WHERE job = seq) END,
         CASE stage WHEN 'parked' THEN (SELECT requests FROM exchanges WHERE job = seq) END,
         CASE stage WHEN 'parked' THEN (SELECT answers FROM exchanges WHERE job = seq) END
         FROM jobs WHERE id = ?1 AND owner = ?2"
    );
    let mut statement = prepare(connection, &sql)?;
    let found = statement.query_row([id.as_str(), owner.as_str()], stored).optional()?;
    let live = found.filter(|stored| !stored.life.is_expired(now));
    Ok(live.map(|stored| stored.snapshot(id, now)).transpose()?)
}

/// Changes when any other connection, of this process or another, has committed.
pub(crate) fn data_version(connection: &Connection) -> Result<i64, Error> {
    Ok(connection.pragma_query_value(None, "data_version", |row| row.get(0))?)
}

/// Those of the jobs whose version is not the one seen, or that are unknown.
pub(crate) fn moved(
    connection: &Connection,
    seen: &[Seen],
    now: u64,
) -> Result<Vec<JobId<'static>>, Error> {
    const SQL: &str = "SELECT version FROM jobs WHERE id = ?1 AND expires_ms > ?2";
    let mut statement = prepare(connection, SQL)?;
    let mut moved = Vec::new();
    for seen in seen {
        let row = params![seen.id.as_str(), integer(now)];
        let version = statement.query_row(row, |row| natural(row, 0)).optional()?;
        if version != Some(seen.version) {
            moved.push(seen.id.clone());
        }
    }
    Ok(moved)
}

/// A job's line, and its number.
fn line(row: &Row<'_>) -> rusqlite::Result<(u64, StoredLine)> {
    let line = StoredLine {
        id: row.get(1)?,
        stage: stage_name(row, 2)?,
        owner: row.get(3)?,
        kind: row.get(4)?,
        failures: row.get(5)?,
        worker: row.get(6)?,
        created_ms: natural(row, 7)?,
    };
    Ok((natural(row, 0)?, line))
}

/// One page of an operator's list.
pub(crate) fn list(connection: &Connection, filter: &Filter, now: u64) -> Result<Page, Error> {
    const SQL: &str = "SELECT seq, id, stage, owner, kind, failures, worker, created_ms FROM jobs
        WHERE seq > ?1 AND expires_ms > ?2
          AND (?3 IS NULL OR owner = ?3) AND (?4 IS NULL OR kind = ?4)
          AND (?5 IS NULL OR created_ms <= ?5)
          AND (?6 = '[]' OR stage IN (SELECT value FROM json_each(?6)))
        ORDER BY seq LIMIT ?7";
    let stages: Vec<&str> = filter.stages.iter().map(|stage| stage.as_str()).collect();
    let born_by = filter.older_than.map(|age| integer(now.saturating_sub(millis(age))));
    // One more than asked for tells whether there is another page.
    let limit = integer((filter.limit as u64).saturating_add(1));
    let mut statement = prepare(connection, SQL)?;
    let row = params![
        filter.after.map_or(0, integer),
        integer(now),
        filter.owner.as_ref().map(ClientId::as_str),
        filter.kind.as_ref().map(ToolName::as_str),
        born_by,
        serde_json::Value::from(stages).to_string(),
        limit,
    ];
    let mut lines = statement.query_map(row, line)?.collect::<Result<Vec<_>, _>>()?;
    let more = lines.len() > filter.limit;
    lines.truncate(filter.limit);
    let next = lines.last().map(|(seq, _)| *seq).filter(|_| more);
    // One damaged job must not hide the others from the operator.
    let listed = |(seq, line): (u64, StoredLine)| {
        let listed = line.listed(now);
        listed.inspect_err(|error| tracing::error!(job = seq, %error, "cannot be listed")).ok()
    };
    Ok(Page { jobs: lines.into_iter().filter_map(listed).collect(), next })
}

/// One job by its id, with what only operators see.
pub(crate) fn inspect(
    connection: &Connection,
    id: &JobId<'static>,
    now: u64,
) -> Result<Option<Inspected>, Error> {
    const SQL: &str = "SELECT seq, id, stage, owner, kind, failures, worker, created_ms, input,
            coalesce(ready_ms, lease_until_ms)
        FROM jobs LEFT JOIN inputs ON inputs.job = seq WHERE id = ?1";
    let read = |row: &Row<'_>| {
        let due_ms = row.get::<_, Option<i64>>(9)?.map(|_| natural(row, 9)).transpose()?;
        Ok((line(row)?.1, row.get::<_, Option<String>>(8)?, due_ms))
    };
    let found = prepare(connection, SQL)?.query_row([id.as_str()], read).optional()?;
    let Some((line, input, due_ms)) = found else { return Ok(None) };
    let listed = line.listed(now)?;
    let input = input.map(|text| record::json_from_text(&text, "the input")).transpose()?;
    let snapshot = snapshot(connection, &listed.owner, id, now)?;
    Ok(snapshot.map(|snapshot| Inspected { snapshot, listed, due_ms, input }))
}

/// How many jobs have not ended, by the indexes of the hot stages: the `+` keeps SQLite from the
/// index of lifetimes, which holds every job.
pub(crate) fn census(connection: &Connection, now: u64) -> Result<Census, Error> {
    let live = integer(now);
    let count = |condition: &str| {
        let sql = format!("SELECT count(*) FROM jobs WHERE +expires_ms > ?1 AND {condition}");
        prepare(connection, &sql)?.query_row([live], |row| natural(row, 0))
    };
    const OLDEST: &str = "SELECT min(ready_ms) FROM (
        SELECT ready_ms FROM jobs WHERE +expires_ms > ?1 AND rank IS NOT NULL
        UNION ALL SELECT ready_ms FROM jobs
        WHERE +expires_ms > ?1 AND stage = 'queued' AND rank IS NULL AND ready_ms <= ?1)";
    let oldest: Option<i64> = prepare(connection, OLDEST)?.query_row([live], |row| row.get(0))?;
    let pages = |pragma| connection.pragma_query_value(None, pragma, |row| natural(row, 0));
    let oldest = oldest.and_then(|ready| u64::try_from(ready).ok());
    Ok(Census {
        queued: count("rank IS NOT NULL")? + count("stage = 'queued' AND rank IS NULL")?,
        running: count("lease_until_ms IS NOT NULL")?,
        parked: count("stage IN ('parked', 'failed') AND stage = 'parked'")?,
        failed: count("stage IN ('parked', 'failed') AND stage = 'failed'")?,
        stored: prepare(connection, "SELECT stored FROM totals")?
            .query_row([], |row| natural(row, 0))?,
        bytes: Some(pages("page_count")?.saturating_mul(pages("page_size")?)),
        oldest_ready: oldest.map(|ready| Duration::from_millis(now.saturating_sub(ready))),
    })
}

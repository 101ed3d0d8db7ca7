//! What is only read: one job, a list of jobs, their number, and which have moved.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, params};
use waxwing_core::{ClientId, JobId, ToolName};
use waxwing_jobs::state::{Stage, StageName};
use waxwing_jobs::{
    CancelRequest, Census, Exchange, Filter, Inspected, Listed, Page, Phase, Progress, Seen,
    Snapshot, StoreError, millis, record,
};

use super::prepare;
use crate::error::Error;
use crate::row::{HOT, HOT_COLUMNS, Hot, integer, missing, natural, stage_name};

/// A job as it stands in its rows.
struct Shown {
    hot: Hot,
    kind: String,
    cancel_asked: bool,
    cancel_reason: Option<String>,
    progress: Option<(f64, Option<f64>, Option<String>)>,
    attempts: Option<String>,
    output: Option<String>,
    requests: Option<String>,
    answers: Option<String>,
}

impl Shown {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let column = |n| HOT_COLUMNS + n;
        let progress = match row.get::<_, Option<f64>>(column(2))? {
            None => None,
            Some(done) => Some((done, row.get(column(3))?, row.get(column(4))?)),
        };
        Ok(Self {
            hot: Hot::read(row)?,
            cancel_asked: row.get(5)?,
            kind: row.get(column(0))?,
            cancel_reason: row.get(column(1))?,
            progress,
            attempts: row.get(column(5))?,
            output: row.get(column(6))?,
            requests: row.get(column(7))?,
            answers: row.get(column(8))?,
        })
    }

    fn phase(&self) -> Result<Phase, Error> {
        Ok(match self.hot.life.stage {
            Stage::Queued { .. } => Phase::Queued,
            Stage::Running { .. } => Phase::Running,
            Stage::Parked => {
                let texts = self.requests.as_deref().zip(self.answers.as_deref());
                let (requests, answers) = texts.ok_or_else(|| missing("the requests"))?;
                let requests = record::requests_from_text(requests)?;
                let answers = record::answers_from_text(answers)?;
                let exchange = Exchange::restore(Some(requests), answers);
                let requests = exchange.waiting_for().ok_or_else(|| missing("a request"))?;
                Phase::Parked { requests }
            }
            Stage::Completed => {
                let output = self.output.as_deref().ok_or_else(|| missing("the output"))?;
                Phase::Completed { output: record::json_from_text(output, "the output")? }
            }
            Stage::Failed => Phase::Failed,
            Stage::Cancelled => {
                Phase::Cancelled { request: CancelRequest::new(self.cancel_reason.clone()) }
            }
        })
    }
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
    let shown = statement.query_row([id.as_str(), owner.as_str()], Shown::read).optional()?;
    let Some(shown) = shown.filter(|shown| !shown.hot.life.is_expired(now)) else {
        return Ok(None);
    };
    let phase = shown.phase()?;
    let life = shown.hot.life;
    let attempts = shown.attempts.map(|text| record::attempts_from_text(&text)).transpose()?;
    Ok(Some(Snapshot {
        id: id.clone().into_owned(),
        owner: shown.hot.owner()?,
        kind: ToolName::new(shown.kind)?,
        phase,
        progress: shown.progress.and_then(|(done, total, text)| Progress::new(done, total, text)),
        attempts: attempts.unwrap_or_default(),
        cancel: shown.cancel_asked.then(|| CancelRequest::new(shown.cancel_reason)),
        version: life.version,
        created_ms: life.created_ms,
        ttl_ms: life.expires_ms.saturating_sub(life.created_ms),
        read_ms: now,
    }))
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

struct Entry {
    seq: u64,
    id: String,
    owner: String,
    kind: String,
    stage: StageName,
    failures: u32,
    worker: Option<String>,
    created_ms: u64,
}

impl Entry {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: natural(row, 0)?,
            id: row.get(1)?,
            stage: stage_name(row, 2)?,
            owner: row.get(3)?,
            kind: row.get(4)?,
            failures: row.get(5)?,
            worker: row.get(6)?,
            created_ms: natural(row, 7)?,
        })
    }

    fn listed(self, now: u64) -> Result<Listed, Error> {
        let attempt = match self.stage {
            StageName::Failed => self.failures,
            _ => self.failures.saturating_add(1),
        };
        Ok(Listed {
            id: JobId::new(self.id)?,
            owner: ClientId::new(self.owner)?,
            kind: ToolName::new(self.kind)?,
            stage: self.stage,
            attempt,
            worker: self.worker,
            created_ms: self.created_ms,
            age: Duration::from_millis(now.saturating_sub(self.created_ms)),
        })
    }
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
    let mut entries = statement.query_map(row, Entry::read)?.collect::<Result<Vec<_>, _>>()?;
    let more = entries.len() > filter.limit;
    entries.truncate(filter.limit);
    let next = entries.last().map(|entry| entry.seq).filter(|_| more);
    // One damaged job must not hide the others from the operator.
    let listed = |entry: Entry| {
        let seq = entry.seq;
        let listed = entry.listed(now).map_err(StoreError::from);
        listed.inspect_err(|error| tracing::error!(job = seq, %error, "cannot be listed")).ok()
    };
    Ok(Page { jobs: entries.into_iter().filter_map(listed).collect(), next })
}

/// One job by its id, with what only operators see.
pub(crate) fn inspect(
    connection: &Connection,
    id: &JobId<'static>,
    now: u64,
) -> Result<Option<Inspected>, Error> {
    const SQL: &str = "SELECT seq, id, stage, owner, kind, failures, worker, created_ms, input
        FROM jobs LEFT JOIN inputs ON inputs.job = seq WHERE id = ?1";
    let read = |row: &Row<'_>| Ok((Entry::read(row)?, row.get::<_, Option<String>>(8)?));
    let found = prepare(connection, SQL)?.query_row([id.as_str()], read).optional()?;
    let Some((entry, input)) = found else { return Ok(None) };
    let listed = entry.listed(now)?;
    let input = input.map(|text| record::json_from_text(&text, "the input")).transpose()?;
    let snapshot = snapshot(connection, &listed.owner, id, now)?;
    Ok(snapshot.map(|snapshot| Inspected { snapshot, listed, input }))
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

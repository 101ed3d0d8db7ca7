//! Claims: the first of the queue, one worker each, by one statement.

use std::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use waxwing_core::{ClientId, JobId, ToolName};
use waxwing_jobs::state::{Life, Stage};
use waxwing_jobs::{Answers, Claim, Claimed, StoreError, Ticket, millis, record};

use super::work::LONGEST_LEASE_MS;
use super::{Core, damage};
use crate::database::{Batch, Fate, Patience};
use crate::error::Error;
use crate::row::{HOT, HOT_COLUMNS, Hot, get, integer, number, text};

/// The most delayed jobs that one claim lets into the queue.
const MOST_PROMOTED: usize = 1000;

/// How often one claim lets delayed jobs into the queue and looks again.
const MOST_PASSES: usize = 4;

/// What a worker gets of each job it has claimed under the name of a batch.
fn shown(source: &str) -> String {
    format!(
        "SELECT {HOT}, id, kind, input, answers, checkpoint, @now_ms() AS now, was_ready_ms
        FROM {source}"
    )
}

fn statement() -> String {
    let shown = shown("taken");
    format!(
        "WITH clock AS MATERIALIZED (SELECT @now_ms() AS ms),
        picked AS MATERIALIZED (
            SELECT seq, rank AS place, ready_ms AS was_ready_ms FROM @jobs
            WHERE rank IS NOT NULL AND kind = ANY($1) AND expires_ms + 0 > (SELECT ms FROM clock)
            ORDER BY rank, seq LIMIT $2 FOR UPDATE SKIP LOCKED),
        taken AS (
            UPDATE @jobs j SET stage = 'running', ready_ms = NULL, rank = NULL,
                lease_until_ms = (SELECT ms FROM clock) + $3, worker = $4, epoch = epoch + 1,
                version = version + 1, revision = revision + 1, claim = $5
            FROM picked p WHERE j.seq = p.seq RETURNING j.*, p.was_ready_ms),
        named AS (
            INSERT INTO @commits (batch, until_ms)
            SELECT $5, ms + 600000 FROM clock WHERE EXISTS (SELECT FROM taken)),
        due AS (
            SELECT EXISTS (SELECT FROM @jobs WHERE stage = 'queued' AND rank IS NULL
                AND ready_ms <= (SELECT ms FROM clock)) AS there)
        SELECT due.there, t.* FROM due LEFT JOIN ({shown}) t ON true
        LEFT JOIN picked p ON p.seq = t.seq ORDER BY p.place, p.seq"
    )
}

impl Core {
    pub(crate) async fn claim(&self, claim: &Claim) -> Result<Vec<Claimed>, Error> {
        self.note_lease(millis(claim.lease)).await?;
        let mut claimed = Vec::new();
        for _ in 0..MOST_PASSES {
            let left = claim.max.saturating_sub(claimed.len());
            let found = self.take(claim, left).await?;
            claimed.extend(found.jobs);
            // Delayed jobs come in once they are ready; there may be room for them yet.
            if !found.delayed {
                break;
            }
            self.promote().await?;
            if claimed.len() >= claim.max || claim.kinds.is_empty() {
                break;
            }
        }
        Ok(claimed)
    }

    async fn take(&self, claim: &Claim, max: usize) -> Result<Found, Error> {
        let kinds: Vec<&str> = claim.kinds.iter().map(ToolName::as_str).collect();
        let max = integer(max as u64);
        let lease = integer(millis(claim.lease).min(LONGEST_LEASE_MS));
        let worker = text(&claim.worker);
        let mut patience = Patience::new();
        let rows = loop {
            let batch = self.database.next_batch();
            let values = [
                (&kinds as _, Type::TEXT_ARRAY),
                (&max as _, Type::INT8),
                (&lease as _, Type::INT8),
                (&worker as _, Type::TEXT),
                (&batch.0 as _, Type::INT8),
            ];
            match self.database.once(&statement(), &values).await {
                Ok(rows) => break rows,
                Err(Error::Lost(why)) => match self.database.fate(batch).await? {
                    // The jobs are this worker's: it only has not heard of it.
                    Fate::Committed => break self.taken_as(batch).await?,
                    Fate::Never => patience.bear(Error::Lost(why)).await?,
                },
                Err(error) => patience.bear(error).await?,
            }
        };
        let mut found = Found { jobs: Vec::with_capacity(rows.len()), delayed: false };
        for row in &rows {
            found.delayed = get(row, 0)?;
            let Some(seq) = get::<Option<i64>>(row, 1)? else { continue };
            match claimed(row, claim.lease) {
                Ok(job) => found.jobs.push(job),
                Err(error) => self.condemn(seq, &damage(error)?).await?,
            }
        }
        Ok(found)
    }

    /// The jobs that were claimed under this name.
    async fn taken_as(&self, batch: Batch) -> Result<Vec<Row>, Error> {
        let source = "(SELECT *, NULL::bigint AS was_ready_ms FROM @jobs) j
            WHERE lease_until_ms IS NOT NULL AND claim = $1";
        let shown = shown(source);
        let sql = format!("SELECT true, t.* FROM ({shown}) t");
        self.database.ask(&sql, &[(&batch.0, Type::INT8)]).await
    }

    /// Gives delayed jobs that are ready by now a place in the queue: behind their owner's jobs,
    /// and abreast of the first jobs of everybody else.
    async fn promote(&self) -> Result<usize, Error> {
        const SQL: &str = "
            WITH due AS MATERIALIZED (
                SELECT seq, owner, ready_ms FROM @jobs
                WHERE stage = 'queued' AND rank IS NULL AND ready_ms <= (SELECT @now_ms())
                ORDER BY ready_ms, seq LIMIT $1 FOR UPDATE SKIP LOCKED),
            head AS MATERIALIZED (
                SELECT coalesce(min(rank), 1) - 1 AS rank FROM @jobs WHERE rank IS NOT NULL),
            last AS MATERIALIZED (
                SELECT o.owner, greatest((SELECT rank FROM head), coalesce((
                    SELECT max(rank) FROM @jobs j
                    WHERE j.owner = o.owner AND j.rank IS NOT NULL), 0)) AS rank
                FROM (SELECT DISTINCT owner FROM due) o),
            placed AS (
                UPDATE @jobs j SET rank = p.rank, revision = revision + 1 FROM (
                    SELECT due.seq, last.rank + row_number() OVER (
                        PARTITION BY due.owner ORDER BY due.ready_ms, due.seq) AS rank
                    FROM due JOIN last ON last.owner = due.owner) p
                WHERE j.seq = p.seq RETURNING 1)
            SELECT count(*) FROM placed WHERE $2::smallint IS NOT NULL";
        self.upkeep(SQL, MOST_PROMOTED).await
    }

    /// Fails a job of which nothing but its number is known to be right.
    pub(super) async fn condemn(&self, seq: i64, why: &str) -> Result<(), Error> {
        let mut patience = Patience::new();
        loop {
            let mut jobs = self.read_jobs("seq = $1", &[(&seq, Type::INT8)]).await?;
            let now = jobs.now;
            if let Some(job) = jobs.all.first_mut() {
                job.condemn(why, now)?;
            }
            match self.write(&jobs).await {
                Ok(()) => return Ok(()),
                Err(error) => patience.bear(error).await?,
            }
        }
    }
}

/// What one statement claimed.
struct Found {
    jobs: Vec<Claimed>,
    /// Whether delayed jobs are ready that have no place in the queue yet.
    delayed: bool,
}

fn claimed(row: &Row, lease: Duration) -> Result<Claimed, Error> {
    let hot = Hot::read(row, 1)?;
    let column = |n| 1 + HOT_COLUMNS + n;
    let (life, now) = (hot.life()?, number::<u64>(get(row, column(5))?)?);
    let ready_ms = get::<Option<i64>>(row, column(6))?.map_or(Ok(now), number)?;
    let before = queued_before(&life, ready_ms, now, lease)?;
    let answers: Option<String> = get(row, column(3))?;
    let answers = answers.map(|text| record::answers_from_text(&text)).transpose()?;
    let checkpoint: Option<String> = get(row, column(4))?;
    let json = |text: &str, what| record::json_from_text(text, what);
    Ok(Claimed {
        ticket: Ticket { id: JobId::new(get::<String>(row, column(0))?)?, epoch: life.epoch },
        owner: ClientId::new(hot.owner)?,
        kind: ToolName::new(get::<String>(row, column(1))?)?,
        input: json(get(row, column(2))?, "the input")?,
        attempt: life.attempt(),
        max_attempts: life.max_attempts,
        answers: answers.unwrap_or_else(Answers::default),
        checkpoint: checkpoint.map(|text| json(&text, "the checkpoint")).transpose()?,
        expires_in: Duration::from_millis(life.expires_ms.saturating_sub(now)),
        waited: before.waited(now),
    })
}

/// The queued life that was claimed. The statement must have done with it what the state machine
/// does.
fn queued_before(after: &Life, ready_ms: u64, now: u64, lease: Duration) -> Result<Life, Error> {
    let damaged = || StoreError::Corrupt("the claim of a job".to_owned());
    let undone = |number: u64| number.checked_sub(1).ok_or_else(damaged);
    let (epoch, version) = (undone(after.epoch)?, undone(after.version)?);
    let before = Life { stage: Stage::Queued { ready_ms }, epoch, version, ..*after };
    // A clock that was set back makes no job wait that had its place already, and one that has
    // expired since its claim was claimed all the same.
    let then = now.max(ready_ms).min(after.expires_ms.saturating_sub(1));
    let queued = Life { stage: Stage::Queued { ready_ms: ready_ms.min(then) }, ..before };
    let expected = queued.claim(then, lease).ok_or_else(damaged)?;
    let same = expected.stage.name() == after.stage.name()
        && (expected.epoch, expected.version) == (after.epoch, after.version);
    if same { Ok(before) } else { Err(damaged().into()) }
}

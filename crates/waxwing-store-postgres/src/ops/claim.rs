//! Claims: the first of the queue, one worker each, by one statement.

use std::collections::HashSet;
use std::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use waxwing_core::{ClientId, JobId, ToolName};
use waxwing_jobs::state::{Life, Stage};
use waxwing_jobs::{Answers, Claim, Claimed, FOR_EVER, StoreError, Ticket, millis, record};

use super::Core;
use super::fate::{Fate, KEPT_MS, Name};
use crate::database::{Batch, Patience};
use crate::error::Error;
use crate::row::{HOT, HOT_COLUMNS, Hot, get, integer, number, text};

/// The most delayed jobs that one claim lets into the queue.
const MOST_PROMOTED: usize = 1000;

/// The most jobs that one statement claims.
const MOST_CLAIMED: usize = 10_000;

/// For each job that is wanted, how many are looked at.
const LOOKS: usize = 2;

/// The same again, when others were about to take those.
const FURTHER: usize = 16;

/// How often one claim lets delayed jobs into the queue and looks again.
const MOST_PASSES: usize = 4;

/// What a worker gets of each job it has claimed under the name of a batch.
fn shown(source: &str) -> String {
    format!(
        "SELECT {HOT}, id, kind, input, answers, checkpoint, @now_ms() AS now, was_ready_ms,
            was_epoch, was_version
        FROM {source}"
    )
}

/// Of each kind the first, and of those the first that nobody else is about to take. `held` says that
/// of the `$7` that were looked at too many were others', so that some behind them may be had. The
/// turn is raised to the last place that was taken.
fn statement() -> String {
    let shown = shown("taken");
    format!(
        "WITH clock AS MATERIALIZED (SELECT @now_ms() AS ms),
        first AS MATERIALIZED (
            SELECT c.seq FROM unnest($1) AS k (kind), LATERAL (
                SELECT j.seq, j.rank FROM @jobs j
                WHERE j.kind = k.kind AND j.rank IS NOT NULL
                    AND j.expires_ms + 0 > (SELECT ms FROM clock)
                ORDER BY j.rank, j.seq LIMIT $7) c
            ORDER BY c.rank, c.seq LIMIT $7),
        picked AS MATERIALIZED (
            SELECT seq, rank AS place, ready_ms AS was_ready_ms, epoch AS was_epoch,
                version AS was_version
            FROM @jobs WHERE seq = ANY(ARRAY(SELECT seq FROM first)) AND rank IS NOT NULL
            ORDER BY rank, seq LIMIT $2 FOR UPDATE SKIP LOCKED),
        taken AS (
            UPDATE @jobs j SET stage = 'running', ready_ms = NULL, rank = NULL,
                lease_until_ms = (SELECT ms FROM clock) + $3, worker = $4, epoch = epoch + 1,
                version = version + 1, revision = revision + 1, claim = $5
            FROM picked p WHERE j.seq = p.seq
            RETURNING j.*, p.was_ready_ms, p.was_epoch, p.was_version),
        named AS (
            INSERT INTO @commits (batch, until_ms)
            SELECT $5, ms + $6 FROM clock WHERE EXISTS (SELECT FROM taken)),
        last AS MATERIALIZED (
            SELECT max(place) AS place, count(*) AS jobs FROM picked),
        found AS MATERIALIZED (
            SELECT EXISTS (SELECT FROM @jobs WHERE stage = 'queued' AND rank IS NULL
                    AND ready_ms <= (SELECT ms FROM clock)) AS delayed,
                jobs < $2 AND (SELECT count(*) FROM first) = $7 AS held,
                CASE WHEN place > (SELECT last_value FROM @turn)
                    THEN setval('@turn', place) END AS turn
            FROM last)
        SELECT found.*, t.* FROM found LEFT JOIN ({shown}) t ON true
        LEFT JOIN picked p ON p.seq = t.seq ORDER BY p.place, p.seq"
    )
}

/// Where a row's own columns begin, behind those of `found`.
const OWN: usize = 3;

impl Core {
    pub(crate) async fn claim(&self, claim: &Claim) -> Result<Vec<Claimed>, Error> {
        self.note_lease(millis(claim.lease)).await?;
        let mut claimed = Vec::new();
        let mut looks = LOOKS;
        for _ in 0..MOST_PASSES {
            match self.claim_more(claim, looks, &mut claimed).await {
                Ok(Next::Again) => {}
                Ok(Next::Further) => looks *= FURTHER,
                Ok(Next::Nothing) => break,
                // What is committed is the worker's, whatever happens after it.
                Err(error) if !claimed.is_empty() => {
                    let error = StoreError::from(error);
                    tracing::warn!(%error, "a claim ends early");
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(claimed)
    }

    /// One pass over the queue, and whether another may find more.
    async fn claim_more(
        &self,
        claim: &Claim,
        looks: usize,
        claimed: &mut Vec<Claimed>,
    ) -> Result<Next, Error> {
        let found = self.take(claim, claim.max.saturating_sub(claimed.len()), looks).await?;
        claimed.extend(found.jobs);
        for (seq, why) in found.damaged {
            self.condemn(seq, &why).await?;
        }
        // Delayed jobs come in once they are ready; there may be room for them yet.
        if found.delayed {
            self.promote().await?;
        }
        Ok(match claimed.len() >= claim.max || claim.kinds.is_empty() {
            true => Next::Nothing,
            false if found.held => Next::Further,
            false if found.delayed => Next::Again,
            false => Next::Nothing,
        })
    }

    async fn take(&self, claim: &Claim, max: usize, looks: usize) -> Result<Found, Error> {
        let kinds: HashSet<&str> = claim.kinds.iter().map(ToolName::as_str).collect();
        let kinds: Vec<&str> = kinds.into_iter().collect();
        let max = max.min(MOST_CLAIMED);
        let (max, looks) = (integer(max as u64), integer((max * looks) as u64));
        let lease = integer(millis(claim.lease.min(FOR_EVER)));
        let worker = text(&claim.worker);
        let mut patience = Patience::new();
        let rows = loop {
            // Nothing was read that tells the database's time. Were such a name taken for one that
            // never was, the jobs would be a dead worker's, and run again.
            let name = Name { until_ms: i64::MAX, ..self.name(0) };
            let values = [
                (&kinds as _, Type::TEXT_ARRAY),
                (&max as _, Type::INT8),
                (&lease as _, Type::INT8),
                (&worker as _, Type::TEXT),
                (&name.batch.0 as _, Type::INT8),
                (&integer(KEPT_MS) as _, Type::INT8),
                (&looks as _, Type::INT8),
            ];
            match self.database.once(&statement(), &values).await {
                Ok(rows) => break rows,
                Err(Error::Lost(why)) => match self.fate(name).await? {
                    // The jobs are this worker's: it only has not heard of it.
                    Fate::Committed => break self.taken_as(name.batch).await?,
                    Fate::Never => patience.bear(Error::Lost(why)).await?,
                },
                Err(error) => patience.bear(error).await?,
            }
        };
        let mut found = Found::default();
        for row in &rows {
            (found.delayed, found.held) = (get(row, 0)?, get(row, 1)?);
            let Some(seq) = get::<Option<i64>>(row, OWN)? else { continue };
            match claimed(row, claim.lease) {
                Ok(job) => found.jobs.push(job),
                Err(error) => found.damaged.push((seq, StoreError::from(error).to_string())),
            }
        }
        Ok(found)
    }

    /// The jobs that were claimed under this name.
    async fn taken_as(&self, batch: Batch) -> Result<Vec<Row>, Error> {
        let source = "(SELECT *, NULL::bigint AS was_ready_ms, NULL::bigint AS was_epoch,
                NULL::bigint AS was_version FROM @jobs) j
            WHERE stage = 'running' AND claim = $1";
        let sql = format!("SELECT true, false, 0::bigint, t.* FROM ({}) t", shown(source));
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
            turn AS MATERIALIZED (SELECT last_value AS rank FROM @turn),
            last AS MATERIALIZED (
                SELECT o.owner, greatest((SELECT rank FROM turn), (
                    SELECT max(rank) FROM @jobs j
                    WHERE j.owner = o.owner AND j.rank > (SELECT rank FROM turn))) AS rank
                FROM (SELECT DISTINCT owner FROM due) o),
            place AS MATERIALIZED (
                SELECT array_agg(due.seq) AS seqs, array_agg(last.rank + nth) AS ranks FROM (
                    SELECT seq, owner, row_number() OVER (
                        PARTITION BY owner ORDER BY ready_ms, seq) AS nth FROM due) due
                JOIN last ON last.owner = due.owner),
            placed AS (
                UPDATE @jobs j SET rank = p.rank, revision = revision + 1
                FROM (SELECT unnest(seqs) AS seq, unnest(ranks) AS rank FROM place) p
                WHERE j.seq = p.seq RETURNING 1)
            SELECT count(*) FROM placed WHERE $2::smallint IS NOT NULL";
        self.upkeep(SQL, MOST_PROMOTED, &[]).await
    }
}

/// Whether another pass over the queue may find more.
enum Next {
    Again,
    /// It has to look behind what others are about to take.
    Further,
    Nothing,
}

/// What one statement claimed.
#[derive(Default)]
struct Found {
    jobs: Vec<Claimed>,
    /// Those that do not read back, and why.
    damaged: Vec<(i64, String)>,
    /// Whether delayed jobs are ready that have no place in the queue yet.
    delayed: bool,
    /// Whether there may be jobs behind those that others are about to take.
    held: bool,
}

fn claimed(row: &Row, lease: Duration) -> Result<Claimed, Error> {
    let hot = Hot::read(row, OWN)?;
    let column = |n| OWN + HOT_COLUMNS + n;
    let (life, now) = (hot.life()?, number::<u64>(get(row, column(5))?)?);
    let was = |n| get::<Option<i64>>(row, column(n));
    let waited = match (was(6)?, was(7)?, was(8)?) {
        (Some(ready_ms), Some(epoch), Some(version)) => {
            let stage = Stage::Queued { ready_ms: number(ready_ms)? };
            let before = Life { stage, epoch: number(epoch)?, version: number(version)?, ..life };
            check(before, life, now, lease)?;
            before.waited(now)
        }
        _ => Duration::ZERO,
    };
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
        waited,
    })
}

/// The statement must have done with the job what the state machine does.
fn check(before: Life, after: Life, now: u64, lease: Duration) -> Result<(), Error> {
    let Stage::Queued { ready_ms } = before.stage else { return Ok(()) };
    // A clock that was set back makes no job wait that had its place already, and one that has
    // expired since its claim was claimed all the same.
    let then = now.max(ready_ms).min(after.expires_ms.saturating_sub(1));
    let queued = Life { stage: Stage::Queued { ready_ms: ready_ms.min(then) }, ..before };
    let same = queued.claim(then, lease).is_some_and(|expected| {
        expected.stage.name() == after.stage.name()
            && (expected.epoch, expected.version) == (after.epoch, after.version)
    });
    if same { Ok(()) } else { Err(StoreError::Corrupt("the claim of a job".to_owned()).into()) }
}

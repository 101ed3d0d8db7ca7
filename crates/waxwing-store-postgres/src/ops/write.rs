//! The write of decided transitions: one statement, which changes every row or none. Each row must
//! still be as it was read.

use std::collections::BTreeMap;

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use waxwing_jobs::state::Stage;

use super::Core;
use super::job::{Depth, Jobs};
use crate::database::{Batch, Patience};
use crate::error::Error;
use crate::row::integer;

const SQL: &str = "
WITH next AS MATERIALIZED (
    SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
        $18, $19, $20, $21)
    AS n (seq, revision, stage, ready_ms, lease_until_ms, epoch, failures, max_attempts, version,
        created_ms, expires_ms, cancel_asked, cancel_reason, progress_done, progress_total,
        progress_message, attempts, requests, answers, checkpoint, output)),
written AS (
    UPDATE @jobs j SET stage = n.stage, ready_ms = n.ready_ms, rank = NULL,
        lease_until_ms = n.lease_until_ms, epoch = n.epoch, failures = n.failures,
        max_attempts = n.max_attempts, version = n.version, created_ms = n.created_ms,
        expires_ms = n.expires_ms, cancel_asked = n.cancel_asked, cancel_reason = n.cancel_reason,
        progress_done = n.progress_done, progress_total = n.progress_total,
        progress_message = n.progress_message, attempts = coalesce(n.attempts, j.attempts),
        requests = coalesce(n.requests, j.requests), answers = coalesce(n.answers, j.answers),
        checkpoint = coalesce(n.checkpoint, j.checkpoint), output = coalesce(n.output, j.output),
        revision = j.revision + 1
    FROM next n WHERE j.seq = n.seq AND j.revision = n.revision RETURNING 1),
counted AS (
    INSERT INTO @job_counts AS c (client, slot, jobs)
    SELECT n.client, $24, n.jobs FROM unnest($22, $23) AS n (client, jobs) ORDER BY 1
    ON CONFLICT (client, slot) DO UPDATE SET jobs = c.jobs + excluded.jobs),
named AS (INSERT INTO @commits (batch, until_ms) SELECT $25, $26 WHERE $26 IS NOT NULL)
SELECT CASE WHEN (SELECT count(*) FROM written) = cardinality($1) THEN 0 ELSE @conflict() END";

/// The name under which all stored jobs are counted; no client has one with a space.
pub(super) const STORED: &str = " stored";

/// The same of all failed ones.
pub(super) const FAILED: &str = " failed";

/// Unfinished jobs that came or went, by client, and under the empty name in all.
#[derive(Debug, Default)]
pub(super) struct Counts(BTreeMap<String, i64>);

impl Counts {
    pub(super) fn add(&mut self, client: &str, jobs: i64) {
        *self.0.entry(client.to_owned()).or_default() += jobs;
        // A damaged row may name no client at all.
        if !client.is_empty() {
            *self.0.entry(String::new()).or_default() += jobs;
        }
    }

    /// Jobs that came or went, whatever their stage.
    pub(super) fn add_stored(&mut self, jobs: i64) {
        *self.0.entry(STORED.to_owned()).or_default() += jobs;
    }

    /// Failed jobs that came or went.
    pub(super) fn add_failed(&mut self, jobs: i64) {
        *self.0.entry(FAILED.to_owned()).or_default() += jobs;
    }

    pub(super) fn columns(&self) -> (Vec<&str>, Vec<i64>) {
        let changed = self.0.iter().filter(|(_, jobs)| **jobs != 0);
        changed.map(|(client, jobs)| (client.as_str(), *jobs)).unzip()
    }
}

/// The rows as columns, as `unnest` takes them.
#[derive(Default)]
struct Columns<'j> {
    seq: Vec<i64>,
    revision: Vec<i64>,
    stage: Vec<&'static str>,
    ready_ms: Vec<Option<i64>>,
    lease_until_ms: Vec<Option<i64>>,
    epoch: Vec<i64>,
    failures: Vec<i64>,
    max_attempts: Vec<i64>,
    version: Vec<i64>,
    created_ms: Vec<i64>,
    expires_ms: Vec<i64>,
    cancel_asked: Vec<bool>,
    cancel_reason: Vec<Option<&'j str>>,
    progress_done: Vec<Option<f64>>,
    progress_total: Vec<Option<f64>>,
    progress_message: Vec<Option<&'j str>>,
    attempts: Vec<Option<&'j str>>,
    requests: Vec<Option<&'j str>>,
    answers: Vec<Option<&'j str>>,
    checkpoint: Vec<Option<&'j str>>,
    output: Vec<Option<&'j str>>,
    counts: Counts,
}

impl<'j> Columns<'j> {
    fn of(jobs: &'j Jobs) -> Self {
        let mut columns = Self::default();
        let mut changed: Vec<_> = jobs.changed().collect();
        // Rows are locked in one order by everybody.
        changed.sort_by_key(|(job, _)| job.hot.seq);
        for (job, next) in changed {
            let (mut ready, mut lease) = (None, None);
            match next.stage {
                Stage::Queued { ready_ms } => ready = Some(integer(ready_ms)),
                Stage::Running { lease_until_ms, .. } => lease = Some(integer(lease_until_ms)),
                Stage::Parked | Stage::Completed | Stage::Failed | Stage::Cancelled => {}
            }
            columns.seq.push(job.hot.seq);
            columns.revision.push(job.hot.revision);
            columns.stage.push(next.stage.name().as_str());
            columns.ready_ms.push(ready);
            columns.lease_until_ms.push(lease);
            columns.epoch.push(integer(next.epoch));
            columns.failures.push(next.failures.into());
            columns.max_attempts.push(next.max_attempts.into());
            columns.version.push(integer(next.version));
            columns.created_ms.push(integer(next.created_ms));
            columns.expires_ms.push(integer(next.expires_ms));
            columns.cancel_asked.push(job.cancel_asked);
            columns.cancel_reason.push(job.cancel_reason.as_deref());
            columns.progress_done.push(job.progress_done);
            columns.progress_total.push(job.progress_total);
            columns.progress_message.push(job.progress_message.as_deref());
            columns.attempts.push(job.attempts.as_deref());
            columns.requests.push(job.requests.as_deref());
            columns.answers.push(job.answers.as_deref());
            columns.checkpoint.push(job.checkpoint.as_deref());
            columns.output.push(job.output.as_deref());
            let unfinished = i64::from(!next.stage.is_terminal());
            let before = i64::from(job.hot.is_unfinished());
            columns.counts.add(&job.hot.owner, unfinished - before);
            let failed = i64::from(next.stage == Stage::Failed);
            columns.counts.add_failed(failed - i64::from(job.hot.stage == "failed"));
        }
        columns
    }
}

/// Whether a write whose answer was lost may be decided and made again without asking whether it
/// was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// It leaves a name, by which that is found out.
    Never,
    /// Nobody could tell the difference: a beat keeps a lease as well twice as once.
    Harmless,
}

impl Core {
    /// Decides over jobs of these ids until what was decided could be written.
    pub(super) async fn transition<V>(
        &self,
        ids: &[&str],
        depth: Depth,
        again: Again,
        mut decide: impl FnMut(&mut Jobs) -> Result<V, Error> + Send,
    ) -> Result<V, Error>
    where
        V: Send,
    {
        let mut patience = Patience::new();
        loop {
            let mut jobs = self.jobs(ids, depth).await?;
            let verdict = decide(&mut jobs)?;
            match self.write(&jobs, again).await {
                Ok(()) => return Ok(verdict),
                Err(error) => patience.bear(error).await?,
            }
        }
    }

    /// Writes what was decided, or nothing. Damaged jobs are failed before.
    pub(super) async fn write(&self, jobs: &Jobs, again: Again) -> Result<(), Error> {
        for (seq, why) in &jobs.damaged {
            self.condemn(*seq, why).await?;
        }
        self.write_next(jobs, again).await
    }

    async fn write_next(&self, jobs: &Jobs, again: Again) -> Result<(), Error> {
        let columns = Columns::of(jobs);
        if columns.seq.is_empty() {
            return Ok(());
        }
        let name = self.name(jobs.now);
        match again {
            Again::Never => {
                let written = self.send(name.batch, Some(name.until_ms), &columns).await;
                self.decided(name, written).await
            }
            Again::Harmless => self.send(name.batch, None, &columns).await.map(drop),
        }
    }

    /// Fails a job of which nothing but its number is known to be right.
    pub(super) async fn condemn(&self, seq: i64, why: &str) -> Result<(), Error> {
        let mut patience = Patience::new();
        loop {
            let number = [(&seq as _, Type::INT8)];
            let mut jobs = self.read_jobs("seq = $1", &number, Depth::Whole).await?;
            let now = jobs.now;
            if let Some(job) = jobs.all.first_mut() {
                job.condemn(why, now)?;
            }
            match self.write_next(&jobs, Again::Never).await {
                Ok(()) => return Ok(()),
                Err(error) => patience.bear(error).await?,
            }
        }
    }

    /// Sends the write, which leaves its name until a time, where there is one.
    async fn send(
        &self,
        batch: Batch,
        until_ms: Option<i64>,
        c: &Columns<'_>,
    ) -> Result<Vec<Row>, Error> {
        let (clients, jobs) = c.counts.columns();
        let (text, numbers) = (Type::TEXT_ARRAY, Type::INT8_ARRAY);
        let values = [
            (&c.seq as _, numbers.clone()),
            (&c.revision as _, numbers.clone()),
            (&c.stage as _, text.clone()),
            (&c.ready_ms as _, numbers.clone()),
            (&c.lease_until_ms as _, numbers.clone()),
            (&c.epoch as _, numbers.clone()),
            (&c.failures as _, numbers.clone()),
            (&c.max_attempts as _, numbers.clone()),
            (&c.version as _, numbers.clone()),
            (&c.created_ms as _, numbers.clone()),
            (&c.expires_ms as _, numbers.clone()),
            (&c.cancel_asked as _, Type::BOOL_ARRAY),
            (&c.cancel_reason as _, text.clone()),
            (&c.progress_done as _, Type::FLOAT8_ARRAY),
            (&c.progress_total as _, Type::FLOAT8_ARRAY),
            (&c.progress_message as _, text.clone()),
            (&c.attempts as _, text.clone()),
            (&c.requests as _, text.clone()),
            (&c.answers as _, text.clone()),
            (&c.checkpoint as _, text.clone()),
            (&c.output as _, text.clone()),
            (&clients as _, text),
            (&jobs as _, numbers),
            (&batch.slot() as _, Type::INT2),
            (&batch.0 as _, Type::INT8),
            (&until_ms as _, Type::INT8),
        ];
        self.database.once(SQL, &values).await
    }
}

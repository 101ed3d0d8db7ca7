//! What a client does to its job, and an operator to anybody's: answer, cancel, requeue, purge.

use tokio_postgres::types::Type;
use waxwing_core::{ClientId, JobId};
use waxwing_jobs::state::{CancelStep, Stage};
use waxwing_jobs::{
    Answered, Answers, Bound, CancelRequest, CancelVerdict, Exchange, PurgeVerdict, RequeueVerdict,
    settlement,
};

use super::Core;
use super::job::Jobs;
use super::plan::Room;
use crate::database::Patience;
use crate::error::Error;
use crate::row::text;

impl Core {
    pub(crate) async fn answer(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
        answers: &Answers,
    ) -> Result<Option<Answered>, Error> {
        self.transition(&[id.as_str()], |jobs| {
            let now = jobs.now;
            let Some(job) = jobs.owned(owner.as_str(), id.as_str())? else { return Ok(None) };
            let life = job.life()?;
            let mut exchange = match life.stage {
                Stage::Parked => job.exchange()?,
                _ => Exchange::default(),
            };
            let (answered, next) = settlement::answer(life, &mut exchange, answers, now);
            if next.is_some() {
                job.keep_exchange(&exchange)?;
                job.next = next;
            }
            Ok(Some(answered))
        })
        .await
    }

    pub(crate) async fn cancel(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
        request: &CancelRequest,
    ) -> Result<CancelVerdict, Error> {
        self.transition(&[id.as_str()], |jobs| {
            let (now, unknown) = (jobs.now, CancelVerdict::Unknown);
            let Some(job) = jobs.owned(owner.as_str(), id.as_str())? else { return Ok(unknown) };
            let (life, verdict) = match job.life()?.cancel(now) {
                CancelStep::Settled(life) => (life, CancelVerdict::Settled),
                CancelStep::Requested(life) => (life, CancelVerdict::Requested),
                CancelStep::RequestedBefore => return Ok(CancelVerdict::Requested),
                CancelStep::AlreadyTerminal => return Ok(CancelVerdict::AlreadyTerminal),
                CancelStep::Unknown => return Ok(unknown),
            };
            job.next = Some(life);
            job.cancel_asked = true;
            job.cancel_reason = request.reason().map(text);
            Ok(verdict)
        })
        .await
    }

    pub(crate) async fn requeue(&self, ids: &[JobId<'_>]) -> Result<Vec<RequeueVerdict>, Error> {
        let names: Vec<&str> = ids.iter().map(JobId::as_str).collect();
        let mut cleaned = false;
        let mut patience = Patience::new();
        loop {
            let mut jobs = self.jobs(&names).await?;
            let owners: Vec<&str> = jobs.all.iter().map(|job| job.hot.owner.as_str()).collect();
            let mut room = self.room(&owners).await?;
            let one = |name: &&str| requeue_one(&mut jobs, &mut room, name);
            let verdicts = names.iter().map(one).collect::<Result<Vec<_>, _>>()?;
            let full = verdicts.iter().any(|verdict| matches!(verdict, RequeueVerdict::Full(_)));
            if full && !cleaned {
                // Only what still lives may refuse: make sure that nothing else is counted.
                while self.expire_jobs(1000).await? > 0 {}
                cleaned = true;
                continue;
            }
            match self.write(&jobs).await {
                Ok(()) => return Ok(verdicts),
                Err(error) => patience.bear(error).await?,
            }
        }
    }

    pub(crate) async fn purge(&self, ids: &[JobId<'_>]) -> Result<Vec<PurgeVerdict>, Error> {
        let names: Vec<&str> = ids.iter().map(JobId::as_str).collect();
        let mut patience = Patience::new();
        loop {
            let mut jobs = self.jobs(&names).await?;
            let (mut verdicts, mut seqs, mut revisions) = (Vec::new(), Vec::new(), Vec::new());
            for name in &names {
                let now = jobs.now;
                let found = jobs.find(name).map(|job| (job.hot.life(), &job.hot));
                verdicts.push(match found {
                    None => PurgeVerdict::Unknown,
                    Some((life, hot)) => {
                        let life = life?;
                        if life.is_expired(now) || seqs.contains(&hot.seq) {
                            PurgeVerdict::Unknown
                        } else if life.stage.is_terminal() {
                            seqs.push(hot.seq);
                            revisions.push(hot.revision);
                            PurgeVerdict::Done
                        } else {
                            PurgeVerdict::NotEnded
                        }
                    }
                });
            }
            match self.delete(&seqs, &revisions).await {
                Ok(()) => return Ok(verdicts),
                Err(error) => patience.bear(error).await?,
            }
        }
    }

    /// Deletes jobs that have ended, all of them or none.
    async fn delete(&self, seqs: &[i64], revisions: &[i64]) -> Result<(), Error> {
        if seqs.is_empty() {
            return Ok(());
        }
        const SQL: &str = "
            WITH gone AS (
                DELETE FROM @jobs j USING unnest($1, $2) AS n (seq, revision)
                WHERE j.seq = n.seq AND j.revision = n.revision RETURNING 1),
            counted AS (
                INSERT INTO @job_counts AS c (client, slot, jobs)
                VALUES (' stored', $4, -cardinality($1))
                ON CONFLICT (client, slot) DO UPDATE SET jobs = c.jobs + excluded.jobs),
            named AS (INSERT INTO @commits (batch, until_ms) VALUES ($3, @now_ms() + 600000))
            SELECT CASE WHEN (SELECT count(*) FROM gone) = cardinality($1) THEN 0
                ELSE @conflict() END";
        let batch = self.database.next_batch();
        let numbers = Type::INT8_ARRAY;
        let values = [
            (&seqs as _, numbers.clone()),
            (&revisions as _, numbers),
            (&batch.0 as _, Type::INT8),
            (&batch.slot() as _, Type::INT2),
        ];
        let written = self.database.once(SQL, &values).await;
        self.decided(batch, written).await
    }
}

fn requeue_one(jobs: &mut Jobs, room: &mut Room, name: &str) -> Result<RequeueVerdict, Error> {
    let now = jobs.now;
    let Some(job) = jobs.find(name) else { return Ok(RequeueVerdict::Unknown) };
    let life = job.life()?;
    if life.is_expired(now) {
        return Ok(RequeueVerdict::Unknown);
    }
    let Some(next) = life.requeue(now) else { return Ok(RequeueVerdict::NotFailed) };
    let taken: Result<(), Bound> = room.take(&job.hot.owner);
    if let Err(bound) = taken {
        return Ok(RequeueVerdict::Full(bound));
    }
    job.next = Some(next);
    job.cancel_asked = false;
    job.cancel_reason = None;
    Ok(RequeueVerdict::Done)
}

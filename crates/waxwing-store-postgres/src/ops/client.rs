//! What a client does to its job, and an operator to anybody's: answer, cancel, requeue, purge.

use tokio_postgres::types::Type;
use waxwing_core::{ClientId, JobId};
use waxwing_jobs::state::Stage;
use waxwing_jobs::{
    Answered, Answers, CancelRequest, CancelVerdict, Exchange, PurgeVerdict, RequeueVerdict,
    settlement,
};

use super::Core;
use super::job::{Depth, Jobs};
use super::plan::Room;
use super::write::{Again, Counts};
use crate::database::Patience;
use crate::error::Error;
use crate::row::{integer, text};

impl Core {
    pub(crate) async fn answer(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
        answers: &Answers,
    ) -> Result<Option<Answered>, Error> {
        self.transition(&[id.as_str()], Depth::Whole, Again::Never, |jobs| {
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
        self.transition(&[id.as_str()], Depth::Life, Again::Never, |jobs| {
            let (now, unknown) = (jobs.now, CancelVerdict::Unknown);
            let Some(job) = jobs.owned(owner.as_str(), id.as_str())? else { return Ok(unknown) };
            let (verdict, next) = settlement::cancel(job.life()?, now);
            if next.is_some() {
                job.next = next;
                job.cancel_asked = true;
                job.cancel_reason = request.reason().map(text);
            }
            Ok(verdict)
        })
        .await
    }

    pub(crate) async fn requeue(&self, ids: &[JobId<'_>]) -> Result<Vec<RequeueVerdict>, Error> {
        let names: Vec<&str> = ids.iter().map(JobId::as_str).collect();
        let mut freed = false;
        let mut patience = Patience::new();
        loop {
            let mut jobs = self.jobs(&names, Depth::Life).await?;
            let owners: Vec<&str> = jobs.all.iter().map(|job| job.hot.owner.as_str()).collect();
            let mut room = self.room(&owners).await?;
            let one = |name: &&str| requeue_one(&mut jobs, &mut room, name);
            let verdicts = names.iter().map(one).collect::<Result<Vec<_>, _>>()?;
            let full = |(verdict, name): (&RequeueVerdict, &&str)| match verdict {
                RequeueVerdict::Full(bound) => Some((jobs.of(name)?.hot.owner.as_str(), *bound)),
                _ => None,
            };
            let full: Vec<_> = verdicts.iter().zip(&names).filter_map(full).collect();
            if !full.is_empty() && !freed && self.free_jobs(&full).await? > 0 {
                freed = true;
                continue;
            }
            match self.write(&jobs, Again::Never).await {
                Ok(()) => return Ok(verdicts),
                Err(error) => patience.bear(error).await?,
            }
        }
    }

    pub(crate) async fn purge(&self, ids: &[JobId<'_>]) -> Result<Vec<PurgeVerdict>, Error> {
        let names: Vec<&str> = ids.iter().map(JobId::as_str).collect();
        let mut patience = Patience::new();
        loop {
            let mut jobs = self.jobs(&names, Depth::Life).await?;
            let mut failed = 0;
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
                            failed += i64::from(life.stage == Stage::Failed);
                            PurgeVerdict::Done
                        } else {
                            PurgeVerdict::NotEnded
                        }
                    }
                });
            }
            let mut counts = Counts::default();
            counts.add_stored(-integer(seqs.len() as u64));
            counts.add_failed(-failed);
            match self.delete(jobs.now, &seqs, &revisions, &counts).await {
                Ok(()) => return Ok(verdicts),
                Err(error) => patience.bear(error).await?,
            }
        }
    }

    /// Deletes jobs that have ended, all of them or none.
    async fn delete(
        &self,
        now: u64,
        seqs: &[i64],
        revisions: &[i64],
        counts: &Counts,
    ) -> Result<(), Error> {
        if seqs.is_empty() {
            return Ok(());
        }
        const SQL: &str = "
            WITH gone AS (
                DELETE FROM @jobs j USING unnest($1, $2) AS n (seq, revision)
                WHERE j.seq = n.seq AND j.revision = n.revision RETURNING 1),
            counted AS (
                INSERT INTO @job_counts AS c (client, slot, jobs)
                SELECT n.client, $4, n.jobs FROM unnest($5, $6) AS n (client, jobs) ORDER BY 1
                ON CONFLICT (client, slot) DO UPDATE SET jobs = c.jobs + excluded.jobs),
            named AS (INSERT INTO @commits (batch, until_ms) VALUES ($3, $7))
            SELECT CASE WHEN (SELECT count(*) FROM gone) = cardinality($1) THEN 0
                ELSE @conflict() END";
        let name = self.name(now);
        let (clients, jobs) = counts.columns();
        let numbers = Type::INT8_ARRAY;
        let values = [
            (&seqs as _, numbers.clone()),
            (&revisions as _, numbers.clone()),
            (&name.batch.0 as _, Type::INT8),
            (&name.batch.slot() as _, Type::INT2),
            (&clients as _, Type::TEXT_ARRAY),
            (&jobs as _, numbers),
            (&name.until_ms as _, Type::INT8),
        ];
        let written = self.database.once(SQL, &values).await;
        self.decided(name, written).await
    }
}

fn requeue_one(jobs: &mut Jobs, room: &mut Room, name: &str) -> Result<RequeueVerdict, Error> {
    let now = jobs.now;
    let Some(job) = jobs.find(name) else { return Ok(RequeueVerdict::Unknown) };
    let taken = || Ok::<_, Error>(room.take(&job.hot.owner).err());
    let (verdict, next) = settlement::requeue(job.life()?, now, taken)?;
    if next.is_some() {
        job.next = next;
        job.cancel_asked = false;
        job.cancel_reason = None;
    }
    Ok(verdict)
}

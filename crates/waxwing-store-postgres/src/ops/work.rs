//! What workers report: beats and ends.

use std::sync::Arc;

use tokio_postgres::types::Type;
use waxwing_jobs::state::{Beaten, News};
use waxwing_jobs::{
    Beat, BeatVerdict, FOR_EVER, Outcome, Settle, SettleVerdict, StoreError, millis, settlement,
};

use super::job::{Depth, Job, Jobs};
use super::write::Again;
use super::{Core, damage};
use crate::batch::Writes;
use crate::error::Error;
use crate::row::{integer, text};

impl Core {
    pub(crate) async fn beat(&self, beats: &[Beat]) -> Result<Vec<BeatVerdict>, Error> {
        if let Some(lease) = beats.iter().map(|beat| millis(beat.lease)).max() {
            self.note_lease(lease).await?;
        }
        let ids: Vec<&str> = beats.iter().map(|beat| beat.ticket.id.as_str()).collect();
        self.transition(&ids, Depth::Life, Again::Harmless, |jobs| {
            let now = jobs.now;
            beats
                .iter()
                .map(|beat| {
                    let id = beat.ticket.id.as_str();
                    let lost = BeatVerdict::Lost;
                    or_condemn(jobs, id, lost, |job| one_beat(job, beat, now))
                })
                .collect()
        })
        .await
    }

    /// Ends attempts, those of several calls in one commit.
    async fn settle(&self, settles: &[Settle]) -> Result<Vec<SettleVerdict>, Error> {
        let ids: Vec<&str> = settles.iter().map(|settle| settle.ticket.id.as_str()).collect();
        let short = |settle: &Settle| {
            matches!(settle.outcome, Outcome::Complete(_) | Outcome::Cancelled | Outcome::Release)
        };
        let depth = if settles.iter().all(short) { Depth::Life } else { Depth::Whole };
        self.transition(&ids, depth, Again::Never, |jobs| {
            let now = jobs.now;
            settles
                .iter()
                .map(|settle| {
                    let id = settle.ticket.id.as_str();
                    let stale = SettleVerdict::Stale;
                    or_condemn(jobs, id, stale, |job| one_end(job, settle, now))
                })
                .collect()
        })
        .await
    }

    /// Remembers the longest lease that was given.
    pub(super) async fn note_lease(&self, lease_ms: u64) -> Result<(), Error> {
        let lease_ms = lease_ms.min(millis(FOR_EVER));
        if self.is_longer_lease(lease_ms) {
            const SQL: &str =
                "UPDATE @waxwing SET longest_lease_ms = $1 WHERE longest_lease_ms < $1";
            self.database.ask(SQL, &[(&integer(lease_ms), Type::INT8)]).await?;
            self.knows_lease(lease_ms);
        }
        Ok(())
    }
}

/// What was done to the job; of one that is missing or damaged nothing is the worker's any more.
fn or_condemn<V>(
    jobs: &mut Jobs,
    id: &str,
    none: V,
    work: impl FnOnce(&mut Job) -> Result<V, Error>,
) -> Result<V, Error> {
    let Some(job) = jobs.find(id) else { return Ok(none) };
    match work(job) {
        Ok(verdict) => Ok(verdict),
        Err(error) => {
            let damaged = (job.hot.seq, damage(error)?);
            job.next = None;
            jobs.damaged.push(damaged);
            Ok(none)
        }
    }
}

fn one_beat(job: &mut Job, beat: &Beat, now: u64) -> Result<BeatVerdict, Error> {
    let news = if beat.progress.is_some() { News::Some } else { News::None };
    let step = job.life()?.beat(beat.ticket.epoch, now, beat.lease, news);
    let Beaten::Held(life, cancel) = step else { return Ok(BeatVerdict::Lost) };
    if let Some(progress) = &beat.progress {
        job.progress_done = Some(progress.done());
        job.progress_total = progress.total();
        job.progress_message = progress.message().map(text);
    }
    if let Some(checkpoint) = &beat.checkpoint {
        job.checkpoint = Some(checkpoint.as_str().to_owned());
    }
    job.next = Some(life);
    Ok(BeatVerdict::Held(cancel))
}

fn one_end(job: &mut Job, settle: &Settle, now: u64) -> Result<SettleVerdict, Error> {
    let (life, outcome) = (job.life()?, settle.outcome.clone());
    let made = settlement::settle(life, settle.ticket.epoch, now, outcome, || job.exchange())?;
    let Some(made) = made else { return Ok(SettleVerdict::Stale) };
    job.apply(made)?;
    Ok(SettleVerdict::Done)
}

impl Writes<Settle, SettleVerdict> for Core {
    fn write(
        self: Arc<Self>,
        items: Vec<Settle>,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<Vec<SettleVerdict>, StoreError>> + Send>>
    {
        Box::pin(async move { Ok(self.settle(&items).await?) })
    }
}

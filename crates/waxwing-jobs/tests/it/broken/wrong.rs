//! A store that keeps its promises but for one fault.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use waxwing_core::{ClientId, JobId, ServerId};
use waxwing_jobs::state::Cancel;
use waxwing_jobs::{
    Admission, Answered, Answers, Beat, BeatVerdict, Bound, CancelRequest, CancelVerdict, Census,
    Claim, Claimed, Durability, Filter, Inspected, MemoryStore, NewJob, NonceRecord, Outcome, Page,
    PurgeVerdict, Remaining, RequeueVerdict, Seen, Settle, SettleVerdict, Snapshot, Started, Store,
    StoreError, StoreInfo, Swept,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    AnswersNotKept,
    AttemptNotListed,
    AttemptsUnbounded,
    BackoffNotStored,
    BatchJudgedByItsFirst,
    BeatsNotKept,
    BindsAnybody,
    CancelNotPassedOn,
    CancelChangesTheEnded,
    ChangesInvented,
    ChangesNotTold,
    ChangesSleptThrough,
    ChangesNeverWaitedFor,
    CheckpointNotKept,
    ClaimedTwice,
    EpochNotChecked,
    ExpiredReadable,
    FullGuardForgets,
    KeyIgnored,
    KeyDigestIgnored,
    KindsIgnored,
    LostOnRestart,
    MarkSinks,
    NonceCheckedOnly,
    NonceNotInStart,
    OwnerNotChecked,
    ProgressNotKept,
    ReadsWrite,
    ReleaseCostsAnAttempt,
    RescuedByAge,
    RoomLeaks,
    StaleBeatTaken,
    SweepDoesNothing,
    SweepNeverDone,
    SweepStopsShort,
    TurnsByArrival,
    TurnsByTheLowest,
    Unbounded,
    UnfinishedNotTold,
    VersionStandsStill,
    WaitNotTold,
    ForeignInspected,
}

#[derive(Debug)]
pub(super) struct Wrong {
    fault: Fault,
    inner: MemoryStore,
    notes: Mutex<Notes>,
}

/// What a fault needs to remember in order to be wrong.
#[derive(Debug, Default)]
struct Notes {
    owners: HashMap<JobId<'static>, ClientId<'static>>,
    order: Vec<JobId<'static>>,
    places: HashMap<JobId<'static>, u64>,
    epochs: HashMap<JobId<'static>, u64>,
    claimed: Vec<Claimed>,
    shown: HashMap<JobId<'static>, Snapshot>,
    reads: u64,
    leaked: u64,
}

impl Notes {
    fn arrival(&self, id: &JobId<'static>) -> Option<usize> {
        self.order.iter().position(|known| known == id)
    }

    /// A place behind the owner's own jobs and behind the first in the queue, wherever that stands.
    fn place(&mut self, id: &JobId<'static>) -> (u64, Option<usize>) {
        let owner = self.owners.get(id);
        let own = self.places.iter().filter(|(other, _)| self.owners.get(*other) == owner);
        let next = own.map(|(_, place)| *place).max().max(self.places.values().min().copied());
        let place = *self.places.entry(id.clone()).or_insert(next.unwrap_or(0) + 1);
        (place, self.arrival(id))
    }
}

impl Wrong {
    pub(super) fn new(fault: Fault, inner: MemoryStore) -> Self {
        Self { fault, inner, notes: Mutex::default() }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn notes(&self) -> std::sync::MutexGuard<'_, Notes> {
        self.notes.lock().unwrap()
    }

    /// Claims in an order that is not the inner store's.
    async fn claim_by<K: Ord>(
        &self,
        claim: Claim,
        place: impl Fn(&mut Notes, &JobId<'static>) -> K,
    ) -> Result<Vec<Claimed>, StoreError> {
        let max = claim.max;
        let mut all = self.inner.claim(Claim { max: usize::MAX, ..claim }).await?;
        all.sort_by_cached_key(|job| place(&mut self.notes(), &job.ticket.id));
        let rest = all.split_off(max.min(all.len()));
        let back = |job: Claimed| Settle { ticket: job.ticket, outcome: Outcome::Release };
        self.inner.settle(rest.into_iter().map(back).collect()).await?;
        Ok(all)
    }
}

#[async_trait]
impl Store for Wrong {
    fn info(&self) -> StoreInfo {
        let mut info = self.inner.info();
        if self.is(Fault::LostOnRestart) {
            info.durability = Durability::PowerCut;
        }
        info
    }

    async fn bind(&self, server: &ServerId<'_>) -> Result<(), StoreError> {
        if self.is(Fault::BindsAnybody) { Ok(()) } else { self.inner.bind(server).await }
    }

    async fn admit(&self, nonces: Vec<NonceRecord>) -> Result<Vec<Admission>, StoreError> {
        let mut verdicts = self.inner.admit(nonces).await?;
        for verdict in &mut verdicts {
            match *verdict {
                Admission::Replayed if self.is(Fault::NonceCheckedOnly) => {
                    *verdict = Admission::Fresh;
                }
                Admission::Full if self.is(Fault::FullGuardForgets) => *verdict = Admission::Fresh,
                _ => {}
            }
        }
        Ok(verdicts)
    }

    async fn raise_mark(&self, name: &str, at_least: i64) -> Result<Option<i64>, StoreError> {
        if self.is(Fault::MarkSinks) {
            return Ok(Some(at_least));
        }
        self.inner.raise_mark(name, at_least).await
    }

    async fn start(&self, mut jobs: Vec<NewJob>) -> Result<Vec<Started>, StoreError> {
        let leaked = self.notes().leaked;
        if leaked > 0 {
            let census = self.inner.census().await?;
            if census.queued + census.running + census.parked + leaked >= 40 {
                return Ok(vec![Started::Full(Bound::AllJobs); jobs.len()]);
            }
        }
        for job in &mut jobs {
            match self.fault {
                Fault::NonceNotInStart => job.nonce = None,
                Fault::KeyIgnored => job.idempotency = None,
                Fault::AttemptsUnbounded => job.max_attempts = 1000,
                _ => {}
            }
            if let (Some(key), Fault::KeyDigestIgnored) = (&mut job.idempotency, self.fault) {
                key.digest = [0; 32];
            }
            let mut notes = self.notes();
            notes.owners.entry(job.id.clone()).or_insert(job.owner.clone());
            notes.order.push(job.id.clone());
            notes.place(&job.id);
        }
        let mut verdicts = self.inner.start(jobs).await?;
        if self.is(Fault::BatchJudgedByItsFirst)
            && let Some(first) = verdicts.first().cloned()
        {
            verdicts.fill(first);
        }
        Ok(verdicts)
    }

    async fn get(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
    ) -> Result<Option<Snapshot>, StoreError> {
        let mut owner = owner.clone().into_owned();
        if self.is(Fault::OwnerNotChecked)
            && let Some(real) = self.notes().owners.get(&id.clone().into_owned())
        {
            owner = real.clone();
        }
        let mut found = self.inner.get(&owner, id).await?;
        let mut notes = self.notes();
        if let Some(job) = &mut found {
            notes.reads += 1;
            match self.fault {
                Fault::VersionStandsStill => job.version = 1,
                Fault::ReadsWrite => job.version += notes.reads,
                Fault::AttemptNotListed => job.attempts.clear(),
                _ => {}
            }
            notes.shown.insert(job.id.clone(), job.clone());
        } else if self.is(Fault::ExpiredReadable) {
            found = notes.shown.get(&id.clone().into_owned()).filter(|j| j.owner == owner).cloned();
        }
        Ok(found)
    }

    async fn answer(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
        answers: Answers,
    ) -> Result<Option<Answered>, StoreError> {
        if self.is(Fault::AnswersNotKept) {
            // Takes all answers at once or none.
            let phase = self.inner.get(owner, id).await?.map(|job| job.phase);
            if let Some(waxwing_jobs::Phase::Parked { requests }) = phase
                && requests.iter().any(|(key, _)| answers.answer(key).is_none())
            {
                return Ok(Some(Answered {
                    outstanding: requests.iter().map(|(key, _)| key.clone()).collect(),
                    ..Answered::default()
                }));
            }
        }
        self.inner.answer(owner, id, answers).await
    }

    async fn cancel(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
        request: CancelRequest,
    ) -> Result<CancelVerdict, StoreError> {
        let phase = self.inner.get(owner, id).await?.map(|job| job.phase);
        if phase == Some(waxwing_jobs::Phase::Running) && self.is(Fault::CancelNotPassedOn) {
            return Ok(CancelVerdict::Requested);
        }
        let verdict = self.inner.cancel(owner, id, request).await?;
        if verdict == CancelVerdict::Settled && self.is(Fault::RoomLeaks) {
            self.notes().leaked += 1;
        }
        Ok(match verdict {
            CancelVerdict::AlreadyTerminal if self.is(Fault::CancelChangesTheEnded) => {
                CancelVerdict::Settled
            }
            verdict => verdict,
        })
    }

    async fn claim(&self, mut claim: Claim) -> Result<Vec<Claimed>, StoreError> {
        if self.is(Fault::KindsIgnored) {
            claim.kinds.push("elsewhere".parse().unwrap());
        }
        let mut claimed = match self.fault {
            Fault::TurnsByArrival => self.claim_by(claim, |notes, id| notes.arrival(id)).await?,
            Fault::TurnsByTheLowest => {
                let claimed = self.claim_by(claim, |notes, id| notes.place(id)).await?;
                for job in &claimed {
                    self.notes().places.remove(&job.ticket.id);
                }
                claimed
            }
            _ => self.inner.claim(claim.clone()).await?,
        };
        if self.is(Fault::WaitNotTold) {
            claimed.iter_mut().for_each(|job| job.waited = Duration::ZERO);
        }
        let mut notes = self.notes();
        if self.is(Fault::ClaimedTwice) && claimed.is_empty() {
            claimed.extend(notes.claimed.pop());
        }
        for job in &claimed {
            notes.epochs.insert(job.ticket.id.clone(), job.ticket.epoch);
        }
        notes.claimed.extend(claimed.clone());
        Ok(claimed)
    }

    async fn beat(&self, mut beats: Vec<Beat>) -> Result<Vec<BeatVerdict>, StoreError> {
        let count = beats.len();
        for beat in &mut beats {
            match self.fault {
                Fault::ProgressNotKept => beat.progress = None,
                Fault::CheckpointNotKept => beat.checkpoint = None,
                Fault::BeatsNotKept => beat.lease = Duration::ZERO,
                _ => {}
            }
        }
        if self.is(Fault::RescuedByAge) {
            return Ok(vec![BeatVerdict::Held(Cancel::NotAsked); count]);
        }
        let mut verdicts = self.inner.beat(beats).await?;
        if self.is(Fault::StaleBeatTaken) {
            verdicts.fill(BeatVerdict::Held(Cancel::NotAsked));
        }
        Ok(verdicts)
    }

    async fn settle(&self, mut settles: Vec<Settle>) -> Result<Vec<SettleVerdict>, StoreError> {
        for settle in &mut settles {
            if self.is(Fault::EpochNotChecked)
                && let Some(epoch) = self.notes().epochs.get(&settle.ticket.id)
            {
                settle.ticket.epoch = *epoch;
            }
            match &mut settle.outcome {
                Outcome::Retry { after, .. } if self.is(Fault::BackoffNotStored) => {
                    *after = Duration::ZERO;
                }
                outcome @ Outcome::Release if self.is(Fault::ReleaseCostsAnAttempt) => {
                    let failure = waxwing_jobs::Failure::new(waxwing_jobs::Cause::LeaseLost, "");
                    *outcome = Outcome::Retry { after: Duration::ZERO, failure };
                }
                _ => {}
            }
        }
        self.inner.settle(settles).await
    }

    async fn sweep(&self, limit: usize) -> Result<Swept, StoreError> {
        match self.fault {
            Fault::SweepDoesNothing => Ok(Swept::default()),
            Fault::SweepStopsShort => {
                let swept = self.inner.sweep(limit).await?;
                Ok(Swept { remaining: Remaining::Nothing, ..swept })
            }
            Fault::SweepNeverDone => {
                Ok(Swept { remaining: Remaining::More, ..self.inner.sweep(limit).await? })
            }
            Fault::UnfinishedNotTold => {
                Ok(Swept { unfinished: 0, ..self.inner.sweep(limit).await? })
            }
            _ => self.inner.sweep(limit).await,
        }
    }

    async fn changed(
        &self,
        seen: &[Seen],
        wait: Duration,
    ) -> Result<Vec<JobId<'static>>, StoreError> {
        match self.fault {
            Fault::ChangesNotTold => Ok(Vec::new()),
            Fault::ChangesNeverWaitedFor => self.inner.changed(seen, Duration::ZERO).await,
            Fault::ChangesSleptThrough => {
                let moved = self.inner.changed(seen, Duration::ZERO).await?;
                if moved.is_empty() {
                    tokio::time::sleep(wait).await;
                }
                Ok(moved)
            }
            Fault::ChangesInvented => Ok(seen.iter().map(|seen| seen.id.clone()).collect()),
            _ => self.inner.changed(seen, wait).await,
        }
    }

    async fn list(&self, filter: Filter) -> Result<Page, StoreError> {
        self.inner.list(filter).await
    }

    async fn inspect(&self, id: &JobId<'_>) -> Result<Option<Inspected>, StoreError> {
        match self.fault {
            // The first job there is, whatever the id.
            Fault::ForeignInspected => {
                let first = self.inner.list(Filter::default()).await?.jobs.into_iter().next();
                match first {
                    Some(first) => self.inner.inspect(&first.id).await,
                    None => Ok(None),
                }
            }
            _ => self.inner.inspect(id).await,
        }
    }

    async fn census(&self) -> Result<Census, StoreError> {
        self.inner.census().await
    }

    async fn requeue(&self, ids: Vec<JobId<'static>>) -> Result<Vec<RequeueVerdict>, StoreError> {
        self.inner.requeue(ids).await
    }

    async fn purge(&self, ids: Vec<JobId<'static>>) -> Result<Vec<PurgeVerdict>, StoreError> {
        self.inner.purge(ids).await
    }
}

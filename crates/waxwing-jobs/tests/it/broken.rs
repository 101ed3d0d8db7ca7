//! The contract suite bites: stores that are wrong in one way each, and the promise by which each
//! is found out. The faults are those that job stores really had.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use waxwing_core::{ClientId, JobId};
use waxwing_jobs::contract::{Fixture, Subject, check};
use waxwing_jobs::state::Cancel;
use waxwing_jobs::{
    Admission, Answered, Answers, Beat, BeatVerdict, Bounds, CancelRequest, CancelVerdict, Census,
    Claim, Claimed, Durability, Filter, Inspected, ManualClock, MemoryStore, NewJob, NonceRecord,
    Outcome, Page, PurgeVerdict, RequeueVerdict, Seen, Settle, SettleVerdict, Snapshot, Started,
    Store, StoreError, StoreInfo, Swept,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    AnswersNotKept,
    AttemptNotListed,
    AttemptsUnbounded,
    BackoffNotStored,
    BatchJudgedByItsFirst,
    BeatsNotKept,
    CancelNotPassedOn,
    CancelChangesTheEnded,
    ChangesInvented,
    ChangesNotTold,
    ChangesSleptThrough,
    /// No fault: it may come back early.
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
    StaleBeatTaken,
    SweepDoesNothing,
    TurnsByArrival,
    Unbounded,
    VersionStandsStill,
    WaitNotTold,
    ForeignInspected,
}

#[derive(Debug)]
struct Wrong {
    fault: Fault,
    inner: MemoryStore,
    notes: Mutex<Notes>,
}

/// What a fault needs to remember in order to be wrong.
#[derive(Debug, Default)]
struct Notes {
    owners: HashMap<JobId<'static>, ClientId<'static>>,
    order: Vec<JobId<'static>>,
    epochs: HashMap<JobId<'static>, u64>,
    claimed: Vec<Claimed>,
    shown: HashMap<JobId<'static>, Snapshot>,
    reads: u64,
}

impl Wrong {
    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn notes(&self) -> std::sync::MutexGuard<'_, Notes> {
        self.notes.lock().unwrap()
    }

    async fn claim_by_arrival(&self, claim: Claim) -> Result<Vec<Claimed>, StoreError> {
        let max = claim.max;
        let mut all = self.inner.claim(Claim { max: usize::MAX, ..claim }).await?;
        all.sort_by_key(|job| self.notes().order.iter().position(|id| *id == job.ticket.id));
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
            Fault::TurnsByArrival => self.claim_by_arrival(claim).await?,
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

struct Wrongs(Fault);

struct Opened {
    fault: Fault,
    clock: ManualClock,
    store: Arc<Wrong>,
}

impl Opened {
    fn new(fault: Fault, bounds: Bounds, clock: ManualClock) -> Self {
        let bounds = if fault == Fault::Unbounded { Bounds::default() } else { bounds };
        let inner = MemoryStore::with_clock(bounds, Arc::new(clock.clone()));
        Self { fault, clock, store: Arc::new(Wrong { fault, inner, notes: Mutex::default() }) }
    }
}

#[async_trait]
impl Fixture for Opened {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store) as Arc<dyn Store>
    }

    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    async fn reopen(&mut self) -> Result<(), StoreError> {
        *self = Self::new(self.fault, Bounds::default(), self.clock.clone());
        Ok(())
    }
}

#[async_trait]
impl Subject for Wrongs {
    async fn open(&self, bounds: Bounds) -> Result<Box<dyn Fixture>, StoreError> {
        Ok(Box::new(Opened::new(self.0, bounds, ManualClock::new(1_790_000_000_000))))
    }
}

/// Each fault, and words of a promise by which it must be found.
const FAULTS: [(Fault, &str); 35] = [
    (Fault::AnswersNotKept, "partial answers are kept"),
    (Fault::AttemptNotListed, "attempts are bounded and listed"),
    (Fault::AttemptsUnbounded, "attempts are bounded and listed"),
    (Fault::BackoffNotStored, "delays are kept"),
    (Fault::BatchJudgedByItsFirst, "a batch is judged item by item"),
    (Fault::BeatsNotKept, "a beat keeps the lease"),
    (Fault::CancelNotPassedOn, "a running job is told to stop"),
    (Fault::CancelChangesTheEnded, "what has ended never changes"),
    (Fault::ChangesInvented, "and only changes"),
    (Fault::ChangesNotTold, "changes are told"),
    (Fault::ChangesSleptThrough, "a change wakes"),
    (Fault::WaitNotTold, "how long the job was ready"),
    (Fault::ForeignInspected, "found by its id alone"),
    (Fault::CheckpointNotKept, "a checkpoint reaches the next attempt"),
    (Fault::ClaimedTwice, "claims that race take each job once"),
    (Fault::EpochNotChecked, "a stalled worker that wakes up changes nothing"),
    (Fault::ExpiredReadable, "what is expired is as if it had never been"),
    (Fault::FullGuardForgets, "a full guard refuses"),
    (Fault::KeyIgnored, "one idempotency key makes one job"),
    (Fault::KeyDigestIgnored, "one idempotency key makes one job"),
    (Fault::KindsIgnored, "kinds that were not asked for are left alone"),
    (Fault::LostOnRestart, "what was acknowledged survives a crash"),
    (Fault::MarkSinks, "a mark rises"),
    (Fault::NonceCheckedOnly, "a nonce is fresh once"),
    (Fault::NonceNotInStart, "a start spends its nonce"),
    (Fault::OwnerNotChecked, "what is somebody else's"),
    (Fault::ProgressNotKept, "progress shows"),
    (Fault::ReadsWrite, "a started job is there at once"),
    (Fault::ReleaseCostsAnAttempt, "given back loses no attempt"),
    (Fault::RescuedByAge, "a beat keeps the lease"),
    (Fault::StaleBeatTaken, "a stalled worker that wakes up changes nothing"),
    (Fault::SweepDoesNothing, "a job whose worker is silent moves"),
    (Fault::TurnsByArrival, "owners take turns"),
    (Fault::Unbounded, "unfinished jobs are bounded"),
    (Fault::VersionStandsStill, "every visible change raises the version"),
];

#[tokio::test]
async fn every_broken_store_is_found_out_by_the_promise_it_breaks() {
    let mut missed = Vec::new();
    for (fault, words) in FAULTS {
        let subject = Wrongs(fault);
        let run = check(&subject);
        // A check that never comes back has found the fault as well, but must not happen.
        let broken = tokio::time::timeout(Duration::from_secs(60), run).await.unwrap();
        let found = broken.iter().any(|broken| broken.promise.contains(words));
        if !found {
            missed.push(format!("{fault:?} was not found by {words:?}, but by {broken:#?}"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[tokio::test]
async fn the_wrapper_without_a_fault_keeps_every_promise() {
    assert_eq!(check(&Wrongs(Fault::None)).await, []);
    assert_eq!(check(&Wrongs(Fault::ChangesNeverWaitedFor)).await, []);
}

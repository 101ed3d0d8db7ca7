//! The reference: jobs in a list, looked through from end to end, with no index, no epoch rule and
//! no state machine to share a mistake with.

mod compare;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use waxwing_core::CanonicalJson;

use super::super::{Miss, ensure, same};
use super::BOUNDS;
use crate::input::{Answered, Answers, InputKey};
use crate::job::{CancelRequest, NewJob, NonceRecord, Progress};
use crate::state::Cancel;
use crate::store::{
    Admission, Beat, BeatVerdict, Bound, CancelVerdict, Claimed, Outcome, PurgeVerdict,
    RequeueVerdict, Settle, SettleVerdict, Started,
};
use compare::Shown;

/// A verdict on a start, with the ids alone.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Begun {
    Created,
    Existing(String, bool),
    Conflict,
    Replayed,
    Full(Bound),
    IdTaken,
}

impl From<Started> for Begun {
    fn from(started: Started) -> Self {
        match started {
            Started::Created => Self::Created,
            Started::Existing { id, snapshot } => {
                Self::Existing(id.to_string(), snapshot.is_some())
            }
            Started::Conflict => Self::Conflict,
            Started::Replayed => Self::Replayed,
            Started::Full(bound) => Self::Full(bound),
            Started::IdTaken => Self::IdTaken,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Place {
    Queued(Duration),
    Running(u64, Duration),
    Parked(BTreeSet<InputKey>),
    Done(CanonicalJson<'static>),
    Failed,
    Cancelled,
}

#[derive(Debug)]
struct Job {
    id: String,
    owner: String,
    place: Place,
    failures: u32,
    allowed: u32,
    listed: usize,
    ttl: Duration,
    end: Duration,
    answers: BTreeMap<InputKey, CanonicalJson<'static>>,
    checkpoint: Option<CanonicalJson<'static>>,
    progress: Option<Progress>,
    cancel: Option<CancelRequest>,
    highest_epoch: u64,
    shown: Option<Shown>,
}

impl Job {
    fn is_unfinished(&self) -> bool {
        matches!(self.place, Place::Queued(_) | Place::Running(..) | Place::Parked(_))
    }

    /// An attempt has failed, for good or not.
    fn attempt_failed(&mut self, now: Duration, again_after: Option<Duration>) {
        self.failures += 1;
        self.listed = (self.listed + 1).min(20);
        self.place = match again_after {
            None => Place::Failed,
            Some(_) if self.cancel.is_some() => Place::Cancelled,
            Some(_) if self.failures >= self.allowed => Place::Failed,
            Some(after) => Place::Queued(now + after),
        };
    }
}

#[derive(Debug, Default)]
pub(super) struct Reference {
    now: Duration,
    jobs: Vec<Job>,
    nonces: BTreeMap<(String, String), Duration>,
    keys: BTreeMap<(String, String), ([u8; 32], String, Duration)>,
}

impl Reference {
    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    fn live(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter().filter(|job| self.now < job.end)
    }

    fn find(&mut self, name: &str) -> Option<&mut Job> {
        let now = self.now;
        self.jobs.iter_mut().find(|job| job.id == name && now < job.end)
    }

    fn owned(&mut self, owner: &str, name: &str) -> Option<&mut Job> {
        self.find(name).filter(|job| job.owner == owner)
    }

    fn held(&mut self, name: &str, epoch: u64) -> Option<&mut Job> {
        self.find(name).filter(|job| matches!(job.place, Place::Running(held, _) if held == epoch))
    }

    pub(super) fn some_live_id(&self, n: u64) -> Option<String> {
        self.live().nth(usize::try_from(n).ok()?).map(|job| job.id.clone())
    }

    pub(super) fn live_ids(&self) -> Vec<String> {
        self.live().map(|job| job.id.clone()).collect()
    }

    pub(super) fn admit(&mut self, record: &NonceRecord) -> Admission {
        let verdict = self.nonce(record);
        if verdict == Admission::Fresh {
            self.spend(record);
        }
        verdict
    }

    fn nonce(&self, record: &NonceRecord) -> Admission {
        let (client, nonce) = (record.client.to_string(), record.nonce.to_string());
        let kept = || self.nonces.iter().filter(|(_, until)| self.now < **until);
        let of_key = kept().filter(|((of, _), _)| *of == client).count() as u64;
        if kept().any(|(known, _)| *known == (client.clone(), nonce.clone())) {
            Admission::Replayed
        } else if kept().count() as u64 >= BOUNDS.nonces || of_key >= BOUNDS.nonces_per_key {
            Admission::Full
        } else {
            Admission::Fresh
        }
    }

    fn spend(&mut self, record: &NonceRecord) {
        let key = (record.client.to_string(), record.nonce.to_string());
        self.nonces.insert(key, self.now + record.keep);
    }

    fn room(&self, owner: &str) -> Option<Bound> {
        let unfinished = || self.live().filter(|job| job.is_unfinished());
        let own = unfinished().filter(|job| job.owner == owner).count() as u64;
        if own >= BOUNDS.unfinished_per_client {
            return Some(Bound::ClientJobs);
        }
        (unfinished().count() as u64 >= BOUNDS.unfinished).then_some(Bound::AllJobs)
    }

    pub(super) fn start(&mut self, job: &NewJob) -> Begun {
        match job.nonce.as_ref().map(|record| self.nonce(record)) {
            Some(Admission::Replayed) => return Begun::Replayed,
            Some(Admission::Full) => return Begun::Full(Bound::Nonces),
            Some(Admission::Fresh) | None => {}
        }
        let verdict = self.start_known(job);
        if let (Some(record), false) =
            (&job.nonce, matches!(verdict, Begun::Full(_) | Begun::IdTaken))
        {
            self.spend(record);
        }
        verdict
    }

    fn start_known(&mut self, job: &NewJob) -> Begun {
        let owner = job.owner.to_string();
        if let Some(key) = &job.idempotency
            && let Some((digest, name, until)) =
                self.keys.get(&(owner.clone(), key.key.to_string()))
            && self.now < *until
        {
            if *digest != key.digest {
                return Begun::Conflict;
            }
            return Begun::Existing(name.clone(), self.live().any(|job| job.id == *name));
        }
        if let Some(bound) = self.room(&owner) {
            return Begun::Full(bound);
        }
        if self.live().any(|known| known.id == job.id.as_str()) {
            return Begun::IdTaken;
        }
        if let Some(key) = &job.idempotency {
            let use_of = (key.digest, job.id.to_string(), self.now + key.keep);
            self.keys.insert((owner.clone(), key.key.to_string()), use_of);
        }
        self.jobs.push(Job {
            id: job.id.to_string(),
            owner,
            place: Place::Queued(self.now),
            failures: 0,
            allowed: job.max_attempts,
            listed: 0,
            ttl: job.ttl,
            end: self.now + job.ttl,
            answers: BTreeMap::new(),
            checkpoint: None,
            progress: None,
            cancel: None,
            highest_epoch: 0,
            shown: None,
        });
        Begun::Created
    }

    pub(super) fn claimable(&self) -> usize {
        let ready = |job: &&Job| matches!(job.place, Place::Queued(ready) if ready <= self.now);
        self.live().filter(ready).count()
    }

    pub(super) fn claim(&mut self, got: &Claimed, lease: Duration) -> Result<(), Miss> {
        let now = self.now;
        let name = got.ticket.id.as_str();
        let Some(job) = self.find(name) else {
            return Err(Miss(format!("{name} was claimed and is unknown")));
        };
        let ready = matches!(job.place, Place::Queued(ready) if ready <= now);
        ensure!(ready, "{name} was claimed while {:?}", job.place);
        ensure!(got.ticket.epoch > job.highest_epoch, "{name} was claimed under an old epoch");
        job.highest_epoch = got.ticket.epoch;
        same("attempt", got.attempt, job.failures + 1)?;
        same("checkpoint", &got.checkpoint, &job.checkpoint)?;
        same("answers", &got.answers, &Answers::new(job.answers.clone()))?;
        job.place = Place::Running(got.ticket.epoch, now + lease);
        Ok(())
    }

    pub(super) fn beat(&mut self, beat: &Beat) -> BeatVerdict {
        let now = self.now;
        let Some(job) = self.held(beat.ticket.id.as_str(), beat.ticket.epoch) else {
            return BeatVerdict::Lost;
        };
        job.place = Place::Running(beat.ticket.epoch, now + beat.lease);
        job.progress = beat.progress.clone().or(job.progress.take());
        job.checkpoint = beat.checkpoint.clone().or(job.checkpoint.take());
        BeatVerdict::Held(if job.cancel.is_some() { Cancel::Asked } else { Cancel::NotAsked })
    }

    pub(super) fn settle(&mut self, settle: &Settle) -> SettleVerdict {
        let now = self.now;
        let Some(job) = self.held(settle.ticket.id.as_str(), settle.ticket.epoch) else {
            return SettleVerdict::Stale;
        };
        let cancelled = job.cancel.is_some();
        match &settle.outcome {
            Outcome::Complete(output) => job.place = Place::Done(output.clone()),
            Outcome::Fail(_) => job.attempt_failed(now, None),
            Outcome::Cancelled => job.place = Place::Cancelled,
            Outcome::Retry { after, .. } => job.attempt_failed(now, Some(*after)),
            Outcome::Park { .. } | Outcome::Release if cancelled => job.place = Place::Cancelled,
            Outcome::Release => job.place = Place::Queued(now),
            Outcome::Park { requests, checkpoint } => {
                let keys: BTreeSet<_> = requests.iter().map(|(key, _)| key.clone()).collect();
                if keys.iter().any(|key| job.answers.contains_key(key)) {
                    job.attempt_failed(now, None);
                } else {
                    job.place = Place::Parked(keys);
                    job.checkpoint = checkpoint.clone().or(job.checkpoint.take());
                }
            }
        }
        SettleVerdict::Done
    }

    pub(super) fn cancel(
        &mut self,
        owner: &str,
        name: &str,
        request: CancelRequest,
    ) -> CancelVerdict {
        let Some(job) = self.owned(owner, name) else { return CancelVerdict::Unknown };
        match job.place {
            Place::Queued(_) | Place::Parked(_) => {
                job.place = Place::Cancelled;
                job.cancel = Some(request);
                CancelVerdict::Settled
            }
            Place::Running(..) => {
                job.cancel.get_or_insert(request);
                CancelVerdict::Requested
            }
            Place::Done(_) | Place::Failed | Place::Cancelled => CancelVerdict::AlreadyTerminal,
        }
    }

    pub(super) fn answer(
        &mut self,
        owner: &str,
        name: &str,
        offered: &Answers,
    ) -> Option<Answered> {
        let now = self.now;
        let job = self.owned(owner, name)?;
        let asked = match &job.place {
            Place::Parked(asked) => asked.clone(),
            _ => BTreeSet::new(),
        };
        let mut left = asked;
        let mut answered = Answered::default();
        left.retain(|key| !job.answers.contains_key(key));
        for (key, value) in offered.iter() {
            if left.remove(key) {
                job.answers.insert(key.clone(), value.clone());
                answered.taken.push(key.clone());
            } else {
                answered.ignored.push(key.clone());
            }
        }
        if !answered.taken.is_empty() && left.is_empty() {
            job.place = Place::Queued(now);
        }
        answered.outstanding = left.into_iter().collect();
        Some(answered)
    }

    pub(super) fn sweep(&mut self) -> usize {
        let now = self.now;
        let mut lapsed = 0;
        for job in self.jobs.iter_mut().filter(|job| now < job.end) {
            if matches!(job.place, Place::Running(_, until) if until <= now) {
                job.attempt_failed(now, Some(Duration::ZERO));
                lapsed += 1;
            }
        }
        lapsed
    }

    pub(super) fn requeue(&mut self, name: &str) -> RequeueVerdict {
        let now = self.now;
        match self.find(name) {
            None => return RequeueVerdict::Unknown,
            Some(job) if job.place != Place::Failed => return RequeueVerdict::NotFailed,
            Some(_) => {}
        }
        let owner = self.find(name).map(|job| job.owner.clone()).unwrap_or_default();
        if let Some(bound) = self.room(&owner) {
            return RequeueVerdict::Full(bound);
        }
        if let Some(job) = self.find(name) {
            job.place = Place::Queued(now);
            job.failures = 0;
            job.cancel = None;
            job.end = now + job.ttl;
        }
        RequeueVerdict::Done
    }

    pub(super) fn purge(&mut self, name: &str) -> PurgeVerdict {
        match self.find(name) {
            None => PurgeVerdict::Unknown,
            Some(job) if job.is_unfinished() => PurgeVerdict::NotEnded,
            Some(job) => {
                job.end = Duration::ZERO;
                PurgeVerdict::Done
            }
        }
    }
}

//! A store in memory: **every job is lost when the process ends**. For tests, and for servers whose
//! jobs may be lost.

mod guard;
mod table;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use waxwing_core::{ClientId, JobId, ServerId};

use crate::clock::{Clock, RuntimeClock};
use crate::input::{Answered, Answers};
use crate::job::{CancelRequest, NewJob, NonceRecord, Snapshot};
use crate::store::{
    Admission, Beat, BeatVerdict, Bounds, CancelVerdict, Census, Claim, Claimed, Durability,
    Filter, Inspected, Page, PurgeVerdict, Remaining, RequeueVerdict, Seen, Settle, SettleVerdict,
    Sharing, Started, Store, StoreError, StoreInfo, Swept,
};
use guard::Guard;
use table::Table;

/// The store in memory. It promises everything a [`Store`] does, except that nothing survives the
/// process: [`Durability::Process`].
#[derive(Debug)]
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    bounds: Bounds,
    state: Mutex<State>,
    commits: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    table: Table,
    guard: Guard,
    marks: HashMap<String, i64>,
    server: Option<ServerId<'static>>,
}

impl MemoryStore {
    /// An empty store on the runtime's clock.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self::with_clock(bounds, Arc::new(RuntimeClock::new()))
    }

    /// An empty store on a clock of the caller's.
    #[must_use]
    pub fn with_clock(bounds: Bounds, clock: Arc<dyn Clock>) -> Self {
        Self { clock, bounds, state: Mutex::default(), commits: watch::Sender::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under this lock is a bug of ours; the state is still the best there is.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One commit: `step` sees and changes the state alone, then whoever waits is woken.
    fn commit<T>(&self, step: impl FnOnce(&mut State, u64) -> T) -> T {
        let done = step(&mut self.lock(), self.clock.now_ms());
        self.commits.send_modify(|count| *count = count.wrapping_add(1));
        done
    }

    fn start_one(&self, state: &mut State, now: u64, job: NewJob) -> Started {
        if let Some(nonce) = &job.nonce {
            match state.guard.check(nonce, now, &self.bounds) {
                Admission::Fresh => {}
                Admission::Replayed => return Started::Replayed,
                Admission::Full => return Started::Full(crate::store::Bound::Nonces),
            }
        }
        let known = job
            .idempotency
            .as_ref()
            .and_then(|key| state.guard.lookup(&job.owner, key, now).map(|found| (found, key)));
        let verdict = match known {
            Some((found, key)) if found.digest != key.digest => Started::Conflict,
            Some((found, _)) => {
                let snapshot = state.table.snapshot(&job.owner, &found.id, now).map(Box::new);
                Started::Existing { id: found.id, snapshot }
            }
            None => match state.table.room(&job.owner, now, &self.bounds) {
                Some(bound) => return Started::Full(bound),
                None if state.table.contains(&job.id) => return Started::IdTaken,
                None => {
                    if let Some(key) = &job.idempotency {
                        state.guard.keep_key(&job.owner, key, &job.id, now);
                    }
                    let nonce = job.nonce.clone();
                    state.table.insert(job, now);
                    if let Some(nonce) = &nonce {
                        state.guard.spend(nonce, now);
                    }
                    return Started::Created;
                }
            },
        };
        if let Some(nonce) = &job.nonce {
            state.guard.spend(nonce, now);
        }
        verdict
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn info(&self) -> StoreInfo {
        StoreInfo {
            backend: "memory",
            durability: Durability::Process,
            detail: "in memory: every job is lost when the process ends".to_owned(),
        }
    }

    fn sharing(&self) -> Sharing {
        Sharing::Alone
    }

    async fn bind(&self, server: &ServerId<'_>) -> Result<(), StoreError> {
        let mut state = self.lock();
        let bound = state.server.get_or_insert_with(|| server.clone().into_owned());
        match bound.as_str() {
            bound if bound != server.as_str() => Err(StoreError::of_another(bound, server)),
            _ => Ok(()),
        }
    }

    async fn admit(&self, nonces: Vec<NonceRecord>) -> Result<Vec<Admission>, StoreError> {
        Ok(self.commit(|state, now| {
            let admit = |nonce: &NonceRecord| {
                let verdict = state.guard.check(nonce, now, &self.bounds);
                if verdict == Admission::Fresh {
                    state.guard.spend(nonce, now);
                }
                verdict
            };
            nonces.iter().map(admit).collect()
        }))
    }

    async fn raise_mark(&self, name: &str, at_least: i64) -> Result<Option<i64>, StoreError> {
        let mut state = self.lock();
        let mark = state.marks.entry(name.to_owned()).or_insert(at_least);
        *mark = (*mark).max(at_least);
        Ok(Some(*mark))
    }

    async fn start(&self, jobs: Vec<NewJob>) -> Result<Vec<Started>, StoreError> {
        Ok(self.commit(|state, now| {
            jobs.into_iter().map(|job| self.start_one(state, now, job)).collect()
        }))
    }

    async fn get(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
    ) -> Result<Option<Snapshot>, StoreError> {
        Ok(self.lock().table.snapshot(owner, id, self.clock.now_ms()))
    }

    async fn answer(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
        answers: Answers,
    ) -> Result<Option<Answered>, StoreError> {
        Ok(self.commit(|state, now| state.table.answer(owner, id, &answers, now)))
    }

    async fn cancel(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
        request: CancelRequest,
    ) -> Result<CancelVerdict, StoreError> {
        Ok(self.commit(|state, now| state.table.cancel(owner, id, request, now)))
    }

    async fn claim(&self, claim: Claim) -> Result<Vec<Claimed>, StoreError> {
        Ok(self.commit(|state, now| state.table.claim(&claim, now)))
    }

    async fn beat(&self, beats: Vec<Beat>) -> Result<Vec<BeatVerdict>, StoreError> {
        Ok(self.commit(|state, now| {
            beats.into_iter().map(|beat| state.table.beat(beat, now)).collect()
        }))
    }

    async fn settle(&self, settles: Vec<Settle>) -> Result<Vec<SettleVerdict>, StoreError> {
        Ok(self.commit(|state, now| {
            settles.into_iter().map(|settle| state.table.settle(settle, now)).collect()
        }))
    }

    async fn sweep(&self, limit: usize) -> Result<Swept, StoreError> {
        Ok(self.commit(|state, now| {
            let lapsed = state.table.lapse(now, limit);
            let (jobs, unfinished) = state.table.expire(now, limit);
            let nonces = state.guard.forget_nonces(now, limit);
            let keys = state.guard.forget_keys(now, limit);
            let remaining = Remaining::after([lapsed, jobs, nonces, keys], limit);
            Swept { lapsed, jobs, unfinished, nonces, keys, remaining }
        }))
    }

    async fn changed(
        &self,
        seen: &[Seen],
        wait: Duration,
    ) -> Result<Vec<JobId<'static>>, StoreError> {
        let mut commits = self.commits.subscribe();
        let end = tokio::time::sleep(wait);
        tokio::pin!(end);
        loop {
            commits.mark_unchanged();
            let moved = self.lock().table.moved(seen, self.clock.now_ms());
            if !moved.is_empty() {
                return Ok(moved);
            }
            tokio::select! {
                _ = commits.changed() => {}
                () = &mut end => return Ok(moved),
            }
        }
    }

    async fn list(&self, filter: Filter) -> Result<Page, StoreError> {
        Ok(self.lock().table.list(&filter, self.clock.now_ms()))
    }

    async fn inspect(&self, id: &JobId<'_>) -> Result<Option<Inspected>, StoreError> {
        Ok(self.lock().table.inspect(id, self.clock.now_ms()))
    }

    async fn census(&self) -> Result<Census, StoreError> {
        Ok(self.lock().table.census(self.clock.now_ms()))
    }

    async fn requeue(&self, ids: Vec<JobId<'static>>) -> Result<Vec<RequeueVerdict>, StoreError> {
        Ok(self.commit(|state, now| {
            ids.iter().map(|id| state.table.requeue(id, now, &self.bounds)).collect()
        }))
    }

    async fn purge(&self, ids: Vec<JobId<'static>>) -> Result<Vec<PurgeVerdict>, StoreError> {
        Ok(self.commit(|state, now| ids.iter().map(|id| state.table.purge(id, now)).collect()))
    }
}

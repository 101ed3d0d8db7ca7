//! The engine: claims jobs from a store, has them run, keeps their leases, and tells who waits.
//!
//! One task each claims, beats, settles, sweeps and watches; an attempt is a task of its own. What
//! is true is in the store alone: losing the engine at any point loses no job.

mod attempt;
mod contact;
mod heart;
mod held;
mod pace;
mod room;
mod settler;
mod waiting;
mod worker;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use waxwing_core::{ClientId, JobId};

use crate::backoff::{Backoff, Jitter};
use crate::input::{Answered, Answers};
use crate::job::{CancelRequest, NewJob, Snapshot};
use crate::observer::{Observer, Unobserved};
use crate::runner::Runner;
use crate::store::{CancelVerdict, Started, Store, StoreError};
use contact::Contact;
pub(crate) use held::Reports;
use held::{Active, Stop};
use pace::Pace;
use room::Room;
use settler::Settler;
use waiting::Waiting;

/// How the engine works. The defaults are those of jobs.md.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EngineConfig {
    /// A name for people to read in an operator's list; `worker` by default.
    pub worker: String,
    /// The most jobs of each [`Lane`](crate::Lane) that run at once; 64 by default, at least 1.
    pub concurrency: usize,
    /// The most jobs taken by one claim; 32 by default, at least 1.
    pub batch: usize,
    /// How long a job stays with a worker that shows no sign of life; 30 s by default. A living
    /// worker beats three times in that time.
    pub lease: Duration,
    /// How often leases and lifetimes are looked after; 5 s by default.
    pub sweep_every: Duration,
    /// How often an idle engine looks for jobs that other processes left; 1.5 s by default. Jobs
    /// started, answered or retried here are seen at once.
    pub idle_poll: Duration,
    /// How often other processes' changes are looked for while somebody waits; 10 ms by default.
    pub watch_every: Duration,
    /// How long a job that is asked to stop may take to do so before it is dropped; 200 ms by
    /// default.
    pub cancel_grace: Duration,
    /// How long failed jobs wait.
    pub backoff: Backoff,
    /// Seeds the jitter of the back-off; give each process a number of its own.
    pub jitter_seed: u64,
    /// Hears what the engine does; [`Unobserved`] by default.
    pub observer: Arc<dyn Observer>,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            worker: "worker".to_owned(),
            concurrency: 64,
            batch: 32,
            lease: Duration::from_secs(30),
            sweep_every: Duration::from_secs(5),
            idle_poll: Duration::from_millis(1500),
            watch_every: Duration::from_millis(10),
            cancel_grace: Duration::from_millis(200),
            backoff: Backoff::default(),
            jitter_seed: 0,
            observer: Arc::new(Unobserved),
        }
    }
}

/// How far the engine is on its way to a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Course {
    Working,
    Draining,
    Releasing,
}

/// What the engine's tasks share.
struct Shared {
    store: Arc<dyn Store>,
    runner: Arc<dyn Runner>,
    config: EngineConfig,
    jitter: Jitter,
    active: Active,
    settler: Settler,
    waiting: Waiting,
    course: watch::Sender<Course>,
    contact: Contact,
    pace: Pace,
    room: Room,
}

impl Shared {
    /// Returns once the engine has come so far on its way to a stop.
    async fn reached(&self, course: Course) {
        // The sender is this value's own, so waiting cannot fail.
        let _ = self.course.subscribe().wait_for(|now| *now >= course).await;
    }
}

/// What a drain left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Jobs that were still running at the end of the drain time: given back to the store, or failed
    /// if they have one attempt only.
    pub released: usize,
}

/// A task that ends with its owner.
struct Bound<T>(JoinHandle<T>);

impl<T> Drop for Bound<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs jobs of one store with one runner, until it is dropped. Dropping it at once stops all work
/// of this process, as a crash would; [`Engine::drain`] first to stop well.
pub struct Engine {
    shared: Arc<Shared>,
    worker: tokio::sync::Mutex<Bound<()>>,
    _others: [Bound<()>; 4],
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("store", &self.shared.store)
            .field("config", &self.shared.config)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Starts the engine's tasks on the current tokio runtime, which must have timers.
    #[must_use]
    pub fn launch(store: Arc<dyn Store>, runner: Arc<dyn Runner>, config: EngineConfig) -> Self {
        let (settler, settles) = Settler::new();
        let shared = Arc::new(Shared {
            jitter: Jitter::seeded(config.jitter_seed),
            contact: Contact::new(config.lease),
            pace: Pace::new(config.idle_poll),
            room: Room::new(&config, runner.kinds()),
            store,
            runner,
            config,
            active: Active::default(),
            settler,
            waiting: Waiting::default(),
            course: watch::Sender::new(Course::Working),
        });
        let others = [
            Bound(tokio::spawn(settler::run(Arc::clone(&shared), settles))),
            Bound(tokio::spawn(heart::beat(Arc::clone(&shared)))),
            Bound(tokio::spawn(heart::sweep(Arc::clone(&shared)))),
            Bound(tokio::spawn(waiting::watch(Arc::clone(&shared)))),
        ];
        let worker = Bound(tokio::spawn(worker::run(Arc::clone(&shared))));
        Self { shared, worker: tokio::sync::Mutex::new(worker), _others: others }
    }

    /// The store, for operators' calls.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.shared.store
    }

    /// Starts a job: see [`Store::start`]. The answer is as durable as the store.
    ///
    /// # Errors
    /// Whatever the store fails with; the job may then exist or not, which an idempotency key
    /// settles.
    pub async fn start(&self, job: NewJob) -> Result<Started, StoreError> {
        let started = only(self.shared.store.start(vec![job]).await?)?;
        if started == Started::Created {
            self.shared.pace.now();
        }
        Ok(started)
    }

    /// A job of this owner as it stands; `None` when it never was, has expired or is another's.
    ///
    /// # Errors
    /// Whatever the store fails with.
    pub async fn get(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
    ) -> Result<Option<Snapshot>, StoreError> {
        self.shared.store.get(owner, id).await
    }

    /// Like [`Engine::get`], but while the job is worked on, answers only when it shows something
    /// new or `timeout` is over. A job that has ended, or waits for its client, is answered at once.
    ///
    /// # Errors
    /// Whatever the store fails with.
    pub async fn wait(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
        timeout: Duration,
    ) -> Result<Option<Snapshot>, StoreError> {
        if timeout.is_zero() {
            return self.get(owner, id).await;
        }
        let end = Instant::now() + timeout;
        let mut place = self.shared.waiting.join(id);
        let Some(first) = self.get(owner, id).await? else { return Ok(None) };
        let mut latest = first.clone();
        while latest.phase.is_worked_on() && latest.shows_the_same_as(&first) {
            place.seen(latest.version);
            if tokio::time::timeout_at(end, place.moved()).await.is_err() {
                return Ok(Some(latest));
            }
            let Some(now) = self.get(owner, id).await? else { return Ok(None) };
            latest = now;
        }
        Ok(Some(latest))
    }

    /// Asks to stop a job. One that runs in this process is told at once, one that runs in another
    /// with its next beat.
    ///
    /// # Errors
    /// Whatever the store fails with.
    pub async fn cancel(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
        request: CancelRequest,
    ) -> Result<CancelVerdict, StoreError> {
        let verdict = self.shared.store.cancel(owner, id, request).await?;
        match verdict {
            CancelVerdict::Requested => self.shared.active.stop_job(id, Stop::Cancel),
            CancelVerdict::Settled => {}
            CancelVerdict::AlreadyTerminal | CancelVerdict::Unknown => return Ok(verdict),
        }
        self.shared.waiting.bump(id);
        Ok(verdict)
    }

    /// Gives answers to a parked job, which goes on when the last one is there.
    ///
    /// # Errors
    /// Whatever the store fails with.
    pub async fn answer(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
        answers: Answers,
    ) -> Result<Option<Answered>, StoreError> {
        let answered = self.shared.store.answer(owner, id, answers).await?;
        if answered.as_ref().is_some_and(|answered| !answered.taken.is_empty()) {
            self.shared.waiting.bump(id);
            self.shared.pace.now();
        }
        Ok(answered)
    }

    /// Stops well: claims nothing more, lets running jobs go on for `time`, then gives back those
    /// that are left, without the loss of an attempt; a job with one attempt only, which has begun it,
    /// fails with [`Cause::LeaseLost`](crate::Cause::LeaseLost). Reading, waiting and starting go on working;
    /// what is started now is left for another process.
    pub async fn drain(&self, time: Duration) -> Drained {
        let course = |to: Course| self.shared.course.send_modify(|now| *now = to.max(*now));
        course(Course::Draining);
        let mut worker = self.worker.lock().await;
        if worker.0.is_finished() || tokio::time::timeout(time, &mut worker.0).await.is_ok() {
            return Drained { released: 0 };
        }
        let released = self.shared.active.len();
        course(Course::Releasing);
        // The store may be away: what cannot be given back now moves when its lease runs out.
        let patience = self.shared.config.cancel_grace + Duration::from_secs(5);
        if tokio::time::timeout(patience, &mut worker.0).await.is_err() {
            tracing::warn!(jobs = self.shared.active.len(), "jobs are left to their leases");
            worker.0.abort();
        }
        Drained { released }
    }
}

/// The one verdict of a batch of one.
fn only<T>(verdicts: Vec<T>) -> Result<T, StoreError> {
    let fault = || StoreError::Fault("a batch of one came back without its verdict".to_owned());
    verdicts.into_iter().next().ok_or_else(fault)
}

//! For store authors: every promise of [`Store`], as a suite that runs against any store.
//!
//! Implement [`Subject`] and [`Fixture`] for a store, call [`check`], and find the list of broken
//! promises empty. [`model`] adds random sequences of operations against a reference.

mod ask;
mod bounds;
mod durable;
mod life;
pub mod model;
mod operate;
mod races;
mod start;
mod work;
mod world;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::store::{Bounds, Store, StoreError};
use world::World;

/// A kind of store, to be opened as often as the suite needs.
#[async_trait]
pub trait Subject: Send + Sync {
    /// A store of its own, empty, on a clock that the fixture moves.
    async fn open(&self, bounds: Bounds) -> Result<Box<dyn Fixture>, StoreError>;
}

/// One store under test.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// The store.
    fn store(&self) -> Arc<dyn Store>;

    /// One more handle to the same store, like that of another process; the same one where there can
    /// be no other.
    async fn another(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(self.store())
    }

    /// Moves the store's clock forward, which otherwise must stand still or nearly so.
    async fn pass(&self, time: Duration);

    /// Leaves the store as a crash would and opens it again. Only called for stores whose
    /// [`Durability`](crate::Durability) promises more than the process.
    async fn reopen(&mut self) -> Result<(), StoreError>;
}

/// A promise that a store broke.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Broken {
    /// The promise.
    pub promise: &'static str,
    /// What was seen instead.
    pub why: String,
}

/// What a check saw that it should not have.
#[derive(Debug)]
pub(crate) struct Miss(String);

impl From<StoreError> for Miss {
    fn from(error: StoreError) -> Self {
        Self(format!("the store failed: {error}"))
    }
}

/// Misses unless the condition holds.
macro_rules! ensure {
    ($holds:expr, $($why:tt)+) => {
        if !$holds {
            return Err($crate::contract::Miss(format!($($why)+)));
        }
    };
}
use ensure;

/// Misses unless both are the same.
#[track_caller]
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    got: T,
    wanted: T,
) -> Result<(), Miss> {
    ensure!(got == wanted, "{what}: {got:?} instead of {wanted:?}");
    Ok(())
}

macro_rules! promises {
    ($subject:expr, $($promise:literal => $check:path,)+) => {{
        let mut broken = Vec::new();
        $(
            let kept = match World::open($subject).await {
                Ok(mut world) => $check(&mut world).await,
                Err(miss) => Err(miss),
            };
            if let Err(Miss(why)) = kept {
                broken.push(Broken { promise: $promise, why });
            }
        )+
        broken
    }};
}

/// Runs the suite, each promise on a store of its own, and gives those that were broken.
///
/// Needs a tokio runtime with timers, not paused for stores that work on threads of their own.
pub async fn check(subject: &dyn Subject) -> Vec<Broken> {
    promises! { subject,
        "a store works for one server" => start::one_server,
        "a started job is there at once, as it was ordered" => start::reads_back,
        "a batch is judged item by item, in its order" => start::batch,
        "an id is used once" => start::id_taken,
        "one idempotency key makes one job" => start::idempotent,
        "an idempotency key stands for as long as it is kept, even beyond its job" => start::key_time,
        "starts that race under one key make one job" => start::key_race,
        "a start spends its nonce in the same commit" => start::spends_nonce,
        "a nonce is fresh once" => bounds::nonces,
        "a nonce that is admitted many times at once is fresh once" => bounds::nonce_race,
        "a mark rises and never sinks" => bounds::marks,
        "a full guard refuses and forgets nothing" => bounds::nonces_full,
        "unfinished jobs are bounded, for each client and in all" => bounds::jobs_full,
        "what is full stores nothing" => bounds::full_stores_nothing,
        "what has expired takes no room" => bounds::expired_takes_no_room,
        "a claim gives everything the work needs, once" => work::claim,
        "a claim tells how long the job was ready" => work::waited,
        "claims that race take each job once" => work::claim_race,
        "owners take turns" => work::turns,
        "owners take turns, whatever stands before them in the queue" => work::turns_behind,
        "kinds that were not asked for are left alone" => work::kinds,
        "a beat keeps the lease, as often as it comes" => work::beats,
        "progress shows, and a checkpoint reaches the next attempt" => work::reports,
        "a job whose worker is silent moves when its lease is over, not before" => work::lapse,
        "a stalled worker that wakes up changes nothing" => work::fencing,
        "a job that is given back loses no attempt" => work::release,
        "a result ends a job" => life::complete,
        "a final failure ends a job" => life::fail,
        "attempts are bounded and listed, delays are kept" => life::retry,
        "what has ended never changes" => life::terminal,
        "every visible change raises the version" => life::versions,
        "a waiting or parked job is cancelled at once" => life::cancel_idle,
        "a running job is told to stop, and what it does then counts" => life::cancel_running,
        "a job lives for its lifetime, counted from its creation" => life::lifetime,
        "what is expired is as if it had never been" => life::expired,
        "what is somebody else's is as if it had never been" => life::foreign,
        "a parked job waits for its answers and holds no worker" => ask::park_and_resume,
        "partial answers are kept, and the first answer stands" => ask::partial,
        "a key is asked once in a job's life" => ask::reuse,
        "changes are told, and only changes" => operate::changed,
        "a change wakes whoever waits for it, and nothing else does" => operate::wakes,
        "jobs are listed in pages, by filter" => operate::list,
        "a job is found by its id alone, for operators" => operate::inspect,
        "jobs are counted" => operate::census,
        "a failed job can be tried again, nothing else can" => operate::requeue,
        "an ended job can be deleted, nothing else can" => operate::purge,
        "a sweep does no more than it was asked to, and says what is left" => operate::sweep_limit,
        "whatever races, each job has one course and the counts agree with the rows" => races::races,
        "what was acknowledged survives a crash" => durable::survives,
        "a crash changes no count and no turn" => durable::counts,
    }
}

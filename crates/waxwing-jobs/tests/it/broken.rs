//! The contract suite bites: stores that are wrong in one way each, and the promise by which each
//! is found out. The faults are those that job stores really had.

mod wrong;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use waxwing_jobs::contract::{Fixture, Subject, check};
use waxwing_jobs::{Bounds, ManualClock, MemoryStore, Store, StoreError};

use wrong::{Fault, Wrong};

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
        Self { fault, clock, store: Arc::new(Wrong::new(fault, inner)) }
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
const FAULTS: [(Fault, &str); 42] = [
    (Fault::AnswersNotKept, "partial answers are kept"),
    (Fault::AttemptNotListed, "attempts are bounded and listed"),
    (Fault::AttemptsUnbounded, "attempts are bounded and listed"),
    (Fault::BackoffNotStored, "delays are kept"),
    (Fault::BatchJudgedByItsFirst, "a batch is judged item by item"),
    (Fault::BeatsNotKept, "a beat keeps the lease"),
    (Fault::BindsAnybody, "a store works for one server"),
    (Fault::CancelNotPassedOn, "a running job is told to stop"),
    (Fault::CancelChangesTheEnded, "what has ended never changes"),
    (Fault::ChangesInvented, "and only changes"),
    (Fault::ChangesNotTold, "changes are told"),
    (Fault::ChangesNeverWaitedFor, "a change wakes"),
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
    (Fault::RoomLeaks, "the counts agree with the rows"),
    (Fault::StaleBeatTaken, "a stalled worker that wakes up changes nothing"),
    (Fault::SweepDoesNothing, "a job whose worker is silent moves"),
    (Fault::SweepNeverDone, "says what is left"),
    (Fault::SweepStopsShort, "a sweep does no more than it was asked to"),
    (Fault::UnfinishedNotTold, "a sweep does no more than it was asked to"),
    (Fault::TurnsByArrival, "owners take turns"),
    (Fault::TurnsByTheLowest, "whatever stands before them"),
    (Fault::Unbounded, "unfinished jobs are bounded"),
    (Fault::VersionStandsStill, "every visible change raises the version"),
];

// On a clock that stands while there is work to do, since stores in memory wait for nothing else.
#[tokio::test(start_paused = true)]
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

#[tokio::test(start_paused = true)]
async fn the_wrapper_without_a_fault_keeps_every_promise() {
    assert_eq!(check(&Wrongs(Fault::None)).await, []);
}

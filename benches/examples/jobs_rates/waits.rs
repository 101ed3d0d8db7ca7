//! How long a poll that waits takes to hear of its job's end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::Semaphore;
use waxwing_core::JobId;
use waxwing_jobs::{Engine, EngineConfig, JobContext, JobFailure, Kind, RunOutcome, Runner};

use crate::orders::{id, json, kind, order, owner};
use crate::places::Place;

/// Waits to be told, then ends, and notes when.
struct Told {
    go: Arc<Semaphore>,
    ended: Arc<Mutex<HashMap<JobId<'static>, Instant>>>,
}

#[async_trait]
impl Runner for Told {
    fn kinds(&self) -> Vec<Kind> {
        vec![kind().into()]
    }

    async fn run(&self, context: JobContext) -> Result<RunOutcome, JobFailure> {
        self.go.acquire().await.expect("it stays open").forget();
        self.ended.lock().expect("no panic").insert(context.id, Instant::now());
        Ok(RunOutcome::Complete(json("done")))
    }
}

/// How long it takes from the end of a job's work, its commit included, until a poll that waits for
/// it answers: in the same process, or over a store opened a second time as another process would.
pub(crate) async fn run(place: &Place, count: usize, same: bool) -> Vec<Duration> {
    let name = if same { "waits-here" } else { "waits-there" };
    let (go, ended) = (Arc::new(Semaphore::new(0)), Arc::default());
    let runner = Told { go: Arc::clone(&go), ended: Arc::clone(&ended) };
    let worker = Engine::launch(place.open(name).await, Arc::new(runner), EngineConfig::default());
    let other = Engine::launch(place.open(name).await, Arc::new(Nothing), EngineConfig::default());
    let waiter = if same { &worker } else { &other };
    let mut waits = Vec::with_capacity(count);
    for n in 0..count as u64 {
        worker.start(order(n)).await.expect("a start");
        let (owner, id) = (owner(n), id(n));
        let wait = waiter.wait(&owner, &id, Duration::from_secs(30));
        let release = async {
            // The wait has begun by then; a different moment of each look, too.
            tokio::time::sleep(Duration::from_millis(40 + n % 26)).await;
            go.add_permits(1);
        };
        let (found, ()) = tokio::join!(wait, release);
        assert!(found.expect("a poll").is_some_and(|job| job.phase.is_terminal()));
        let at = ended.lock().expect("no panic").get(&id).copied();
        waits.push(at.expect("its end").elapsed());
    }
    waits
}

/// Can do nothing.
struct Nothing;

#[async_trait]
impl Runner for Nothing {
    fn kinds(&self) -> Vec<Kind> {
        Vec::new()
    }

    async fn run(&self, _: JobContext) -> Result<RunOutcome, JobFailure> {
        Err(JobFailure::permanent("nothing to do"))
    }
}

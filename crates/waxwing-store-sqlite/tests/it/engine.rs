//! The engine on the SQLite store, in real time: restarts, two engines on one file, waiting.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use waxwing_jobs::{
    Bounds, Engine, EngineConfig, JobContext, JobFailure, Kind, Phase, RunOutcome, Runner, Snapshot,
};
use waxwing_store_sqlite::SqliteStore;

use crate::support::{id, json, kind, order, owner};

/// Reports once, and completes after so long.
struct After(Duration);

#[async_trait]
impl Runner for After {
    fn kinds(&self) -> Vec<Kind> {
        vec![kind().into()]
    }

    async fn run(&self, cx: JobContext) -> Result<RunOutcome, JobFailure> {
        cx.progress(1.0, None, None);
        tokio::time::sleep(self.0).await;
        Ok(RunOutcome::Complete(json(cx.attempt)))
    }
}

const NEVER: Duration = Duration::from_secs(1_000_000);

fn engine(path: &Path, takes: Duration) -> Engine {
    let store = SqliteStore::open(path, Bounds::default()).unwrap();
    let mut config = EngineConfig::default();
    config.lease = Duration::from_millis(600);
    config.sweep_every = Duration::from_millis(100);
    config.idle_poll = Duration::from_millis(100);
    Engine::launch(Arc::new(store), Arc::new(After(takes)), config)
}

async fn wait(engine: &Engine, name: &str, wanted: fn(&Phase) -> bool) -> Snapshot {
    let patience = Instant::now() + Duration::from_secs(20);
    loop {
        let wait = Duration::from_millis(200);
        let job = engine.wait(&owner(), &id(name), wait).await.unwrap().unwrap();
        if wanted(&job.phase) {
            return job;
        }
        assert!(Instant::now() < patience, "{name} stays {:?}", job.phase);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_unfinished_jobs_run_again_and_finished_ones_are_readable() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.db");
    let first = engine(&path, Duration::ZERO);
    first.start(order("finished")).await.unwrap();
    wait(&first, "finished", Phase::is_terminal).await;
    drop(first);
    let second = engine(&path, NEVER);
    second.start(order("interrupted")).await.unwrap();
    wait(&second, "interrupted", |phase| *phase == Phase::Running).await;
    drop(second);
    let third = engine(&path, Duration::ZERO);
    let finished = third.get(&owner(), &id("finished")).await.unwrap().unwrap();
    assert_eq!(finished.phase, Phase::Completed { output: json(1) });
    let interrupted = wait(&third, "interrupted", Phase::is_terminal).await;
    assert_eq!(interrupted.phase, Phase::Completed { output: json(2) });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_engine_hands_its_jobs_to_another_on_the_same_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.db");
    let first = engine(&path, NEVER);
    first.start(order("one")).await.unwrap();
    wait(&first, "one", |phase| *phase == Phase::Running).await;
    assert_eq!(first.drain(Duration::from_millis(50)).await.released, 1);
    let second = engine(&path, Duration::ZERO);
    let job = wait(&first, "one", Phase::is_terminal).await;
    assert_eq!(job.phase, Phase::Completed { output: json(1) });
    drop(second);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poll_that_waits_in_another_store_on_the_file_is_woken() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.db");
    let worker = engine(&path, Duration::from_millis(30));
    let poller = engine(&path, NEVER);
    poller.drain(Duration::ZERO).await;
    let begun = Instant::now();
    // What one poll takes that nothing wakes.
    let silence = Duration::from_secs(40);
    for n in 0..10 {
        let name = format!("wake-{n}");
        worker.start(order(&name)).await.unwrap();
        while !poller
            .wait(&owner(), &id(&name), silence)
            .await
            .unwrap()
            .unwrap()
            .phase
            .is_terminal()
        {
            assert!(begun.elapsed() < silence / 2, "{name}: {:?}", begun.elapsed());
        }
    }
    assert!(begun.elapsed() < silence / 2, "{:?}", begun.elapsed());
}

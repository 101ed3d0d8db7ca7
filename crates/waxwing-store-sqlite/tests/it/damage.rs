//! Rows that do not read back: their job fails where the operator sees it, and no other job stops.

use std::path::Path;
use std::time::Duration;

use waxwing_jobs::state::StageName;
use waxwing_jobs::{Beat, BeatVerdict, Cause, Filter, Phase, PurgeVerdict, Store};

use crate::support::{LEASE, claim, clock, find, id, open, order};

fn damage(path: &Path, sql: &str) {
    let other = rusqlite::Connection::open(path).unwrap();
    other.execute_batch(sql).unwrap();
}

async fn failed_as_corrupt(store: &dyn Store, name: &str) {
    let job = find(store, name).await.unwrap();
    assert_eq!(job.phase, Phase::Failed);
    assert_eq!(job.attempts.last().unwrap().failure.cause, Cause::Corrupt);
    let filter = Filter { stages: vec![StageName::Failed], ..Filter::default() };
    let listed = store.list(filter).await.unwrap().jobs;
    assert!(listed.iter().any(|job| job.id == id(name)), "the operator sees it");
}

/// What may be wrong with the row of the first of two queued jobs.
const QUEUED: [&str; 5] = [
    "UPDATE inputs SET input = '{' WHERE job = 1",
    "DELETE FROM inputs WHERE job = 1",
    "INSERT INTO checkpoints VALUES (1, '[')",
    "UPDATE jobs SET version = -1 WHERE seq = 1",
    "UPDATE jobs SET epoch = -7, failures = 5000000000 WHERE seq = 1",
];

#[tokio::test]
async fn a_damaged_job_at_the_head_of_the_queue_fails_and_the_next_is_claimed() {
    for sql in QUEUED {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("jobs.db");
        let store = open(&path, &clock());
        store.start(vec![order("bad"), order("good")]).await.unwrap();
        damage(&path, sql);
        let claimed = store.claim(claim(9)).await.unwrap();
        assert_eq!(claimed.len(), 1, "{sql}");
        assert_eq!(claimed[0].ticket.id, id("good"));
        assert!(store.claim(claim(9)).await.unwrap().is_empty());
        failed_as_corrupt(&*store, "bad").await;
        let census = store.census().await.unwrap();
        assert_eq!((census.queued, census.running, census.failed), (0, 1, 1));
        assert_eq!(store.purge(vec![id("bad")]).await.unwrap(), [PurgeVerdict::Done]);
    }
}

#[tokio::test]
async fn a_damaged_job_whose_lease_ran_out_fails_and_the_sweep_goes_on() {
    for sql in [
        "UPDATE jobs SET attempts = '{' WHERE seq = 1",
        "UPDATE jobs SET max_attempts = -1 WHERE seq = 1",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (path, clock) = (dir.path().join("jobs.db"), clock());
        let store = open(&path, &clock);
        store.start(vec![order("bad"), order("good")]).await.unwrap();
        store.claim(claim(2)).await.unwrap();
        damage(&path, sql);
        clock.advance(LEASE);
        assert_eq!(store.sweep(100).await.unwrap().lapsed, 2, "{sql}");
        failed_as_corrupt(&*store, "bad").await;
        assert_eq!(find(&*store, "good").await.unwrap().phase, Phase::Queued);
        clock.advance(LEASE * 1000);
        assert_eq!(store.sweep(100).await.unwrap().jobs, 2);
    }
}

#[tokio::test]
async fn a_damaged_job_takes_no_other_beat_with_it_and_expires_like_any() {
    let dir = tempfile::tempdir().unwrap();
    let (path, clock) = (dir.path().join("jobs.db"), clock());
    let store = open(&path, &clock);
    store.start(vec![order("bad"), order("good"), order("worse")]).await.unwrap();
    let claimed = store.claim(claim(2)).await.unwrap();
    damage(&path, "UPDATE jobs SET version = -1 WHERE seq IN (1, 3)");
    let beat = |ticket| Beat { ticket, lease: LEASE, progress: None, checkpoint: None };
    let beats = claimed.into_iter().map(|job| beat(job.ticket)).collect();
    let verdicts = store.beat(beats).await.unwrap();
    assert_eq!(verdicts[0], BeatVerdict::Lost);
    assert!(matches!(verdicts[1], BeatVerdict::Held(_)));
    failed_as_corrupt(&*store, "bad").await;
    clock.advance(LEASE * 1000);
    assert_eq!(store.sweep(100).await.unwrap().jobs, 3);
    assert_eq!(store.sweep(100).await.unwrap().jobs, 0);
}

#[tokio::test]
async fn health_goes_through_the_writer() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.db");
    let store = open(&path, &clock());
    assert_eq!(store.health().await, Ok(()));
    let written = std::fs::metadata(crate::crash::log_of(&path)).unwrap().len();
    store.health().await.unwrap();
    let after = std::fs::metadata(crate::crash::log_of(&path)).unwrap().len();
    assert_eq!(after, written, "it writes nothing");
    // A reader would not notice that another process does not let go of the file.
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut health = store.health();
    let early = tokio::time::timeout(Duration::from_millis(100), &mut health).await;
    assert!(early.is_err(), "healthy beside another's transaction");
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(health.await, Ok(()));
}

//! Clocks that are set back, and clocks of two processes on one file that differ.

use std::time::Duration;

use waxwing_jobs::state::Cancel;
use waxwing_jobs::{Beat, BeatVerdict, ManualClock, Phase, Store, Ticket};

use crate::support::{LEASE, claim, find, open, order};

const T: u64 = 1_790_000_000_000;
const HOUR: u64 = 3_600_000;
const SECOND: Duration = Duration::from_secs(1);

async fn beat(store: &dyn Store, ticket: &Ticket) -> BeatVerdict {
    let beat = Beat { ticket: ticket.clone(), lease: LEASE, progress: None, checkpoint: None };
    store.beat(vec![beat]).await.unwrap()[0]
}

const HELD: BeatVerdict = BeatVerdict::Held(Cancel::NotAsked);

#[tokio::test]
async fn after_a_restart_with_the_clock_set_back_a_dead_workers_job_moves_within_its_lease() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.db");
    let store = open(&path, &ManualClock::new(T));
    store.start(vec![order("one"), order("two")]).await.unwrap();
    store.claim(claim(1)).await.unwrap();
    drop(store);
    let clock = ManualClock::new(T - HOUR);
    let store = open(&path, &clock);
    assert_eq!(store.claim(claim(9)).await.unwrap().len(), 1, "what was queued can be claimed");
    assert_eq!(store.sweep(100).await.unwrap().lapsed, 0);
    clock.advance(LEASE);
    assert_eq!(store.sweep(100).await.unwrap().lapsed, 2);
    assert_eq!(store.claim(claim(9)).await.unwrap().len(), 2);
    assert!(find(&*store, "one").await.unwrap().created_ms <= T, "times do not go back");
}

#[tokio::test]
async fn a_downtime_counts() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.db");
    let store = open(&path, &ManualClock::new(T));
    store.start(vec![order("one").with_ttl(SECOND * 3600), order("two")]).await.unwrap();
    store.claim(claim(2)).await.unwrap();
    drop(store);
    let store = open(&path, &ManualClock::new(T + 31_000));
    assert_eq!(store.sweep(100).await.unwrap().lapsed, 2, "nobody alive holds them");
    drop(store);
    let store = open(&path, &ManualClock::new(T + HOUR));
    assert_eq!(find(&*store, "one").await, None);
}

#[tokio::test]
async fn clocks_that_differ_steal_no_live_lease_and_keep_no_dead_one() {
    const APART: u64 = 600_000;
    for (mine, other) in [(T, T + APART), (T + APART, T)] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("jobs.db");
        let (mine, other) = (ManualClock::new(mine), ManualClock::new(other));
        let pass = |time: Duration| {
            mine.advance(time);
            other.advance(time);
        };
        let a = open(&path, &mine);
        a.start(vec![order("one"), order("two")]).await.unwrap();
        let held = a.claim(claim(1)).await.unwrap().remove(0).ticket;
        let b = open(&path, &other);
        for _ in 0..10 {
            assert_eq!(b.sweep(100).await.unwrap().lapsed, 0);
            assert_eq!(a.sweep(100).await.unwrap().lapsed, 0);
            assert_eq!(beat(&*a, &held).await, HELD);
            pass(LEASE / 3 * 2);
        }
        let theirs = b.claim(claim(9)).await.unwrap();
        assert_eq!(theirs.len(), 1);
        for _ in 0..10 {
            assert_eq!(a.sweep(100).await.unwrap().lapsed, 0);
            assert_eq!(beat(&*b, &theirs[0].ticket).await, HELD);
            assert_eq!(beat(&*a, &held).await, HELD);
            pass(LEASE / 3 * 2);
        }
        pass(LEASE / 3);
        assert_eq!(b.sweep(100).await.unwrap().lapsed, 2, "both fell silent");
        let phase = find(&*a, "one").await.unwrap().phase;
        assert_eq!(phase, Phase::Queued);
    }
}

#[tokio::test]
async fn a_lease_further_ahead_than_any_that_was_given_is_shortened() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.db");
    let clock = ManualClock::new(T);
    let store = open(&path, &clock);
    store.start(vec![order("one")]).await.unwrap();
    store.claim(claim(1)).await.unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute("UPDATE jobs SET lease_until_ms = lease_until_ms + 100000000", []).unwrap();
    assert_eq!(store.sweep(100).await.unwrap().lapsed, 0);
    clock.advance(LEASE);
    assert_eq!(store.sweep(100).await.unwrap().lapsed, 1);
}

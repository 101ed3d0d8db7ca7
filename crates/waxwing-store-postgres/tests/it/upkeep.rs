//! Sweeps of much, and what callers at a bound do themselves.

use std::time::Duration;

use waxwing_jobs::state::StageName;
use waxwing_jobs::{
    Admission, Bound, Bounds, Cause, Failure, Filter, Outcome, PurgeVerdict, Remaining,
    RequeueVerdict, Settle, Started, Store,
};

use crate::support::{LEASE, Place, StillClock, T, claim, id, nonce, order};

async fn count(place: &Place, of: &str) -> i64 {
    let sql = format!("SET search_path = \"{}\"", place.schema);
    let client = place.client().await;
    client.batch_execute(&sql).await.unwrap();
    client.query_one(&format!("SELECT count(*) FROM {of}"), &[]).await.unwrap().get(0)
}

/// Ended jobs, and names of commits, whose time is over.
const EXPIRED: &str = "
    INSERT INTO jobs (id, owner, kind, stage, epoch, failures, max_attempts, version, created_ms,
        expires_ms, input)
    SELECT 'old-' || n, 'client', 'work', 'completed', 1, 0, 3, 3, 1, 2, '1'
    FROM generate_series(1, 3000) n;
    INSERT INTO job_counts VALUES (' stored', 0, 3000);
    INSERT INTO commits SELECT n, 1 FROM generate_series(1, 3000) n;";

#[tokio::test]
async fn a_sweep_says_that_more_is_due_until_nothing_is() {
    let Some(place) = Place::new("a_sweep_says_that_more_is_due") else { return };
    let store = place.open(Bounds::default()).await.unwrap();
    place.run(EXPIRED).await;
    place.run("DELETE FROM jobs").await;
    let mut sweeps = 1;
    while store.sweep(500).await.unwrap().remaining == Remaining::More {
        sweeps += 1;
    }
    assert_eq!(count(&place, "commits").await, 0);
    assert_eq!(sweeps, 4);
}

#[tokio::test]
async fn a_start_at_the_bound_deletes_only_what_takes_room() {
    let Some(place) = Place::new("a_start_at_the_bound") else { return };
    let bounds = Bounds { unfinished_per_client: 2, unfinished: 9, ..Bounds::default() };
    let store = place.open(bounds).await.unwrap();
    let clock = StillClock::of(&place).await;
    place.run(EXPIRED).await;
    let brief = |name| order(name).with_ttl(LEASE);
    store.start(vec![brief("one"), order("two")]).await.unwrap();
    let full = [Started::Full(Bound::ClientJobs)];
    assert_eq!(store.start(vec![order("three")]).await.unwrap(), full);
    assert_eq!(count(&place, "jobs").await, 3002, "what has ended is the sweeps' to delete");
    clock.advance(LEASE).await;
    assert_eq!(store.start(vec![order("three")]).await.unwrap(), [Started::Created]);
    assert_eq!(count(&place, "jobs").await, 3002);
    assert_eq!(store.start(vec![order("four")]).await.unwrap(), full);
}

#[tokio::test]
async fn a_nonce_at_the_bound_has_the_room_of_those_that_expired() {
    let Some(place) = Place::new("a_nonce_at_the_bound") else { return };
    let bounds = Bounds { nonces_per_key: 2, ..Bounds::default() };
    let store = place.open(bounds).await.unwrap();
    let clock = StillClock::of(&place).await;
    place.run("INSERT INTO nonces SELECT 77, n::text, 1, 1 FROM generate_series(1, 3000) n").await;
    use Admission::{Fresh, Full};
    let admit = async |names: &[&str]| {
        store.admit(names.iter().map(|name| nonce(name)).collect()).await.unwrap()
    };
    assert_eq!(admit(&["a", "b", "c"]).await, [Fresh, Fresh, Full]);
    clock.advance(LEASE).await;
    assert_eq!(admit(&["c", "d", "e"]).await, [Fresh, Fresh, Full]);
    clock.advance(LEASE).await;
    let start = store.start(vec![order("one").with_nonce(nonce("f"))]).await.unwrap();
    assert_eq!(start, [Started::Created]);
    let left = count(&place, "nonces WHERE scope = 77").await;
    assert!(left >= 1000, "{left}: no caller deletes without end");
}

/// Failed jobs are counted as they come and go, whichever way.
#[tokio::test]
async fn failed_jobs_are_counted_without_being_read() {
    let Some(place) = Place::new("failed_jobs_are_counted") else { return };
    let store = place.open(Bounds::default()).await.unwrap();
    let clock = StillClock::of(&place).await;
    let names = ["a", "b", "c", "d"];
    store.start(names.map(order).into()).await.unwrap();
    let failure = Failure::new(Cause::Tool, "no");
    let fail = |job: waxwing_jobs::Claimed| Settle {
        ticket: job.ticket,
        outcome: Outcome::Fail(failure.clone()),
    };
    let claimed = store.claim(claim(4)).await.unwrap();
    store.settle(claimed.into_iter().map(fail).collect()).await.unwrap();
    let failed = async || store.census().await.unwrap().failed;
    assert_eq!(failed().await, 4);
    assert_eq!(store.requeue(vec![id("a")]).await.unwrap(), [RequeueVerdict::Done]);
    assert_eq!(failed().await, 3);
    assert_eq!(store.purge(vec![id("b")]).await.unwrap(), [PurgeVerdict::Done]);
    assert_eq!(failed().await, 2);
    clock.set(T + 2 * 3_600_000).await;
    assert_eq!(failed().await, 0, "what has expired is not there any more");
    let swept = store.sweep(100).await.unwrap();
    assert_eq!((swept.jobs, swept.unfinished), (3, 1));
    assert_eq!(failed().await, 0);
    let filter = Filter { stages: vec![StageName::Failed], ..Filter::default() };
    assert!(store.list(filter).await.unwrap().jobs.is_empty());
    store.start(vec![order("e")]).await.unwrap();
    let claimed = store.claim(claim(1)).await.unwrap();
    store.settle(claimed.into_iter().map(fail).collect()).await.unwrap();
    assert_eq!(failed().await, 1);
    clock.advance(Duration::from_secs(1)).await;
}

//! Rows that do not read back: their job fails where the operator sees it, and no other job stops.

use waxwing_jobs::state::StageName;
use waxwing_jobs::{
    Beat, BeatVerdict, Bounds, Cause, Filter, Outcome, Phase, PurgeVerdict, Settle, SettleVerdict,
    Started, Store, StoreError,
};

use crate::support::{LEASE, Place, StillClock, claim, find, id, json, keyed, nonce, order};

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
    "UPDATE jobs SET input = '{' WHERE id = 'bad'",
    "UPDATE jobs SET kind = 'work' || '', owner = '' WHERE id = 'bad'",
    "UPDATE jobs SET checkpoint = '[' WHERE id = 'bad'",
    "UPDATE jobs SET version = -1 WHERE id = 'bad'",
    "UPDATE jobs SET epoch = -7, failures = 5000000000 WHERE id = 'bad'",
];

#[tokio::test]
async fn a_damaged_job_at_the_head_of_the_queue_fails_and_the_next_is_claimed() {
    for sql in QUEUED {
        let Some(place) = Place::new("a_damaged_job_at_the_head_of_the_queue") else { return };
        let store = place.open(Bounds::default()).await.unwrap();
        store.start(vec![order("bad"), order("good")]).await.unwrap();
        place.run(sql).await;
        let claimed = store.claim(claim(9)).await.unwrap();
        assert_eq!(claimed.len(), 1, "{sql}");
        assert_eq!(claimed[0].ticket.id, id("good"));
        assert!(store.claim(claim(9)).await.unwrap().is_empty());
        let census = store.census().await.unwrap();
        assert_eq!((census.queued, census.running, census.failed), (0, 1, 1), "{sql}");
        if !sql.contains("owner") {
            failed_as_corrupt(&*store, "bad").await;
        }
        assert_eq!(store.purge(vec![id("bad")]).await.unwrap(), [PurgeVerdict::Done]);
    }
}

#[tokio::test]
async fn a_damaged_job_whose_lease_ran_out_fails_and_the_sweep_goes_on() {
    for sql in [
        "UPDATE jobs SET attempts = '{' WHERE id = 'bad'",
        "UPDATE jobs SET max_attempts = -1 WHERE id = 'bad'",
    ] {
        let Some(place) = Place::new("a_damaged_job_whose_lease_ran_out") else { return };
        let store = place.open(Bounds::default()).await.unwrap();
        let clock = StillClock::of(&place).await;
        store.start(vec![order("bad"), order("good")]).await.unwrap();
        store.claim(claim(2)).await.unwrap();
        place.run(sql).await;
        clock.advance(LEASE).await;
        assert_eq!(store.sweep(100).await.unwrap().lapsed, 2, "{sql}");
        failed_as_corrupt(&*store, "bad").await;
        assert_eq!(find(&*store, "good").await.unwrap().phase, Phase::Queued);
        clock.advance(LEASE * 1000).await;
        assert_eq!(store.sweep(100).await.unwrap().jobs, 2);
    }
}

#[tokio::test]
async fn a_damaged_job_takes_no_other_beat_or_end_with_it() {
    let Some(place) = Place::new("a_damaged_job_takes_no_other_beat") else { return };
    let store = place.open(Bounds::default()).await.unwrap();
    store.start(vec![order("bad"), order("good"), order("worse")]).await.unwrap();
    let claimed = store.claim(claim(3)).await.unwrap();
    place.run("UPDATE jobs SET version = -1 WHERE id = 'bad'").await;
    let beat = |ticket| Beat { ticket, lease: LEASE, progress: None, checkpoint: None };
    let beats = claimed.iter().map(|job| beat(job.ticket.clone())).collect();
    let verdicts = store.beat(beats).await.unwrap();
    assert_eq!(verdicts[0], BeatVerdict::Lost);
    assert!(matches!(verdicts[1], BeatVerdict::Held(_)));
    failed_as_corrupt(&*store, "bad").await;
    place.run("UPDATE jobs SET failures = -1 WHERE id = 'worse'").await;
    let settle = |job: &waxwing_jobs::Claimed| Settle {
        ticket: job.ticket.clone(),
        outcome: Outcome::Complete(json(1)),
    };
    let verdicts = store.settle(claimed.iter().map(settle).collect()).await.unwrap();
    use SettleVerdict::{Done, Stale};
    assert_eq!(verdicts, [Stale, Done, Stale]);
    failed_as_corrupt(&*store, "worse").await;
}

/// Fails every write that brings a delayed job into the queue, and every one that fails a job.
const BROKEN: &str = "
    CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN RAISE EXCEPTION 'a damaged page' USING ERRCODE = 'XX001'; END$$;
    CREATE TRIGGER promotion BEFORE UPDATE ON jobs FOR EACH ROW
        WHEN (OLD.rank IS NULL AND NEW.rank IS NOT NULL) EXECUTE FUNCTION broken();
    CREATE TRIGGER condemned BEFORE UPDATE ON jobs FOR EACH ROW
        WHEN (NEW.stage = 'failed') EXECUTE FUNCTION broken();";

#[tokio::test]
async fn what_a_claim_has_committed_is_the_workers_whatever_fails_after_it() {
    let Some(place) = Place::new("what_a_claim_has_committed") else { return };
    let store = place.open(Bounds::default()).await.unwrap();
    store.start(["late", "bad", "good", "fine"].map(order).into()).await.unwrap();
    let late = store.claim(claim(1)).await.unwrap().remove(0).ticket;
    let settle = Settle { ticket: late, outcome: Outcome::Release };
    assert_eq!(store.settle(vec![settle]).await.unwrap(), [SettleVerdict::Done]);
    place.run("UPDATE jobs SET input = '{' WHERE id = 'bad'").await;
    place.run(BROKEN).await;
    // Neither the damaged job can be failed, nor the delayed one be let in.
    let claimed = store.claim(claim(9)).await.unwrap();
    let names: Vec<_> = claimed.iter().map(|job| job.ticket.id.clone()).collect();
    assert_eq!(names, [id("good"), id("fine")]);
    assert!(store.claim(claim(9)).await.is_err(), "a claim of nothing says what is wrong");
    place.run("DROP FUNCTION broken CASCADE").await;
    assert_eq!(store.claim(claim(9)).await.unwrap()[0].ticket.id, id("late"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_job_that_a_start_is_shown_fails_no_other_start() {
    let Some(place) = Place::new("a_damaged_job_that_a_start_is_shown") else { return };
    let store = place.open(Bounds::default()).await.unwrap();
    assert_eq!(store.start(vec![keyed("bad", "key")]).await.unwrap(), [Started::Created]);
    place.run("UPDATE jobs SET attempts = '{' WHERE id = 'bad'").await;
    for round in 0..20 {
        // They come together, and so are one write.
        let again = keyed(&format!("again-{round}"), "key");
        let new = order(&format!("new-{round}")).with_nonce(nonce(&format!("n-{round}")));
        let (shown, created) = tokio::join!(store.start(vec![again]), store.start(vec![new]));
        assert!(matches!(shown, Err(StoreError::Corrupt(_))), "{shown:?}");
        assert_eq!(created, Ok(vec![Started::Created]));
    }
}

#[tokio::test]
async fn a_start_is_shown_the_job_that_its_own_batch_made() {
    let Some(place) = Place::new("a_start_is_shown_the_job_of_its_batch") else { return };
    let store = place.open(Bounds::default()).await.unwrap();
    let started = store.start(vec![keyed("one", "key"), keyed("two", "key")]).await.unwrap();
    let Started::Existing { id: shown, snapshot: Some(snapshot) } = &started[1] else {
        panic!("{started:?}")
    };
    assert_eq!((&started[0], shown), (&Started::Created, &id("one")));
    let read = find(&*store, "one").await.unwrap();
    assert_eq!(**snapshot, waxwing_jobs::Snapshot { read_ms: snapshot.read_ms, ..read });
}

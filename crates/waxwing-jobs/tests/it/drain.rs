//! The engine when things end or fail around it: draining, and a store that is away.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;
use waxwing_jobs::{Cause, JobFailure, Kind, Lane, Phase};

use crate::away::away;
use crate::support::{
    doing, doing_all, done, ended, get, id, json, kind, launch, memory, order, output, owner,
    start, until,
};

#[tokio::test(start_paused = true)]
async fn a_drain_lets_running_jobs_finish_and_claims_nothing_more() {
    let store = memory();
    let engine = launch(
        &store,
        doing(|_| async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            done("finished")
        }),
    );
    start(&engine, "running").await;
    until(&engine, "running", |job| job.phase == Phase::Running).await;
    let begun = Instant::now();
    let (drained, ()) = tokio::join!(engine.drain(Duration::from_secs(10)), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        start(&engine, "late").await;
        let wait = engine.wait(&owner(), &id("running"), Duration::from_secs(9)).await;
        assert_eq!(output(&wait.unwrap().unwrap()), "\"finished\"");
    });
    assert_eq!(drained.released, 0);
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(get(&engine, "late").await.phase, Phase::Queued);
    assert_eq!(engine.drain(Duration::ZERO).await.released, 0, "draining twice is harmless");
    let next = launch(&store, doing(|_| async { done("elsewhere") }));
    assert_eq!(output(&ended(&next, "late").await), "\"elsewhere\"");
}

#[tokio::test(start_paused = true)]
async fn what_does_not_finish_in_time_is_released_without_losing_an_attempt() {
    let store = memory();
    let engine = launch(
        &store,
        doing(|cx| async move {
            cx.save(json("so far"));
            std::future::pending().await
        }),
    );
    for name in ["one", "two"] {
        start(&engine, name).await;
        until(&engine, name, |job| job.phase == Phase::Running).await;
    }
    let begun = Instant::now();
    assert_eq!(engine.drain(Duration::from_secs(5)).await.released, 2);
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    assert_eq!(get(&engine, "one").await.phase, Phase::Queued);
    drop(engine);
    let begun = Instant::now();
    let next = launch(
        &store,
        doing(|cx| async move {
            assert_eq!(cx.attempt, 1);
            done(cx.checkpoint.unwrap().as_str())
        }),
    );
    for name in ["one", "two"] {
        assert_eq!(output(&ended(&next, name).await), r#""\"so far\"""#);
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "no lease had to run out");
}

#[tokio::test(start_paused = true)]
async fn a_job_of_one_attempt_that_has_begun_does_not_run_again_after_a_drain() {
    let store = memory();
    let engine = launch(&store, doing(|_| std::future::pending()));
    let once = order("once").with_max_attempts(1);
    engine.start(once).await.unwrap();
    start(&engine, "thrice").await;
    for name in ["once", "thrice"] {
        until(&engine, name, |job| job.phase == Phase::Running).await;
    }
    engine.drain(Duration::from_secs(1)).await;
    engine.start(order("not-begun").with_max_attempts(1)).await.unwrap();
    let job = get(&engine, "once").await;
    assert_eq!((&job.phase, job.attempts.len()), (&Phase::Failed, 1));
    assert_eq!(job.attempts[0].failure.cause, Cause::LeaseLost);
    drop(engine);
    let next = launch(&store, doing(|cx| async move { done(cx.attempt) }));
    for name in ["thrice", "not-begun"] {
        assert_eq!(output(&ended(&next, name).await), "1");
    }
    assert_eq!(get(&next, "once").await.phase, Phase::Failed);
}

#[tokio::test(start_paused = true)]
async fn an_idle_engine_asks_at_most_once_a_second() {
    let (count, store) = away();
    let kinds = ["narrow", "wide", "call"].map(|name| Kind::from(kind(name)));
    let [narrow, wide, call] = kinds;
    let kinds = vec![narrow.at_most(1), wide, call.in_lane(Lane::Calls)];
    let engine = launch(&store, doing_all(kinds, |_| async { done(1) }));
    for name in ["narrow", "wide", "call"] {
        let mut job = order(name);
        job.kind = kind(name);
        engine.start(job).await.unwrap();
        ended(&engine, name).await;
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    let before = count.asked();
    tokio::time::sleep(Duration::from_secs(1000)).await;
    let asked = count.asked() - before;
    assert!(asked <= 1000, "{asked} in 1000 s");
    assert!(asked > 300, "{asked} in 1000 s: it must look for other processes' jobs");
}

#[tokio::test(start_paused = true)]
async fn a_drain_comes_to_an_end_though_the_store_is_away() {
    let (switch, store) = away();
    let engine = launch(&store, doing(|_| std::future::pending()));
    start(&engine, "one").await;
    until(&engine, "one", |job| job.phase == Phase::Running).await;
    switch.leave();
    let begun = Instant::now();
    assert_eq!(engine.drain(Duration::from_secs(1)).await.released, 1);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_whose_beat_fails_as_the_attempt_ends_is_kept() {
    for failing in 1..=3 {
        let (switch, store) = away();
        let engine = launch(
            &store,
            doing(|cx| async move {
                if let Some(checkpoint) = cx.checkpoint {
                    return done(checkpoint.as_str());
                }
                assert_eq!(cx.attempt, 1, "the checkpoint is lost");
                cx.save(json("so far"));
                // The beat that carries it is on its way now.
                tokio::time::sleep(Duration::from_millis(500)).await;
                Err(JobFailure::retryable("once more"))
            }),
        );
        switch.beats_to_fail.store(failing, Ordering::SeqCst);
        start(&engine, "one").await;
        assert_eq!(output(&ended(&engine, "one").await), r#""\"so far\"""#, "{failing} failed");
    }
}

//! The engine on the memory store, in paused time: running, retrying, losing, cancelling, asking,
//! waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use waxwing_core::{ClientId, ErrorCode};
use waxwing_jobs::{CancelRequest, CancelVerdict, Cause, Engine, JobFailure, Phase, Started};

use crate::support::{
    config, doing, done, ended, get, id, json, kind, launch, memory, order, output, owner, start,
    until,
};

#[tokio::test(start_paused = true)]
async fn a_job_is_run_with_what_it_was_started_with_and_its_result_is_kept() {
    let engine = launch(
        &memory(),
        doing(|cx| async move {
            assert_eq!((cx.attempt, cx.max_attempts), (1, 3));
            assert_eq!((cx.owner.as_str(), cx.kind.as_str()), ("client", "work"));
            assert!(cx.deadline > Instant::now() + Duration::from_secs(3500));
            done([cx.input.as_str(), cx.id.as_str()])
        }),
    );
    start(&engine, "one").await;
    assert_eq!(output(&ended(&engine, "one").await), r#"["\"one\"","one"]"#);
}

#[tokio::test(start_paused = true)]
async fn a_started_job_runs_at_once_though_the_engine_was_idle() {
    let engine = launch(&memory(), doing(|_| async { done(1) }));
    tokio::time::sleep(Duration::from_secs(60)).await;
    let begun = Instant::now();
    start(&engine, "one").await;
    ended(&engine, "one").await;
    assert!(begun.elapsed() < Duration::from_millis(20), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_failed_attempt_is_tried_again_after_a_growing_delay_and_the_last_failure_stands() {
    let (told, mut times) = mpsc::unbounded_channel();
    let engine = launch(
        &memory(),
        doing(move |cx| {
            told.send(Instant::now()).unwrap();
            async move {
                Err(JobFailure::retryable(format!("no luck {}", cx.attempt))
                    .with_code(ErrorCode::Timeout))
            }
        }),
    );
    start(&engine, "one").await;
    let job = ended(&engine, "one").await;
    assert_eq!(job.phase, Phase::Failed);
    let messages: Vec<&str> = job.attempts.iter().map(|a| a.failure.message.as_str()).collect();
    assert_eq!(messages, ["no luck 1", "no luck 2", "no luck 3"]);
    assert_eq!(job.attempts[2].failure.code, Some(ErrorCode::Timeout));
    let times =
        [times.recv().await.unwrap(), times.recv().await.unwrap(), times.recv().await.unwrap()];
    let gaps = [times[1] - times[0], times[2] - times[1]];
    let ms = Duration::from_millis;
    assert!(gaps[0] >= ms(500) && gaps[0] <= ms(1050), "{gaps:?}");
    assert!(gaps[1] >= ms(1000) && gaps[1] <= ms(2050), "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn a_final_failure_is_not_tried_again() {
    let engine = launch(
        &memory(),
        doing(|_| async { Err(JobFailure::permanent("never").with_details(json([1]))) }),
    );
    start(&engine, "one").await;
    let job = ended(&engine, "one").await;
    assert_eq!((job.phase, job.attempts.len()), (Phase::Failed, 1));
    assert_eq!(job.attempts[0].failure.details, Some(json([1])));
}

#[tokio::test(start_paused = true)]
async fn a_panic_fails_its_attempt_at_once_and_harms_nothing_else() {
    let engine = launch(
        &memory(),
        doing(|cx| async move {
            assert!(cx.id.as_str() != "bad" || cx.attempt > 1, "secret-canary");
            done(cx.attempt)
        }),
    );
    start(&engine, "bad").await;
    start(&engine, "good").await;
    let begun = Instant::now();
    assert_eq!(output(&ended(&engine, "good").await), "1");
    let job = until(&engine, "bad", |job| job.attempts.len() == 1).await;
    assert!(begun.elapsed() < Duration::from_millis(100), "{:?}", begun.elapsed());
    assert_eq!(job.attempts[0].failure.cause, Cause::Panic);
    assert!(!job.attempts[0].failure.message.contains("canary"), "the panic's text stays inside");
    assert_eq!(output(&ended(&engine, "bad").await), "2");
}

#[tokio::test(start_paused = true)]
async fn a_dead_engines_job_runs_again_within_lease_and_sweep() {
    let store = memory();
    let dead = launch(&store, doing(|_| std::future::pending()));
    start(&dead, "one").await;
    until(&dead, "one", |job| job.phase == Phase::Running).await;
    drop(dead);
    let begun = Instant::now();
    let engine = launch(&store, doing(|cx| async move { done(cx.attempt) }));
    let job = ended(&engine, "one").await;
    assert_eq!(output(&job), "2");
    assert_eq!(job.attempts[0].failure.cause, Cause::LeaseLost);
    assert!(begun.elapsed() <= Duration::from_secs(36), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_living_worker_keeps_its_job_for_ever() {
    let store = memory();
    let worker = launch(
        &store,
        doing(|_| async {
            tokio::time::sleep(Duration::from_secs(400)).await;
            done("long")
        }),
    );
    let other = launch(&store, doing(|_| async { done("stolen") }));
    start(&worker, "one").await;
    // Whoever got it, the other must not.
    let job = ended(&other, "one").await;
    assert!(job.attempts.is_empty(), "{:?}", job.attempts);
}

#[tokio::test(start_paused = true)]
async fn the_work_of_a_lost_job_is_dropped_and_changes_nothing() {
    struct Dropped(mpsc::UnboundedSender<()>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    let store = memory();
    let (told, mut dropped) = mpsc::unbounded_channel();
    let mut slow = config();
    slow.sweep_every = Duration::from_secs(100_000);
    let engine = Engine::launch(
        Arc::clone(&store),
        doing(move |_| {
            let guard = Dropped(told.clone());
            async move {
                let _guard = guard;
                std::future::pending().await
            }
        }),
        slow,
    );
    let job = order("one").with_max_attempts(1);
    assert_eq!(engine.start(job).await.unwrap(), Started::Created);
    until(&engine, "one", |job| job.phase == Phase::Running).await;
    // An operator's hand: the job is taken away behind the worker's back.
    store
        .settle(vec![waxwing_jobs::Settle {
            ticket: waxwing_jobs::Ticket { id: id("one"), epoch: 1 },
            outcome: waxwing_jobs::Outcome::Complete(json("elsewhere")),
        }])
        .await
        .unwrap();
    dropped.recv().await.unwrap();
    assert_eq!(output(&get(&engine, "one").await), "\"elsewhere\"");
}

#[tokio::test(start_paused = true)]
async fn a_cancel_on_this_process_is_seen_at_once_and_on_another_within_a_beat() {
    let store = memory();
    let worker = launch(
        &store,
        doing(|cx| async move {
            cx.cancellation.cancelled().await;
            Err(JobFailure::retryable("stopped"))
        }),
    );
    let other = launch(&store, doing(|_| std::future::pending()));
    drop(other);
    for (name, here) in [("here", true), ("there", false)] {
        start(&worker, name).await;
        until(&worker, name, |job| job.phase == Phase::Running).await;
        let begun = Instant::now();
        let request = CancelRequest::new(Some("enough".into()));
        let verdict = match here {
            true => worker.cancel(&owner(), &id(name), request.clone()).await,
            false => store.cancel(&owner(), &id(name), request.clone()).await,
        };
        assert_eq!(verdict.unwrap(), CancelVerdict::Requested);
        let job = ended(&worker, name).await;
        assert_eq!(job.phase, Phase::Cancelled { request });
        let limit = if here { Duration::from_millis(20) } else { Duration::from_millis(10_050) };
        assert!(begun.elapsed() <= limit, "{name}: {:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn work_that_does_not_listen_is_dropped_and_a_result_in_time_counts() {
    let engine = launch(
        &memory(),
        doing(|cx| async move {
            if cx.id.as_str() == "deaf" {
                std::future::pending::<()>().await;
            }
            cx.cancellation.cancelled().await;
            assert!(cx.cancellation.is_cancelled());
            tokio::time::sleep(Duration::from_millis(100)).await;
            done("in time")
        }),
    );
    for name in ["deaf", "quick"] {
        start(&engine, name).await;
        until(&engine, name, |job| job.phase == Phase::Running).await;
        engine.cancel(&owner(), &id(name), CancelRequest::default()).await.unwrap();
    }
    let cancelled = Phase::Cancelled { request: CancelRequest::default() };
    assert_eq!(ended(&engine, "deaf").await.phase, cancelled);
    assert_eq!(output(&ended(&engine, "quick").await), "\"in time\"");
}

#[tokio::test(start_paused = true)]
async fn a_jobs_work_stops_when_its_lifetime_is_over() {
    let (told, mut stopped) = mpsc::unbounded_channel::<()>();
    let engine = launch(
        &memory(),
        doing(move |_| {
            let told = told.clone();
            async move {
                let _until_dropped = told;
                std::future::pending().await
            }
        }),
    );
    let job = order("one").with_ttl(Duration::from_secs(7));
    assert_eq!(engine.start(job).await.unwrap(), Started::Created);
    until(&engine, "one", |job| job.phase == Phase::Running).await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(engine.get(&owner(), &id("one")).await.unwrap(), None);
    drop(engine);
    assert_eq!(stopped.recv().await, None);
}

#[tokio::test(start_paused = true)]
async fn no_more_jobs_run_at_once_than_there_is_room_for_and_one_client_starves_no_other() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (told, mut order_of) = mpsc::unbounded_channel();
    let counts = (Arc::clone(&now), Arc::clone(&most));
    let mut small = config();
    (small.concurrency, small.batch) = (4, 8);
    let engine = Engine::launch(
        memory(),
        doing(move |cx| {
            let (now, most) = counts.clone();
            let told = told.clone();
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_secs(1)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                told.send(cx.owner.to_string()).unwrap();
                done(1)
            }
        }),
        small,
    );
    for n in 0..100 {
        start(&engine, &format!("flood-{n}")).await;
    }
    for n in 0..5 {
        let mut job = order(&format!("late-{n}"));
        job.owner = ClientId::new("late").unwrap();
        engine.start(job).await.unwrap();
    }
    let mut ended = Vec::new();
    for _ in 0..105 {
        ended.push(order_of.recv().await.unwrap());
    }
    assert_eq!(most.load(Ordering::SeqCst), 4);
    let last = ended.iter().rposition(|owner| owner == "late").unwrap();
    assert!(last < 20, "the late client's fifth job ended as number {last}");
}

#[tokio::test(start_paused = true)]
async fn kinds_that_nobody_here_can_do_are_left_alone() {
    let engine = launch(&memory(), doing(|_| async { done(1) }));
    let mut job = order("one");
    job.kind = kind("elsewhere");
    engine.start(job).await.unwrap();
    start(&engine, "two").await;
    ended(&engine, "two").await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(get(&engine, "one").await.phase, Phase::Queued);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_is_dropped_leaves_no_work_behind() {
    let alive = Arc::new(());
    let (begun, count) = (Arc::new(Notify::new()), Arc::clone(&alive));
    let told = Arc::clone(&begun);
    let engine = launch(
        &memory(),
        doing(move |_| {
            let held = Arc::clone(&count);
            told.notify_one();
            async move {
                let _held = held;
                std::future::pending().await
            }
        }),
    );
    start(&engine, "one").await;
    begun.notified().await;
    drop(engine);
    let gone = async {
        while Arc::strong_count(&alive) > 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), gone).await.unwrap();
}

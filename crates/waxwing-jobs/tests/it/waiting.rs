//! Parking and waiting: jobs that wait for answers, polls that wait for jobs, in paused time.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use waxwing_core::ClientId;
use waxwing_jobs::{CancelRequest, Engine, JobFailure, Phase, RunOutcome};

use crate::away::slow_to_look;
use crate::support::{
    answers, ask, config, doing, done, ended, id, json, launch, memory, order, output, owner,
    start, until,
};

#[tokio::test(start_paused = true)]
async fn a_job_that_asks_holds_no_slot_and_goes_on_with_its_answers() {
    let mut one_slot = config();
    one_slot.concurrency = 1;
    let engine = Engine::launch(
        memory(),
        doing(|cx| async move {
            if cx.id.as_str() == "other" {
                return done("ran");
            }
            match (
                cx.answers.answer(&crate::support::key("a")),
                cx.answers.answer(&crate::support::key("b")),
            ) {
                (None, _) => {
                    Ok(RunOutcome::Park { requests: ask(&["a"]), checkpoint: Some(json(1)) })
                }
                (Some(_), None) => Ok(RunOutcome::Park { requests: ask(&["b"]), checkpoint: None }),
                (Some(a), Some(b)) => {
                    assert_eq!((cx.attempt, cx.checkpoint), (1, Some(json(1))));
                    done([a.as_str(), b.as_str()])
                }
            }
        }),
        one_slot,
    );
    start(&engine, "one").await;
    until(&engine, "one", |job| matches!(job.phase, Phase::Parked { .. })).await;
    start(&engine, "other").await;
    assert_eq!(output(&ended(&engine, "other").await), "\"ran\"");
    tokio::time::sleep(Duration::from_secs(600)).await;
    engine.answer(&owner(), &id("one"), answers(&[("a", 1)])).await.unwrap().unwrap();
    until(
        &engine,
        "one",
        |job| matches!(&job.phase, Phase::Parked { requests } if *requests == ask(&["b"])),
    )
    .await;
    engine.answer(&owner(), &id("one"), answers(&[("b", 2)])).await.unwrap().unwrap();
    let job = ended(&engine, "one").await;
    assert_eq!(output(&job), r#"["1","2"]"#);
    assert!(job.attempts.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_waiting_poll_wakes_for_what_happens_here_and_elsewhere() {
    let store = memory();
    let (worker, poller) = (
        launch(
            &store,
            doing(|cx| async move {
                for n in 1..=3 {
                    tokio::time::sleep(Duration::from_secs(2)).await;
                    cx.progress(f64::from(n), Some(3.0), Some("step"));
                }
                tokio::time::sleep(Duration::from_secs(2)).await;
                done("end")
            }),
        ),
        launch(&store, doing(|_| std::future::pending())),
    );
    poller.drain(Duration::ZERO).await;
    for (engine, late) in [(&worker, 30), (&poller, 60)] {
        let name = format!("job-{late}");
        start(&worker, &name).await;
        let begun = Instant::now();
        for step in 1..=4 {
            let (owner, id) = (owner(), id(&name));
            let job = engine.wait(&owner, &id, Duration::from_secs(30)).await;
            let job = job.unwrap().unwrap();
            let due = Duration::from_secs(2 * step);
            let after = begun.elapsed();
            assert!(after >= due && after < due + Duration::from_millis(late), "{step}: {after:?}");
            match step {
                4 => assert_eq!(output(&job), "\"end\""),
                _ => assert_eq!(job.progress.unwrap().done(), step as f64),
            }
        }
    }
}

/// A busy server: waits begin and end all the time, and a look at the store takes a round trip.
#[tokio::test(start_paused = true)]
async fn a_waiting_poll_is_woken_however_many_others_come() {
    let (_, store) = slow_to_look(Duration::from_millis(5));
    let worker = launch(
        &store,
        doing(|cx| async move {
            if cx.id.as_str() == "busy" {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(Duration::from_secs(2)).await;
            done("end")
        }),
    );
    let server = Arc::new(launch(&store, doing(|_| std::future::pending())));
    server.drain(Duration::ZERO).await;
    server.start(order("busy")).await.unwrap();
    for n in 0..20 {
        let name = format!("foreign-{n}");
        start(&worker, &name).await;
        let begun = until(&worker, &name, |job| job.phase == Phase::Running).await.read_ms;
        let joins = async {
            let mut others = tokio::task::JoinSet::new();
            loop {
                tokio::time::sleep(Duration::from_millis(1)).await;
                let server = Arc::clone(&server);
                others.spawn(async move {
                    let wait = Duration::from_millis(700);
                    server.wait(&owner(), &id("busy"), wait).await.unwrap()
                });
            }
        };
        let (owner, id) = (owner(), id(&name));
        let job = tokio::select! {
            job = server.wait(&owner, &id, Duration::from_secs(30)) => job.unwrap().unwrap(),
            () = joins => unreachable!(),
        };
        assert_eq!(output(&job), "\"end\"");
        let late = (job.read_ms - begun).saturating_sub(2_000);
        assert!(late <= 50, "{n}: {late} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_its_time_with_the_job_or_when_the_job_waits_for_its_client() {
    let engine = launch(
        &memory(),
        doing(|cx| async move {
            match cx.id.as_str() {
                "asks" => Ok(RunOutcome::Park { requests: ask(&["a"]), checkpoint: None }),
                _ => std::future::pending().await,
            }
        }),
    );
    let wait = async |who: &ClientId<'_>, name, ms| {
        let begun = Instant::now();
        let job = engine.wait(who, &id(name), Duration::from_millis(ms)).await.unwrap();
        (job, begun.elapsed().as_millis())
    };
    start(&engine, "one").await;
    let job = until(&engine, "one", |job| job.phase == Phase::Running).await;
    let (same, time) = wait(&owner(), "one", 500).await;
    assert_eq!((same.unwrap().version, time >= 500), (job.version, true));
    let (same, time) = wait(&owner(), "one", 0).await;
    assert_eq!((same.unwrap().version, time), (job.version, 0));
    let stranger = ClientId::new("stranger").unwrap();
    for (who, name) in [(&stranger, "one"), (&owner(), "never")] {
        let (none, time) = wait(who, name, 500).await;
        assert!(none.is_none() && time < 5, "{name}: {none:?} {time}");
    }
    engine.cancel(&owner(), &id("one"), CancelRequest::default()).await.unwrap();
    ended(&engine, "one").await;
    let (job, time) = wait(&owner(), "one", 500).await;
    assert!(job.unwrap().phase.is_terminal() && time < 5, "an ended job: {time}");
    start(&engine, "asks").await;
    for _ in 0..2 {
        let (job, time) = wait(&owner(), "asks", 500).await;
        assert!(matches!(job.unwrap().phase, Phase::Parked { .. }) && time < 20, "asks: {time}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_checkpoint_reaches_the_next_attempt() {
    let engine = launch(
        &memory(),
        doing(|cx| async move {
            match cx.checkpoint {
                Some(checkpoint) => done(checkpoint.as_str()),
                None => {
                    cx.save(json("first"));
                    cx.save(json("second"));
                    Err(JobFailure::retryable("once more"))
                }
            }
        }),
    );
    start(&engine, "one").await;
    assert_eq!(output(&ended(&engine, "one").await), r#""\"second\"""#);
}

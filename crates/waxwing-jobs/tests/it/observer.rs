//! What an engine tells of its work: each claim, each end, each sweep, once.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use waxwing_core::ToolName;
use waxwing_jobs::{
    AttemptEnd, CancelRequest, Engine, JobEnd, JobEnding, JobFailure, Observer, RunOutcome, Swept,
};

use crate::support::{
    answers, ask, config, doing, done, ended, get, id, memory, order, owner, start, until,
};

#[derive(Debug, Default)]
struct Heard {
    claims: Mutex<Vec<(String, u32, Duration)>>,
    ends: Mutex<Vec<(AttemptEnd, Duration)>>,
    lapsed: Mutex<usize>,
    unfinished: Mutex<usize>,
    jobs: Mutex<Vec<String>>,
}

#[async_trait]
impl Observer for Heard {
    fn claimed(&self, kind: &ToolName<'_>, attempt: u32, waited: Duration) {
        self.claims.lock().unwrap().push((kind.to_string(), attempt, waited));
    }

    fn ended(&self, kind: &ToolName<'_>, how: AttemptEnd, ran: Duration) {
        assert_eq!(kind.as_str(), "work");
        self.ends.lock().unwrap().push((how, ran));
    }

    async fn job_ended(&self, job: &JobEnd<'_>) {
        assert_eq!((job.owner, job.kind.as_str()), (&owner(), "work"));
        let how = match job.how {
            JobEnding::Completed(output) => output.as_str(),
            JobEnding::Failed => "failed",
            JobEnding::Cancelled => "cancelled",
        };
        self.jobs.lock().unwrap().push(format!("{}: {how}", job.id));
    }

    fn swept(&self, swept: &Swept) {
        *self.lapsed.lock().unwrap() += swept.lapsed;
        *self.unfinished.lock().unwrap() += swept.unfinished;
    }
}

impl Heard {
    fn count(&self, end: AttemptEnd) -> usize {
        self.ends.lock().unwrap().iter().filter(|(how, _)| *how == end).count()
    }
}

#[tokio::test(start_paused = true)]
async fn an_engine_tells_each_claim_and_each_end_once() {
    let heard = Arc::new(Heard::default());
    let mut config = config();
    config.observer = Arc::clone(&heard) as Arc<dyn Observer>;
    let runner = doing(|cx| async move {
        match cx.id.as_str() {
            "dead" => Err(JobFailure::permanent("no")),
            "flaky" if cx.attempt == 1 => Err(JobFailure::retryable("not yet")),
            "asks" if cx.answers.is_empty() => {
                Ok(RunOutcome::Park { requests: ask(&["k"]), checkpoint: None })
            }
            "endless" => std::future::pending().await,
            _ => {
                tokio::time::sleep(Duration::from_secs(7)).await;
                done("done")
            }
        }
    });
    let engine = Engine::launch(memory(), runner, config);
    for name in ["fine", "dead", "flaky", "asks", "endless"] {
        start(&engine, name).await;
    }
    ended(&engine, "fine").await;
    ended(&engine, "dead").await;
    ended(&engine, "flaky").await;
    until(&engine, "asks", |job| matches!(job.phase, waxwing_jobs::Phase::Parked { .. })).await;
    engine.answer(&owner(), &id("asks"), answers(&[("k", 1)])).await.unwrap();
    ended(&engine, "asks").await;
    engine.cancel(&owner(), &id("endless"), CancelRequest::default()).await.unwrap();
    ended(&engine, "endless").await;

    for (end, count) in [
        (AttemptEnd::Completed, 3),
        (AttemptEnd::Failed, 1),
        (AttemptEnd::Retried, 1),
        (AttemptEnd::Parked, 1),
        (AttemptEnd::Cancelled, 1),
        (AttemptEnd::Released, 0),
        (AttemptEnd::Lost, 0),
        (AttemptEnd::Expired, 0),
    ] {
        assert_eq!(heard.count(end), count, "{end:?}");
    }
    let claims = heard.claims.lock().unwrap().clone();
    assert_eq!(claims.len(), 7, "{claims:?}");
    assert_eq!(claims.iter().filter(|(_, attempt, _)| *attempt == 2).count(), 1);
    assert!(claims.iter().all(|(kind, ..)| kind == "work"));
    let seven = Duration::from_secs(7);
    let completed = heard.ends.lock().unwrap().clone();
    let mut completed = completed.iter().filter(|(how, _)| *how == AttemptEnd::Completed);
    assert!(completed.all(|(_, ran)| *ran >= seven && *ran < 2 * seven));
    assert_eq!(get(&engine, "asks").await.attempts, [], "asking is no failed attempt");
    engine.drain(Duration::from_secs(1)).await;
    // The jobs' own ends: each once, with its result, and after it is stored.
    let mut jobs = heard.jobs.lock().unwrap().clone();
    jobs.sort_unstable();
    let each = [
        "asks: \"done\"",
        "dead: failed",
        "endless: cancelled",
        "fine: \"done\"",
        "flaky: \"done\"",
    ];
    assert_eq!(jobs, each);
}

/// What was meant as a question is an end, if the store made one of it.
#[tokio::test(start_paused = true)]
async fn a_question_that_was_asked_before_is_told_as_the_failure_that_it_is() {
    let heard = Arc::new(Heard::default());
    let mut config = config();
    config.observer = Arc::clone(&heard) as Arc<dyn Observer>;
    let again = |_| async { Ok(RunOutcome::Park { requests: ask(&["k"]), checkpoint: None }) };
    let engine = Engine::launch(memory(), doing(again), config);
    start(&engine, "one").await;
    until(&engine, "one", |job| matches!(job.phase, waxwing_jobs::Phase::Parked { .. })).await;
    engine.answer(&owner(), &id("one"), answers(&[("k", 1)])).await.unwrap();
    assert_eq!(ended(&engine, "one").await.phase, waxwing_jobs::Phase::Failed);
    engine.drain(Duration::from_secs(1)).await;
    assert_eq!((heard.count(AttemptEnd::Parked), heard.count(AttemptEnd::Failed)), (1, 1));
    assert_eq!(*heard.jobs.lock().unwrap(), ["one: failed"]);
}

/// Whoever cannot keep up with the ends holds up what comes next, and nothing piles up.
#[tokio::test(start_paused = true)]
async fn an_observer_that_is_slow_slows_the_engine() {
    #[derive(Debug, Default)]
    struct Slow(Notify);

    #[async_trait]
    impl Observer for Slow {
        async fn job_ended(&self, _: &JobEnd<'_>) {
            self.0.notified().await;
        }
    }

    let slow = Arc::new(Slow::default());
    let mut config = config();
    (config.concurrency, config.observer) = (1, Arc::clone(&slow) as Arc<dyn Observer>);
    let engine = Engine::launch(memory(), doing(|_| async { done(1) }), config);
    for name in ["one", "two"] {
        start(&engine, name).await;
    }
    ended(&engine, "one").await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(get(&engine, "two").await.phase, waxwing_jobs::Phase::Queued);
    slow.0.notify_one();
    ended(&engine, "two").await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_lease_is_told_as_lost_and_the_sweep_tells_what_lapsed() {
    let heard = Arc::new(Heard::default());
    let store = memory();
    let dead = Engine::launch(Arc::clone(&store), doing(|_| std::future::pending()), config());
    start(&dead, "one").await;
    until(&dead, "one", |job| job.phase == waxwing_jobs::Phase::Running).await;
    drop(dead);
    let mut config = config();
    config.observer = Arc::clone(&heard) as Arc<dyn Observer>;
    let engine = Engine::launch(store, doing(|_| async { done(1) }), config);
    ended(&engine, "one").await;
    assert_eq!(*heard.lapsed.lock().unwrap(), 1);
    assert_eq!(heard.claims.lock().unwrap()[0].1, 2, "the second attempt");
    assert_eq!(heard.count(AttemptEnd::Lost), 0);
}

/// A lifetime that ends before the work does, in whatever stage: an attempt's end, and a sweep's count.
#[tokio::test(start_paused = true)]
async fn a_job_that_expires_unfinished_is_told() {
    let heard = Arc::new(Heard::default());
    let mut config = config();
    (config.observer, config.concurrency) = (Arc::clone(&heard) as Arc<dyn Observer>, 2);
    let engine = Engine::launch(
        memory(),
        doing(|cx| async move {
            match cx.id.as_str() {
                "asks" => Ok(RunOutcome::Park { requests: ask(&["k"]), checkpoint: None }),
                "ends" => done("in time"),
                _ => std::future::pending().await,
            }
        }),
        config,
    );
    for name in ["asks", "ends", "runs", "runs-too", "waits"] {
        engine.start(order(name).with_ttl(Duration::from_secs(7))).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(12)).await;
    let counts = [AttemptEnd::Expired, AttemptEnd::Lost, AttemptEnd::Completed, AttemptEnd::Parked]
        .map(|end| heard.count(end));
    assert_eq!(counts, [2, 0, 1, 1]);
    assert_eq!(*heard.unfinished.lock().unwrap(), 4);
    let ran = heard.ends.lock().unwrap().last().copied().unwrap();
    assert_eq!((ran.0, ran.1.as_secs()), (AttemptEnd::Expired, 7));
}

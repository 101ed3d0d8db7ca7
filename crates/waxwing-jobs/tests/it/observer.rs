//! What an engine tells of its work: each claim, each end, each sweep, once.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use waxwing_core::ToolName;
use waxwing_jobs::{AttemptEnd, CancelRequest, Engine, JobFailure, Observer, RunOutcome, Swept};

use crate::support::{
    answers, ask, config, doing, done, ended, get, id, memory, owner, start, until,
};

#[derive(Debug, Default)]
struct Heard {
    claims: Mutex<Vec<(String, u32, Duration)>>,
    ends: Mutex<Vec<(AttemptEnd, Duration)>>,
    lapsed: Mutex<usize>,
}

impl Observer for Heard {
    fn claimed(&self, kind: &ToolName<'_>, attempt: u32, waited: Duration) {
        self.claims.lock().unwrap().push((kind.to_string(), attempt, waited));
    }

    fn ended(&self, kind: &ToolName<'_>, how: AttemptEnd, ran: Duration) {
        assert_eq!(kind.as_str(), "work");
        self.ends.lock().unwrap().push((how, ran));
    }

    fn swept(&self, swept: &Swept) {
        *self.lapsed.lock().unwrap() += swept.lapsed;
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
    // A job whose lifetime ends under its work is lost to it.
    assert_eq!(heard.count(AttemptEnd::Lost), 0);
}

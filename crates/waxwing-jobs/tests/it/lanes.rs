//! Room by kind and by lane: who holds up whom, and what is left to other processes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use waxwing_jobs::{
    Cause, Engine, Failure, JobContext, JobFailure, Kind, Lane, Phase, Retry, RunOutcome, Store,
};

use crate::away::away;
use crate::support::{
    config, doing, doing_all, done, ended, get, kind, launch, memory, order, output, start, until,
};

/// Starts a job of the kind that its name begins with.
async fn start_kind(engine: &Engine, name: &str) {
    let mut job = order(name);
    job.kind = kind(name.split('-').next().unwrap());
    engine.start(job).await.unwrap();
}

fn of(name: &str) -> Kind {
    Kind::from(kind(name))
}

/// Holds jobs whose kind begins with `hold` until they are released.
fn holding(kinds: Vec<Kind>) -> (Arc<Semaphore>, Arc<AtomicUsize>, Arc<dyn waxwing_jobs::Runner>) {
    let (release, most) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let (released, highest, now) =
        (Arc::clone(&release), Arc::clone(&most), Arc::new(AtomicUsize::new(0)));
    let runner = doing_all(kinds, move |cx: JobContext| {
        let (released, highest, now) =
            (Arc::clone(&released), Arc::clone(&highest), Arc::clone(&now));
        async move {
            if cx.kind.as_str().starts_with("hold") {
                highest.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                released.acquire().await.unwrap().forget();
                now.fetch_sub(1, Ordering::SeqCst);
            }
            done(cx.kind.as_str())
        }
    });
    (release, most, runner)
}

async fn queued_and_running(store: &Arc<dyn Store>) -> (u64, u64) {
    let census = store.census().await.unwrap();
    (census.queued, census.running)
}

#[tokio::test(start_paused = true)]
async fn jobs_of_a_narrow_kind_wait_in_the_queue_and_hold_up_no_others() {
    let store = memory();
    let mut config = config();
    config.concurrency = 4;
    let (release, most, runner) = holding(vec![of("hold").at_most(1), of("quick")]);
    let engine = Engine::launch(Arc::clone(&store), runner, config);
    for n in 0..10 {
        start_kind(&engine, &format!("hold-{n}")).await;
    }
    start_kind(&engine, "quick").await;
    let began = tokio::time::Instant::now();
    assert_eq!(output(&ended(&engine, "quick").await), "\"quick\"");
    assert_eq!(queued_and_running(&store).await, (9, 1));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(queued_and_running(&store).await, (9, 1));
    // A free place is filled at once.
    release.add_permits(10);
    for n in 0..10 {
        ended(&engine, &format!("hold-{n}")).await;
    }
    assert!(began.elapsed() < Duration::from_millis(60_500), "{:?}", began.elapsed());
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn jobs_hold_up_no_calls_and_calls_no_jobs() {
    for (full, free) in [(Lane::Jobs, Lane::Calls), (Lane::Calls, Lane::Jobs)] {
        let store = memory();
        let kinds = vec![of("hold").in_lane(full), of("quick").in_lane(free)];
        let (release, most, runner) = holding(kinds);
        let engine = Engine::launch(Arc::clone(&store), runner, config());
        for n in 0..100 {
            start_kind(&engine, &format!("hold-{n}")).await;
        }
        until(&engine, "hold-63", |job| job.phase == Phase::Running).await;
        let began = tokio::time::Instant::now();
        start_kind(&engine, "quick").await;
        ended(&engine, "quick").await;
        assert!(began.elapsed() < Duration::from_millis(20), "{full:?}: {:?}", began.elapsed());
        assert_eq!(queued_and_running(&store).await, (36, 64), "{full:?}");
        release.add_permits(100);
        ended(&engine, "hold-99").await;
        assert_eq!(most.load(Ordering::SeqCst), 64);
    }
}

/// A kind with one place does not make the others be fetched one by one.
#[tokio::test(start_paused = true)]
async fn a_narrow_kind_does_not_narrow_the_claims_of_others() {
    let (count, store) = away();
    let (_release, _, runner) = holding(vec![of("hold").at_most(1), of("quick")]);
    let producer = launch(&store, doing(|_| std::future::pending()));
    for n in 0..640 {
        start_kind(&producer, &format!("quick-{n}")).await;
    }
    drop(producer);
    let before = count.claims.load(Ordering::SeqCst);
    let engine = Engine::launch(Arc::clone(&store), runner, config());
    ended(&engine, "quick-639").await;
    let claims = count.claims.load(Ordering::SeqCst) - before;
    assert!(claims <= 64, "{claims} claims for 640 jobs");
}

/// As in a rolling update: the older process finds that the job is not for it.
#[tokio::test(start_paused = true)]
async fn what_a_process_cannot_do_is_left_to_others_for_a_lease_and_fails_in_the_end() {
    let store = memory();
    let misfit = |_| async {
        let failure = Failure::new(Cause::Tool, "not my arguments");
        let mut failed = JobFailure::permanent("");
        (failed.retry, failed.failure) = (Retry::Elsewhere, failure);
        Err::<RunOutcome, _>(failed)
    };
    let older = launch(&store, doing(misfit));
    for name in ["mended", "hopeless"] {
        start(&older, name).await;
        until(&older, name, |job| job.attempts.len() == 1).await;
        let others = Duration::from_secs(25);
        tokio::time::sleep(others).await;
        assert_eq!(get(&older, name).await.attempts.len(), 1, "it is left alone for a lease");
        if name == "mended" {
            let newer = launch(&store, doing(|cx| async move { done(cx.attempt) }));
            let job = ended(&newer, name).await;
            assert_eq!((output(&job), job.attempts.len()), ("2", 1));
            newer.drain(Duration::ZERO).await;
            tokio::time::sleep(others).await;
        }
    }
    let job = ended(&older, "hopeless").await;
    assert_eq!((job.phase, job.attempts.len()), (Phase::Failed, 3));
}

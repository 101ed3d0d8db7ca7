//! The engine when things end or fail around it: draining, and a store that is away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use waxwing_core::{ClientId, JobId};
use waxwing_jobs::{
    Admission, Answered, Answers, Beat, BeatVerdict, CancelRequest, CancelVerdict, Cause, Census,
    Claim, Claimed, Filter, JobFailure, NewJob, NonceRecord, Page, Phase, PurgeVerdict,
    RequeueVerdict, Seen, Settle, SettleVerdict, Snapshot, Started, Store, StoreError, StoreInfo,
    Swept,
};

use crate::support::{
    doing, done, ended, get, id, json, launch, memory, order, output, owner, start, until,
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
        let wait = engine.wait(&owner(), &id("running"), None, Duration::from_secs(9)).await;
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

/// A store that can be away, and counts what it is asked.
#[derive(Debug)]
struct Away {
    inner: Arc<dyn Store>,
    away: AtomicBool,
    asked: AtomicUsize,
    /// So many beats take a second and then fail.
    beats_to_fail: AtomicUsize,
}

impl Away {
    fn ask(&self) -> Result<&Arc<dyn Store>, StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("away".into()));
        }
        Ok(&self.inner)
    }
}

#[async_trait]
impl Store for Away {
    fn info(&self) -> StoreInfo {
        self.inner.info()
    }
    async fn admit(&self, nonces: Vec<NonceRecord>) -> Result<Vec<Admission>, StoreError> {
        self.ask()?.admit(nonces).await
    }
    async fn start(&self, jobs: Vec<NewJob>) -> Result<Vec<Started>, StoreError> {
        self.ask()?.start(jobs).await
    }
    async fn get(&self, o: &ClientId<'_>, id: &JobId<'_>) -> Result<Option<Snapshot>, StoreError> {
        self.inner.get(o, id).await
    }
    async fn answer(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
        answers: Answers,
    ) -> Result<Option<Answered>, StoreError> {
        self.ask()?.answer(owner, id, answers).await
    }
    async fn cancel(
        &self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
        request: CancelRequest,
    ) -> Result<CancelVerdict, StoreError> {
        self.ask()?.cancel(owner, id, request).await
    }
    async fn claim(&self, claim: Claim) -> Result<Vec<Claimed>, StoreError> {
        self.ask()?.claim(claim).await
    }
    async fn beat(&self, beats: Vec<Beat>) -> Result<Vec<BeatVerdict>, StoreError> {
        let less = |left: usize| left.checked_sub(1);
        if self.beats_to_fail.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
            return Err(StoreError::Unavailable("away".into()));
        }
        self.ask()?.beat(beats).await
    }
    async fn settle(&self, settles: Vec<Settle>) -> Result<Vec<SettleVerdict>, StoreError> {
        self.ask()?.settle(settles).await
    }
    async fn sweep(&self, limit: usize) -> Result<Swept, StoreError> {
        self.ask()?.sweep(limit).await
    }
    async fn changed(&self, s: &[Seen], wait: Duration) -> Result<Vec<JobId<'static>>, StoreError> {
        self.ask()?.changed(s, wait).await
    }
    async fn list(&self, filter: Filter) -> Result<Page, StoreError> {
        self.ask()?.list(filter).await
    }
    async fn census(&self) -> Result<Census, StoreError> {
        self.ask()?.census().await
    }
    async fn requeue(&self, ids: Vec<JobId<'static>>) -> Result<Vec<RequeueVerdict>, StoreError> {
        self.ask()?.requeue(ids).await
    }
    async fn purge(&self, ids: Vec<JobId<'static>>) -> Result<Vec<PurgeVerdict>, StoreError> {
        self.ask()?.purge(ids).await
    }
}

fn away() -> (Arc<Away>, Arc<dyn Store>) {
    let (away, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let store = Arc::new(Away { inner: memory(), away, asked, beats_to_fail: AtomicUsize::new(0) });
    (Arc::clone(&store), store)
}

#[tokio::test(start_paused = true)]
async fn a_result_waits_for_a_store_that_is_away() {
    let (switch, store) = away();
    let runs = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&runs);
    let engine = launch(
        &store,
        doing(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            async {
                tokio::time::sleep(Duration::from_secs(2)).await;
                done("kept")
            }
        }),
    );
    start(&engine, "one").await;
    until(&engine, "one", |job| job.phase == Phase::Running).await;
    switch.away.store(true, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(120)).await;
    switch.away.store(false, Ordering::SeqCst);
    assert_eq!(output(&ended(&engine, "one").await), "\"kept\"");
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    start(&engine, "two").await;
    ended(&engine, "two").await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_engine_asks_at_most_once_a_second() {
    let (count, store) = away();
    let _engine = launch(&store, doing(|_| async { done(1) }));
    tokio::time::sleep(Duration::from_secs(10)).await;
    let before = count.asked.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(1000)).await;
    let asked = count.asked.load(Ordering::SeqCst) - before;
    assert!(asked <= 1000, "{asked} in 1000 s");
    assert!(asked > 300, "{asked} in 1000 s: it must look for other processes' jobs");
}

#[tokio::test(start_paused = true)]
async fn a_drain_comes_to_an_end_though_the_store_is_away() {
    let (switch, store) = away();
    let engine = launch(&store, doing(|_| std::future::pending()));
    start(&engine, "one").await;
    until(&engine, "one", |job| job.phase == Phase::Running).await;
    switch.away.store(true, Ordering::SeqCst);
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

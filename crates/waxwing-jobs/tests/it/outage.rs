//! A store that goes away and comes back, at every phase of the engine's timers: living workers keep
//! their jobs, dead ones lose theirs, and every end is stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use waxwing_jobs::{Engine, EngineConfig, Observer, Phase, Runner, StoreError, Swept};

use crate::away::{away, unavailable};
use crate::support::{config, doing, done, ended, get, launch, order, output, start, until};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Counts the jobs that sweeps took from their workers.
#[derive(Debug, Default)]
struct Lapsed(AtomicUsize);

impl Observer for Lapsed {
    fn swept(&self, swept: &Swept) {
        self.0.fetch_add(swept.lapsed, Ordering::SeqCst);
    }
}

fn observed() -> (Arc<Lapsed>, EngineConfig) {
    let (lapsed, mut config) = (Arc::new(Lapsed::default()), config());
    config.observer = Arc::clone(&lapsed) as Arc<dyn Observer>;
    (lapsed, config)
}

/// A runner whose jobs take as many seconds as their name says.
fn takes_its_name() -> Arc<dyn Runner> {
    doing(|cx| async move {
        let took: u64 = cx.id.as_str().parse().unwrap();
        tokio::time::sleep(secs(took)).await;
        done(cx.attempt)
    })
}

/// Timers of different lengths, so that engines which start a bit apart drift through every order.
const PHASES_MS: [u64; 6] = [0, 700, 2_900, 4_950, 8_300, 9_999];

#[tokio::test(start_paused = true)]
async fn an_outage_takes_no_job_from_a_living_worker() {
    for outage in [15, 21, 26, 31, 45, 120] {
        for phase in PHASES_MS {
            let (switch, store) = away();
            let (lapsed, config) = observed();
            let worker = Engine::launch(Arc::clone(&store), takes_its_name(), config.clone());
            // Ends before the outage is over, and long after it.
            for name in ["40", "400"] {
                worker.start(order(name).with_max_attempts(1)).await.unwrap();
                until(&worker, name, |job| job.phase == Phase::Running).await;
            }
            tokio::time::sleep(Duration::from_millis(phase)).await;
            let other = Engine::launch(Arc::clone(&store), takes_its_name(), config);
            tokio::time::sleep(Duration::from_millis(12_345)).await;
            switch.away_for(secs(outage)).await;
            // One that is started as soon as it can be does not know of the outage.
            let _late = launch(&store, takes_its_name());
            for (name, longest) in [("40", 60), ("400", 400)] {
                tokio::time::sleep(secs(longest)).await;
                let job = ended(&other, name).await;
                assert!(job.attempts.is_empty(), "{outage} s, {phase} ms: {:?}", job.attempts);
                assert_eq!(output(&job), "1", "{outage} s, {phase} ms");
            }
            assert_eq!(lapsed.0.load(Ordering::SeqCst), 0, "{outage} s, {phase} ms");
        }
    }
}

/// What nobody looks after runs again, by an engine that was there and by one that came later.
#[tokio::test(start_paused = true)]
async fn after_an_outage_a_dead_workers_job_runs_again_within_lease_and_sweep() {
    for phase in PHASES_MS {
        let (switch, store) = away();
        let dead = launch(&store, doing(|_| std::future::pending()));
        start(&dead, "one").await;
        until(&dead, "one", |job| job.phase == Phase::Running).await;
        let other = launch(&store, doing(|cx| async move { done(cx.attempt) }));
        tokio::time::sleep(Duration::from_millis(phase)).await;
        drop(dead);
        switch.away_for(secs(60)).await;
        let back = Instant::now();
        assert_eq!(output(&ended(&other, "one").await), "2");
        assert!(back.elapsed() <= secs(35), "{phase} ms: {:?}", back.elapsed());
    }
}

/// Blips take nobody's lease, so they put nothing off.
#[tokio::test(start_paused = true)]
async fn a_store_that_fails_now_and_then_keeps_no_dead_workers_job() {
    let (switch, store) = away();
    let dead = launch(&store, doing(|_| std::future::pending()));
    start(&dead, "one").await;
    until(&dead, "one", |job| job.phase == Phase::Running).await;
    drop(dead);
    let died = Instant::now();
    let other = launch(&store, doing(|cx| async move { done(cx.attempt) }));
    let blips = async {
        loop {
            switch.away_for(Duration::from_millis(900)).await;
            tokio::time::sleep(Duration::from_millis(2_200)).await;
        }
    };
    tokio::select! {
        () = blips => unreachable!(),
        job = ended(&other, "one") => assert_eq!(output(&job), "2"),
    }
    // One sweep may fall into a blip.
    assert!(died.elapsed() <= secs(41), "{:?}", died.elapsed());
}

/// Also when the store says that it is set up wrongly, which a change of its password can bring.
#[tokio::test(start_paused = true)]
async fn a_result_waits_for_a_store_that_is_away() {
    let errors = [unavailable(), StoreError::Misconfigured("a wrong password".into())];
    for (error, phase) in errors.iter().flat_map(|error| PHASES_MS.map(|phase| (error, phase))) {
        let (switch, store) = away();
        let runs = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&runs);
        let work = doing(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            async {
                tokio::time::sleep(secs(10)).await;
                done("kept")
            }
        });
        let engine = launch(&store, Arc::clone(&work));
        tokio::time::sleep(Duration::from_millis(phase)).await;
        let _other = launch(&store, work);
        start(&engine, "one").await;
        until(&engine, "one", |job| job.phase == Phase::Running).await;
        switch.leave_as(error.clone());
        tokio::time::sleep(secs(120)).await;
        switch.come_back();
        let back = Instant::now();
        assert_eq!(output(&ended(&engine, "one").await), "\"kept\"", "{error} {phase} ms");
        assert!(back.elapsed() <= Duration::from_millis(1_100), "{:?}", back.elapsed());
        assert_eq!(runs.load(Ordering::SeqCst), 1, "{error} {phase} ms");
    }
}

/// A damaged job is given up; one that the store cannot take now waits, and holds nobody up.
#[tokio::test(start_paused = true)]
async fn a_job_whose_end_cannot_be_stored_holds_up_no_other() {
    let (switch, store) = away();
    let engine = launch(
        &store,
        doing(|cx| async move {
            tokio::time::sleep(secs(1)).await;
            done(cx.id.as_str())
        }),
    );
    let poison = |name: &str, error| {
        switch.unsettled.lock().unwrap().insert(name.to_owned(), error);
    };
    poison("damaged", StoreError::Corrupt("a job".into()));
    poison("refused", StoreError::Fault("a job".into()));
    poison("stuck", unavailable());
    poison("stuck-too", StoreError::Misconfigured("a job".into()));
    let names = ["stuck", "a", "damaged", "b", "stuck-too", "c", "refused", "d"];
    for name in names {
        start(&engine, name).await;
    }
    let begun = Instant::now();
    for name in ["a", "b", "c", "d"] {
        ended(&engine, name).await;
    }
    assert!(begun.elapsed() < secs(8), "{:?}", begun.elapsed());
    // Who comes later does not even wait for the next try.
    for n in 0..20 {
        let (name, begun) = (format!("late-{n}"), Instant::now());
        start(&engine, &name).await;
        ended(&engine, &name).await;
        assert!(begun.elapsed() < Duration::from_millis(1_050), "{n}: {:?}", begun.elapsed());
    }
    switch.unsettled.lock().unwrap().remove("stuck");
    ended(&engine, "stuck").await;
    tokio::time::sleep(secs(600)).await;
    assert_eq!(get(&engine, "stuck-too").await.phase, Phase::Running, "its worker lives");
    switch.unsettled.lock().unwrap().clear();
    assert_eq!(output(&ended(&engine, "stuck-too").await), "\"stuck-too\"");
    // The damaged ones were given up, and so ran as often as a job may.
    for name in ["damaged", "refused"] {
        let job = ended(&engine, name).await;
        assert_eq!((job.phase, job.attempts.len()), (Phase::Failed, 3), "{name}");
    }
}

/// What one job reports costs neither it nor the others their leases.
#[tokio::test(start_paused = true)]
async fn a_report_that_cannot_be_stored_costs_no_lease() {
    let (switch, store) = away();
    let error = StoreError::Fault("no such byte".into());
    switch.unreported.lock().unwrap().insert("odd".to_owned(), error);
    let (lapsed, config) = observed();
    let engine = Engine::launch(
        store,
        doing(|cx| async move {
            for step in 1..100 {
                tokio::time::sleep(secs(2)).await;
                cx.progress(f64::from(step), None, None);
            }
            done("end")
        }),
        config,
    );
    for name in ["odd", "even"] {
        start(&engine, name).await;
    }
    tokio::time::sleep(secs(100)).await;
    assert!(get(&engine, "even").await.progress.is_some_and(|progress| progress.done() > 40.0));
    assert_eq!(get(&engine, "odd").await.progress, None);
    for name in ["odd", "even"] {
        assert_eq!(output(&ended(&engine, name).await), "\"end\"");
    }
    assert_eq!(lapsed.0.load(Ordering::SeqCst), 0);
}

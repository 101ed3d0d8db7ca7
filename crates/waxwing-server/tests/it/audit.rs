//! The audit log of a running server, over a disk that a test slows down, fills and mends: every call
//! that was answered has its line first, and what has none was not answered as a success.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde_json::json;
use waxwing_core::message::Outcome;
use waxwing_core::{CanonicalJson, ErrorCode};
use waxwing_crypto::audit::{AuditEvent, AuditKey, CallEvent, JobEvent, Verdict};
use waxwing_server::{AuditOptions, AuditSink, ServerBuilder, TimedEvent, WhenSlow};

use crate::harness::{House, NOW_MS, PATIENCE};
use crate::restart::quick;
use crate::wire::{Wire, error, output};

/// A disk: what it holds, how often it was written to, and what it does next.
#[derive(Clone, Debug, Default)]
struct Disk(Arc<(Mutex<State>, Condvar)>);

#[derive(Debug, Default)]
struct State {
    lines: Vec<TimedEvent>,
    mood: Mood,
    /// Writes that are held up just now.
    held: usize,
    failed: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mood {
    #[default]
    Fine,
    Stuck,
    Full,
}

impl AuditSink for Disk {
    fn append(&mut self, events: &[TimedEvent]) -> io::Result<()> {
        let (state, changed) = &*self.0;
        let mut state = state.lock().unwrap();
        state.held += 1;
        changed.notify_all();
        state = changed.wait_while(state, |state| state.mood == Mood::Stuck).unwrap();
        state.held -= 1;
        if state.mood == Mood::Full {
            state.failed += 1;
            changed.notify_all();
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        state.lines.extend_from_slice(events);
        changed.notify_all();
        Ok(())
    }
}

impl Disk {
    fn becomes(&self, mood: Mood) {
        let (state, changed) = &*self.0;
        state.lock().unwrap().mood = mood;
        changed.notify_all();
    }

    /// Waits until something is so.
    async fn until(&self, what: impl Fn(&State) -> bool + Send + 'static) {
        let disk = self.clone();
        let waiting = tokio::task::spawn_blocking(move || {
            let (state, changed) = &*disk.0;
            let state = state.lock().unwrap();
            let (_state, late) =
                changed.wait_timeout_while(state, PATIENCE, |state| !what(state)).unwrap();
            assert!(!late.timed_out(), "the disk never came to it");
        });
        waiting.await.unwrap();
    }

    /// The lines of calls so far.
    fn calls(&self) -> Vec<CallEvent> {
        let state = self.0.0.lock().unwrap();
        let calls = state.lines.iter().filter_map(|line| match &line.event {
            AuditEvent::Call(call) => Some((**call).clone()),
            _ => None,
        });
        calls.collect()
    }

    /// The lines of jobs so far.
    fn jobs(&self) -> Vec<JobEvent> {
        let state = self.0.0.lock().unwrap();
        let jobs = state.lines.iter().filter_map(|line| match &line.event {
            AuditEvent::Job(job) => Some((**job).clone()),
            _ => None,
        });
        jobs.collect()
    }

    /// All refusals so far.
    fn refusals(&self) -> BTreeMap<String, u64> {
        let mut sum = BTreeMap::new();
        for line in &self.0.0.lock().unwrap().lines {
            if let AuditEvent::Refusals { counts } = &line.event {
                for (code, count) in counts {
                    *sum.entry(code.clone()).or_default() += count;
                }
            }
        }
        sum
    }
}

fn key() -> AuditKey {
    AuditKey::new(b"0123456789abcdef0123456789abcdef").unwrap()
}

fn options(when_slow: WhenSlow, slow_after: Duration) -> AuditOptions {
    let mut options = AuditOptions::DEFAULT;
    (options.when_slow, options.slow_after) = (when_slow, slow_after);
    options
}

fn logged(
    disk: &Disk,
    options: AuditOptions,
) -> impl FnOnce(ServerBuilder) -> ServerBuilder + use<> {
    let disk = disk.clone();
    move |builder| builder.audit(disk, key(), options)
}

async fn sum_on(house: &House, wire: &mut Wire) -> (u16, Outcome<'static>) {
    house.caller("agent-7").call(wire, "batch_sum", json!({"numbers": [1.5, 2]})).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_verified_call_has_a_line_before_its_reply() {
    let disk = Disk::default();
    let mut house = House::with(logged(&disk, AuditOptions::DEFAULT)).await;
    let mut wire = house.wire().await;
    let agent = house.caller("agent-7");
    let args = json!({"numbers": [1.5, 2]});
    let digest = key().digest_args(&CanonicalJson::from_serialize(&args).unwrap());

    let request = agent.request("batch_sum", args.clone());
    let (_, outcome) = agent.send(&mut wire, &request).await;
    assert_eq!(output(&outcome), json!({"count": 2, "total": 3.5}));
    let [call] = disk.calls().try_into().unwrap();
    let result = CanonicalJson::from_serialize(&json!({"count": 2, "total": 3.5})).unwrap();
    assert_eq!(call.args, digest);
    assert_eq!(call.result, Some(key().digest_result(&result)));
    assert_eq!((call.verdict, call.code.as_deref(), call.withheld), (Verdict::Ok, None, false));
    assert_eq!(call.nonce, request.nonce);
    assert_eq!(call.request_id, request.request_id);
    assert_eq!((call.client_id.as_str(), call.key_id.as_str()), ("agent-7", "k1"));

    // Errors after the signature: the same message again, a tool that is none, a job.
    assert_eq!(error(agent.send(&mut wire, &request).await.1).code, ErrorCode::Replayed);
    agent.call(&mut wire, "no_such_tool", json!({})).await;
    let (_, outcome) = agent.call(&mut wire, "say_later", json!({"text": "canary-text"})).await;
    let Outcome::Accepted { job_id, .. } = outcome else { panic!("no job: {outcome:?}") };
    let calls = disk.calls();
    let codes: Vec<_> = calls.iter().map(|call| call.code.as_deref()).collect();
    assert_eq!(codes, [None, Some("replayed"), Some("unknown_tool"), None]);
    assert_eq!((calls[3].verdict, calls[3].job_id.clone()), (Verdict::Accepted, Some(job_id)));
    assert_eq!(calls[3].result, None);

    house.begin_stop();
    assert_eq!(house.ended().await.audit_lines_lost, 0);
    let lines = disk.0.0.lock().unwrap().lines.clone();
    assert_eq!(lines.first().unwrap().event, AuditEvent::Start);
    assert_eq!(lines.last().unwrap().event, AuditEvent::Stop);
    assert!(lines.iter().all(|line| line.ts_ms == NOW_MS));
    assert!(!format!("{lines:?}").contains("canary"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_no_key_is_counted_and_has_no_line() {
    let disk = Disk::default();
    let mut house = House::with(logged(&disk, AuditOptions::DEFAULT)).await;
    let mut wire = house.wire().await;
    let forger = house.caller("agent-7").with_key_of("agent-8");
    for _ in 0..200 {
        let (forged, _) = forger.sign(&forger.request("batch_sum", json!({"numbers": [1]})));
        assert_eq!(wire.post(&forged).await.refusal().code, ErrorCode::Unauthenticated);
    }
    assert_eq!(wire.post(b"{}").await.refusal().code, ErrorCode::Malformed);
    assert_eq!(wire.post(&vec![b' '; 2 << 20]).await.refusal().code, ErrorCode::TooLarge);
    house.begin_stop();
    house.ended().await;
    let counts = [("malformed", 1), ("too_large", 1), ("unauthenticated", 200)];
    assert_eq!(disk.refusals(), counts.map(|(code, n)| (code.to_owned(), n)).into());
    assert_eq!(disk.calls(), []);
    // One line a second at most, beside `start` and `stop`.
    assert!(disk.0.0.lock().unwrap().lines.len() < 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stuck_disk_holds_the_reply_up() {
    let disk = Disk::default();
    let house = House::with(logged(&disk, AuditOptions::DEFAULT)).await;
    let mut wire = house.wire().await;
    sum_on(&house, &mut wire).await;
    disk.becomes(Mood::Stuck);
    let calling = async {
        let mut wire = house.wire().await;
        sum_on(&house, &mut wire).await
    };
    let looking = async {
        disk.until(|state| state.held == 1).await;
        assert_eq!(disk.calls().len(), 1);
        disk.becomes(Mood::Fine);
    };
    let ((status, outcome), ()) = tokio::join!(calling, looking);
    assert_eq!((status, output(&outcome)), (200, json!({"count": 2, "total": 3.5})));
    assert_eq!(disk.calls().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_disk_refuses_new_calls_where_that_is_asked_for() {
    let disk = Disk::default();
    let options = options(WhenSlow::Refuse, Duration::ZERO);
    let house = House::with(logged(&disk, options)).await;
    let mut wire = house.wire().await;
    disk.until(|state| !state.lines.is_empty()).await;
    sum_on(&house, &mut wire).await;
    disk.becomes(Mood::Stuck);
    let calling = async {
        let mut wire = house.wire().await;
        sum_on(&house, &mut wire).await
    };
    let looking = async {
        disk.until(|state| state.held == 1).await;
        let (status, outcome) = sum_on(&house, &mut wire).await;
        let told = error(outcome);
        assert_eq!((status, told.code), (503, ErrorCode::Overloaded));
        assert!(told.retry_after_ms.is_some());
        disk.becomes(Mood::Fine);
    };
    // The call whose work was done waits, and has its answer.
    let ((status, _), ()) = tokio::join!(calling, looking);
    assert_eq!(status, 200);
    disk.until(|state| state.held == 0).await;
    house.good_on(&mut wire).await;
    let mut house = house;
    house.begin_stop();
    house.ended().await;
    assert_eq!(disk.calls().len(), 3);
    assert_eq!(disk.refusals(), BTreeMap::from([("overloaded".to_owned(), 1)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_withholds_answers_and_loses_no_line() {
    let disk = Disk::default();
    let options = options(WhenSlow::Refuse, PATIENCE);
    let mut house = House::with(logged(&disk, options)).await;
    let mut wire = house.wire().await;
    disk.until(|state| !state.lines.is_empty()).await;
    disk.becomes(Mood::Full);
    // Its work is done before the disk turns out to be full.
    let (status, outcome) = sum_on(&house, &mut wire).await;
    assert_eq!((status, error(outcome).code), (500, ErrorCode::Internal));
    // From now on it is known.
    for _ in 0..3 {
        let (status, outcome) = sum_on(&house, &mut wire).await;
        assert_eq!((status, error(outcome).code), (503, ErrorCode::Overloaded));
    }
    assert_eq!(disk.calls(), []);
    disk.becomes(Mood::Fine);
    disk.until(|state| state.lines.len() > 1).await;
    let (mut status, mut tries) = (0, 0);
    while status != 200 && tries < 1_000 {
        (status, _) = sum_on(&house, &mut wire).await;
        tries += 1;
    }
    let calls = disk.calls();
    assert_eq!((calls[0].verdict, calls[0].withheld), (Verdict::Ok, true));
    assert_eq!((calls.len(), calls[1].withheld), (2, false));
    house.begin_stop();
    assert_eq!(house.ended().await.audit_lines_lost, 0);
    assert_eq!(disk.refusals()["overloaded"], 3 + tries - 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_holds_calls_up_where_that_is_asked_for() {
    let disk = Disk::default();
    let house = House::with(logged(&disk, AuditOptions::DEFAULT)).await;
    disk.until(|state| !state.lines.is_empty()).await;
    disk.becomes(Mood::Full);
    let calling = async |_: u8| {
        let mut wire = house.wire().await;
        sum_on(&house, &mut wire).await.0
    };
    let looking = async {
        disk.until(|state| state.failed >= 2).await;
        disk.becomes(Mood::Fine);
    };
    let (one, two, ()) = tokio::join!(calling(1), calling(2), looking);
    assert_eq!((one, two), (200, 200));
    assert_eq!(disk.calls().len(), 2);
    assert!(disk.calls().iter().all(|call| !call.withheld));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_over_a_full_disk_says_what_was_lost() {
    let disk = Disk::default();
    let mut house = House::with(logged(&disk, AuditOptions::DEFAULT)).await;
    disk.until(|state| !state.lines.is_empty()).await;
    disk.becomes(Mood::Full);
    house.begin_stop();
    assert_eq!(house.ended().await.audit_lines_lost, 1, "the `stop` at least");
}

/// A caller that goes away while the tool works leaves a line.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_dropped_has_a_line_too() {
    let disk = Disk::default();
    let house = House::with(logged(&disk, AuditOptions::DEFAULT)).await;
    let mut wire = house.wire().await;
    let agent = house.caller("agent-7");
    let (message, _) = agent.sign(&agent.request("hold", json!({"text": "x"})));
    wire.send(crate::wire::post(&message)).await;
    house.signals.entered().await;
    drop(wire);
    house.signals.dropped().await;
    disk.until(|state| state.lines.iter().any(|line| matches!(&line.event, AuditEvent::Call(_))))
        .await;
    let [call] = disk.calls().try_into().unwrap();
    assert_eq!((call.verdict, call.result, call.tool.as_str()), (Verdict::Abandoned, None, "hold"));
}

fn is_job(line: &TimedEvent) -> bool {
    matches!(&line.event, AuditEvent::Job(_))
}

/// How a job ended stands in the log, whether or not anybody asks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_end_of_a_job_has_a_line() {
    let disk = Disk::default();
    let plan = logged(&disk, AuditOptions::DEFAULT);
    let mut house = House::with(|builder| plan(builder).engine(quick())).await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    let said = agent.start(&mut wire, "say_later", json!({"text": "canary-text"})).await;
    let failed = agent.start(&mut wire, "fail_later", json!({})).await;
    let stopped = agent.start(&mut wire, "hold_later", json!({"text": "x"})).await;
    house.signals.entered().await;
    agent.call(&mut wire, "cancel_job", json!({"job_id": stopped})).await;
    // A call that is never run twice is a job as well.
    let mut keyed = agent.request("batch_sum", json!({"numbers": [1.5, 2]}));
    keyed.idempotency_key = Some("once".parse().unwrap());
    agent.send(&mut wire, &keyed).await;
    disk.until(|state| state.lines.iter().filter(|line| is_job(line)).count() == 4).await;

    let line = |id: &waxwing_core::JobId<'_>| {
        let [line] = disk
            .jobs()
            .into_iter()
            .filter(|job| job.job_id == *id)
            .collect::<Vec<_>>()
            .try_into()
            .unwrap();
        assert_eq!(line.client_id.as_str(), "agent-7");
        (line.tool.to_string(), line.verdict, line.code, line.result)
    };
    let digest = |value: serde_json::Value| {
        Some(key().digest_result(&CanonicalJson::from_serialize(&value).unwrap()))
    };
    let told = ("say_later".to_owned(), Verdict::Done, None, digest(json!("canary-text")));
    assert_eq!(line(&said), told);
    let code = Some("job_failed".to_owned());
    assert_eq!(line(&failed), ("fail_later".to_owned(), Verdict::Error, code, None));
    assert_eq!(line(&stopped), ("hold_later".to_owned(), Verdict::Cancelled, None, None));
    let sum = disk.jobs().into_iter().find(|job| job.tool.as_str() == "batch_sum").unwrap();
    assert_eq!(sum.result, digest(json!({"count": 2, "total": 3.5})));

    house.begin_stop();
    assert_eq!(house.ended().await.audit_lines_lost, 0);
    assert_eq!(disk.jobs().len(), 4);
    assert!(!format!("{:?}", disk.jobs()).contains("canary"));
}

/// Ends that cannot be written down hold further jobs up, and no end is forgotten.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_holds_jobs_up_and_loses_no_end() {
    for when_slow in [WhenSlow::Wait, WhenSlow::Refuse] {
        let (disk, mut engine) = (Disk::default(), quick());
        engine.concurrency = 1;
        let plan = logged(&disk, options(when_slow, PATIENCE));
        let mut house = House::with(|builder| plan(builder).engine(engine)).await;
        let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
        for text in ["one", "two"] {
            agent.start(&mut wire, "hold_later", json!({"text": text})).await;
        }
        house.signals.entered().await;
        disk.becomes(Mood::Full);
        house.signals.release(2);
        disk.until(|state| state.failed >= 3).await;
        assert_eq!((house.signals.unseen(), disk.jobs().len()), (0, 0), "the second waits");
        disk.becomes(Mood::Fine);
        disk.until(|state| state.lines.iter().filter(|line| is_job(line)).count() == 2).await;
        house.begin_stop();
        assert_eq!(house.ended().await.audit_lines_lost, 0);
    }
}

/// A stop does not wait for ever for a full disk because of a job, and counts its line.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_over_a_full_disk_counts_the_ends_of_jobs() {
    let disk = Disk::default();
    let mut house = House::with(logged(&disk, AuditOptions::DEFAULT)).await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    agent.start(&mut wire, "hold_later", json!({"text": "x"})).await;
    house.signals.entered().await;
    disk.becomes(Mood::Full);
    house.begin_stop();
    house.signals.release(1);
    assert_eq!(house.ended().await.audit_lines_lost, 2, "the end and the `stop`");
}

/// One true message that somebody recorded, sent again and again: it fills no disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_replays_has_few_lines_and_is_counted() {
    let disk = Disk::default();
    let mut house = House::with(logged(&disk, AuditOptions::DEFAULT)).await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    let recorded = agent.request("batch_sum", json!({"numbers": [1]}));
    agent.send(&mut wire, &recorded).await;
    let began = std::time::Instant::now();
    for _ in 0..300 {
        let (_, outcome) = agent.send(&mut wire, &recorded).await;
        assert_eq!(error(outcome).code, ErrorCode::Replayed);
    }
    let seconds = began.elapsed().as_secs() + 2;
    house.begin_stop();
    assert_eq!(house.ended().await.audit_lines_lost, 0);
    let lines = disk.calls().iter().filter(|call| call.code.is_some()).count() as u64;
    assert!((10..=10 * seconds).contains(&lines), "{lines} in {seconds} s");
    assert_eq!(lines + disk.refusals()["replayed"], 300, "none is forgotten");
}

/// A disk that hangs while a server stops does not keep the process from being told to end at once.
#[test]
fn a_stop_at_once_does_not_wait_for_a_stuck_disk() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let disk = Disk::default();
    let house = runtime.block_on(async {
        let mut house = House::with(logged(&disk, AuditOptions::DEFAULT)).await;
        disk.until(|state| !state.lines.is_empty()).await;
        disk.becomes(Mood::Stuck);
        house.begin_stop();
        disk.until(|state| state.held == 1).await;
        house
    });
    let (tell, told) = std::sync::mpsc::channel();
    let dropping = std::thread::spawn(move || {
        drop((house, runtime));
        tell.send(()).unwrap();
    });
    let verdict = told.recv_timeout(PATIENCE);
    disk.becomes(Mood::Fine);
    dropping.join().unwrap();
    verdict.expect("the runtime ends");
}

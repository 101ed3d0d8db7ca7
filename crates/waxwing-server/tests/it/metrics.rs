//! `/metrics`: that it parses, that it counts what was done, and that no label is a peer's word.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use waxwing_core::ErrorCode;
use waxwing_core::message::Outcome;
use waxwing_jobs::{Bounds, Durability, ManualClock, MemoryStore, Store};
use waxwing_store_sqlite::SqliteStore;

use crate::harness::{House, NOW_MS, PATIENCE};
use crate::restart::quick;
use crate::unruly::UnrulyStore;
use crate::wire::{Wire, error, output};

/// Reads OpenMetrics text: each sample by its name and labels. Panics on what is no such text.
fn parse(text: &str) -> BTreeMap<String, f64> {
    let text = text.strip_suffix("# EOF\n").expect("it ends with # EOF");
    let mut samples = BTreeMap::new();
    let mut families = Vec::new();
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let (kind, name) = (words.next().unwrap(), words.next().unwrap());
            let rest = words.next().unwrap_or_default();
            match kind {
                "HELP" => assert!(!rest.is_empty(), "{line}"),
                "TYPE" => {
                    assert!(["counter", "gauge", "histogram"].contains(&rest), "{line}");
                    families.push(name.to_owned());
                }
                "UNIT" => assert!(name.ends_with(rest), "{line}"),
                _ => panic!("an unknown comment: {line}"),
            }
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect("a series and a value");
        let name = series.split('{').next().unwrap();
        assert!(name.starts_with("waxwing_"), "{line}");
        assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "{line}");
        assert!(families.iter().any(|family| name.starts_with(family.as_str())), "{line}");
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
        assert!(samples.insert(series.to_owned(), value).is_none(), "twice: {line}");
    }
    samples
}

pub(crate) async fn scraped(house: &House) -> BTreeMap<String, f64> {
    let answered = async {
        loop {
            let answer = Wire::connect(house.admin).await.fetch("/metrics").await;
            // The connection of the scrape before may still take the only place.
            if answer.status != 503 {
                break answer;
            }
        }
    };
    let answer = tokio::time::timeout(PATIENCE, answered).await.expect("a scrape in time");
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    parse(answer.text())
}

/// Scrapes until the sample has the value: a store is asked at most once a second.
pub(crate) async fn until(house: &House, series: &str, value: f64) -> BTreeMap<String, f64> {
    let reached = async {
        loop {
            let samples = scraped(house).await;
            if samples.get(series) == Some(&value) {
                break samples;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    match tokio::time::timeout(PATIENCE, reached).await {
        Ok(samples) => samples,
        Err(_) => panic!("{series} is not {value}: {:#?}", scraped(house).await),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_known_workload_is_counted() {
    let house = House::open().await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    for _ in 0..3 {
        house.good_on(&mut wire).await;
    }
    let (_, failed) = agent.call(&mut wire, "fail", json!({})).await;
    assert_eq!(error(failed).code, ErrorCode::ToolFailed);
    let (_, unknown) = agent.call(&mut wire, "canary-tool", json!({})).await;
    assert_eq!(error(unknown).code, ErrorCode::UnknownTool);
    let forger = house.caller("agent-7").with_key_of("agent-8");
    let (forged, _) = forger.sign(&forger.request("batch_sum", json!({})));
    assert_eq!(wire.post(&forged).await.refusal().code, ErrorCode::Unauthenticated);

    let said = agent.start(&mut wire, "say_later", json!({"text": "canary-argument"})).await;
    assert_eq!(output(&agent.settle(&mut wire, &said).await), "canary-argument");
    let dead = agent.start(&mut wire, "fail_later", json!({})).await;
    assert_eq!(error(agent.settle(&mut wire, &dead).await).code, ErrorCode::JobFailed);
    let again = agent.start(&mut wire, "panic_later", json!({})).await;
    assert_eq!(output(&agent.settle(&mut wire, &again).await), 2);
    let asks = agent.start(&mut wire, "order_parcel", json!({})).await;
    assert!(matches!(agent.settle(&mut wire, &asks).await, Outcome::InputRequired { .. }));
    agent.start(&mut wire, "hold_later", json!({"text": "x"})).await;
    house.signals.entered().await;

    // An end is counted once it is stored, which a poll may see a moment earlier.
    until(&house, r#"waxwing_job_attempts_total{tool="order_parcel",end="parked"}"#, 1.0).await;
    let samples = until(&house, r#"waxwing_jobs{state="running"}"#, 1.0).await;
    for (series, value) in [
        (r#"waxwing_calls_total{tool="batch_sum",code="ok"}"#, 3.0),
        (r#"waxwing_calls_total{tool="fail",code="tool_failed"}"#, 1.0),
        (r#"waxwing_calls_total{tool="unknown",code="unknown_tool"}"#, 1.0),
        (r#"waxwing_calls_total{tool="say_later",code="accepted"}"#, 1.0),
        (r#"waxwing_call_seconds_count{tool="batch_sum"}"#, 3.0),
        (r#"waxwing_refusals_total{code="unauthenticated"}"#, 1.0),
        (r#"waxwing_job_claims_total{tool="panic_later"}"#, 2.0),
        (r#"waxwing_job_attempts_total{tool="say_later",end="completed"}"#, 1.0),
        (r#"waxwing_job_attempts_total{tool="fail_later",end="failed"}"#, 1.0),
        (r#"waxwing_job_attempts_total{tool="panic_later",end="retried"}"#, 1.0),
        (r#"waxwing_job_attempts_total{tool="panic_later",end="completed"}"#, 1.0),
        (r#"waxwing_job_wait_seconds_count{tool="panic_later"}"#, 2.0),
        (r#"waxwing_job_run_seconds_count{tool="say_later"}"#, 1.0),
        (r#"waxwing_jobs{state="parked"}"#, 1.0),
        (r#"waxwing_jobs{state="failed"}"#, 1.0),
        (r#"waxwing_jobs{state="queued"}"#, 0.0),
        ("waxwing_jobs_stored", 5.0),
        ("waxwing_job_oldest_ready_seconds", 0.0),
        ("waxwing_job_leases_lapsed_total", 0.0),
        ("waxwing_job_store_up", 1.0),
        ("waxwing_calls_in_flight", 0.0),
        ("waxwing_connections", 1.0),
        ("waxwing_connections_turned_away_total", 0.0),
    ] {
        assert_eq!(samples.get(series), Some(&value), "{series} in {samples:#?}");
    }
    assert!(!format!("{samples:?}").contains("canary"), "no label is a peer's word");
    assert!(!format!("{samples:?}").contains("agent"), "nor a client's name");
    house.signals.release(1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_at_work_and_connections_turned_away_are_counted() {
    let house = House::with(|builder| {
        let mut http = waxwing_server::HttpLimits::DEFAULT;
        http.connections = 1;
        builder.http(http)
    })
    .await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    let request = agent.request("hold", json!({"text": "x"}));
    wire.send(crate::wire::post(&agent.sign(&request).0)).await;
    house.signals.entered().await;
    house.wire().await.ends_or_answers().await;
    let samples = scraped(&house).await;
    assert_eq!(samples["waxwing_calls_in_flight"], 1.0);
    assert_eq!(samples["waxwing_connections_turned_away_total"], 1.0);
    drop(wire);
    house.signals.dropped().await;
    until(&house, "waxwing_calls_in_flight", 0.0).await;
    until(&house, "waxwing_connections", 0.0).await;
}

/// A store in memory, and its clock.
fn timed() -> (Arc<MemoryStore>, ManualClock) {
    let clock = ManualClock::new(NOW_MS.unsigned_abs());
    let store = MemoryStore::with_clock(Bounds::default(), Arc::new(clock.clone()));
    (Arc::new(store), clock)
}

/// The gauges of a queue, where there is one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_a_worker_is_shown() {
    let (store, clock) = timed();
    let mut one_slot = quick();
    (one_slot.concurrency, one_slot.lease) = (1, Duration::from_secs(30));
    let house = House::over(store, |builder| builder.engine(one_slot)).await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    agent.start(&mut wire, "hold_later", json!({"text": "x"})).await;
    house.signals.entered().await;
    agent.start(&mut wire, "say_later", json!({"text": "x"})).await;
    clock.advance(Duration::from_secs(5));
    let samples = scraped(&house).await;
    for (series, value) in [
        (r#"waxwing_jobs{state="running"}"#, 1.0),
        (r#"waxwing_jobs{state="queued"}"#, 1.0),
        ("waxwing_job_oldest_ready_seconds", 5.0),
    ] {
        assert_eq!(samples.get(series), Some(&value), "{series} in {samples:#?}");
    }
    house.signals.release(1);
    let samples = until(&house, r#"waxwing_jobs{state="queued"}"#, 0.0).await;
    assert_eq!(samples["waxwing_job_oldest_ready_seconds"], 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_job_of_a_dead_server_is_counted_by_who_moves_it() {
    let (store, clock) = timed();
    let first = House::over(Arc::<MemoryStore>::clone(&store), |b| b.engine(quick())).await;
    let (agent, mut wire) = (first.caller("agent-7"), first.wire().await);
    agent.start(&mut wire, "hold_later", json!({"text": "x"})).await;
    first.signals.entered().await;
    first.crash().await;
    clock.advance(Duration::from_secs(1));
    let second = House::over(store, |builder| builder.engine(quick())).await;
    second.signals.entered().await;
    let samples = until(&second, "waxwing_job_leases_lapsed_total", 1.0).await;
    assert_eq!(samples[r#"waxwing_job_claims_total{tool="hold_later"}"#], 1.0);
}

/// A worker that was away for longer than its lease, and is told so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_that_lost_its_lease_is_counted() {
    let (store, clock) = timed();
    let mut config = quick();
    config.sweep_every = Duration::from_secs(3600);
    let house = House::over(Arc::<MemoryStore>::clone(&store), |b| b.engine(config)).await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    agent.start(&mut wire, "hold_later", json!({"text": "x"})).await;
    house.signals.entered().await;
    let lapse = async {
        // A beat may come in between.
        loop {
            clock.advance(Duration::from_secs(1));
            if store.sweep(100).await.unwrap().lapsed > 0 {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, lapse).await.expect("it lapses");
    let lost = r#"waxwing_job_attempts_total{tool="hold_later",end="lost"}"#;
    let samples = until(&house, lost, 1.0).await;
    assert_eq!(samples.get("waxwing_job_leases_lapsed_total"), Some(&0.0), "not by its own sweep");
}

/// Everything that a sweep deletes, and what of it was never done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_sweep_deletes_is_counted() {
    let (store, clock) = timed();
    let house = House::over(store, |builder| builder.engine(quick())).await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    let mut keyed = agent.request("say_later", json!({"text": "x"}));
    keyed.idempotency_key = Some("once".parse().unwrap());
    let (_, accepted) = agent.send(&mut wire, &keyed).await;
    let Outcome::Accepted { job_id, .. } = accepted else { panic!("{accepted:?}") };
    assert_eq!(output(&agent.settle(&mut wire, &job_id).await), "x");
    let asks = agent.start(&mut wire, "order_parcel", json!({})).await;
    assert!(matches!(agent.settle(&mut wire, &asks).await, Outcome::InputRequired { .. }));
    clock.advance(Duration::from_secs(25 * 3600));
    let swept = |kind| format!("waxwing_job_store_swept_total{{kind=\"{kind}\"}}");
    let samples = until(&house, &swept("jobs"), 2.0).await;
    let samples = match samples.get("waxwing_jobs_stored") {
        Some(0.0) => samples,
        _ => until(&house, "waxwing_jobs_stored", 0.0).await,
    };
    for (kind, value) in [("unfinished", 1.0), ("nonces", 2.0), ("keys", 1.0)] {
        assert_eq!(samples.get(&swept(kind)), Some(&value), "{kind} in {samples:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_size_of_a_file_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path().join("jobs.sqlite"), Bounds::default()).unwrap();
    let house = House::over(Arc::new(store), |builder| builder).await;
    assert!(scraped(&house).await["waxwing_job_store_bytes"] > 0.0);
}

/// What a store says last stands while it is away, beside the word that it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_does_not_answer_is_told_and_stops_no_scrape() {
    let store = UnrulyStore::broken(Durability::Process);
    let house = House::over(Arc::<UnrulyStore>::clone(&store), |builder| builder).await;
    house.good().await;
    let samples = scraped(&house).await;
    assert_eq!(samples["waxwing_job_store_up"], 0.0);
    assert_eq!(samples[r#"waxwing_calls_total{tool="batch_sum",code="ok"}"#], 1.0);

    store.set_broken(false);
    until(&house, "waxwing_job_store_up", 1.0).await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    agent.start(&mut wire, "order_parcel", json!({})).await;
    until(&house, r#"waxwing_jobs{state="parked"}"#, 1.0).await;
    store.set_broken(true);
    let samples = until(&house, "waxwing_job_store_up", 0.0).await;
    assert_eq!(samples[r#"waxwing_jobs{state="parked"}"#], 1.0);
}

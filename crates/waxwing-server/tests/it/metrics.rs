//! `/metrics`: that it parses, that it counts what was done, and that no label is a peer's word.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use waxwing_core::ErrorCode;
use waxwing_core::message::Outcome;
use waxwing_jobs::Durability;

use crate::harness::{House, PATIENCE};
use crate::health::broken_store::BrokenStore;
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

async fn scraped(house: &House) -> BTreeMap<String, f64> {
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
async fn until(house: &House, series: &str, value: f64) -> BTreeMap<String, f64> {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_does_not_answer_is_told_and_stops_no_scrape() {
    let house = House::over(Arc::new(BrokenStore(Durability::Process)), |builder| builder).await;
    house.good().await;
    let samples = scraped(&house).await;
    assert_eq!(samples["waxwing_job_store_up"], 0.0);
    assert_eq!(samples[r#"waxwing_calls_total{tool="batch_sum",code="ok"}"#], 1.0);
}

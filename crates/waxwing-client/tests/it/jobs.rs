//! Jobs: start, poll, wait through progress and through a server that goes away, cancel, answer; and
//! what the server says of itself.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use serde_json::{Value, json};
use waxwing_client::{CallOptions, ClientError, JobStatus, WaitOptions};
use waxwing_core::message::{Outcome, Progress};
use waxwing_core::{CallError, ErrorCode};

use crate::peer::{self, Call, Peer, answer, job, script};

fn running(done: Option<u64>) -> Outcome<'static> {
    let progress = done.map(|done| Progress { done, total: Some(10), message: None });
    Outcome::Running { job_id: job("job-1"), poll_after_ms: 1, progress }
}

fn done(output: &Value) -> Outcome<'static> {
    Outcome::Done { job_id: job("job-1"), output: peer::json(output) }
}

fn failed(code: ErrorCode) -> Outcome<'static> {
    Outcome::Error(CallError::new(code, "it did not work"))
}

#[tokio::test]
async fn started_polled_done() {
    let job_id = job("job-1");
    let accepted =
        Outcome::Accepted { job_id: job_id.clone(), poll_after_ms: 100, ttl_ms: 3_600_000 };
    let requests = peer::json(&json!({"name": {"message": "Which?", "schema": {}}}));
    let input = Outcome::InputRequired { job_id: job_id.clone(), requests: requests.clone() };
    let cancelled = Outcome::Cancelled { job_id: job_id.clone(), reason: Some("enough".into()) };
    let peer = script(vec![
        accepted,
        running(Some(3)),
        input.clone(),
        input,
        done(&json!({"n": 1})),
        failed(ErrorCode::JobFailed),
        cancelled,
        failed(ErrorCode::UnknownJob),
    ])
    .await;
    let client = peer.client();
    let started = client.start("long_task", &json!({"seconds": 1})).await.unwrap();
    assert_eq!((started.job_id.as_str(), started.poll_after_ms), ("job-1", 100));
    let poll = async || client.poll::<Value>(&job_id, 0).await;
    let progress = Some(Progress { done: 3, total: Some(10), message: None });
    assert_eq!(poll().await.unwrap(), JobStatus::Running { poll_after_ms: 1, progress });
    let waits = JobStatus::InputRequired { requests };
    assert_eq!(poll().await.unwrap(), waits);
    assert_eq!(client.answer::<_, Value>(&job_id, &json!({"name": 1})).await.unwrap(), waits);
    assert_eq!(poll().await.unwrap(), JobStatus::Done(json!({"n": 1})));
    assert!(
        matches!(poll().await.unwrap(), JobStatus::Failed(e) if e.message == "it did not work")
    );
    let cancelled = client.cancel::<Value>(&job_id, Some("enough")).await.unwrap();
    assert_eq!(cancelled, JobStatus::Cancelled { reason: Some("enough".into()) });
    let unknown = poll().await.unwrap_err();
    assert!(matches!(unknown, ClientError::Failed(e) if e.code == ErrorCode::UnknownJob));
}

#[tokio::test]
async fn what_the_reserved_tools_are_sent() {
    let peer = Peer::answering(|call| {
        let text = json!({"tool": call.tool(), "args": call.request()["args"]}).to_string();
        answer(200, call.reply(Outcome::Cancelled { job_id: job("job-1"), reason: Some(text) }))
    })
    .await;
    let (client, id) = (peer.client(), job("job-1"));
    let sent = |status: JobStatus<Value>| match status {
        JobStatus::Cancelled { reason: Some(text) } => {
            serde_json::from_str::<Value>(&text).unwrap()
        }
        other => panic!("{other:?}"),
    };
    let poll = sent(client.poll(&id, 250).await.unwrap());
    assert_eq!(poll, json!({"tool": "poll_job", "args": {"job_id": "job-1", "wait_ms": 250}}));
    let cancel = sent(client.cancel(&id, None).await.unwrap());
    assert_eq!(cancel, json!({"tool": "cancel_job", "args": {"job_id": "job-1"}}));
    let answer = sent(client.answer(&id, &json!({"k": 1})).await.unwrap());
    let args = json!({"job_id": "job-1", "answers": {"k": 1}});
    assert_eq!(answer, json!({"tool": "answer_job", "args": args}));
}

#[tokio::test]
async fn another_jobs_status_is_no_answer() {
    let peer = script(vec![done(&json!(1))]).await;
    let error = peer.client().poll::<Value>(&job("job-2"), 0).await.unwrap_err();
    assert!(matches!(error, ClientError::OtherStatus(_)), "{error:?}");
}

#[tokio::test]
async fn an_idempotency_key_finds_the_job_however_it_stands() {
    let options = CallOptions::new().idempotency_key("order-1".parse().unwrap());
    for outcome in [running(None), done(&json!(1))] {
        let peer = script(vec![outcome]).await;
        let found = peer.client().start_with("long_task", &json!({}), &options).await.unwrap();
        assert_eq!(found.job_id.as_str(), "job-1");
    }
    let peer = script(vec![Outcome::Ok(peer::json(&json!(5)))]).await;
    let error = peer.client().start("batch_sum", &json!({})).await.unwrap_err();
    assert!(matches!(error, ClientError::OtherStatus(o) if matches!(*o, Outcome::Ok(_))));
}

#[tokio::test]
async fn waiting_reports_each_change_once() {
    let peer = script(vec![
        running(None),
        running(Some(1)),
        running(Some(1)),
        running(Some(2)),
        done(&json!({"n": 1})),
    ])
    .await;
    let mut heard = Vec::new();
    let output: Value =
        peer.client().wait(&job("job-1"), |progress| heard.push(progress.done)).await.unwrap();
    assert_eq!((output, heard, peer.calls()), (json!({"n": 1}), vec![1, 2], 5));
}

/// What the server asks for between two polls is meant for a job that shows nothing new.
#[tokio::test(start_paused = true)]
async fn news_is_followed_by_a_poll_at_once() {
    let slow = |outcome| match outcome {
        Outcome::Running { job_id, progress, .. } => {
            Outcome::Running { job_id, poll_after_ms: 5_000, progress }
        }
        other => other,
    };
    let wait = async |outcomes: Vec<Outcome<'static>>| {
        let peer = script(outcomes.into_iter().map(slow).collect()).await;
        let began = tokio::time::Instant::now();
        assert_eq!(peer.client().wait::<Value>(&job("job-1"), |_| {}).await.unwrap(), json!(1));
        began.elapsed()
    };
    let news = wait(vec![running(Some(1)), running(Some(2)), done(&json!(1))]).await;
    assert!(news < Duration::from_secs(1), "{news:?}");
    let nothing_new = wait(vec![running(None), running(None), done(&json!(1))]).await;
    assert!(nothing_new >= Duration::from_secs(10), "{nothing_new:?}");
}

#[tokio::test]
async fn waiting_ends_with_the_job_however_it_ends() {
    let end = async |outcome: Outcome<'static>| {
        let peer = script(vec![running(None), outcome]).await;
        peer.client().wait::<Value>(&job("job-1"), |_| {}).await.unwrap_err()
    };
    let error = end(failed(ErrorCode::JobFailed)).await;
    assert!(matches!(error, ClientError::Failed(e) if e.code == ErrorCode::JobFailed));
    let error = end(failed(ErrorCode::UnknownJob)).await;
    assert!(matches!(error, ClientError::Failed(e) if e.code == ErrorCode::UnknownJob));
    let cancelled = Outcome::Cancelled { job_id: job("job-1"), reason: Some("enough".into()) };
    assert_eq!(end(cancelled).await.to_string(), "job job-1 was cancelled: enough");
    let requests = peer::json(&json!({"k": {"message": "?", "schema": {}}}));
    let input = Outcome::InputRequired { job_id: job("job-1"), requests };
    assert_eq!(end(input).await.to_string(), "job job-1 waits for input");
}

#[tokio::test]
async fn waiting_goes_on_when_the_server_is_busy() {
    let busy = CallError::new(ErrorCode::Overloaded, "later").with_retry_after_ms(20);
    let limited = CallError::new(ErrorCode::RateLimited, "later");
    let peer = script(vec![Outcome::Error(busy), Outcome::Error(limited), done(&json!(1))]).await;
    assert_eq!(peer.client().wait::<Value>(&job("job-1"), |_| {}).await.unwrap(), json!(1));
    assert_eq!(peer.calls(), 3);
}

/// The server dies while the client waits, a proxy says so for a while, and the server comes back.
#[tokio::test]
async fn waiting_survives_a_restart() {
    let polled = Arc::new(tokio::sync::Notify::new());
    let tell = Arc::clone(&polled);
    let peer = Peer::start(move |_: Call| {
        let tell = Arc::clone(&tell);
        async move {
            tell.notify_one();
            std::future::pending::<Response<Full<Bytes>>>().await
        }
    })
    .await;
    let (client, address) = (peer.client(), peer.address);
    let waiting = tokio::spawn(async move { client.wait::<Value>(&job("job-1"), |_| {}).await });
    polled.notified().await;
    drop(peer);
    let peer = loop {
        // The port is free once the dead server's task is gone.
        match std::net::TcpListener::bind(address) {
            Ok(_) => {}
            Err(_) => {
                tokio::task::yield_now().await;
                continue;
            }
        }
        break Peer::start_on(address, |call: Call| async move {
            match call.number {
                0 => answer(503, "<html>Service Unavailable</html>"),
                1 => answer(200, call.reply(running(Some(5)))),
                _ => answer(200, call.reply(done(&json!({"survived": true})))),
            }
        })
        .await;
    };
    assert_eq!(waiting.await.unwrap().unwrap(), json!({"survived": true}));
    assert_eq!(peer.calls(), 3);
}

#[tokio::test]
async fn patience_and_deadline_end_a_wait() {
    let peer = script(vec![running(None)]).await;
    let (client, id, address) = (peer.client(), job("job-1"), peer.address);
    let options = WaitOptions::new().deadline(Duration::from_millis(60));
    let error = client.wait_with::<Value>(&id, &options, |_| {}).await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }), "{error:?}");

    drop(peer);
    while std::net::TcpListener::bind(address).is_err() {
        tokio::task::yield_now().await;
    }
    let options = WaitOptions::new().patience(Duration::from_millis(120));
    let error = client.wait_with::<Value>(&id, &options, |_| {}).await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_forged_status_ends_a_wait() {
    let peer = Peer::answering(|call| {
        let text = String::from_utf8(call.reply(done(&json!({"n": 1})))).unwrap();
        answer(200, text.replace("{\"n\":1}", "{\"n\":2}"))
    })
    .await;
    let error = peer.client().wait::<Value>(&job("job-1"), |_| {}).await.unwrap_err();
    assert!(matches!(error, ClientError::ReplyFault(_)), "{error:?}");
    assert_eq!(peer.calls(), 1);
}

fn listing(name: &str) -> Value {
    peer::listed(&json!({"name": name, "description": "Does.", "mode": "sync",
        "input_schema": {"type": "object"}, "output_schema": true, "annotations": {}}))
}

#[tokio::test]
async fn all_pages_of_tools_are_read() {
    let cursors = Arc::<Mutex<Vec<Value>>>::default();
    let seen = Arc::clone(&cursors);
    let peer = Peer::answering(move |call| {
        let cursor = call.request()["args"]["cursor"].clone();
        let page = match cursor.as_str() {
            None => json!({"tools": [listing("a"), listing("b")], "next_cursor": "b"}),
            Some("b") => json!({"tools": [listing("c")]}),
            other => panic!("{other:?}"),
        };
        seen.lock().unwrap().push(cursor);
        answer(200, call.reply(Outcome::Ok(peer::json(&page))))
    })
    .await;
    let tools = peer.client().list_tools().await.unwrap();
    let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(serde_json::to_value(&tools[0]).unwrap(), listing("a"));
    assert_eq!(*cursors.lock().unwrap(), [Value::Null, json!("b")]);
}

#[tokio::test]
async fn pages_without_an_end_are_not_followed_for_ever() {
    let page = json!({"tools": [], "next_cursor": "a"});
    let peer = script(vec![Outcome::Ok(peer::json(&page))]).await;
    let error = peer.client().list_tools().await.unwrap_err();
    assert!(error.to_string().contains("goes on without an end"), "{error}");
    assert_eq!(peer.calls(), 2);
}

#[tokio::test]
async fn the_servers_identity() {
    let identity = json!({"server_id": "sums.example", "server_version": "0.1.0",
        "protocol": "waxwing/1", "fingerprint": "0123456789abcdef", "capabilities": {},
        "limits": {"max_message": 1048576}});
    let peer = script(vec![Outcome::Ok(peer::json(&identity))]).await;
    let found = peer.client().identity().await.unwrap();
    assert_eq!(found.server_id.as_str(), "sums.example");
    assert_eq!(serde_json::to_value(&found).unwrap(), identity);
}

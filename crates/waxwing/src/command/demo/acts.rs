//! The acts of the demo: each gives what came, or, as an error, what came instead of what should have.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use waxwing_client::{Client, ClientError};
use waxwing_core::ErrorCode;
use waxwing_core::message::Outcome;

use super::raw::{self, Signer};
use super::server::ServerProcess;
use crate::progress::ProgressView;

/// Reports after which the server is killed.
const MIDDLE: u64 = 4;

pub(super) async fn identity(client: &Client, signer: &Signer) -> Result<String, String> {
    let identity = client.identity().await.map_err(said)?;
    let fingerprint = signer.key.fingerprint();
    if identity.fingerprint != fingerprint {
        return Err(format!("fingerprint {}, not {fingerprint}", identity.fingerprint));
    }
    Ok(format!("{} speaks {}, key {fingerprint}", identity.server_id, identity.protocol))
}

pub(super) async fn sum(client: &Client) -> Result<String, String> {
    let args = json!({"numbers": [1.5, 2, 3.25]});
    let sum: Value = client.call("batch_sum", &args).await.map_err(said)?;
    is(&sum, &json!({"count": 3, "total": 6.75}))
}

pub(super) async fn wrong_arguments(client: &Client) -> Result<String, String> {
    let args = json!({"seconds": 60, "payload": "all of it", "colour": "red"});
    match client.start("long_task", &args).await {
        Err(ClientError::Failed(error)) if error.code == ErrorCode::InvalidArgs => {
            match ["seconds", "payload", "colour"]
                .iter()
                .find(|name| !error.message.contains(**name))
            {
                None => Ok(error.to_string()),
                Some(name) => Err(format!("{name} is not named in: {error}")),
            }
        }
        Err(other) => Err(said(other)),
        Ok(job) => Err(format!("job {} was started", job.job_id)),
    }
}

pub(super) async fn forgery(signer: &Signer, server: SocketAddr) -> Result<String, String> {
    let envelope = signer.sign("batch_sum", &json!({"numbers": [100]}))?;
    let forged = String::from_utf8_lossy(&envelope.bytes).replace("[100]", "[900]");
    let (status, answer) = raw::post(server, forged.as_bytes()).await?;
    let refusal: Value = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
    match refusal.pointer("/error/code").and_then(Value::as_str) {
        Some("unauthenticated") if status == 401 => {
            Ok(format!("HTTP 401, {}", refusal.pointer("/error/message").unwrap_or(&Value::Null)))
        }
        _ => Err(format!("HTTP {status}, {refusal}")),
    }
}

pub(super) async fn replay(signer: &Signer, server: SocketAddr) -> Result<String, String> {
    let envelope = signer.sign("batch_sum", &json!({"numbers": [1, 2]}))?;
    let (first, answer) = raw::post(server, &envelope.bytes).await?;
    let once = signer.verify(&envelope, &answer).map_err(|fault| fault.to_string())?;
    let Outcome::Ok(output) = &once else { return Err(format!("first: HTTP {first}, {once:?}")) };
    let (second, answer) = raw::post(server, &envelope.bytes).await?;
    let twice = signer.verify(&envelope, &answer).map_err(|fault| fault.to_string())?;
    match &twice {
        Outcome::Error(error) if error.code == ErrorCode::Replayed && second == 409 => {
            Ok(format!("HTTP {first}, {}\nHTTP {second}, signed, {error}", output.as_str()))
        }
        _ => Err(format!("second: HTTP {second}, {twice:?}")),
    }
}

pub(super) async fn long_task(client: &Client) -> Result<String, String> {
    let payload = json!({"order": 1});
    let args = json!({"seconds": 2, "payload": payload});
    let job = client.start("long_task", &args).await.map_err(said)?;
    let view = ProgressView::new();
    let mut reports = 0;
    let output: Value = client
        .wait(&job.job_id, |progress| {
            reports += 1;
            view.show(progress);
        })
        .await
        .map_err(said)?;
    drop(view);
    if reports == 0 {
        return Err("there was no progress".to_owned());
    }
    is(&output, &json!({"seconds": 2, "payload": payload}))
}

pub(super) async fn killed_task(
    client: &Client,
    server: &mut ServerProcess,
) -> Result<String, String> {
    let payload = json!({"order": 2});
    let args = json!({"seconds": 2, "payload": payload});
    let job = client.start("long_task", &args).await.map_err(said)?;
    let (report, mut reports) = mpsc::unbounded_channel();
    let view = ProgressView::new();
    let waiting = client.wait::<Value>(&job.job_id, |progress| {
        view.show(progress);
        // Nobody listens after the kill.
        let _ = report.send(progress.done);
    });
    let killing = async {
        while let Some(done) = reports.recv().await {
            if done >= MIDDLE {
                break;
            }
        }
        let killed = server.id();
        server.kill().map_err(|error| error.to_string())?;
        server.start_again().await.map_err(|failure| failure.text)?;
        Ok::<_, String>(format!("process {killed} killed, {} goes on", server.id()))
    };
    tokio::pin!(waiting);
    let killed = tokio::select! {
        killed = killing => killed?,
        ended = &mut waiting => return Err(format!("the job ended before the kill: {ended:?}")),
    };
    let output = waiting.await.map_err(said)?;
    let output = is(&output, &json!({"seconds": 2, "payload": payload}))?;
    Ok(format!("{killed}\n{output}"))
}

fn is(came: &Value, expected: &Value) -> Result<String, String> {
    // Through canonical text, where 2 and 2.0 are one number.
    let text = |value: &Value| {
        waxwing_core::CanonicalJson::from_serialize(value).map(|json| json.as_str().to_owned())
    };
    match (text(came), text(expected)) {
        (Ok(came), Ok(expected)) if came == expected => Ok(came),
        _ => Err(came.to_string()),
    }
}

fn said(error: ClientError) -> String {
    crate::exit::with_sources(&error)
}

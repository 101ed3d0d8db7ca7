//! A job as it stands, in the words of the wire (wire.md §3).

use serde_json::{Map, Value, json};
use waxwing_core::message::{Outcome, Progress};
use waxwing_core::{CallError, CanonicalJson, ErrorCode};
use waxwing_jobs::{Attempt, InputRequests, Phase, Snapshot, record};

use crate::fault::{CallFault, with_details};

/// The largest number of units that the wire can spell.
const MOST_UNITS: u64 = (1 << 53) - 1;

/// The outcome that shows a job.
///
/// # Errors
/// [`CallFault`] when what is stored does not read back.
pub(crate) fn of_job(snapshot: Snapshot) -> Result<Outcome<'static>, CallFault> {
    let poll_after_ms = snapshot.poll_after_ms();
    let Snapshot { id: job_id, phase, progress, attempts, .. } = snapshot;
    Ok(match phase {
        Phase::Queued | Phase::Running => {
            Outcome::Running { job_id, poll_after_ms, progress: progress.as_ref().map(units) }
        }
        Phase::Parked { requests } => {
            Outcome::InputRequired { job_id, requests: asked(&requests)? }
        }
        Phase::Completed { output } => Outcome::Done { job_id, output },
        Phase::Cancelled { request } => {
            Outcome::Cancelled { job_id, reason: request.reason().map(str::to_owned) }
        }
        Phase::Failed => Outcome::Error(job_failed(&attempts)?),
    })
}

fn units(progress: &waxwing_jobs::Progress) -> Progress {
    // The cast saturates: below zero is 0, and the wire's largest number is the bound above.
    let whole = |units: f64| (units as u64).min(MOST_UNITS);
    Progress {
        done: whole(progress.done()),
        total: progress.total().map(whole),
        message: progress.message().map(str::to_owned),
    }
}

/// `{KEY: {message, schema}}`.
pub(crate) fn asked(requests: &InputRequests) -> Result<CanonicalJson<'static>, CallFault> {
    let mut object = Map::new();
    for (key, request) in requests.iter() {
        let schema = value(&request.schema)?;
        object.insert(
            key.as_str().to_owned(),
            json!({ "message": request.message, "schema": schema }),
        );
    }
    Ok(CanonicalJson::from_serialize(&object)?)
}

fn job_failed(attempts: &[Attempt]) -> Result<CallError, CallFault> {
    let reason = attempts.last().map_or("it says no reason", |last| &last.failure.message);
    let text = match attempts.len() {
        0 | 1 => format!("The job failed: {reason}"),
        n => format!("The job failed after {n} attempts; the last one: {reason}"),
    };
    let attempts: Value = serde_json::from_str(&record::attempts_to_text(attempts)?)
        .map_err(|_| CallFault::Bug("attempts do not read back"))?;
    let error = CallError::new(ErrorCode::JobFailed, text);
    Ok(with_details(error, &json!({ "attempts": attempts })))
}

/// Canonical JSON as a tree.
pub(crate) fn value(json: &CanonicalJson<'_>) -> Result<Value, CallFault> {
    json.decode().map_err(|_| CallFault::Bug("canonical JSON does not decode"))
}

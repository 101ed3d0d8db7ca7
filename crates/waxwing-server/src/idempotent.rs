//! A `sync` tool called with an idempotency key (wire.md §5): it runs as a job of one attempt, so
//! that a retry finds the first outcome, and it goes on when its caller has gone.

use std::time::Duration;

use tokio::time::Instant;
use waxwing_core::message::Outcome;
use waxwing_core::{CallError, ErrorCode, IdempotencyKey};
use waxwing_crypto::Admitted;
use waxwing_jobs::{Cause, Phase, Snapshot};

use crate::fault::CallFault;
use crate::service::{Course, Service};
use crate::start::{Ordered, Terms, order};

/// Runs the call, or waits for the outcome of the first one with this key.
pub(crate) async fn call(
    service: &Service,
    call: &Admitted<'_, '_>,
    key: &IdempotencyKey<'_>,
) -> Result<Outcome<'static>, CallFault> {
    // One attempt: if the server dies meanwhile, whether the tool had its effect is unknown, and
    // running it again would be a guess.
    let terms = Terms { ttl: service.jobs.idempotency_ttl, max_attempts: 1 };
    let Ordered { id, earlier } = order(service, call, Some(key), terms).await?;
    let (engine, owner) = (&service.engine, &call.client_id);
    let (_place, patience) = match earlier {
        None => (service.waits.place_of_work(owner), service.jobs.sync_wait),
        // The same call again only waits, and who waits too often at once is told how it stands.
        Some(_) => match service.waits.place(owner) {
            Some(place) => (Some(place), service.jobs.sync_wait),
            None => (None, Duration::ZERO),
        },
    };
    let mut end = Instant::now() + patience;
    let mut course = Course::Serving;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let snapshot = tokio::select! {
            snapshot = engine.wait(owner, &id, left) => snapshot?,
            answer_by = service.draining(), if course == Course::Serving => {
                course = Course::Draining { answer_by };
                end = end.min(answer_by);
                engine.get(owner, &id).await?
            }
        };
        let Some(snapshot) = snapshot else { return Err(CallFault::Outlived { id }) };
        if snapshot.phase.is_terminal() {
            return outcome(snapshot);
        }
        // On the way to a stop work goes on, but nothing more is begun here.
        let is_left = course != Course::Serving && snapshot.phase == Phase::Queued;
        if is_left || Instant::now() >= end {
            return Err(CallFault::StillRunning);
        }
    }
}

/// The outcome that the first call had.
fn outcome(snapshot: Snapshot) -> Result<Outcome<'static>, CallFault> {
    if let Phase::Completed { output } = snapshot.phase {
        return Ok(Outcome::Ok(output));
    }
    let failure = snapshot.attempts.into_iter().next_back().map(|attempt| attempt.failure);
    Err(match failure {
        None => CallFault::Stopped,
        Some(failure) if failure.cause == Cause::LeaseLost => CallFault::Interrupted,
        Some(failure) => {
            let code = failure.code.unwrap_or(ErrorCode::ToolFailed);
            let error = CallError::new(code, failure.message);
            CallFault::Told(match failure.details {
                Some(details) => error.with_details(details),
                None => error,
            })
        }
    })
}

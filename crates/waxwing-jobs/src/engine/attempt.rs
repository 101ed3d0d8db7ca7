//! One attempt, from its claim to the verdict on its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinError;
use tokio::time::{Instant, timeout};

use super::held::{Held, Report, Stop};
use super::{Bound, Course, Shared};
use crate::cancellation::Canceller;
use crate::job::{Cause, Failure};
use crate::runner::{JobContext, JobFailure, Retry, RunOutcome};
use crate::store::{Beat, Claimed, Outcome, Settle};

type Ran = Result<Result<RunOutcome, JobFailure>, JoinError>;

/// Runs the attempt. The job stays held, and so beaten for, until its end is stored.
pub(super) async fn run(shared: Arc<Shared>, claimed: Claimed) {
    let held = shared.active.hold(claimed.ticket.clone());
    let attempt = claimed.attempt;
    if let Some(outcome) = drive(&shared, &held, claimed).await {
        settle(&shared, &held, attempt, outcome).await;
    }
    shared.active.let_go(&held.ticket);
}

/// Does the work until it ends or has to stop; `None` when nobody wants to know how it ended.
async fn drive(shared: &Shared, held: &Held, claimed: Claimed) -> Option<End> {
    let (canceller, cancellation) = Canceller::new();
    let deadline = Instant::now() + claimed.expires_in.min(LONGEST);
    let context = JobContext {
        id: claimed.ticket.id,
        owner: claimed.owner,
        kind: claimed.kind,
        input: claimed.input,
        attempt: claimed.attempt,
        max_attempts: claimed.max_attempts,
        answers: claimed.answers,
        checkpoint: claimed.checkpoint,
        deadline,
        cancellation,
        reports: Arc::clone(&held.reports),
    };
    let runner = Arc::clone(&shared.runner);
    // A task of its own, so that a panic ends this attempt and nothing else.
    let mut work = Bound(tokio::spawn(async move { runner.run(context).await }));
    let grace = shared.config.cancel_grace;
    tokio::select! {
        biased;
        ran = &mut work.0 => ended(ran),
        why = held.stopped() => match why {
            Stop::Lost => None,
            Stop::Cancel => {
                canceller.cancel();
                Some(cancelled(&mut work, grace).await)
            }
        },
        () = shared.reached(Course::Releasing) => {
            drop_work(&mut work, grace).await;
            Some(End::Release)
        }
        () = tokio::time::sleep_until(deadline) => None,
    }
}

/// Longer than any process runs, and short enough to be added to any instant.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// How the work ended, before the delay of a retry is drawn.
enum End {
    Done(RunOutcome),
    Failed(JobFailure),
    Cancelled,
    Release,
}

fn ended(ran: Ran) -> Option<End> {
    match ran {
        Ok(Ok(outcome)) => Some(End::Done(outcome)),
        Ok(Err(failure)) => Some(End::Failed(failure)),
        Err(error) if error.is_panic() => {
            // What it panicked with may hold what nobody should read; the panic hook has it.
            let failure = Failure::new(Cause::Panic, "the tool stopped with an internal fault");
            Some(End::Failed(JobFailure { retry: Retry::Later, failure }))
        }
        // The runtime is shutting down.
        Err(_) => None,
    }
}

/// Gives the work its moment to stop by itself. A result that it still comes to counts.
async fn cancelled(work: &mut Bound<Result<RunOutcome, JobFailure>>, grace: Duration) -> End {
    match timeout(grace, &mut work.0).await {
        Ok(Ok(Ok(RunOutcome::Complete(output)))) => End::Done(RunOutcome::Complete(output)),
        Ok(_) => End::Cancelled,
        Err(_) => {
            drop_work(work, grace).await;
            End::Cancelled
        }
    }
}

/// Drops the work, and waits for that to have happened unless the work blocks its thread.
async fn drop_work<T>(work: &mut Bound<T>, grace: Duration) {
    work.0.abort();
    let _ = timeout(grace, &mut work.0).await;
}

async fn settle(shared: &Shared, held: &Held, attempt: u32, end: End) {
    let outcome = match end {
        End::Done(RunOutcome::Complete(output)) => Outcome::Complete(output),
        End::Done(RunOutcome::Park { requests, checkpoint }) => {
            Outcome::Park { requests, checkpoint }
        }
        End::Failed(JobFailure { retry: Retry::Never, failure }) => Outcome::Fail(failure),
        End::Failed(JobFailure { retry: Retry::Later, failure }) => {
            Outcome::Retry { after: shared.config.backoff.delay(attempt, &shared.jitter), failure }
        }
        End::Cancelled => Outcome::Cancelled,
        End::Release => Outcome::Release,
    };
    let again = match &outcome {
        Outcome::Retry { after, .. } => Some(*after),
        _ => None,
    };
    if !matches!(outcome, Outcome::Complete(_)) {
        flush(shared, held).await;
    }
    shared.settler.settle(Settle { ticket: held.ticket.clone(), outcome }).await;
    shared.waiting.bump(&held.ticket.id);
    if let Some(after) = again {
        shared.look_again_after(after);
    }
}

/// Stores what the work left for its next run before the job is given up.
async fn flush(shared: &Shared, held: &Held) {
    let Report { progress, checkpoint } = held.reports.take();
    if checkpoint.is_none() && progress.is_none() {
        return;
    }
    let lease = shared.config.lease;
    let beat = Beat { ticket: held.ticket.clone(), lease, progress, checkpoint };
    if let Err(error) = shared.store.beat(vec![beat]).await {
        tracing::warn!(job = %held.ticket.id, %error, "a job's last report was not stored");
    }
}

//! One attempt, from its claim to the verdict on its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinError;
use tokio::time::{Instant, timeout};

use super::held::{Held, Report, Stop};
use super::{Bound, Course, Shared};
use crate::cancellation::Canceller;
use crate::job::{Cause, Failure};
use crate::observer::AttemptEnd;
use crate::runner::{JobContext, JobFailure, Retry, RunOutcome};
use crate::store::{Beat, Claimed, Outcome, Settle, SettleVerdict};

type Ran = Result<Result<RunOutcome, JobFailure>, JoinError>;

/// Runs the attempt. The job stays held, and so beaten for, until its end is stored.
pub(super) async fn run(shared: Arc<Shared>, claimed: Claimed) {
    let held = shared.active.hold(claimed.ticket.clone());
    let turn = Turn { attempt: claimed.attempt, of: claimed.max_attempts };
    let (observer, kind) = (Arc::clone(&shared.config.observer), claimed.kind.clone());
    observer.claimed(&kind, claimed.attempt, claimed.waited);
    let began = Instant::now();
    let end = drive(&shared, &held, claimed).await;
    let ran = began.elapsed();
    let how = match end {
        Some(end) => settle(&shared, &held, turn, end).await,
        None => AttemptEnd::Lost,
    };
    observer.ended(&kind, how, ran);
    shared.active.let_go(&held.ticket);
}

/// Which attempt this is, of how many.
#[derive(Clone, Copy)]
struct Turn {
    attempt: u32,
    of: u32,
}

impl Turn {
    /// What an outcome makes of the job, should it be stored.
    fn end(self, outcome: &Outcome) -> AttemptEnd {
        match outcome {
            Outcome::Complete(_) => AttemptEnd::Completed,
            Outcome::Fail(_) => AttemptEnd::Failed,
            Outcome::Retry { .. } if self.attempt >= self.of => AttemptEnd::Failed,
            Outcome::Retry { .. } => AttemptEnd::Retried,
            Outcome::Park { .. } => AttemptEnd::Parked,
            Outcome::Cancelled => AttemptEnd::Cancelled,
            Outcome::Release => AttemptEnd::Released,
        }
    }

    /// How a job is left whose work was stopped by a drain. One that was promised a single attempt
    /// has had it: it must not run a second time after the restart.
    fn interrupted(self) -> Outcome {
        if self.of > 1 {
            return Outcome::Release;
        }
        let why = "the process stopped before the work was done";
        Outcome::Retry { after: Duration::ZERO, failure: Failure::new(Cause::LeaseLost, why) }
    }
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
            work.0.abort();
            match timeout(grace, &mut work.0).await {
                // It came to its end in the same moment.
                Ok(ran @ Ok(_)) => ended(ran),
                Ok(Err(_)) | Err(_) => Some(End::Interrupted),
            }
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
    Interrupted,
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

/// Stores the end, and says what it was.
async fn settle(shared: &Shared, held: &Held, turn: Turn, end: End) -> AttemptEnd {
    let outcome = match end {
        End::Done(RunOutcome::Complete(output)) => Outcome::Complete(output),
        End::Done(RunOutcome::Park { requests, checkpoint }) => {
            Outcome::Park { requests, checkpoint }
        }
        End::Failed(JobFailure { retry: Retry::Never, failure }) => Outcome::Fail(failure),
        End::Failed(JobFailure { retry: Retry::Later, failure }) => {
            let after = shared.config.backoff.delay(turn.attempt, &shared.jitter);
            Outcome::Retry { after, failure }
        }
        End::Cancelled => Outcome::Cancelled,
        End::Interrupted => turn.interrupted(),
    };
    let again = match &outcome {
        Outcome::Retry { after, .. } => Some(*after),
        _ => None,
    };
    let last = match &outcome {
        Outcome::Complete(_) => None,
        _ => last_report(shared, held).await,
    };
    let how = turn.end(&outcome);
    let settled =
        shared.settler.settle(last, Settle { ticket: held.ticket.clone(), outcome }).await;
    shared.waiting.bump(&held.ticket.id);
    if let Some(after) = again {
        shared.look_again_after(after);
    }
    if settled == Some(SettleVerdict::Done) { how } else { AttemptEnd::Lost }
}

/// What the work left for its next run and the store does not have yet.
async fn last_report(shared: &Shared, held: &Held) -> Option<Beat> {
    // A beat in flight may carry a report, and puts it back when it fails.
    let in_flight = shared.active.beating.lock().await;
    let report = held.reports.take();
    drop(in_flight);
    let Report { progress, checkpoint } = report;
    if checkpoint.is_none() && progress.is_none() {
        return None;
    }
    let lease = shared.config.lease;
    Some(Beat { ticket: held.ticket.clone(), lease, progress, checkpoint })
}

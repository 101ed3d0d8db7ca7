//! One attempt, from its claim to the verdict on its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinError;
use tokio::time::{Instant, timeout, timeout_at};
use waxwing_core::{CanonicalJson, ClientId, ToolName};

use super::held::{Held, Report, Stop};
use super::{Bound, Course, Shared};
use crate::cancellation::Canceller;
use crate::clock::FOR_EVER;
use crate::job::{Cause, Failure, Phase};
use crate::observer::{AttemptEnd, JobEnd, JobEnding};
use crate::runner::{JobContext, JobFailure, Retry, RunOutcome};
use crate::store::{Beat, Claimed, Outcome, Settle, SettleVerdict};

type Ran = Result<Result<RunOutcome, JobFailure>, JoinError>;

/// A store's times are whole milliseconds.
const ROUNDED: Duration = Duration::from_millis(1);

/// Runs the attempt of a job that was claimed at some time after `asked`. The job stays held, and so
/// beaten for, until its end is stored.
pub(super) async fn run(shared: &Shared, claimed: Claimed, asked: Instant) {
    let held = shared.active.hold(claimed.ticket.clone());
    let turn = Turn { attempt: claimed.attempt, of: claimed.max_attempts };
    let (observer, kind) = (Arc::clone(&shared.config.observer), claimed.kind.clone());
    observer.claimed(&kind, claimed.attempt, claimed.waited);
    let began = Instant::now();
    let owner = claimed.owner.clone();
    // Not after the store's own, but for its rounding.
    let deadline = asked + claimed.expires_in.min(FOR_EVER);
    let end = drive(shared, &held, claimed, deadline).await;
    let ran = began.elapsed();
    let settled = match end {
        // Once its time is over, nobody wants to know.
        Some(end) => timeout_at(deadline, settle(shared, &held, turn, (&owner, &kind), end)).await,
        None => Ok(Settled::of(AttemptEnd::Lost)),
    };
    let Settled { how, output } = match settled {
        Ok(settled) if settled.how != AttemptEnd::Lost || Instant::now() + ROUNDED < deadline => {
            settled
        }
        Ok(_) | Err(_) => {
            let job = &held.ticket.id;
            tracing::warn!(%job, tool = %kind, "a job's lifetime was over before its work was");
            Settled::of(AttemptEnd::Expired)
        }
    };
    observer.ended(&kind, how, ran);
    shared.active.let_go(&held.ticket);
    let how = match (how, &output) {
        (AttemptEnd::Completed, Some(output)) => JobEnding::Completed(output),
        (AttemptEnd::Failed, _) => JobEnding::Failed,
        (AttemptEnd::Cancelled, _) => JobEnding::Cancelled,
        _ => return,
    };
    let id = &held.ticket.id;
    observer.job_ended(&JobEnd { id, owner: &owner, kind: &kind, how }).await;
}

/// How an attempt ended in the store, and its result.
struct Settled {
    how: AttemptEnd,
    output: Option<CanonicalJson<'static>>,
}

impl Settled {
    const fn of(how: AttemptEnd) -> Self {
        Self { how, output: None }
    }
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
async fn drive(shared: &Shared, held: &Held, claimed: Claimed, deadline: Instant) -> Option<End> {
    let (canceller, cancellation) = Canceller::new();
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
async fn settle(
    shared: &Shared,
    held: &Held,
    turn: Turn,
    (owner, kind): (&ClientId<'_>, &ToolName<'_>),
    end: End,
) -> Settled {
    let outcome = match end {
        End::Done(RunOutcome::Complete(output)) => Outcome::Complete(output),
        End::Done(RunOutcome::Park { requests, checkpoint }) => {
            Outcome::Park { requests, checkpoint }
        }
        End::Failed(JobFailure { retry: Retry::Never, failure }) => Outcome::Fail(failure),
        End::Failed(JobFailure { retry, failure }) => {
            if retry == Retry::Elsewhere {
                shared.room.leave_to_others(kind, Instant::now() + shared.config.lease);
            }
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
    let output = match &outcome {
        Outcome::Complete(output) => Some(output.clone()),
        _ => None,
    };
    let settled =
        shared.settler.settle(last, Settle { ticket: held.ticket.clone(), outcome }).await;
    shared.waiting.bump(&held.ticket.id);
    if let Some(after) = again {
        shared.pace.after(after);
    }
    match settled {
        Some(SettleVerdict::Done) => {
            Settled { how: stored(shared, held, owner, how).await, output }
        }
        _ => Settled::of(AttemptEnd::Lost),
    }
}

/// What the store made of an attempt that was not meant to be the last: a job whose cancellation was asked
/// for meanwhile is cancelled, one that asks what it has asked before has failed.
async fn stored(
    shared: &Shared,
    held: &Held,
    owner: &ClientId<'_>,
    meant: AttemptEnd,
) -> AttemptEnd {
    match meant {
        AttemptEnd::Retried | AttemptEnd::Parked | AttemptEnd::Released => {}
        certain => return certain,
    }
    let job = shared.store.get(owner, &held.ticket.id).await.ok().flatten();
    match (job.map(|job| job.phase), meant) {
        (Some(Phase::Cancelled { .. }), _) => AttemptEnd::Cancelled,
        (Some(Phase::Failed), AttemptEnd::Parked) => AttemptEnd::Failed,
        _ => meant,
    }
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

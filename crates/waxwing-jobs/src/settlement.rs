//! From what is asked of a job to what a store writes and answers: the state machine, its payloads
//! and verdicts in one step.

use crate::input::{Answered, Answers, Exchange, InvalidInput};
use crate::job::{Attempt, Cause, Failure};
use crate::state::{CancelStep, Ending, Life, Stage};
use crate::store::{Bound, CancelVerdict, Outcome, PurgeVerdict, RequeueVerdict};
use waxwing_core::CanonicalJson;

/// The most failed attempts a job's record lists; older ones make room.
pub const MOST_ATTEMPTS: usize = 20;

/// What a store writes beside the life that follows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a store must write each")]
pub enum Write {
    /// Nothing.
    Nothing,
    /// The result.
    Output(CanonicalJson<'static>),
    /// One more failed attempt.
    Attempt(Attempt),
    /// What the job waits for and, when given, its new checkpoint.
    Asked(Exchange, Option<CanonicalJson<'static>>),
}

/// A transition that a store is to commit as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a store must write both")]
pub struct Settlement {
    /// The life that follows.
    pub life: Life,
    /// What goes with it.
    pub write: Write,
}

/// What a worker's `outcome` makes of a job, or `None` when the job is no longer that worker's.
///
/// A job that parks under a key it used before fails for good. `exchange` is read only to park.
///
/// # Errors
/// Whatever `exchange` fails with.
pub fn settle<E>(
    life: Life,
    epoch: u64,
    now_ms: u64,
    outcome: Outcome,
    exchange: impl FnOnce() -> Result<Exchange, E>,
) -> Result<Option<Settlement>, E> {
    let step = |ending| life.settle(epoch, now_ms, ending);
    let failed = |ending, failure| {
        let attempt = Attempt { number: life.attempt(), ended_ms: now_ms, failure };
        step(ending).map(|life| Settlement { life, write: Write::Attempt(attempt) })
    };
    let plain = |ending| step(ending).map(|life| Settlement { life, write: Write::Nothing });
    Ok(match outcome {
        Outcome::Complete(output) => {
            step(Ending::Complete).map(|life| Settlement { life, write: Write::Output(output) })
        }
        Outcome::Fail(failure) => failed(Ending::Fail, failure),
        Outcome::Retry { after, failure } => failed(Ending::Retry { after }, failure),
        Outcome::Cancelled => plain(Ending::Cancelled),
        Outcome::Release => plain(Ending::Release),
        Outcome::Park { requests, checkpoint } => {
            let Some(next) = step(Ending::Park) else { return Ok(None) };
            if next.stage != Stage::Parked {
                return Ok(Some(Settlement { life: next, write: Write::Nothing }));
            }
            let mut exchange = exchange()?;
            match exchange.ask(requests) {
                Ok(()) => {
                    let write = Write::Asked(exchange, checkpoint);
                    Some(Settlement { life: next, write })
                }
                Err(reused) => failed(Ending::Fail, reused_key(&reused)),
            }
        }
    })
}

fn reused_key(error: &InvalidInput) -> Failure {
    Failure::new(Cause::Tool, error.to_string())
}

/// What a client's answers make of a job: which were taken, and the life that follows if any were.
/// Only a parked job takes answers.
#[must_use]
pub fn answer(
    life: Life,
    exchange: &mut Exchange,
    offered: &Answers,
    now_ms: u64,
) -> (Answered, Option<Life>) {
    if life.stage != Stage::Parked {
        let ignored = offered.iter().map(|(key, _)| key.clone()).collect();
        return (Answered { ignored, ..Answered::default() }, None);
    }
    let answered = exchange.take(offered);
    let next = match answered.taken.len() {
        0 => None,
        _ => life.answered(now_ms, answered.outstanding.len()),
    };
    (answered, next)
}

/// What a request to stop makes of a job: the verdict, and the life that follows if it changes.
#[must_use]
pub const fn cancel(life: Life, now_ms: u64) -> (CancelVerdict, Option<Life>) {
    match life.cancel(now_ms) {
        CancelStep::Settled(next) => (CancelVerdict::Settled, Some(next)),
        CancelStep::Requested(next) => (CancelVerdict::Requested, Some(next)),
        CancelStep::RequestedBefore => (CancelVerdict::Requested, None),
        CancelStep::AlreadyTerminal => (CancelVerdict::AlreadyTerminal, None),
        CancelStep::Unknown => (CancelVerdict::Unknown, None),
    }
}

/// What an operator's wish to have a job tried again makes of it. `room` says which bound leaves
/// none, and is asked only when the job could be.
///
/// # Errors
/// Whatever `room` fails with.
pub fn requeue<E>(
    life: Life,
    now_ms: u64,
    room: impl FnOnce() -> Result<Option<Bound>, E>,
) -> Result<(RequeueVerdict, Option<Life>), E> {
    if life.is_expired(now_ms) {
        return Ok((RequeueVerdict::Unknown, None));
    }
    let Some(next) = life.requeue(now_ms) else { return Ok((RequeueVerdict::NotFailed, None)) };
    Ok(match room()? {
        Some(bound) => (RequeueVerdict::Full(bound), None),
        None => (RequeueVerdict::Done, Some(next)),
    })
}

/// Whether a job may be deleted; `Done` is for the store to make true.
#[must_use]
pub const fn purge(life: Life, now_ms: u64) -> PurgeVerdict {
    if life.is_expired(now_ms) {
        PurgeVerdict::Unknown
    } else if life.stage.is_terminal() {
        PurgeVerdict::Done
    } else {
        PurgeVerdict::NotEnded
    }
}

/// What a sweep makes of a job whose lease has run out, or `None` when it has not.
#[must_use]
pub fn lapse(life: Life, now_ms: u64) -> Option<Settlement> {
    let failure = Failure::new(Cause::LeaseLost, "the worker stopped before the work was done");
    let attempt = Attempt { number: life.attempt(), ended_ms: now_ms, failure };
    let next = life.lapse(now_ms)?;
    Some(Settlement { life: next, write: Write::Attempt(attempt) })
}

/// Adds an attempt to a job's list, which keeps the latest [`MOST_ATTEMPTS`].
pub fn list_attempt(attempts: &mut Vec<Attempt>, attempt: Attempt) {
    if attempts.len() >= MOST_ATTEMPTS {
        attempts.drain(..=attempts.len() - MOST_ATTEMPTS);
    }
    attempts.push(attempt);
}

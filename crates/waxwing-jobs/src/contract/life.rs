//! Checks of a job's course: how it ends, what it shows, how long it lives, whose it is.

use std::time::Duration;

use super::world::{HELD, LEASE, MOMENT, TTL, World, answers, client, failure, id, json, park};
use super::{Miss, ensure, same};
use crate::job::{CancelRequest, Phase, Progress};
use crate::state::Cancel;
use crate::store::{Beat, BeatVerdict, CancelVerdict, Outcome, SettleVerdict, Started};

const ASKED: BeatVerdict = BeatVerdict::Held(Cancel::Asked);

fn request(reason: &str) -> CancelRequest {
    CancelRequest::new(Some(reason.to_owned()))
}

impl World {
    async fn cancel(&self, owner: &str, name: &str, why: &str) -> Result<CancelVerdict, Miss> {
        Ok(self.store.cancel(&client(owner)?, &id(name)?, request(why)).await?)
    }
}

pub(super) async fn complete(w: &mut World) -> Result<(), Miss> {
    let ticket = w.completed("a", "one").await?;
    same("phase", w.phase("a", "one").await?, Phase::Completed { output: json("one")? })?;
    same("claimable", w.claim(1).await?.len(), 0)?;
    w.is_stale(&ticket).await
}

pub(super) async fn fail(w: &mut World) -> Result<(), Miss> {
    w.start("a", "one").await?;
    let ticket = w.claim_one().await?.ticket;
    let told =
        failure("broken").with_details(json([1, 2])?).with_code(waxwing_core::ErrorCode::Timeout);
    w.done(&ticket, Outcome::Fail(told.clone())).await?;
    let job = w.get("a", "one").await?;
    same("phase", &job.phase, &Phase::Failed)?;
    same("attempts", job.attempts.len(), 1)?;
    same("the failure", job.attempts.first().map(|attempt| &attempt.failure), Some(&told))?;
    same("claimable", w.claim(1).await?.len(), 0)
}

pub(super) async fn retry(w: &mut World) -> Result<(), Miss> {
    w.start("a", "one").await?;
    let after = Duration::from_secs(10);
    for attempt in 1..=3 {
        let job = w.claim_one().await?;
        same("attempt", job.attempt, attempt)?;
        let failure = failure(&format!("try {attempt}"));
        w.done(&job.ticket, Outcome::Retry { after, failure }).await?;
        w.is_stale(&job.ticket).await?;
        if attempt < 3 {
            same("phase", w.phase("a", "one").await?, Phase::Queued)?;
            w.pass(after - MOMENT).await;
            w.store.sweep(100).await?;
            same("claimed before its delay", w.claim(1).await?.len(), 0)?;
            w.pass(MOMENT * 2).await;
        }
    }
    let job = w.get("a", "one").await?;
    same("phase after the last attempt", &job.phase, &Phase::Failed)?;
    let messages: Vec<&str> = job.attempts.iter().map(|a| a.failure.message.as_str()).collect();
    same("attempts", messages, vec!["try 1", "try 2", "try 3"])?;
    w.pass(after * 2).await;
    same("claimed after the last attempt", w.claim(1).await?.len(), 0)?;
    let once = World::order("a", "once")?.with_max_attempts(1);
    same("a job of one attempt", w.start_one(once).await?, Started::Created)?;
    let ticket = w.claim_one().await?.ticket;
    w.done(&ticket, Outcome::Retry { after, failure: failure("x") }).await?;
    same("after its one attempt", w.phase("a", "once").await?, Phase::Failed)
}

pub(super) async fn terminal(w: &mut World) -> Result<(), Miss> {
    let mut tickets = vec![w.completed("a", "done").await?, w.failed("a", "failed").await?];
    w.start("a", "cancelled").await?;
    let ticket = w.claim_one().await?.ticket;
    w.done(&ticket, Outcome::Cancelled).await?;
    tickets.push(ticket);
    for (ticket, name) in tickets.iter().zip(["done", "failed", "cancelled"]) {
        let before = w.get("a", name).await?;
        w.is_stale(ticket).await?;
        same("a cancel", w.cancel("a", name, "late").await?, CancelVerdict::AlreadyTerminal)?;
        let answered = w.store.answer(&client("a")?, &id(name)?, answers(&[("k", 1)])?).await?;
        same("answers taken", answered.map(|answered| answered.taken.len()), Some(0))?;
        w.pass(LEASE * 2).await;
        w.store.sweep(100).await?;
        let mut after = w.get("a", name).await?;
        after.read_ms = before.read_ms;
        same("the job", after, before)?;
    }
    same("claimable", w.claim(5).await?.len(), 0)
}

pub(super) async fn versions(w: &mut World) -> Result<(), Miss> {
    w.start("a", "one").await?;
    let mut last = w.get("a", "one").await?.version;
    let mut rises = async |what: &str| {
        let version = w.get("a", "one").await?.version;
        ensure!(version > last, "{what} did not raise the version");
        last = version;
        Ok::<_, Miss>(())
    };
    let ticket = w.claim_one().await?.ticket;
    rises("a claim").await?;
    let progress = Progress::new(1.0, None, None);
    let beat = Beat { ticket: ticket.clone(), lease: LEASE, progress, checkpoint: None };
    w.beat_with(beat).await?;
    rises("progress").await?;
    w.done(&ticket, park(&["k", "l"])?).await?;
    rises("parking").await?;
    for key in ["k", "l"] {
        w.store.answer(&client("a")?, &id("one")?, answers(&[(key, 1)])?).await?;
        rises("an answer").await?;
    }
    let ticket = w.claim_one().await?.ticket;
    rises("a claim").await?;
    w.done(&ticket, Outcome::Retry { after: Duration::ZERO, failure: failure("x") }).await?;
    rises("a failed attempt").await?;
    w.claim_one().await?;
    rises("a claim").await?;
    w.pass(LEASE + MOMENT).await;
    w.store.sweep(100).await?;
    rises("a lost lease").await?;
    let ticket = w.claim_one().await?.ticket;
    rises("a claim").await?;
    w.cancel("a", "one", "stop").await?;
    rises("a cancel").await?;
    w.done(&ticket, Outcome::Cancelled).await?;
    rises("the end").await
}

pub(super) async fn cancel_idle(w: &mut World) -> Result<(), Miss> {
    w.parked("a", "parked", &["k"]).await?;
    w.start("a", "delayed").await?;
    let ticket = w.claim_one().await?.ticket;
    w.done(&ticket, Outcome::Retry { after: LEASE, failure: failure("x") }).await?;
    w.start("a", "queued").await?;
    for name in ["queued", "parked", "delayed"] {
        same(name, w.cancel("a", name, "enough").await?, CancelVerdict::Settled)?;
        let wanted = Phase::Cancelled { request: request("enough") };
        same(name, w.phase("a", name).await?, wanted)?;
        same("again", w.cancel("a", name, "late").await?, CancelVerdict::AlreadyTerminal)?;
    }
    w.pass(LEASE * 2).await;
    same("claimable", w.claim(5).await?.len(), 0)
}

pub(super) async fn cancel_running(w: &mut World) -> Result<(), Miss> {
    let cancelled = Phase::Cancelled { request: request("first") };
    let completed = Phase::Completed { output: json(1)? };
    let now = Duration::ZERO;
    let cases = [
        (Outcome::Cancelled, &cancelled),
        (Outcome::Complete(json(1)?), &completed),
        (Outcome::Fail(failure("x")), &Phase::Failed),
        (Outcome::Retry { after: now, failure: failure("x") }, &cancelled),
        (park(&["k"])?, &cancelled),
        (Outcome::Release, &cancelled),
    ];
    for (n, (outcome, wanted)) in cases.into_iter().enumerate() {
        let name = format!("job-{n}");
        w.start("a", &name).await?;
        let ticket = w.claim_one().await?.ticket;
        same("before", w.beat(&ticket).await?, HELD)?;
        same("a cancel", w.cancel("a", &name, "first").await?, CancelVerdict::Requested)?;
        let version = w.get("a", &name).await?.version;
        same("again", w.cancel("a", &name, "second").await?, CancelVerdict::Requested)?;
        let job = w.get("a", &name).await?;
        same("phase", &job.phase, &Phase::Running)?;
        same("the request", job.cancel, Some(request("first")))?;
        same("version after asking again", job.version, version)?;
        same("a beat", w.beat(&ticket).await?, ASKED)?;
        same("the next beat", w.beat(&ticket).await?, ASKED)?;
        w.done(&ticket, outcome).await?;
        same(&name, &w.phase("a", &name).await?, wanted)?;
    }
    w.start("a", "dead").await?;
    w.claim_one().await?;
    w.cancel("a", "dead", "first").await?;
    w.pass(LEASE + MOMENT).await;
    w.store.sweep(100).await?;
    same("a dead worker's job", w.phase("a", "dead").await?, cancelled)
}

pub(super) async fn lifetime(w: &mut World) -> Result<(), Miss> {
    w.completed("a", "done").await?;
    w.start("a", "queued").await?;
    w.pass(TTL - MOMENT * 2).await;
    w.store.sweep(100).await?;
    for name in ["done", "queued"] {
        ensure!(w.find("a", name).await?.is_some(), "{name} is unknown before its time is over");
    }
    w.pass(MOMENT * 3).await;
    for name in ["done", "queued"] {
        same(name, w.find("a", name).await?, None)?;
    }
    same("jobs deleted", w.store.sweep(100).await?.jobs, 2)?;
    same("jobs deleted again", w.store.sweep(100).await?.jobs, 0)
}

pub(super) async fn expired(w: &mut World) -> Result<(), Miss> {
    w.parked("a", "parked", &["k"]).await?;
    w.start("a", "running").await?;
    let ticket = w.claim_one().await?.ticket;
    w.start("a", "queued").await?;
    for name in ["parked", "running", "queued"] {
        w.get("a", name).await?;
    }
    w.pass(TTL + MOMENT).await;
    for swept in [false, true] {
        if swept {
            w.store.sweep(100).await?;
        }
        w.is_stale(&ticket).await?;
        same("claimable", w.claim(5).await?.len(), 0)?;
        for name in ["parked", "running", "queued", "never"] {
            same(name, w.find("a", name).await?, None)?;
            same(name, w.cancel("a", name, "x").await?, CancelVerdict::Unknown)?;
            let answered = w.store.answer(&client("a")?, &id(name)?, answers(&[("k", 1)])?).await?;
            same(name, answered, None)?;
        }
    }
    Ok(())
}

pub(super) async fn foreign(w: &mut World) -> Result<(), Miss> {
    w.parked("a", "parked", &["k"]).await?;
    w.completed("a", "done").await?;
    w.start("a", "running").await?;
    let ticket = w.claim_one().await?.ticket;
    w.start("a", "queued").await?;
    for name in ["parked", "done", "running", "queued", "never"] {
        same(name, w.find("b", name).await?, None)?;
        same(name, w.cancel("b", name, "x").await?, CancelVerdict::Unknown)?;
        let answered = w.store.answer(&client("b")?, &id(name)?, answers(&[("k", 1)])?).await?;
        same(name, answered, None)?;
    }
    same("the owner's job", w.phase("a", "queued").await?, Phase::Queued)?;
    same("the owner's job", w.get("a", "running").await?.cancel, None)?;
    same("its worker", w.beat(&ticket).await?, HELD)?;
    let settled = w.settle(&ticket, Outcome::Complete(json(1)?)).await?;
    same("its end", settled, SettleVerdict::Done)
}

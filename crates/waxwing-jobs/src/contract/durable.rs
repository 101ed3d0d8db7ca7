//! Checks of what survives a crash, for stores that promise it.

use std::time::Duration;

use super::world::{
    HELD, LEASE, World, answers, client, failure, id, idempotency, json, nonce, park,
};
use super::{Miss, ensure, same};
use crate::job::{CancelRequest, Phase, Progress, Snapshot};
use crate::store::{Admission, Beat, Bound, Durability, Outcome, Started};

const KEEP: Duration = Duration::from_secs(600);

const NAMES: [&str; 7] = ["done", "failed", "cancelled", "parked", "delayed", "running", "queued"];

/// Crashes the store and opens it again.
pub(super) async fn crash(w: &mut World) -> Result<(), Miss> {
    w.store = std::sync::Arc::new(crate::memory::MemoryStore::new(crate::store::Bounds::default()));
    w.fixture.reopen().await?;
    w.store = w.fixture.store();
    Ok(())
}

async fn all(w: &World) -> Result<Vec<Snapshot>, Miss> {
    let mut jobs = Vec::new();
    for name in NAMES {
        let mut job = w.get("a", name).await?;
        job.read_ms = 0;
        jobs.push(job);
    }
    Ok(jobs)
}

pub(super) async fn survives(w: &mut World) -> Result<(), Miss> {
    if w.store.info().durability == Durability::Process {
        return Ok(());
    }
    w.completed("a", "done").await?;
    w.failed("a", "failed").await?;
    w.start("a", "cancelled").await?;
    let why = CancelRequest::new(Some("why".to_owned()));
    w.store.cancel(&client("a")?, &id("cancelled")?, why).await?;
    w.parked("a", "parked", &["k", "l"]).await?;
    w.store.answer(&client("a")?, &id("parked")?, answers(&[("k", 1)])?).await?;
    w.start("a", "delayed").await?;
    let ticket = w.claim_one().await?.ticket;
    let after = Duration::from_secs(20);
    w.done(&ticket, Outcome::Retry { after, failure: failure("x") }).await?;
    w.start("a", "running").await?;
    let running = w.claim_one().await?.ticket;
    let beat = Beat {
        ticket: running.clone(),
        lease: LEASE,
        progress: Progress::new(0.25, Some(1.0), Some("a quarter".to_owned())),
        checkpoint: Some(json("so far")?),
    };
    same("a beat", w.beat_with(beat).await?, HELD)?;
    let order = World::order("a", "queued")?.with_nonce(nonce("a", 1, KEEP)?);
    let order = order.with_idempotency(idempotency("k", 1, KEEP)?);
    same("a start", w.start_one(order).await?, Started::Created)?;
    same("a nonce", w.store.admit(vec![nonce("a", 2, KEEP)?]).await?, vec![Admission::Fresh])?;
    same("a mark", w.store.raise_mark("mark", 7).await?, Some(7))?;
    let before = all(w).await?;
    crash(w).await?;
    same("a mark after the crash", w.store.raise_mark("mark", 1).await?, Some(7))?;
    for (after, before) in all(w).await?.iter().zip(&before) {
        same("a job after the crash", after, before)?;
    }
    let nonces = vec![nonce("a", 1, KEEP)?, nonce("a", 2, KEEP)?];
    same("nonces", w.store.admit(nonces).await?, vec![Admission::Replayed; 2])?;
    let again = World::order("a", "again")?.with_idempotency(idempotency("k", 1, KEEP)?);
    let again = w.start_one(again).await?;
    let existing = matches!(&again, Started::Existing { id, .. } if id.as_str() == "queued");
    ensure!(existing, "the same key after the crash gave {again:?}");
    goes_on(w, running).await
}

/// Every job can go on where it was.
async fn goes_on(w: &mut World, running: crate::store::Ticket) -> Result<(), Miss> {
    same("a beat by the worker from before", w.beat(&running).await?, HELD)?;
    w.done(&running, Outcome::Release).await?;
    w.store.answer(&client("a")?, &id("parked")?, answers(&[("l", 2)])?).await?;
    w.pass(Duration::from_secs(21)).await;
    let mut claimed = w.claim(9).await?;
    claimed.sort_by_key(|job| job.ticket.id.to_string());
    let names: Vec<&str> = claimed.iter().map(|job| job.ticket.id.as_str()).collect();
    same("claimed", names, vec!["delayed", "parked", "queued", "running"])?;
    for job in &claimed {
        match job.ticket.id.as_str() {
            "delayed" => same("attempt", job.attempt, 2)?,
            "parked" => same("answers", &job.answers, &answers(&[("k", 1), ("l", 2)])?)?,
            "running" => same("checkpoint", &job.checkpoint, &Some(json("so far")?))?,
            _ => same("input", &job.input, &json(["queued"])?)?,
        }
    }
    Ok(())
}

pub(super) async fn counts(w: &mut World) -> Result<(), Miss> {
    if w.store.info().durability == Durability::Process {
        return Ok(());
    }
    for n in 0..28 {
        w.start("a", &format!("a{n}")).await?;
    }
    let running = w.claim(10).await?;
    same("running", running.len(), 10)?;
    w.parked("a", "parked", &["k"]).await?;
    w.completed("a", "done").await?;
    let nonces = (0..7).map(|n| nonce("a", n, KEEP)).collect::<Result<Vec<_>, Miss>>()?;
    w.store.admit(nonces).await?;
    crash(w).await?;
    w.start("a", "the-last").await?;
    let over = w.start_one(World::order("a", "over")?).await?;
    same("over the bound", over, Started::Full(Bound::ClientJobs))?;
    let more = vec![nonce("a", 8, KEEP)?, nonce("a", 9, KEEP)?];
    same("nonces", w.store.admit(more).await?, vec![Admission::Fresh, Admission::Full])?;
    w.start("b", "late").await?;
    let next = w.claim(2).await?;
    let late = next.iter().any(|job| job.owner.as_str() == "b");
    ensure!(late, "after the crash a late client waits behind the queue: {next:?}");
    let first = running.first().ok_or_else(|| Miss("nothing runs".to_owned()))?;
    w.done(&first.ticket, park(&["k"])?).await?;
    let name = first.ticket.id.as_str();
    ensure!(matches!(w.phase("a", name).await?, Phase::Parked { .. }), "{name} did not park");
    Ok(())
}

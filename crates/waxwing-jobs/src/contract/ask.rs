//! Checks of parking: what a job asks, what it is told, and that it waits without a worker.

use std::time::Duration;

use super::world::{LEASE, MOMENT, World, answers, client, failure, id, json, key, park, requests};
use super::{Miss, ensure, same};
use crate::input::Answered;
use crate::job::Phase;
use crate::store::Outcome;

impl World {
    async fn answer(&self, name: &str, given: &[(&str, u32)]) -> Result<Answered, Miss> {
        let answered = self.store.answer(&client("a")?, &id(name)?, answers(given)?).await?;
        answered.ok_or_else(|| Miss(format!("{name} is unknown")))
    }
}

pub(super) async fn park_and_resume(w: &mut World) -> Result<(), Miss> {
    w.start("a", "one").await?;
    let first = w.claim_one().await?;
    let checkpoint = Some(json("half")?);
    let parked = Outcome::Park { requests: requests(&["k"])?, checkpoint: checkpoint.clone() };
    w.done(&first.ticket, parked).await?;
    same("phase", w.phase("a", "one").await?, Phase::Parked { requests: requests(&["k"])? })?;
    w.is_stale(&first.ticket).await?;
    w.pass(LEASE * 3).await;
    same("leases lost", w.store.sweep(100).await?.lapsed, 0)?;
    same("claimable", w.claim(1).await?.len(), 0)?;
    let answered = w.answer("one", &[("k", 5)]).await?;
    same("taken", (answered.taken, answered.outstanding), (vec![key("k")?], Vec::new()))?;
    same("phase", w.phase("a", "one").await?, Phase::Queued)?;
    let second = w.claim_one().await?;
    ensure!(second.ticket.epoch > first.ticket.epoch, "the epoch did not rise");
    same("answers", second.answers, answers(&[("k", 5)])?)?;
    same("checkpoint", second.checkpoint, checkpoint.clone())?;
    same("attempt", second.attempt, 1)?;
    w.done(&second.ticket, Outcome::Retry { after: Duration::ZERO, failure: failure("x") }).await?;
    let third = w.claim_one().await?;
    same("answers of a later attempt", third.answers, answers(&[("k", 5)])?)?;
    w.done(&third.ticket, park(&["l"])?).await?;
    same("ignored", w.answer("one", &[("k", 9)]).await?.ignored, vec![key("k")?])?;
    w.answer("one", &[("l", 6)]).await?;
    let fourth = w.claim_one().await?;
    same("answers of a life", fourth.answers, answers(&[("k", 5), ("l", 6)])?)?;
    same("a checkpoint that was not replaced", fourth.checkpoint, checkpoint)
}

pub(super) async fn partial(w: &mut World) -> Result<(), Miss> {
    w.parked("a", "one", &["k", "l", "m"]).await?;
    let keys =
        |names: &[&str]| names.iter().map(|name| key(name)).collect::<Result<Vec<_>, Miss>>();
    let first = w.answer("one", &[("k", 1), ("z", 1)]).await?;
    let wanted = (keys(&["k"])?, keys(&["z"])?, keys(&["l", "m"])?);
    same("first", (first.taken, first.ignored, first.outstanding), wanted)?;
    let left = Phase::Parked { requests: requests(&["l", "m"])? };
    same("what is outstanding", w.phase("a", "one").await?, left)?;
    same("claimable", w.claim(1).await?.len(), 0)?;
    let version = w.get("a", "one").await?.version;
    let none = w.answer("one", &[("k", 2)]).await?;
    let wanted = (Vec::new(), keys(&["k"])?, keys(&["l", "m"])?);
    same("again", (none.taken, none.ignored, none.outstanding), wanted)?;
    same("version after nothing was taken", w.get("a", "one").await?.version, version)?;
    w.answer("one", &[("m", 3), ("l", 2)]).await?;
    let all = answers(&[("k", 1), ("l", 2), ("m", 3)])?;
    same("all answers", w.claim_one().await?.answers, all)?;
    w.start("a", "queued").await?;
    let ignored = w.answer("queued", &[("k", 1)]).await?;
    let wanted = (Vec::new(), keys(&["k"])?, Vec::new());
    same("a job that waits for none", (ignored.taken, ignored.ignored, ignored.outstanding), wanted)
}

pub(super) async fn reuse(w: &mut World) -> Result<(), Miss> {
    w.parked("a", "one", &["k"]).await?;
    w.answer("one", &[("k", 1)]).await?;
    let ticket = w.claim_one().await?.ticket;
    w.done(&ticket, park(&["k", "l"])?).await?;
    let job = w.get("a", "one").await?;
    same("phase", &job.phase, &Phase::Failed)?;
    let said = job.attempts.last().map(|attempt| attempt.failure.message.contains("\"k\""));
    same("the failure names the key", said, Some(true))?;
    w.pass(MOMENT).await;
    same("claimable", w.claim(1).await?.len(), 0)
}

//! Checks of what workers do: claims, turns, leases, epochs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::world::{HELD, LEASE, MOMENT, TTL, World, failure, json, kind};
use super::{Miss, ensure, same};
use crate::job::{Cause, Phase, Progress};
use crate::store::{Beat, Claim, Outcome, Started};

pub(super) async fn claim(w: &mut World) -> Result<(), Miss> {
    w.start("a", "one").await?;
    same("a claim of none", w.claim(0).await?.len(), 0)?;
    let job = w.claim_one().await?;
    same("id", job.ticket.id.as_str(), "one")?;
    same("owner", job.owner.as_str(), "a")?;
    same("kind", job.kind.as_str(), "work")?;
    same("input", &job.input, &json(["one"])?)?;
    same("attempt", (job.attempt, job.max_attempts), (1, 3))?;
    same("answers", job.answers.is_empty(), true)?;
    same("checkpoint", &job.checkpoint, &None)?;
    ensure!(
        job.expires_in <= TTL && job.expires_in + MOMENT >= TTL,
        "{:?} to live",
        job.expires_in
    );
    same("phase", w.phase("a", "one").await?, Phase::Running)?;
    same("a second claim", w.claim(5).await?.len(), 0)?;
    w.done(&job.ticket, Outcome::Release).await?;
    let again = w.claim_one().await?;
    ensure!(again.ticket.epoch > job.ticket.epoch, "a new claim did not raise the epoch");
    for n in 0..5 {
        w.start("a", &format!("more-{n}")).await?;
    }
    same("a claim of three", w.claim(3).await?.len(), 3)?;
    same("a claim of more than there are", w.claim(9).await?.len(), 2)
}

pub(super) async fn waited(w: &mut World) -> Result<(), Miss> {
    let ten = Duration::from_secs(10);
    let near = |what: &str, waited: Duration, wanted: Duration| {
        let late = waited.saturating_sub(wanted);
        ensure!(waited >= wanted && late < ten, "{what}: {waited:?} instead of {wanted:?}");
        Ok(())
    };
    w.start("a", "one").await?;
    w.pass(ten).await;
    let first = w.claim_one().await?;
    near("since its start", first.waited, ten)?;
    // The delay of a retry is no wait: nobody could have taken the job.
    w.done(&first.ticket, Outcome::Retry { after: LEASE, failure: failure("x") }).await?;
    w.pass(LEASE + ten).await;
    near("since its delay was over", w.claim_one().await?.waited, ten)
}

pub(super) async fn claim_race(w: &mut World) -> Result<(), Miss> {
    for n in 0..30 {
        w.start("a", &format!("job-{n}")).await?;
    }
    let mut racers = JoinSet::new();
    for n in 0..8 {
        let store = Arc::clone(&w.store);
        let kinds = vec![kind("work")?];
        let claim = Claim { worker: format!("w{n}"), kinds, lease: LEASE, max: 3 };
        racers.spawn(async move {
            let mut all = Vec::new();
            loop {
                let claimed = store.claim(claim.clone()).await?;
                // A store that gives the same jobs again and again must not keep the suite for ever.
                if claimed.is_empty() || all.len() > 60 {
                    return Ok::<_, crate::store::StoreError>(all);
                }
                all.extend(claimed);
            }
        });
    }
    let mut taken = Vec::new();
    while let Some(raced) = racers.join_next().await {
        taken.extend(raced.map_err(|error| Miss(error.to_string()))??);
    }
    same("claims", taken.len(), 30)?;
    let ids: BTreeSet<_> = taken.into_iter().map(|job| job.ticket.id).collect();
    same("jobs claimed", ids.len(), 30)
}

pub(super) async fn turns(w: &mut World) -> Result<(), Miss> {
    for n in 0..20 {
        w.start("flood", &format!("f{n}")).await?;
    }
    let of = |jobs: &[crate::store::Claimed], owner: &str| {
        jobs.iter().filter(|job| job.owner.as_str() == owner).count()
    };
    same("the flood alone", of(&w.claim(4).await?, "flood"), 4)?;
    for n in 0..3 {
        w.start("late", &format!("l{n}")).await?;
    }
    let next = w.claim(8).await?;
    same("jobs of the late one among the next eight", of(&next, "late"), 3)?;
    w.start("later", "x").await?;
    let next = w.claim(2).await?;
    same("jobs of the latest among the next two", of(&next, "later"), 1)?;
    // A job that comes back after a delay waits for its turn like any other.
    let job = next.iter().find(|job| job.owner.as_str() == "flood");
    let ticket = job.ok_or_else(|| Miss("the flood got no turn".to_owned()))?.ticket.clone();
    let after = Duration::from_secs(1);
    w.done(&ticket, Outcome::Retry { after, failure: failure("x") }).await?;
    w.pass(after + MOMENT).await;
    w.start("latest", "y").await?;
    same("jobs of the latest among the next two", of(&w.claim(2).await?, "latest"), 1)
}

pub(super) async fn turns_behind(w: &mut World) -> Result<(), Miss> {
    // It stands first for ever: nobody claims its kind.
    let mut head = World::order("head", "head")?;
    head.kind = kind("elsewhere")?;
    same("the head", w.store.start(vec![head]).await?, vec![Started::Created])?;
    for n in 0..30 {
        w.start("first", &format!("f{n}")).await?;
    }
    for job in w.claim(20).await? {
        w.done(&job.ticket, Outcome::Complete(json(1)?)).await?;
    }
    let mut first = 0;
    for n in 0..16 {
        w.start("second", &format!("s{n}")).await?;
        let job = w.claim_one().await?;
        first += u32::from(job.owner.as_str() == "first");
        w.done(&job.ticket, Outcome::Complete(json(1)?)).await?;
    }
    ensure!((6..=10).contains(&first), "of 16 turns the first of two clients got {first}");
    Ok(())
}

pub(super) async fn kinds(w: &mut World) -> Result<(), Miss> {
    let mut other = World::order("a", "other")?;
    other.kind = kind("elsewhere")?;
    w.store.start(vec![other, World::order("a", "mine")?]).await?;
    let claimed = w.claim(5).await?;
    same("jobs", claimed.len(), 1)?;
    same("the job", claimed.first().map(|job| job.ticket.id.as_str()), Some("mine"))?;
    same("the other", w.phase("a", "other").await?, Phase::Queued)?;
    let none = Claim { worker: "w".to_owned(), kinds: Vec::new(), lease: LEASE, max: 5 };
    same("of no kind", w.store.claim(none).await?.len(), 0)
}

pub(super) async fn beats(w: &mut World) -> Result<(), Miss> {
    w.start("a", "one").await?;
    let ticket = w.claim_one().await?.ticket;
    let version = w.get("a", "one").await?.version;
    for _ in 0..10 {
        w.pass(LEASE - MOMENT).await;
        same("a beat", w.beat(&ticket).await?, HELD)?;
        same("jobs moved", w.store.sweep(100).await?.lapsed, 0)?;
    }
    same("version after mere beats", w.get("a", "one").await?.version, version)?;
    w.done(&ticket, Outcome::Complete(json(1)?)).await
}

pub(super) async fn reports(w: &mut World) -> Result<(), Miss> {
    w.start("a", "one").await?;
    let ticket = w.claim_one().await?.ticket;
    let before = w.get("a", "one").await?.version;
    let progress = Progress::new(1.5, Some(3.0), Some("half".to_owned()));
    let beat = Beat {
        ticket: ticket.clone(),
        lease: LEASE,
        progress: progress.clone(),
        checkpoint: Some(json("so far")?),
    };
    same("a beat with news", w.beat_with(beat).await?, HELD)?;
    let job = w.get("a", "one").await?;
    same("progress", &job.progress, &progress)?;
    ensure!(job.version > before, "progress did not raise the version");
    same("a beat without", w.beat(&ticket).await?, HELD)?;
    same("progress after a beat without", w.get("a", "one").await?.progress, progress)?;
    w.done(&ticket, Outcome::Retry { after: Duration::ZERO, failure: failure("x") }).await?;
    let again = w.claim_one().await?;
    same("checkpoint", again.checkpoint, Some(json("so far")?))?;
    same("attempt", again.attempt, 2)
}

pub(super) async fn lapse(w: &mut World) -> Result<(), Miss> {
    w.start("a", "one").await?;
    for attempt in 1..=3 {
        let job = w.claim_one().await?;
        same("attempt", job.attempt, attempt)?;
        w.pass(LEASE - MOMENT).await;
        same("moved before the lease's end", w.store.sweep(100).await?.lapsed, 0)?;
        same("claimed before the lease's end", w.claim(1).await?.len(), 0)?;
        w.pass(MOMENT * 2).await;
        same("moved after the lease's end", w.store.sweep(100).await?.lapsed, 1)?;
        same("moved twice", w.store.sweep(100).await?.lapsed, 0)?;
        w.is_stale(&job.ticket).await?;
    }
    let job = w.get("a", "one").await?;
    same("phase after the last attempt", &job.phase, &Phase::Failed)?;
    let numbers: Vec<u32> = job.attempts.iter().map(|attempt| attempt.number).collect();
    same("attempts listed", numbers, vec![1, 2, 3])?;
    let lost = job.attempts.iter().all(|attempt| attempt.failure.cause == Cause::LeaseLost);
    ensure!(lost, "attempts do not say that the lease was lost: {:?}", job.attempts);
    same("claimable", w.claim(1).await?.len(), 0)
}

pub(super) async fn fencing(w: &mut World) -> Result<(), Miss> {
    w.start("a", "one").await?;
    let stalled = w.claim_one().await?.ticket;
    w.pass(LEASE + MOMENT).await;
    // Late, but nobody has taken the job: it is still this worker's.
    same("a late beat", w.beat(&stalled).await?, HELD)?;
    w.pass(LEASE + MOMENT).await;
    w.store.sweep(100).await?;
    w.is_stale(&stalled).await?;
    let ticket = w.claim_one().await?.ticket;
    ensure!(ticket.epoch > stalled.epoch, "the epoch did not rise");
    let before = w.get("a", "one").await?;
    w.is_stale(&stalled).await?;
    let late = Beat {
        ticket: stalled.clone(),
        lease: LEASE * 100,
        progress: Progress::new(9.0, None, None),
        checkpoint: Some(json("stale")?),
    };
    same("a late beat with news", w.beat_with(late).await?, crate::store::BeatVerdict::Lost)?;
    let after = w.get("a", "one").await?;
    same(
        "the job",
        (&after.phase, after.version, &after.progress),
        (&before.phase, before.version, &before.progress),
    )?;
    w.pass(LEASE + MOMENT).await;
    same("moved at the holder's own lease", w.store.sweep(100).await?.lapsed, 1)?;
    let last = w.claim_one().await?;
    same("checkpoint", &last.checkpoint, &None)?;
    w.done(&last.ticket, Outcome::Complete(json("true")?)).await?;
    w.is_stale(&ticket).await?;
    w.is_stale(&stalled).await?;
    same("the result", w.phase("a", "one").await?, Phase::Completed { output: json("true")? })
}

pub(super) async fn release(w: &mut World) -> Result<(), Miss> {
    w.start("a", "one").await?;
    for _ in 0..6 {
        let job = w.claim_one().await?;
        same("attempt", job.attempt, 1)?;
        w.done(&job.ticket, Outcome::Release).await?;
        same("phase", w.phase("a", "one").await?, Phase::Queued)?;
        w.is_stale(&job.ticket).await?;
    }
    same("attempts", w.get("a", "one").await?.attempts.len(), 0)
}

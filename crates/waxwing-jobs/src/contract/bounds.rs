//! Checks of what is bounded: nonces and unfinished jobs.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use waxwing_core::{KeyId, ServerId};

use super::world::{MOMENT, World, idempotency, json, nonce};
use super::{Miss, ensure, same};
use crate::store::{Admission, Bound, Outcome, Started};

const KEEP: Duration = Duration::from_secs(60);

pub(super) async fn nonces(w: &mut World) -> Result<(), Miss> {
    use Admission::{Fresh, Replayed};
    let one = nonce("a", 1, KEEP)?;
    let mut key = one.clone();
    key.key = KeyId::new("k2").map_err(|e| Miss(e.to_string()))?;
    let mut server = one.clone();
    server.server = ServerId::new("other").map_err(|e| Miss(e.to_string()))?;
    let batch =
        vec![one.clone(), one.clone(), nonce("b", 1, KEEP)?, key, server, nonce("a", 2, KEEP)?];
    let verdicts = w.store.admit(batch.clone()).await?;
    same("a batch", verdicts, vec![Fresh, Replayed, Fresh, Fresh, Fresh, Fresh])?;
    same("again", w.store.admit(batch.clone()).await?, vec![Replayed; 6])?;
    w.pass(KEEP - MOMENT).await;
    w.store.sweep(100).await?;
    same("just before their time", w.store.admit(batch).await?, vec![Replayed; 6])?;
    w.pass(MOMENT * 2).await;
    same("after its time", w.store.admit(vec![one.clone()]).await?, vec![Fresh])?;
    w.store.sweep(100).await?;
    same("kept anew", w.store.admit(vec![one]).await?, vec![Replayed])
}

pub(super) async fn nonce_race(w: &mut World) -> Result<(), Miss> {
    let mut racers = JoinSet::new();
    for _ in 0..24 {
        let (store, record) = (Arc::clone(&w.store), nonce("a", 1, KEEP)?);
        racers.spawn(async move { store.admit(vec![record]).await });
    }
    let mut fresh = 0;
    while let Some(raced) = racers.join_next().await {
        let verdicts = raced.map_err(|error| Miss(error.to_string()))??;
        fresh += verdicts.iter().filter(|verdict| **verdict == Admission::Fresh).count();
    }
    same("times fresh", fresh, 1)
}

pub(super) async fn marks(w: &mut World) -> Result<(), Miss> {
    for (name, at_least, height) in [
        ("a", i64::MIN, i64::MIN),
        ("a", 5, 5),
        ("a", 3, 5),
        ("b", -1, -1),
        ("a", i64::MIN, 5),
        ("b", i64::MAX, i64::MAX),
        ("a", 6, 6),
    ] {
        let mark = w.store.raise_mark(name, at_least).await?;
        same(&format!("{name} raised to {at_least}"), mark, Some(height))?;
    }
    let mut racers = JoinSet::new();
    for n in 0..24 {
        let store = Arc::clone(&w.store);
        racers.spawn(async move { (n, store.raise_mark("race", n * 7 % 24).await) });
    }
    while let Some(raced) = racers.join_next().await {
        let (n, raised) = raced.map_err(|error| Miss(error.to_string()))?;
        let raised = raised?;
        ensure!(raised >= Some(n * 7 % 24), "a mark raised to {n} stands at {raised:?}");
    }
    same("after the race", w.store.raise_mark("race", 0).await?, Some(23))
}

pub(super) async fn nonces_full(w: &mut World) -> Result<(), Miss> {
    use Admission::{Fresh, Full, Replayed};
    let of = |client, numbers: std::ops::Range<u32>| {
        numbers.map(|n| nonce(client, n, KEEP)).collect::<Result<Vec<_>, Miss>>()
    };
    same("up to the key's bound", w.store.admit(of("a", 0..8)?).await?, vec![Fresh; 8])?;
    same("over the key's bound", w.store.admit(of("a", 8..9)?).await?, vec![Full])?;
    same("another key", w.store.admit(of("b", 0..4)?).await?, vec![Fresh; 4])?;
    same("over the bound of all", w.store.admit(of("b", 4..5)?).await?, vec![Full])?;
    same("what was kept", w.store.admit(of("a", 0..8)?).await?, vec![Replayed; 8])?;
    let start = World::order("c", "one")?.with_nonce(nonce("c", 1, KEEP)?);
    same("a start", w.start_one(start).await?, Started::Full(Bound::Nonces))?;
    same("a job of that start", w.find("c", "one").await?, None)?;
    w.pass(KEEP + MOMENT).await;
    same("once they are over", w.store.admit(of("a", 8..9)?).await?, vec![Fresh])
}

pub(super) async fn jobs_full(w: &mut World) -> Result<(), Miss> {
    for n in 0..30 {
        w.start("a", &format!("a{n}")).await?;
    }
    let over = w.start_one(World::order("a", "a30")?).await?;
    same("over a client's bound", over, Started::Full(Bound::ClientJobs))?;
    for n in 0..10 {
        w.start("b", &format!("b{n}")).await?;
    }
    let over = w.start_one(World::order("b", "b10")?).await?;
    same("over the bound of all", over, Started::Full(Bound::AllJobs))?;
    let ticket = w.claim_one().await?;
    let owner = ticket.owner.clone();
    let over = w.start_one(World::order(owner.as_str(), "more")?).await?;
    let bound = if owner.as_str() == "a" { Bound::ClientJobs } else { Bound::AllJobs };
    same("a running job is unfinished", over, Started::Full(bound))?;
    w.done(&ticket.ticket, Outcome::Complete(json(1)?)).await?;
    w.start(owner.as_str(), "more").await
}

pub(super) async fn full_stores_nothing(w: &mut World) -> Result<(), Miss> {
    for n in 0..30 {
        w.start("a", &format!("a{n}")).await?;
    }
    let key = || idempotency("k", 1, KEEP);
    let order = |name| {
        Ok::<_, Miss>(
            World::order("a", name)?.with_nonce(nonce("a", 1, KEEP)?).with_idempotency(key()?),
        )
    };
    let full = Started::Full(Bound::ClientJobs);
    same("the first", w.start_one(order("x")?).await?, full.clone())?;
    same("the same nonce and key again", w.start_one(order("x")?).await?, full)?;
    same("the job", w.find("a", "x").await?, None)?;
    let ticket = w.claim_one().await?.ticket;
    w.done(&ticket, Outcome::Cancelled).await?;
    same("once there is room", w.start_one(order("y")?).await?, Started::Created)
}

pub(super) async fn expired_takes_no_room(w: &mut World) -> Result<(), Miss> {
    let short = Duration::from_secs(10);
    for n in 0..30 {
        let job = World::order("a", &format!("a{n}"))?.with_ttl(short);
        same("a start", w.start_one(job).await?, Started::Created)?;
    }
    w.claim(3).await?;
    w.pass(short + MOMENT).await;
    for n in 0..30 {
        w.start("a", &format!("later-{n}")).await?;
    }
    let over = w.start_one(World::order("a", "over")?).await?;
    same("over the bound again", over, Started::Full(Bound::ClientJobs))
}

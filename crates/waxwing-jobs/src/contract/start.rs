//! Checks of starts: what is stored, and what an earlier start makes of a later one.

use std::time::Duration;

use tokio::task::JoinSet;

use super::world::{MOMENT, TTL, World, idempotency, json, nonce, server};
use super::{Miss, ensure, same};
use crate::clock::millis;
use crate::job::Phase;
use crate::store::{Admission, Durability, Started, StoreError};

const KEEP: Duration = Duration::from_secs(60);

pub(super) async fn one_server(w: &mut World) -> Result<(), Miss> {
    let mut racers = JoinSet::new();
    for n in 0..12 {
        let (store, server) = (std::sync::Arc::clone(&w.store), server(&format!("server-{n}"))?);
        racers.spawn(async move {
            let bound = store.bind(&server).await;
            (server, bound)
        });
    }
    let (mut served, mut refused) = (Vec::new(), Vec::new());
    while let Some(raced) = racers.join_next().await {
        let (server, bound) = raced.map_err(|error| Miss(error.to_string()))?;
        match bound {
            Ok(()) => served.push(server),
            Err(StoreError::Misconfigured(why)) => refused.push((server, why)),
            Err(other) => return Err(other.into()),
        }
    }
    same("servers that the store works for", served.len(), 1)?;
    let Some(first) = served.pop() else { return Ok(()) };
    for (other, why) in &refused {
        let named = why.contains(first.as_str()) && why.contains(other.as_str());
        ensure!(named && !why.contains('\n'), "{other} was refused with {why:?}");
    }
    w.store.bind(&first).await?;
    if w.store.info().durability != Durability::Process {
        super::durable::crash(w).await?;
        let Some((other, _)) = refused.pop() else { return Ok(()) };
        let bound = w.store.bind(&other).await;
        ensure!(bound.is_err(), "after a crash it works for another server");
    }
    Ok(w.store.bind(&first).await?)
}

pub(super) async fn reads_back(w: &mut World) -> Result<(), Miss> {
    w.start("a", "one").await?;
    let job = w.get("a", "one").await?;
    same("phase", &job.phase, &Phase::Queued)?;
    same("owner", job.owner.as_str(), "a")?;
    same("id", job.id.as_str(), "one")?;
    same("kind", job.kind.as_str(), "work")?;
    same("ttl", job.ttl_ms, millis(TTL))?;
    same("progress", &job.progress, &None)?;
    same("attempts", job.attempts.len(), 0)?;
    ensure!(job.read_ms >= job.created_ms, "read before it was created");
    ensure!(job.read_ms - job.created_ms < 60_000, "created by another clock than it is read by");
    let again = w.get("a", "one").await?;
    same("version after a mere read", again.version, job.version)
}

pub(super) async fn batch(w: &mut World) -> Result<(), Miss> {
    let keyed =
        |name| Ok::<_, Miss>(World::order("a", name)?.with_idempotency(idempotency("k", 1, KEEP)?));
    let other = World::order("a", "j4")?.with_idempotency(idempotency("k", 2, KEEP)?);
    let jobs =
        vec![World::order("a", "j1")?, keyed("j2")?, keyed("j3")?, other, World::order("b", "j5")?];
    let verdicts = w.store.start(jobs).await?;
    same("verdicts", verdicts.len(), 5)?;
    for (n, wanted) in [
        (0, Started::Created),
        (1, Started::Created),
        (3, Started::Conflict),
        (4, Started::Created),
    ] {
        same("a verdict", verdicts.get(n), Some(&wanted))?;
    }
    let existing =
        matches!(verdicts.get(2), Some(Started::Existing { id, .. }) if id.as_str() == "j2");
    ensure!(existing, "the second start of a batch under one key gave {:?}", verdicts.get(2));
    for (owner, name, there) in [
        ("a", "j1", true),
        ("a", "j2", true),
        ("a", "j3", false),
        ("a", "j4", false),
        ("b", "j5", true),
    ] {
        same(name, w.find(owner, name).await?.is_some(), there)?;
    }
    same("verdicts on nothing", w.store.start(Vec::new()).await?.len(), 0)
}

pub(super) async fn id_taken(w: &mut World) -> Result<(), Miss> {
    w.start("a", "one").await?;
    for owner in ["a", "b"] {
        let verdict = w.start_one(World::order(owner, "one")?).await?;
        same("a second start with the same id", verdict, Started::IdTaken)?;
    }
    same("owner", w.get("a", "one").await?.owner.as_str(), "a")?;
    same("the other's job", w.find("b", "one").await?, None)
}

pub(super) async fn idempotent(w: &mut World) -> Result<(), Miss> {
    let order = |owner, name, digest| {
        Ok::<_, Miss>(World::order(owner, name)?.with_idempotency(idempotency("k", digest, KEEP)?))
    };
    same("the first", w.start_one(order("a", "one", 1)?).await?, Started::Created)?;
    match w.start_one(order("a", "two", 1)?).await? {
        Started::Existing { id, snapshot: Some(snapshot) } => {
            same("the first job's id", id.as_str(), "one")?;
            same("the first job", *snapshot, w.get("a", "one").await?)?;
        }
        other => return Err(Miss(format!("the same call again gave {other:?}"))),
    }
    same("another call", w.start_one(order("a", "three", 2)?).await?, Started::Conflict)?;
    same("another client", w.start_one(order("b", "four", 2)?).await?, Started::Created)?;
    same("a second job", w.find("a", "two").await?, None)?;
    same("a job of the conflict", w.find("a", "three").await?, None)?;
    let ticket = w.claim_one().await?.ticket;
    w.done(&ticket, crate::store::Outcome::Complete(json(7)?)).await?;
    let again = w.start_one(order("a", "five", 1)?).await?;
    let Started::Existing { snapshot: Some(snapshot), .. } = again else {
        return Err(Miss(format!("the same call after the job's end gave {again:?}")));
    };
    ensure!(snapshot.phase.is_terminal(), "the first outcome is not shown: {snapshot:?}");
    Ok(())
}

pub(super) async fn key_time(w: &mut World) -> Result<(), Miss> {
    let order = |name, ttl| {
        let key = idempotency("k", 1, KEEP)?;
        Ok::<_, Miss>(World::order("a", name)?.with_ttl(ttl).with_idempotency(key))
    };
    let short = KEEP / 4;
    same("the first", w.start_one(order("one", short)?).await?, Started::Created)?;
    w.pass(KEEP / 2).await;
    w.store.sweep(100).await?;
    let after_job = w.start_one(order("two", TTL)?).await?;
    let gone =
        matches!(&after_job, Started::Existing { id, snapshot: None } if id.as_str() == "one");
    ensure!(gone, "a key that outlived its job gave {after_job:?}");
    w.pass(KEEP / 2).await;
    w.pass(MOMENT).await;
    same("after the key's time", w.start_one(order("three", TTL)?).await?, Started::Created)
}

pub(super) async fn key_race(w: &mut World) -> Result<(), Miss> {
    let mut racers = JoinSet::new();
    for n in 0..24 {
        let job = World::order("a", &format!("job-{n}"))?;
        let job = job.with_idempotency(idempotency("k", 1, KEEP)?);
        let store = std::sync::Arc::clone(&w.store);
        racers.spawn(async move { store.start(vec![job]).await });
    }
    let (mut created, mut existing) = (0, std::collections::BTreeSet::new());
    while let Some(raced) = racers.join_next().await {
        let verdicts = raced.map_err(|error| Miss(error.to_string()))??;
        match verdicts.first() {
            Some(Started::Created) => created += 1,
            Some(Started::Existing { id, .. }) => drop(existing.insert(id.clone())),
            other => return Err(Miss(format!("a racing start gave {other:?}"))),
        }
    }
    same("jobs created", created, 1)?;
    same("jobs named", existing.len(), 1)?;
    same("jobs to claim", w.claim(30).await?.len(), 1)
}

pub(super) async fn spends_nonce(w: &mut World) -> Result<(), Miss> {
    let order = |name, n| Ok::<_, Miss>(World::order("a", name)?.with_nonce(nonce("a", n, KEEP)?));
    let key = || idempotency("k", 1, KEEP);
    same("fresh", w.start_one(order("one", 1)?.with_idempotency(key()?)).await?, Started::Created)?;
    let replay = order("two", 1)?.with_idempotency(idempotency("other", 1, KEEP)?);
    same("replayed", w.start_one(replay).await?, Started::Replayed)?;
    same("a job of the replay", w.find("a", "two").await?, None)?;
    let admitted = w.store.admit(vec![nonce("a", 1, KEEP)?]).await?;
    same("admission of the same nonce", admitted, vec![Admission::Replayed])?;
    let existing = w.start_one(order("three", 2)?.with_idempotency(key()?)).await?;
    ensure!(matches!(existing, Started::Existing { .. }), "same key, new nonce: {existing:?}");
    let conflict = order("four", 3)?.with_idempotency(idempotency("k", 9, KEEP)?);
    same("same key, other call", w.start_one(conflict).await?, Started::Conflict)?;
    let spent = w.store.admit(vec![nonce("a", 2, KEEP)?, nonce("a", 3, KEEP)?]).await?;
    same("nonces of existing and conflict", spent, vec![Admission::Replayed; 2])?;
    let unused = w.start_one(order("five", 4)?.with_idempotency(idempotency("other", 1, KEEP)?));
    same("the key of the replayed start", unused.await?, Started::Created)
}

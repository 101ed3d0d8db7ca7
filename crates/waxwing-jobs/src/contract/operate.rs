//! Checks of what watches and what operates: changes, lists, counts, requeue, purge, sweep.

use std::sync::Arc;
use std::time::Duration;

use super::world::{LEASE, MOMENT, TTL, World, client, failure, id, json, kind};
use super::{Miss, ensure, same};
use crate::job::{CancelRequest, Phase};
use crate::state::StageName;
use crate::store::{
    Bound, Filter, Outcome, PurgeVerdict, Remaining, RequeueVerdict, Seen, Store, TOLD_WITHIN,
};

/// How long a check waits for what must come: far longer than it may take.
const PATIENCE: Duration = Duration::from_secs(10);

async fn seen(w: &World, name: &str) -> Result<Seen, Miss> {
    Ok(Seen { id: id(name)?, version: w.get("a", name).await?.version })
}

pub(super) async fn changed(w: &mut World) -> Result<(), Miss> {
    w.start("a", "one").await?;
    w.start("a", "two").await?;
    let both = [seen(w, "one").await?, seen(w, "two").await?];
    let short = Duration::from_millis(60);
    same("while nothing moves", w.store.changed(&both, short).await?, Vec::new())?;
    let claimed = w.claim(1).await?;
    let moved = w.store.changed(&both, PATIENCE).await?;
    same("what moved", moved, claimed.into_iter().map(|job| job.ticket.id).collect())?;
    let never = [Seen { id: id("never")?, version: 1 }];
    same("what never was", w.store.changed(&never, PATIENCE).await?, vec![id("never")?])?;
    w.pass(TTL + MOMENT).await;
    let gone = w.store.changed(&both, PATIENCE).await?;
    same("what is expired", gone.len(), 2)
}

pub(super) async fn wakes(w: &mut World) -> Result<(), Miss> {
    w.start("a", "one").await?;
    let before = [seen(w, "one").await?];
    let store = Arc::clone(&w.store);
    let mut look = Box::pin(store.changed(&before, PATIENCE));
    // Long enough for the first look to be over: what comes now must be seen by a later one.
    if let Ok(early) = tokio::time::timeout(Duration::from_millis(150), &mut look).await {
        return Err(Miss(format!("it did not wait while nothing moved: {early:?}")));
    }
    w.store.cancel(&client("a")?, &id("one")?, CancelRequest::default()).await?;
    let start = tokio::time::Instant::now();
    let moved = look.await?;
    let took = start.elapsed();
    same("what moved", moved, vec![id("one")?])?;
    ensure!(took < TOLD_WITHIN, "told after {took:?}");
    Ok(())
}

async fn names(w: &World, filter: Filter) -> Result<Vec<String>, Miss> {
    let page = w.store.list(filter).await?;
    Ok(page.jobs.into_iter().map(|job| job.id.to_string()).collect())
}

pub(super) async fn list(w: &mut World) -> Result<(), Miss> {
    w.completed("a", "done").await?;
    w.failed("b", "failed").await?;
    w.pass(Duration::from_secs(100)).await;
    let mut other = World::order("a", "other")?;
    other.kind = kind("elsewhere")?;
    w.store.start(vec![other]).await?;
    w.start("a", "queued").await?;
    let all = Filter::default;
    same(
        "all",
        names(w, all()).await?,
        vec!["done", "failed", "other", "queued"].into_iter().map(str::to_owned).collect(),
    )?;
    let ended = vec![StageName::Completed, StageName::Failed];
    same("ended", names(w, Filter { stages: ended, ..all() }).await?.len(), 2)?;
    let of_kind = Filter { kind: Some(kind("elsewhere")?), ..all() };
    same("of a kind", names(w, of_kind).await?, vec!["other".to_owned()])?;
    let of_owner = Filter { owner: Some(client("b")?), ..all() };
    same("of an owner", names(w, of_owner).await?, vec!["failed".to_owned()])?;
    let old = Filter { older_than: Some(Duration::from_secs(50)), ..all() };
    same("old ones", names(w, old).await?.len(), 2)?;
    let (mut filter, mut paged) = (Filter { limit: 3, ..all() }, Vec::new());
    loop {
        let page = w.store.list(filter.clone()).await?;
        ensure!(page.jobs.len() <= 3, "a page of three has {}", page.jobs.len());
        paged.extend(page.jobs.into_iter().map(|job| (job.id.to_string(), job.stage)));
        match page.next {
            Some(next) => filter.after = Some(next),
            None => break,
        }
    }
    let wanted = [
        ("done", StageName::Completed),
        ("failed", StageName::Failed),
        ("other", StageName::Queued),
        ("queued", StageName::Queued),
    ];
    same("page by page", paged, wanted.map(|(name, stage)| (name.to_owned(), stage)).to_vec())?;
    w.pass(TTL).await;
    same("once they are expired", names(w, all()).await?.len(), 0)
}

/// Sweeps until nothing is due, which must not take for ever.
pub(super) async fn sweep_all(store: &dyn Store) -> Result<(), Miss> {
    for _ in 0..1000 {
        if store.sweep(100).await?.remaining == Remaining::Nothing {
            return Ok(());
        }
    }
    Err(Miss("a thousand sweeps left more to do".to_owned()))
}

pub(super) async fn census(w: &mut World) -> Result<(), Miss> {
    w.completed("a", "done").await?;
    w.failed("a", "failed").await?;
    w.parked("a", "parked", &["k"]).await?;
    w.start("a", "delayed").await?;
    let ticket = w.claim_one().await?.ticket;
    w.done(&ticket, Outcome::Retry { after: LEASE, failure: failure("x") }).await?;
    let none = w.store.census().await?;
    same("oldest while none is ready", none.oldest_ready, None)?;
    w.start("a", "running").await?;
    w.claim_one().await?;
    w.start("a", "queued").await?;
    w.pass(Duration::from_secs(5)).await;
    let census = w.store.census().await?;
    let counts = (census.queued, census.running, census.parked, census.failed);
    same("queued, running, parked, failed", counts, (2, 1, 1, 1))?;
    let oldest = census.oldest_ready.unwrap_or_default();
    ensure!(oldest >= Duration::from_secs(5), "the oldest ready job has waited for {oldest:?}");
    ensure!(oldest < Duration::from_secs(5) + LEASE, "the oldest ready job has waited {oldest:?}");
    same("stored", census.stored, 6)?;
    w.pass(TTL).await;
    sweep_all(&*w.store).await?;
    same("stored after a sweep", w.store.census().await?.stored, 0)
}

pub(super) async fn inspect(w: &mut World) -> Result<(), Miss> {
    w.failed("b", "two").await?;
    w.start("a", "one").await?;
    let other = w.store.inspect(&id("one")?).await?;
    let other = other.ok_or_else(|| Miss("one is unknown".to_owned()))?;
    same("another job", &other.snapshot.id, &id("one")?)?;
    let born_ms = other.snapshot.created_ms;
    ensure!(other.due_ms.is_none_or(|due_ms| due_ms == born_ms), "it was ready when it was made");
    let found = w.store.inspect(&id("two")?).await?;
    let found = found.ok_or_else(|| Miss("two is unknown".to_owned()))?;
    same("the job", &found.snapshot.id, &id("two")?)?;
    same("its owner", &found.snapshot.owner, &client("b")?)?;
    same("its phase", &found.snapshot.phase, &Phase::Failed)?;
    same("its attempts", found.snapshot.attempts.len(), 1)?;
    same("its line", (found.listed.stage, found.listed.attempt), (StageName::Failed, 1))?;
    same("its worker", found.listed.worker.as_deref(), Some("suite"))?;
    same("when it moves by itself", found.due_ms, None)?;
    let told = found.input.is_none_or(|input| json(["two"]).is_ok_and(|wanted| input == wanted));
    ensure!(told, "another input was told");
    same("what never was", w.store.inspect(&id("never")?).await?, None)?;
    w.pass(TTL + MOMENT).await;
    same("what is expired", w.store.inspect(&id("two")?).await?, None)
}

pub(super) async fn requeue(w: &mut World) -> Result<(), Miss> {
    w.completed("a", "done").await?;
    w.failed("a", "failed").await?;
    w.start("a", "queued").await?;
    w.pass(TTL / 2).await;
    let before = w.get("a", "failed").await?.version;
    let ids = ["done", "queued", "never", "failed", "failed"];
    let ids = ids.iter().map(|name| id(name)).collect::<Result<Vec<_>, Miss>>()?;
    use RequeueVerdict::{Done, NotFailed, Unknown};
    let verdicts = w.store.requeue(ids).await?;
    same("verdicts", verdicts, vec![NotFailed, NotFailed, Unknown, Done, NotFailed])?;
    let job = w.get("a", "failed").await?;
    same("phase", &job.phase, &Phase::Queued)?;
    same("attempts stay listed", job.attempts.len(), 1)?;
    ensure!(job.version > before, "a requeue did not raise the version");
    let claimed = w.claim(2).await?;
    let again = claimed.iter().find(|job| job.ticket.id.as_str() == "failed");
    same("attempt", again.map(|job| job.attempt), Some(1))?;
    w.pass(TTL / 2 + MOMENT).await;
    ensure!(w.find("a", "failed").await?.is_some(), "its lifetime was not counted anew");
    for n in 0..2 {
        w.failed("a", &format!("f{n}")).await?;
    }
    for n in 0..29 {
        w.start("a", &format!("q{n}")).await?;
    }
    let verdict = w.store.requeue(vec![id("f0")?]).await?;
    same("without room", verdict, vec![RequeueVerdict::Full(Bound::ClientJobs)])
}

pub(super) async fn purge(w: &mut World) -> Result<(), Miss> {
    w.completed("a", "done").await?;
    w.start("a", "queued").await?;
    let ids = vec![id("done")?, id("queued")?, id("never")?, id("done")?];
    use PurgeVerdict::{Done, NotEnded, Unknown};
    same("verdicts", w.store.purge(ids).await?, vec![Done, NotEnded, Unknown, Unknown])?;
    same("the ended one", w.find("a", "done").await?, None)?;
    same("the other", w.phase("a", "queued").await?, Phase::Queued)
}

pub(super) async fn sweep_limit(w: &mut World) -> Result<(), Miss> {
    for n in 0..6 {
        w.start("a", &format!("job-{n}")).await?;
    }
    w.claim(6).await?;
    w.pass(LEASE + MOMENT).await;
    same("of six", w.store.sweep(4).await?.lapsed, 4)?;
    same("of the rest", w.store.sweep(4).await?.lapsed, 2)?;
    let ticket = w.claim_one().await?.ticket;
    w.done(&ticket, Outcome::Complete(json(1)?)).await?;
    w.pass(TTL).await;
    let first = w.store.sweep(4).await?;
    same("expired, of six", (first.jobs, first.remaining), (4, Remaining::More))?;
    let rest = w.store.sweep(4).await?;
    same("expired, of the rest", rest.jobs, 2)?;
    same("expired unfinished, of five", first.unfinished + rest.unfinished, 5)?;
    // Of what no count names, more may be left.
    sweep_all(&*w.store).await
}

//! Many at once do everything to a few jobs, over several handles to one store. Whatever the order
//! was, each job must have had one course, and the store's counts must agree with its rows.

mod racer;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinSet;

use super::operate::sweep_all;
use super::world::{World, client, id};
use super::{Miss, ensure, same};
use crate::job::{CancelRequest, Phase};
use crate::state::StageName;
use crate::store::{Bound, Filter, Listed, Outcome, PurgeVerdict, Settle, Started, Store, Ticket};
use racer::Racer;

const SEEDS: [u64; 3] = [1, 2, 3];
const HANDLES: usize = 3;
const RACERS: usize = 6;
const STEPS: usize = 50;

/// What anybody has been told so far. Everything in it was so before it was written down.
#[derive(Debug, Default)]
struct Told {
    jobs: Vec<(&'static str, String)>,
    tickets: Vec<Ticket>,
    /// Results and cancellations, which never change; a failed job may be tried again.
    ended: HashMap<String, Phase>,
    /// Jobs whose deletion was asked for, and those of which it was acknowledged.
    purging: HashSet<String>,
    purged: HashSet<String>,
    /// The job of each client's key.
    keys: BTreeMap<(&'static str, &'static str), String>,
}

#[derive(Debug, Default)]
struct Race(Mutex<Told>);

impl Race {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the job has ended for good, as far as is known now.
    fn end_of(&self, name: &str) -> Option<Phase> {
        self.told().ended.get(name).cloned()
    }

    /// Somebody was told that the job has ended so.
    fn ended(&self, name: &str, phase: Phase) -> Result<(), Miss> {
        let mut told = self.told();
        let before = told.ended.entry(name.to_owned()).or_insert_with(|| phase.clone());
        ensure!(*before == phase, "{name} had ended as {before:?} and has ended as {phase:?}");
        Ok(())
    }
}

pub(super) async fn races(w: &mut World) -> Result<(), Miss> {
    let mut handles = vec![Arc::clone(&w.store)];
    while handles.len() < HANDLES {
        handles.push(w.fixture.another().await?);
    }
    for seed in SEEDS {
        race(&handles, seed).await.map_err(|Miss(why)| Miss(format!("seed {seed}: {why}")))?;
    }
    bounds_are_exact(w).await
}

async fn race(handles: &[Arc<dyn Store>], seed: u64) -> Result<(), Miss> {
    let race = Arc::new(Race::default());
    let mut racers = JoinSet::new();
    for (n, store) in handles.iter().cycle().take(RACERS).enumerate() {
        let mut racer = Racer::new(Arc::clone(store), Arc::clone(&race), seed, n);
        racers.spawn(async move {
            for _ in 0..STEPS {
                racer.step().await?;
                tokio::task::yield_now().await;
            }
            Ok::<_, Miss>(())
        });
    }
    while let Some(raced) = racers.join_next().await {
        raced.map_err(|error| Miss(error.to_string()))??;
    }
    let Some(store) = handles.last() else { return Ok(()) };
    rows_and_counts_agree(&**store, &race).await?;
    bring_to_an_end(&**store, &race).await
}

async fn all(store: &dyn Store) -> Result<Vec<Listed>, Miss> {
    let page = store.list(Filter { limit: 1000, ..Filter::default() }).await?;
    ensure!(page.next.is_none(), "more jobs than were started");
    Ok(page.jobs)
}

async fn rows_and_counts_agree(store: &dyn Store, race: &Race) -> Result<(), Miss> {
    let listed = all(store).await?;
    let census = store.census().await?;
    let count = |stage| listed.iter().filter(|job| job.stage == stage).count() as u64;
    use StageName::{Failed, Parked, Queued, Running};
    same("queued", census.queued, count(Queued))?;
    same("running", census.running, count(Running))?;
    same("parked", census.parked, count(Parked))?;
    same("failed", census.failed, count(Failed))?;
    same("stored", census.stored, listed.len() as u64)?;
    let wanted: BTreeSet<String> = {
        let told = race.told();
        let names = told.jobs.iter().map(|(_, name)| name.clone());
        names.filter(|name| !told.purged.contains(name)).collect()
    };
    let names: BTreeSet<String> = listed.iter().map(|job| job.id.to_string()).collect();
    same("jobs", names, wanted)?;
    for job in listed {
        let name = job.id.as_str();
        let found = store.get(&job.owner, &job.id).await?;
        let Some(found) = found else { return Err(Miss(format!("{name} is listed and unknown"))) };
        same(&format!("{name} by list and by id"), stage_of(&found.phase), job.stage)?;
        if let Some(end) = race.end_of(name) {
            same(&format!("the end of {name}"), found.phase, end)?;
        }
    }
    Ok(())
}

fn stage_of(phase: &Phase) -> StageName {
    match phase {
        Phase::Queued => StageName::Queued,
        Phase::Running => StageName::Running,
        Phase::Parked { .. } => StageName::Parked,
        Phase::Completed { .. } => StageName::Completed,
        Phase::Failed => StageName::Failed,
        Phase::Cancelled { .. } => StageName::Cancelled,
    }
}

/// Ends what has not ended and deletes everything: then nothing may be counted any more.
async fn bring_to_an_end(store: &dyn Store, race: &Race) -> Result<(), Miss> {
    sweep_all(store).await?;
    let (jobs, tickets) = {
        let told = race.told();
        (told.jobs.clone(), told.tickets.clone())
    };
    for (owner, name) in &jobs {
        store.cancel(&client(owner)?, &id(name)?, CancelRequest::default()).await?;
    }
    let settle = |ticket| Settle { ticket, outcome: Outcome::Cancelled };
    store.settle(tickets.into_iter().map(settle).collect()).await?;
    let left = all(store).await?;
    let verdicts = store.purge(left.iter().map(|job| job.id.clone()).collect()).await?;
    for (job, verdict) in left.iter().zip(verdicts) {
        same(&format!("the purge of {} ({:?})", job.id, job.stage), verdict, PurgeVerdict::Done)?;
    }
    let census = store.census().await?;
    let counts = [census.queued, census.running, census.parked, census.failed, census.stored];
    same("queued, running, parked, failed, stored at the end", counts, [0; 5])
}

/// After all that came and went there is room for as many jobs as the bounds say, and for no more.
async fn bounds_are_exact(w: &World) -> Result<(), Miss> {
    for (owner, room, full) in [("a", 30, Bound::ClientJobs), ("b", 10, Bound::AllJobs)] {
        for n in 0..room {
            w.start(owner, &format!("{owner}-{n}")).await?;
        }
        let over = w.start_one(World::order(owner, "over")?).await?;
        same("after the races, over a bound", over, Started::Full(full))?;
    }
    Ok(())
}

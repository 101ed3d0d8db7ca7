//! One of those who race: what it does is decided by its seed, what it is told must fit what was
//! told to anybody before.

use std::sync::Arc;
use std::time::Duration;

use super::super::world::{
    LEASE, World, answers, client, failure, id, idempotency, json, kind, park,
};
use super::super::{Miss, ensure};
use super::Race;
use crate::job::{CancelRequest, Phase};
use crate::store::{
    CancelVerdict, Claim, Outcome, PurgeVerdict, RequeueVerdict, Settle, SettleVerdict, Started,
    Store,
};

const CLIENTS: [&str; 3] = ["a", "b", "c"];
const KEYS: [&str; 2] = ["k", "l"];
const KEEP: Duration = Duration::from_secs(600);

/// Numbers in an order that a seed decides (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides.max(1) as u64).unwrap_or_default()
    }

    /// One of the last few, so that there is a crowd about each.
    fn pick<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        let few = of.get(of.len().saturating_sub(8)..)?;
        few.get(self.roll(few.len())).cloned()
    }
}

pub(super) struct Racer {
    store: Arc<dyn Store>,
    race: Arc<Race>,
    dice: Dice,
    name: String,
    started: usize,
}

impl Racer {
    pub(super) fn new(store: Arc<dyn Store>, race: Arc<Race>, seed: u64, number: usize) -> Self {
        let dice = Dice(seed.wrapping_mul(1_000_003).wrapping_add(number as u64));
        Self { store, race, dice, name: format!("s{seed}-r{number}"), started: 0 }
    }

    pub(super) async fn step(&mut self) -> Result<(), Miss> {
        match self.dice.roll(18) {
            0..=2 => self.start().await,
            3..=5 => self.claim().await,
            6..=8 => self.settle().await,
            9 => self.cancel().await,
            10 => self.answer().await,
            11..=13 => self.requeue().await,
            14 => self.purge().await,
            15 => Ok(self.store.sweep(3).await.map(drop)?),
            _ => self.look().await,
        }
    }

    fn some_job(&mut self) -> Option<(&'static str, String)> {
        self.dice.pick(&self.race.told().jobs)
    }

    async fn start(&mut self) -> Result<(), Miss> {
        let owner = self.dice.pick(&CLIENTS).unwrap_or("a");
        let name = format!("{}-{}", self.name, self.started);
        self.started += 1;
        let key = if self.dice.roll(4) == 0 { self.dice.pick(&KEYS) } else { None };
        let mut job = World::order(owner, &name)?;
        if let Some(key) = key {
            // Keys outlast their jobs, and so the rounds: each has its own.
            let round = self.name.split('-').next().unwrap_or_default();
            job = job.with_idempotency(idempotency(&format!("{key}-{round}"), 1, KEEP)?);
        }
        let verdict = self.store.start(vec![job]).await?.pop();
        let job = match &verdict {
            Some(Started::Created) => &name,
            Some(Started::Existing { id, .. }) if key.is_some() => id.as_str(),
            Some(Started::Full(_)) => return Ok(()),
            _ => return Err(Miss(format!("the start of {name} gave {verdict:?}"))),
        };
        let mut told = self.race.told();
        if let Some(key) = key {
            let first = told.keys.entry((owner, key)).or_insert_with(|| job.to_owned());
            ensure!(first == job, "one key of {owner} stands for {first} and for {job}");
        }
        if job == name {
            told.jobs.push((owner, name));
        }
        Ok(())
    }

    async fn claim(&mut self) -> Result<(), Miss> {
        let before = self.race.told().ended.clone();
        // A lease of no time is over at once: any sweep may move the job.
        let lease = if self.dice.roll(3) == 0 { Duration::ZERO } else { LEASE };
        let (worker, max) = (self.name.clone(), 1 + self.dice.roll(2));
        let claim = Claim { worker, kinds: vec![kind("work")?], lease, max };
        for job in self.store.claim(claim).await? {
            let name = job.ticket.id.as_str();
            ensure!(!before.contains_key(name), "{name} was claimed after its end");
            let mut told = self.race.told();
            ensure!(!told.tickets.contains(&job.ticket), "{:?} was given twice", job.ticket);
            told.tickets.push(job.ticket);
        }
        Ok(())
    }

    async fn settle(&mut self) -> Result<(), Miss> {
        let Some(ticket) = self.dice.pick(&self.race.told().tickets) else { return Ok(()) };
        let name = ticket.id.to_string();
        let outcome = match self.dice.roll(10) {
            0 | 1 => Outcome::Complete(json((&name, ticket.epoch))?),
            2 => Outcome::Cancelled,
            3..=5 => Outcome::Fail(failure("final")),
            6 => Outcome::Retry { after: Duration::ZERO, failure: failure("again") },
            7 | 8 => park(&[&format!("k{}", ticket.epoch)])?,
            _ => Outcome::Release,
        };
        let end = match &outcome {
            Outcome::Complete(output) => Some(Phase::Completed { output: output.clone() }),
            Outcome::Cancelled => Some(cancelled()),
            _ => None,
        };
        let before = self.race.end_of(&name);
        let verdicts = self.store.settle(vec![Settle { ticket, outcome }]).await?;
        if verdicts != [SettleVerdict::Done] {
            return Ok(());
        }
        ensure!(before.is_none(), "{name} was settled after its end");
        end.map_or(Ok(()), |end| self.race.ended(&name, end))
    }

    async fn cancel(&mut self) -> Result<(), Miss> {
        let Some((owner, name)) = self.some_job() else { return Ok(()) };
        let before = self.race.end_of(&name);
        let request = CancelRequest::default();
        match self.store.cancel(&client(owner)?, &id(&name)?, request).await? {
            CancelVerdict::AlreadyTerminal | CancelVerdict::Unknown => Ok(()),
            verdict if before.is_some() => {
                Err(Miss(format!("a cancel of {name} after its end gave {verdict:?}")))
            }
            CancelVerdict::Settled => self.race.ended(&name, cancelled()),
            CancelVerdict::Requested => Ok(()),
        }
    }

    async fn answer(&mut self) -> Result<(), Miss> {
        let Some((owner, name)) = self.some_job() else { return Ok(()) };
        let before = self.race.end_of(&name);
        let keys: Vec<String> = (1..12).map(|epoch| format!("k{epoch}")).collect();
        let given: Vec<(&str, u32)> = keys.iter().map(|key| (key.as_str(), 1)).collect();
        let answered = self.store.answer(&client(owner)?, &id(&name)?, answers(&given)?).await?;
        let taken = answered.is_some_and(|answered| !answered.taken.is_empty());
        ensure!(!taken || before.is_none(), "{name} took an answer after its end");
        Ok(())
    }

    async fn requeue(&mut self) -> Result<(), Miss> {
        let Some((_, name)) = self.some_job() else { return Ok(()) };
        let before = self.race.end_of(&name);
        let verdicts = self.store.requeue(vec![id(&name)?]).await?;
        let done = verdicts == [RequeueVerdict::Done];
        ensure!(!done || before.is_none(), "{name} was requeued after its end");
        Ok(())
    }

    async fn purge(&mut self) -> Result<(), Miss> {
        let Some((_, name)) = self.some_job() else { return Ok(()) };
        self.race.told().purging.insert(name.clone());
        if self.store.purge(vec![id(&name)?]).await? == [PurgeVerdict::Done] {
            ensure!(self.race.told().purged.insert(name.clone()), "{name} was deleted twice");
        }
        Ok(())
    }

    async fn look(&mut self) -> Result<(), Miss> {
        let Some((owner, name)) = self.some_job() else { return Ok(()) };
        let before = self.race.end_of(&name);
        let purged = self.race.told().purged.contains(&name);
        let Some(job) = self.store.get(&client(owner)?, &id(&name)?).await? else {
            ensure!(self.race.told().purging.contains(&name), "{name} is lost");
            return Ok(());
        };
        ensure!(!purged, "{name} is there after it was deleted");
        if let Some(end) = before {
            ensure!(job.phase == end, "{name} had ended as {end:?} and is {:?}", job.phase);
        }
        match job.phase {
            Phase::Completed { .. } | Phase::Cancelled { .. } => self.race.ended(&name, job.phase),
            _ => Ok(()),
        }
    }
}

fn cancelled() -> Phase {
    Phase::Cancelled { request: CancelRequest::default() }
}

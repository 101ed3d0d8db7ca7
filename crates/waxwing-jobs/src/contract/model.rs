//! Random sequences of operations, and what each must give: a plain reference of a store, written
//! without the state machine so that both would have to be wrong in the same way.

mod reference;

use std::sync::Arc;
use std::time::Duration;

use super::world::{LEASE, answers, client, failure, id, json, kind, nonce, requests};
use super::{Fixture, Miss, ensure, same};
use crate::job::{CancelRequest, NewJob, Progress};
use crate::store::{
    Beat, Bounds, Claim, Durability, Outcome, PurgeVerdict, RequeueVerdict, Settle, Store, Ticket,
};
use reference::Reference;

/// The bounds that a fixture must be opened with for [`run`]: low enough to be reached.
pub const BOUNDS: Bounds =
    Bounds { unfinished: 8, unfinished_per_client: 5, nonces: 9, nonces_per_key: 5 };

/// Runs one operation for each number, which alone decides what it does, and compares everything
/// the store says with the reference. Gives the first difference, in words.
///
/// # Errors
/// The first difference.
pub async fn run(fixture: &mut dyn Fixture, numbers: &[u64]) -> Result<(), String> {
    let mut play = Play::new(fixture);
    for (step, number) in numbers.iter().enumerate() {
        let done = play.step(*number).await;
        done.map_err(|Miss(why)| format!("step {step} ({number}), {}: {why}", play.doing))?;
    }
    play.doing = "the end".to_owned();
    play.compare().await.map_err(|Miss(why)| format!("at the end: {why}"))
}

/// Takes decisions out of a number.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        let side = self.0 % sides;
        self.0 /= sides;
        side
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        let index = self.roll(of.len().max(1) as u64);
        of.get(usize::try_from(index).ok()?)
    }
}

const CLIENTS: [&str; 3] = ["a", "b", "c"];
const KEYS: [&str; 3] = ["k", "l", "m"];
const KEEP: Duration = Duration::from_secs(100);

struct Play<'f> {
    fixture: &'f mut dyn Fixture,
    store: Arc<dyn Store>,
    model: Reference,
    jobs: Vec<(&'static str, String)>,
    tickets: Vec<Ticket>,
    doing: String,
}

impl<'f> Play<'f> {
    fn new(fixture: &'f mut dyn Fixture) -> Self {
        let store = fixture.store();
        let model = Reference::default();
        Self { fixture, store, model, jobs: Vec::new(), tickets: Vec::new(), doing: String::new() }
    }

    async fn step(&mut self, number: u64) -> Result<(), Miss> {
        let mut dice = Dice(number);
        match dice.roll(20) {
            0..=4 => self.start(dice).await,
            5..=7 => self.claim(dice).await,
            8 | 9 => self.beat(dice).await,
            10..=12 => self.settle(dice).await,
            13 => self.cancel(dice).await,
            14 => self.answer(dice).await,
            15 => self.admit(dice).await,
            16 => self.pass(dice).await,
            17 => self.sweep().await,
            18 => self.operate(dice).await,
            _ => self.reopen().await,
        }
    }

    async fn start(&mut self, mut dice: Dice) -> Result<(), Miss> {
        let owner = *dice.pick(&CLIENTS).unwrap_or(&"a");
        let fresh = format!("job-{}", self.jobs.len());
        let name = match dice.roll(8) {
            0 => self.model.some_live_id(dice.roll(4)).unwrap_or_else(|| fresh.clone()),
            _ => fresh,
        };
        let ttl = Duration::from_secs(if dice.roll(3) == 0 { 50 } else { 5000 });
        let mut job = NewJob::new(id(&name)?, client(owner)?, kind("work")?, json(&name)?)
            .with_ttl(ttl)
            .with_max_attempts(1 + u32::try_from(dice.roll(3)).unwrap_or_default());
        if dice.roll(2) == 0 {
            job = job.with_nonce(nonce(owner, u32::try_from(dice.roll(6)).unwrap_or(0), KEEP)?);
        }
        if dice.roll(2) == 0 {
            let key = *dice.pick(&KEYS).unwrap_or(&"k");
            let digest = u8::try_from(dice.roll(2)).unwrap_or_default();
            job = job.with_idempotency(super::world::idempotency(key, digest, KEEP)?);
        }
        self.doing = format!("start of {job:?}");
        let got = self.store.start(vec![job.clone()]).await?;
        let wanted = self.model.start(&job);
        self.jobs.push((owner, name));
        let plain: Vec<_> = got.into_iter().map(reference::Begun::from).collect();
        same("verdicts", plain, vec![wanted])
    }

    async fn claim(&mut self, mut dice: Dice) -> Result<(), Miss> {
        let max = usize::try_from(dice.roll(4)).unwrap_or_default();
        self.doing = format!("claim of {max}");
        let kinds = vec![kind("work")?];
        let claim = Claim { worker: "w".to_owned(), kinds, lease: LEASE, max };
        let claimed = self.store.claim(claim).await?;
        same("jobs claimed", claimed.len(), self.model.claimable().min(max))?;
        for job in claimed {
            self.model.claim(&job, LEASE)?;
            self.tickets.push(job.ticket);
        }
        Ok(())
    }

    async fn beat(&mut self, mut dice: Dice) -> Result<(), Miss> {
        let Some(ticket) = dice.pick(&self.tickets).cloned() else { return Ok(()) };
        let progress = match dice.roll(2) {
            0 => None,
            _ => Progress::new(dice.roll(10) as f64, None, None),
        };
        let checkpoint = if dice.roll(2) == 0 { None } else { Some(json(dice.roll(10))?) };
        let beat = Beat { ticket, lease: LEASE, progress, checkpoint };
        self.doing = format!("{beat:?}");
        let got = self.store.beat(vec![beat.clone()]).await?;
        same("verdicts", got, vec![self.model.beat(&beat)])
    }

    async fn settle(&mut self, mut dice: Dice) -> Result<(), Miss> {
        let Some(ticket) = dice.pick(&self.tickets).cloned() else { return Ok(()) };
        let after = Duration::from_secs(dice.roll(3) * 10);
        let outcome = match dice.roll(8) {
            0 => Outcome::Complete(json(dice.roll(100))?),
            1 => Outcome::Fail(failure("final")),
            2 => Outcome::Cancelled,
            3 | 4 => Outcome::Retry { after, failure: failure("again") },
            5 | 6 => Outcome::Park {
                requests: requests(match dice.roll(4) {
                    0 => &KEYS[..1],
                    1 => &KEYS[..2],
                    2 => &KEYS[1..],
                    _ => &KEYS[2..],
                })?,
                checkpoint: if dice.roll(2) == 0 { None } else { Some(json("parked")?) },
            },
            _ => Outcome::Release,
        };
        let settle = Settle { ticket, outcome };
        self.doing = format!("{settle:?}");
        let got = self.store.settle(vec![settle.clone()]).await?;
        same("verdicts", got, vec![self.model.settle(&settle)])
    }

    fn some_job(&self, dice: &mut Dice) -> Option<(&'static str, String)> {
        let (owner, name) = dice.pick(&self.jobs).cloned()?;
        let owner = if dice.roll(6) == 0 { *dice.pick(&CLIENTS)? } else { owner };
        Some((owner, name))
    }

    async fn cancel(&mut self, mut dice: Dice) -> Result<(), Miss> {
        let Some((owner, name)) = self.some_job(&mut dice) else { return Ok(()) };
        self.doing = format!("cancel of {name} by {owner}");
        let request = CancelRequest::new(Some(dice.roll(9).to_string()));
        let got = self.store.cancel(&client(owner)?, &id(&name)?, request.clone()).await?;
        same("verdict", got, self.model.cancel(owner, &name, request))
    }

    async fn answer(&mut self, mut dice: Dice) -> Result<(), Miss> {
        let Some((owner, name)) = self.some_job(&mut dice) else { return Ok(()) };
        let mut given = Vec::new();
        for key in KEYS {
            if dice.roll(2) == 0 {
                given.push((key, u32::try_from(dice.roll(50)).unwrap_or_default()));
            }
        }
        self.doing = format!("answers {given:?} to {name} by {owner}");
        let offered = answers(&given)?;
        let got = self.store.answer(&client(owner)?, &id(&name)?, offered.clone()).await?;
        same("answered", got, self.model.answer(owner, &name, &offered))
    }

    async fn admit(&mut self, mut dice: Dice) -> Result<(), Miss> {
        let owner = *dice.pick(&CLIENTS).unwrap_or(&"a");
        let record = nonce(owner, u32::try_from(dice.roll(6)).unwrap_or_default(), KEEP)?;
        self.doing = format!("admission of {record:?}");
        let got = self.store.admit(vec![record.clone()]).await?;
        same("verdicts", got, vec![self.model.admit(&record)])
    }

    async fn pass(&mut self, mut dice: Dice) -> Result<(), Miss> {
        let time = Duration::from_secs([1, 10, 29, 31, 60, 200][dice.roll(6) as usize]);
        self.doing = format!("passing of {time:?}");
        self.fixture.pass(time).await;
        self.model.pass(time);
        Ok(())
    }

    async fn sweep(&mut self) -> Result<(), Miss> {
        self.doing = "sweep".to_owned();
        let got = self.store.sweep(1000).await?;
        same("leases over", got.lapsed, self.model.sweep())?;
        self.compare().await
    }

    async fn operate(&mut self, mut dice: Dice) -> Result<(), Miss> {
        let Some((_, name)) = self.some_job(&mut dice) else { return Ok(()) };
        if dice.roll(3) == 0 {
            self.doing = format!("purge of {name}");
            let got: Vec<PurgeVerdict> = self.store.purge(vec![id(&name)?]).await?;
            return same("verdicts", got, vec![self.model.purge(&name)]);
        }
        self.doing = format!("requeue of {name}");
        let got: Vec<RequeueVerdict> = self.store.requeue(vec![id(&name)?]).await?;
        same("verdicts", got, vec![self.model.requeue(&name)])
    }

    async fn reopen(&mut self) -> Result<(), Miss> {
        self.doing = "crash".to_owned();
        if self.store.info().durability != Durability::Process {
            self.fixture.reopen().await?;
            self.store = self.fixture.store();
        }
        self.compare().await
    }

    /// Every job as every client sees it, and the counts.
    async fn compare(&mut self) -> Result<(), Miss> {
        for (_, name) in &self.jobs {
            for owner in CLIENTS {
                let got = self.store.get(&client(owner)?, &id(name)?).await?;
                self.model.compare(owner, name, got)?;
            }
        }
        let census = self.store.census().await?;
        let counts = [census.queued, census.running, census.parked, census.failed];
        same("queued, running, parked, failed", counts, self.model.census())?;
        let page = self.store.list(crate::store::Filter::default()).await?;
        ensure!(page.next.is_none(), "more jobs than were started");
        let mut listed: Vec<_> = page.jobs.into_iter().map(|job| job.id.to_string()).collect();
        let mut wanted = self.model.live_ids();
        listed.sort();
        wanted.sort();
        same("jobs listed", listed, wanted)
    }
}

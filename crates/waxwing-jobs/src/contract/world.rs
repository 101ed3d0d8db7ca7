//! What every check works with: a store, its clock, and short names for the usual steps.

use std::sync::Arc;
use std::time::Duration;

use waxwing_core::{
    CanonicalJson, ClientId, IdempotencyKey, JobId, KeyId, Nonce, ServerId, ToolName,
};

use super::{Fixture, Miss, Subject, ensure};
use crate::input::{Answers, InputKey, InputRequest, InputRequests};
use crate::job::{Cause, Failure, Idempotency, NewJob, NonceRecord, Phase, Snapshot};
use crate::state::Cancel;
use crate::store::{
    Beat, BeatVerdict, Bounds, Claim, Claimed, Outcome, Settle, SettleVerdict, Started, Store,
    Ticket,
};

/// The lease that checks claim with.
pub(super) const LEASE: Duration = Duration::from_secs(30);

/// The lifetime of the checks' jobs.
pub(super) const TTL: Duration = Duration::from_secs(3600);

/// A moment: less than anything in a check that depends on time.
pub(super) const MOMENT: Duration = Duration::from_millis(200);

/// A constant of the suite that is known to keep its rule.
fn known<T, E: std::fmt::Display>(made: Result<T, E>) -> Result<T, Miss> {
    made.map_err(|error| Miss(format!("a fault of the suite: {error}")))
}

pub(super) fn client(name: &str) -> Result<ClientId<'static>, Miss> {
    known(ClientId::new(name.to_owned()))
}

pub(super) fn server(name: &str) -> Result<ServerId<'static>, Miss> {
    known(ServerId::new(name.to_owned()))
}

pub(super) fn id(name: &str) -> Result<JobId<'static>, Miss> {
    known(JobId::new(name.to_owned()))
}

pub(super) fn kind(name: &str) -> Result<ToolName<'static>, Miss> {
    known(ToolName::new(name.to_owned()))
}

pub(super) fn json(value: impl serde::Serialize) -> Result<CanonicalJson<'static>, Miss> {
    known(CanonicalJson::from_serialize(&value))
}

pub(super) fn key(name: &str) -> Result<InputKey, Miss> {
    known(InputKey::new(name))
}

pub(super) fn nonce(client_name: &str, n: u32, keep: Duration) -> Result<NonceRecord, Miss> {
    Ok(NonceRecord {
        server: server("server")?,
        client: client(client_name)?,
        key: known(KeyId::new("k1"))?,
        nonce: known(Nonce::new(format!("nonce-{n:010}")))?,
        keep,
    })
}

pub(super) fn idempotency(name: &str, digest: u8, keep: Duration) -> Result<Idempotency, Miss> {
    let key = known(IdempotencyKey::new(name.to_owned()))?;
    Ok(Idempotency { key, digest: [digest; 32], keep })
}

pub(super) fn requests(keys: &[&str]) -> Result<InputRequests, Miss> {
    let request = InputRequest { message: "what?".to_owned(), schema: json(true)? };
    let all = keys.iter().map(|name| Ok((key(name)?, request.clone())));
    known(InputRequests::new(all.collect::<Result<_, Miss>>()?))
}

pub(super) fn answers(given: &[(&str, u32)]) -> Result<Answers, Miss> {
    let all = given.iter().map(|(name, value)| Ok((key(name)?, json(value)?)));
    Ok(Answers::new(all.collect::<Result<_, Miss>>()?))
}

pub(super) fn failure(message: &str) -> Failure {
    Failure::new(Cause::Tool, message)
}

pub(super) fn park(keys: &[&str]) -> Result<Outcome, Miss> {
    Ok(Outcome::Park { requests: requests(keys)?, checkpoint: None })
}

/// A store and its clock.
pub(super) struct World {
    pub(super) fixture: Box<dyn Fixture>,
    pub(super) store: Arc<dyn Store>,
}

impl World {
    pub(super) async fn open(subject: &dyn Subject) -> Result<Self, Miss> {
        let bounds =
            Bounds { unfinished: 40, unfinished_per_client: 30, nonces: 12, nonces_per_key: 8 };
        let fixture = subject.open(bounds).await?;
        let store = fixture.store();
        Ok(Self { fixture, store })
    }

    pub(super) async fn pass(&self, time: Duration) {
        self.fixture.pass(time).await;
    }

    pub(super) fn order(owner: &str, name: &str) -> Result<NewJob, Miss> {
        let input = json([name])?;
        Ok(NewJob::new(id(name)?, client(owner)?, kind("work")?, input).with_ttl(TTL))
    }

    pub(super) async fn start_one(&self, job: NewJob) -> Result<Started, Miss> {
        let mut verdicts = self.store.start(vec![job]).await?;
        ensure!(verdicts.len() == 1, "{} verdicts on one start", verdicts.len());
        verdicts.pop().ok_or_else(|| Miss("no verdict".to_owned()))
    }

    /// Starts a job that must be created.
    pub(super) async fn start(&self, owner: &str, name: &str) -> Result<(), Miss> {
        let started = self.start_one(Self::order(owner, name)?).await?;
        ensure!(started == Started::Created, "a start of {name} gave {started:?}");
        Ok(())
    }

    pub(super) async fn find(&self, owner: &str, name: &str) -> Result<Option<Snapshot>, Miss> {
        Ok(self.store.get(&client(owner)?, &id(name)?).await?)
    }

    /// A job that must be there.
    pub(super) async fn get(&self, owner: &str, name: &str) -> Result<Snapshot, Miss> {
        let found = self.find(owner, name).await?;
        found.ok_or_else(|| Miss(format!("{name} of {owner} is unknown")))
    }

    pub(super) async fn phase(&self, owner: &str, name: &str) -> Result<Phase, Miss> {
        Ok(self.get(owner, name).await?.phase)
    }

    pub(super) async fn claim(&self, max: usize) -> Result<Vec<Claimed>, Miss> {
        let kinds = vec![kind("work")?];
        let claim = Claim { worker: "suite".to_owned(), kinds, lease: LEASE, max };
        Ok(self.store.claim(claim).await?)
    }

    /// Claims a job that must be there.
    pub(super) async fn claim_one(&self) -> Result<Claimed, Miss> {
        let mut claimed = self.claim(1).await?;
        ensure!(claimed.len() == 1, "a claim of one job gave {}", claimed.len());
        claimed.pop().ok_or_else(|| Miss("nothing claimed".to_owned()))
    }

    pub(super) async fn beat_with(&self, beat: Beat) -> Result<BeatVerdict, Miss> {
        let verdicts = self.store.beat(vec![beat]).await?;
        ensure!(verdicts.len() == 1, "{} verdicts on one beat", verdicts.len());
        verdicts.first().copied().ok_or_else(|| Miss("no verdict".to_owned()))
    }

    pub(super) async fn beat(&self, ticket: &Ticket) -> Result<BeatVerdict, Miss> {
        let ticket = ticket.clone();
        self.beat_with(Beat { ticket, lease: LEASE, progress: None, checkpoint: None }).await
    }

    pub(super) async fn settle(
        &self,
        ticket: &Ticket,
        outcome: Outcome,
    ) -> Result<SettleVerdict, Miss> {
        let settle = Settle { ticket: ticket.clone(), outcome };
        let verdicts = self.store.settle(vec![settle]).await?;
        ensure!(verdicts.len() == 1, "{} verdicts on one settle", verdicts.len());
        verdicts.first().copied().ok_or_else(|| Miss("no verdict".to_owned()))
    }

    /// Settles an attempt that must still be its worker's.
    pub(super) async fn done(&self, ticket: &Ticket, outcome: Outcome) -> Result<(), Miss> {
        let verdict = self.settle(ticket, outcome).await?;
        ensure!(verdict == SettleVerdict::Done, "a settle by the worker of {ticket:?} was stale");
        Ok(())
    }

    /// Brings a new job to its end with a result.
    pub(super) async fn completed(&self, owner: &str, name: &str) -> Result<Ticket, Miss> {
        self.start(owner, name).await?;
        let ticket = self.claim_one().await?.ticket;
        self.done(&ticket, Outcome::Complete(json(name)?)).await?;
        Ok(ticket)
    }

    /// Brings a new job to its end without a result.
    pub(super) async fn failed(&self, owner: &str, name: &str) -> Result<Ticket, Miss> {
        self.start(owner, name).await?;
        let ticket = self.claim_one().await?.ticket;
        self.done(&ticket, Outcome::Fail(failure("broken"))).await?;
        Ok(ticket)
    }

    /// Parks a new job.
    pub(super) async fn parked(
        &self,
        owner: &str,
        name: &str,
        keys: &[&str],
    ) -> Result<Ticket, Miss> {
        self.start(owner, name).await?;
        let ticket = self.claim_one().await?.ticket;
        self.done(&ticket, park(keys)?).await?;
        Ok(ticket)
    }

    /// Says that a worker lost its job and cannot change it in any way.
    pub(super) async fn is_stale(&self, ticket: &Ticket) -> Result<(), Miss> {
        ensure!(self.beat(ticket).await? == BeatVerdict::Lost, "a beat by {ticket:?} was taken");
        let outcomes = [
            Outcome::Complete(json("stale")?),
            Outcome::Fail(failure("stale")),
            Outcome::Cancelled,
            Outcome::Retry { after: Duration::ZERO, failure: failure("stale") },
            park(&["stale"])?,
            Outcome::Release,
        ];
        for outcome in outcomes {
            let verdict = self.settle(ticket, outcome.clone()).await?;
            ensure!(verdict == SettleVerdict::Stale, "{outcome:?} by {ticket:?} was taken");
        }
        Ok(())
    }
}

pub(super) const HELD: BeatVerdict = BeatVerdict::Held(Cancel::NotAsked);

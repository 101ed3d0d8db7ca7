//! Jobs in memory: rows, and the orders in which they are found. A row changes only through
//! [`Table::advance`], which keeps every order in step with it.

mod view;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::Infallible;
use std::time::Duration;

use waxwing_core::{CanonicalJson, ClientId, JobId, ToolName};

use crate::input::{Answered, Answers, Exchange};
use crate::job::{Attempt, CancelRequest, NewJob, Progress};
use crate::settlement::{self, Settlement, Write};
use crate::state::{Beaten, Life, News, Stage};
use crate::store::{
    Beat, BeatVerdict, Bound, Bounds, CancelVerdict, Claim, Claimed, PurgeVerdict, RequeueVerdict,
    Settle, SettleVerdict, Ticket,
};

#[derive(Clone, Debug)]
struct Row {
    seq: u64,
    owner: ClientId<'static>,
    kind: ToolName<'static>,
    input: CanonicalJson<'static>,
    life: Life,
    /// Its place in the queue; `None` while it is not ready.
    rank: Option<u64>,
    worker: Option<String>,
    exchange: Exchange,
    checkpoint: Option<CanonicalJson<'static>>,
    progress: Option<Progress>,
    attempts: Vec<Attempt>,
    output: Option<CanonicalJson<'static>>,
    cancel: Option<CancelRequest>,
}

/// What is known of one client: how many unfinished jobs, and the last place it was given.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    unfinished: u64,
    last_rank: u64,
}

#[derive(Debug, Default)]
pub(super) struct Table {
    rows: HashMap<JobId<'static>, Row>,
    created: BTreeMap<u64, JobId<'static>>,
    ready: BTreeSet<(u64, u64, JobId<'static>)>,
    delayed: BTreeSet<(u64, JobId<'static>)>,
    leases: BTreeSet<(u64, JobId<'static>)>,
    ends: BTreeSet<(u64, JobId<'static>)>,
    clients: HashMap<ClientId<'static>, Tally>,
    unfinished: u64,
    last_seq: u64,
    /// The highest rank claimed so far: no new place is before it.
    turn: u64,
}

impl Table {
    pub(super) fn contains(&self, id: &JobId<'static>) -> bool {
        self.rows.contains_key(id)
    }

    fn row(&self, owner: &ClientId<'_>, id: &JobId<'_>, now: u64) -> Option<&Row> {
        // Hash and length checks depend on the id alone, so absent and foreign cost the same.
        let row = self.rows.get(&id.clone().into_owned())?;
        (row.owner.as_str() == owner.as_str() && !row.life.is_expired(now)).then_some(row)
    }

    /// Which bound leaves no room for one more job of this client.
    pub(super) fn room(&mut self, owner: &ClientId<'_>, now: u64, b: &Bounds) -> Option<Bound> {
        if self.full(owner, b).is_some() {
            // Only what still lives may refuse: make sure that nothing else is counted.
            self.expire(now, usize::MAX);
        }
        self.full(owner, b)
    }

    fn full(&self, owner: &ClientId<'_>, bounds: &Bounds) -> Option<Bound> {
        let own = self.clients.get(&owner.clone().into_owned()).map_or(0, |tally| tally.unfinished);
        if own >= bounds.unfinished_per_client {
            return Some(Bound::ClientJobs);
        }
        (self.unfinished >= bounds.unfinished).then_some(Bound::AllJobs)
    }

    fn remove(&mut self, id: &JobId<'static>) {
        if let Some(row) = self.rows.remove(id) {
            self.unlist(id, &row);
        }
    }

    fn unlist(&mut self, id: &JobId<'static>, row: &Row) {
        self.created.remove(&row.seq);
        self.ends.remove(&(row.life.expires_ms, id.clone()));
        match row.life.stage {
            Stage::Queued { ready_ms } => match row.rank {
                Some(rank) => drop(self.ready.remove(&(rank, row.seq, id.clone()))),
                None => drop(self.delayed.remove(&(ready_ms, id.clone()))),
            },
            Stage::Running { lease_until_ms, .. } => {
                self.leases.remove(&(lease_until_ms, id.clone()));
            }
            Stage::Parked | Stage::Completed | Stage::Failed | Stage::Cancelled => {}
        }
        if !row.life.stage.is_terminal() {
            self.unfinished = self.unfinished.saturating_sub(1);
            if let Some(tally) = self.clients.get_mut(&row.owner) {
                tally.unfinished = tally.unfinished.saturating_sub(1);
                if tally.unfinished == 0 && tally.last_rank <= self.turn {
                    self.clients.remove(&row.owner);
                }
            }
        }
    }

    fn enlist(&mut self, id: &JobId<'static>, row: &Row) {
        self.created.insert(row.seq, id.clone());
        self.ends.insert((row.life.expires_ms, id.clone()));
        match row.life.stage {
            Stage::Queued { ready_ms } => match row.rank {
                Some(rank) => drop(self.ready.insert((rank, row.seq, id.clone()))),
                None => drop(self.delayed.insert((ready_ms, id.clone()))),
            },
            Stage::Running { lease_until_ms, .. } => {
                self.leases.insert((lease_until_ms, id.clone()));
            }
            Stage::Parked | Stage::Completed | Stage::Failed | Stage::Cancelled => {}
        }
        if !row.life.stage.is_terminal() {
            self.unfinished += 1;
            self.clients.entry(row.owner.clone()).or_default().unfinished += 1;
        }
    }

    /// The next place in the queue for this client: behind its own jobs, and abreast of the first
    /// jobs of everybody else.
    fn place(&mut self, owner: &ClientId<'static>) -> u64 {
        let tally = self.clients.entry(owner.clone()).or_default();
        tally.last_rank = tally.last_rank.max(self.turn) + 1;
        tally.last_rank
    }

    /// Stores the life that follows and what goes with it; a job that is ready now gets a place.
    fn advance(&mut self, id: &JobId<'static>, life: Life, now: u64, write: impl FnOnce(&mut Row)) {
        let Some(mut row) = self.rows.remove(id) else { return };
        self.unlist(id, &row);
        row.life = life;
        write(&mut row);
        self.store(id, row, now);
    }

    fn store(&mut self, id: &JobId<'static>, mut row: Row, now: u64) {
        row.rank = match row.life.stage {
            Stage::Queued { ready_ms } if ready_ms <= now => Some(self.place(&row.owner)),
            _ => None,
        };
        self.enlist(id, &row);
        self.rows.insert(id.clone(), row);
    }

    pub(super) fn insert(&mut self, job: NewJob, now: u64) {
        self.last_seq += 1;
        let life = Life::new(now, job.ttl, job.max_attempts);
        let row = Row {
            seq: self.last_seq,
            owner: job.owner,
            kind: job.kind,
            input: job.input,
            life,
            rank: None,
            worker: None,
            exchange: Exchange::default(),
            checkpoint: None,
            progress: None,
            attempts: Vec::new(),
            output: None,
            cancel: None,
        };
        self.store(&job.id, row, now);
    }

    pub(super) fn answer(
        &mut self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
        answers: &Answers,
        now: u64,
    ) -> Option<Answered> {
        let row = self.row(owner, id, now)?;
        let mut exchange = row.exchange.clone();
        let (answered, next) = settlement::answer(row.life, &mut exchange, answers, now);
        if let Some(life) = next {
            self.advance(&id.clone().into_owned(), life, now, |row| row.exchange = exchange);
        }
        Some(answered)
    }

    pub(super) fn cancel(
        &mut self,
        owner: &ClientId<'_>,
        id: &JobId<'_>,
        request: CancelRequest,
        now: u64,
    ) -> CancelVerdict {
        let Some(row) = self.row(owner, id, now) else { return CancelVerdict::Unknown };
        let (verdict, next) = settlement::cancel(row.life, now);
        if let Some(life) = next {
            self.advance(&id.clone().into_owned(), life, now, |row| row.cancel = Some(request));
        }
        verdict
    }

    fn promote(&mut self, now: u64) {
        while let Some((ready_ms, id)) = self.delayed.first().cloned()
            && ready_ms <= now
        {
            let Some(life) = self.rows.get(&id).map(|row| row.life) else { break };
            self.advance(&id, life, now, |_| {});
        }
    }

    pub(super) fn claim(&mut self, claim: &Claim, now: u64) -> Vec<Claimed> {
        self.promote(now);
        let takes = |row: &&Row| claim.kinds.contains(&row.kind) && !row.life.is_expired(now);
        let found =
            self.ready.iter().filter(|(_, _, id)| self.rows.get(id).as_ref().is_some_and(takes));
        let ids: Vec<_> = found.take(claim.max).map(|(rank, _, id)| (*rank, id.clone())).collect();
        ids.into_iter().filter_map(|(rank, id)| self.claim_one(claim, rank, id, now)).collect()
    }

    fn claim_one(
        &mut self,
        claim: &Claim,
        rank: u64,
        id: JobId<'static>,
        now: u64,
    ) -> Option<Claimed> {
        let row = self.rows.get(&id)?;
        let life = row.life.claim(now, claim.lease)?;
        let claimed = Claimed {
            ticket: Ticket { id: id.clone(), epoch: life.epoch },
            owner: row.owner.clone(),
            kind: row.kind.clone(),
            input: row.input.clone(),
            attempt: life.attempt(),
            max_attempts: life.max_attempts,
            answers: row.exchange.answers().clone(),
            checkpoint: row.checkpoint.clone(),
            expires_in: Duration::from_millis(life.expires_ms.saturating_sub(now)),
            waited: row.life.waited(now),
        };
        self.turn = self.turn.max(rank);
        self.advance(&id, life, now, |row| row.worker = Some(claim.worker.clone()));
        Some(claimed)
    }

    pub(super) fn beat(&mut self, beat: Beat, now: u64) -> BeatVerdict {
        let news = if beat.progress.is_some() { News::Some } else { News::None };
        let Some(row) = self.rows.get(&beat.ticket.id) else { return BeatVerdict::Lost };
        match row.life.beat(beat.ticket.epoch, now, beat.lease, news) {
            Beaten::Lost => BeatVerdict::Lost,
            Beaten::Held(life, cancel) => {
                self.advance(&beat.ticket.id, life, now, |row| {
                    row.progress = beat.progress.or(row.progress.take());
                    row.checkpoint = beat.checkpoint.or(row.checkpoint.take());
                });
                BeatVerdict::Held(cancel)
            }
        }
    }

    pub(super) fn settle(&mut self, settle: Settle, now: u64) -> SettleVerdict {
        let Ticket { id, epoch } = settle.ticket;
        let Some(row) = self.rows.get(&id) else { return SettleVerdict::Stale };
        let exchange = || Ok::<_, Infallible>(row.exchange.clone());
        match settlement::settle(row.life, epoch, now, settle.outcome, exchange) {
            Ok(Some(settlement)) => {
                self.apply(&id, settlement, now);
                SettleVerdict::Done
            }
            Ok(None) => SettleVerdict::Stale,
        }
    }

    fn apply(&mut self, id: &JobId<'static>, settlement: Settlement, now: u64) {
        self.advance(id, settlement.life, now, |row| match settlement.write {
            Write::Nothing => {}
            Write::Output(output) => row.output = Some(output),
            Write::Attempt(attempt) => settlement::list_attempt(&mut row.attempts, attempt),
            Write::Asked(exchange, checkpoint) => {
                row.exchange = exchange;
                row.checkpoint = checkpoint.or(row.checkpoint.take());
            }
        });
    }

    pub(super) fn lapse(&mut self, now: u64, limit: usize) -> usize {
        let due = self.leases.iter().take_while(|(until, _)| *until <= now).take(limit);
        let due: Vec<_> = due.map(|(_, id)| id.clone()).collect();
        let mut lapsed = 0;
        for id in due {
            let Some(life) = self.rows.get(&id).map(|row| row.life) else { continue };
            if let Some(settlement) = settlement::lapse(life, now) {
                self.apply(&id, settlement, now);
                lapsed += 1;
            }
        }
        lapsed
    }

    /// Deletes jobs whose lifetime is over: how many, and how many of them had not ended.
    pub(super) fn expire(&mut self, now: u64, limit: usize) -> (usize, usize) {
        let due = self.ends.iter().take_while(|(end, _)| *end <= now).take(limit);
        let due: Vec<_> = due.map(|(_, id)| id.clone()).collect();
        let before = self.unfinished;
        due.iter().for_each(|id| self.remove(id));
        let unfinished = usize::try_from(before - self.unfinished).unwrap_or(usize::MAX);
        (due.len(), unfinished)
    }

    pub(super) fn requeue(&mut self, id: &JobId<'static>, now: u64, b: &Bounds) -> RequeueVerdict {
        let Some(row) = self.rows.get(id) else { return RequeueVerdict::Unknown };
        let (life, owner) = (row.life, row.owner.clone());
        let room = || Ok::<_, Infallible>(self.room(&owner, now, b));
        let Ok((verdict, next)) = settlement::requeue(life, now, room);
        if let Some(life) = next {
            self.advance(id, life, now, |row| row.cancel = None);
        }
        verdict
    }

    pub(super) fn purge(&mut self, id: &JobId<'static>, now: u64) -> PurgeVerdict {
        let Some(row) = self.rows.get(id) else { return PurgeVerdict::Unknown };
        let verdict = settlement::purge(row.life, now);
        if verdict == PurgeVerdict::Done {
            self.remove(id);
        }
        verdict
    }
}

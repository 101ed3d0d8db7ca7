//! A start: nonce, idempotency key, bounds and job, all in one statement. What it was planned on is
//! guarded by the keys of the tables.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use waxwing_jobs::state::{Life, Stage};
use waxwing_jobs::{Bound, NewJob, Phase, Snapshot, Started, StoreError, millis};

use super::Core;
use super::fate::Name;
use super::plan::{KeyUse, Known, Plan, Room};
use crate::batch::Writes;
use crate::database::Patience;
use crate::error::Error;
use crate::row::{get, integer, number};

/// Everything that decides about a batch, by one statement: `what`, texts, numbers, bytes.
const KNOWN: &str = "
SELECT 0::smallint, '', '', '', @now_ms(),
    (SELECT last_value FROM @turn), NULL::bytea
UNION ALL SELECT 1::smallint, o, '', '',
    coalesce((SELECT sum(jobs) FROM @job_counts c WHERE c.client = o), 0)::bigint,
    coalesce((SELECT max(rank) FROM @jobs j
        WHERE j.owner = o AND rank > (SELECT last_value FROM @turn)), 0), NULL
FROM unnest($1) AS o
UNION ALL SELECT 2::smallint, id, '', '', 0, 0, NULL FROM @jobs WHERE id = ANY($2)
UNION ALL SELECT 3::smallint, k.client, k.key, k.job, 0, 0, k.digest
FROM unnest($3, $4) AS n (client, key) JOIN @idempotency k ON k.client = n.client AND k.key = n.key
WHERE k.until_ms > (SELECT @now_ms())
UNION ALL SELECT 4::smallint, k.nonce, '', '', k.scope, 0, NULL
FROM unnest($5, $6) AS n (scope, nonce) JOIN @nonces k ON k.scope = n.scope AND k.nonce = n.nonce
WHERE k.until_ms > (SELECT @now_ms())
UNION ALL SELECT 5::smallint, '', '', '', s,
    coalesce((SELECT sum(nonces) FROM @nonce_counts c WHERE c.scope = s), 0)::bigint, NULL
FROM unnest($7) AS s";

const SQL: &str = "
WITH clock AS MATERIALIZED (SELECT $1 AS ms),
job AS (
    INSERT INTO @jobs (id, owner, kind, input, rank, max_attempts, expires_ms, stage, ready_ms,
        epoch, failures, version, created_ms)
    SELECT n.id, n.owner, n.kind, n.input, n.rank, n.max_attempts, n.expires_ms, 'queued', ms,
        0, 0, 1, ms
    FROM clock, unnest($2, $3, $4, $5, $6, $7, $8) WITH ORDINALITY
        AS n (id, owner, kind, input, rank, max_attempts, expires_ms, nth)
    ORDER BY n.nth RETURNING 1),
kept AS (
    INSERT INTO @idempotency AS k (client, key, digest, job, until_ms)
    SELECT n.* FROM unnest($9, $10, $11, $12, $13) AS n (client, key, digest, job, until_ms)
    ORDER BY 1, 2
    ON CONFLICT (client, key) DO UPDATE
    SET digest = excluded.digest, job = excluded.job, until_ms = excluded.until_ms
    WHERE k.until_ms <= (SELECT ms FROM clock) RETURNING 1),
spent AS (
    INSERT INTO @nonces AS k (scope, nonce, until_ms, batch)
    SELECT n.scope, n.nonce, n.until_ms, $14
    FROM unnest($15, $16, $17) AS n (scope, nonce, until_ms) ORDER BY 1, 2
    ON CONFLICT (scope, nonce) DO UPDATE SET until_ms = excluded.until_ms, batch = excluded.batch
    WHERE k.until_ms <= (SELECT ms FROM clock) RETURNING scope, xmax = 0 AS inserted),
nonces_counted AS (
    INSERT INTO @nonce_counts AS c (scope, slot, nonces)
    SELECT scope, $18, count(*) FROM spent WHERE inserted GROUP BY scope
    UNION ALL SELECT 0, $18, count(*) FROM spent WHERE inserted HAVING count(*) > 0 ORDER BY 1
    ON CONFLICT (scope, slot) DO UPDATE SET nonces = c.nonces + excluded.nonces),
jobs_counted AS (
    INSERT INTO @job_counts AS c (client, slot, jobs)
    SELECT n.client, $18, n.jobs FROM unnest($19, $20) AS n (client, jobs) ORDER BY 1
    ON CONFLICT (client, slot) DO UPDATE SET jobs = c.jobs + excluded.jobs),
named AS (INSERT INTO @commits (batch, until_ms) VALUES ($14, $21))
SELECT CASE WHEN (SELECT count(*) FROM job) = cardinality($2)
    AND (SELECT count(*) FROM kept) = cardinality($9)
    AND (SELECT count(*) FROM spent) = cardinality($15) THEN 0 ELSE @conflict() END";

impl Core {
    /// Starts jobs, those of several calls in one commit. Whatever can fail is done before it.
    pub(super) async fn start(&self, orders: &[NewJob]) -> Result<Vec<Started>, Error> {
        let mut freed = false;
        let mut patience = Patience::new();
        loop {
            let known = self.known(orders).await?;
            let now = known.now;
            let scopes: Vec<Option<i64>> =
                known.spends.iter().map(|spend| spend.as_ref().map(|(scope, _)| *scope)).collect();
            let mut plan = Plan::make(known, orders, &self.bounds);
            if !freed && self.free(&plan, orders, &scopes).await? > 0 {
                freed = true;
                continue;
            }
            self.show_existing(&mut plan, orders, now).await?;
            if plan.writes_nothing() {
                return Ok(plan.verdicts);
            }
            let name = self.name(now);
            let written = self.send_starts(name, orders, &plan, now).await;
            match self.decided(name, written).await {
                Ok(()) => return Ok(plan.verdicts),
                Err(error) => patience.bear(error).await?,
            }
        }
    }

    /// Makes room for what was refused, by what has expired and is still counted: how much went.
    async fn free(
        &self,
        plan: &Plan,
        orders: &[NewJob],
        scopes: &[Option<i64>],
    ) -> Result<usize, Error> {
        let (mut jobs, mut nonces) = (Vec::new(), Vec::new());
        for (index, bound) in plan.refused() {
            match bound {
                Bound::ClientJobs | Bound::AllJobs => {
                    jobs.extend(orders.get(index).map(|order| (order.owner.as_str(), bound)));
                }
                Bound::Nonces => nonces.extend(scopes.get(index).copied().flatten()),
            }
        }
        let mut freed = 0;
        if !jobs.is_empty() {
            freed += self.free_jobs(&jobs).await?;
        }
        if !nonces.is_empty() {
            freed += self.free_nonces(&nonces).await?;
        }
        Ok(freed)
    }

    /// Adds the jobs as they stand that keys were found to stand for, or as they will stand once
    /// this very batch has made them.
    async fn show_existing(
        &self,
        plan: &mut Plan,
        orders: &[NewJob],
        now: u64,
    ) -> Result<(), Error> {
        let Plan { verdicts, jobs, .. } = plan;
        for (verdict, order) in verdicts.iter_mut().zip(orders) {
            if let Started::Existing { id, snapshot } = verdict {
                let made = jobs.iter().filter_map(|(index, _)| orders.get(*index));
                let shown = match made.into_iter().find(|made| made.id == *id) {
                    Some(made) => Some(queued(made, now)),
                    None => self.snapshot(&order.owner, id).await?,
                };
                *snapshot = shown.map(Box::new);
            }
        }
        Ok(())
    }

    /// How much is unfinished, of these clients and in all.
    pub(super) async fn room(&self, owners: &[&str]) -> Result<Room, Error> {
        const SQL: &str = "SELECT o,
            coalesce((SELECT sum(jobs) FROM @job_counts c WHERE c.client = o), 0)::bigint
            FROM unnest($1) AS o";
        let names: Vec<&str> = owners.iter().copied().chain([""]).collect();
        let rows = self.database.ask(SQL, &[(&names, Type::TEXT_ARRAY)]).await?;
        let mut counts = HashMap::new();
        for row in &rows {
            counts.insert(get(row, 0)?, count(get(row, 1)?));
        }
        let all = counts.remove("").unwrap_or_default();
        Ok(Room::new(self.bounds, all, counts))
    }

    async fn known(&self, orders: &[NewJob]) -> Result<Known, Error> {
        let records: Vec<_> = orders.iter().filter_map(|order| order.nonce.as_ref()).collect();
        let scopes = self.scopes(&records).await?;
        let spends = spends(orders, &scopes)?;
        let owners: HashSet<&str> = orders.iter().map(|order| order.owner.as_str()).collect();
        let owners: Vec<&str> = owners.into_iter().chain([""]).collect();
        let ids: Vec<&str> = orders.iter().map(|order| order.id.as_str()).collect();
        let keyed = orders.iter().filter_map(|order| Some((order, order.idempotency.as_ref()?)));
        let (clients, keys): (Vec<&str>, Vec<&str>) =
            keyed.map(|(order, key)| (order.owner.as_str(), key.key.as_str())).unzip();
        let nonces: Vec<&str> = records.iter().map(|record| record.nonce.as_str()).collect();
        let counted: HashSet<i64> = scopes.iter().copied().collect();
        let counted: Vec<i64> =
            if scopes.is_empty() { Vec::new() } else { counted.into_iter().chain([0]).collect() };
        let (text, numbers) = (Type::TEXT_ARRAY, Type::INT8_ARRAY);
        let values = [
            (&owners as _, text.clone()),
            (&ids as _, text.clone()),
            (&clients as _, text.clone()),
            (&keys as _, text.clone()),
            (&scopes as _, numbers.clone()),
            (&nonces as _, text),
            (&counted as _, numbers),
        ];
        let rows = self.database.ask(KNOWN, &values).await?;
        let mut known = Known {
            now: 0,
            room: Room::new(self.bounds, 0, HashMap::new()),
            spends,
            nonces: HashSet::new(),
            nonces_of_scope: HashMap::new(),
            nonces_in_all: 0,
            keys: HashMap::new(),
            ids: HashSet::new(),
            last_rank: HashMap::new(),
            turn: 0,
        };
        let mut unfinished = HashMap::new();
        for row in &rows {
            take_fact(&mut known, &mut unfinished, row)?;
        }
        let all = unfinished.remove("").unwrap_or_default();
        known.room = Room::new(self.bounds, all, unfinished);
        Ok(known)
    }

    async fn send_starts(
        &self,
        name: Name,
        orders: &[NewJob],
        plan: &Plan,
        now: u64,
    ) -> Result<Vec<Row>, Error> {
        let jobs: Vec<(&NewJob, i64)> = plan
            .jobs
            .iter()
            .filter_map(|(index, rank)| Some((orders.get(*index)?, *rank)))
            .collect();
        let texts =
            |of: fn(&NewJob) -> &str| jobs.iter().map(|(job, _)| of(job)).collect::<Vec<_>>();
        let lives: Vec<Life> =
            jobs.iter().map(|(job, _)| Life::new(now, job.ttl, job.max_attempts)).collect();
        debug_assert!(lives.iter().all(|life| life.stage == Stage::Queued { ready_ms: now }));
        let ranks: Vec<i64> = jobs.iter().map(|(_, rank)| *rank).collect();
        let most: Vec<i64> = lives.iter().map(|life| life.max_attempts.into()).collect();
        let expires: Vec<i64> = lives.iter().map(|life| integer(life.expires_ms)).collect();
        let until = |keep| integer(now.saturating_add(millis(keep)));
        let keys = plan.keys.iter().filter_map(|index| orders.get(*index));
        let keys: Vec<_> =
            keys.filter_map(|order| Some((order, order.idempotency.as_ref()?))).collect();
        let key_clients: Vec<&str> = keys.iter().map(|(order, _)| order.owner.as_str()).collect();
        let key_names: Vec<&str> = keys.iter().map(|(_, key)| key.key.as_str()).collect();
        let digests: Vec<&[u8]> = keys.iter().map(|(_, key)| &key.digest[..]).collect();
        let key_jobs: Vec<&str> = keys.iter().map(|(order, _)| order.id.as_str()).collect();
        let key_until: Vec<i64> = keys.iter().map(|(_, key)| until(key.keep)).collect();
        let nonces: Vec<_> = plan
            .nonces
            .iter()
            .filter_map(|(scope, index)| Some((*scope, orders.get(*index)?.nonce.as_ref()?)))
            .collect();
        let scopes: Vec<i64> = nonces.iter().map(|(scope, _)| *scope).collect();
        let names: Vec<&str> = nonces.iter().map(|(_, record)| record.nonce.as_str()).collect();
        let nonce_until: Vec<i64> = nonces.iter().map(|(_, record)| until(record.keep)).collect();
        let (clients, counts) = plan.counts.columns();
        let (text, numbers) = (Type::TEXT_ARRAY, Type::INT8_ARRAY);
        let values = [
            (&integer(now) as _, Type::INT8),
            (&texts(|job| job.id.as_str()) as _, text.clone()),
            (&texts(|job| job.owner.as_str()) as _, text.clone()),
            (&texts(|job| job.kind.as_str()) as _, text.clone()),
            (&texts(|job| job.input.as_str()) as _, text.clone()),
            (&ranks as _, numbers.clone()),
            (&most as _, numbers.clone()),
            (&expires as _, numbers.clone()),
            (&key_clients as _, text.clone()),
            (&key_names as _, text.clone()),
            (&digests as _, Type::BYTEA_ARRAY),
            (&key_jobs as _, text.clone()),
            (&key_until as _, numbers.clone()),
            (&name.batch.0 as _, Type::INT8),
            (&scopes as _, numbers.clone()),
            (&names as _, text.clone()),
            (&nonce_until as _, numbers.clone()),
            (&name.batch.slot() as _, Type::INT2),
            (&clients as _, text),
            (&counts as _, numbers),
            (&name.until_ms as _, Type::INT8),
        ];
        self.database.once(SQL, &values).await
    }
}

/// What each of the items spends, given the numbers of those that have a nonce.
fn spends(orders: &[NewJob], scopes: &[i64]) -> Result<Vec<Option<(i64, String)>>, Error> {
    let mut scopes = scopes.iter();
    let lacks = || Error::Store(StoreError::Fault("a nonce's key has no number".to_owned()));
    let mut spend = |order: &NewJob| {
        let Some(record) = &order.nonce else { return Ok(None) };
        let scope = scopes.next().ok_or_else(lacks)?;
        Ok(Some((*scope, record.nonce.as_str().to_owned())))
    };
    orders.iter().map(&mut spend).collect()
}

/// A job as it stands once it is stored.
fn queued(order: &NewJob, now: u64) -> Snapshot {
    let life = Life::new(now, order.ttl, order.max_attempts);
    Snapshot {
        id: order.id.clone(),
        owner: order.owner.clone(),
        kind: order.kind.clone(),
        phase: Phase::Queued,
        progress: None,
        attempts: Vec::new(),
        cancel: None,
        version: life.version,
        created_ms: now,
        ttl_ms: life.expires_ms.saturating_sub(now),
        read_ms: now,
    }
}

/// A count is never negative but for the moment between two commits.
pub(super) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

fn take_fact(
    known: &mut Known,
    unfinished: &mut HashMap<String, u64>,
    row: &Row,
) -> Result<(), Error> {
    let text = |column| get::<String>(row, column);
    let (first, second) = (get::<i64>(row, 4)?, get::<i64>(row, 5)?);
    match get::<i16>(row, 0)? {
        0 => (known.now, known.turn) = (number(first)?, second),
        1 => {
            unfinished.insert(text(1)?, count(first));
            known.last_rank.insert(text(1)?, second);
        }
        2 => drop(known.ids.insert(text(1)?)),
        3 => {
            let used = KeyUse { digest: get(row, 6)?, job: text(3)? };
            known.keys.insert((text(1)?, text(2)?), used);
        }
        4 => drop(known.nonces.insert((first, text(1)?))),
        _ if first == 0 => known.nonces_in_all = count(second),
        _ => drop(known.nonces_of_scope.insert(first, count(second))),
    }
    Ok(())
}

impl Writes<NewJob, Started> for Core {
    fn write(
        self: Arc<Self>,
        items: Vec<NewJob>,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<Vec<Started>, StoreError>> + Send>> {
        Box::pin(async move { Ok(self.start(&items).await?) })
    }
}

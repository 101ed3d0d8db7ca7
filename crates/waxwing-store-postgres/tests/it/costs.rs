//! What the operations cost, by the server's own counters: no statement reads a table from end to
//! end, by itself or through an index, whatever else is stored; a beat writes no long value anew.

use std::time::{Duration, Instant};

use tokio_postgres::Client;
use waxwing_jobs::state::Cancel;
use waxwing_jobs::{
    Admission, Answers, Beat, BeatVerdict, Bounds, CancelRequest, CancelVerdict, Cause, Claimed,
    Failure, InputKey, InputRequest, InputRequests, NewJob, Outcome, Progress, Remaining, Seen,
    Settle, SettleVerdict, Started, Store, Ticket,
};
use waxwing_store_postgres::{PostgresConfig, PostgresStore};
use waxwing_testkit::postgres::{Cluster, programs};

use crate::support::{LEASE, Place, claim, connect, find, id, json, keyed, nonce, order, owner};

/// Rows of each table that no operation here is about; of the jobs, one in ten has not ended.
const MANY: i64 = 20_000;

/// How often each is done: often enough that the server settles on a plan for it.
const TIMES: usize = 8;

/// What one operation may read: a few rows, each by several statements and indexes.
const FEW: i64 = 40;

const FILL: &str = "
    INSERT INTO jobs (id, owner, kind, stage, epoch, failures, max_attempts, version, created_ms,
        expires_ms, input, output)
    SELECT 'old-' || n, 'client', 'work', CASE n % 2 WHEN 0 THEN 'completed' ELSE 'failed' END,
        1, 0, 3, 3, now_ms(), now_ms() + 3600000, '1', '1' FROM generate_series(1, 20000) n;
    INSERT INTO jobs (id, owner, kind, stage, ready_ms, rank, epoch, failures, max_attempts,
        version, created_ms, expires_ms, input)
    SELECT 'else-' || n, 'owner-' || n % 100, 'another', 'queued', now_ms(), n / 100 + 1, 0, 0, 3,
        1, now_ms(), now_ms() + 3600000, '1' FROM generate_series(1, 2000) n;
    INSERT INTO job_counts VALUES ('', 0, 2000), (' stored', 0, 22000), (' failed', 0, 10000);
    INSERT INTO nonce_scopes (server, client, key)
    SELECT 'server', 'client-' || n, 'k' FROM generate_series(1, 20000) n;
    INSERT INTO nonces SELECT n % 9, 'nonce-' || n, now_ms() + 3600000, 1
    FROM generate_series(1, 20000) n;
    INSERT INTO idempotency SELECT 'client', 'key-' || n, '', 'old-1', now_ms() + 3600000
    FROM generate_series(1, 20000) n;
    INSERT INTO commits SELECT n, now_ms() + 3600000 FROM generate_series(1, 20000) n;
    ANALYZE jobs, nonce_scopes, nonces, idempotency, commits;";

/// A server of its own, whose counters nobody else moves.
struct Counted {
    url: String,
    client: Client,
    _server: Cluster,
}

impl Counted {
    async fn start(test: &str) -> Option<Self> {
        let server = Cluster::start(programs(test)?, &["autovacuum=off"]);
        let (url, client) = (server.url("jobs"), connect(&server).await);
        let counted = Self { url, client, _server: server };
        drop(counted.open("").await);
        counted.client.batch_execute("SET search_path = jobs").await.unwrap();
        counted.run(FILL).await;
        Some(counted)
    }

    async fn open(&self, more: &str) -> PostgresStore {
        let config = PostgresConfig::parse(&(self.url.clone() + more)).unwrap();
        PostgresStore::open(&config, Bounds::default()).await.unwrap()
    }

    /// Changes rows, and has what was read for it counted at once.
    async fn run(&self, sql: &str) {
        self.client.batch_execute(sql).await.unwrap();
        self.client.batch_execute("SELECT pg_stat_force_next_flush()").await.unwrap();
        self.client.batch_execute("SELECT 1").await.unwrap();
    }

    /// Rows read one after the other, and entries of indexes read, by all connections that ended.
    async fn read(&self) -> (i64, i64) {
        const BUSY: &str =
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'waxwing'";
        const READ: &str = "SELECT (SELECT sum(seq_tup_read)::bigint FROM pg_stat_user_tables
                WHERE relname IN ('jobs', 'nonce_scopes', 'nonces', 'idempotency', 'commits')),
            (SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes)";
        let patience = Instant::now() + Duration::from_secs(20);
        while self.client.query_one(BUSY, &[]).await.unwrap().get::<_, i64>(0) > 0 {
            assert!(Instant::now() < patience, "a connection stays");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let row = self.client.query_one(READ, &[]).await.unwrap();
        (row.get(0), row.get(1))
    }

    /// Does something several times on a store of its own, which may read so much each time.
    async fn costs(&self, what: &str, most: i64, work: impl AsyncFn(&PostgresStore, String)) {
        for more in ["", "&pooled=true"] {
            let before = self.read().await;
            let store = self.open(more).await;
            for n in 0..TIMES {
                work(&store, format!("{what}-{n}{}", more.len())).await;
            }
            drop(store);
            let after = self.read().await;
            let (rows, entries) = (after.0 - before.0, after.1 - before.1);
            assert_eq!(rows, 0, "{what}{more} reads tables from end to end");
            let most = most * TIMES as i64;
            assert!(entries <= most, "{what}{more} reads {entries} entries of indexes, {most}");
        }
    }
}

async fn started(store: &PostgresStore, job: NewJob) {
    assert_eq!(store.start(vec![job]).await.unwrap(), [Started::Created]);
}

async fn claimed(store: &PostgresStore) -> Claimed {
    store.claim(claim(1)).await.unwrap().remove(0)
}

async fn settle(store: &PostgresStore, ticket: Ticket, outcome: Outcome) {
    let settled = store.settle(vec![Settle { ticket, outcome }]).await;
    assert_eq!(settled, Ok(vec![SettleVerdict::Done]));
}

async fn report(store: &PostgresStore, ticket: &Ticket, done: f64) {
    let progress = Progress::new(done, None, None);
    let beat = Beat { ticket: ticket.clone(), lease: LEASE, progress, checkpoint: None };
    assert_eq!(store.beat(vec![beat]).await.unwrap(), [BeatVerdict::Held(Cancel::NotAsked)]);
}

fn question() -> (InputKey, InputRequests) {
    let key = InputKey::new("k").unwrap();
    let request = InputRequest { message: "?".into(), schema: json(true) };
    (key.clone(), InputRequests::new([(key, request)].into()).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_reads_a_table_from_end_to_end() {
    let Some(counted) = Counted::start("no_statement_reads_a_table").await else { return };
    counted
        .costs("get", FEW, async |store, _| {
            assert!(find(store, "old-8").await.is_some());
            assert!(find(store, "never").await.is_none());
            assert!(store.inspect(&id("old-8")).await.unwrap().is_some());
        })
        .await;
    counted
        .costs("changed", FEW, async |store, _| {
            let seen = [Seen { id: id("old-9"), version: 1 }];
            assert_eq!(store.changed(&seen, LEASE).await.unwrap(), [id("old-9")]);
        })
        .await;
    counted
        .costs("admit", FEW, async |store, name| {
            use Admission::{Fresh, Replayed};
            let nonces = vec![nonce(&name), nonce(&name)];
            assert_eq!(store.admit(nonces).await.unwrap(), [Fresh, Replayed]);
        })
        .await;
    counted
        .costs("complete", 2 * FEW, async |store, name| {
            started(store, keyed(&name, &name).with_nonce(nonce(&name))).await;
            let ticket = claimed(store).await.ticket;
            report(store, &ticket, 1.0).await;
            settle(store, ticket, Outcome::Complete(json(1))).await;
        })
        .await;
    counted
        .costs("cancel", FEW, async |store, name| {
            started(store, order(&name)).await;
            let cancelled = store.cancel(&owner(), &id(&name), CancelRequest::default()).await;
            assert_eq!(cancelled, Ok(CancelVerdict::Settled));
            store.purge(vec![id(&name)]).await.unwrap();
        })
        .await;
    counted
        .costs("ask", 2 * FEW, async |store, name| {
            started(store, order(&name)).await;
            let (key, requests) = question();
            let outcome = Outcome::Park { requests, checkpoint: None };
            settle(store, claimed(store).await.ticket, outcome).await;
            let answers = Answers::new([(key, json(1))].into());
            store.answer(&owner(), &id(&name), answers).await.unwrap().unwrap();
            // It comes back into the queue, and then ends.
            let failure = Failure::new(Cause::Tool, "no");
            settle(store, claimed(store).await.ticket, Outcome::Fail(failure)).await;
        })
        .await;
    counted
        .costs("sweep", FEW, async |store, _| {
            assert_eq!(store.sweep(100).await.unwrap().remaining, Remaining::Nothing);
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_reads_only_what_is_due() {
    let Some(counted) = Counted::start("a_sweep_reads_only_what_is_due").await else { return };
    let store = counted.open("").await;
    for n in 0..2 * TIMES {
        let name = format!("due-{n}");
        started(&store, keyed(&name, &name).with_nonce(nonce(&name))).await;
        claimed(&store).await;
    }
    drop(store);
    counted
        .run(
            "UPDATE jobs SET lease_until_ms = 1 WHERE stage = 'running';
            UPDATE nonces SET until_ms = 1 WHERE nonce LIKE 'due%';
            UPDATE idempotency SET until_ms = 1 WHERE key LIKE 'due%';
            UPDATE commits SET until_ms = 1 WHERE batch NOT BETWEEN 1 AND 20000",
        )
        .await;
    counted
        .costs("lapse", 2 * FEW, async |store, _| {
            let swept = store.sweep(1).await.unwrap();
            assert_eq!((swept.lapsed, swept.nonces, swept.keys), (1, 1, 1));
        })
        .await;
    counted.run("UPDATE jobs SET expires_ms = 1 WHERE id LIKE 'due%'").await;
    counted
        .costs("expire", 2 * FEW, async |store, _| {
            let swept = store.sweep(1).await.unwrap();
            assert_eq!((swept.jobs, swept.unfinished), (1, 1));
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_from_end_to_end_would_be_noticed() {
    let Some(counted) = Counted::start("reading_from_end_to_end").await else { return };
    counted
        .costs("census", MANY / 10 + FEW, async |store, _| {
            let census = store.census().await.unwrap();
            assert_eq!((census.queued, census.failed), (MANY as u64 / 10, MANY as u64 / 2));
        })
        .await;
    let before = counted.read().await;
    let store = counted.open("").await;
    // An operator's list walks over what it leaves out.
    let none =
        waxwing_jobs::Filter { owner: Some("nobody".parse().unwrap()), ..Default::default() };
    assert!(store.list(none).await.unwrap().jobs.is_empty());
    drop(store);
    let after = counted.read().await;
    assert!(after.0 - before.0 + after.1 - before.1 >= MANY, "{before:?} {after:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_beat_writes_no_answer_request_or_attempt_anew() {
    let Some(place) = Place::new("a_beat_writes_no_answer_anew") else { return };
    let store = place.open(Bounds::default()).await.unwrap();
    started(&store, order("long")).await;
    let ticket = claimed(&store).await.ticket;
    // A MiB each, which compression makes little of.
    let long = "(SELECT string_agg(md5(n::text), '') FROM generate_series(1, 32768) n)";
    let sql = format!(
        "UPDATE jobs SET requests = {long}, answers = {long}, attempts = {long}, checkpoint = {long}"
    );
    place.run(&sql).await;
    let size = async || {
        let sql = format!(
            "SELECT pg_relation_size(reltoastrelid) FROM pg_class WHERE oid = '\"{}\".jobs'::regclass",
            place.schema
        );
        place.client().await.query_one(&sql, &[]).await.unwrap().get::<_, i64>(0)
    };
    let before = size().await;
    assert!(before >= 4 << 20, "{before}");
    for n in 0..100 {
        report(&store, &ticket, f64::from(n)).await;
    }
    assert_eq!(size().await, before);
    let sql = format!(
        "SELECT count(*) FROM \"{}\".jobs WHERE requests = {long} AND answers = {long}
            AND attempts = {long} AND checkpoint = {long}",
        place.schema
    );
    let client = place.client().await;
    assert_eq!(client.query_one(&sql, &[]).await.unwrap().get::<_, i64>(0), 1);
    // Nor an entry of any index, as the server tells once the connections have ended.
    drop(store);
    let sql = format!(
        "SELECT n_tup_hot_upd FROM pg_stat_user_tables
            WHERE schemaname = '{}' AND relname = 'jobs'",
        place.schema
    );
    let patience = Instant::now() + Duration::from_secs(20);
    while client.query_one(&sql, &[]).await.unwrap().get::<_, i64>(0) < 90 {
        assert!(Instant::now() < patience, "beats write indexes anew");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

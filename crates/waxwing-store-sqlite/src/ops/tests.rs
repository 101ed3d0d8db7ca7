//! Every statement that runs finds its rows by an index, so that what it costs does not grow with
//! what is stored. The statements are those that a run through all operations prepares.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use rusqlite::Connection;
use waxwing_core::{CanonicalJson, ClientId, JobId, KeyId, Nonce, ServerId, ToolName};
use waxwing_jobs::{
    Answers, Beat, Bounds, CancelRequest, Claim, Idempotency, InputKey, InputRequest,
    InputRequests, NewJob, NonceRecord, Outcome, Progress, Seen, Settle, Started,
};

use super::{Tx, census, moved, snapshot};

thread_local! {
    static PREPARED: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
}

pub(super) fn note(sql: &str) {
    PREPARED.with_borrow_mut(|all| all.insert(sql.to_owned()));
}

const LEASE: Duration = Duration::from_secs(30);

fn owner() -> ClientId<'static> {
    ClientId::new("client").unwrap()
}

fn id(name: &str) -> JobId<'static> {
    JobId::new(name.to_owned()).unwrap()
}

fn json(value: impl serde::Serialize) -> CanonicalJson<'static> {
    CanonicalJson::from_serialize(&value).unwrap()
}

fn order(name: &str) -> NewJob {
    let nonce = NonceRecord {
        server: ServerId::new("server").unwrap(),
        client: owner(),
        key: KeyId::new("k1").unwrap(),
        nonce: Nonce::new(format!("a-nonce-of-{name:-<10}")).unwrap(),
        keep: LEASE,
    };
    let key = name.parse().unwrap();
    NewJob::new(id(name), owner(), ToolName::new("work").unwrap(), json(name))
        .with_nonce(nonce)
        .with_idempotency(Idempotency { key, digest: [0; 32], keep: LEASE })
}

/// Goes through every operation.
fn run(connection: &Connection) {
    let bounds = Bounds { unfinished_per_client: 6, ..Bounds::default() };
    let at = |now| Tx::new(connection, now, &bounds);
    let tx = at(1000);
    for name in ["a", "b", "c", "d", "e", "f"] {
        assert_eq!(tx.start(&order(name)).unwrap(), Started::Created);
    }
    assert!(matches!(tx.start(&order("full")).unwrap(), Started::Full(_)));
    let kinds = vec![ToolName::new("work").unwrap()];
    let claim = Claim { worker: "w".into(), kinds, lease: LEASE, max: 5 };
    let mut claimed = tx.claim(&claim).unwrap().into_iter().map(|job| job.ticket);
    let mut next = || claimed.next().unwrap();
    let ticket = next();
    let progress = Progress::new(1.0, None, None);
    let beat = Beat { ticket: ticket.clone(), lease: LEASE, progress, checkpoint: Some(json(1)) };
    tx.beat(&beat).unwrap();
    let failure = waxwing_jobs::Failure::new(waxwing_jobs::Cause::Tool, "x");
    let key = InputKey::new("k").unwrap();
    let request = InputRequest { message: "?".into(), schema: json(true) };
    let requests = InputRequests::new([(key.clone(), request)].into()).unwrap();
    let parked = next();
    for (ticket, outcome) in [
        (ticket, Outcome::Complete(json(2))),
        (parked.clone(), Outcome::Park { requests, checkpoint: Some(json(3)) }),
        (next(), Outcome::Retry { after: LEASE, failure: failure.clone() }),
        (next(), Outcome::Fail(failure)),
    ] {
        tx.settle(&Settle { ticket, outcome }).unwrap();
    }
    let answers = Answers::new([(key, json(4))].into());
    tx.answer(&owner(), &parked.id, &answers).unwrap();
    tx.cancel(&owner(), &id("f"), &CancelRequest::default()).unwrap();
    tx.requeue(&id("d")).unwrap();
    snapshot(connection, &owner(), &id("a"), 1000).unwrap().unwrap();
    moved(connection, &[Seen { id: id("a"), version: 1 }], 1000).unwrap();
    census(connection, 1000).unwrap();
    tx.purge(&id("a")).unwrap();
    let later = at(1000 + 60_000);
    assert!(!later.claim(&claim).unwrap().is_empty());
    later.sweep(100).unwrap();
    at(1000 + 10_000_000).sweep(100).unwrap();
}

#[test]
fn no_statement_reads_a_table_from_end_to_end_or_sorts() {
    let mut connection = Connection::open_in_memory().unwrap();
    crate::schema::migrate(&mut connection).unwrap();
    run(&connection);
    let prepared = PREPARED.with_borrow(Clone::clone);
    assert!(prepared.len() > 35, "the run goes through the operations: {}", prepared.len());
    for sql in &prepared {
        for step in plan(&connection, sql) {
            // `totals` has one row.
            let small = ["totals", "(subquery"].iter().any(|name| step.contains(name));
            let counts = sql.contains("count(*)") || sql.contains("min(ready_ms)");
            assert!(!step.starts_with("SCAN") || small || counts, "{sql}\n{step}");
            assert!(!step.contains("TEMP B-TREE"), "{sql}\n{step}");
        }
    }
}

#[test]
fn what_counts_reads_the_indexes_of_the_hot_stages_alone() {
    let mut connection = Connection::open_in_memory().unwrap();
    crate::schema::migrate(&mut connection).unwrap();
    census(&connection, 1000).unwrap();
    for sql in PREPARED.with_borrow(Clone::clone) {
        let steps = plan(&connection, &sql).join("; ");
        let hot = ["jobs_ready", "jobs_delayed", "jobs_leases", "jobs_resting", "totals"];
        assert!(hot.iter().any(|index| steps.contains(index)), "{sql}\n{steps}");
    }
}

/// Jobs by the thousand, alike but for their place.
fn crowd(connection: &Connection, count: u64, kind: &str, stage: &str, expires_ms: u64) {
    let (rank, room) = if stage == "queued" { ("n", "1") } else { ("NULL", "NULL") };
    let crowd = format!(
        "WITH RECURSIVE crowd (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM crowd WHERE n < {count})
        INSERT INTO jobs (id, owner, kind, stage, ready_ms, rank, epoch, failures, max_attempts,
            version, created_ms, expires_ms, room_until_ms)
        SELECT '{kind}-{stage}-' || n, 'client', '{kind}', '{stage}', {rank}, {rank}, 0, 0, 1, 1, 1,
            {expires_ms}, {expires_ms} * {room} FROM crowd"
    );
    assert_eq!(connection.execute(&crowd, []).unwrap() as u64, count);
    let totals = format!("UPDATE totals SET stored = stored + {count}");
    connection.execute(&totals, []).unwrap();
    if stage == "queued" {
        let unfinished = format!(
            "UPDATE totals SET unfinished = unfinished + {count};
            INSERT INTO clients VALUES ('client', {count}, {count})
            ON CONFLICT DO UPDATE SET unfinished = unfinished + {count}"
        );
        connection.execute_batch(&unfinished).unwrap();
    }
}

/// How many steps SQLite took in all statements since this was last asked.
fn steps(connection: &Connection) -> i32 {
    let prepared = PREPARED.with_borrow(Clone::clone);
    let of = |sql: &String| {
        let statement = connection.prepare_cached(sql).unwrap();
        statement.reset_status(rusqlite::StatementStatus::VmStep)
    };
    prepared.iter().map(of).sum()
}

#[test]
fn a_claim_costs_the_same_however_many_jobs_of_other_kinds_are_queued() {
    let took = |others: u64| {
        PREPARED.with_borrow_mut(BTreeSet::clear);
        let mut connection = Connection::open_in_memory().unwrap();
        crate::schema::migrate(&mut connection).unwrap();
        connection.set_prepared_statement_cache_capacity(128);
        crowd(&connection, others, "elsewhere", "queued", 1_000_000);
        let bounds = Bounds::default();
        let tx = Tx::new(&connection, 1000, &bounds);
        for n in 0..20 {
            assert_eq!(tx.start(&order(&n.to_string())).unwrap(), Started::Created);
        }
        steps(&connection);
        let kinds = ["play", "work", "rest"].map(|kind| ToolName::new(kind).unwrap()).to_vec();
        let claim = Claim { worker: "w".into(), kinds, lease: LEASE, max: 5 };
        assert_eq!(tx.claim(&claim).unwrap().len(), 5);
        steps(&connection)
    };
    let (few, many) = (took(1), took(5000));
    assert!(few > 100, "steps are counted: {few}");
    assert!(many < few + few / 10, "{few} steps, and {many} beside 5,000 jobs of other kinds");
}

#[test]
fn a_start_that_finds_the_queue_full_deletes_a_few_and_only_what_takes_room() {
    let mut connection = Connection::open_in_memory().unwrap();
    crate::schema::migrate(&mut connection).unwrap();
    let bounds = Bounds { unfinished_per_client: 2000, ..Bounds::default() };
    let tx = Tx::new(&connection, 1000, &bounds);
    let jobs = || connection.query_row("SELECT count(*) FROM jobs", [], |row| row.get(0)).unwrap();
    crowd(&connection, 20_000, "work", "completed", 900);
    crowd(&connection, 2000, "work", "queued", 5000);
    assert!(matches!(tx.start(&order("full")).unwrap(), Started::Full(_)));
    assert_eq!(jobs(), 22_000, "what has ended takes no room and is the sweep's");
    let expire = "UPDATE jobs SET expires_ms = 900, room_until_ms = 900 WHERE stage = 'queued'";
    connection.execute(expire, []).unwrap();
    assert_eq!(tx.start(&order("room")).unwrap(), Started::Created);
    let left: i64 = jobs();
    assert!((21_000..22_000).contains(&left), "{left} jobs are left");
}

fn plan(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let nothing = vec![1_i64; statement.parameter_count()];
    let rows = statement.query_map(rusqlite::params_from_iter(nothing), |row| row.get(3)).unwrap();
    rows.map(Result::unwrap).collect()
}

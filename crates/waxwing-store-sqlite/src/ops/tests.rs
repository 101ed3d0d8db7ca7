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
            // `totals` has one row, `json_each` a worker's few kinds, and the index of what is
            // ready is read from its start.
            let small = ["totals", "json_each", "jobs USING INDEX jobs_ready", "(subquery"]
                .iter()
                .any(|name| step.contains(name));
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

fn plan(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let nothing = vec![1_i64; statement.parameter_count()];
    let rows = statement.query_map(rusqlite::params_from_iter(nothing), |row| row.get(3)).unwrap();
    rows.map(Result::unwrap).collect()
}

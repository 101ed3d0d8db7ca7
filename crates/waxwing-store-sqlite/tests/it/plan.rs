//! The hot statements find their rows by index, so that what they cost does not grow with what is
//! stored.

use rusqlite::Connection;

use crate::support::{clock, open};

fn plan(connection: &Connection, sql: &str) -> String {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let parameters = statement.parameter_count();
    let nothing = vec![rusqlite::types::Value::Integer(1); parameters];
    let rows = statement.query_map(rusqlite::params_from_iter(nothing), |row| row.get(3)).unwrap();
    rows.map(Result::unwrap).collect::<Vec<String>>().join("; ")
}

#[tokio::test]
async fn hot_statements_use_their_indexes_and_sort_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.db");
    drop(open(&path, &clock()));
    let connection = Connection::open(&path).unwrap();
    for (sql, index) in [
        ("SELECT version FROM jobs WHERE id = ?1", "jobs_by_id (id=?)"),
        ("SELECT version FROM jobs WHERE id = ?1 AND owner = ?2", "jobs_by_id (id=? AND owner=?)"),
        (
            "SELECT seq FROM jobs JOIN inputs ON inputs.job = seq WHERE rank IS NOT NULL
             AND expires_ms > ?1 AND kind IN (SELECT value FROM json_each('[]'))
             ORDER BY rank, seq LIMIT ?3",
            "jobs_ready",
        ),
        (
            "SELECT seq FROM jobs WHERE stage = 'queued' AND rank IS NULL AND ready_ms <= ?1
             ORDER BY ready_ms LIMIT ?2",
            "jobs_delayed (ready_ms<?)",
        ),
        (
            "SELECT seq FROM jobs WHERE lease_until_ms <= ?1 ORDER BY lease_until_ms LIMIT ?2",
            "jobs_leases (lease_until_ms<?)",
        ),
        (
            "SELECT seq FROM jobs WHERE expires_ms <= ?1 ORDER BY expires_ms LIMIT ?2",
            "jobs_ends (expires_ms<?)",
        ),
        (
            "SELECT scope FROM nonces WHERE until_ms <= ?1 ORDER BY until_ms LIMIT ?2",
            "nonces_ends (until_ms<?)",
        ),
        (
            "SELECT count(*) FROM jobs WHERE stage IN ('parked', 'failed') AND stage = 'parked'",
            "jobs_resting",
        ),
    ] {
        let plan = plan(&connection, sql);
        assert!(plan.contains(index), "{sql}: {plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{sql}: {plan}");
    }
}

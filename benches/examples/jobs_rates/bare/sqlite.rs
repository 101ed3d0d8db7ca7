//! The rows that a start writes, by rusqlite.

use std::path::Path;
use std::time::Instant;

use rusqlite::{Connection, params};

use super::BATCH;
use crate::orders::{Ids, owner};

/// Jobs a second.
pub(super) fn starts(file: &Path, count: u64, ids: Ids) -> f64 {
    let connection = Connection::open(file).expect("the file");
    connection
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
        .expect("the settings of the store");
    let orders: Vec<_> = (0..count).map(|n| ids.order(n)).collect();
    let began = Instant::now();
    for batch in orders.chunks(BATCH) {
        connection.execute_batch("BEGIN IMMEDIATE").expect("a transaction");
        for (n, job) in batch.iter().enumerate() {
            insert(&connection, n as u64, job).expect("a row");
        }
        connection.execute_batch("COMMIT").expect("a commit");
    }
    count as f64 / began.elapsed().as_secs_f64()
}

fn insert(connection: &Connection, n: u64, job: &waxwing_jobs::NewJob) -> rusqlite::Result<()> {
    const JOB: &str = "INSERT INTO jobs (id, owner, kind, stage, ready_ms, rank, epoch, failures,
        max_attempts, version, created_ms, expires_ms)
        VALUES (?1, ?2, ?3, 'queued', 1, ?4, 0, 0, 3, 1, 1, 3600001)";
    let owner = owner(n);
    let row = params![job.id.as_str(), owner.as_str(), job.kind.as_str(), n as i64];
    connection.prepare_cached(JOB)?.execute(row)?;
    const INPUT: &str = "INSERT INTO inputs (job, input) VALUES (?1, ?2)";
    let row = params![connection.last_insert_rowid(), job.input.as_str()];
    connection.prepare_cached(INPUT)?.execute(row)?;
    const CLIENT: &str = "INSERT INTO clients (client, unfinished, last_rank) VALUES (?1, 1, ?2)
        ON CONFLICT (client) DO UPDATE SET unfinished = unfinished + 1, last_rank = ?2";
    connection.prepare_cached(CLIENT)?.execute(params![owner.as_str(), n as i64])?;
    const TOTALS: &str = "UPDATE totals SET unfinished = unfinished + 1, stored = stored + 1";
    connection.prepare_cached(TOTALS)?.execute([]).map(drop)
}

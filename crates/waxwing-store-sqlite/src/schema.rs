//! The tables, and the way from each earlier form of them to the present one.

use rusqlite::{Connection, TransactionBehavior};
use waxwing_jobs::StoreError;

use crate::error::Error;

/// Marks the file as ours: "WaxW".
const APPLICATION: i32 = 0x5761_7857;

/// Each entry brings a file from the version of its index to the next. Entries are never changed
/// once released; `PRAGMA user_version` says how many were applied.
const MIGRATIONS: [&str; 6] = [FIRST, SECOND, THIRD, FOURTH, FIFTH, SIXTH];

/// `jobs` holds what changes often and is small; what may be large has tables of its own, so that a
/// heartbeat never rewrites an input. Indexes cover the hot stages alone, so that finished jobs cost
/// neither workers nor polls anything.
const FIRST: &str = "
CREATE TABLE jobs (
    seq              INTEGER PRIMARY KEY,
    id               TEXT NOT NULL,
    owner            TEXT NOT NULL,
    kind             TEXT NOT NULL,
    stage            TEXT NOT NULL CHECK (stage IN
                     ('queued', 'running', 'parked', 'completed', 'failed', 'cancelled')),
    ready_ms         INTEGER CHECK ((ready_ms IS NOT NULL) = (stage = 'queued')),
    rank             INTEGER CHECK (rank IS NULL OR stage = 'queued'),
    lease_until_ms   INTEGER CHECK ((lease_until_ms IS NOT NULL) = (stage = 'running')),
    cancel_asked     INTEGER NOT NULL DEFAULT 0,
    cancel_reason    TEXT,
    worker           TEXT,
    epoch            INTEGER NOT NULL,
    failures         INTEGER NOT NULL,
    max_attempts     INTEGER NOT NULL,
    version          INTEGER NOT NULL,
    created_ms       INTEGER NOT NULL,
    expires_ms       INTEGER NOT NULL,
    progress_done    REAL,
    progress_total   REAL,
    progress_message TEXT,
    attempts         TEXT
) STRICT;
CREATE UNIQUE INDEX jobs_by_id ON jobs (id, owner);
CREATE INDEX jobs_ready   ON jobs (rank)           WHERE rank IS NOT NULL;
CREATE INDEX jobs_delayed ON jobs (ready_ms)       WHERE stage = 'queued' AND rank IS NULL;
CREATE INDEX jobs_leases  ON jobs (lease_until_ms) WHERE lease_until_ms IS NOT NULL;
CREATE INDEX jobs_resting ON jobs (stage)          WHERE stage IN ('parked', 'failed');
CREATE INDEX jobs_ends    ON jobs (expires_ms);

CREATE TABLE inputs      (job INTEGER PRIMARY KEY, input TEXT NOT NULL) STRICT;
CREATE TABLE outputs     (job INTEGER PRIMARY KEY, output TEXT NOT NULL) STRICT;
CREATE TABLE checkpoints (job INTEGER PRIMARY KEY, checkpoint TEXT NOT NULL) STRICT;
CREATE TABLE exchanges   (job INTEGER PRIMARY KEY, requests TEXT NOT NULL, answers TEXT NOT NULL) STRICT;

CREATE TABLE clients (
    client     TEXT PRIMARY KEY,
    unfinished INTEGER NOT NULL,
    last_rank  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE totals (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    unfinished INTEGER NOT NULL,
    turn       INTEGER NOT NULL,
    nonces     INTEGER NOT NULL
) STRICT;
INSERT INTO totals VALUES (1, 0, 0, 0);

CREATE TABLE nonce_scopes (
    scope  INTEGER PRIMARY KEY,
    server TEXT NOT NULL,
    client TEXT NOT NULL,
    key    TEXT NOT NULL,
    kept   INTEGER NOT NULL,
    UNIQUE (server, client, key)
) STRICT;
CREATE TABLE nonces (
    scope    INTEGER NOT NULL,
    nonce    TEXT NOT NULL,
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (scope, nonce)
) STRICT, WITHOUT ROWID;
CREATE INDEX nonces_ends ON nonces (until_ms);

CREATE TABLE idempotency (
    client   TEXT NOT NULL,
    key      TEXT NOT NULL,
    digest   BLOB NOT NULL,
    job      TEXT NOT NULL,
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (client, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_ends ON idempotency (until_ms);
";

/// The file's time, and the longest lease that was given: no lease lies further ahead.
const SECOND: &str = "
ALTER TABLE totals ADD COLUMN now_ms           INTEGER NOT NULL DEFAULT 0;
ALTER TABLE totals ADD COLUMN longest_lease_ms INTEGER NOT NULL DEFAULT 30000;
";

/// Heights that only rise.
const THIRD: &str = "
CREATE TABLE marks (name TEXT PRIMARY KEY, height INTEGER NOT NULL) STRICT, WITHOUT ROWID;
";

/// How many jobs are stored: counting them would read them all.
const FOURTH: &str = "
ALTER TABLE totals ADD COLUMN stored INTEGER NOT NULL DEFAULT 0;
UPDATE totals SET stored = (SELECT count(*) FROM jobs);
";

/// The server that the file works for, from its first start on.
const FIFTH: &str = "
ALTER TABLE totals ADD COLUMN server TEXT;
";

/// The queue by kind, so that a claim passes no job of a kind it was not asked for; and until when an
/// unfinished job takes room, so that a full queue finds those that do no longer. A column of its own,
/// since an index on the stage would be written anew by each claim.
const SIXTH: &str = "
DROP INDEX jobs_ready;
CREATE INDEX jobs_ready ON jobs (kind, rank) WHERE rank IS NOT NULL;
ALTER TABLE jobs ADD COLUMN room_until_ms INTEGER;
UPDATE jobs SET room_until_ms = expires_ms WHERE stage IN ('queued', 'running', 'parked');
CREATE INDEX jobs_room ON jobs (room_until_ms) WHERE room_until_ms IS NOT NULL;
";

/// Brings the file to the present form, in one commit, whoever else is opening it.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    Ok(apply(connection, &MIGRATIONS)?)
}

/// Refuses a file that is not in the present form already.
pub(crate) fn check(connection: &Connection) -> rusqlite::Result<Result<(), StoreError>> {
    let refuse = |why: String| Ok(Err(StoreError::Misconfigured(why)));
    let newest = MIGRATIONS.len();
    match version(connection)? {
        None => refuse(FOREIGN.to_owned()),
        Some(version) if version < newest => refuse(format!(
            "the file has schema {version}, this version needs {newest}; `waxwing serve` brings it \
             up to date"
        )),
        Some(version) if version > newest => refuse(format!(
            "the file has schema {version}, this version knows {newest}; use the version whose \
             `waxwing serve` brought it up to that date"
        )),
        Some(_) => Ok(Ok(())),
    }
}

const FOREIGN: &str = "the file is a database of another program";

/// The schema of a file, unless another program made it; 0 of an empty one.
fn version(connection: &Connection) -> rusqlite::Result<Option<usize>> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let (version, application) = (pragma("user_version")?, pragma("application_id")?);
    const TABLES: &str = "SELECT count(*) FROM sqlite_schema";
    let tables: i64 = connection.query_row(TABLES, [], |row| row.get(0))?;
    let ours = application == APPLICATION || (application == 0 && version == 0 && tables == 0);
    Ok(ours.then(|| usize::try_from(version).unwrap_or(usize::MAX)))
}

fn apply(connection: &mut Connection, migrations: &[&str]) -> Result<(), Error> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let refuse = |why: String| Err(StoreError::Misconfigured(why).into());
    let Some(version) = version(&tx)? else { return refuse(FOREIGN.to_owned()) };
    let Some(missing) = migrations.get(version..) else {
        let newest = migrations.len();
        return refuse(format!(
            "the file has schema {version}, written by a newer version; this one knows {newest}"
        ));
    };
    if missing.is_empty() {
        return Ok(());
    }
    for step in missing {
        tx.execute_batch(step)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION)?;
    tx.pragma_update(None, "user_version", i32::try_from(migrations.len()).unwrap_or(i32::MAX))?;
    Ok(tx.commit()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(connection: &Connection) -> i32 {
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_new_file_and_one_of_an_earlier_version_come_to_the_same() {
        let mut fresh = Connection::open_in_memory().unwrap();
        let mut later = MIGRATIONS.to_vec();
        later.push("ALTER TABLE jobs ADD COLUMN later TEXT");
        apply(&mut fresh, &later).unwrap();
        let mut old = Connection::open_in_memory().unwrap();
        apply(&mut old, &[FIRST]).unwrap();
        let job = "INSERT INTO jobs (id, owner, kind, stage, ready_ms, epoch, failures, max_attempts,
            version, created_ms, expires_ms) VALUES ('one', 'a', 'work', 'queued', 1, 0, 0, 3, 1, 1, 9)";
        old.execute(job, []).unwrap();
        migrate(&mut old).unwrap();
        let room = "SELECT room_until_ms FROM jobs, totals WHERE stored = 1";
        assert_eq!(old.query_row(room, [], |row| row.get::<_, i64>(0)), Ok(9));
        apply(&mut old, &later).unwrap();
        let schema = |connection: &Connection| {
            let mut all =
                connection.prepare("SELECT sql FROM sqlite_schema ORDER BY name").unwrap();
            let rows = all.query_map([], |row| row.get::<_, Option<String>>(0)).unwrap();
            rows.map(Result::unwrap).collect::<Vec<_>>()
        };
        assert_eq!(schema(&fresh), schema(&old));
        assert_eq!((version(&fresh), version(&old)), (7, 7));
        migrate(&mut old).unwrap_err();
        apply(&mut old, &later).unwrap();
        assert_eq!(version(&old), 7);
    }

    #[test]
    fn a_migration_that_fails_leaves_the_file_as_it_was() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        let mut broken = MIGRATIONS.to_vec();
        broken.push("CREATE TABLE t (x); nonsense");
        assert!(apply(&mut connection, &broken).is_err());
        assert_eq!(version(&connection), 6);
        assert!(connection.prepare("SELECT * FROM t").is_err());
        migrate(&mut connection).unwrap();
    }

    #[test]
    fn files_of_newer_versions_and_other_programs_are_refused_in_one_line() {
        let mut newer = Connection::open_in_memory().unwrap();
        migrate(&mut newer).unwrap();
        newer.pragma_update(None, "user_version", 99).unwrap();
        let mut other = Connection::open_in_memory().unwrap();
        other.execute_batch("CREATE TABLE notes (x)").unwrap();
        for (connection, says) in [(&mut newer, "schema 99"), (&mut other, "another program")] {
            let error = migrate(connection).unwrap_err();
            assert!(
                matches!(&error, StoreError::Misconfigured(why) if why.contains(says)),
                "{error}"
            );
        }
    }
}

//! What must hold before a file is trusted with jobs: checked when it is opened, refused otherwise.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use waxwing_jobs::StoreError;

use crate::error::blame;

/// The first SQLite without the WAL-reset bug, under which two connections can lose a commit.
const OLDEST: i32 = 3_051_003;

/// How long a connection waits for another process.
const BUSY: Duration = Duration::from_secs(5);

/// What a connection reports about itself.
struct Settings {
    library: i32,
    journal_mode: String,
    synchronous: i64,
}

impl Settings {
    /// One clear line, when jobs could be lost.
    fn refusal(&self) -> Option<String> {
        if self.library < OLDEST {
            let (a, b, c) =
                (self.library / 1_000_000, self.library / 1000 % 1000, self.library % 1000);
            return Some(format!(
                "SQLite {a}.{b}.{c} can lose commits (WAL-reset bug); 3.51.3 or newer is needed"
            ));
        }
        if self.journal_mode != "wal" {
            let mode = &self.journal_mode;
            return Some(format!(
                "the file cannot be put in WAL mode (it is in mode {mode}); is it on a local disk?"
            ));
        }
        if self.synchronous < 2 {
            let level = self.synchronous;
            return Some(format!(
                "synchronous={level} would lose acknowledged jobs in a power cut; FULL is needed"
            ));
        }
        None
    }
}

/// An error of a file that is being opened, with the file's name.
fn named(path: &Path, error: &rusqlite::Error) -> StoreError {
    match blame(error) {
        StoreError::Corrupt(why) => StoreError::Corrupt(format!("{}: {why}", path.display())),
        StoreError::Fault(why) => StoreError::Misconfigured(format!("{}: {why}", path.display())),
        other => other,
    }
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

/// Looks at a file and leaves it as it is, with the log that it may have.
pub(crate) fn look(
    path: &Path,
    looks: impl FnOnce(&Connection) -> rusqlite::Result<Result<(), StoreError>>,
) -> Result<(), StoreError> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let has_log = Path::new(&log).exists();
    let looked = open(path).and_then(|connection| {
        // Whoever closes a file last copies the log into it and deletes the log.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, has_log)?;
        looks(&connection)
    });
    looked.map_err(|error| named(path, &error))?
}

/// Opens a connection and makes sure that what it commits stays.
pub(crate) fn connect(path: &Path) -> Result<Connection, StoreError> {
    let connection = open(path).map_err(|error| named(path, &error))?;
    let settings = set(&connection).map_err(|error| named(path, &error))?;
    match settings.refusal() {
        None => Ok(connection),
        Some(why) => Err(StoreError::Misconfigured(format!("{}: {why}", path.display()))),
    }
}

fn set(connection: &Connection) -> rusqlite::Result<Settings> {
    connection.set_prepared_statement_cache_capacity(128);
    // Otherwise SQLite compiles a statement anew whenever a value that is bound could change its plan.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    let journal_mode = journal_mode(connection)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // On systems whose fsync stops at the drive's cache, go on to the platter. Elsewhere no-ops.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -16_000)?;
    // Jobs have ids in no order: a page of their index is in the log many times over, and is
    // copied into the file once for each time that the log is. 16 MiB of log rather than 4.
    connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
    // After a burst the log file gives its space back.
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    let synchronous = connection.pragma_query_value(None, "synchronous", |row| row.get(0))?;
    Ok(Settings { library: rusqlite::version_number(), journal_mode, synchronous })
}

/// Puts the file in WAL mode. Changing the mode of a new file needs it alone for a moment, and
/// SQLite does not wait for that by itself.
fn journal_mode(connection: &Connection) -> rusqlite::Result<String> {
    let mut tries = 0;
    loop {
        let mode = connection
            .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
        match mode {
            Err(error)
                if tries < 500
                    && error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) =>
            {
                tries += 1;
                std::thread::sleep(Duration::from_millis(10));
            }
            mode => return mode,
        }
    }
}

/// The same for a connection that only reads.
pub(crate) fn connect_reader(path: &Path) -> Result<Connection, StoreError> {
    let connection = connect(path)?;
    connection.pragma_update(None, "query_only", true).map_err(|error| blame(&error))?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Settings {
        Settings { library: OLDEST, journal_mode: "wal".into(), synchronous: 2 }
    }

    #[test]
    fn a_safe_setting_is_taken_and_each_unsafe_one_is_refused_in_one_line() {
        assert_eq!(good().refusal(), None);
        assert_eq!(Settings { synchronous: 3, ..good() }.refusal(), None);
        let refused = [
            (Settings { library: 3_051_002, ..good() }, "SQLite 3.51.2 can lose commits"),
            (Settings { journal_mode: "delete".into(), ..good() }, "mode delete"),
            (Settings { synchronous: 1, ..good() }, "synchronous=1"),
            (Settings { synchronous: 0, ..good() }, "synchronous=0"),
        ];
        for (settings, says) in refused {
            let line = settings.refusal().unwrap();
            assert!(line.contains(says), "{line}");
            assert!(!line.contains('\n'));
        }
    }

    #[test]
    fn a_database_that_cannot_have_a_log_is_refused() {
        let error = connect(Path::new(":memory:")).unwrap_err();
        assert!(matches!(&error, StoreError::Misconfigured(why) if why.contains("WAL")), "{error}");
    }

    #[test]
    fn the_bundled_library_is_new_enough() {
        assert!(rusqlite::version_number() >= OLDEST);
    }

    #[test]
    fn every_connection_syncs_each_commit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("jobs.db");
        std::fs::write(&path, "").unwrap();
        for connection in [connect(&path).unwrap(), connect_reader(&path).unwrap()] {
            let level =
                |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
            assert_eq!(level("synchronous").unwrap(), 2);
            assert_eq!(level("fullfsync").unwrap(), 1);
        }
        assert!(connect_reader(&path).unwrap().execute("CREATE TABLE t (x)", []).is_err());
    }
}

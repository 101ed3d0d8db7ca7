//! Where the measured stores are: a new one for each case, several handles to one when a case asks.

use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;
use waxwing_jobs::{Bounds, Store};
use waxwing_store_postgres::{PostgresConfig, PostgresStore};
use waxwing_store_sqlite::SqliteStore;
use waxwing_testkit::postgres::{Cluster, programs};

/// Room for everything that is measured here.
pub(crate) const ROOM: Bounds = Bounds {
    unfinished: u64::MAX >> 1,
    unfinished_per_client: u64::MAX >> 1,
    nonces: u64::MAX >> 1,
    nonces_per_key: u64::MAX >> 1,
};

/// What docs/jobs.md advises: memory, room for the log, and a vacuum that comes by often, since every
/// job leaves dead rows. Syncs are on.
const SETTINGS: [&str; 3] = ["shared_buffers=256MB", "max_wal_size=4GB", "autovacuum_naptime=10s"];

/// A kind of store, and where.
pub(crate) enum Place {
    Files(TempDir),
    Server(Cluster),
}

impl Place {
    pub(crate) fn of(store: &str) -> Self {
        match store.split_once(':') {
            None if store == "sqlite" => Self::Files(tempfile::tempdir().expect("a folder")),
            Some(("sqlite", folder)) => {
                Self::Files(tempfile::tempdir_in(Path::new(folder)).expect("a folder"))
            }
            None if store == "postgres" => Self::server(&[]),
            _ => panic!("no such store: {store}"),
        }
    }

    fn server(more: &[&str]) -> Self {
        let programs = programs("jobs_rates").expect("PostgreSQL's programs");
        Self::Server(Cluster::start(programs, &[&SETTINGS, more].concat()))
    }

    /// A place of the same kind that can tell how many statements it was sent.
    pub(crate) fn counting(&self) -> Self {
        match self {
            Self::Files(_) => Self::of("sqlite"),
            Self::Server(_) => Self::server(&["log_statement=all"]),
        }
    }

    /// How many statements a counting server was sent so far.
    pub(crate) fn statements(&self) -> Option<u64> {
        let Self::Server(server) = self else { return None };
        let log = std::fs::read_to_string(server.folder().join("log")).expect("the server's log");
        let is_statement =
            |line: &&str| line.contains("LOG:  execute ") || line.contains("LOG:  statement: ");
        Some(log.lines().filter(is_statement).count() as u64)
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(self, Self::Files(_))
    }

    /// The store of this name; made when it is not there.
    pub(crate) async fn open(&self, name: &str) -> Arc<dyn Store> {
        match self {
            Self::Files(folder) => {
                Arc::new(SqliteStore::open(folder.path().join(name), ROOM).expect("a store"))
            }
            Self::Server(server) => {
                let config = PostgresConfig::parse(&server.url(name)).expect("an address");
                Arc::new(PostgresStore::open(&config, ROOM).await.expect("a store"))
            }
        }
    }

    /// The address of the store of this name, when stores are on a server.
    pub(crate) fn url(&self, name: &str) -> Option<String> {
        match self {
            Self::Files(_) => None,
            Self::Server(server) => Some(server.url(name)),
        }
    }

    /// Bytes of the log beside a store's file.
    pub(crate) fn log_bytes(&self, name: &str) -> u64 {
        let Self::Files(folder) = self else { return 0 };
        let mut log = folder.path().join(name).into_os_string();
        log.push("-wal");
        std::fs::metadata(log).map_or(0, |log| log.len())
    }
}

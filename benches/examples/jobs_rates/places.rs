//! Where the measured stores are: a new one for each case, several handles to one when a case asks.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use waxwing_jobs::{Bounds, Store};
use waxwing_store_sqlite::SqliteStore;

/// Room for everything that is measured here.
pub(crate) const ROOM: Bounds = Bounds {
    unfinished: u64::MAX >> 1,
    unfinished_per_client: u64::MAX >> 1,
    nonces: u64::MAX >> 1,
    nonces_per_key: u64::MAX >> 1,
};

/// A kind of store, and where.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn of(url: &str) -> Self {
        let folder = match url.split_once(':') {
            None if url == "sqlite" => tempfile::tempdir(),
            Some(("sqlite", folder)) => tempfile::tempdir_in(Path::new(folder)),
            _ => panic!("no such store: {url}"),
        };
        Self { folder: folder.expect("a folder") }
    }

    /// The store of this name; made when it is not there.
    pub(crate) async fn open(&self, name: &str) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(self.path(name), ROOM).expect("a store"))
    }

    /// A new file for bare rows, when the store is a file.
    pub(crate) fn file(&self, name: &str) -> Option<PathBuf> {
        Some(self.path(name))
    }

    /// Bytes of this store's files on the disk, the log included.
    pub(crate) fn log_bytes(&self, name: &str) -> u64 {
        let mut log = self.path(name).into_os_string();
        log.push("-wal");
        std::fs::metadata(log).map_or(0, |log| log.len())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

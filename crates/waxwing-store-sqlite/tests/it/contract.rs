//! The SQLite store keeps the contract, and agrees with the reference on random operations and
//! crashes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use proptest::prelude::*;
use tempfile::TempDir;
use waxwing_jobs::contract::{Fixture, Subject, check, model};
use waxwing_jobs::{Bounds, ManualClock, Store, StoreError};
use waxwing_store_sqlite::SqliteStore;

use crate::support::clock;

struct Sqlite;

struct Opened {
    dir: TempDir,
    path: PathBuf,
    bounds: Bounds,
    clock: ManualClock,
    store: Arc<dyn Store>,
    crashes: u32,
}

impl Opened {
    fn new(bounds: Bounds) -> Result<Self, StoreError> {
        let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
        let path = dir.path().join("jobs.db");
        let store = SqliteStore::open_with_clock(&path, bounds, Arc::new(clock.clone()))?;
        Ok(Self { dir, path, bounds, clock, store: Arc::new(store), crashes: 0 })
    }
}

#[async_trait]
impl Fixture for Opened {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    async fn another(&self) -> Result<Arc<dyn Store>, StoreError> {
        let clock = Arc::new(self.clock.clone());
        Ok(Arc::new(SqliteStore::open_with_clock(&self.path, self.bounds, clock)?))
    }

    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// The file and its log as they are on the disk, without anything a close would add.
    async fn reopen(&mut self) -> Result<(), StoreError> {
        self.crashes += 1;
        let next = self.dir.path().join(format!("jobs-{}.db", self.crashes));
        crate::crash::copy(&self.path, &next);
        let clock = Arc::new(self.clock.clone());
        self.store = Arc::new(SqliteStore::open_with_clock(&next, self.bounds, clock)?);
        self.path = next;
        Ok(())
    }
}

#[async_trait]
impl Subject for Sqlite {
    async fn open(&self, bounds: Bounds) -> Result<Box<dyn Fixture>, StoreError> {
        Ok(Box::new(Opened::new(bounds)?))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sqlite_store_keeps_every_promise() {
    assert_eq!(check(&Sqlite).await, []);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_sqlite_store_agrees_with_the_reference(
        numbers in prop::collection::vec(any::<u64>(), 1..120)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let mut opened = Opened::new(model::BOUNDS).unwrap();
        let ran = runtime.block_on(model::run(&mut opened, &numbers));
        prop_assert_eq!(ran, Ok(()));
    }
}

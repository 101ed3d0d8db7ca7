//! The PostgreSQL store keeps the contract, and agrees with the reference on random operations and
//! restarts.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use proptest::test_runner::{Config, TestRunner};
use waxwing_jobs::contract::{Fixture, Subject, check, model};
use waxwing_jobs::{Bounds, Store, StoreError};
use waxwing_store_postgres::{PostgresConfig, PostgresStore};

use crate::support::{Place, StillClock};

pub(crate) struct Postgres {
    /// The folder of the socket, where it is not the server's own.
    pub(crate) by: Option<PathBuf>,
    /// What is added to the address.
    pub(crate) more: &'static str,
}

struct Opened {
    config: PostgresConfig,
    bounds: Bounds,
    clock: StillClock,
    store: Arc<PostgresStore>,
}

impl Opened {
    async fn new(of: &Postgres, bounds: Bounds) -> Result<Self, StoreError> {
        let place = Place::new("contract").unwrap();
        let (servers, by) = (place.server.folder(), of.by.as_deref());
        let (servers, by) = (servers.display(), by.unwrap_or(servers).display());
        let url = place.url().replace(&servers.to_string(), &by.to_string());
        let config = PostgresConfig::parse(&(url + of.more))?;
        let store = Arc::new(PostgresStore::open(&config, bounds).await?);
        Ok(Self { config, bounds, clock: StillClock::of(&place).await, store })
    }
}

#[async_trait]
impl Fixture for Opened {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store) as _
    }

    async fn another(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(Arc::new(PostgresStore::open(&self.config, self.bounds).await?))
    }

    async fn pass(&self, time: Duration) {
        self.clock.advance(time).await;
    }

    /// What this process knew is gone; a crash of the server is a test of its own.
    async fn reopen(&mut self) -> Result<(), StoreError> {
        self.store = Arc::new(PostgresStore::open(&self.config, self.bounds).await?);
        Ok(())
    }
}

#[async_trait]
impl Subject for Postgres {
    async fn open(&self, bounds: Bounds) -> Result<Box<dyn Fixture>, StoreError> {
        Ok(Box::new(Opened::new(self, bounds).await?))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_postgres_store_keeps_every_promise() {
    if Place::new("the_postgres_store_keeps_every_promise").is_some() {
        assert_eq!(check(&Postgres { by: None, more: "" }).await, []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_them_behind_a_pooler_without_a_session_of_its_own() {
    if Place::new("it_keeps_them_behind_a_pooler").is_some() {
        assert_eq!(check(&Postgres { by: None, more: "&pooled=true&connections=2" }).await, []);
    }
}

#[test]
fn the_postgres_store_agrees_with_the_reference() {
    if Place::new("the_postgres_store_agrees_with_the_reference").is_none() {
        return;
    }
    let cases = if std::env::var("WAXWING_QUICK").is_ok_and(|quick| quick == "1") { 4 } else { 8 };
    let mut runner = TestRunner::new(Config { cases, ..Config::default() });
    let numbers = proptest::collection::vec(proptest::num::u64::ANY, 1..100);
    let ran = runner.run(&numbers, |numbers| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ran = runtime.block_on(async {
            let mut opened =
                Opened::new(&Postgres { by: None, more: "" }, model::BOUNDS).await.unwrap();
            model::run(&mut opened, &numbers).await
        });
        proptest::prop_assert_eq!(ran, Ok(()));
        Ok(())
    });
    ran.unwrap();
}

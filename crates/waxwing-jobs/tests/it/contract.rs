//! The memory store keeps the contract, and agrees with the reference on random operations.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use proptest::prelude::*;
use waxwing_jobs::contract::{Fixture, Subject, check, model};
use waxwing_jobs::{Bounds, ManualClock, MemoryStore, Store, StoreError};

pub(crate) struct Memory;

pub(crate) struct Opened {
    pub(crate) clock: ManualClock,
    pub(crate) store: Arc<dyn Store>,
}

impl Opened {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let clock = ManualClock::new(1_790_000_000_000);
        let store = Arc::new(MemoryStore::with_clock(bounds, Arc::new(clock.clone())));
        Self { clock, store }
    }
}

#[async_trait]
impl Fixture for Opened {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    async fn reopen(&mut self) -> Result<(), StoreError> {
        panic!("a memory store promises nothing about restarts");
    }
}

#[async_trait]
impl Subject for Memory {
    async fn open(&self, bounds: Bounds) -> Result<Box<dyn Fixture>, StoreError> {
        Ok(Box::new(Opened::new(bounds)))
    }
}

#[tokio::test]
async fn the_memory_store_keeps_every_promise() {
    assert_eq!(check(&Memory).await, []);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn the_memory_store_agrees_with_the_reference(
        numbers in prop::collection::vec(any::<u64>(), 1..150)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let mut opened = Opened::new(model::BOUNDS);
        let ran = runtime.block_on(model::run(&mut opened, &numbers));
        prop_assert_eq!(ran, Ok(()));
    }
}

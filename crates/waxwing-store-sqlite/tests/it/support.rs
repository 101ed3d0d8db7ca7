//! Short names for the usual steps.

use std::sync::Arc;
use std::time::Duration;

use waxwing_core::{CanonicalJson, ClientId, JobId, ToolName};
use waxwing_jobs::{Bounds, Claim, Clock, ManualClock, NewJob, Snapshot, Store};
use waxwing_store_sqlite::SqliteStore;

pub(crate) const LEASE: Duration = Duration::from_secs(30);

pub(crate) fn clock() -> ManualClock {
    ManualClock::new(1_790_000_000_000)
}

pub(crate) fn open(path: &std::path::Path, clock: &ManualClock) -> Arc<SqliteStore> {
    let clock: Arc<dyn Clock> = Arc::new(clock.clone());
    Arc::new(SqliteStore::open_with_clock(path, Bounds::default(), clock).unwrap())
}

pub(crate) fn owner() -> ClientId<'static> {
    ClientId::new("client").unwrap()
}

pub(crate) fn id(name: &str) -> JobId<'static> {
    JobId::new(name.to_owned()).unwrap()
}

pub(crate) fn kind() -> ToolName<'static> {
    ToolName::new("work").unwrap()
}

pub(crate) fn json(value: impl serde::Serialize) -> CanonicalJson<'static> {
    CanonicalJson::from_serialize(&value).unwrap()
}

pub(crate) fn order(name: &str) -> NewJob {
    NewJob::new(id(name), owner(), kind(), json(name))
}

pub(crate) fn claim(max: usize) -> Claim {
    Claim { worker: "test".into(), kinds: vec![kind()], lease: LEASE, max }
}

pub(crate) async fn find(store: &dyn Store, name: &str) -> Option<Snapshot> {
    store.get(&owner(), &id(name)).await.unwrap()
}

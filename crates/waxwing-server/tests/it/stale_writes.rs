//! A worker that stalls for longer than its lease and wakes up with a result, as a stopped process
//! does: nothing of it is taken. Whether that is so is judged as in the crash tests, and the same check
//! finds out a store that takes it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use waxwing_jobs::{Bounds, Filter, ManualClock, MemoryStore, Store as _};
use waxwing_testkit::ledger;

use crate::harness::{House, NOW_MS};
use crate::restart::quick;
use crate::unruly::{StaleWrites, UnrulyStore};
use crate::wire::output;

/// What the job was told to have come to, and what the check says of it.
async fn stall(stale_writes: StaleWrites) -> (Value, Result<usize, String>) {
    let clock = ManualClock::new(NOW_MS.unsigned_abs());
    let memory = MemoryStore::with_clock(Bounds::default(), Arc::new(clock.clone()));
    let shared = UnrulyStore::over(Arc::new(memory), stale_writes);
    let way = UnrulyStore::over(Arc::<UnrulyStore>::clone(&shared), StaleWrites::Refused);
    let house = House::over(Arc::<UnrulyStore>::clone(&way), |b| b.engine(quick())).await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    let job = agent.start(&mut wire, "attempt_later", json!({})).await;
    house.signals.entered().await;

    // The work ends, and its result waits for the process to wake up.
    way.set_stalled(true);
    house.signals.release(1);
    way.settle_came().await;
    clock.advance(Duration::from_secs(1));
    let other = House::over(Arc::<UnrulyStore>::clone(&shared), |b| b.engine(quick())).await;
    other.signals.entered().await;
    way.set_stalled(false);
    way.settle_judged().await;

    other.signals.release(1);
    let (agent, mut wire) = (other.caller("agent-7"), other.wire().await);
    let result = output(&agent.settle(&mut wire, &job).await);
    let listed = shared.list(Filter::default()).await.unwrap().jobs;
    let acknowledged = BTreeSet::from([job.to_string()]);
    let results = BTreeMap::from([(job.to_string(), result.clone())]);
    (result, ledger::check(&*shared, listed, &acknowledged, &results).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_result_of_a_stalled_worker_is_not_taken() {
    let (result, checked) = stall(StaleWrites::Refused).await;
    assert_eq!(result, json!({"attempt": 2}));
    assert_eq!(checked, Ok(1), "one job took more than one attempt");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_write_that_is_taken_is_found_out() {
    let (result, checked) = stall(StaleWrites::Taken).await;
    assert_eq!(result, json!({"attempt": 1}));
    let finding = checked.unwrap_err();
    assert!(finding.contains("an attempt that was lost"), "{finding}");
}

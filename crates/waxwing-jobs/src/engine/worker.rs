//! Claims jobs while there is room to run them, and waits for those it started.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::{Course, Shared, attempt};
use crate::store::Claim;

/// Claims until the engine drains, then returns when the last attempt has ended.
pub(super) async fn run(shared: Arc<Shared>) {
    let slots = Arc::new(Semaphore::new(shared.config.concurrency.max(1)));
    let mut attempts = JoinSet::new();
    loop {
        let room = tokio::select! {
            biased;
            () = shared.reached(Course::Draining) => break,
            room = room(&slots, shared.config.batch.max(1)) => room,
        };
        // Never dropped half-way: what the store has handed out must be run.
        let more = claim(&shared, room, &mut attempts).await;
        while attempts.try_join_next().is_some() {}
        if more == More::Unlikely {
            let rest = shared.rest();
            tokio::select! {
                () = shared.reached(Course::Draining) => break,
                () = shared.work.notified() => {}
                () = tokio::time::sleep(rest) => {}
            }
        }
    }
    while attempts.join_next().await.is_some() {}
}

/// Whether another claim would find something.
#[derive(PartialEq, Eq)]
enum More {
    Likely,
    Unlikely,
}

/// Fills the room with jobs, as far as there are any.
async fn claim(
    shared: &Arc<Shared>,
    mut room: Vec<OwnedSemaphorePermit>,
    attempts: &mut JoinSet<()>,
) -> More {
    let max = room.len();
    let claim = Claim {
        worker: shared.config.worker.clone(),
        kinds: shared.runner.kinds(),
        lease: shared.config.lease,
        max,
    };
    let claimed = match shared.store.claim(claim).await {
        Ok(claimed) => claimed,
        Err(error) => {
            tracing::warn!(%error, "no jobs could be claimed");
            return More::Unlikely;
        }
    };
    let more = if claimed.len() == max { More::Likely } else { More::Unlikely };
    for job in claimed {
        let permit = room.pop();
        let shared = Arc::clone(shared);
        attempts.spawn(async move {
            attempt::run(shared, job).await;
            drop(permit);
        });
    }
    more
}

/// Waits for a free slot, then takes as many as are free, at most `batch`.
async fn room(slots: &Arc<Semaphore>, batch: usize) -> Vec<OwnedSemaphorePermit> {
    let mut room = Vec::new();
    if let Ok(first) = Arc::clone(slots).acquire_owned().await {
        room.push(first);
    }
    while room.len() < batch
        && let Ok(next) = Arc::clone(slots).try_acquire_owned()
    {
        room.push(next);
    }
    room
}

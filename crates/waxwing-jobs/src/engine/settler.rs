//! Stores the ends of attempts, those that come together in one commit, and never gives one up
//! while the store is merely away.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::Shared;
use crate::store::{Beat, Settle, SettleVerdict, StoreError};

/// The most ends in one commit.
const BATCH: usize = 64;

/// Waits between tries while the store is away.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(5),
];

pub(super) struct Order {
    /// What is to be stored of the attempt before its end is.
    last: Option<Beat>,
    settle: Settle,
    done: oneshot::Sender<Option<SettleVerdict>>,
}

/// The way to the settling task.
pub(super) struct Settler(mpsc::Sender<Order>);

impl Settler {
    pub(super) fn new() -> (Self, mpsc::Receiver<Order>) {
        let (sender, receiver) = mpsc::channel(BATCH);
        (Self(sender), receiver)
    }

    /// Returns once the end is stored, or with `None` when it is known never to be.
    pub(super) async fn settle(&self, last: Option<Beat>, settle: Settle) -> Option<SettleVerdict> {
        let (done, stored) = oneshot::channel();
        self.0.send(Order { last, settle, done }).await.ok()?;
        stored.await.ok()?
    }
}

pub(super) async fn run(shared: Arc<Shared>, mut orders: mpsc::Receiver<Order>) {
    let mut batch = Vec::with_capacity(BATCH);
    while orders.recv_many(&mut batch, BATCH).await > 0 {
        let mut ends = Vec::with_capacity(batch.len());
        let mut waiting = Vec::with_capacity(batch.len());
        for Order { last, settle, done } in batch.drain(..) {
            ends.push(End { last, settle });
            waiting.push(done);
        }
        let verdicts = store(&shared, ends).await;
        for (done, verdict) in waiting.into_iter().zip(verdicts) {
            let _ = done.send(verdict);
        }
    }
}

/// One attempt's end.
#[derive(Clone)]
struct End {
    last: Option<Beat>,
    settle: Settle,
}

/// Stores the ends; a verdict for each, or none for one that cannot be stored.
async fn store(shared: &Shared, ends: Vec<End>) -> Vec<Option<SettleVerdict>> {
    if let Ok(verdicts) = insist(shared, &ends).await {
        return verdicts.into_iter().map(Some).collect();
    }
    // One damaged job must not take the others with it.
    let mut verdicts = Vec::with_capacity(ends.len());
    for end in &ends {
        let alone = insist(shared, std::slice::from_ref(end)).await;
        let alone = alone.inspect_err(|error| lost(end, error));
        verdicts.push(alone.ok().and_then(|verdicts| verdicts.into_iter().next()));
    }
    verdicts
}

fn lost(end: &End, error: &StoreError) {
    tracing::error!(job = %end.settle.ticket.id, %error, "the end of a job cannot be stored");
}

/// Stores the ends, as often as it takes while the store is away. Doing so twice is harmless: a
/// report is stored again as it is, and the second settle is stale.
async fn insist(shared: &Shared, ends: &[End]) -> Result<Vec<SettleVerdict>, StoreError> {
    let mut pauses = PAUSES.into_iter();
    let mut pause = PAUSES[PAUSES.len() - 1];
    loop {
        match try_once(shared, ends).await {
            Err(StoreError::Unavailable(why)) => {
                tracing::warn!(jobs = ends.len(), why, "ends of jobs wait for the store");
                pause = pauses.next().unwrap_or(pause);
                tokio::time::sleep(pause).await;
            }
            done => return done,
        }
    }
}

async fn try_once(shared: &Shared, ends: &[End]) -> Result<Vec<SettleVerdict>, StoreError> {
    let last: Vec<Beat> = ends.iter().filter_map(|end| end.last.clone()).collect();
    if !last.is_empty() {
        shared.store.beat(last).await?;
    }
    let settles = ends.iter().map(|end| end.settle.clone()).collect();
    let verdicts = shared.store.settle(settles).await?;
    for (end, verdict) in ends.iter().zip(&verdicts) {
        if *verdict == SettleVerdict::Stale {
            tracing::warn!(job = %end.settle.ticket.id, "a job ended here after its lease");
        }
    }
    Ok(verdicts)
}

//! Stores the ends of attempts, those that come together in one commit, and never gives one up
//! while the store is merely away.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::Shared;
use crate::store::{Settle, SettleVerdict, StoreError};

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
    settle: Settle,
    done: oneshot::Sender<()>,
}

/// The way to the settling task.
pub(super) struct Settler(mpsc::Sender<Order>);

impl Settler {
    pub(super) fn new() -> (Self, mpsc::Receiver<Order>) {
        let (sender, receiver) = mpsc::channel(BATCH);
        (Self(sender), receiver)
    }

    /// Returns once the end is stored, or is known never to be.
    pub(super) async fn settle(&self, settle: Settle) {
        let (done, stored) = oneshot::channel();
        if self.0.send(Order { settle, done }).await.is_ok() {
            let _ = stored.await;
        }
    }
}

pub(super) async fn run(shared: Arc<Shared>, mut orders: mpsc::Receiver<Order>) {
    let mut batch = Vec::with_capacity(BATCH);
    while orders.recv_many(&mut batch, BATCH).await > 0 {
        let (settles, done): (Vec<_>, Vec<_>) =
            batch.drain(..).map(|order| (order.settle, order.done)).unzip();
        store(&shared, settles).await;
        for done in done {
            let _ = done.send(());
        }
    }
}

async fn store(shared: &Shared, settles: Vec<Settle>) {
    match insist(shared, settles.clone()).await {
        Ok(()) => {}
        // One damaged job must not take the others with it.
        Err(_) if settles.len() > 1 => {
            for settle in settles {
                let job = settle.ticket.id.clone();
                if let Err(error) = insist(shared, vec![settle]).await {
                    tracing::error!(%job, %error, "the end of a job cannot be stored");
                }
            }
        }
        Err(error) => {
            for settle in settles {
                tracing::error!(job = %settle.ticket.id, %error, "the end of a job cannot be stored");
            }
        }
    }
}

/// Settles, as often as it takes while the store is away. Settling twice is harmless: the second
/// is stale.
async fn insist(shared: &Shared, settles: Vec<Settle>) -> Result<(), StoreError> {
    let mut pauses = PAUSES.into_iter();
    let mut pause = PAUSES[PAUSES.len() - 1];
    loop {
        match shared.store.settle(settles.clone()).await {
            Ok(verdicts) => {
                for (settle, verdict) in settles.iter().zip(verdicts) {
                    if verdict == SettleVerdict::Stale {
                        tracing::warn!(job = %settle.ticket.id, "a job ended here after its lease");
                    }
                }
                return Ok(());
            }
            Err(StoreError::Unavailable(why)) => {
                tracing::warn!(jobs = settles.len(), why, "ends of jobs wait for the store");
                pause = pauses.next().unwrap_or(pause);
                tokio::time::sleep(pause).await;
            }
            Err(error) => return Err(error),
        }
    }
}

//! Stores the ends of attempts, those that come together in one commit, and never gives one up
//! while the store may yet take it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::Shared;
use super::contact::passes;
use crate::store::{Beat, Settle, SettleVerdict, StoreError};

/// The most ends in one commit.
const BATCH: usize = 64;

/// Waits between tries while the store does not take everything. The last one bounds for how long an end
/// waits after the store is back.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(50), Duration::from_millis(200), Duration::from_secs(1)];

/// One attempt's end, on its way into the store.
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

    /// Returns once the end is stored, or with `None` when it is known never to be. Dropping the future
    /// gives the end up.
    pub(super) async fn settle(&self, last: Option<Beat>, settle: Settle) -> Option<SettleVerdict> {
        let (done, stored) = oneshot::channel();
        self.0.send(Order { last, settle, done }).await.ok()?;
        stored.await.ok()?
    }
}

pub(super) async fn run(shared: Arc<Shared>, mut orders: mpsc::Receiver<Order>) {
    let mut fresh = Vec::with_capacity(BATCH);
    // Those that the store did not take, and when to try them again.
    let mut stuck: Vec<Order> = Vec::new();
    let (mut again, mut tries) = (Instant::now(), 0);
    loop {
        tokio::select! {
            biased;
            () = sleep_until(again), if !stuck.is_empty() => {
                let others = stuck.split_off(BATCH.min(stuck.len()));
                stuck.retain(|order| !order.done.is_closed());
                let left = store(&shared, stuck).await;
                if !left.is_empty() {
                    again = Instant::now() + pause(tries);
                    tries += 1;
                }
                stuck = others;
                stuck.extend(left);
            }
            count = orders.recv_many(&mut fresh, BATCH) => {
                if count == 0 {
                    return;
                }
                if stuck.is_empty() {
                    (again, tries) = (Instant::now() + pause(0), 1);
                }
                stuck.extend(store(&shared, std::mem::take(&mut fresh)).await);
            }
        }
    }
}

fn pause(tries: usize) -> Duration {
    PAUSES.get(tries).or(PAUSES.last()).copied().unwrap_or_default()
}

/// Stores the ends; what is left is to be tried again.
///
/// Doing so twice is harmless: a report is stored again as it is, and the second settle is stale.
async fn store(shared: &Shared, open: Vec<Order>) -> Vec<Order> {
    if open.is_empty() {
        return open;
    }
    match try_once(shared, &open).await {
        Ok(verdicts) => {
            for (order, verdict) in open.into_iter().zip(verdicts) {
                let _ = order.done.send(Some(verdict));
            }
            Vec::new()
        }
        Err(_) => store_singly(shared, open).await,
    }
}

/// One job that cannot be stored must not hold up the others: each is tried by itself, up to the first that
/// fails in a way that passes, which may be the store's fault or its own, and goes to the back.
async fn store_singly(shared: &Shared, open: Vec<Order>) -> Vec<Order> {
    let mut stuck = None;
    let mut orders = open.into_iter();
    for order in orders.by_ref() {
        match try_once(shared, std::slice::from_ref(&order)).await {
            Ok(verdicts) => drop(order.done.send(verdicts.into_iter().next())),
            Err(error) if passes(&error) => {
                tracing::warn!(%error, "ends of jobs wait for the store");
                stuck = Some(order);
                break;
            }
            Err(error) => {
                let job = &order.settle.ticket.id;
                tracing::error!(%job, %error, "the end of a job cannot be stored");
                let _ = order.done.send(None);
            }
        }
    }
    orders.chain(stuck).collect()
}

async fn try_once(shared: &Shared, orders: &[Order]) -> Result<Vec<SettleVerdict>, StoreError> {
    let last: Vec<Beat> = orders.iter().filter_map(|order| order.last.clone()).collect();
    if !last.is_empty() {
        shared.contact.ask(shared.store.beat(last)).await?;
    }
    let settles = orders.iter().map(|order| order.settle.clone()).collect();
    let verdicts = shared.contact.ask(shared.store.settle(settles)).await?;
    for (order, verdict) in orders.iter().zip(&verdicts) {
        if *verdict == SettleVerdict::Stale {
            tracing::warn!(job = %order.settle.ticket.id, "a job ended here after its lease");
        }
    }
    Ok(verdicts)
}

//! The database's clock: leases and lifetimes are counted by it, and what it loses when it is set
//! back.

use std::time::Duration;

use waxwing_jobs::state::Cancel;
use waxwing_jobs::{Beat, BeatVerdict, Bounds, Phase, Store, Ticket};

use crate::support::{LEASE, Place, StillClock, T, claim, find, order};

const HOUR: u64 = 3_600_000;

async fn beat(store: &dyn Store, ticket: &Ticket) -> BeatVerdict {
    let beat = Beat { ticket: ticket.clone(), lease: LEASE, progress: None, checkpoint: None };
    store.beat(vec![beat]).await.unwrap()[0]
}

#[tokio::test]
async fn times_are_the_databases() {
    let Some(place) = Place::new("times_are_the_databases") else { return };
    let (a, b) = (place.open(Bounds::default()).await, place.open(Bounds::default()).await);
    let (a, b) = (a.unwrap(), b.unwrap());
    let clock = StillClock::of(&place).await;
    a.start(vec![order("one")]).await.unwrap();
    assert_eq!(find(&*b, "one").await.unwrap().created_ms, T);
    let ticket = a.claim(claim(1)).await.unwrap().remove(0).ticket;
    clock.advance(LEASE - Duration::from_millis(1)).await;
    assert_eq!(b.sweep(100).await.unwrap().lapsed, 0);
    assert_eq!(beat(&*a, &ticket).await, BeatVerdict::Held(Cancel::NotAsked));
    clock.advance(LEASE).await;
    assert_eq!(b.sweep(100).await.unwrap().lapsed, 1);
    assert_eq!(beat(&*a, &ticket).await, BeatVerdict::Lost);
}

#[tokio::test]
async fn after_the_clock_was_set_back_a_dead_workers_job_moves_within_its_lease() {
    let Some(place) = Place::new("after_the_clock_was_set_back") else { return };
    let store = place.open(Bounds::default()).await.unwrap();
    let clock = StillClock::of(&place).await;
    store.start(vec![order("one"), order("two")]).await.unwrap();
    store.claim(claim(1)).await.unwrap();
    clock.set(T - HOUR).await;
    assert_eq!(store.claim(claim(9)).await.unwrap().len(), 1, "what was queued can be claimed");
    assert_eq!(store.sweep(100).await.unwrap().lapsed, 0);
    clock.advance(LEASE).await;
    assert_eq!(store.sweep(100).await.unwrap().lapsed, 2);
    assert_eq!(find(&*store, "one").await.unwrap().phase, Phase::Queued);
}

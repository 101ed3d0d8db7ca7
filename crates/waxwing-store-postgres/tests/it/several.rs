//! Several stores on one database are one store, whatever races.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use waxwing_jobs::{
    Admission, Bounds, Durability, Outcome, Phase, Seen, Settle, Sharing, Started, Store,
};
use waxwing_store_postgres::PostgresStore;

use crate::support::{Place, claim, find, id, json, keyed, miscounted, nonce, order};

async fn stores(place: &Place, number: usize) -> Vec<Arc<PostgresStore>> {
    let mut stores = Vec::new();
    for _ in 0..number {
        stores.push(place.open(Bounds::default()).await.unwrap());
    }
    stores
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_says_what_it_is() {
    let Some(place) = Place::new("it_says_what_it_is") else { return };
    let store = place.open(Bounds::default()).await.unwrap();
    let info = store.info();
    assert_eq!((info.backend, info.durability), ("postgres", Durability::PowerCut));
    assert_eq!(store.sharing(), Sharing::Replicas);
    assert!(info.detail.contains(&place.schema), "{}", info.detail);
    assert_eq!(store.health().await, Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_that_make_a_new_schema_at_once_all_open_it() {
    let Some(place) = Place::new("stores_that_make_a_new_schema_at_once") else { return };
    let place = Arc::new(place);
    let mut opening = JoinSet::new();
    for _ in 0..6 {
        let place = Arc::clone(&place);
        opening.spawn(async move { place.open(Bounds::default()).await.map(drop) });
    }
    while let Some(opened) = opening.join_next().await {
        opened.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_idempotency_key_on_three_stores_makes_one_job() {
    let Some(place) = Place::new("one_idempotency_key_on_three_stores") else { return };
    let stores = stores(&place, 3).await;
    for round in 0..3 {
        let mut racers = JoinSet::new();
        for n in 0..100 {
            let store = Arc::clone(&stores[n % 3]);
            let job = keyed(&format!("r{round}-{n}"), &format!("key-{round}"));
            racers.spawn(async move { store.start(vec![job]).await.unwrap().remove(0) });
        }
        let (mut created, mut named) = (0, std::collections::BTreeSet::new());
        while let Some(started) = racers.join_next().await {
            match started.unwrap() {
                Started::Created => created += 1,
                Started::Existing { id, snapshot: Some(_) } => drop(named.insert(id)),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((created, named.len()), (1, 1));
    }
    assert_eq!(stores[0].claim(claim(100)).await.unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_nonce_on_three_stores_is_fresh_once() {
    let Some(place) = Place::new("one_nonce_on_three_stores") else { return };
    let stores = stores(&place, 3).await;
    let mut racers = JoinSet::new();
    for n in 0..300 {
        let store = Arc::clone(&stores[n % 3]);
        // Each of 20 nonces fifteen times, alone and with a start, side by side with others.
        let record = nonce(&format!("nonce-{}", n % 20));
        racers.spawn(async move {
            let fresh = if n % 2 == 0 {
                store.admit(vec![record]).await.unwrap() == [Admission::Fresh]
            } else {
                let job = order(&format!("job-{n}")).with_nonce(record);
                store.start(vec![job]).await.unwrap() == [Started::Created]
            };
            (n % 20, fresh)
        });
    }
    let mut fresh = [0; 20];
    while let Some(raced) = racers.join_next().await {
        let (nonce, is_fresh) = raced.unwrap();
        fresh[nonce] += u32::from(is_fresh);
    }
    assert_eq!(fresh, [1; 20]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_on_three_stores_complete_each_job_once() {
    let Some(place) = Place::new("workers_on_three_stores") else { return };
    let stores = stores(&place, 3).await;
    let jobs = (0..300).map(|n| order(&format!("job-{n}"))).collect();
    stores[0].start(jobs).await.unwrap();
    let mut workers = JoinSet::new();
    for n in 0..6 {
        let store = Arc::clone(&stores[n % 3]);
        workers.spawn(async move {
            let mut done = Vec::new();
            loop {
                let claimed = store.claim(claim(7)).await.unwrap();
                if claimed.is_empty() {
                    return done;
                }
                for job in claimed {
                    let outcome = Outcome::Complete(json(job.ticket.id.as_str()));
                    done.push(job.ticket.id.clone());
                    store.settle(vec![Settle { ticket: job.ticket, outcome }]).await.unwrap();
                }
            }
        });
    }
    let mut done = Vec::new();
    while let Some(worker) = workers.join_next().await {
        done.extend(worker.unwrap());
    }
    // A worker that found all rows held by others may have stopped early; none was done twice.
    let count = done.len();
    done.sort();
    done.dedup();
    assert_eq!(done.len(), count);
    let census = stores[1].census().await.unwrap();
    assert_eq!(census.queued + count as u64, 300);
    assert_eq!(census.running, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_in_one_store_wakes_who_waits_in_another() {
    let Some(place) = Place::new("a_change_in_one_store_wakes_who_waits") else { return };
    let stores = stores(&place, 2).await;
    for n in 0..20 {
        let name = format!("job-{n}");
        stores[0].start(vec![order(&name)]).await.unwrap();
        let version = find(&*stores[1], &name).await.unwrap().version;
        let waiting = tokio::spawn({
            let (store, seen) = (Arc::clone(&stores[1]), [Seen { id: id(&name), version }]);
            async move { store.changed(&seen, Duration::from_secs(20)).await.unwrap() }
        });
        let ticket = stores[0].claim(claim(1)).await.unwrap().remove(0).ticket;
        assert_eq!(waiting.await.unwrap(), [id(&name)]);
        let outcome = Outcome::Complete(json("done"));
        stores[1].settle(vec![Settle { ticket, outcome }]).await.unwrap();
        assert_eq!(
            find(&*stores[0], &name).await.unwrap().phase,
            Phase::Completed { output: json("done") }
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_dropped_happens_wholly_or_not_at_all() {
    let Some(place) = Place::new("a_call_that_is_dropped") else { return };
    let store = place.open(Bounds::default()).await.unwrap();
    for n in 0..60 {
        let start = store.start(vec![order(&format!("job-{n}"))]);
        let _ = tokio::time::timeout(Duration::from_micros(n * 50), start).await;
        let claim = store.claim(claim(1));
        let _ = tokio::time::timeout(Duration::from_micros(n * 50), claim).await;
    }
    // Its writers come to the end of what was on its way, and hold a connection until then.
    drop(store);
    let client = place.client().await;
    let busy = format!(
        "SELECT count(*) FROM pg_stat_activity
        WHERE query LIKE '%\"{}\"%' AND pid <> pg_backend_pid()",
        place.schema
    );
    let patience = Instant::now() + Duration::from_secs(20);
    while client.query_one(&busy, &[]).await.unwrap().get::<_, i64>(0) > 0 {
        assert!(Instant::now() < patience, "a writer does not end");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(miscounted(&client, &place.schema).await, [""; 0]);
    let store = place.open(Bounds::default()).await.unwrap();
    let claimed = store.claim(claim(1000)).await.unwrap();
    assert!(claimed.iter().all(|job| job.input == json(job.ticket.id.as_str())));
    assert_eq!(store.census().await.unwrap().queued, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_come_together_are_committed_together() {
    let Some(place) = Place::new("calls_that_come_together") else { return };
    let store = place.open(Bounds::default()).await.unwrap();
    let mut callers = JoinSet::new();
    for n in 0..64 {
        let store = Arc::clone(&store);
        callers.spawn(async move {
            for m in 0..4 {
                let name = format!("job-{n}-{m}");
                assert_eq!(store.start(vec![order(&name)]).await.unwrap(), [Started::Created]);
                assert_eq!(store.admit(vec![nonce(&name)]).await.unwrap(), [Admission::Fresh]);
            }
        });
    }
    while let Some(done) = callers.join_next().await {
        done.unwrap();
    }
    let sql = format!("SELECT count(*) FROM \"{}\".commits", place.schema);
    let commits: i64 = place.client().await.query_one(&sql, &[]).await.unwrap().get(0);
    assert!(commits < 128, "{commits} commits for 256 starts");
}

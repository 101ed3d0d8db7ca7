//! Servers that say nothing, without a connection being closed: what is asked of one is asked again
//! over a fresh connection, silent hosts are passed by, and nobody waits for ever.

use std::time::{Duration, Instant};

use tokio::net::UnixListener;
use tokio::task::JoinSet;
use waxwing_jobs::{Bounds, Seen, Started, Store, StoreError};
use waxwing_store_postgres::{PostgresConfig, PostgresStore};

use crate::gate::Gate;
use crate::support::{Place, find, id, order};

async fn open(url: &str) -> Result<PostgresStore, StoreError> {
    PostgresStore::open(&PostgresConfig::parse(url)?, Bounds::default()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_of_a_silent_database_is_asked_again_over_a_fresh_connection() {
    let Some(place) = Place::new("what_is_asked_of_a_silent_database") else { return };
    let gate = Gate::new(place.server);
    let store = std::sync::Arc::new(open(&gate.before(place.server, &place.url())).await.unwrap());
    store.start(vec![order("one")]).await.unwrap();
    // All connections of the pool are there, and then none of them says anything.
    let mut askers = JoinSet::new();
    for _ in 0..32 {
        let store = std::sync::Arc::clone(&store);
        askers.spawn(async move { find(&*store, "one").await });
    }
    askers.join_all().await;
    gate.hush();
    let begun = Instant::now();
    let (read, started, healthy) =
        tokio::join!(find(&*store, "one"), store.start(vec![order("two")]), store.health());
    assert!(read.is_some());
    assert_eq!(started, Ok(vec![Started::Created]));
    assert!(matches!(healthy, Err(StoreError::Unavailable(_))), "a check does not wait so long");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    // None of the silent connections is left for anybody to try.
    let begun = Instant::now();
    for _ in 0..9 {
        assert!(find(&*store, "two").await.is_some());
    }
    assert_eq!(store.health().await, Ok(()));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_that_do_not_answer_are_passed_by() {
    let Some(place) = Place::new("hosts_that_do_not_answer") else { return };
    // They take connections, and never say a word.
    let silent = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let listen =
        |folder: &tempfile::TempDir| UnixListener::bind(folder.path().join(".s.PGSQL.5432"));
    let _listeners = silent.each_ref().map(|folder| listen(folder).unwrap());
    let [one, two] = silent.each_ref().map(|folder| folder.path().display());
    let url = place.url().replace("host=", &format!("host={one},{two},")) + "&connect_timeout=1";
    let store = open(&url).await.unwrap();
    assert_eq!(store.start(vec![order("one")]).await.unwrap(), [Started::Created]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_falls_silent_while_a_store_is_opened_is_said_to_be_away() {
    let Some(place) = Place::new("a_database_that_falls_silent_while") else { return };
    drop(place.open(Bounds::default()).await.unwrap());
    let mut opening = JoinSet::new();
    for nth in 1..=6 {
        let gate = Gate::new(place.server);
        gate.hush_at(nth);
        let url = gate.before(place.server, &place.url()) + "&connect_timeout=1";
        opening.spawn(async move { (open(&url).await, gate).0 });
    }
    let begun = Instant::now();
    while let Some(opened) = opening.join_next().await {
        let error = opened.unwrap().unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    }
    assert!(begun.elapsed() < Duration::from_secs(40), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_hints_makes_nobody_look_more_often_than_their_jobs_allow() {
    let Some(place) = Place::new("a_flood_of_hints") else { return };
    let gate = Gate::new(place.server);
    let store = open(&gate.before(place.server, &place.url())).await.unwrap();
    let names: Vec<String> = (0..1000).map(|n| format!("job-{n}")).collect();
    store.start(names.iter().map(|name| order(name)).collect()).await.unwrap();
    let version = find(&store, "job-0").await.unwrap().version;
    let seen: Vec<Seen> = names.iter().map(|name| Seen { id: id(name), version }).collect();
    let (client, hint) = (place.client().await, format!("NOTIFY \"waxwing {}\"", place.schema));
    let flood = tokio::spawn(async move {
        loop {
            client.batch_execute(&hint).await.unwrap();
        }
    });
    // Until the store listens, a look comes every 250 ms or more.
    let patience = Instant::now() + Duration::from_secs(20);
    loop {
        let before = gate.statements();
        assert!(store.changed(&seen, Duration::from_secs(2)).await.unwrap().is_empty());
        let looks = gate.statements() - before;
        assert!(looks <= 90, "{looks} looks in two seconds at a thousand jobs");
        if looks > 15 {
            break;
        }
        assert!(Instant::now() < patience, "hints are not heard");
    }
    flood.abort();
}

//! Servers that could lose jobs are refused at the start, each in one clear line; and what a
//! server's absence says.

use std::time::Duration;

use waxwing_jobs::{Bounds, Store, StoreError};
use waxwing_store_postgres::{PostgresConfig, PostgresStore};
use waxwing_testkit::postgres::{Cluster, programs};

use crate::support::Place;

async fn refused(url: &str) -> String {
    let config = PostgresConfig::parse(url).unwrap();
    match PostgresStore::open(&config, Bounds::default()).await.unwrap_err() {
        error @ StoreError::Misconfigured(_) => {
            let line = error.to_string();
            assert!(!line.contains('\n'), "{line}");
            line
        }
        other => panic!("blamed on the wrong one: {other:?}"),
    }
}

#[tokio::test]
async fn a_server_that_does_not_sync_is_refused() {
    let Some(programs) = programs("a_server_that_does_not_sync_is_refused") else { return };
    for (setting, name) in
        [("fsync=off", "fsync=off"), ("synchronous_commit=off", "synchronous_commit=off")]
    {
        let server = Cluster::start(programs.clone(), &[setting]);
        let line = refused(&server.url("jobs")).await;
        assert!(line.contains(name), "{line}");
        if setting == "fsync=off" {
            continue;
        }
        let more = "&options=-c%20default_transaction_read_only%3Don";
        let line = refused(&(server.url("jobs") + more)).await;
        assert!(line.contains("read-only"), "{line}");
    }
}

#[tokio::test]
async fn whoever_has_no_right_to_the_database_is_told_so() {
    let Some(place) = Place::new("whoever_has_no_right_to_the_database") else { return };
    let nobody = place.url().replace("user=postgres", "user=nobody-at-all");
    assert!(refused(&nobody).await.contains("nobody-at-all"));
    let nowhere = place.url().replace("/postgres?", "/no-such-database?");
    assert!(refused(&nowhere).await.contains("no-such-database"));
    let tls = place.url() + "&sslmode=verify-full";
    assert!(refused(&tls).await.contains("TLS"), "a socket has none");
}

#[tokio::test]
async fn what_another_sets_on_the_server_later_changes_nothing_of_ours() {
    let Some(place) = Place::new("what_another_sets_on_the_server_later") else { return };
    let client = place.client().await;
    let database = format!("db_{}", place.schema);
    client.batch_execute(&format!("CREATE DATABASE {database}")).await.unwrap();
    let url = place.url().replace("/postgres?", &format!("/{database}?"));
    let open = async |more: &str| {
        let config = PostgresConfig::parse(&(url.clone() + more)).unwrap();
        PostgresStore::open(&config, Bounds::default()).await.unwrap()
    };
    let (ours, pooled) = (open("").await, open("&pooled=true").await);
    let set = format!("ALTER DATABASE {database} SET synchronous_commit = off");
    client.batch_execute(&set).await.unwrap();
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
    client.execute(cut, &[&database]).await.unwrap();
    // Both see what the connections that they make now commit with.
    assert_eq!(ours.health().await, Ok(()));
    let unsafe_now = pooled.health().await;
    assert!(matches!(unsafe_now, Err(StoreError::Misconfigured(_))), "{unsafe_now:?}");
    assert!(refused(&url).await.contains("synchronous_commit=off"));
    drop((ours, pooled));
    let gone = format!("DROP DATABASE {database} WITH (FORCE)");
    client.batch_execute(&gone).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_away_is_waited_for_and_then_said_to_be_away() {
    let config = PostgresConfig::parse("postgres://u@127.0.0.1:1/d?connect_timeout=1").unwrap();
    let begun = std::time::Instant::now();
    let error = PostgresStore::open(&config, Bounds::default()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(30));
}

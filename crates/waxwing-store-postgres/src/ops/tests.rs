//! What cannot be seen from outside: what becomes of a write whose answer was lost long ago, and of
//! a start when the numbers of its names are forgotten.

use std::time::Duration;

use waxwing_core::{CanonicalJson, ClientId, JobId, KeyId, Nonce, ServerId, ToolName};
use waxwing_jobs::{Bounds, NewJob, NonceRecord, Started};
use waxwing_testkit::postgres::{fresh_name, shared};

use super::fate::{Fate, KEPT_MS};
use super::*;
use crate::config::PostgresConfig;
use crate::connect::Connector;
use crate::store::PostgresStore;

/// A store's insides, over a schema of its own.
async fn core(test: &str) -> Option<Core> {
    let server = shared(test)?;
    let config = PostgresConfig::parse(&server.url(&fresh_name("core"))).unwrap();
    drop(PostgresStore::open(&config, Bounds::default()).await.unwrap());
    let database = Database::new(&config, Connector::new(&config).unwrap()).unwrap();
    Some(Core::new(database, Bounds::default()))
}

fn order(name: &str, client: &str) -> NewJob {
    let owner = ClientId::new(client.to_owned()).unwrap();
    let nonce = NonceRecord {
        server: ServerId::new("server").unwrap(),
        client: owner.clone(),
        key: KeyId::new("k1").unwrap(),
        nonce: Nonce::new("n".repeat(20)).unwrap(),
        keep: Duration::from_secs(60),
    };
    let id = JobId::new(name.to_owned()).unwrap();
    let input = CanonicalJson::from_serialize(&1).unwrap();
    NewJob::new(id, owner, ToolName::new("work").unwrap(), input).with_nonce(nonce)
}

#[tokio::test]
async fn a_nonce_is_kept_and_found_when_the_numbers_of_names_are_forgotten_in_between() {
    let Some(mut core) = core("a_nonce_is_kept_and_found").await else { return };
    core.scopes = scope::Scopes::of(2);
    use Started::{Created, Replayed};
    let first = vec![order("a", "one"), order("b", "two")];
    assert_eq!(core.start(&first).await.unwrap(), vec![Created; 2]);
    // Two are known and one is not: there is no room for all of them.
    let mixed = vec![order("c", "one"), order("d", "two"), order("e", "three")];
    assert_eq!(core.start(&mixed).await.unwrap(), [Replayed, Replayed, Created]);
    assert_eq!(core.start(&[order("f", "three")]).await.unwrap(), [Replayed]);
    let fresh: Vec<NewJob> = (0..5).map(|n| order(&format!("g{n}"), &format!("x{n}"))).collect();
    assert_eq!(core.start(&fresh).await.unwrap(), vec![Created; 5]);
    assert_eq!(core.start(&fresh).await.unwrap(), vec![Replayed; 5]);
}

#[tokio::test]
async fn a_write_whose_name_may_be_forgotten_is_not_called_one_that_never_was() {
    let Some(core) = core("a_write_whose_name_may_be_forgotten").await else { return };
    let set = async |now: u64| {
        let clock = format!(
            "CREATE OR REPLACE FUNCTION @now_ms() RETURNS bigint LANGUAGE sql VOLATILE
             AS 'SELECT {now}::bigint'"
        );
        core.database.ask(&clock, &[]).await.unwrap();
    };
    const LEAVE: &str = "INSERT INTO @commits (batch, until_ms) VALUES ($1, $2)";
    let leave = async |name: fate::Name| {
        let values = [
            (&name.batch.0 as _, tokio_postgres::types::Type::INT8),
            (&name.until_ms as _, tokio_postgres::types::Type::INT8),
        ];
        core.database.ask(LEAVE, &values).await.unwrap();
    };
    let now = 1_790_000_000_000;
    set(now).await;
    let (written, never, forgotten) = (core.name(now), core.name(now), core.name(now));
    leave(written).await;
    leave(forgotten).await;
    assert_eq!(core.fate(written).await.unwrap(), Fate::Committed);
    assert_eq!(core.fate(never).await.unwrap(), Fate::Never);
    // Too late a write of that name is shut out.
    set(now + KEPT_MS - 1).await;
    core.sweep(100).await.unwrap();
    assert_eq!(core.fate(forgotten).await.unwrap(), Fate::Committed);
    let lost = core.name(now);
    leave(lost).await;
    set(now + KEPT_MS).await;
    core.sweep(100).await.unwrap();
    for name in [lost, core.name(now)] {
        let fate = core.fate(name).await;
        assert!(matches!(fate, Err(Error::Store(StoreError::Unavailable(_)))), "{fate:?}");
    }
    assert_eq!(core.fate(core.name(now + KEPT_MS)).await.unwrap(), Fate::Never);
}

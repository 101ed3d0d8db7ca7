//! Who may do what at the server: refusals that pass by themselves lose nothing, a new password is
//! read, and a role needs no more rights than it is said to.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use tokio_postgres::Client;
use waxwing_jobs::{Bounds, Outcome, Phase, Settle, SettleVerdict, Started, Store, StoreError};
use waxwing_store_postgres::{PostgresConfig, PostgresStore};
use waxwing_testkit::postgres::{Cluster, programs};

use crate::support::{Place, claim, connect, find, id, json, order, owner};

const CUT: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'waxwing'";

async fn open(url: &str) -> PostgresStore {
    let config = PostgresConfig::parse(url).unwrap();
    PostgresStore::open(&config, Bounds::default()).await.unwrap()
}

/// Puts these rules in force, and ends the connections that others let in.
async fn admit(server: &Cluster, client: &Client, rules: &str) {
    fs::write(server.folder().join("data/pg_hba.conf"), rules).unwrap();
    client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    let shown = "SELECT count(*) FROM pg_hba_file_rules";
    let rules = i64::try_from(rules.lines().count()).unwrap();
    assert_eq!(client.query_one(shown, &[]).await.unwrap().get::<_, i64>(0), rules);
    client.batch_execute(CUT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_refuses_everybody_for_a_while_loses_no_result() {
    let Some(programs) = programs("a_server_that_refuses_everybody") else { return };
    let server = Cluster::start(programs, &[]);
    let client = connect(&server).await;
    let store = open(&server.url("jobs")).await;
    store.start(vec![order("one")]).await.unwrap();
    let ticket = store.claim(claim(1)).await.unwrap().remove(0).ticket;
    admit(&server, &client, "local all all reject\n").await;
    let read = store.get(&owner(), &id("one")).await;
    assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    let outcome = Outcome::Complete(json("result"));
    let (settled, ()) = tokio::join!(store.settle(vec![Settle { ticket, outcome }]), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        admit(&server, &client, "local all all trust\n").await;
    });
    assert_eq!(settled, Ok(vec![SettleVerdict::Done]));
    let phase = find(&store, "one").await.unwrap().phase;
    assert_eq!(phase, Phase::Completed { output: json("result") });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_is_changed_is_read_again() {
    let Some(programs) = programs("a_password_that_is_changed") else { return };
    let server = Cluster::start(programs, &[]);
    let client = connect(&server).await;
    let role = "CREATE ROLE app LOGIN PASSWORD 'first'; GRANT CREATE ON DATABASE postgres TO app";
    client.batch_execute(role).await.unwrap();
    let rules = "local all app scram-sha-256\nlocal all all trust\n";
    admit(&server, &client, rules).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(file.path(), "first\n").unwrap();
    let url = server.url("jobs").replace("user=postgres", "user=app");
    let store = open(&format!("{url}&password_file={}", file.path().display())).await;
    store.start(vec![order("one")]).await.unwrap();
    client.batch_execute("ALTER ROLE app PASSWORD 'second'").await.unwrap();
    client.batch_execute(CUT).await.unwrap();
    let (read, ()) = tokio::join!(find(&store, "one"), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        fs::write(file.path(), "second\n").unwrap();
    });
    assert!(read.is_some());
    assert_eq!(store.start(vec![order("two")]).await.unwrap(), [Started::Created]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_may_read_and_write_rows_alone_works_in_a_schema_made_beforehand() {
    let Some(place) = Place::new("a_role_that_may_read_and_write_rows") else { return };
    drop(place.open(Bounds::default()).await.unwrap());
    let role = format!("role_{}", place.schema);
    let rights = "REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA @ FROM PUBLIC; CREATE ROLE $ LOGIN;
        GRANT USAGE ON SCHEMA @ TO $; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA @ TO $;
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA @ TO $;
        GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA @ TO $";
    let rights = rights.replace('@', &place.schema).replace('$', &role);
    place.client().await.batch_execute(&rights).await.unwrap();
    let store = open(&place.url().replace("user=postgres", &format!("user={role}"))).await;
    let job = order("one").with_nonce(crate::support::nonce("one"));
    assert_eq!(store.start(vec![job]).await.unwrap(), [Started::Created]);
    let ticket = store.claim(claim(1)).await.unwrap().remove(0).ticket;
    let outcome = Outcome::Complete(json(1));
    let settled = store.settle(vec![Settle { ticket, outcome }]).await.unwrap();
    assert_eq!(settled, [SettleVerdict::Done]);
    store.sweep(100).await.unwrap();
    assert_eq!(store.census().await.unwrap().queued, 0);
    assert_eq!(store.health().await, Ok(()));
    place
        .client()
        .await
        .batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await
        .unwrap();
}

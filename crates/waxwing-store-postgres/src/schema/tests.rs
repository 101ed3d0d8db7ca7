//! Migrations on a real server, and the names of schemas.

use waxwing_testkit::postgres::{fresh_name, shared};

use super::*;
use crate::config::{PostgresConfig, Setup};
use crate::connect::Connector;

async fn link(url: &str) -> Link {
    let connector = Connector::new(&PostgresConfig::parse(url).unwrap()).unwrap();
    connector.link(Setup::Servers).await.unwrap()
}

async fn version(link: &Link, schema: &Schema) -> usize {
    let rows = link.simple(&schema.sql("SELECT version FROM @waxwing")).await.unwrap();
    let text = rows.iter().find_map(|row| match row {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    text.unwrap().parse().unwrap()
}

/// Every column and index, by name and definition.
async fn shape(link: &Link, schema: &Schema) -> Vec<String> {
    let name = schema.name();
    let sql = format!(
        "SELECT table_name || ' ' || column_name || ' ' || data_type || ' ' || is_nullable
         FROM information_schema.columns WHERE table_schema = '{name}'
         UNION SELECT replace(indexdef, '{name}', '') FROM pg_indexes WHERE schemaname = '{name}'
         ORDER BY 1"
    );
    let rows = link.simple(&sql).await.unwrap();
    let text = |row: &SimpleQueryMessage| match row {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    };
    rows.iter().filter_map(text).collect()
}

#[tokio::test]
async fn a_new_schema_and_one_of_an_earlier_version_come_to_the_same() {
    let Some(server) = shared("a_new_schema_and_one_of_an_earlier_version") else { return };
    let mut link = link(&server.url("any")).await;
    let more = ["ALTER TABLE @jobs ADD COLUMN later text"];
    let later: Vec<&str> = MIGRATIONS.into_iter().chain(more).collect();
    let (fresh, old) = (Schema::new(&fresh_name("fresh")), Schema::new(&fresh_name("old")));
    let (fresh, old) = (fresh.unwrap(), old.unwrap());
    apply(&mut link, &fresh, &later).await.unwrap();
    apply(&mut link, &old, &[FIRST]).await.unwrap();
    let row = "INSERT INTO @jobs (id, owner, kind, stage, epoch, failures, max_attempts, version,
        created_ms, expires_ms, input) VALUES ('kept', 'o', 'k', 'failed', 1, 1, 1, 1, 1, 9, '1')";
    link.simple(&old.sql(row)).await.unwrap();
    migrate(&mut link, &old).await.unwrap();
    assert_eq!(version(&link, &old).await, MIGRATIONS.len());
    apply(&mut link, &old, &later).await.unwrap();
    assert_eq!(shape(&link, &fresh).await, shape(&link, &old).await);
    assert_eq!(version(&link, &old).await, later.len());
    let kept = link.simple(&old.sql("SELECT id FROM @jobs WHERE claim IS NULL")).await.unwrap();
    assert!(matches!(kept.get(1), Some(SimpleQueryMessage::Row(_))), "{kept:?}");
    let error = migrate(&mut link, &old).await.unwrap_err();
    let newer = matches!(&error, StoreError::Misconfigured(why) if why.contains(&format!("version {}", later.len())));
    assert!(newer, "{error}");
}

#[tokio::test]
async fn the_turn_of_a_queue_from_before_is_that_of_the_clients_who_are_served() {
    let Some(server) = shared("the_turn_of_a_queue_from_before") else { return };
    let mut link = link(&server.url("any")).await;
    let schema = Schema::new(&fresh_name("turn")).unwrap();
    apply(&mut link, &schema, &[FIRST, SECOND, THIRD]).await.unwrap();
    // Nobody could run `stuck` for long; the other clients have come to their places 40 and 42.
    let rows = "INSERT INTO @jobs (id, owner, kind, stage, ready_ms, rank, epoch, failures,
        max_attempts, version, created_ms, expires_ms, input)
        SELECT owner || rank, owner, 'k', 'queued', 1, rank, 1, 0, 1, 1, 1, 9, '1' FROM (VALUES
        ('stuck', 1), ('a', 40), ('a', 41), ('b', 42), ('b', 99)) j (owner, rank);
        INSERT INTO @jobs (id, owner, kind, stage, epoch, failures, max_attempts, version,
        created_ms, expires_ms, input) VALUES ('f', 'o', 'k', 'failed', 1, 1, 1, 1, 1, 9, '1')";
    link.simple(&schema.sql(rows)).await.unwrap();
    migrate(&mut link, &schema).await.unwrap();
    let told = "SELECT last_value || ' ' || (SELECT jobs FROM @job_counts
        WHERE client = ' failed') FROM @turn";
    let told = link.simple(&schema.sql(told)).await.unwrap();
    let row = told.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    assert_eq!(row, Some("41 1"));
}

#[tokio::test]
async fn a_migration_that_fails_leaves_the_schema_as_it_was() {
    let Some(server) = shared("a_migration_that_fails") else { return };
    let mut link = link(&server.url("any")).await;
    let schema = Schema::new(&fresh_name("failing")).unwrap();
    migrate(&mut link, &schema).await.unwrap();
    let before = shape(&link, &schema).await;
    let more = ["CREATE TABLE @t (x int); nonsense"];
    let broken: Vec<&str> = MIGRATIONS.into_iter().chain(more).collect();
    assert!(apply(&mut link, &schema, &broken).await.is_err());
    assert_eq!(shape(&link, &schema).await, before);
    assert_eq!(version(&link, &schema).await, MIGRATIONS.len());
    migrate(&mut link, &schema).await.unwrap();
}

#[tokio::test]
async fn tables_of_another_program_are_left_alone() {
    let Some(server) = shared("tables_of_another_program") else { return };
    let mut link = link(&server.url("any")).await;
    let schema = Schema::new(&fresh_name("other")).unwrap();
    let theirs = format!("CREATE SCHEMA {}; CREATE TABLE @notes (x int)", schema.quoted());
    link.simple(&schema.sql(&theirs)).await.unwrap();
    let error = migrate(&mut link, &schema).await.unwrap_err();
    let said = matches!(&error, StoreError::Misconfigured(why) if why.contains("another program"));
    assert!(said, "{error}");
}

#[test]
fn names_are_quoted_and_strange_ones_are_refused() {
    assert_eq!(
        Schema::new("My jobs-2").unwrap().sql("SELECT @now_ms()"),
        "SELECT \"My jobs-2\".now_ms()"
    );
    for name in ["", "a\"b", "a'b", "a@b", "pg_temp", "a\0", &"x".repeat(64)] {
        assert!(Schema::new(name).is_err(), "{name}");
    }
}

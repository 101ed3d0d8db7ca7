//! What goes wrong in a commit: one operation's own failure, a full disk, another process's lock.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use waxwing_jobs::{Bounds, ManualClock, StoreError};

use super::Writer;
use crate::clock::FileClock;
use crate::error::Error;
use crate::ops::Tx;

/// A writer on a file with one more table, which may grow by so many pages.
fn writer(path: &std::path::Path, pages: i64) -> Writer {
    std::fs::write(path, "").unwrap();
    let mut connection = crate::safety::connect(path).unwrap();
    crate::schema::migrate(&mut connection).unwrap();
    connection.execute_batch("CREATE TABLE t (x TEXT)").unwrap();
    let now: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    let most = format!("PRAGMA max_page_count = {}", now + pages);
    connection.query_row(&most, [], |_| Ok(())).unwrap();
    let clock = FileClock::new(Arc::new(ManualClock::new(1)));
    Writer::spawn(connection, Bounds::default(), Arc::new(clock)).unwrap()
}

fn insert(text: String) -> impl FnMut(&Tx<'_>) -> Result<(), Error> + Send + 'static {
    move |tx| Ok(tx.execute("INSERT INTO t VALUES (?1)", [&text]).map(|_| ())?)
}

async fn count(writer: &Writer) -> i64 {
    let count = |tx: &Tx<'_>| {
        let found = tx.one("SELECT count(*) FROM t", [], |row| row.get(0))?;
        Ok(found.unwrap())
    };
    writer.write(count).await.unwrap()
}

#[tokio::test]
async fn an_operation_that_fails_undoes_itself_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let writer = writer(&dir.path().join("t.db"), 1000);
    let fails = |tx: &Tx<'_>| {
        tx.execute("INSERT INTO t VALUES ('undone')", [])?;
        Err::<(), _>(StoreError::Corrupt("as a test".to_owned()).into())
    };
    let (before, failed, after) = tokio::join!(
        writer.write(insert("before".to_owned())),
        writer.write(fails),
        writer.write(insert("after".to_owned())),
    );
    assert_eq!((before, after), (Ok(()), Ok(())));
    assert_eq!(failed, Err(StoreError::Corrupt("as a test".to_owned())));
    assert_eq!(count(&writer).await, 2);
}

#[tokio::test]
async fn an_operation_that_panics_undoes_itself_and_no_other_and_the_next_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let writer = writer(&dir.path().join("t.db"), 1000);
    let panics = |tx: &Tx<'_>| -> Result<(), Error> {
        tx.execute("INSERT INTO t VALUES ('undone')", [])?;
        panic!("as a test")
    };
    let (before, panicked, after) = tokio::join!(
        writer.write(insert("before".to_owned())),
        writer.write(panics),
        writer.write(insert("after".to_owned())),
    );
    assert_eq!((before, after), (Ok(()), Ok(())));
    assert!(matches!(panicked, Err(StoreError::Fault(_))), "{panicked:?}");
    writer.write(insert("later".to_owned())).await.unwrap();
    assert_eq!(count(&writer).await, 3);
}

#[tokio::test]
async fn a_full_disk_refuses_what_does_not_fit_and_keeps_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let writer = writer(&dir.path().join("t.db"), 20);
    let mut kept = 0;
    let refused = loop {
        match writer.write(insert("x".repeat(8000))).await {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 100, "the disk is never full");
    };
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused:?}");
    assert_eq!(count(&writer).await, kept);
    let clear = |tx: &Tx<'_>| Ok(tx.execute("DELETE FROM t", [])?);
    writer.write(clear).await.unwrap();
    writer.write(insert("x".repeat(8000))).await.unwrap();
}

#[tokio::test]
async fn another_processs_lock_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.db");
    let writer = writer(&path, 1000);
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE; INSERT INTO t VALUES ('other')").unwrap();
    let waits = writer.write(insert("waits".to_owned()));
    tokio::pin!(waits);
    let early = tokio::time::timeout(Duration::from_millis(100), &mut waits).await;
    assert!(early.is_err(), "written beside another's transaction");
    other.execute_batch("COMMIT").unwrap();
    waits.await.unwrap();
    assert_eq!(count(&writer).await, 2);
}

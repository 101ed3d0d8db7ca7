//! The file: its mode, whose it is, what is refused, several stores on one.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use waxwing_jobs::{Bounds, Durability, Outcome, Phase, Seen, Settle, Started, Store, StoreError};
use waxwing_store_sqlite::SqliteStore;

use crate::support::{claim, clock, find, id, json, open, order, owner};

fn refused(path: &std::path::Path) -> String {
    let error = SqliteStore::open(path, Bounds::default()).unwrap_err();
    let line = error.to_string();
    assert!(!line.contains('\n'), "{line}");
    match error {
        StoreError::Misconfigured(_) | StoreError::Corrupt(_) => line,
        other => panic!("blamed on the wrong one: {other:?}"),
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_and_its_log_are_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.db");
    let store = open(&path, &clock());
    store.start(vec![order("one")]).await.unwrap();
    for entry in fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.path());
    }
    drop(store);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let line = refused(&path);
    assert!(
        line.contains("jobs.db") && line.contains("0640") && line.contains("chmod 600"),
        "{line}"
    );
}

#[test]
fn what_is_no_job_store_is_refused_in_one_clear_line() {
    let dir = tempfile::tempdir().unwrap();
    assert!(refused(dir.path()).contains(&dir.path().display().to_string()));
    let nowhere = dir.path().join("no/such/jobs.db");
    assert!(refused(&nowhere).contains("no/such/jobs.db"));
    let text = dir.path().join("text.db");
    let nonsense = "not a database, and long enough to be taken for one: ".repeat(40);
    crate::crash::write(&text, nonsense.as_bytes(), &[]);
    assert!(refused(&text).contains("damaged"));
}

#[tokio::test]
async fn whoever_attaches_makes_no_file_and_changes_none() {
    let attach = |path: &std::path::Path| {
        let error = SqliteStore::attach(path, Bounds::default()).unwrap_err();
        assert!(matches!(error, StoreError::Misconfigured(_)), "{error:?}");
        let line = error.to_string();
        assert!(line.contains("`waxwing serve`") && !line.contains('\n'), "{line}");
        line
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.db");
    attach(&path);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing was made");
    let store = SqliteStore::open(&path, Bounds::default()).unwrap();
    store.start(vec![order("one")]).await.unwrap();
    let log_of = crate::crash::log_of;
    for (version, log) in [(0, false), (3, false), (99, false), (3, true)] {
        let dir = tempfile::tempdir().unwrap();
        let copy = dir.path().join("jobs.db");
        crate::crash::copy(&path, &copy);
        let other = rusqlite::Connection::open(&copy).unwrap();
        other.pragma_update(None, "user_version", version).unwrap();
        let crashed = (fs::read(&copy).unwrap(), fs::read(log_of(&copy)).unwrap());
        drop(other);
        if log {
            crate::crash::write(&copy, &crashed.0, &crashed.1);
        }
        let state = || (fs::read(&copy).unwrap(), fs::read(log_of(&copy)).ok());
        let before = state();
        assert_eq!(before.1.is_some(), log);
        let line = attach(&copy);
        assert!(line.contains(&format!("schema {version}")), "{line}");
        assert!(before == state(), "{version}: the file was changed");
        let names = fs::read_dir(dir.path()).unwrap().count();
        assert!(log || names == 1, "{version}: files were left beside it");
    }
    let attached = SqliteStore::attach(&path, Bounds::default()).unwrap();
    assert!(find(&attached, "one").await.is_some());
}

#[tokio::test]
async fn it_says_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let info = open(&dir.path().join("jobs.db"), &clock()).info();
    assert_eq!((info.backend, info.durability), ("sqlite", Durability::PowerCut));
    assert!(
        info.detail.contains("jobs.db") && info.detail.contains("SQLite 3."),
        "{}",
        info.detail
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_stores_on_one_file_are_one_store() {
    let dir = tempfile::tempdir().unwrap();
    let (path, clock) = (dir.path().join("jobs.db"), clock());
    let (a, b) = (open(&path, &clock), open(&path, &clock));
    assert_eq!(a.start(vec![order("one")]).await.unwrap(), [Started::Created]);
    assert_eq!(find(&*b, "one").await.unwrap().phase, Phase::Queued);
    let version = find(&*b, "one").await.unwrap().version;
    let seen = [Seen { id: id("one"), version }];
    let waiting = tokio::spawn({
        let b = Arc::clone(&b);
        async move { b.changed(&seen, Duration::from_secs(10)).await.unwrap() }
    });
    let ticket = a.claim(claim(1)).await.unwrap().remove(0).ticket;
    assert_eq!(waiting.await.unwrap(), [id("one")]);
    let outcome = Outcome::Complete(json("done"));
    b.settle(vec![Settle { ticket, outcome }]).await.unwrap();
    assert!(find(&*a, "one").await.unwrap().phase.is_terminal());
}

#[test]
fn stores_that_open_a_new_file_at_once_all_open_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.db");
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || SqliteStore::open(path, Bounds::default()).map(drop))
        })
        .collect();
    for thread in threads {
        thread.join().unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_dropped_happens_wholly_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("jobs.db"), &clock());
    for n in 0..100 {
        let name = format!("job-{n}");
        let start = store.start(vec![order(&name)]);
        let _ = tokio::time::timeout(Duration::from_micros(n * 20), start).await;
    }
    let claimed = store.claim(claim(1000)).await.unwrap();
    for job in &claimed {
        assert_eq!(job.input, json(job.ticket.id.as_str()));
    }
    assert_eq!(store.census().await.unwrap().running, claimed.len() as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_that_come_together_are_committed_together() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.db");
    let store = open(&path, &clock());
    let mut callers = tokio::task::JoinSet::new();
    for n in 0..64 {
        let store = Arc::clone(&store);
        callers.spawn(async move {
            for m in 0..8 {
                store.start(vec![order(&format!("job-{n}-{m}"))]).await.unwrap();
            }
        });
    }
    while let Some(done) = callers.join_next().await {
        done.unwrap();
    }
    // Alone, 512 starts would write at least 512 times a dozen pages to the log.
    let frames = fs::metadata(crate::crash::log_of(&path)).unwrap().len() / 4120;
    assert!(frames < 512 * 4, "{frames} pages were written for 512 starts");
    assert_eq!(store.claim(claim(1000)).await.unwrap().len(), 512);
    assert!(store.get(&owner(), &id("job-63-7")).await.unwrap().is_some());
}

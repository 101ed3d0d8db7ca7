//! Real processes on one file: killed at any moment, and side by side.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use waxwing_jobs::{Bounds, Outcome, Phase, Settle, Store};
use waxwing_store_sqlite::SqliteStore;

use crate::support::{claim, find, json, order};

const FILE: &str = "WAXWING_TEST_CHILD_FILE";
const NAME: &str = "WAXWING_TEST_CHILD_NAME";

/// Runs [`child`] in a process of its own.
fn spawn(path: &Path, name: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["process::child", "--exact", "--nocapture", "--test-threads=1"])
        .env(FILE, path)
        .env(NAME, name)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Not a test by itself: starts and completes jobs for ever and says what was acknowledged.
#[tokio::test]
async fn child() {
    let (Ok(path), Ok(name)) = (std::env::var(FILE), std::env::var(NAME)) else { return };
    let store = SqliteStore::open(path, Bounds::default()).unwrap();
    for n in 0.. {
        let job = format!("{name}-{n}");
        store.start(vec![order(&job)]).await.unwrap();
        println!("ack started {job}");
        for claimed in store.claim(claim(1)).await.unwrap() {
            let job = claimed.ticket.id.to_string();
            let outcome = Outcome::Complete(json(&job));
            store.settle(vec![Settle { ticket: claimed.ticket, outcome }]).await.unwrap();
            println!("ack completed {job}");
        }
    }
}

/// What a child said before it was killed, after at least `lines` lines.
fn kill_after(mut child: Child, lines: usize) -> Vec<(String, String)> {
    let mut said = Vec::new();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut read = |said: &mut Vec<_>| match output.next() {
        Some(Ok(line)) => {
            // The harness may print its own words before the first.
            if let Some((_, ack)) = line.split_once("ack ")
                && let Some((what, job)) = ack.split_once(' ')
            {
                said.push((what.to_owned(), job.to_owned()));
            }
            true
        }
        _ => false,
    };
    while said.len() < lines && read(&mut said) {}
    child.kill().unwrap();
    while read(&mut said) {}
    child.wait().unwrap();
    said
}

async fn check(store: &SqliteStore, said: &[(String, String)]) {
    for (what, job) in said {
        let found = find(store, job).await;
        let found = found.unwrap_or_else(|| panic!("{job} was acknowledged and is lost"));
        if what == "completed" {
            assert_eq!(found.phase, Phase::Completed { output: json(job) });
        }
    }
}

#[tokio::test]
async fn a_process_killed_at_any_moment_loses_nothing_it_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.db");
    let mut all = Vec::new();
    for round in 0..12 {
        let said = kill_after(spawn(&path, &format!("r{round}")), 1 + round * 7);
        assert!(!said.is_empty());
        all.extend(said);
        let store = SqliteStore::open(&path, Bounds::default()).unwrap();
        check(&store, &all).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_side_by_side_complete_each_job_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.db");
    let readers: Vec<_> = ["a", "b", "c"]
        .map(|name| spawn(&path, name))
        .into_iter()
        .map(|child| std::thread::spawn(move || kill_after(child, 60)))
        .collect();
    let mut all = Vec::new();
    for reader in readers {
        all.extend(tokio::task::spawn_blocking(|| reader.join().unwrap()).await.unwrap());
    }
    let store = SqliteStore::open(&path, Bounds::default()).unwrap();
    check(&store, &all).await;
    let mut completed: Vec<_> = all.iter().filter(|(what, _)| what == "completed").collect();
    let count = completed.len();
    completed.sort();
    completed.dedup();
    assert_eq!(completed.len(), count, "a job was completed twice");
}

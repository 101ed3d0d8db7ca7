//! A crash at every write. Between checkpoints SQLite only appends to its log, so the file and a
//! log cut after any number of bytes are what a crash after that write leaves. Each such state must
//! open, hold everything that was acknowledged by then, and go on working; and so must the states
//! that a second crash leaves while the first is being recovered from.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use waxwing_jobs::{
    Answers, Beat, CancelRequest, InputKey, InputRequest, InputRequests, Outcome, Phase, Progress,
    Settle, Started, Store,
};

use crate::support::{LEASE, claim, clock, find, id, json, open, order, owner};

/// A log's header, and a frame's header before each page.
const LOG_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
const FRAME: usize = FRAME_HEADER + 4096;

pub(crate) fn log_of(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}-wal", path.display()))
}

/// Copies a file and its log as a crash would leave them.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap();
    fs::copy(log_of(from), log_of(to)).unwrap();
}

/// A directory in memory where there is one: it is the bytes that are tested, not the disk.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// A file, its whole log, and what was acknowledged at which length of the log.
struct Recorded {
    file: Vec<u8>,
    log: Vec<u8>,
    acknowledged: Vec<Acknowledged>,
}

/// At this length of the log, this job was acknowledged to be so.
struct Acknowledged {
    at: usize,
    name: &'static str,
    holds: fn(&Phase) -> bool,
}

const fn queued(phase: &Phase) -> bool {
    matches!(phase, Phase::Queued)
}
const fn exists(_: &Phase) -> bool {
    true
}
const fn completed(phase: &Phase) -> bool {
    matches!(phase, Phase::Completed { .. })
}
const fn cancelled(phase: &Phase) -> bool {
    matches!(phase, Phase::Cancelled { .. })
}
fn half_answered(phase: &Phase) -> bool {
    matches!(phase, Phase::Parked { requests } if requests.iter().len() == 1) || queued(phase)
}

/// A fixed workload that goes through every stage, one commit after the other.
async fn record(path: &Path) -> Recorded {
    let clock = clock();
    let store = open(path, &clock);
    let file = fs::read(path).unwrap();
    let mut acknowledged: Vec<Acknowledged> = Vec::new();
    let size = || usize::try_from(fs::metadata(log_of(path)).unwrap().len()).unwrap();
    for name in ["done", "parked", "cancelled", "again"] {
        assert_eq!(store.start(vec![order(name)]).await.unwrap(), [Started::Created]);
        acknowledged.push(Acknowledged { at: size(), name, holds: exists });
    }
    let jobs = store.claim(claim(4)).await.unwrap();
    let ticket = |name| jobs.iter().find(|job| job.ticket.id == id(name)).unwrap().ticket.clone();
    let settle = async |name, outcome| {
        store.settle(vec![Settle { ticket: ticket(name), outcome }]).await.unwrap();
    };
    let progress = Progress::new(1.0, Some(2.0), None);
    let beat = Beat { ticket: ticket("done"), lease: LEASE, progress, checkpoint: Some(json(1)) };
    store.beat(vec![beat]).await.unwrap();
    // Large enough for pages of its own.
    settle("done", Outcome::Complete(json("x".repeat(20_000)))).await;
    acknowledged.push(Acknowledged { at: size(), name: "done", holds: completed });
    let key = |name| InputKey::new(name).unwrap();
    let request = InputRequest { message: "?".into(), schema: json(true) };
    let asked = [(key("k"), request.clone()), (key("l"), request)].into();
    let requests = InputRequests::new(asked).unwrap();
    settle("parked", Outcome::Park { requests, checkpoint: Some(json("half")) }).await;
    for name in ["k", "l"] {
        let answers = Answers::new([(key(name), json(1))].into());
        store.answer(&owner(), &id("parked"), answers).await.unwrap();
        acknowledged.push(Acknowledged {
            at: size(),
            name: "parked",
            holds: if name == "k" { half_answered } else { queued },
        });
    }
    store.cancel(&owner(), &id("cancelled"), CancelRequest::default()).await.unwrap();
    settle("cancelled", Outcome::Cancelled).await;
    acknowledged.push(Acknowledged { at: size(), name: "cancelled", holds: cancelled });
    clock.advance(LEASE + Duration::from_secs(1));
    assert_eq!(store.sweep(100).await.unwrap().lapsed, 1);
    acknowledged.push(Acknowledged { at: size(), name: "again", holds: queued });
    Recorded { file, log: fs::read(log_of(path)).unwrap(), acknowledged }
}

/// Every length at which a write ends: SQLite writes the header of the log, and of each frame the
/// header and the page.
fn writes(log: &[u8]) -> Vec<usize> {
    let frames = (LOG_HEADER..log.len()).step_by(FRAME);
    let ends = frames.flat_map(|start| [start + FRAME_HEADER, start + FRAME]);
    [0, LOG_HEADER].into_iter().chain(ends).filter(|end| *end <= log.len()).collect()
}

/// The same, and a length inside of each write.
fn cuts(log: &[u8]) -> Vec<usize> {
    let ends = writes(log);
    let torn = ends.iter().zip(ends.iter().skip(1)).map(|(from, to)| from.midpoint(*to));
    torn.chain(ends.iter().copied()).collect()
}

pub(crate) fn write(path: &Path, file: &[u8], log: &[u8]) {
    fs::write(path, file).unwrap();
    fs::write(log_of(path), log).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// Opens what the crash left, and finds everything that was acknowledged by then.
async fn recover(path: &Path, recorded: &Recorded, cut: usize) {
    let store = open(path, &clock());
    for Acknowledged { at, name, holds } in &recorded.acknowledged {
        if *at <= cut {
            let job = find(&*store, name).await;
            let job = job.unwrap_or_else(|| panic!("cut {cut}: {name} is lost"));
            let later =
                recorded.acknowledged.iter().filter(|ack| ack.name == *name && ack.at <= cut);
            let last = later.map(|ack| ack.at).max().unwrap();
            assert!(last != *at || holds(&job.phase), "cut {cut}: {name} is {:?}", job.phase);
        }
    }
    assert_eq!(store.start(vec![order("after")]).await.unwrap(), [Started::Created], "cut {cut}");
}

#[tokio::test]
async fn a_crash_at_any_write_loses_nothing_that_was_acknowledged() {
    let dir = scratch();
    let recorded = record(&dir.path().join("recorded.db")).await;
    let frames = (recorded.log.len() - LOG_HEADER) / FRAME;
    assert!(frames > 40, "the workload writes enough to be worth it: {frames}");
    for (n, cut) in cuts(&recorded.log).into_iter().enumerate() {
        let path = dir.path().join(format!("crash-{n}.db"));
        write(&path, &recorded.file, &recorded.log[..cut]);
        recover(&path, &recorded, cut).await;
    }
}

/// Crashes at one write, then at each of those that the recovered store does; how many those are.
async fn crash_twice(dir: &Path, recorded: &Recorded, first: usize) -> usize {
    let path = dir.join(format!("first-{first}.db"));
    write(&path, &recorded.file, &recorded.log[..first]);
    let store = open(&path, &clock());
    store.start(vec![order("between")]).await.unwrap();
    let (file, log) = (fs::read(&path).unwrap(), fs::read(log_of(&path)).unwrap());
    drop(store);
    let whole = LOG_HEADER + (first.saturating_sub(LOG_HEADER)) / FRAME * FRAME;
    let seconds: Vec<usize> = writes(&log).into_iter().filter(|cut| *cut >= whole).collect();
    for second in &seconds {
        let path = dir.join(format!("second-{first}-{second}.db"));
        write(&path, &file, &log[..*second]);
        recover(&path, recorded, first).await;
        fs::remove_file(&path).unwrap();
    }
    seconds.len()
}

// More threads than cores, for where most of the time goes by waiting for a disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn a_second_crash_while_the_first_is_recovered_from_loses_nothing() {
    let dir = Arc::new(scratch());
    let recorded = Arc::new(record(&dir.path().join("recorded.db")).await);
    let firsts = Arc::new(Mutex::new(writes(&recorded.log)));
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let (dir, recorded, firsts) =
            (Arc::clone(&dir), Arc::clone(&recorded), Arc::clone(&firsts));
        workers.spawn(async move {
            let next = || firsts.lock().unwrap().pop();
            let mut pairs = 0;
            while let Some(first) = next() {
                pairs += crash_twice(dir.path(), &recorded, first).await;
            }
            pairs
        });
    }
    let mut pairs = 0;
    while let Some(done) = workers.join_next().await {
        pairs += done.unwrap();
    }
    let firsts = writes(&recorded.log).len();
    assert!(firsts > 100 && pairs > firsts * 8, "{pairs} pairs of {firsts} first crashes");
}

#[tokio::test]
async fn a_crash_while_the_log_is_copied_into_the_file_loses_nothing() {
    let dir = scratch();
    let path = dir.path().join("recorded.db");
    let recorded = record(&path).await;
    let copied = dir.path().join("copied.db");
    write(&copied, &recorded.file, &recorded.log);
    let connection = rusqlite::Connection::open(&copied).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).unwrap();
    let after = fs::read(&copied).unwrap();
    assert_ne!(after, recorded.file, "the log was copied");
    for pages in 0..=after.len() / 4096 {
        for torn in [0, 100] {
            // Pages are copied in any order: the first so many, or the last.
            let at = (pages * 4096 + torn).min(after.len());
            let mut front = recorded.file.clone();
            front.resize(after.len(), 0);
            let mut back = after.clone();
            front[..at].copy_from_slice(&after[..at]);
            let kept = at.min(recorded.file.len());
            back[..kept].copy_from_slice(&recorded.file[..kept]);
            for (name, file) in [("front", &front), ("back", &back)] {
                let path = dir.path().join(format!("{name}-{pages}-{torn}.db"));
                write(&path, file, &recorded.log);
                recover(&path, &recorded, recorded.log.len()).await;
            }
        }
    }
}

#[tokio::test]
async fn the_test_of_crashes_notices_a_lost_commit() {
    let dir = scratch();
    let recorded = record(&dir.path().join("recorded.db")).await;
    let path = dir.path().join("lossy.db");
    write(&path, &recorded.file, &recorded.log[..recorded.log.len() - FRAME]);
    let whole = recorded.log.len();
    let checked = tokio::spawn(async move { recover(&path, &recorded, whole).await }).await;
    assert!(checked.unwrap_err().is_panic());
}

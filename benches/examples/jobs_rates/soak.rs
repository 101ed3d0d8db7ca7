//! Many short jobs with a short life: what is stored, the store's size and this process's memory must
//! level off.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use waxwing_jobs::{Engine, EngineConfig, Started, Store};

use crate::cases::Completions;
use crate::orders::{Idle, by_callers, order};
use crate::places::Place;
use crate::table::{Promise, Table, Unit};

/// How often a sample is taken.
const EVERY: Duration = Duration::from_secs(5);

/// What still counts as level, in percent: noise, and no growth with the number of jobs.
const LEVEL: f64 = 110.0;

#[derive(Clone, Copy, Debug)]
struct Sample {
    stored: u64,
    bytes: u64,
    resident: u64,
}

/// Starts `count` jobs that live for `ttl`, by 64 callers, and prints samples on the way.
pub(crate) async fn run(place: &Place, count: u64, ttl: Duration, table: &mut Table) {
    let store = place.open("soak").await;
    let completed = Arc::new(Semaphore::new(0));
    let mut config = EngineConfig::default();
    config.observer = Arc::new(Completions(Arc::clone(&completed)));
    let engine = Arc::new(Engine::launch(Arc::clone(&store), Arc::new(Idle), config));
    let done = Arc::new(AtomicU64::new(0));
    let (began, count_done) = (Instant::now(), Arc::clone(&done));
    let work = by_callers(count, move |n| {
        let (engine, completed) = (Arc::clone(&engine), Arc::clone(&completed));
        let done = Arc::clone(&count_done);
        async move {
            let job = order(n).with_ttl(ttl);
            assert_eq!(engine.start(job).await.expect("a start"), Started::Created);
            completed.acquire().await.expect("it stays open").forget();
            done.fetch_add(1, Ordering::Relaxed);
        }
    });
    tokio::pin!(work);
    eprintln!(
        "{:>8} {:>10} {:>10} {:>10} {:>10}",
        "seconds", "done", "stored", "store MiB", "RSS MiB"
    );
    let mut samples = Vec::new();
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            () = &mut work => break,
            _ = tick.tick() => {
                let sample = sample(place, &*store).await;
                let Sample { stored, bytes, resident } = sample;
                let (seconds, done) = (began.elapsed().as_secs(), done.load(Ordering::Relaxed));
                eprintln!("{seconds:>8} {done:>10} {stored:>10} {:>10} {:>10}", bytes >> 20, resident >> 20);
                samples.push(sample);
            }
        }
    }
    let rate = count as f64 / began.elapsed().as_secs_f64();
    table.add("soak: jobs through their whole life", rate, Unit::PerSecond, Promise::None);
    level(table, "bytes of the store", &samples, |sample| sample.bytes);
    level(table, "memory of the process", &samples, |sample| sample.resident);
}

/// The most in the last third, to the most in the third before it.
fn level(table: &mut Table, what: &str, samples: &[Sample], of: impl Fn(&Sample) -> u64) {
    let third = samples.len() / 3;
    let most = |part: &[Sample]| part.iter().map(&of).max().unwrap_or(0) as f64;
    if third == 0 {
        eprintln!("too short a soak to say whether the {what} level off");
        return;
    }
    let (before, last) = (&samples[third..2 * third], &samples[2 * third..]);
    let name = format!("soak: {what}, last third to the middle");
    table.add(name, 100.0 * most(last) / most(before), Unit::Percent, Promise::AtMost(LEVEL));
}

async fn sample(place: &Place, store: &dyn Store) -> Sample {
    let census = store.census().await.expect("a census");
    let bytes = census.bytes.unwrap_or(0) + place.log_bytes("soak");
    Sample { stored: census.stored, bytes, resident: resident() }
}

/// Bytes of this process in memory; 0 where the system does not tell so.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}

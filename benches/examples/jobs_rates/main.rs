//! Rates and latencies of a job store and the engine over it, in one run, with ratios to the same rows
//! written by bare SQLite: `jobs_rates --help`. For a quiet machine and a release build.

#![expect(clippy::expect_used, clippy::panic, reason = "a measurement that cannot go on must stop")]
#![expect(clippy::print_stdout, reason = "it prints its figures")]

mod bare;
mod cases;
mod orders;
mod places;
mod soak;

use std::time::Duration;

use clap::Parser;
use places::Place;

/// Measures a job store.
#[derive(Debug, Parser)]
struct Args {
    /// `sqlite`, in a new temporary folder; or `sqlite:FOLDER`, a folder on the disk to be measured
    #[arg(long, default_value = "sqlite")]
    store: String,
    /// Jobs that are started, and nonces that are admitted
    #[arg(long, default_value_t = 50_000)]
    count: u64,
    /// Jobs that are stored when polls are measured the second time
    #[arg(long, default_value_t = 1_000_000)]
    stored: u64,
    /// Waits that are measured
    #[arg(long, default_value_t = 300)]
    waits: usize,
    /// Jobs of the soak
    #[arg(long, default_value_t = 1_000_000)]
    soak: u64,
    /// How long a job of the soak lives, in seconds
    #[arg(long, default_value_t = 15)]
    ttl: u64,
    /// Only these of: starts, lifecycle, nonces, polls, waits, soak
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

impl Args {
    fn wants(&self, case: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == case)
    }
}

/// One figure beside what was promised.
fn figure(name: &str, value: f64, unit: &str, promise: &str) {
    println!("{name:<52} {value:>12.1} {unit:<6} {promise}");
}

#[tokio::main]
async fn main() {
    let args = Args::parse();
    let place = Place::of(&args.store);
    println!("{}", place.open("info").await.info().detail);
    if args.wants("starts") {
        let durable = cases::starts(&place, args.count).await;
        figure("durable starts, 64 callers", durable, "/s", "sqlite 10,000");
        if let Some(file) = place.file("bare") {
            let bare = bare::starts(&place, &file, args.count).await;
            figure("the same rows by bare rusqlite, 256 a commit", bare, "/s", "");
            figure("durable starts to bare rows", 100.0 * durable / bare, "%", ">= 60");
        }
    }
    if args.wants("lifecycle") {
        let rate = cases::lifecycle(&place, args.count).await;
        figure("start, claim and settle, 64 callers", rate, "/s", "sqlite 5,000, postgres 3,000");
    }
    if args.wants("nonces") {
        let rate = cases::nonces(&place, args.count).await;
        figure("nonces admitted, 64 callers", rate, "/s", "postgres 20,000");
    }
    if args.wants("polls") {
        polls(&place, args.stored).await;
    }
    if args.wants("waits") {
        for (who, same) in [("this process", true), ("another store", false)] {
            let mut waits = cases::waits(&place, args.waits, same).await;
            waits.sort_unstable();
            let at = |share: f64| {
                let place = (waits.len() as f64 * share) as usize;
                waits[place.min(waits.len() - 1)].as_secs_f64() * 1e3
            };
            figure(&format!("wait woken by {who}, median"), at(0.5), "ms", "");
            figure(&format!("wait woken by {who}, p99"), at(0.99), "ms", "<= 50");
        }
    }
    if args.wants("soak") {
        soak::run(&place, args.soak, Duration::from_secs(args.ttl)).await;
    }
}

async fn polls(place: &Place, stored: u64) {
    let few = cases::polls(place, "few", 1_000).await;
    figure("poll by id, 1,000 jobs stored", few.as_secs_f64() * 1e6, "us", "<= 50");
    let many = cases::polls(place, "many", stored).await;
    let name = format!("poll by id, {stored} jobs stored");
    figure(&name, many.as_secs_f64() * 1e6, "us", "<= 50");
    let ratio = many.as_secs_f64() / few.as_secs_f64();
    println!("{:<52} {ratio:>12.2} {:<6} <= 1.3", "the one to the other", "x");
}

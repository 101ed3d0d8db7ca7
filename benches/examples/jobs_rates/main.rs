//! The figures that are promised of a job store and the engine over it, in one run on a store of its
//! own with syncs on: `jobs_rates --help`. For a quiet machine and a release build.

#![expect(clippy::expect_used, clippy::panic, reason = "a measurement that cannot go on must stop")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it prints its figures")]

mod bare;
mod cases;
mod idle;
mod orders;
mod places;
mod soak;
mod table;
mod waits;

use std::time::Duration;

use clap::{Parser, ValueEnum};
use orders::Ids;
use places::Place;
use table::{Promise, Table, Unit, at, micros, millis, thousands};

/// Measures a job store, and prints a table in Markdown.
#[derive(Debug, Parser)]
struct Args {
    /// `sqlite`, in a new temporary folder; `sqlite:FOLDER`, a folder on the disk to be measured;
    /// or `postgres`, a server that is started for it
    #[arg(long, default_value = "sqlite")]
    store: String,
    /// Jobs that are started, and nonces that are admitted, in one round
    #[arg(long, default_value_t = 50_000)]
    count: u64,
    /// Rounds of each rate; the median counts
    #[arg(long, default_value_t = 3)]
    rounds: u64,
    /// Jobs that are stored when polls are measured the second time
    #[arg(long, default_value_t = 1_000_000)]
    stored: u64,
    /// Waits that are measured
    #[arg(long, default_value_t = 300)]
    waits: usize,
    /// Seconds that an engine is idle
    #[arg(long, default_value_t = 30)]
    idle: u64,
    /// Jobs of the soak
    #[arg(long, default_value_t = 1_000_000)]
    soak: u64,
    /// How long a job of the soak lives, in seconds
    #[arg(long, default_value_t = 15)]
    ttl: u64,
    /// Only these
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Case>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Case {
    Starts,
    Lifecycle,
    Nonces,
    Polls,
    Waits,
    Idle,
    Soak,
}

impl Args {
    async fn measure(&self, place: &Place, case: Case, table: &mut Table) {
        match case {
            Case::Starts => self.starts(place, table).await,
            Case::Lifecycle => self.lifecycle(place, table).await,
            Case::Nonces => self.nonces(place, table).await,
            Case::Polls => self.polls(place, table).await,
            Case::Waits => self.waits(place, table).await,
            Case::Idle => idle::run(place, Duration::from_secs(self.idle), table).await,
            Case::Soak => {
                soak::run(place, self.soak, Duration::from_secs(self.ttl), table).await;
            }
        }
    }

    async fn starts(&self, place: &Place, table: &mut Table) {
        for (ids, which) in [(Ids::Scattered, "ids in no order"), (Ids::Timed, "the server's ids")]
        {
            let (mut durable, mut bare, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
            for round in 0..self.rounds {
                let name = |what| format!("{what}-{ids:?}-{round}").to_lowercase();
                let rate = cases::starts(place, &name("starts"), self.count, ids).await;
                durable.push(rate);
                // Side by side, so that both meet the machine in the same mood.
                let rows = bare::starts(place, &name("bare"), self.count, ids).await;
                bare.push(rows);
                ratios.push(100.0 * rate / rows);
            }
            let (least, share) = if place.is_sqlite() {
                (Promise::AtLeast(10_000.0), Promise::AtLeast(60.0))
            } else {
                (Promise::None, Promise::None)
            };
            let name = format!("durable starts, 64 callers, {which}");
            table.add(name, at(&mut durable, 0.5), Unit::PerSecond, least);
            let name = format!("the same rows by {}, 256 a commit", bare::writer(place));
            table.add(name, at(&mut bare, 0.5), Unit::PerSecond, Promise::None);
            table.add("durable starts to bare rows", at(&mut ratios, 0.5), Unit::Percent, share);
        }
    }

    async fn lifecycle(&self, place: &Place, table: &mut Table) {
        let mut rates = Vec::new();
        for round in 0..self.rounds {
            rates.push(cases::lifecycle(place, &format!("life{round}"), self.count).await);
        }
        let promise = Promise::AtLeast(if place.is_sqlite() { 5_000.0 } else { 3_000.0 });
        let name = "start, claim and settle, 64 callers";
        table.add(name, at(&mut rates, 0.5), Unit::PerSecond, promise);
    }

    async fn nonces(&self, place: &Place, table: &mut Table) {
        let mut rates = Vec::new();
        for round in 0..self.rounds {
            rates.push(cases::nonces(place, &format!("nonces{round}"), 2 * self.count).await);
        }
        let promise = if place.is_sqlite() { Promise::None } else { Promise::AtLeast(20_000.0) };
        table.add("nonces admitted, 64 callers", at(&mut rates, 0.5), Unit::PerSecond, promise);
    }

    async fn polls(&self, place: &Place, table: &mut Table) {
        // A poll of a database in another process is also a way there and back.
        let promise = if place.is_sqlite() { Promise::AtMost(50.0) } else { Promise::None };
        let mut medians = Vec::new();
        let sizes = [1_000, self.stored];
        let mut polls = cases::polls(place, sizes).await;
        for (stored, times) in sizes.into_iter().zip(&mut polls.stores) {
            let median = micros(at(times, 0.5));
            let name = format!("poll by id, {} jobs stored, median", thousands(stored));
            table.add(name, median, Unit::Micros, promise);
            medians.push(median);
        }
        let ratio = medians[1] / medians[0];
        table.add("poll with many jobs to one with few", ratio, Unit::Times, Promise::AtMost(1.3));
        if !polls.bare.is_empty() {
            let median = micros(at(&mut polls.bare, 0.5));
            let name = format!("the same row by {}, median", bare::writer(place));
            table.add(name, median, Unit::Micros, Promise::None);
            let name = "poll with few jobs to the bare row";
            table.add(name, medians[0] / median, Unit::Times, Promise::None);
        }
    }

    async fn waits(&self, place: &Place, table: &mut Table) {
        for (whose, same) in [("its own process", true), ("another process", false)] {
            let mut waits = waits::run(place, self.waits, same).await;
            let (median, last) = (millis(at(&mut waits, 0.5)), millis(at(&mut waits, 0.99)));
            let name = |what| format!("poll that waits, woken by {whose}, {what}");
            table.add(name("median"), median, Unit::Millis, Promise::None);
            table.add(name("p99"), last, Unit::Millis, Promise::AtMost(50.0));
        }
    }
}

#[tokio::main]
async fn main() {
    let args = Args::parse();
    let place = Place::of(&args.store);
    let detail = place.open("info").await.info().detail;
    // The product and its version, without the place.
    let store: Vec<&str> = detail.split(' ').take(2).collect();
    let mut table = Table::of(store.join(" "));
    for case in Case::value_variants() {
        if args.only.is_empty() || args.only.contains(case) {
            args.measure(&place, *case, &mut table).await;
        }
    }
    table.print();
}

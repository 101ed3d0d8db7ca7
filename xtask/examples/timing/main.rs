//! Whether the time of a verdict tells anything, after the method of dudect: two classes of input in random
//! order, the upper tail of the times cropped, Welch's t. `cargo xtask timing` runs it.
//!
//! `timing SAMPLES SEED`

#![expect(clippy::print_stdout, reason = "the terminal is where it answers")]

mod measure;
mod subjects;
mod welch;

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use measure::{Random, measure};
use subjects::{Expectation, subjects};
use welch::{CROPS, apart, verdict};

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>().ok());
    let samples = numbers.next().flatten().unwrap_or(1_000_000);
    let seed = numbers.next().flatten().unwrap_or_else(time_of_day);
    println!("{samples} samples each, seed {seed}\n");
    println!(
        "{:<58} {:>7} {:>9} {:>9}  |t| by crop {CROPS:?}",
        "what is compared", "|t|", "wanted", "apart"
    );
    let (mut random, mut failed) = (Random(seed), 0);
    for subject in subjects() {
        let times = measure(&subject, samples, &mut random);
        let ((t, by_crop), apart) = (verdict(&times), apart(&times, subject.runs));
        let (wanted, is_met) = match subject.expectation {
            Expectation::Constant => ("below 5", t < 5.0),
            Expectation::Leaks => ("above 50", t > 50.0),
        };
        let mark = if is_met { "" } else { "  <- FAILED" };
        println!("{:<58} {t:>7.2} {wanted:>9} {apart:>6.1} ns  {by_crop:.1?}{mark}", subject.name);
        failed += u32::from(!is_met);
    }
    match failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn time_of_day() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_micros() as u64)
}

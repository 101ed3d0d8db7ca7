//! `cargo xtask timing`: whether the time of a verdict tells a forger anything. The measuring is an example
//! of this package, built for release, so that the commands build without the crates it times.

use anyhow::Result;

use crate::process::{cargo, run as run_command};

/// What `cargo xtask timing` can be told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many samples of each comparison
    #[arg(long, default_value_t = 1_000_000)]
    samples: u64,
    /// Seed of the order of the classes; without it, the time of day
    #[arg(long)]
    seed: Option<u64>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut command = cargo();
    command.args(["run", "--quiet", "--release", "--locked", "--package", "xtask"]);
    command.args(["--example", "timing", "--", &args.samples.to_string()]);
    command.args(args.seed.map(|seed| seed.to_string()));
    run_command(&mut command)
}

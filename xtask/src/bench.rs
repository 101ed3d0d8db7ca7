//! `cargo xtask bench`: runs the benches, shows every median and the ratios that are promised,
//! writes the report, and holds the hot path to its instruction counts.

mod added;
mod instructions;
mod jobs;
mod medians;
mod ratios;
mod report;

use anyhow::Result;

use crate::process::{cargo, run as run_command};

/// What `cargo xtask bench` can be told.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    /// Count the hot path's instructions under valgrind and fail where they grew by more than 5 %
    #[arg(long, conflicts_with = "report")]
    check: bool,
    /// With --check: take today's counts as the ones to hold
    #[arg(long, requires = "check")]
    bless: bool,
    /// Measure the job stores instead, PostgreSQL on a server of its own; some twenty minutes
    #[arg(long, conflicts_with = "check")]
    jobs: bool,
    /// Also write the figures into docs/performance.md and docs/performance.svg; with --jobs into
    /// docs/jobs.md
    #[arg(long)]
    report: bool,
    /// Only benches whose name contains this; not with --report, which needs them all
    #[arg(conflicts_with_all = ["check", "jobs", "report"])]
    filter: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if args.check {
        return instructions::check(args.bless);
    }
    if args.jobs {
        return jobs::run(args.report);
    }
    let folder = medians::folder();
    if args.report {
        // Figures of an earlier run must not pass for today's.
        medians::forget(&folder)?;
    }
    let mut command = cargo();
    command.args(["bench", "--package", "waxwing-benches", "--benches", "--locked"]);
    if let Some(filter) = &args.filter {
        command.args(["--", filter]);
    }
    run_command(&mut command)?;

    let medians = medians::read(&folder)?;
    println!("\n{}", medians::table(&medians));
    let ratios = ratios::measure(ratios::CELLS, &medians);
    if !ratios.is_empty() {
        println!("{}", ratios::table(&ratios));
    }
    let added = added::table(added::CELLS, &medians);
    if !added.is_empty() {
        println!("{added}");
    }
    if args.report {
        report::write(&medians, &ratios, &added)?;
    }
    Ok(())
}

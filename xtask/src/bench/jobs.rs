//! `cargo xtask bench --jobs`: measures the job stores and shows each figure beside its promise. The
//! measuring is an example of the benches, built for release.

use anyhow::Result;

use super::report;
use crate::process::{capture, cargo};

const STORES: [&str; 2] = ["sqlite", "postgres"];

/// Measures every store; with `report`, the tables are also written into docs/jobs.md.
pub(super) fn run(report: bool) -> Result<()> {
    let mut figures = String::new();
    for store in STORES {
        let mut command = cargo();
        command.args(["run", "--quiet", "--release", "--locked", "--package", "waxwing-benches"]);
        command.args(["--example", "jobs_rates", "--", "--store", store]);
        figures.push_str(&capture(&mut command)?);
        figures.push('\n');
    }
    figures.insert_str(0, &format!("{}\n\n", report::machine()?));
    println!("{figures}");
    if report { report::figures("docs/jobs.md", &figures) } else { Ok(()) }
}

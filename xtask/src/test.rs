//! `cargo xtask test`: the one test command. Every check runs, one after another, and a table at
//! the end says how each ended, how long it took and what was skipped and why.

mod packages;
mod postgres;
mod schemas;
mod suite;

use std::{env, fmt, path::PathBuf, time::Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::{
    process::{cargo, in_ci, program, root, run as run_command, works},
    tidy,
};

/// What `cargo xtask test` can be told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// For the inner loop: no documentation, fewer cases and no kill tests (sets WAXWING_QUICK=1)
    #[arg(long)]
    quick: bool,
    /// Stop at the first step that fails
    #[arg(long)]
    fail_fast: bool,
}

/// What every step may need to know.
struct Plan {
    quick: bool,
    fail_fast: bool,
    /// The public test data, where it was found.
    data: Option<PathBuf>,
}

/// How a step that did not fail ended.
enum Ended {
    /// It ran whole; the note says how much that was.
    Passed(String),
    /// All or a part of it did not run, and why.
    Skipped(Vec<String>),
}

/// One line of the table at the end.
struct Row {
    step: &'static str,
    seconds: f64,
    ended: Result<Ended>,
}

/// One thing that is checked.
struct Step {
    name: &'static str,
    check: fn(&Plan) -> Result<Ended>,
}

const STEPS: [Step; 5] = [
    Step { name: "format", check: format },
    Step { name: "tidy", check: |_| tidy::check().map(Ended::Passed) },
    Step { name: "clippy", check: clippy },
    Step { name: "docs", check: docs },
    Step { name: "tests", check: suite::run },
];

pub(crate) fn run(args: &Args) -> Result<()> {
    let ci = in_ci();
    if ci && args.quick {
        bail!("--quick skips checks, and with CI set nothing may be skipped");
    }
    let plan = Plan { quick: args.quick, fail_fast: args.fail_fast, data: public_data(ci)? };

    let mut rows = Vec::new();
    for Step { name: step, check } in STEPS {
        println!("\n== {step}");
        let start = Instant::now();
        let ended = check(&plan);
        let seconds = start.elapsed().as_secs_f64();
        if let Err(error) = &ended {
            println!("{step} failed: {error:#}");
        }
        let stop = args.fail_fast && ended.is_err();
        println!("== {step}: {seconds:.1} s");
        rows.push(Row { step, seconds, ended });
        if stop {
            break;
        }
    }

    println!("\n== summary");
    for row in &rows {
        print!("{row}");
    }
    let failed: Vec<_> = rows.iter().filter(|row| row.ended.is_err()).map(|row| row.step).collect();
    if !failed.is_empty() {
        let not_run = STEPS.len() - rows.len();
        let rest = if not_run > 0 { format!("; {not_run} steps not run") } else { String::new() };
        bail!("failed: {}{rest}", failed.join(", "));
    }
    let skipped = rows.iter().any(|row| matches!(row.ended, Ok(Ended::Skipped(_))));
    if ci && skipped {
        bail!("something was skipped, and with CI set nothing may be");
    }
    println!("all good{}", if skipped { ", but see what was skipped" } else { "" });
    Ok(())
}

impl fmt::Display for Row {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, notes) = match &self.ended {
            Ok(Ended::Passed(note)) => ("ok", vec![note.clone()]),
            Ok(Ended::Skipped(reasons)) => ("SKIPPED", reasons.clone()),
            Err(error) => ("FAILED", vec![error.to_string()]),
        };
        let mut notes = notes.iter();
        let first = notes.next().map_or("", String::as_str);
        let line = format!("{:<8} {word:<8} {:>7.1} s  {first}", self.step, self.seconds);
        writeln!(out, "{}", line.trim_end())?;
        notes.try_for_each(|note| writeln!(out, "{:28} {note}", ""))
    }
}

/// The public test data: where `WAXWING_DATA` says, else beside the repository, else nowhere.
fn public_data(ci: bool) -> Result<Option<PathBuf>> {
    if let Some(said) = env::var_os("WAXWING_DATA").filter(|said| !said.is_empty()) {
        let path = PathBuf::from(said);
        return path.canonicalize().map(Some).with_context(|| {
            format!("WAXWING_DATA is {}, which cannot be opened", path.display())
        });
    }
    let beside = root().join("../shared/data");
    match beside.canonicalize() {
        Ok(path) => Ok(Some(path)),
        Err(_) if ci => bail!("no public test data: set WAXWING_DATA to its folder"),
        Err(_) => Ok(None),
    }
}

fn format(_: &Plan) -> Result<Ended> {
    component("fmt", "rustfmt")?;
    run_command(cargo().args(["fmt", "--all", "--check"]))
        .map_err(|_| anyhow!("not formatted; `cargo fmt --all` mends it"))?;
    Ok(Ended::Passed(String::new()))
}

fn clippy(_: &Plan) -> Result<Ended> {
    component("clippy", "clippy")?;
    run_command(
        cargo()
            .args(["clippy", "--workspace", "--all-targets", "--locked"])
            .args(["--", "--deny", "warnings"]),
    )?;
    Ok(Ended::Passed("every target, no warnings".into()))
}

fn docs(plan: &Plan) -> Result<Ended> {
    if plan.quick {
        return Ok(Ended::Skipped(vec!["documentation: --quick".into()]));
    }
    let flags = env::var("RUSTDOCFLAGS").unwrap_or_default() + " --deny warnings";
    run_command(
        cargo()
            .args(["doc", "--workspace", "--no-deps", "--locked"])
            .env("RUSTDOCFLAGS", flags.trim()),
    )?;
    Ok(Ended::Passed("no warnings".into()))
}

/// Makes sure that a component of the toolchain is there, installing it where rustup can.
fn component(subcommand: &str, name: &str) -> Result<()> {
    if works(cargo().args([subcommand, "--version"])) {
        return Ok(());
    }
    run_command(program("rustup").args(["component", "add", name]))
        .with_context(|| format!("{name} is missing and rustup could not add it"))
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::{Ended, Row};

    fn row(ended: anyhow::Result<Ended>) -> String {
        Row { step: "tests", seconds: 1.25, ended }.to_string()
    }

    #[test]
    fn rows_say_what_happened() {
        assert_eq!(row(Ok(Ended::Passed(String::new()))), "tests    ok           1.2 s\n");
        assert_eq!(
            row(Ok(Ended::Skipped(vec!["a: why".into(), "b: why".into()]))),
            format!("tests    SKIPPED      1.2 s  a: why\n{:28} b: why\n", "")
        );
        assert_eq!(row(Err(anyhow!("two tests"))), "tests    FAILED       1.2 s  two tests\n");
    }
}

//! `cargo xtask fuzz`: runs the fuzz targets of the core one after another and says how many inputs
//! each has seen.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write, stderr},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::process::{cargo, line, root, run as run_command, scratch, works};

/// The package with the targets. Its corpora are kept in the repository, what crashes a target is
/// not.
const FOLDER: &str = "crates/waxwing-core/fuzz";

/// What `cargo xtask fuzz` can be told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How long each target runs
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Run this target only
    #[arg(long)]
    target: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut targets = targets()?;
    if let Some(only) = &args.target {
        if !targets.contains(only) {
            bail!("no target `{only}`; there are {}", targets.join(", "));
        }
        targets.retain(|target| target == only);
    }
    let tools = cargo_fuzz()?;

    let mut failed = Vec::new();
    let mut lines = Vec::new();
    for target in targets {
        println!("\n== {target}");
        let (passed, executions) = fuzz(&tools, &target, args.seconds)?;
        lines.push(format!(
            "{target:<24} {executions:>14} executions  {}",
            if passed { "ok" } else { "FAILED" }
        ));
        if !passed {
            failed.push(target);
        }
    }
    println!("\n{}", lines.join("\n"));
    if !failed.is_empty() {
        bail!("failed: {}; the inputs are under {FOLDER}/artifacts", failed.join(", "));
    }
    Ok(())
}

/// The names of the targets: the files in `fuzz_targets`.
fn targets() -> Result<Vec<String>> {
    let folder = root().join(FOLDER).join("fuzz_targets");
    let entries = fs::read_dir(&folder)
        .with_context(|| format!("no fuzz targets in {FOLDER}/fuzz_targets"))?;
    let mut targets = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs")
            && let Some(name) = path.file_stem().and_then(|name| name.to_str())
        {
            targets.push(name.to_owned());
        }
    }
    targets.sort();
    Ok(targets)
}

/// Finds cargo-fuzz, or installs it below the target folder; returns the folder to search for it
/// first.
fn cargo_fuzz() -> Result<PathBuf> {
    let tools = scratch()?.with_file_name("tools");
    let bin = tools.join("bin");
    if !works(with_path(cargo(), &bin)?.args(["fuzz", "--version"])) {
        println!("installing cargo-fuzz");
        run_command(cargo().args(["install", "cargo-fuzz", "--locked", "--root"]).arg(&tools))
            .context("cargo-fuzz is missing and could not be installed")?;
    }
    Ok(bin)
}

fn with_path(mut command: Command, first: &Path) -> Result<Command> {
    let old = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(std::iter::once(first.to_owned()).chain(env::split_paths(&old)))?;
    command.env("PATH", path);
    Ok(command)
}

/// Runs one target; whether it found nothing, and how many inputs it tried.
fn fuzz(tools: &Path, target: &str, seconds: u32) -> Result<(bool, u64)> {
    // What is found goes to a corpus of this checkout; the one in the repository is small and only
    // read.
    let found = scratch()?.join("fuzz").join(target);
    let seeds = root().join(FOLDER).join("corpus").join(target);
    for folder in [&found, &seeds] {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let mut command = with_path(cargo(), tools)?;
    command
        // Coverage instrumentation is unstable; this lets the stable compiler do it.
        .env("RUSTC_BOOTSTRAP", "1")
        // Address sanitising watches unsafe code, and there is none: without it targets run twice
        // as fast.
        .args(["fuzz", "run", "--sanitizer=none", "--fuzz-dir", FOLDER, target])
        .args([&found, &seeds])
        .arg("--")
        .args([&format!("-max_total_time={seconds}"), "-print_final_stats=1"])
        .stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot start {}", line(&command)))?;
    let mut executions = 0;
    if let Some(output) = child.stderr.take() {
        for text in BufReader::new(output).split(b'\n') {
            let text = text.context("cannot read the target's output")?;
            executions = counted(&String::from_utf8_lossy(&text)).unwrap_or(executions);
            let mut terminal = stderr().lock();
            terminal.write_all(&text)?;
            terminal.write_all(b"\n")?;
        }
    }
    let status = child.wait().context("the target cannot be waited for")?;
    Ok((status.success(), executions))
}

/// The number in libFuzzer's closing statistics, or in a line of its progress.
fn counted(line: &str) -> Option<u64> {
    if let Some(number) = line.strip_prefix("stat::number_of_executed_units:") {
        return number.trim().parse().ok();
    }
    let (number, rest) = line.strip_prefix('#')?.split_once(char::is_whitespace)?;
    rest.contains("cov:").then(|| number.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn executions_are_counted() {
        assert_eq!(counted("stat::number_of_executed_units: 123456"), Some(123_456));
        assert_eq!(
            counted("#2048\tpulse  cov: 70 ft: 80 corp: 9/12b exec/s: 1024 rss: 40Mb"),
            Some(2048)
        );
        assert_eq!(counted("INFO: seed corpus: files: 12"), None);
        assert_eq!(counted("#12 0x55d in main"), None);
    }
}

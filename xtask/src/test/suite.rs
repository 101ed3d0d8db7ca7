//! The step that runs every test of the workspace: it shows cargo's output as it comes, adds up the
//! results, and collects what tests say they skipped.

use std::{
    fs,
    io::{BufRead, BufReader, Write, stdout},
    process::Stdio,
};

use anyhow::{Context, Result, bail};

use super::{Ended, Plan, postgres, schemas};
use crate::process::{cargo, in_ci, line, scratch};

pub(super) fn run(plan: &Plan) -> Result<Ended> {
    // A test that cannot run appends `its name: the reason` to this file and returns.
    let skip_file = scratch()?.join("skipped.txt");
    fs::write(&skip_file, "").with_context(|| format!("cannot write {}", skip_file.display()))?;

    let mut command = cargo();
    command.args(["test", "--workspace", "--locked"]).env("WAXWING_SKIPPED", &skip_file);
    if !plan.fail_fast {
        command.arg("--no-fail-fast");
    }
    let mut skipped = Vec::new();
    match &plan.data {
        Some(folder) => _ = command.env("WAXWING_DATA", folder),
        None => skipped.push(
            "tests over published test data (JSONTestSuite, RFC 8785): set WAXWING_DATA to its folder"
                .to_owned(),
        ),
    }
    match schemas::folder() {
        Ok(folder) => _ = command.env("WAXWING_SCHEMA_SUITE", folder),
        // The test itself says that it was skipped.
        Err(error) if !in_ci() => println!("{error:#}"),
        Err(error) => return Err(error),
    }
    match postgres::ensure() {
        // The tests themselves say that they were skipped.
        Err(error) if !in_ci() => println!("{error:#}"),
        ensured => ensured?,
    }
    if plan.quick {
        command.env("WAXWING_QUICK", "1").env("PROPTEST_CASES", "32");
        skipped.push("long cases and kill tests: --quick".to_owned());
    } else {
        command.env_remove("WAXWING_QUICK");
    }

    command.stdout(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot start {}", line(&command)))?;
    let mut tally = Tally::default();
    if let Some(output) = child.stdout.take() {
        for text in BufReader::new(output).split(b'\n') {
            let text = text.context("cannot read cargo's output")?;
            tally.add(&String::from_utf8_lossy(&text));
            let mut terminal = stdout().lock();
            terminal.write_all(&text)?;
            terminal.write_all(b"\n")?;
        }
    }
    let status = child.wait().context("cargo test cannot be waited for")?;

    if !status.success() {
        bail!("{tally}; cargo test ended with {status}");
    }
    if tally.ignored > 0 {
        bail!("{tally}: a test runs or is deleted, it is not ignored");
    }
    if tally.passed == 0 {
        bail!("no test ran");
    }
    let said = fs::read_to_string(&skip_file).context("cannot read what tests skipped")?;
    skipped.extend(said.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned));
    if skipped.is_empty() {
        return Ok(Ended::Passed(tally.to_string()));
    }
    skipped.insert(0, tally.to_string());
    Ok(Ended::Skipped(skipped))
}

/// The sum of all `test result:` lines.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Tally {
    /// Adds one line of output, if it is a result line such as `test result: ok. 3 passed; 0
    /// failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s`.
    fn add(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else { return };
        let words: Vec<&str> =
            result.split([' ', ';', '.']).filter(|word| !word.is_empty()).collect();
        for pair in words.windows(2) {
            let [number, what] = pair else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match *what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} passed, {} failed, {} ignored", self.passed, self.failed, self.ignored)
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn result_lines_add_up() {
        let mut tally = Tally::default();
        for line in [
            "running 4 tests",
            "test a::b ... ok",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 5 filtered out; finished in 1.20s",
            "a test prints: test result: 9 passed",
        ] {
            tally.add(line);
        }
        assert_eq!(tally, Tally { passed: 4, failed: 2, ignored: 1 });
        assert_eq!(tally.to_string(), "4 passed, 2 failed, 1 ignored");
    }
}

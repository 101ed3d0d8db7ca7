//! `cargo xtask bench --check`: instructions on the hot path, which do not depend on how busy a
//! machine is, counted by valgrind's callgrind and compared with docs/instructions.toml.
//!
//! The example `hotpath` of the benches prints its cases, one a line, for `--list`, and runs a case
//! so many times for `CASE TIMES`. The difference between two runs is free of everything that
//! happens once.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, bail};

use super::{medians, report::markdown};
use crate::process::{capture, cargo, in_ci, program, root, run, scratch, works};

const FEW: u64 = 100;
const MANY: u64 = 1100;
/// By how much a count may grow, in percent.
const GROWTH: u64 = 5;

const HEADER: &str = "# Instructions for each case of the example `hotpath`, counted by `cargo xtask bench --check`.\n\
    # `cargo xtask bench --check --bless` takes new ones; say in the commit why they changed.\n\n";

pub(super) fn check(bless: bool) -> Result<()> {
    if !works(program("valgrind").arg("--version")) {
        if in_ci() || bless {
            bail!("valgrind is missing; `apt-get install valgrind` brings it");
        }
        println!("skipped: valgrind is missing, so instructions cannot be counted");
        return Ok(());
    }
    run(cargo().args([
        "build",
        "--release",
        "--locked",
        "--package",
        "waxwing-benches",
        "--example",
        "hotpath",
    ]))?;
    let target = medians::folder().with_file_name("release").join("examples/hotpath");
    let cases = capture(program(&target).arg("--list"))?;
    let mut counts = BTreeMap::new();
    for case in cases.lines() {
        let (few, many) = (count(&target, case, FEW)?, count(&target, case, MANY)?);
        let more =
            many.checked_sub(few).with_context(|| format!("{case}: fewer for more rounds"))?;
        counts.insert(case.to_owned(), more / (MANY - FEW));
    }

    let path = root().join("docs/instructions.toml");
    if bless {
        let text = HEADER.to_owned() + &toml::to_string(&counts)?;
        return fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()));
    }
    let text = fs::read_to_string(&path).context(
        "cannot read docs/instructions.toml; `cargo xtask bench --check --bless` makes it",
    )?;
    let held: BTreeMap<String, u64> =
        toml::from_str(&text).context("docs/instructions.toml is damaged")?;
    let compared = compare(&held, &counts);
    println!("{}", table(&compared));
    let bad: Vec<_> = compared.iter().filter(|row| !matches!(row.verdict, Verdict::Held)).collect();
    if !bad.is_empty() {
        let names: Vec<_> = bad.iter().map(|row| row.case.as_str()).collect();
        bail!(
            "not as docs/instructions.toml says: {}; look into it, or --bless it",
            names.join(", ")
        );
    }
    Ok(())
}

fn count(program_path: &Path, case: &str, times: u64) -> Result<u64> {
    let out = scratch()?.join("callgrind.out");
    let mut command = program("valgrind");
    command
        .args(["--quiet", "--tool=callgrind"])
        .arg(format!("--callgrind-out-file={}", out.display()));
    run(command.arg(program_path).args([case, &times.to_string()]))?;
    let text = fs::read_to_string(&out).context("callgrind wrote nothing")?;
    total(&text).with_context(|| format!("no total in what callgrind wrote for {case}"))
}

/// The `totals:` line of callgrind's file, `summary:` in older ones.
fn total(text: &str) -> Option<u64> {
    let after =
        |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok());
    after("totals:").or_else(|| after("summary:"))
}

#[derive(Debug, PartialEq, Eq)]
struct Row {
    case: String,
    held: Option<u64>,
    now: Option<u64>,
    verdict: Verdict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Held,
    Grew,
    New,
    Gone,
}

fn compare(held: &BTreeMap<String, u64>, now: &BTreeMap<String, u64>) -> Vec<Row> {
    let mut cases: Vec<_> = held.keys().chain(now.keys()).collect();
    cases.sort();
    cases.dedup();
    let row = |case: &String| {
        let (held, now) = (held.get(case).copied(), now.get(case).copied());
        let verdict = match (held, now) {
            (None, _) => Verdict::New,
            (_, None) => Verdict::Gone,
            (Some(held), Some(now)) if now * 100 > held * (100 + GROWTH) => Verdict::Grew,
            _ => Verdict::Held,
        };
        Row { case: case.clone(), held, now, verdict }
    };
    cases.into_iter().map(row).collect()
}

fn table(rows: &[Row]) -> String {
    let number =
        |count: Option<u64>| count.map_or_else(|| "-".to_owned(), |count| count.to_string());
    let rows = rows.iter().map(|row| {
        let word = match row.verdict {
            Verdict::Held => "ok",
            Verdict::Grew => "GREW",
            Verdict::New => "NEW",
            Verdict::Gone => "GONE",
        };
        [row.case.clone(), number(row.held), number(row.now), word.to_owned()]
    });
    markdown(["case", "held", "now", ""], &rows.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::{Verdict, compare, table, total};

    #[test]
    fn totals_are_found() {
        assert_eq!(total("version: 1\nevents: Ir\nfn=(1)\n1 2\n\ntotals: 123456\n"), Some(123_456));
        assert_eq!(total("summary: 77\n"), Some(77));
        assert_eq!(total("events: Ir\n"), None);
    }

    #[test]
    fn growth_beyond_five_percent_fires() {
        let counts = |pairs: &[(&str, u64)]| {
            pairs.iter().map(|(case, n)| ((*case).to_owned(), *n)).collect()
        };
        let held = counts(&[("a", 1000), ("b", 1000), ("c", 1000), ("d", 1000)]);
        let now = counts(&[("a", 1050), ("b", 1051), ("c", 10), ("e", 5)]);
        let rows = compare(&held, &now);
        let verdicts: Vec<_> = rows.iter().map(|row| row.verdict).collect();
        assert_eq!(
            verdicts,
            [Verdict::Held, Verdict::Grew, Verdict::Held, Verdict::Gone, Verdict::New]
        );
        assert!(table(&rows).contains("| b    | 1000 | 1051 | GREW |"), "{}", table(&rows));
    }
}

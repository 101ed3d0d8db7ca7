//! `cargo xtask vectors`: numbers as this project writes them against independent implementations
//! (Node's `JSON.stringify`, the Python package rfc8785) and against the published checksums; and the
//! files of docs/vectors.

mod files;

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};

use crate::process::{cargo, line, program, run as run_command, scratch, works};

/// What `cargo xtask vectors` can be told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only this part
    #[arg(long)]
    only: Option<Part>,
    /// Fail when a file of docs/vectors is not what is generated, instead of writing it
    #[arg(long)]
    check: bool,
    /// Seed of the random doubles; without it, the time of day
    #[arg(long)]
    seed: Option<u64>,
    /// How many random doubles to compare
    #[arg(long, default_value_t = 1_000_000)]
    doubles: u64,
    /// How many numbers of the published sequence to write and sum up: 1000 to 10000000, a power of
    /// ten
    #[arg(long, default_value_t = 10_000_000)]
    published: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// The spelling of numbers; takes minutes
    Numbers,
    /// The files of docs/vectors; takes seconds
    Files,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if args.only != Some(Part::Numbers) {
        println!("== the files of docs/vectors");
        files::run(if args.check { files::Stale::Refuse } else { files::Stale::Replace })?;
    }
    if args.only != Some(Part::Files) {
        run_numbers(args)?;
    }
    Ok(())
}

fn run_numbers(args: &Args) -> Result<()> {
    let folder = scratch()?.join("vectors");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;

    println!("== the published sequence, {} numbers", args.published);
    run_command(numbers(&["published", &args.published.to_string()]).stdout(Stdio::inherit()))?;

    let seed = match args.seed {
        Some(seed) => seed,
        None => SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(1, |now| u64::from(now.subsec_nanos()) + now.as_secs()),
    };
    println!("\n== {} random doubles, --seed {seed}", args.doubles);
    let input = folder.join("doubles.txt");
    write_doubles(&input, seed, args.doubles)?;

    let ours = spell(&mut numbers(&["spell"]), &input, &folder.join("waxwing.txt"))?;
    let oracle = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("src/vectors").join(name);
    let node = spell(program("node").arg(oracle("oracle.mjs")), &input, &folder.join("node.txt"))
        .context("Node is one of the two oracles")?;
    let python = spell(
        program(python(&folder)?).arg(oracle("oracle.py")),
        &input,
        &folder.join("python.txt"),
    )
    .context("Python is one of the two oracles")?;
    for (name, theirs) in [("Node", node), ("Python rfc8785", python)] {
        let compared =
            compare(&input, &ours, &theirs).with_context(|| format!("waxwing and {name}"))?;
        println!("{name}: {compared} numbers spelled alike");
        if compared != args.doubles {
            bail!("{name} stopped after {compared} numbers");
        }
    }
    Ok(())
}

/// The example that writes numbers with this project's own code.
fn numbers(arguments: &[&str]) -> Command {
    let mut command = cargo();
    command.args([
        "run",
        "--quiet",
        "--locked",
        "--package",
        "xtask",
        "--example",
        "numbers",
        "--",
    ]);
    command.args(arguments);
    command
}

/// A Python that has rfc8785, in an environment of its own below the target folder.
fn python(folder: &Path) -> Result<PathBuf> {
    let environment = folder.join("python");
    let python = environment.join("bin/python");
    if !works(program(&python).args(["-c", "import rfc8785"])) {
        println!("setting up a Python environment with rfc8785");
        run_command(program("python3").args(["-m", "venv"]).arg(&environment))
            .context("Python needs its module venv (Debian: apt-get install python3-venv)")?;
        run_command(program(&python).args(["-m", "pip", "install", "--quiet", "rfc8785==0.1.4"]))
            .context("the package rfc8785 could not be installed")?;
    }
    Ok(python)
}

/// Runs a program that reads bits and writes spellings, one a line.
fn spell(command: &mut Command, input: &Path, output: &Path) -> Result<PathBuf> {
    command.stdin(File::open(input)?).stdout(File::create(output)?);
    let status = command.status().with_context(|| format!("cannot start {}", line(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", line(command));
    }
    Ok(output.to_owned())
}

/// Compares two files line by line and returns how many lines there were; the first difference is
/// an error.
fn compare(bits: &Path, ours: &Path, theirs: &Path) -> Result<u64> {
    let lines = |path: &Path| -> Result<_> {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(BufReader::new(file).lines())
    };
    let mut compared = 0;
    for ((bits, ours), theirs) in lines(bits)?.zip(lines(ours)?).zip(lines(theirs)?) {
        let (bits, ours, theirs) = (bits?, ours?, theirs?);
        if ours != theirs {
            bail!("differ on the double with bits {bits}: {ours} and {theirs}");
        }
        compared += 1;
    }
    Ok(compared)
}

fn write_doubles(path: &Path, seed: u64, count: u64) -> Result<()> {
    let mut file = BufWriter::new(
        File::create(path).with_context(|| format!("cannot write {}", path.display()))?,
    );
    let mut random = XorShift::new(seed);
    for _ in 0..count {
        writeln!(file, "{:x}", random.double().to_bits())?;
    }
    file.flush().with_context(|| format!("cannot write {}", path.display()))
}

/// Marsaglia's xorshift64*: enough to choose test cases, and the same on every machine.
struct XorShift(u64);

impl XorShift {
    fn new(seed: u64) -> Self {
        // Zero would stay zero, and neighbouring seeds should not start alike.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).max(1))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A finite double: half of them any bits, a quarter of everyday size, a quarter short
    /// decimals.
    fn double(&mut self) -> f64 {
        loop {
            let bits = self.next();
            let double = match self.next() >> 62 {
                0 | 1 => f64::from_bits(bits),
                2 => f64::from_bits(
                    (bits & 0x800f_ffff_ffff_ffff) | ((1023 - 40 + (self.next() >> 57)) << 52),
                ),
                _ => {
                    let digits = u32::try_from(bits >> 44).unwrap_or(0);
                    let places = i32::try_from(self.next() >> 60).unwrap_or(0);
                    f64::from(digits) / 10_f64.powi(places)
                }
            };
            if double.is_finite() {
                return double;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{XorShift, compare, write_doubles};
    use crate::process::scratch;

    #[test]
    fn random_doubles_are_finite_various_and_repeatable() {
        let draw = |seed| {
            let mut random = XorShift::new(seed);
            (0..10_000).map(|_| random.double()).collect::<Vec<_>>()
        };
        let doubles = draw(7);
        assert_eq!(doubles, draw(7));
        assert_ne!(doubles, draw(8));
        assert_eq!(draw(0).len(), 10_000);
        for property in [
            |d: &f64| d.abs() > 1e200,
            |d: &f64| d.abs() < 1e-200,
            |d: &f64| d.fract() == 0.0 && *d < 1e9,
            |d: &f64| *d < 0.0,
        ] {
            assert!(doubles.iter().filter(|double| property(double)).count() > 100);
        }
    }

    #[test]
    fn a_difference_is_an_error() {
        let path = |name: &str| scratch().unwrap().join(name);
        write_doubles(&path("compare-bits"), 1, 2).unwrap();
        fs::write(path("compare-a"), "1\n2\n").unwrap();
        fs::write(path("compare-b"), "1\n3\n").unwrap();
        assert_eq!(
            compare(&path("compare-bits"), &path("compare-a"), &path("compare-a")).unwrap(),
            2
        );
        let error =
            compare(&path("compare-bits"), &path("compare-a"), &path("compare-b")).unwrap_err();
        assert!(error.to_string().ends_with(": 2 and 3"), "{error}");
    }
}

//! The project's own commands: `cargo xtask test` and its parts. Continuous integration, the README
//! and contributors call these and nothing else.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the terminal is where a command answers"
)]

mod bench;
mod fuzz;
mod process;
mod test;
mod tidy;
mod timing;
mod vectors;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_version_flag = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check everything: formatting, tidiness, clippy, documentation and every test
    Test(test::Args),
    /// Check what no compiler checks: crate edges, file headers, lint reasons, sizes, licences
    Tidy,
    /// Run the benches and print their ratios to rivals
    Bench(bench::Args),
    /// Run the fuzz targets and print how many inputs each has seen
    Fuzz(fuzz::Args),
    /// Time verdicts and say whether their time tells anything
    Timing(timing::Args),
    /// Compare numbers with independent implementations, and write and check docs/vectors
    Vectors(vectors::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Test(args) => test::run(&args),
        Command::Tidy => tidy::run(),
        Command::Bench(args) => bench::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Timing(args) => timing::run(&args),
        Command::Vectors(args) => vectors::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::Cli;

    #[test]
    fn command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn unknown_flags_are_errors() {
        for line in [&["test", "--fast"][..], &["tidy", "--fix"], &["fuzz", "--seconds", "x"], &[]]
        {
            assert!(Cli::try_parse_from([&["xtask"], line].concat()).is_err(), "{line:?}");
        }
        assert!(Cli::try_parse_from(["xtask", "test", "--quick"]).is_ok());
    }
}

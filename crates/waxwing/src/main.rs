//! The command line of Waxwing: reads what was asked for, does it, and says by its exit code how it went.

mod age;
mod arguments;
mod assembly;
mod audit;
mod cli;
mod command;
mod config;
mod demo_tools;
mod exit;
mod keyring_watch;
mod output;
mod progress;
mod questions;
mod signals;
mod store;
mod table;
mod terminal;
mod worker;

use std::process::ExitCode;

use clap::Parser as _;

use exit::Exit;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(asked_for_help) if !asked_for_help.use_stderr() => {
            // Nobody is left to tell when the text cannot be written.
            let _ = asked_for_help.print();
            return ExitCode::SUCCESS;
        }
        Err(misuse) => {
            let _ = misuse.print();
            return Exit::Usage.into();
        }
    };
    match command::run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            terminal::report(&failure);
            failure.exit.into()
        }
    }
}

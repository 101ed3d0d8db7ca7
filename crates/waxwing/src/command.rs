//! The commands, one file each.

mod answer;
mod audit;
mod call;
mod cancel;
mod check;
mod demo;
mod describe;
mod init;
mod jobs;
mod keygen;
mod keys;
mod list;
mod pin;
mod poll;
mod serve;
mod watch;

use std::future::Future;

use crate::cli::Command;
use crate::exit::Failure;

/// Does what was asked for.
pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Init(args) => init::run(&args),
        Command::Keygen(args) => keygen::run(args),
        Command::Audit(args) => audit::run(args),
        Command::Keys(args) => keys::run(args.command),
        Command::Serve(args) => block_on(serve::run(args)),
        Command::List(args) => block_on(list::run(args)),
        Command::Describe(args) => block_on(describe::run(args)),
        Command::Check(args) => check::run(&args),
        Command::Call(args) => block_on(call::run(args)),
        Command::Pin(args) => block_on(pin::run(args)),
        Command::Poll(args) => block_on(poll::run(args)),
        Command::Watch(args) => block_on(watch::run(args)),
        Command::Answer(args) => block_on(answer::run(args)),
        Command::Cancel(args) => block_on(cancel::run(args)),
        Command::Jobs(args) => block_on(jobs::run(args.command)),
        Command::Demo => block_on(demo::run()),
    }
}

fn block_on(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::usage(format!("no threads to run on: {error}")))?;
    let ended = runtime.block_on(command);
    // A worker that hangs in a tool does not keep the process.
    runtime.shutdown_background();
    ended
}

//! The words of `waxwing jobs`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use waxwing_core::{ClientId, JobId, ToolName};
use waxwing_jobs::state::StageName;

use crate::age::Age;

pub(super) const ABOUT: &str = "\
These commands open the store that the configuration names, beside the servers that use it. They are the
operator's: they see every client's jobs, though of what a job was given and gave only what is asked for
with --show-input and --show-output. They make no store and change none of another version: a server
does that at its start, and it cannot be undone.

retry, cancel and purge take jobs by name and do it at once. Given filters instead, or --all, they say
what they would do, and do it with --yes:

  waxwing jobs list --state failed --older-than 1h
  waxwing jobs retry --tool long_task --yes
  waxwing jobs purge --state completed --older-than 1d --yes";

#[derive(Args, Debug)]
pub(crate) struct JobsArgs {
    #[command(subcommand)]
    pub(crate) command: JobsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum JobsCommand {
    /// List jobs, oldest first
    List(JobsListArgs),
    /// Show all there is to know of a job
    Show(JobsShowArgs),
    /// Have failed jobs tried again, with all their attempts and their lifetime anew
    Retry(JobsActArgs),
    /// Stop jobs that have not ended; those at work are told with their next heartbeat
    Cancel(JobsCancelArgs),
    /// Delete jobs that have ended
    Purge(JobsActArgs),
}

/// Whose jobs.
#[derive(Args, Debug)]
pub(crate) struct StoreArgs {
    /// The server's configuration
    #[arg(long, value_name = "FILE", default_value = "waxwing.toml")]
    pub(crate) config: PathBuf,
    /// Print JSON, on a terminal too
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which jobs.
#[derive(Args, Debug)]
pub(crate) struct FilterArgs {
    /// In these states only
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    pub(crate) state: Vec<State>,
    /// Of this tool only
    #[arg(long, value_name = "TOOL")]
    pub(crate) tool: Option<ToolName<'static>>,
    /// Of this client only
    #[arg(long, value_name = "ID")]
    pub(crate) client: Option<ClientId<'static>>,
    /// Started at least so long ago, such as 90s, 15m, 1h or 2d
    #[arg(long, value_name = "AGE")]
    pub(crate) older_than: Option<Age>,
    /// At most so many, the oldest first (list: 100; else all)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: Option<u32>,
}

#[derive(Args, Debug)]
pub(crate) struct JobsListArgs {
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Args, Debug)]
pub(crate) struct JobsShowArgs {
    #[arg(value_name = "JOB")]
    pub(crate) job: JobId<'static>,
    /// Show what the job was given and what it asks; it may be secret
    #[arg(long)]
    pub(crate) show_input: bool,
    /// Show what the job gave, and the details of its failures; it may be secret
    #[arg(long)]
    pub(crate) show_output: bool,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Args, Debug)]
pub(crate) struct JobsActArgs {
    /// These jobs
    #[arg(value_name = "JOB")]
    pub(crate) jobs: Vec<JobId<'static>>,
    /// All jobs that it can be done to
    #[arg(long)]
    pub(crate) all: bool,
    /// Do it to the jobs that the filters find
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Args, Debug)]
pub(crate) struct JobsCancelArgs {
    /// Why, for whoever asks about the job later
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) act: JobsActArgs,
}

/// A job's state, as operators spell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum State {
    Queued,
    Running,
    Parked,
    Completed,
    Failed,
    Cancelled,
}

impl From<State> for StageName {
    fn from(state: State) -> Self {
        match state {
            State::Queued => Self::Queued,
            State::Running => Self::Running,
            State::Parked => Self::Parked,
            State::Completed => Self::Completed,
            State::Failed => Self::Failed,
            State::Cancelled => Self::Cancelled,
        }
    }
}

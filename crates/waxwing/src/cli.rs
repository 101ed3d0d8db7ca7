//! The words of the command line. What they do is in `command`, one file each.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use waxwing_core::{ClientId, IdempotencyKey, JobId, KeyId, ToolName};

const EXIT_CODES: &str = "\
Results go to stdout as one JSON document; everything else goes to stderr.

Exit codes:
  0  ok
  1  usage or configuration
  3  not authenticated or not allowed, in either direction
  4  unreachable or overloaded
  5  the tool or job failed, or its arguments were refused";

const KEY_VALUE: &str = "\
Arguments are given as key=value, as a JSON object with --args, or both; a key given twice is an
error. The value of key=value is taken as JSON when it is JSON, and as a string otherwise:

  waxwing call batch_sum numbers=[1,2.5]      {\"numbers\":[1,2.5]}
  waxwing call greet name=Ada                 {\"name\":\"Ada\"}
  waxwing call greet name='\"42\"'              {\"name\":\"42\"}, a string
  waxwing call greet --args @request.json     from a file
  echo '{\"name\":\"Ada\"}' | waxwing call greet --args -";

const CONFIGURATION: &str = "\
The configuration is TOML; an unknown key is an error. Durations are in milliseconds, sizes in bytes,
paths relative to the file.

  listen          where calls are taken, such as \"127.0.0.1:7411\"
  admin_listen    where health is told: /livez, /readyz (a free loopback port)
  server_id       the audience that clients name
  keyring         the keyring.toml with the clients' keys, mode 0600
  store           where jobs are kept: \"sqlite:PATH\", or \"memory:\" to lose them with the process
  hosts           what Host may say (the listener's own names)
  origins         which web pages may call (none)
  [limits]        max_message (1048576), max_depth (64), connections (1024), nonces (1000000),
                  nonces_per_key (250000)
  [window]        past_ms (120000), future_ms (30000)
  [jobs]          concurrency (64), lease_ms (30000), sweep_ms (5000), ttl_ms (3600000),
                  max_attempts (3), drain_ms (30000)
  [tools]         demo (false): batch_sum and long_task

SIGTERM or SIGINT stops the server: calls and jobs are given drain_ms to end, and a second signal stops
it at once. Jobs that have not ended go on at the next start.";

/// Signed, validated, durable tool calls.
#[derive(Debug, Parser)]
#[command(name = "waxwing", version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write waxwing.toml, keyring.toml and client.toml with a fresh key
    Init(InitArgs),
    /// Run a server
    #[command(after_help = CONFIGURATION)]
    Serve(ServeArgs),
    /// List the server's tools
    List(ListArgs),
    /// Call a tool
    #[command(after_help = KEY_VALUE)]
    Call(CallArgs),
    /// Show how a job stands
    Poll(PollArgs),
    /// Wait for a job, show its progress, and print its output
    Watch(WatchArgs),
    /// Ask for a job to be cancelled
    Cancel(CancelArgs),
    /// Make a key for a client
    Keygen(KeygenArgs),
    /// Show what Waxwing does: a server, forgeries, a job that survives kill -9
    Demo,
}

#[derive(Args, Debug)]
pub(crate) struct InitArgs {
    /// Where to write the files
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct ServeArgs {
    /// The server's configuration
    #[arg(long, value_name = "FILE", default_value = "waxwing.toml")]
    pub(crate) config: PathBuf,
    /// Where to listen, instead of what the configuration says; port 0 picks a free one
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// What to log on stderr
    #[arg(long, value_name = "LEVEL", env = "WAXWING_LOG", default_value = "info")]
    pub(crate) log: LogLevel,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum LogLevel {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// Whom to call, and as whom.
#[derive(Args, Debug)]
pub(crate) struct ProfileArgs {
    /// The client's profile
    #[arg(long, value_name = "FILE", env = "WAXWING_PROFILE", default_value = "client.toml")]
    pub(crate) profile: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) profile: ProfileArgs,
}

#[derive(Args, Debug)]
pub(crate) struct CallArgs {
    /// The tool's name
    #[arg(value_name = "TOOL")]
    pub(crate) tool: ToolName<'static>,
    /// Arguments; the value is JSON when it is JSON, and a string otherwise
    #[arg(value_name = "KEY=VALUE")]
    pub(crate) pairs: Vec<String>,
    /// Arguments as one JSON object, from a file with @FILE, from stdin with -
    #[arg(long, value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    pub(crate) args: Option<String>,
    /// If the tool runs as a job, wait for it and print its output
    #[arg(long)]
    pub(crate) wait: bool,
    /// Makes this call and every other with the same key one call: safe to send again
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<IdempotencyKey<'static>>,
    #[command(flatten)]
    pub(crate) profile: ProfileArgs,
}

#[derive(Args, Debug)]
pub(crate) struct PollArgs {
    #[arg(value_name = "JOB")]
    pub(crate) job: JobId<'static>,
    /// Answer as soon as the job changes, or after so many milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=30_000))]
    pub(crate) wait_ms: u64,
    #[command(flatten)]
    pub(crate) profile: ProfileArgs,
}

#[derive(Args, Debug)]
pub(crate) struct WatchArgs {
    #[arg(value_name = "JOB")]
    pub(crate) job: JobId<'static>,
    #[command(flatten)]
    pub(crate) profile: ProfileArgs,
}

#[derive(Args, Debug)]
pub(crate) struct CancelArgs {
    #[arg(value_name = "JOB")]
    pub(crate) job: JobId<'static>,
    /// Why, for whoever asks about the job later
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) profile: ProfileArgs,
}

#[derive(Args, Debug)]
pub(crate) struct KeygenArgs {
    /// The client that will sign with the key
    #[arg(long, value_name = "ID")]
    pub(crate) client: ClientId<'static>,
    /// The key's name
    #[arg(long, value_name = "ID", default_value = "k1")]
    pub(crate) key_id: KeyId<'static>,
    /// Add the key to this keyring.toml as well
    #[arg(long, value_name = "FILE")]
    pub(crate) keyring: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_fit_together() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}

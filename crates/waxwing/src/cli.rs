//! The words of the command line. What they do is in `command`, one file each.

mod audit;
mod jobs;
mod keys;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use waxwing_core::{IdempotencyKey, JobId, ToolName};

pub(crate) use audit::{AuditArgs, AuditCommand, AuditDigestArgs, AuditVerifyArgs, PinArgs};
pub(crate) use jobs::{
    FilterArgs, JobsActArgs, JobsArgs, JobsCommand, JobsListArgs, JobsShowArgs, StoreArgs,
};
pub(crate) use keys::{
    KeygenArgs, KeysAddArgs, KeysArgs, KeysCommand, KeysListArgs, KeysRevokeArgs, KeysRotateArgs,
};

use crate::config::Algorithm;

const EXIT_CODES: &str = "\
Results go to stdout as one JSON document; everything else goes to stderr.

Exit codes:
  0  ok
  1  usage or configuration
  3  not authenticated or not allowed, in either direction
  4  unreachable or overloaded, the server or the store; or a call with an idempotency key is still at
     work: send it again
  5  the tool or job failed, or its arguments were refused
  6  the job waits for answers: waxwing answer JOB key=value";

const KEY_VALUE: &str = "\
Arguments are given as key=value, as a JSON object with --args, or both; a key given twice is an
error. The value of key=value is taken as JSON when it is JSON, and as a string otherwise:

  waxwing call batch_sum numbers=[1,2.5]      {\"numbers\":[1,2.5]}
  waxwing call greet name=Ada                 {\"name\":\"Ada\"}
  waxwing call greet name='\"42\"'              {\"name\":\"42\"}, a string
  waxwing call greet --args @request.json     from a file
  echo '{\"name\":\"Ada\"}' | waxwing call greet --args -";

const CONFIGURATION: &str = "\
The configuration is TOML; an unknown key is an error, and all errors are told at once. Durations are in milliseconds, sizes in bytes,
paths relative to the file.

  listen          where calls are taken, such as \"127.0.0.1:7411\"
  admin_listen    where health is told: /livez, /readyz, /metrics (a free loopback port)
  server_id       the audience that clients name
  keyring         the keyring.toml with the clients' keys, mode 0600
  signing_key     the server.key with the server's own key, mode 0600; for clients with ed25519 keys
  store           where jobs are kept: \"sqlite:PATH\" on one machine,
                  \"postgres://USER@HOST/DATABASE\" (15 or newer) for many, or \"memory:\" to lose
                  them with the process. After a ? the latter takes schema (waxwing), sslmode
                  (verify-full; disable on this machine), sslrootcert, password_file, pooled (false:
                  true behind a pooler in transaction mode), connections (8). With a password in it
                  this file must have mode 0600
  hosts           what Host may say (the listener's own names)
  origins         which web pages may call (none)
  [limits]        max_message (1048576), max_depth (64), connections (1024), nonces (1000000; in the
                  store 2000000), nonces_per_key (250000; in the store 500000)
  [window]        past_ms (120000), future_ms (30000)
  [replay]        guard (\"auto\"): where nonces are kept. \"store\" is for several processes over one
                  store, \"memory\" forgets with the process; auto is as the store asks for: in the
                  store over PostgreSQL, in memory over a file of SQLite, so that servers which share
                  a file must say \"store\"
  [jobs]          concurrency (64), lease_ms (30000), sweep_ms (5000), max_attempts (3),
                  drain_ms (30000), ttl_ms (3600000): how long a job can be asked about;
                  idempotency_ttl_ms (86400000): how long an idempotency key stands, and so the least
                  that a job with one is kept; sync_wait_ms (50000): how long a call with a key
                  waits for its outcome, less than its client does; unfinished (100000) and
                  unfinished_per_client (10000): the most jobs that have not ended, in all and of
                  one client
  [audit]         file: the audit log, none without; key (FILE.key, made if missing),
                  when_slow (\"wait\", or \"refuse\"), slow_ms (1000), rotate_bytes (67108864)
  [tools]         demo (false): batch_sum, long_task and transfer
  [authorisation] default (\"allow\"): what holds for clients that no [[allow]] names; or \"deny\"
  [[allow]]       client, tools (names, or beginnings such as \"files_*\"), and perhaps args, a JSON
                  Schema that the arguments must also meet. A client that is named may call what its
                  rules allow, and nothing else
  [[tool]]        a program as a tool, one table each: name, description, command, input_schema and
                  output_schema (or .._schema_file), mode (\"sync\", or \"job\"), title, annotations,
                  timeout_ms (30000, jobs: none), concurrency (64), queue (256), grace_ms (2000),
                  max_args_bytes (1048576), max_output_bytes (983040), working_directory,
                  environment { pass, set }, retry { exit_codes, signal }, stderr_lines (100),
                  stderr_tail_bytes (2048). Arguments come as JSON on stdin, one JSON value goes
                  to stdout, and no shell is involved: docs/command-tools.md

SIGHUP makes the server read the keyring again; it also does so by itself, about a second after the file
has changed. A file that is wrong changes nothing and is told of in the log.

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
    /// List the server's tools that this client may call
    List(ListArgs),
    /// Show what a tool does, takes and gives
    Describe(DescribeArgs),
    /// Look over a server's configuration, its keys, tools and rules, and tell all that is wrong
    Check(CheckArgs),
    /// Call a tool
    #[command(after_help = KEY_VALUE)]
    Call(CallArgs),
    /// Pin the tools that you have looked at, so that a changed one is not called
    #[command(after_help = audit::PIN)]
    Pin(PinArgs),
    /// Show how a job stands
    Poll(PollArgs),
    /// Wait for a job, show its progress, and print its output
    Watch(WatchArgs),
    /// Give a job what it asks for
    #[command(after_help = KEY_VALUE)]
    Answer(AnswerArgs),
    /// Ask for a job to be cancelled
    Cancel(CancelArgs),
    /// List, show, retry, cancel and purge the jobs of a server's store
    #[command(after_help = jobs::ABOUT)]
    Jobs(JobsArgs),
    /// Make a key for a client, or the server's own
    #[command(after_help = keys::KEYGEN)]
    Keygen(KeygenArgs),
    /// List, rotate and revoke the keys of a keyring.toml
    Keys(KeysArgs),
    /// Check a server's audit log
    Audit(AuditArgs),
    /// Show what Waxwing does: a server, forgeries, a job that survives kill -9
    Demo,
}

#[derive(Args, Debug)]
pub(crate) struct InitArgs {
    /// Where to write the files
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// What the client and the server sign with
    #[arg(long, value_name = "ALGORITHM", default_value = "hmac-sha256")]
    pub(crate) algorithm: Algorithm,
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
    /// Print JSON, on a terminal too
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) profile: ProfileArgs,
}

#[derive(Args, Debug)]
pub(crate) struct DescribeArgs {
    /// The tool's name
    #[arg(value_name = "TOOL")]
    pub(crate) tool: ToolName<'static>,
    /// Print the definition as JSON, on a terminal too
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) profile: ProfileArgs,
}

#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    /// The server's configuration
    #[arg(long, value_name = "FILE", default_value = "waxwing.toml")]
    pub(crate) config: PathBuf,
    /// Print JSON, on a terminal too
    #[arg(long)]
    pub(crate) json: bool,
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
pub(crate) struct AnswerArgs {
    #[arg(value_name = "JOB")]
    pub(crate) job: JobId<'static>,
    /// Answers by the keys of the questions; the value is JSON when it is JSON, and a string otherwise
    #[arg(value_name = "KEY=VALUE")]
    pub(crate) pairs: Vec<String>,
    /// Answers as one JSON object, from a file with @FILE, from stdin with -
    #[arg(long, value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    pub(crate) args: Option<String>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_fit_together() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}

//! The words of `waxwing audit` and `waxwing pin`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use waxwing_core::ToolName;

use super::ProfileArgs;

pub(super) const VERIFY: &str = "\
Give all files of the log in the order in which they were written, the one that grows last:

  waxwing audit verify audit.jsonl.1 audit.jsonl.2 audit.jsonl

The log is whole when the exit code is 0. Lines that were cut off at the very end are missed only by
whoever knows of them: keep the `anchor` that this prints somewhere else and give it the next time.";

pub(super) const PIN: &str = "\
Without TOOL, pins every tool that the server lists. A call of a pinned tool carries the digest of its
definition, and the server refuses it with tool_changed once the definition is another one. With
require_pins = true in the profile, tools without a pin are not called at all.";

#[derive(Args, Debug)]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    pub(crate) command: AuditCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Find the first line of an audit log that was changed, dropped or reordered
    #[command(after_help = VERIFY)]
    Verify(AuditVerifyArgs),
    /// Show the digest under which the log has arguments or a result, from JSON on stdin
    Digest(AuditDigestArgs),
}

#[derive(Args, Debug)]
pub(crate) struct AuditVerifyArgs {
    /// The log's files, oldest first
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// The log's key; without it, FILE's own .key if that is there
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// A line that must be there, as an earlier run printed it
    #[arg(long, value_name = "SEQ:SHA256")]
    pub(crate) anchor: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct AuditDigestArgs {
    /// The log's key
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Of a result, not of arguments
    #[arg(long)]
    pub(crate) result: bool,
}

#[derive(Args, Debug)]
pub(crate) struct PinArgs {
    /// The tools to pin; all without
    #[arg(value_name = "TOOL")]
    pub(crate) tools: Vec<ToolName<'static>>,
    /// Change nothing; fail if a pinned tool has changed or is gone
    #[arg(long)]
    pub(crate) check: bool,
    #[command(flatten)]
    pub(crate) profile: ProfileArgs,
}

//! From how a program ended to what its caller is told.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use serde::Serialize;
use waxwing_tools::{Retry, ToolError};

use crate::stderr::Journal;
use crate::tool::RetryRule;

/// What the caller's program may read of a failure (wire.md §8, `details`).
#[derive(Debug, Serialize)]
struct Details {
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<i32>,
    #[serde(skip_serializing_if = "String::is_empty")]
    stderr_tail: String,
}

/// Nothing when the program ended well, which is exit code 0.
///
/// # Errors
/// The failure, transient where `rule` says so.
pub(crate) fn judge(
    tool: &str,
    status: ExitStatus,
    journal: &Journal,
    rule: &RetryRule,
) -> Result<(), ToolError> {
    if status.success() {
        return Ok(());
    }
    let (how, retry) = match (status.code(), status.signal()) {
        (Some(code), _) => (format!("failed with exit code {code}"), rule.of_exit_code(code)),
        (None, Some(signal)) => (format!("was ended by {}", spelt(signal)), rule.signal),
        (None, None) => ("ended in an unknown way".to_owned(), Retry::Never),
    };
    tracing::warn!(tool, how, "a program failed");
    let message = match journal.last_line() {
        Some(said) => format!("{tool} {how}: {said}"),
        None => format!("{tool} {how}."),
    };
    let details =
        Details { exit_code: status.code(), signal: status.signal(), stderr_tail: journal.tail() };
    let error = || match retry {
        Retry::Later => ToolError::transient(message.clone()),
        Retry::Never => ToolError::new(message.clone()),
    };
    Err(error().with_details(&details).unwrap_or_else(|_| error()))
}

fn spelt(signal: i32) -> String {
    let name = match signal {
        2 => "SIGINT",
        4 => "SIGILL",
        6 => "SIGABRT",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        _ => return format!("signal {signal}"),
    };
    format!("signal {signal} ({name})")
}

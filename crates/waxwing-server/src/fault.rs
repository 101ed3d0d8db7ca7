//! Why an admitted call has no result, by blame, and the one map from there to the wire.

use std::error::Error as _;

use serde_json::json;
use waxwing_core::{CallError, CanonicalJson, ErrorCode, JobId, ToolDigest, ToolName, WriteError};
use waxwing_jobs::StoreError;
use waxwing_tools::{CallFailure, OutputFault, Violation, Violations};

use crate::output::Misfit;

/// What a peer is told to wait when there is no room for its job, in milliseconds.
const RETRY_AFTER_MS: u64 = 1_000;

/// Why an admitted call has no result. Its `Display` is for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallFault {
    /// The caller's fault: it may not use this tool.
    #[error("{tool} is not allowed to this client")]
    Forbidden {
        /// The tool.
        tool: ToolName<'static>,
    },
    /// The caller's fault: it may not use this tool with these arguments, which its `Display` does not
    /// repeat.
    #[error("{tool} is not allowed to this client with these arguments")]
    ForbiddenArgs {
        /// The tool.
        tool: ToolName<'static>,
        /// Everything that goes beyond.
        violations: Violations,
    },
    /// The caller's knowledge is old: the tool is not the one it pinned.
    #[error("{tool} is not the pinned one")]
    ToolChanged {
        /// The tool.
        tool: ToolName<'static>,
        /// Its digest now; reserved tools have none.
        digest: Option<ToolDigest<'static>>,
    },
    /// The caller's fault: its idempotency key stands for another call.
    #[error("the idempotency key stands for another call")]
    Conflict,
    /// The caller's fault: the store has seen the nonce, from another replica or an earlier life.
    #[error("the nonce was seen before")]
    Replayed,
    /// The caller's fault: no such job for this client.
    #[error("no such job for this client")]
    UnknownJob,
    /// The caller's fault: its idempotency key stands for a job that is gone.
    #[error("the idempotency key has outlived job {id}")]
    Outlived {
        /// The job that was.
        id: JobId<'static>,
    },
    /// No room for the job; nothing was stored.
    #[error("too many unfinished jobs {whose}")]
    TooManyJobs {
        /// Which bound: completes "unfinished jobs".
        whose: &'static str,
    },
    /// No room for the nonce; nothing was stored.
    #[error("too many nonces within the clock window")]
    TooManyCalls,
    /// The first call with this idempotency key has not ended in the time a call waits for it.
    #[error("the first call with this idempotency key still runs")]
    StillRunning,
    /// The first call with this idempotency key was stopped by an operator.
    #[error("the first call with this idempotency key was stopped")]
    Stopped,
    /// The server died while it ran the first call with this idempotency key.
    #[error("the server stopped during the first call with this idempotency key")]
    Interrupted,
    /// The failure that the first call with this idempotency key was told.
    #[error("the first call with this idempotency key failed: {0}")]
    Told(CallError),
    /// The tool's or its caller's fault.
    #[error("{}", chain(.0))]
    Tool(CallFailure),
    /// The tool's fault: no reply has room for its output.
    #[error("the output of {tool} is {misfit}")]
    Unfit {
        /// The tool.
        tool: String,
        /// In what it does not fit.
        misfit: Misfit,
    },
    /// The tool's fault: no reply has room for what it asks.
    #[error("what {tool} asks is {misfit}")]
    Unaskable {
        /// The tool.
        tool: String,
        /// In what it does not fit.
        misfit: Misfit,
    },
    /// The caller's fault: answers that the job did not ask for, or not so. Its `Display` says no
    /// more, since an answer may be secret.
    #[error("invalid answers to a job")]
    InvalidAnswers(Vec<Violation>),
    /// The outside world's: the store, asked to start a job or to show one that was just started.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The outside world's: the store could not be read, and nothing else was tried.
    #[error("{0}")]
    Unread(StoreError),
    /// The outside world's: the store, asked to change a job.
    #[error("{0}")]
    Unchanged(StoreError),
    /// The outside world's: a job was changed, and the store could not be read after that.
    #[error("{0}")]
    Unshown(StoreError),
    /// The tool's fault: a value of it has no canonical form.
    #[error("a value has no canonical form: {0}")]
    Unwritable(#[from] WriteError),
    /// A bug of ours.
    #[error("a bug: {0}")]
    Bug(&'static str),
}

impl From<CallFailure> for CallFault {
    fn from(failure: CallFailure) -> Self {
        match failure {
            CallFailure::InvalidOutput { tool, fault: OutputFault::TooLarge { limit, .. } } => {
                Self::Unfit { tool, misfit: Misfit::TooLarge { limit } }
            }
            other => Self::Tool(other),
        }
    }
}

impl CallFault {
    /// Whether a tool told of an error behind its own, which only the log may say.
    pub(crate) fn has_hidden_source(&self) -> bool {
        matches!(self, Self::Tool(CallFailure::Failed { source, .. }) if source.source().is_some())
    }

    /// What the caller is told: the one map to wire.md §8.
    pub(crate) fn to_call_error(&self, correlation_id: &str) -> CallError {
        match self {
            Self::Forbidden { tool } => CallError::new(
                ErrorCode::Forbidden,
                format!("You may not use {tool}. Call list_tools for the tools you may use."),
            ),
            Self::ForbiddenArgs { tool, violations } => forbidden_args(tool, violations),
            Self::ToolChanged { tool, digest } => tool_changed(tool, digest.as_ref()),
            Self::Conflict => CallError::new(
                ErrorCode::Conflict,
                "This idempotency key was used for another tool or other arguments. Repeat the \
                 call exactly, or use a new key.",
            ),
            Self::Replayed => CallError::new(
                ErrorCode::Replayed,
                "This nonce was used before. Send a new message with a new nonce and time.",
            ),
            Self::UnknownJob => CallError::new(
                ErrorCode::UnknownJob,
                "There is no such job of yours: it never was, or its time is over.",
            ),
            Self::Outlived { id } => CallError::new(
                ErrorCode::UnknownJob,
                format!(
                    "This idempotency key stands for job {id}, whose time is over. Use a new key \
                     to run the call again."
                ),
            ),
            Self::TooManyJobs { whose } => overloaded(format!(
                "There are too many unfinished jobs {whose}. Nothing was stored; send the call \
                 again later, or cancel a job."
            )),
            Self::TooManyCalls => overloaded(
                "There were too many calls within the clock window. Nothing was stored; send the \
                 call again later."
                    .to_owned(),
            ),
            Self::StillRunning => CallError::new(
                ErrorCode::Timeout,
                "The call still runs. Send it again with the same idempotency key to get its \
                 outcome.",
            )
            .with_retry_after_ms(RETRY_AFTER_MS),
            Self::Stopped => CallError::new(
                ErrorCode::ToolFailed,
                "The call with this idempotency key was stopped before it had a result.",
            ),
            Self::Interrupted => internal(
                "The server stopped during the call with this idempotency key; whether it had its \
                 effect is unknown. Use a new key to run it again.",
                correlation_id,
            ),
            Self::Told(error) => error.clone(),
            Self::Tool(failure) => failure.to_call_error(correlation_id),
            Self::Unfit { tool, misfit } => unfit(tool, *misfit, correlation_id),
            Self::Unaskable { tool, misfit } => {
                let text = format!(
                    "{tool} asks for input in words that are {misfit}, more than a reply has room for."
                );
                ours(ErrorCode::InvalidOutput, &text, correlation_id)
            }
            Self::InvalidAnswers(violations) => invalid_answers(violations),
            Self::Store(_) | Self::Unread(_) | Self::Unchanged(_) | Self::Unshown(_) => {
                self.of_store(correlation_id)
            }
            Self::Unwritable(_) | Self::Bug(_) => {
                internal("The server met a fault of its own.", correlation_id)
            }
        }
    }

    /// What the caller is told when the store fails: what has become of its call, and what it may do.
    fn of_store(&self, correlation_id: &str) -> CallError {
        let text = match self {
            Self::Unread(StoreError::Unavailable(_)) => {
                return overloaded(
                    "The server cannot reach what it stores at the moment. Nothing was changed; ask \
                     again later."
                        .to_owned(),
                );
            }
            Self::Unread(_) => "The server could not read what it stores. Nothing was changed.",
            Self::Unchanged(_) => {
                "The server could not reach what it stores, so whether the job was changed is \
                 unknown. Look at it with poll_job, or send the call again: twice does no harm."
            }
            Self::Unshown(_) => {
                "Your request was recorded, but the server could not read the job after it. Look at \
                 it with poll_job."
            }
            _ => {
                "The server could not reach what it stores, so whether the call had its effect is \
                 unknown. A retry with the same idempotency key is safe."
            }
        };
        internal(text, correlation_id)
    }
}

fn forbidden_args(tool: &ToolName<'_>, violations: &Violations) -> CallError {
    let head = format!("You may use {tool}, but not with these arguments, so nothing was run");
    let error = CallError::new(ErrorCode::Forbidden, violations.report(&head));
    with_details(error, &json!({ "violations": violations.as_slice() }))
}

fn tool_changed(tool: &ToolName<'_>, digest: Option<&ToolDigest<'_>>) -> CallError {
    let Some(digest) = digest else {
        let text = format!("{tool} is part of every server and has no digest; send none with it.");
        return CallError::new(ErrorCode::ToolChanged, text);
    };
    let text = format!(
        "{tool} is no longer defined as you know it. Look at its definition in list_tools, then \
         send the digest given there."
    );
    with_details(CallError::new(ErrorCode::ToolChanged, text), &json!({ "digest": digest }))
}

fn overloaded(text: String) -> CallError {
    CallError::new(ErrorCode::Overloaded, text).with_retry_after_ms(RETRY_AFTER_MS)
}

fn unfit(tool: &str, misfit: Misfit, correlation_id: &str) -> CallError {
    let text = format!(
        "{tool} ran, but its output is {misfit}, more than a reply has room for, and was \
         withheld. Ask for less at once."
    );
    ours(ErrorCode::InvalidOutput, &text, correlation_id)
}

fn invalid_answers(violations: &[Violation]) -> CallError {
    let count = match violations.len() {
        1 => "one thing".to_owned(),
        n => format!("{n} things"),
    };
    let mut text = format!("The answers were refused, so none was taken: {count} to mend.");
    for violation in violations {
        text.push_str("\n- ");
        text.push_str(&violation.to_string());
    }
    let error = CallError::new(ErrorCode::InvalidArgs, text);
    with_details(error, &json!({ "violations": violations }))
}

fn internal(text: &str, correlation_id: &str) -> CallError {
    ours(ErrorCode::Internal, text, correlation_id)
}

/// A fault of this side, to be asked about by its id.
fn ours(code: ErrorCode, text: &str, correlation_id: &str) -> CallError {
    let text = format!("{text} Correlation id: {correlation_id}.");
    with_details(CallError::new(code, text), &json!({ "correlation_id": correlation_id }))
}

/// Details are for programs: where they cannot be written the message still says everything.
pub(crate) fn with_details(error: CallError, details: &serde_json::Value) -> CallError {
    match CanonicalJson::from_serialize(details) {
        Ok(details) => error.with_details(details),
        Err(_) => error,
    }
}

/// An error and what is behind it, in one line for the log.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

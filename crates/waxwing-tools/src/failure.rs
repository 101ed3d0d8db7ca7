//! How a call fails: what a tool says itself, and the one map from every failure to the wire.

use std::error::Error;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use waxwing_core::canonical::WriteError;
use waxwing_core::{CallError, CanonicalJson, ErrorCode};

use crate::schema::Violations;
use crate::text;

/// Characters of a tool's own failure message that reach a caller.
const LONGEST_MESSAGE: usize = 4096;

/// A failure that a tool reports. Its message and details reach the caller; its source does not.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ToolError {
    message: String,
    details: Option<CanonicalJson<'static>>,
    retry: Retry,
    blame: Blame,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What a tool's failure is about.
#[derive(Debug, PartialEq, Eq)]
enum Blame {
    /// The work.
    Work,
    /// What came of it, and why, for the log.
    Output(String),
    /// Nothing: the tool waits for an answer.
    Question,
}

/// Whether the same work may succeed when it is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third answer")]
pub enum Retry {
    /// It failed for good.
    Never,
    /// It may succeed later: a job is tried again, as often as its limits allow.
    Later,
}

impl ToolError {
    /// A failure for good. `message` is for the caller: what went wrong and what to do instead.
    /// Beyond 4096 characters it is cut.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        let message = text::cut(&message.into(), LONGEST_MESSAGE);
        Self { message, details: None, retry: Retry::Never, blame: Blame::Work, source: None }
    }

    /// The work is done, and what came of it is no output at all, such as text that is not JSON:
    /// the call ends with `invalid_output`. `blame` completes "its output" for the caller and says
    /// nothing of the output itself; `reason` is for the log.
    #[must_use]
    pub fn unreadable_output(blame: impl Into<String>, reason: impl Into<String>) -> Self {
        let reason = text::cut(&reason.into(), LONGEST_MESSAGE);
        Self { blame: Blame::Output(reason), ..Self::new(blame) }
    }

    /// A question that has no answer yet. Returned by a tool, it parks the tool's job.
    pub(crate) fn question(key: &str) -> Self {
        let text = format!("The tool waits for the answer {}.", text::quoted(key));
        Self { blame: Blame::Question, ..Self::new(text) }
    }

    /// Whether this is [`Self::question`].
    pub(crate) fn is_question(&self) -> bool {
        self.blame == Blame::Question
    }

    /// A failure that may go away by itself, such as a service that is down.
    #[must_use]
    pub fn transient(message: impl Into<String>) -> Self {
        Self { retry: Retry::Later, ..Self::new(message) }
    }

    /// The same failure with details for a program to read.
    ///
    /// # Errors
    /// [`WriteError`] when `details` is no canonical JSON.
    pub fn with_details<T: Serialize + ?Sized>(self, details: &T) -> Result<Self, WriteError> {
        Ok(Self { details: Some(CanonicalJson::from_serialize(details)?), ..self })
    }

    /// The same failure with the error behind it, for the log only.
    #[must_use]
    pub fn with_source(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    /// What the caller is told.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Details for a program to read.
    #[must_use]
    pub fn details(&self) -> Option<&CanonicalJson<'static>> {
        self.details.as_ref()
    }

    /// Whether trying again may help.
    #[must_use]
    pub fn retry(&self) -> Retry {
        self.retry
    }

    /// The failure itself, or what is wrong with the output when it is about that.
    pub(crate) fn into_blame(self) -> Result<OutputFault, Self> {
        match self.blame {
            Blame::Output(reason) => Ok(OutputFault::Unreadable { blame: self.message, reason }),
            Blame::Work | Blame::Question => Err(self),
        }
    }
}

impl From<&str> for ToolError {
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}

impl From<String> for ToolError {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

/// Why a call has no output. Its `Display` is for the log; a caller gets
/// [`Self::to_call_error`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallFailure {
    /// The caller's fault: there is no such tool.
    #[error("unknown tool {name:?}")]
    UnknownTool {
        /// The name that was called, cut when long.
        name: String,
        /// Names near it, nearest first. Whoever hides tools from a client must take those out.
        similar: Vec<String>,
    },
    /// The caller's fault: the arguments break the tool's input schema.
    #[error("invalid arguments for {tool}: {violations}")]
    InvalidArgs {
        /// The tool.
        tool: String,
        /// Everything that is wrong with them.
        violations: Violations,
    },
    /// The tool ran and says that it failed.
    #[error("{tool} failed")]
    Failed {
        /// The tool.
        tool: String,
        /// What it says.
        source: ToolError,
    },
    /// The tool outran its limit or the call's deadline.
    #[error("{tool} outran its time of {} ms", limit.as_millis())]
    TimedOut {
        /// The tool.
        tool: String,
        /// The time it had.
        limit: Duration,
    },
    /// The call was cancelled before it had an output.
    #[error("{tool} was cancelled")]
    Cancelled {
        /// The tool.
        tool: String,
    },
    /// Too many calls of this tool; nothing was run.
    #[error("too many calls of {tool} at once")]
    Overloaded {
        /// The tool.
        tool: String,
        /// When to try again.
        retry_after: Duration,
    },
    /// The tool's fault: its output breaks its output schema or its size.
    #[error("invalid output of {tool}: {fault}")]
    InvalidOutput {
        /// The tool.
        tool: String,
        /// What is wrong with it.
        fault: OutputFault,
    },
    /// The tool's fault: it panicked. Only this call is harmed.
    #[error("{tool} panicked: {message}")]
    Panicked {
        /// The tool.
        tool: String,
        /// What the panic said, cut when long.
        message: String,
    },
}

/// What is wrong with an output.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputFault {
    /// It breaks the tool's output schema.
    #[error("{0}")]
    Schema(Violations),
    /// It has more bytes than the tool's limit.
    #[error("{bytes} bytes, over the limit of {limit}")]
    TooLarge {
        /// Bytes of the canonical output.
        bytes: usize,
        /// Bytes that are allowed.
        limit: usize,
    },
    /// It is no canonical JSON: a number that is not finite, say.
    #[error("{0}")]
    Unwritable(WriteError),
    /// The tool says that it is none at all: [`ToolError::unreadable_output`].
    #[error("it {blame}: {reason}")]
    Unreadable {
        /// What a caller is told, after "its output".
        blame: String,
        /// What the log is told beside.
        reason: String,
    },
}

impl OutputFault {
    /// What a caller is told of it, after "its output": nothing of the output itself.
    fn blame(&self) -> String {
        match self {
            Self::Schema(_) => "breaks its own schema".to_owned(),
            Self::TooLarge { bytes, limit } => {
                format!("has {bytes} bytes, over its limit of {limit},")
            }
            Self::Unwritable(_) => "cannot be written as canonical JSON".to_owned(),
            Self::Unreadable { blame, .. } => blame.clone(),
        }
    }
}

impl CallFailure {
    /// What the caller is told: the one map from failures to wire.md §8. `correlation_id` is
    /// named where the fault is ours, so that the caller can ask about it and the log can answer.
    #[must_use]
    pub fn to_call_error(&self, correlation_id: &str) -> CallError {
        match self {
            Self::UnknownTool { name, similar } => unknown_tool(name, similar),
            Self::InvalidArgs { tool, violations } => {
                let error = CallError::new(ErrorCode::InvalidArgs, violations.summary(tool));
                with_details(error, &json!({ "violations": violations.as_slice() }))
            }
            Self::Failed { source, .. } => {
                let error = CallError::new(ErrorCode::ToolFailed, source.message());
                match source.details() {
                    Some(details) => error.with_details(details.clone()),
                    None => error,
                }
            }
            Self::TimedOut { tool, limit } => CallError::new(
                ErrorCode::Timeout,
                format!(
                    "{tool} did not finish within {} ms and was stopped; what it had done by \
                     then may stay done. Ask for less at once.",
                    limit.as_millis()
                ),
            ),
            Self::Cancelled { tool } => CallError::new(
                ErrorCode::ToolFailed,
                format!("{tool} was cancelled before it had a result."),
            ),
            Self::Overloaded { tool, retry_after } => {
                let millis = u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX);
                CallError::new(
                    ErrorCode::Overloaded,
                    format!(
                        "Too many calls of {tool} at once. Nothing was run; send it again in \
                         {millis} ms."
                    ),
                )
                .with_retry_after_ms(millis)
            }
            Self::InvalidOutput { tool, fault } => {
                let text = format!(
                    "{tool} ran, but its output {} and was withheld. This is a fault of the \
                     tool, not of the call. Correlation id: {correlation_id}.",
                    fault.blame()
                );
                ours(ErrorCode::InvalidOutput, text, correlation_id)
            }
            Self::Panicked { tool, .. } => {
                let text = format!(
                    "{tool} stopped on a fault of its own. Correlation id: {correlation_id}."
                );
                ours(ErrorCode::Internal, text, correlation_id)
            }
        }
    }
}

fn ours(code: ErrorCode, text: String, correlation_id: &str) -> CallError {
    with_details(CallError::new(code, text), &json!({ "correlation_id": correlation_id }))
}

fn unknown_tool(name: &str, similar: &[String]) -> CallError {
    let hint = match similar {
        [] => "Call list_tools for the names there are.".to_owned(),
        names => format!(
            "Did you mean {}? list_tools has every name.",
            text::alternatives(names.iter().map(String::as_str))
        ),
    };
    let text = format!("There is no tool named {}. {hint}", text::quoted(name));
    with_details(CallError::new(ErrorCode::UnknownTool, text), &json!({ "similar": similar }))
}

/// Details are for programs: where they cannot be written the message still says everything.
fn with_details(error: CallError, details: &serde_json::Value) -> CallError {
    match CanonicalJson::from_serialize(details) {
        Ok(details) => error.with_details(details),
        Err(_) => error,
    }
}

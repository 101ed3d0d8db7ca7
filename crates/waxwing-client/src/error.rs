//! What can go wrong with a call, by blame: the caller, the outside world, a peer that cannot be
//! trusted, or the server's own signed word.

use std::error::Error;
use std::time::Duration;
use std::{fmt, io};

use waxwing_core::message::Outcome;
use waxwing_core::{CallError, InvalidId, ToolDigest, ToolName, WriteError};

/// Why a call has no output.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The caller's misuse: nothing was sent.
    #[error(transparent)]
    Misuse(Misuse),
    /// The operating system gave no random bytes for a nonce: nothing was sent.
    #[error("no random bytes for a nonce; nothing was sent")]
    NoEntropy(#[source] io::Error),
    /// The outside world: no connection, or one that died. Whether the call was done is unknown.
    #[error("{url} cannot be reached")]
    Unreachable {
        /// Where the call was to go.
        url: String,
        /// What happened there.
        source: TransportError,
    },
    /// No whole answer came in time. Whether the call was done is unknown.
    #[error("no answer within {} ms", after.as_millis())]
    Timeout {
        /// The time that was allowed.
        after: Duration,
    },
    /// By the server's signed word the call, which has an idempotency key, was still at work when the
    /// time was over. It goes on: the same call with the same key waits for its outcome.
    #[error(
        "the call still runs after {} ms; send it again with the same idempotency key",
        after.as_millis()
    )]
    StillRunning {
        /// The time that was allowed.
        after: Duration,
    },
    /// An unsigned refusal: a hint that anybody on the way could have made (wire.md §3).
    #[error("refused, by an unsigned message: {0}")]
    Refused(CallError),
    /// What came back cannot be trusted; nothing of it was used.
    #[error(transparent)]
    ReplyFault(ReplyFault),
    /// The server's signed error.
    #[error("{0}")]
    Failed(CallError),
    /// A verified answer that is no output: a tool that runs as a job was called, or a job was
    /// cancelled or waits for input.
    #[error("{}", explain(.0))]
    OtherStatus(Box<Outcome<'static>>),
    /// A listed digest is not that of the definition beside it: the server is confused, and what it
    /// would run under that digest is unknown.
    #[error("{tool} is listed with digest {listed}, but its definition has {computed}")]
    WrongDigest {
        /// The tool.
        tool: ToolName<'static>,
        /// The digest that the server gave.
        listed: ToolDigest<'static>,
        /// The digest of the definition that it gave.
        computed: ToolDigest<'static>,
    },
    /// The verified output does not fit the caller's type.
    #[error("the output does not fit the type that was asked for: {0}")]
    Decode(serde_json::Error),
}

/// What a caller asked for that cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misuse {
    /// The arguments have no canonical form or are no object.
    #[error("the arguments cannot be sent: {0}")]
    Arguments(WriteError),
    /// The message would be longer than `max_message`.
    #[error("the call would be {bytes} bytes, over the limit of {limit}")]
    TooLarge {
        /// Bytes of the signed message.
        bytes: usize,
        /// The limit of this client.
        limit: usize,
    },
    /// None of the client's keys is active and valid at this time.
    #[error("none of the client's keys may sign now")]
    NoKey,
    /// Every tool must be pinned, and this one is not.
    #[error(
        "{tool} is not pinned, and only pinned tools may be called; look at its definition first"
    )]
    NotPinned {
        /// The tool.
        tool: ToolName<'static>,
    },
    /// The tool's name cannot be one.
    #[error("{0}")]
    ToolName(InvalidId),
}

/// Why what came back cannot be trusted: which check failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyFault {
    /// A redirect: a signed call is for one address only and is never sent on.
    #[error("the server answered with a redirect (HTTP {status}), which is never followed")]
    Redirect {
        /// The HTTP status.
        status: u16,
    },
    /// The body is longer than `max_message`.
    #[error("the reply is over the limit of {limit} bytes")]
    TooLarge {
        /// The limit of this client.
        limit: usize,
    },
    /// It is no reply to this call, or not from this server.
    #[error("{fault} (HTTP {status})")]
    Unverified {
        /// The HTTP status it came under, which is not signed either.
        status: u16,
        /// The check that failed.
        fault: waxwing_crypto::ReplyFault,
    },
}

/// What happened to the connection. Its `source` has the operating system's words.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// No connection could be made: nothing was sent.
    #[error("no connection")]
    Connect(#[source] Box<dyn Error + Send + Sync>),
    /// The connection failed before the answer's head was there.
    #[error("the connection failed")]
    Exchange(#[source] Box<dyn Error + Send + Sync>),
    /// The connection failed within the answer.
    #[error("the answer was cut off")]
    Body(#[source] Box<dyn Error + Send + Sync>),
}

impl From<Misuse> for ClientError {
    fn from(misuse: Misuse) -> Self {
        Self::Misuse(misuse)
    }
}

impl From<ReplyFault> for ClientError {
    fn from(fault: ReplyFault) -> Self {
        Self::ReplyFault(fault)
    }
}

/// Words for an outcome that is no output.
fn explain(outcome: &Outcome<'static>) -> impl fmt::Display {
    match outcome {
        Outcome::Ok(_) => "the tool has run and answered at once: it is no job".to_owned(),
        Outcome::Accepted { job_id, .. } | Outcome::Running { job_id, .. } => {
            format!("the tool runs as job {job_id}; wait for that job")
        }
        Outcome::InputRequired { job_id, .. } => format!("job {job_id} waits for input"),
        Outcome::Done { job_id, .. } => format!("job {job_id} is done"),
        Outcome::Cancelled { job_id, reason: None } => format!("job {job_id} was cancelled"),
        Outcome::Cancelled { job_id, reason: Some(reason) } => {
            format!("job {job_id} was cancelled: {reason}")
        }
        Outcome::Error(error) => error.to_string(),
    }
}

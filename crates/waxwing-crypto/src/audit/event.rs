//! What is worth a line in the audit log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use waxwing_core::{ClientId, JobId, KeyId, Nonce, RequestId, ServerId, ToolName};

use super::key::AuditDigest;

/// One event: the member `kind` of a line, and the members that belong to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum AuditEvent {
    /// The first line of a file. What it names as the line before is the last one of the file before.
    Head {
        /// The number of the file, from 1.
        file: u64,
        /// Whose log it is.
        server_id: ServerId<'static>,
    },
    /// The last line of a file that was followed by another.
    Foot,
    /// A server began to write.
    Start,
    /// A server ended in good order. A `start` that none of these precedes tells of a crash.
    Stop,
    /// A call with a true signature.
    Call(Box<CallEvent>),
    /// A job came to its end by an attempt of the process that writes this log.
    Job(Box<JobEvent>),
    /// Messages that proved no key, or that could not be written down one by one, since the last
    /// such line: how many, by error code.
    Refusals {
        /// How many of each code.
        counts: BTreeMap<String, u64>,
    },
    /// Before this line stand bytes that a crash left behind: the beginning of lines whose calls were
    /// never answered.
    Mended {
        /// How many, with the line end that was put behind them.
        bytes: u64,
        /// Their SHA-256.
        sha256: AuditDigest,
    },
}

/// A call whose signature was true, and what became of it. Neither arguments nor results are here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "the server fills it in, member by member")]
pub struct CallEvent {
    /// Who called.
    pub client_id: ClientId<'static>,
    /// With which key.
    pub key_id: KeyId<'static>,
    /// The message's nonce.
    pub nonce: Nonce<'static>,
    /// The message's id.
    pub request_id: RequestId<'static>,
    /// The tool that was asked for.
    pub tool: ToolName<'static>,
    /// [`AuditKey::digest_args`](super::AuditKey::digest_args) of the arguments.
    pub args: AuditDigest,
    /// [`AuditKey::digest_result`](super::AuditKey::digest_result) of the output, where the reply has
    /// one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<AuditDigest>,
    /// The reply's status, or that there was none.
    pub verdict: Verdict,
    /// The reply's error code (wire.md §8).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The job that the reply names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId<'static>>,
    /// From the verified signature to the signed reply, in microseconds.
    pub duration_us: u64,
    /// The reply never left, since this line could not be written in time: its caller was told that
    /// the outcome is unknown.
    #[serde(default, skip_serializing_if = "is_false")]
    pub withheld: bool,
}

/// The end of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "the server fills it in, member by member")]
pub struct JobEvent {
    /// The job.
    pub job_id: JobId<'static>,
    /// Who started it.
    pub client_id: ClientId<'static>,
    /// The tool that ran.
    pub tool: ToolName<'static>,
    /// `done`, `cancelled` or `error`.
    pub verdict: Verdict,
    /// `job_failed`, where it failed (wire.md §8).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The digest of its output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<AuditDigest>,
}

/// How a call was answered: the reply's `status` (wire.md §3), or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// With an output.
    Ok,
    /// With the promise of a job.
    Accepted,
    /// With how far a job is.
    Running,
    /// With what a job asks for.
    InputRequired,
    /// With a job's output.
    Done,
    /// With a job that was cancelled.
    Cancelled,
    /// With an error; `code` says which.
    Error,
    /// The caller went away first, or the server stopped. What had been done by then is unknown.
    Abandoned,
}

fn is_false(value: &bool) -> bool {
    !value
}

//! What became of a call: the members `status` and `result` or `error` of a reply (wire.md §3).

use serde::Serialize;

use super::cursor::{Cursor, Name, Stop, name};
use super::draft::{CanonicalWrite as _, DraftWriter};
use crate::call_error::CallError;
use crate::canonical::CanonicalJson;
use crate::ids::JobId;
use crate::json::{Scratch, WriteError};

/// What became of a call: a status and what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the wire format closes it")]
pub enum Outcome<'a> {
    /// The tool's output.
    Ok(CanonicalJson<'a>),
    /// A job was started and will survive the server.
    Accepted {
        /// The job.
        job_id: JobId<'a>,
        /// When a first poll makes sense, in milliseconds.
        poll_after_ms: u64,
        /// How long the job can be asked about, in milliseconds from its creation.
        ttl_ms: u64,
    },
    /// The job is queued or at work.
    Running {
        /// The job.
        job_id: JobId<'a>,
        /// When another poll makes sense, in milliseconds.
        poll_after_ms: u64,
        /// How far it is, when the tool says so.
        progress: Option<Progress>,
    },
    /// The job waits for answers.
    InputRequired {
        /// The job.
        job_id: JobId<'a>,
        /// An object: key to `{message, schema}`.
        requests: CanonicalJson<'a>,
    },
    /// The job has its result.
    Done {
        /// The job.
        job_id: JobId<'a>,
        /// The tool's output.
        output: CanonicalJson<'a>,
    },
    /// The job was cancelled.
    Cancelled {
        /// The job.
        job_id: JobId<'a>,
        /// Why, when the caller said.
        reason: Option<String>,
    },
    /// The call failed.
    Error(CallError),
}

/// How far a job is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "the wire format closes it")]
pub struct Progress {
    /// Units done.
    pub done: u64,
    /// Units in all, when known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// What is being done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl Outcome<'_> {
    /// The member `status`.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        match self {
            Self::Ok(_) => "ok",
            Self::Accepted { .. } => "accepted",
            Self::Running { .. } => "running",
            Self::InputRequired { .. } => "input_required",
            Self::Done { .. } => "done",
            Self::Cancelled { .. } => "cancelled",
            Self::Error(_) => "error",
        }
    }

    /// The HTTP status the reply travels under.
    #[must_use]
    pub const fn http_status(&self) -> u16 {
        match self {
            Self::Error(error) => error.code.http_status(),
            _ => 200,
        }
    }

    /// The same outcome with texts of its own.
    #[must_use]
    pub fn into_owned(self) -> Outcome<'static> {
        match self {
            Self::Ok(output) => Outcome::Ok(output.into_owned()),
            Self::Accepted { job_id, poll_after_ms, ttl_ms } => {
                Outcome::Accepted { job_id: job_id.into_owned(), poll_after_ms, ttl_ms }
            }
            Self::Running { job_id, poll_after_ms, progress } => {
                Outcome::Running { job_id: job_id.into_owned(), poll_after_ms, progress }
            }
            Self::InputRequired { job_id, requests } => Outcome::InputRequired {
                job_id: job_id.into_owned(),
                requests: requests.into_owned(),
            },
            Self::Done { job_id, output } => {
                Outcome::Done { job_id: job_id.into_owned(), output: output.into_owned() }
            }
            Self::Cancelled { job_id, reason } => {
                Outcome::Cancelled { job_id: job_id.into_owned(), reason }
            }
            Self::Error(error) => Outcome::Error(error),
        }
    }
}

/// Reads `status` and with it the result that came before; a status and a result that do not belong
/// together are no outcome.
pub(super) fn read<'a>(
    cursor: &mut Cursor<'a>,
    result: Result<CanonicalJson<'a>, CallError>,
) -> Result<Outcome<'a>, Stop> {
    const STATUS: Name = name!("status");
    let result = match result {
        Ok(result) => result,
        Err(error) => {
            cursor.exactly(STATUS, "error")?;
            return Ok(Outcome::Error(error));
        }
    };
    let status = cursor.json(STATUS)?;
    let wrong = cursor.invalid(STATUS, "a status of wire.md §3 that fits its result");
    if status.as_str() == "\"ok\"" {
        return Ok(Outcome::Ok(result));
    }
    let mut members = Cursor::of_checked(&result).ok_or(wrong)?;
    let outcome = match status.as_str() {
        "\"accepted\"" => read_accepted(&mut members),
        "\"running\"" => read_running(&mut members),
        "\"input_required\"" => read_input_required(&mut members),
        "\"done\"" => read_done(&mut members),
        "\"cancelled\"" => read_cancelled(&mut members),
        _ => Err(wrong),
    };
    outcome.and_then(|outcome| members.end().map(|()| outcome)).map_err(|_| wrong)
}

const JOB_ID: Name = name!("job_id");
const POLL_AFTER_MS: Name = name!("poll_after_ms");

fn read_accepted<'a>(members: &mut Cursor<'a>) -> Result<Outcome<'a>, Stop> {
    let job_id = members.id(JOB_ID)?;
    let poll_after_ms = members.count(POLL_AFTER_MS)?;
    let ttl_ms = members.count(name!("ttl_ms"))?;
    Ok(Outcome::Accepted { job_id, poll_after_ms, ttl_ms })
}

fn read_running<'a>(members: &mut Cursor<'a>) -> Result<Outcome<'a>, Stop> {
    const PROGRESS: Name = name!("progress");
    let job_id = members.id(JOB_ID)?;
    let poll_after_ms = members.count(POLL_AFTER_MS)?;
    let progress = match members.meets(PROGRESS) {
        true => Some(read_progress(&members.value()?, members.invalid(PROGRESS, "a progress"))?),
        false => None,
    };
    Ok(Outcome::Running { job_id, poll_after_ms, progress })
}

fn read_progress(progress: &CanonicalJson<'_>, wrong: Stop) -> Result<Progress, Stop> {
    let mut members = Cursor::of_checked(progress).ok_or(wrong)?;
    let done = members.count(name!("done"))?;
    let message = members.optional_text(name!("message"))?;
    let total = match members.meets(name!("total")) {
        true => Some(members.value()?.as_str().parse().map_err(|_| wrong)?),
        false => None,
    };
    members.end()?;
    Ok(Progress { done, total, message })
}

fn read_input_required<'a>(members: &mut Cursor<'a>) -> Result<Outcome<'a>, Stop> {
    let job_id = members.id(JOB_ID)?;
    let requests = members.object(name!("requests"))?;
    Ok(Outcome::InputRequired { job_id, requests })
}

fn read_done<'a>(members: &mut Cursor<'a>) -> Result<Outcome<'a>, Stop> {
    let job_id = members.id(JOB_ID)?;
    let output = members.json(name!("output"))?;
    Ok(Outcome::Done { job_id, output })
}

fn read_cancelled<'a>(members: &mut Cursor<'a>) -> Result<Outcome<'a>, Stop> {
    let job_id = members.id(JOB_ID)?;
    let reason = members.optional_text(name!("reason"))?;
    Ok(Outcome::Cancelled { job_id, reason })
}

/// The results that are objects with members of their own, as they are written.
mod result {
    use super::{JobId, Progress, Serialize};

    #[derive(Serialize)]
    pub(super) struct Accepted<'a> {
        pub(super) job_id: &'a JobId<'a>,
        pub(super) poll_after_ms: u64,
        pub(super) ttl_ms: u64,
    }

    #[derive(Serialize)]
    pub(super) struct Running<'a> {
        pub(super) job_id: &'a JobId<'a>,
        pub(super) poll_after_ms: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(super) progress: Option<&'a Progress>,
    }

    #[derive(Serialize)]
    pub(super) struct Cancelled<'a> {
        pub(super) job_id: &'a JobId<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(super) reason: Option<&'a str>,
    }
}

/// Writes the member `result`; an error has none.
pub(super) fn write_result(
    outcome: &Outcome<'_>,
    writer: &mut DraftWriter<'_>,
    scratch: &mut Scratch,
) -> Result<(), WriteError> {
    if matches!(outcome, Outcome::Error(_)) {
        return Ok(());
    }
    let out = writer.member("result");
    match outcome {
        Outcome::Ok(output) => output.write_canonical(scratch, out)?,
        Outcome::Accepted { job_id, poll_after_ms, ttl_ms } => {
            let (poll_after_ms, ttl_ms) = (*poll_after_ms, *ttl_ms);
            result::Accepted { job_id, poll_after_ms, ttl_ms }.write_canonical(scratch, out)?;
        }
        Outcome::Running { job_id, poll_after_ms, progress } => {
            let (poll_after_ms, progress) = (*poll_after_ms, progress.as_ref());
            result::Running { job_id, poll_after_ms, progress }.write_canonical(scratch, out)?;
        }
        Outcome::InputRequired { job_id, requests } => {
            write_job_and(job_id, "requests", requests, out);
        }
        Outcome::Done { job_id, output } => write_job_and(job_id, "output", output, out),
        Outcome::Cancelled { job_id, reason } => {
            let reason = reason.as_deref();
            result::Cancelled { job_id, reason }.write_canonical(scratch, out)?;
        }
        Outcome::Error(_) => {}
    }
    Ok(())
}

/// `name` sorts behind `job_id`, as every second member of such a result does.
fn write_job_and(job_id: &JobId<'_>, name: &str, value: &CanonicalJson<'_>, out: &mut Vec<u8>) {
    for part in ["{\"job_id\":\"", job_id.as_str(), "\",\"", name, "\":", value.as_str(), "}"] {
        out.extend_from_slice(part.as_bytes());
    }
}

//! A reply: the answer to one request, bound to it by that request's signature (wire.md §3).

use serde::{Deserialize, Serialize};

use super::cursor::{Cursor, Name, Stop, name};
use super::draft::{CanonicalWrite as _, Draft, DraftWriter};
use super::refusal::{self, Refusal};
use super::{MessageError, Unverified};
use crate::call_error::CallError;
use crate::canonical::CanonicalJson;
use crate::ids::{ClientId, JobId, KeyId, Nonce, RequestId, ServerId, Signature};
use crate::json::{Scratch, WriteError};
use crate::limits::Limits;

/// The answer to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the wire format closes it")]
pub struct Reply<'a> {
    /// Copied from the request.
    pub request_id: RequestId<'a>,
    /// The request's signature, which binds every byte of the request.
    pub in_reply_to: Signature<'a>,
    /// The server's clock, milliseconds since the Unix epoch.
    pub ts_ms: i64,
    /// The server's own; never used twice.
    pub nonce: Nonce<'a>,
    /// Copied from the request.
    pub client_id: ClientId<'a>,
    /// Copied from the request.
    pub server_id: ServerId<'a>,
    /// Copied from the request.
    pub key_id: KeyId<'a>,
    /// What became of the call: `status` and, with it, `result` or `error`.
    pub outcome: Outcome<'a>,
}

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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "the wire format closes it")]
pub struct Progress {
    /// Units done.
    pub done: u64,
    /// Units in all, when known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub total: Option<u64>,
    /// What is being done.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message: Option<String>,
}

const TYP: &str = "reply";

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

/// What comes back for a request: a reply, or a refusal that nobody has signed.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "the wire format closes it")]
pub enum Answer<'a> {
    /// Signed, but not verified yet.
    Reply(Unverified<'a, Reply<'a>>),
    /// Unsigned.
    Refusal(Refusal),
}

impl<'a> Answer<'a> {
    /// Reads a reply or a refusal: the JSON of wire.md §1, then the closed shapes of §3. Canonical
    /// bytes are borrowed as they are, others are written canonically into `scratch` first.
    ///
    /// # Errors
    /// [`MessageError`]: the first rule that is broken, the JSON's before the shape's.
    pub fn read(
        bytes: &'a [u8],
        limits: &Limits,
        scratch: &'a mut Scratch,
    ) -> Result<Self, MessageError> {
        super::read(bytes, limits, scratch, |cursor| {
            // Only a refusal begins with its error: a reply has its client in front.
            if cursor.rest().starts_with("{\"error\":") {
                Refusal::shape(cursor).map(Self::Refusal)
            } else {
                Reply::shape(cursor).map(Self::Reply)
            }
        })
    }
}

impl<'a> Reply<'a> {
    fn shape(mut cursor: Cursor<'a>) -> Result<Unverified<'a, Self>, Stop> {
        let client_id = cursor.id(name!("client_id"))?;
        let error = match cursor.meets(name!("error")) {
            true => Some(refusal::read_error(&cursor.value()?)?),
            false => None,
        };
        let in_reply_to = cursor.id(name!("in_reply_to"))?;
        let key_id = cursor.id(name!("key_id"))?;
        let nonce = cursor.id(name!("nonce"))?;
        let request_id = cursor.id(name!("request_id"))?;
        let result = match error {
            Some(error) => Err(error),
            None => Ok(cursor.json(name!("result"))?),
        };
        let server_id = cursor.id(name!("server_id"))?;
        let (signature, before) = cursor.signature()?;
        let behind = cursor.rest();
        let outcome = read_outcome(&mut cursor, result)?;
        let ts_ms = cursor.integer(name!("ts_ms"))?;
        cursor.exactly(name!("typ"), TYP)?;
        cursor.version_and_end()?;
        let message =
            Self { request_id, in_reply_to, ts_ms, nonce, client_id, server_id, key_id, outcome };
        Ok(Unverified { message, signature, signed: [before, behind] })
    }

    /// Writes the reply behind what `out` holds, with a gap for a signature of `digits` hex digits.
    ///
    /// # Errors
    /// [`WriteError`] when a number of the outcome has no canonical form.
    pub fn draft(
        &self,
        digits: usize,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<Draft, WriteError> {
        let mut writer = DraftWriter::new(out);
        writer.id("client_id", &self.client_id);
        if let Outcome::Error(error) = &self.outcome {
            refusal::write_error(error, writer.member("error"))?;
        }
        writer.id("in_reply_to", self.in_reply_to.as_str());
        writer.id("key_id", &self.key_id);
        writer.id("nonce", &self.nonce);
        writer.id("request_id", &self.request_id);
        write_result(&self.outcome, &mut writer, scratch)?;
        writer.id("server_id", &self.server_id);
        writer.signature(digits);
        writer.id("status", self.outcome.status());
        writer.integer("ts_ms", self.ts_ms)?;
        Ok(writer.finish(TYP))
    }
}

/// The results that are objects with members of their own, as they stand on the wire.
mod result {
    use super::{Deserialize, JobId, Progress, Serialize};

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Accepted {
        pub(super) job_id: JobId<'static>,
        pub(super) poll_after_ms: u64,
        pub(super) ttl_ms: u64,
    }

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Running {
        pub(super) job_id: JobId<'static>,
        pub(super) poll_after_ms: u64,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        pub(super) progress: Option<Progress>,
    }

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Cancelled {
        pub(super) job_id: JobId<'static>,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        pub(super) reason: Option<String>,
    }
}

/// Reads `status` and with it the result that came before; a status and a result that do not belong
/// together are no outcome.
fn read_outcome<'a>(
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
    let outcome = match status.as_str() {
        "\"ok\"" => Some(Outcome::Ok(result)),
        "\"accepted\"" => decode(&result).map(|result::Accepted { job_id, poll_after_ms, ttl_ms }| {
            Outcome::Accepted { job_id, poll_after_ms, ttl_ms }
        }),
        "\"running\"" => {
            decode(&result).map(|result::Running { job_id, poll_after_ms, progress }| {
                Outcome::Running { job_id, poll_after_ms, progress }
            })
        }
        "\"input_required\"" => job_and(&result, name!("requests"))
            .filter(|(_, requests)| requests.is_object())
            .map(|(job_id, requests)| Outcome::InputRequired { job_id, requests }),
        "\"done\"" => job_and(&result, name!("output"))
            .map(|(job_id, output)| Outcome::Done { job_id, output }),
        "\"cancelled\"" => decode(&result).map(|result::Cancelled { job_id, reason }| {
            Outcome::Cancelled { job_id, reason }
        }),
        _ => None,
    };
    outcome.ok_or_else(|| cursor.invalid(STATUS, "a status of wire.md §3 that fits its result"))
}

/// Decodes an object; serde alone would take an array for a struct.
fn decode<T: serde::de::DeserializeOwned>(result: &CanonicalJson<'_>) -> Option<T> {
    if result.is_object() { result.decode().ok() } else { None }
}

/// Reads `{"job_id":…,"NAME":…}` without copying the second value.
fn job_and<'a>(
    result: &CanonicalJson<'a>,
    name: Name,
) -> Option<(JobId<'a>, CanonicalJson<'a>)> {
    let mut cursor = Cursor::of_checked(result)?;
    let job_id = cursor.id(name!("job_id")).ok()?;
    let value = cursor.json(name).ok()?;
    cursor.end().ok()?;
    Some((job_id, value))
}

fn write_result(
    outcome: &Outcome<'_>,
    writer: &mut DraftWriter<'_>,
    scratch: &mut Scratch,
) -> Result<(), WriteError> {
    let own = |id: &JobId<'_>| id.clone().into_owned();
    match outcome {
        Outcome::Ok(output) => output.write_canonical(scratch, writer.member("result")),
        Outcome::Accepted { job_id, poll_after_ms, ttl_ms } => {
            let (poll_after_ms, ttl_ms) = (*poll_after_ms, *ttl_ms);
            result::Accepted { job_id: own(job_id), poll_after_ms, ttl_ms }
                .write_canonical(scratch, writer.member("result"))
        }
        Outcome::Running { job_id, poll_after_ms, progress } => {
            let (poll_after_ms, progress) = (*poll_after_ms, progress.clone());
            result::Running { job_id: own(job_id), poll_after_ms, progress }
                .write_canonical(scratch, writer.member("result"))
        }
        Outcome::InputRequired { job_id, requests } => {
            write_job_and(job_id, "requests", requests, writer.member("result"));
            Ok(())
        }
        Outcome::Done { job_id, output } => {
            write_job_and(job_id, "output", output, writer.member("result"));
            Ok(())
        }
        Outcome::Cancelled { job_id, reason } => {
            result::Cancelled { job_id: own(job_id), reason: reason.clone() }
                .write_canonical(scratch, writer.member("result"))
        }
        Outcome::Error(_) => Ok(()),
    }
}

/// `name` sorts behind `job_id`, as every second member of such a result does.
fn write_job_and(job_id: &JobId<'_>, name: &str, value: &CanonicalJson<'_>, out: &mut Vec<u8>) {
    for part in ["{\"job_id\":\"", job_id.as_str(), "\",\"", name, "\":", value.as_str(), "}"] {
        out.extend_from_slice(part.as_bytes());
    }
}

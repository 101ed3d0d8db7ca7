//! Jobs as a client sees them: start, poll, cancel, answer (wire.md §3, §6).

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use waxwing_core::message::{CanonicalWrite, Outcome, Progress};
use waxwing_core::{CallError, CanonicalJson, ErrorCode, JobId};

use crate::client::{Client, decode};
use crate::error::ClientError;
use crate::options::CallOptions;

/// A job that the server has taken on and will not lose.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StartedJob {
    /// Its name.
    pub job_id: JobId<'static>,
    /// When a first poll makes sense, in milliseconds.
    pub poll_after_ms: u64,
}

/// How a job stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobStatus<Output> {
    /// Queued or at work.
    Running {
        /// When another poll makes sense, in milliseconds.
        poll_after_ms: u64,
        /// How far it is, when the tool says so.
        progress: Option<Progress>,
    },
    /// It waits for answers.
    InputRequired {
        /// An object: key to `{message, schema}`.
        requests: CanonicalJson<'static>,
    },
    /// It has its output.
    Done(Output),
    /// It was cancelled.
    Cancelled {
        /// Why, when the caller said.
        reason: Option<String>,
    },
    /// It ended in failure (`job_failed`).
    Failed(CallError),
}

#[derive(Serialize)]
struct PollJob<'a> {
    job_id: &'a JobId<'a>,
    wait_ms: u64,
}

#[derive(Serialize)]
struct CancelJob<'a> {
    job_id: &'a JobId<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Serialize)]
struct AnswerJob<'a, A: ?Sized> {
    job_id: &'a JobId<'a>,
    answers: &'a A,
}

impl Client {
    /// Starts a job. Once this returns, neither side's end loses it.
    ///
    /// # Errors
    /// [`ClientError`]; after `Unreachable` or `Timeout` it is unknown whether there is a job, and the
    /// way to know is [`Self::start_with`] an idempotency key, again.
    pub async fn start<Args: CanonicalWrite + ?Sized>(
        &self,
        tool: &str,
        args: &Args,
    ) -> Result<StartedJob, ClientError> {
        self.start_with(tool, args, &CallOptions::new()).await
    }

    /// As [`Self::start`], with settings of its own. With an idempotency key that started a job
    /// before, it gives that job.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_with<Args: CanonicalWrite + ?Sized>(
        &self,
        tool: &str,
        args: &Args,
        options: &CallOptions,
    ) -> Result<StartedJob, ClientError> {
        match self.call_raw(tool, args, options).await? {
            Outcome::Accepted { job_id, poll_after_ms, .. }
            | Outcome::Running { job_id, poll_after_ms, .. } => {
                Ok(StartedJob { job_id, poll_after_ms })
            }
            Outcome::Done { job_id, .. }
            | Outcome::InputRequired { job_id, .. }
            | Outcome::Cancelled { job_id, .. } => Ok(StartedJob { job_id, poll_after_ms: 0 }),
            Outcome::Error(error) => Err(ClientError::Failed(error)),
            output @ Outcome::Ok(_) => Err(ClientError::OtherStatus(Box::new(output))),
        }
    }

    /// How a job stands. With `wait_ms` (at most 30000) the server answers as soon as that changes, or
    /// when the time is over.
    ///
    /// # Errors
    /// [`ClientError`]; a job that failed is no error here but [`JobStatus::Failed`].
    pub async fn poll<Output: DeserializeOwned>(
        &self,
        job_id: &JobId<'_>,
        wait_ms: u64,
    ) -> Result<JobStatus<Output>, ClientError> {
        self.poll_within(job_id, wait_ms, self.timeout()).await
    }

    /// As [`Self::poll`]; the answer may take `grace` longer than the wait.
    pub(crate) async fn poll_within<Output: DeserializeOwned>(
        &self,
        job_id: &JobId<'_>,
        wait_ms: u64,
        grace: Duration,
    ) -> Result<JobStatus<Output>, ClientError> {
        let options = CallOptions::new().timeout(grace + Duration::from_millis(wait_ms));
        let args = PollJob { job_id, wait_ms };
        status(job_id, self.call_raw("poll_job", &args, &options).await?)
    }

    /// Asks for a job to be cancelled and says how it stands then: one that runs may take a moment.
    ///
    /// # Errors
    /// As [`Self::poll`].
    pub async fn cancel<Output: DeserializeOwned>(
        &self,
        job_id: &JobId<'_>,
        reason: Option<&str>,
    ) -> Result<JobStatus<Output>, ClientError> {
        let args = CancelJob { job_id, reason };
        status(job_id, self.call_raw("cancel_job", &args, &CallOptions::new()).await?)
    }

    /// Gives answers to a job that waits for input, an object by the keys of its requests, and says
    /// how it stands then. Some of the answers will do; the job goes on with the last.
    ///
    /// # Errors
    /// As [`Self::poll`].
    pub async fn answer<Answers, Output>(
        &self,
        job_id: &JobId<'_>,
        answers: &Answers,
    ) -> Result<JobStatus<Output>, ClientError>
    where
        Answers: Serialize + ?Sized,
        Output: DeserializeOwned,
    {
        let args = AnswerJob { job_id, answers };
        status(job_id, self.call_raw("answer_job", &args, &CallOptions::new()).await?)
    }
}

/// The status of `job_id`; that of any other job is no answer.
fn status<Output: DeserializeOwned>(
    job_id: &JobId<'_>,
    outcome: Outcome<'static>,
) -> Result<JobStatus<Output>, ClientError> {
    let named = match &outcome {
        Outcome::Running { job_id, .. }
        | Outcome::InputRequired { job_id, .. }
        | Outcome::Done { job_id, .. }
        | Outcome::Cancelled { job_id, .. } => Some(job_id),
        Outcome::Ok(_) | Outcome::Accepted { .. } | Outcome::Error(_) => None,
    };
    if named.is_some_and(|named| named.as_str() != job_id.as_str()) {
        return Err(ClientError::OtherStatus(Box::new(outcome)));
    }
    match outcome {
        Outcome::Running { poll_after_ms, progress, .. } => {
            Ok(JobStatus::Running { poll_after_ms, progress })
        }
        Outcome::InputRequired { requests, .. } => Ok(JobStatus::InputRequired { requests }),
        Outcome::Done { output, .. } => decode(&output).map(JobStatus::Done),
        Outcome::Cancelled { reason, .. } => Ok(JobStatus::Cancelled { reason }),
        Outcome::Error(error) if error.code == ErrorCode::JobFailed => Ok(JobStatus::Failed(error)),
        Outcome::Error(error) => Err(ClientError::Failed(error)),
        other @ (Outcome::Ok(_) | Outcome::Accepted { .. }) => {
            Err(ClientError::OtherStatus(Box::new(other)))
        }
    }
}

//! Waits for a job to its end: long polls, and patience while the server is away. A poll changes
//! nothing, so it may be sent again after any failure.

use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, sleep_until};
use waxwing_core::message::{Outcome, Progress};
use waxwing_core::{CallError, ErrorCode, JobId};

use crate::client::Client;
use crate::error::{ClientError, ReplyFault};
use crate::job::JobStatus;
use crate::options::WaitOptions;

/// How long one poll waits at the server.
const LONG_POLL_MS: u64 = 20_000;
/// How much longer than that an answer may take before the server counts as away.
const GRACE: Duration = Duration::from_secs(10);
/// The longest pause that a server can ask for between two polls.
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// The pause after a poll that had news: more may follow soon.
const PAUSE_AFTER_NEWS: Duration = Duration::from_millis(100);

impl Client {
    /// Waits for a job and gives its output. `on_progress` hears what changed since it last heard.
    ///
    /// # Errors
    /// [`ClientError`]: `Failed` when the job failed, `OtherStatus` when it was cancelled or waits for
    /// input, and the last failure when the server stays away for longer than
    /// [`WaitOptions::patience`].
    pub async fn wait<Output: DeserializeOwned>(
        &self,
        job_id: &JobId<'_>,
        on_progress: impl FnMut(&Progress),
    ) -> Result<Output, ClientError> {
        self.wait_with(job_id, &WaitOptions::new(), on_progress).await
    }

    /// As [`Self::wait`], with settings of its own.
    ///
    /// # Errors
    /// As [`Self::wait`], and `Timeout` when the deadline has passed.
    pub async fn wait_with<Output: DeserializeOwned>(
        &self,
        job_id: &JobId<'_>,
        options: &WaitOptions,
        on_progress: impl FnMut(&Progress),
    ) -> Result<Output, ClientError> {
        let ended = self.poll_to_the_end(job_id, options.patience, on_progress);
        match options.deadline {
            None => ended.await,
            Some(after) => tokio::time::timeout(after, ended)
                .await
                .unwrap_or(Err(ClientError::Timeout { after })),
        }
    }

    async fn poll_to_the_end<Output: DeserializeOwned>(
        &self,
        job_id: &JobId<'_>,
        patience: Duration,
        mut on_progress: impl FnMut(&Progress),
    ) -> Result<Output, ClientError> {
        let mut reported = None;
        let mut silence = Silence::new(patience);
        loop {
            let began = Instant::now();
            match self.poll_within(job_id, LONG_POLL_MS, self.timeout().min(GRACE)).await {
                Ok(JobStatus::Running { poll_after_ms, progress }) => {
                    silence = Silence::new(patience);
                    let mut pause = Duration::from_millis(poll_after_ms).min(MAX_PAUSE);
                    if progress != reported {
                        progress.iter().for_each(&mut on_progress);
                        reported = progress;
                        pause = pause.min(PAUSE_AFTER_NEWS);
                    }
                    sleep_until(began + pause).await;
                }
                Ok(JobStatus::Done(output)) => return Ok(output),
                Ok(JobStatus::Failed(error)) => return Err(ClientError::Failed(error)),
                Ok(JobStatus::Cancelled { reason }) => {
                    let job_id = job_id.clone().into_owned();
                    return Err(other(Outcome::Cancelled { job_id, reason }));
                }
                Ok(JobStatus::InputRequired { requests }) => {
                    let job_id = job_id.clone().into_owned();
                    return Err(other(Outcome::InputRequired { job_id, requests }));
                }
                Err(error) => match silence.pause_after(&error, self.entropy().byte()) {
                    Some(pause) => sleep(pause).await,
                    None => return Err(error),
                },
            }
        }
    }
}

fn other(outcome: Outcome<'static>) -> ClientError {
    ClientError::OtherStatus(Box::new(outcome))
}

/// The time without an answer, and how often it was tried to end it.
struct Silence {
    until: Instant,
    failures: u32,
}

impl Silence {
    fn new(patience: Duration) -> Self {
        Self { until: Instant::now() + patience, failures: 0 }
    }

    /// How long to pause before another poll; `None` when that would be no use, or patience is over.
    fn pause_after(&mut self, error: &ClientError, jitter: u8) -> Option<Duration> {
        let asked = passing(error)?;
        let pause = asked.max(back_off(self.failures, jitter)).min(MAX_PAUSE);
        self.failures = self.failures.saturating_add(1);
        (Instant::now() + pause <= self.until).then_some(pause)
    }
}

/// 50 ms, doubled with each failure up to 1.6 s, less up to a random half of it, so that clients do not
/// come back all at once.
fn back_off(failures: u32, jitter: u8) -> Duration {
    let full = Duration::from_millis(50 << failures.min(5));
    full - full * u32::from(jitter) / 512
}

/// Whether an error may pass by itself, and the pause that was asked for with it.
fn passing(error: &ClientError) -> Option<Duration> {
    match error {
        ClientError::Unreachable { .. } | ClientError::Timeout { .. } => Some(Duration::ZERO),
        ClientError::Failed(error) | ClientError::Refused(error) => asked_to_come_again(error),
        // What a proxy says while the server behind it restarts.
        ClientError::ReplyFault(ReplyFault::Unverified { status: 502..=504, .. }) => {
            Some(Duration::ZERO)
        }
        _ => None,
    }
}

fn asked_to_come_again(error: &CallError) -> Option<Duration> {
    matches!(error.code, ErrorCode::Overloaded | ErrorCode::RateLimited)
        .then(|| Duration::from_millis(error.retry_after_ms.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_grows_to_its_bound() {
        let millis = |failures, jitter| back_off(failures, jitter).as_millis();
        assert_eq!([millis(0, 0), millis(1, 0), millis(4, 0), millis(5, 0)], [50, 100, 800, 1600]);
        assert_eq!(millis(u32::MAX, 0), 1600);
        assert!((25..=26).contains(&millis(0, 255)));
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends() {
        let error = ClientError::Timeout { after: Duration::ZERO };
        let mut silence = Silence::new(Duration::from_secs(60));
        let mut pauses = 0;
        while let Some(pause) = silence.pause_after(&error, 0) {
            sleep(pause).await;
            pauses += 1;
        }
        assert!((35..=45).contains(&pauses), "{pauses}");
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let error = |code| CallError::new(code, "").with_retry_after_ms(700);
        let asked = Some(Duration::from_millis(700));
        assert_eq!(passing(&ClientError::Failed(error(ErrorCode::Overloaded))), asked);
        assert_eq!(passing(&ClientError::Refused(error(ErrorCode::Overloaded))), asked);
        assert_eq!(passing(&ClientError::Failed(error(ErrorCode::RateLimited))), asked);
        assert_eq!(passing(&ClientError::Failed(error(ErrorCode::UnknownJob))), None);
        assert_eq!(passing(&ClientError::Refused(error(ErrorCode::Unauthenticated))), None);
        let fault = waxwing_crypto::ReplyFault::WrongSignature;
        let unverified = |status| ReplyFault::Unverified { status, fault: fault.clone() }.into();
        assert_eq!(passing(&unverified(503)), Some(Duration::ZERO));
        assert_eq!(passing(&unverified(200)), None);
    }
}

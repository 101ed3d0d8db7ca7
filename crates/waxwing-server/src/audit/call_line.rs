//! The line of one call, from its verified signature to its signed reply. A call that is dropped on
//! the way has its line too.

use std::time::Instant;

use tokio::sync::OwnedSemaphorePermit;
use waxwing_core::ErrorCode;
use waxwing_core::message::Outcome;
use waxwing_crypto::Verified;
use waxwing_crypto::audit::{AuditEvent, CallEvent, Verdict};

use super::rejections::Told;
use super::{AuditLog, Busy, TimedEvent, Withheld};
use crate::environment::Environment;

/// A line that is not written yet.
#[derive(Debug)]
pub(crate) struct CallLine<'s> {
    log: &'s AuditLog,
    environment: &'s dyn Environment,
    since: Instant,
    draft: Option<Draft>,
}

#[derive(Debug)]
struct Draft {
    place: OwnedSemaphorePermit,
    event: CallEvent,
}

impl<'s> CallLine<'s> {
    /// Takes a place in the log for a call.
    ///
    /// # Errors
    /// [`Busy`]: there is none, so nothing must be done for the call.
    pub(crate) async fn open(
        log: &'s AuditLog,
        environment: &'s dyn Environment,
        call: &Verified<'_>,
    ) -> Result<Self, Busy> {
        let since = Instant::now();
        let place = log.reserve().await?;
        let event = CallEvent {
            client_id: call.client_id.clone().into_owned(),
            key_id: call.key_id.clone().into_owned(),
            nonce: call.nonce.clone().into_owned(),
            request_id: call.request_id.clone().into_owned(),
            tool: call.tool.clone().into_owned(),
            args: log.key.digest_args(&call.args),
            result: None,
            verdict: Verdict::Abandoned,
            code: None,
            job_id: None,
            duration_us: 0,
            withheld: false,
        };
        Ok(Self { log, environment, since, draft: Some(Draft { place, event }) })
    }

    /// The line, if a message that is rejected with `code` has one; if not, it is counted.
    pub(crate) fn of_rejection(mut self, code: ErrorCode) -> Option<Self> {
        match self.log.state.rejections.judge(Instant::now()) {
            Told::InALine => Some(self),
            Told::InACount => {
                self.draft = None;
                self.log.count(code);
                None
            }
        }
    }

    /// Notes what the call is answered.
    pub(crate) fn note(&mut self, outcome: &Outcome<'_>) {
        let Some(Draft { event, .. }) = &mut self.draft else { return };
        let (verdict, output, job_id) = match outcome {
            Outcome::Ok(output) => (Verdict::Ok, Some(output), None),
            Outcome::Accepted { job_id, .. } => (Verdict::Accepted, None, Some(job_id)),
            Outcome::Running { job_id, .. } => (Verdict::Running, None, Some(job_id)),
            Outcome::InputRequired { job_id, .. } => (Verdict::InputRequired, None, Some(job_id)),
            Outcome::Done { job_id, output } => (Verdict::Done, Some(output), Some(job_id)),
            Outcome::Cancelled { job_id, .. } => (Verdict::Cancelled, None, Some(job_id)),
            Outcome::Error(_) => (Verdict::Error, None, None),
        };
        event.code = match outcome {
            Outcome::Error(error) => Some(error.code.as_str().to_owned()),
            _ => None,
        };
        event.verdict = verdict;
        event.result = output.map(|output| self.log.key.digest_result(output));
        event.job_id = job_id.map(|id| id.clone().into_owned());
    }

    /// Writes the line and waits until it is durable.
    ///
    /// # Errors
    /// [`Withheld`]: it is not, and the reply must not leave.
    pub(crate) async fn write(mut self) -> Result<(), Withheld> {
        let Some(draft) = self.draft.take() else { return Err(Withheld) };
        let (line, place) = self.finish(draft);
        self.log.send(line, Some(place)).await.map_err(|_| Withheld)
    }

    fn finish(&self, draft: Draft) -> (TimedEvent, OwnedSemaphorePermit) {
        let Draft { place, mut event } = draft;
        event.duration_us = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(0);
        let event = AuditEvent::Call(Box::new(event));
        (TimedEvent { ts_ms: self.environment.now_ms(), event }, place)
    }
}

impl Drop for CallLine<'_> {
    fn drop(&mut self) {
        if let Some(mut draft) = self.draft.take() {
            draft.event.verdict = Verdict::Abandoned;
            (draft.event.code, draft.event.result) = (None, None);
            let (line, place) = self.finish(draft);
            // Nobody waits for it.
            drop(self.log.send(line, Some(place)));
        }
    }
}

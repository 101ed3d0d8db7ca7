//! What a tool may know of the call it serves: who asks, until when, whether to stop, and where
//! to report progress.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use waxwing_core::{ClientId, JobId};

/// The call a tool is serving, for the tools that ask for it.
///
/// Cheap to clone, so that parts of a tool that run side by side can each hold one.
#[derive(Clone, Debug)]
pub struct CallContext {
    client_id: ClientId<'static>,
    attempt: u32,
    job_id: Option<JobId<'static>>,
    deadline: Option<Instant>,
    cancellation: Cancellation,
    progress: ProgressSink,
}

impl CallContext {
    /// The context of a first attempt for `client_id`: no deadline, never cancelled, progress
    /// goes nowhere.
    #[must_use]
    pub fn new(client_id: ClientId<'static>) -> Self {
        Self {
            client_id,
            attempt: 1,
            job_id: None,
            deadline: None,
            cancellation: Cancellation::never(),
            progress: ProgressSink::default(),
        }
    }

    /// The same context for attempt number `attempt`, counted from 1.
    #[must_use]
    pub fn with_attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }

    /// The same context for the job `job_id`.
    #[must_use]
    pub fn with_job_id(mut self, job_id: JobId<'static>) -> Self {
        self.job_id = Some(job_id);
        self
    }

    /// The same context with `deadline`, unless an earlier one is set already.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(self.deadline.map_or(deadline, |earlier| earlier.min(deadline)));
        self
    }

    /// The same context, told to stop through `cancellation`.
    #[must_use]
    pub fn with_cancellation(mut self, cancellation: Cancellation) -> Self {
        self.cancellation = cancellation;
        self
    }

    /// The same context with progress given to `sink`, which must not block.
    #[must_use]
    pub fn with_progress(mut self, sink: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.progress = ProgressSink(Some(Arc::new(sink)));
        self
    }

    /// Who calls: the verified identity, never a claim.
    #[must_use]
    pub fn client_id(&self) -> &ClientId<'static> {
        &self.client_id
    }

    /// Which attempt this is, from 1. Above 1 only for jobs: an earlier one may have done part of
    /// the work.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The job this is an attempt of, if it is one. The same for every attempt, so that work outside
    /// can be done once.
    #[must_use]
    pub fn job_id(&self) -> Option<&JobId<'static>> {
        self.job_id.as_ref()
    }

    /// When the call is cut off, if ever.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// How long until [`Self::deadline`]; zero once it has passed.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Fires when the caller cancels, when time is up and when the call has ended, so that work
    /// the tool has moved elsewhere can stop too.
    #[must_use]
    pub fn cancellation(&self) -> &Cancellation {
        &self.cancellation
    }

    /// Reports that `done` of `total` units are finished. Only the newest report matters to a
    /// caller, so report as often as is natural.
    pub fn progress(&self, done: u64, total: Option<u64>, message: Option<&str>) {
        if let Some(sink) = &self.progress.0 {
            sink(Progress { done, total, message: message.map(str::to_owned) });
        }
    }
}

/// One report of progress (wire.md §3).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Units finished.
    pub done: u64,
    /// Units in all, where they are known.
    pub total: Option<u64>,
    /// A line for a person.
    pub message: Option<String>,
}

#[derive(Clone, Default)]
struct ProgressSink(Option<Arc<dyn Fn(Progress) + Send + Sync>>);

impl fmt::Debug for ProgressSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "ProgressSink(set)" } else { "ProgressSink(none)" })
    }
}

/// The side of a cancellation that is told: ask it, or wait on it.
#[derive(Clone, Debug)]
pub struct Cancellation(watch::Receiver<bool>);

impl Cancellation {
    /// A cancellation that never comes.
    #[must_use]
    pub fn never() -> Self {
        CancelSource::new().token()
    }

    /// Whether it was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is cancelled; for ever when nobody is left who could.
    pub async fn cancelled(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|cancelled| *cancelled).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// The side of a cancellation that tells. Dropping it without [`Self::cancel`] cancels nothing.
#[derive(Debug)]
pub struct CancelSource(watch::Sender<bool>);

impl CancelSource {
    /// A source that has not fired.
    #[must_use]
    pub fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// A token that this source tells.
    #[must_use]
    pub fn token(&self) -> Cancellation {
        Cancellation(self.0.subscribe())
    }

    /// Tells every token, now and later. Again is harmless.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }
}

impl Default for CancelSource {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earlier_deadline_wins() {
        let client = ClientId::new("agent-7").unwrap();
        let (now, hour) = (Instant::now(), Duration::from_secs(3600));
        let ctx = CallContext::new(client).with_deadline(now + hour).with_deadline(now + 2 * hour);
        assert_eq!(ctx.deadline(), Some(now + hour));
        assert_eq!(ctx.with_deadline(now).time_left(), Some(Duration::ZERO));
    }

    #[tokio::test]
    async fn a_token_taken_before_or_after_hears_the_cancel() {
        let source = CancelSource::new();
        let before = source.token();
        assert!(!before.is_cancelled());
        source.cancel();
        source.cancel();
        before.cancelled().await;
        assert!(source.token().is_cancelled());
        drop(source);
        assert!(before.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_source_cancels_nothing() {
        let never = Cancellation::never();
        let waited = tokio::time::timeout(Duration::from_secs(9), never.cancelled()).await;
        assert!(waited.is_err());
        assert!(!never.is_cancelled());
    }
}

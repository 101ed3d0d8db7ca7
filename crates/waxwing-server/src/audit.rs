//! The audit log as calls see it: a place in it before anything is done, a durable line before the
//! reply leaves. What has no line is not answered as if it had (docs/security.md).

mod call_line;
mod job_line;
mod refusals;
mod rejections;
mod writer;

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use waxwing_core::{CallError, ErrorCode};
use waxwing_crypto::audit::{AuditEvent, AuditKey};

use crate::environment::Environment;

pub(crate) use call_line::CallLine;
pub(crate) use job_line::JobLines;
use refusals::Refusals;
use rejections::Rejections;
use writer::{Message, Pending, Writer};

/// Where the lines go.
pub trait AuditSink: fmt::Debug + Send + 'static {
    /// Adds all of the events and makes them durable, or adds none of them.
    ///
    /// # Errors
    /// Whatever the disk says. The events are offered again, with others behind them, until they are
    /// taken.
    fn append(&mut self, events: &[TimedEvent]) -> io::Result<()>;
}

/// An event and when it was.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an event has a time, and that is all")]
pub struct TimedEvent {
    /// Milliseconds since the Unix epoch, by the server's clock.
    pub ts_ms: i64,
    /// What happened.
    pub event: AuditEvent,
}

/// What becomes of calls when lines cannot be written as fast as calls come, or not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a call waits or it does not")]
pub enum WhenSlow {
    /// They wait, before their work begins or before their reply leaves, for as long as it takes: the
    /// default.
    #[default]
    Wait,
    /// New ones are told `overloaded` before anything is done. Those whose work is done wait for a
    /// slow disk; a disk that fails makes them `internal`, and their lines, which are kept and
    /// written later, say that the reply was withheld.
    Refuse,
}

/// How the log treats calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditOptions {
    /// What becomes of calls when the disk is slow.
    pub when_slow: WhenSlow,
    /// How long one write may take before the disk is slow; 1 s.
    pub slow_after: Duration,
}

impl AuditOptions {
    /// The defaults.
    pub const DEFAULT: Self =
        Self { when_slow: WhenSlow::Wait, slow_after: Duration::from_secs(1) };
}

impl Default for AuditOptions {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// An audit log that has not been begun.
#[derive(Debug)]
pub(crate) struct Unopened {
    pub(crate) sink: Box<dyn AuditSink>,
    pub(crate) key: AuditKey,
    pub(crate) options: AuditOptions,
}

/// A running audit log.
#[derive(Debug)]
pub(crate) struct AuditLog {
    key: AuditKey,
    options: AuditOptions,
    places: Arc<Semaphore>,
    pending: mpsc::Sender<Message>,
    state: Arc<State>,
    health: watch::Receiver<Health>,
    /// Hears, once, how many lines were lost.
    ended: Mutex<Option<oneshot::Receiver<u64>>>,
}

/// What the writer and the calls both see.
#[derive(Debug, Default)]
struct State {
    /// Since when the writer has been at one write.
    busy_since: Mutex<Option<Instant>>,
    refusals: Refusals,
    rejections: Rejections,
}

/// Whether the last write was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Well,
    Failing,
}

/// The log has no place for a line: nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Busy;

/// The line could not be written: the reply must not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Withheld;

impl Busy {
    /// What the caller is told.
    pub(crate) fn to_call_error(self) -> CallError {
        CallError::new(
            ErrorCode::Overloaded,
            "Calls cannot be recorded at the moment, so none are taken. Nothing was done; send the \
             call again later.",
        )
        .with_retry_after_ms(1_000)
    }
}

impl Withheld {
    /// What the caller is told.
    pub(crate) fn to_call_error(self) -> CallError {
        CallError::new(
            ErrorCode::Internal,
            "The call may have had its effect, but could not be recorded, so its outcome is \
             withheld. A retry with the same idempotency key is safe.",
        )
    }
}

impl Unopened {
    /// Begins the log: up to `lines` lines may be on their way to the disk at once.
    pub(crate) fn open(
        self,
        lines: usize,
        environment: Arc<dyn Environment>,
    ) -> io::Result<AuditLog> {
        let Self { sink, key, options } = self;
        let (pending, received) = mpsc::channel();
        let (tell, health) = watch::channel(Health::Well);
        let state = Arc::<State>::default();
        let writer = Writer::new(sink, received, tell, Arc::clone(&state), options, environment);
        let (end, ended) = oneshot::channel();
        let work = move || {
            // Nobody listens when the server was dropped.
            let _ = end.send(writer.run());
        };
        thread::Builder::new().name("waxwing-audit".to_owned()).spawn(work)?;
        let places = Arc::new(Semaphore::new(lines.clamp(1, Semaphore::MAX_PERMITS)));
        let ended = Mutex::new(Some(ended));
        Ok(AuditLog { key, options, places, pending, state, health, ended })
    }
}

impl AuditLog {
    /// Counts a message that proved no key, or that the log had no place for.
    pub(crate) fn count(&self, code: ErrorCode) {
        self.state.refusals.count(code);
    }

    /// A place for one line.
    async fn reserve(&self) -> Result<OwnedSemaphorePermit, Busy> {
        let places = Arc::clone(&self.places);
        match self.options.when_slow {
            WhenSlow::Refuse => {
                self.is_prompt()?;
                places.try_acquire_owned().map_err(|_| Busy)
            }
            WhenSlow::Wait => {
                // An error is a writer that is gone, with which nothing can be recorded.
                let mut health = self.health.clone();
                health.wait_for(|health| *health == Health::Well).await.map_err(|_| Busy)?;
                places.acquire_owned().await.map_err(|_| Busy)
            }
        }
    }

    fn is_prompt(&self) -> Result<(), Busy> {
        let busy_since = *self.state.busy_since.lock().unwrap_or_else(PoisonError::into_inner);
        let is_slow = busy_since.is_some_and(|since| since.elapsed() > self.options.slow_after);
        let is_gone = self.health.has_changed().is_err();
        match is_slow || is_gone || *self.health.borrow() == Health::Failing {
            true => Err(Busy),
            false => Ok(()),
        }
    }

    /// Hands a line to the writer, with the place that it takes if it is a call's; the receiver hears
    /// once it is durable.
    fn send(&self, line: TimedEvent, place: Option<OwnedSemaphorePermit>) -> oneshot::Receiver<()> {
        let (tell, told) = oneshot::channel();
        let pending = Pending { line, place, tell };
        // A writer that is gone drops `tell`, which says that the line is not durable.
        let _ = self.pending.send(Message::Line(Box::new(pending)));
        told
    }

    /// Writes what is on its way and ends the log; how many lines were lost because the disk did not
    /// take them to the last. It waits for a disk that is stuck; whoever drops the future does not.
    pub(crate) async fn close(&self) -> u64 {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(ended) = ended else { return 0 };
        let _ = self.pending.send(Message::Close);
        // An error is a writer that panicked.
        let lost = ended.await.unwrap_or(1);
        if lost > 0 {
            tracing::error!(lines = lost, "the audit log did not take its last lines");
        }
        lost
    }
}

//! The one thread that writes lines: all that wait at once are one write. What the disk does not take
//! is kept and offered again; nothing is dropped.

use std::mem;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};
use waxwing_crypto::audit::AuditEvent;

use super::{AuditOptions, AuditSink, Health, State, TimedEvent, WhenSlow};
use crate::environment::Environment;

/// The most lines of one write.
const BATCH: usize = 1024;

/// How often refusals are written down, so how many lines a second they can make: one.
const REFUSALS_EVERY: Duration = Duration::from_secs(1);

/// How long to leave a disk alone that did not take a write.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// What the writer is sent.
#[derive(Debug)]
pub(super) enum Message {
    Line(Box<Pending>),
    Close,
}

/// A line on its way. Its place, if it has one, is free again once it is durable.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) line: TimedEvent,
    pub(super) place: Option<OwnedSemaphorePermit>,
    pub(super) tell: oneshot::Sender<()>,
}

/// Whoever waits for a line of the batch, and its place.
#[derive(Debug)]
struct Waiting {
    _place: Option<OwnedSemaphorePermit>,
    tell: Option<oneshot::Sender<()>>,
}

#[derive(Debug)]
pub(super) struct Writer {
    sink: Box<dyn AuditSink>,
    received: Receiver<Message>,
    health: watch::Sender<Health>,
    state: Arc<State>,
    options: AuditOptions,
    environment: Arc<dyn Environment>,
    batch: Vec<TimedEvent>,
    waiting: Vec<Waiting>,
    refusals_written: Instant,
}

/// Whether more will come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Open,
    Closed,
}

impl Writer {
    pub(super) fn new(
        sink: Box<dyn AuditSink>,
        received: Receiver<Message>,
        health: watch::Sender<Health>,
        state: Arc<State>,
        options: AuditOptions,
        environment: Arc<dyn Environment>,
    ) -> Self {
        let (batch, waiting) = (Vec::new(), Vec::new());
        let refusals_written = Instant::now();
        Self {
            sink,
            received,
            health,
            state,
            options,
            environment,
            batch,
            waiting,
            refusals_written,
        }
    }

    /// Writes until the log is closed; how many lines were left that the disk did not take.
    pub(super) fn run(mut self) -> u64 {
        self.add(AuditEvent::Start);
        while self.gather() == Flow::Open {
            self.write();
        }
        if let Some(refusals) = self.state.refusals.take() {
            self.add(refusals);
        }
        self.add(AuditEvent::Stop);
        self.write();
        self.batch.len() as u64
    }

    fn add(&mut self, event: AuditEvent) {
        self.batch.push(TimedEvent { ts_ms: self.environment.now_ms(), event });
    }

    /// Waits for lines and takes those that are there.
    fn gather(&mut self) -> Flow {
        let first = match self.batch.is_empty() {
            true => self.received.recv_timeout(REFUSALS_EVERY),
            false => self.received.try_recv().map_err(|error| match error {
                TryRecvError::Empty => RecvTimeoutError::Timeout,
                TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
            }),
        };
        let mut next = match first {
            Err(RecvTimeoutError::Disconnected) => return Flow::Closed,
            Err(RecvTimeoutError::Timeout) => None,
            Ok(message) => Some(message),
        };
        while let Some(message) = next {
            let Message::Line(pending) = message else { return Flow::Closed };
            let Pending { line, place, tell } = *pending;
            self.batch.push(line);
            self.waiting.push(Waiting { _place: place, tell: Some(tell) });
            next = match self.waiting.len() < BATCH {
                true => self.received.try_recv().ok(),
                false => None,
            };
        }
        if self.refusals_written.elapsed() >= REFUSALS_EVERY
            && let Some(refusals) = self.state.refusals.take()
        {
            self.add(refusals);
            self.refusals_written = Instant::now();
        }
        Flow::Open
    }

    fn write(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        self.set_busy(Some(Instant::now()));
        let written = self.sink.append(&self.batch);
        self.set_busy(None);
        match written {
            Ok(()) => {
                self.batch.clear();
                for waiting in mem::take(&mut self.waiting) {
                    // Whoever has gone has gone.
                    let _ = waiting.tell.map(|tell| tell.send(()));
                }
                if self.health.send_replace(Health::Well) == Health::Failing {
                    tracing::info!("the audit log takes lines again");
                }
            }
            Err(error) => {
                if self.health.send_replace(Health::Failing) == Health::Well {
                    tracing::error!(%error, "the audit log cannot be written: calls are held up");
                }
                if self.options.when_slow == WhenSlow::Refuse {
                    self.withhold();
                }
                thread::sleep(AGAIN_AFTER);
            }
        }
    }

    /// Tells whoever waits that the reply must not leave, and writes that into the line, which is
    /// offered again all the same. A job has no reply: it goes on waiting.
    fn withhold(&mut self) {
        let awaited = self.batch.iter_mut().filter_map(|line| match &mut line.event {
            AuditEvent::Call(call) => Some(Some(call)),
            AuditEvent::Job(_) => Some(None),
            _ => None,
        });
        for (call, waiting) in awaited.zip(&mut self.waiting) {
            let Some(call) = call else { continue };
            // Dropping `tell` says it. Nobody was waiting for a call that was abandoned.
            if let Some(tell) = waiting.tell.take() {
                call.withheld = !tell.is_closed();
            }
        }
    }

    fn set_busy(&self, since: Option<Instant>) {
        *self.state.busy_since.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }
}

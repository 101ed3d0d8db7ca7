//! The attempts that run in this process: how each is told to stop, and what it reports.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};
use waxwing_core::{CanonicalJson, JobId};

use crate::job::Progress;
use crate::store::Ticket;

/// Why an attempt is to stop before its work is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The client asks for it.
    Cancel,
    /// The job is another worker's now, or gone.
    Lost,
}

/// What the work has to say and the store does not know yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Report {
    pub(super) progress: Option<Progress>,
    pub(super) checkpoint: Option<CanonicalJson<'static>>,
}

impl Report {
    pub(super) const fn is_empty(&self) -> bool {
        self.progress.is_none() && self.checkpoint.is_none()
    }
}

/// The work's side of its reports: the newest of each kind counts.
#[derive(Debug)]
pub(crate) struct Reports {
    pending: Mutex<Report>,
    wake: Arc<Notify>,
}

impl Reports {
    fn pending(&self) -> MutexGuard<'_, Report> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn progress(&self, progress: Progress) {
        self.pending().progress = Some(progress);
        self.wake.notify_one();
    }

    pub(crate) fn save(&self, checkpoint: CanonicalJson<'static>) {
        self.pending().checkpoint = Some(checkpoint);
        self.wake.notify_one();
    }

    pub(super) fn take(&self) -> Report {
        std::mem::take(&mut *self.pending())
    }

    /// Puts back what could not be stored, unless there is something newer by now.
    pub(super) fn put_back(&self, report: Report) {
        let mut pending = self.pending();
        pending.progress = pending.progress.take().or(report.progress);
        pending.checkpoint = pending.checkpoint.take().or(report.checkpoint);
    }
}

/// One attempt of this process.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) ticket: Ticket,
    pub(super) reports: Arc<Reports>,
    stop: watch::Sender<Option<Stop>>,
}

impl Held {
    /// Tells the attempt to stop; what it was told first stands.
    pub(super) fn stop(&self, why: Stop) {
        self.stop.send_if_modified(|told| {
            let first = told.is_none();
            if first {
                *told = Some(why);
            }
            first
        });
    }

    /// Returns once the attempt is told to stop.
    pub(super) async fn stopped(&self) -> Stop {
        let mut told = self.stop.subscribe();
        loop {
            if let Some(why) = *told.borrow_and_update() {
                return why;
            }
            if told.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// All attempts of this process.
#[derive(Debug, Default)]
pub(super) struct Active {
    held: Mutex<HashMap<Ticket, Arc<Held>>>,
    /// Some attempt has something to report.
    pub(super) reported: Arc<Notify>,
    /// Held while a beat is in flight: from when it takes reports until they are stored or back.
    pub(super) beating: tokio::sync::Mutex<()>,
}

impl Active {
    fn held(&self) -> MutexGuard<'_, HashMap<Ticket, Arc<Held>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn hold(&self, ticket: Ticket) -> Arc<Held> {
        let reports = Reports { pending: Mutex::default(), wake: Arc::clone(&self.reported) };
        let stop = watch::Sender::new(None);
        let held = Arc::new(Held { ticket: ticket.clone(), reports: Arc::new(reports), stop });
        self.held().insert(ticket, Arc::clone(&held));
        held
    }

    pub(super) fn let_go(&self, ticket: &Ticket) {
        self.held().remove(ticket);
    }

    pub(super) fn all(&self) -> Vec<Arc<Held>> {
        self.held().values().cloned().collect()
    }

    pub(super) fn len(&self) -> usize {
        self.held().len()
    }

    /// Tells every attempt of this job to stop.
    pub(super) fn stop_job(&self, id: &JobId<'_>, why: Stop) {
        let held = self.held();
        held.values().filter(|held| held.ticket.id == *id).for_each(|held| held.stop(why));
    }
}

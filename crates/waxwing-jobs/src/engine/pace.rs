//! When to claim next: as soon as there may be something, and now and then for what other processes
//! left.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

pub(super) struct Pace {
    idle_poll: Duration,
    /// There may be something to claim, or room for it.
    now: Notify,
    /// When retries of this process become ready.
    due: Mutex<BinaryHeap<Reverse<Instant>>>,
}

impl Pace {
    pub(super) fn new(idle_poll: Duration) -> Self {
        Self { idle_poll, now: Notify::new(), due: Mutex::default() }
    }

    /// Has the claiming task look at once.
    pub(super) fn now(&self) {
        self.now.notify_one();
    }

    /// Has the claiming task look again once `delay` has passed.
    pub(super) fn after(&self, delay: Duration) {
        let when = Instant::now() + delay;
        self.due.lock().unwrap_or_else(PoisonError::into_inner).push(Reverse(when));
        self.now();
    }

    /// Returns when it is time to look.
    pub(super) async fn rest(&self) {
        let _ = tokio::time::timeout(self.longest(), self.now.notified()).await;
    }

    /// Until the next retry is due, at most the idle poll.
    fn longest(&self) -> Duration {
        let now = Instant::now();
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        while due.peek().is_some_and(|Reverse(when)| *when <= now) {
            due.pop();
        }
        let next = due.peek().map_or(self.idle_poll, |Reverse(when)| *when - now);
        next.min(self.idle_poll)
    }
}

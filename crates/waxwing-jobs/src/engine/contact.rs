//! Whether the store answers. A silence of some length ran out the leases of living workers too: they
//! get one lease to renew theirs before this engine sweeps.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::store::StoreError;

/// How often to see whether a silence is over.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What this engine knows of the store's answers.
pub(super) struct Contact {
    lease: Duration,
    heard: Mutex<Heard>,
}

#[derive(Default)]
struct Heard {
    /// When the first question was put that no answer has followed.
    silent_since: Option<Instant>,
    /// No sweep before.
    truce_until: Option<Instant>,
}

/// Whether a failure is of the kind that passes by itself, so that asking again makes sense: an outage, or
/// a set-up that somebody is about to mend.
pub(super) const fn passes(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable(_) | StoreError::Misconfigured(_))
}

impl Contact {
    pub(super) fn new(lease: Duration) -> Self {
        Self { lease, heard: Mutex::default() }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a question to the store, and notes whether it is answered.
    pub(super) async fn ask<T>(
        &self,
        question: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.heard().silent_since.get_or_insert_with(Instant::now);
        let answer = question.await;
        if !answer.as_ref().err().is_some_and(passes) {
            self.answered();
        }
        answer
    }

    fn answered(&self) {
        let mut heard = self.heard();
        let silent = heard.silent_since.take().map(|since| since.elapsed());
        if silent.is_some_and(|silent| silent >= self.long()) {
            heard.truce_until = Some(Instant::now() + self.lease);
        }
    }

    /// How long a silence may be that takes nobody's lease: half of what lies between two beats, so
    /// that blips do not put off what is due to dead workers' jobs.
    fn long(&self) -> Duration {
        self.lease / 6
    }

    /// Returns once leases can be judged: the store answers, and living workers had their time.
    pub(super) async fn trusted(&self) {
        while let Some(until) = self.distrusted_until() {
            sleep_until(until).await;
        }
    }

    fn distrusted_until(&self) -> Option<Instant> {
        let (heard, now) = (self.heard(), Instant::now());
        if heard.silent_since.is_some_and(|since| since.elapsed() >= self.long()) {
            return Some(now + LOOK_AGAIN);
        }
        heard.truce_until.filter(|until| *until > now)
    }
}

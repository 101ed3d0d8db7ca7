//! Claims jobs while there is room to run them, and waits for those it started.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::Instant;
use waxwing_core::ToolName;

use super::room::{Missed, Offer, Reach};
use super::{Course, Shared, attempt};
use crate::store::Claim;

/// Claims until the engine drains, then returns when the last attempt has ended.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut attempts = JoinSet::new();
    let mut next = Next::Anew;
    while *shared.course.borrow() == Course::Working {
        let above = match next {
            Next::Wider { than } => than,
            Next::Anew | Next::Rest => 0,
        };
        // Never dropped half-way: what the store has handed out must be run.
        next = match shared.room.offer(above) {
            Some(offer) => claim(&shared, offer, &mut attempts).await,
            None => Next::Rest,
        };
        while attempts.try_join_next().is_some() {}
        if next == Next::Rest {
            tokio::select! {
                () = shared.reached(Course::Draining) => {}
                () = shared.pace.rest() => {}
            }
        }
    }
    while attempts.join_next().await.is_some() {}
}

/// What to claim after a claim.
#[derive(PartialEq, Eq)]
enum Next {
    /// There may be more, which the narrowest kinds must not hold up.
    Wider { than: usize },
    /// There may be more for kinds that were left out.
    Anew,
    /// There is nothing for whom there is room.
    Rest,
}

/// Fills the offered places with jobs, as far as there are any.
async fn claim(shared: &Arc<Shared>, offer: Offer, attempts: &mut JoinSet<()>) -> Next {
    let Offer { kinds, max, reach } = offer;
    let (worker, lease) = (shared.config.worker.clone(), shared.config.lease);
    let asked = Instant::now();
    let claim = shared.store.claim(Claim { worker, kinds, lease, max });
    let claimed = match shared.contact.ask(claim).await {
        Ok(claimed) => claimed,
        Err(error) => {
            tracing::warn!(%error, "no jobs could be claimed");
            return Next::Rest;
        }
    };
    let next = match reach {
        _ if claimed.len() >= max => Next::Wider { than: max },
        Reach::Some => Next::Anew,
        Reach::All => Next::Rest,
    };
    for job in claimed {
        let place = Place::take(shared, job.kind.clone());
        attempts.spawn(async move {
            attempt::run(&place.shared, job, asked).await;
            drop(place);
        });
    }
    next
}

/// An attempt's place, given back however the attempt ends.
struct Place {
    shared: Arc<Shared>,
    kind: ToolName<'static>,
}

impl Place {
    fn take(shared: &Arc<Shared>, kind: ToolName<'static>) -> Self {
        shared.room.enter(&kind);
        Self { shared: Arc::clone(shared), kind }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.shared.room.leave(&self.kind) == Missed::Maybe {
            self.shared.pace.now();
        }
    }
}

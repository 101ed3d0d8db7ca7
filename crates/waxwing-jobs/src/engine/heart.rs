//! The regular duties: to keep the leases of what runs here, and to look after everybody's.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::held::{Held, Stop};
use super::{Course, Shared};
use crate::state::Cancel;
use crate::store::{Beat, BeatVerdict};

/// Reports closer together than this are stored together.
const REPORT_GAP: Duration = Duration::from_millis(25);

/// The most rows of a kind that one sweep touches, so that it never holds a store for long.
const SWEEP_LIMIT: usize = 500;

/// Which attempts are to be beaten for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Due {
    All,
    Reporting,
}

/// Beats for all attempts three times a lease, and in between for those that have news.
pub(super) async fn beat(shared: Arc<Shared>) {
    let every = (shared.config.lease / 3).max(Duration::from_millis(1));
    let mut tick = interval_at(Instant::now() + every, every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let due = tokio::select! {
            biased;
            _ = tick.tick() => Due::All,
            () = shared.active.reported.notified() => Due::Reporting,
        };
        beat_once(&shared, due).await;
        if due == Due::Reporting {
            tokio::time::sleep(REPORT_GAP).await;
        }
    }
}

async fn beat_once(shared: &Shared, due: Due) {
    let lease = shared.config.lease;
    let _in_flight = shared.active.beating.lock().await;
    let mut asked: Vec<Arc<Held>> = Vec::new();
    let mut beats = Vec::new();
    for held in shared.active.all() {
        let report = held.reports.take();
        if due == Due::Reporting && report.is_empty() {
            continue;
        }
        let (progress, checkpoint) = (report.progress, report.checkpoint);
        beats.push(Beat { ticket: held.ticket.clone(), lease, progress, checkpoint });
        asked.push(held);
    }
    if beats.is_empty() {
        return;
    }
    match shared.store.beat(beats.clone()).await {
        Ok(verdicts) => {
            for ((held, beat), verdict) in asked.iter().zip(&beats).zip(verdicts) {
                heed(shared, held, beat, verdict);
            }
        }
        Err(error) => {
            // The lease may run out meanwhile. The work goes on: if nobody takes the job, nothing
            // is lost, and if somebody does, the epoch keeps this attempt from changing it.
            tracing::warn!(jobs = beats.len(), %error, "leases could not be kept");
            for (held, beat) in asked.iter().zip(beats) {
                let Beat { progress, checkpoint, .. } = beat;
                held.reports.put_back(super::held::Report { progress, checkpoint });
            }
        }
    }
}

fn heed(shared: &Shared, held: &Held, beat: &Beat, verdict: BeatVerdict) {
    match verdict {
        BeatVerdict::Held(cancel) => {
            if beat.progress.is_some() {
                shared.waiting.bump(&held.ticket.id);
            }
            if cancel == Cancel::Asked {
                held.stop(Stop::Cancel);
            }
        }
        BeatVerdict::Lost => held.stop(Stop::Lost),
    }
}

/// Sweeps at once and then regularly, until the engine drains.
pub(super) async fn sweep(shared: Arc<Shared>) {
    let mut tick = tokio::time::interval(shared.config.sweep_every.max(Duration::from_millis(1)));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shared.reached(Course::Draining) => return,
            _ = tick.tick() => {}
        }
        sweep_once(&shared).await;
    }
}

async fn sweep_once(shared: &Shared) {
    loop {
        match shared.store.sweep(SWEEP_LIMIT).await {
            Ok(swept) => {
                shared.config.observer.swept(&swept);
                if swept.lapsed > 0 {
                    tracing::warn!(jobs = swept.lapsed, "jobs of dead workers are tried again");
                    shared.work.notify_one();
                }
                if !swept.reached(SWEEP_LIMIT) {
                    return;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the job store could not be swept");
                return;
            }
        }
    }
}

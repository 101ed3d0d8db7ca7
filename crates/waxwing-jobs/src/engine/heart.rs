//! The regular duties: to keep the leases of what runs here, and to look after everybody's.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::contact::passes;
use super::held::{Held, Report, Stop};
use super::{Course, Shared};
use crate::state::Cancel;
use crate::store::{Beat, BeatVerdict, Remaining, StoreError};

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

/// When to beat again after a beat has failed: soon, since every lease here waits for it.
const BEAT_AGAIN: Duration = Duration::from_secs(1);

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
        if let Err(error) = beat_once(&shared, due).await {
            tracing::warn!(%error, "leases could not be kept");
            tick.reset_after(BEAT_AGAIN.min(every));
        }
        if due == Due::Reporting {
            tokio::time::sleep(REPORT_GAP).await;
        }
    }
}

async fn beat_once(shared: &Shared, due: Due) -> Result<(), StoreError> {
    let lease = shared.config.lease;
    let _in_flight = shared.active.beating.lock().await;
    let mut beats = Vec::new();
    for held in shared.active.all() {
        let report = held.reports.take();
        if due == Due::Reporting && report.is_empty() {
            continue;
        }
        let (progress, checkpoint) = (report.progress, report.checkpoint);
        let beat = Beat { ticket: held.ticket.clone(), lease, progress, checkpoint };
        beats.push((held, beat));
    }
    match send(shared, &beats).await {
        Err(error) if !passes(&error) => send_singly(shared, &beats).await,
        sent => sent,
    }
}

/// A report that cannot be stored must not cost the others their leases: each is tried by itself, and what
/// fails for good is left out of the next beat.
async fn send_singly(shared: &Shared, beats: &[(Arc<Held>, Beat)]) -> Result<(), StoreError> {
    let mut sent = Ok(());
    for one in beats {
        if let Err(error) = send(shared, std::slice::from_ref(one)).await {
            tracing::error!(job = %one.1.ticket.id, %error, "a job's report cannot be stored");
            sent = Err(error);
        }
    }
    sent
}

/// Sends the beats. Reports that may be stored later are put back.
async fn send(shared: &Shared, beats: &[(Arc<Held>, Beat)]) -> Result<(), StoreError> {
    if beats.is_empty() {
        return Ok(());
    }
    let batch = beats.iter().map(|(_, beat)| beat.clone()).collect();
    match shared.contact.ask(shared.store.beat(batch)).await {
        Ok(verdicts) => {
            for ((held, beat), verdict) in beats.iter().zip(verdicts) {
                heed(shared, held, beat, verdict);
            }
            Ok(())
        }
        Err(error) => {
            // The lease may run out meanwhile. The work goes on: if nobody takes the job, nothing
            // is lost, and if somebody does, the epoch keeps this attempt from changing it.
            for (held, beat) in beats.iter().filter(|_| passes(&error)) {
                let Beat { progress, checkpoint, .. } = beat.clone();
                held.reports.put_back(Report { progress, checkpoint });
            }
            Err(error)
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

/// Sweeps regularly, until the engine drains; not before living workers could renew their leases, be it
/// after an outage or after this engine was launched at the end of one.
pub(super) async fn sweep(shared: Arc<Shared>) {
    let every = shared.config.sweep_every.max(Duration::from_millis(1));
    let mut tick = interval_at(Instant::now() + every, every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let due = async {
            tick.tick().await;
            shared.contact.trusted().await;
        };
        tokio::select! {
            () = shared.reached(Course::Draining) => return,
            () = due => {}
        }
        if let Err(error) = sweep_once(&shared).await {
            tracing::warn!(%error, "the job store could not be swept");
        }
    }
}

async fn sweep_once(shared: &Shared) -> Result<(), StoreError> {
    loop {
        let swept = shared.contact.ask(shared.store.sweep(SWEEP_LIMIT)).await?;
        shared.config.observer.swept(&swept);
        if swept.lapsed > 0 {
            tracing::warn!(jobs = swept.lapsed, "jobs of dead workers are tried again");
            shared.pace.now();
        }
        if swept.unfinished > 0 {
            tracing::warn!(jobs = swept.unfinished, "jobs expired before they had ended");
        }
        if swept.remaining == Remaining::Nothing {
            return Ok(());
        }
    }
}

//! The reference and a store, side by side.

use super::super::super::{Miss, ensure, same};
use super::{Place, Reference};
use crate::job::{CancelRequest, Phase, Progress, Snapshot};

/// What a job showed when it was last looked at.
#[derive(Debug, PartialEq)]
pub(super) struct Shown {
    version: u64,
    phase: Phase,
    progress: Option<Progress>,
    attempts: usize,
    cancel: Option<CancelRequest>,
}

impl Reference {
    pub(in crate::contract::model) fn census(&self) -> [u64; 4] {
        let mut counts = [0; 4];
        for job in self.live() {
            match job.place {
                Place::Queued(_) => counts[0] += 1,
                Place::Running(..) => counts[1] += 1,
                Place::Parked(_) => counts[2] += 1,
                Place::Failed => counts[3] += 1,
                Place::Done(_) | Place::Cancelled => {}
            }
        }
        counts
    }

    /// Compares a job as a client got it, and its version with the last time it was looked at.
    pub(in crate::contract::model) fn compare(
        &mut self,
        owner: &str,
        name: &str,
        got: Option<Snapshot>,
    ) -> Result<(), Miss> {
        let (job, got) = match (self.owned(owner, name), got) {
            (None, None) => return Ok(()),
            (Some(job), Some(got)) => (job, got),
            (wanted, got) => {
                return Err(Miss(format!("{name} of {owner}: {got:?} instead of {wanted:?}")));
            }
        };
        let alike = match (&job.place, &got.phase) {
            (Place::Queued(_), Phase::Queued)
            | (Place::Running(..), Phase::Running)
            | (Place::Failed, Phase::Failed)
            | (Place::Cancelled, Phase::Cancelled { .. }) => true,
            (Place::Done(wanted), Phase::Completed { output }) => wanted == output,
            (Place::Parked(asked), Phase::Parked { requests }) => {
                let open: Vec<_> = asked.iter().filter(|k| !job.answers.contains_key(*k)).collect();
                requests.iter().map(|(key, _)| key).collect::<Vec<_>>() == open
            }
            _ => false,
        };
        ensure!(alike, "{name}: {:?} instead of {:?}", got.phase, job.place);
        same("progress", &got.progress, &job.progress)?;
        same("attempts listed", got.attempts.len(), job.listed)?;
        same("cancel", &got.cancel, &job.cancel)?;
        let shown = Shown {
            version: got.version,
            phase: got.phase,
            progress: got.progress,
            attempts: got.attempts.len(),
            cancel: got.cancel,
        };
        if let Some(before) = &job.shown {
            ensure!(
                shown.version >= before.version,
                "{name}: version {} after {}",
                shown.version,
                before.version
            );
            ensure!(
                shown.version > before.version || shown == *before,
                "{name} changed within version {}",
                shown.version
            );
        }
        job.shown = Some(shown);
        Ok(())
    }
}

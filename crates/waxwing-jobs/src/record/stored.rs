//! A job's columns, as any store with columns keeps them, and what they show.

use std::time::Duration;

use waxwing_core::{ClientId, InvalidId, JobId, ToolName};

use super::{answers_from_text, attempts_from_text, json_from_text, requests_from_text};
use crate::input::Exchange;
use crate::job::{CancelRequest, Phase, Progress, Snapshot};
use crate::state::{Life, Stage, StageName};
use crate::store::{Listed, StoreError};

fn missing(what: &str) -> StoreError {
    StoreError::Corrupt(format!("{what} of a job is missing"))
}

fn no_name(error: InvalidId) -> StoreError {
    StoreError::Corrupt(error.to_string())
}

/// What a [`Snapshot`] is made of. A column that the job's stage does not show may be left out.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a store must give every column")]
pub struct StoredJob {
    /// Whose it is.
    pub owner: String,
    /// Which work.
    pub kind: String,
    /// Where it stands.
    pub life: Life,
    /// Whether its client asked to stop it.
    pub cancel_asked: bool,
    /// Why.
    pub cancel_reason: Option<String>,
    /// How much is done.
    pub progress_done: Option<f64>,
    /// Of how much.
    pub progress_total: Option<f64>,
    /// What is being done.
    pub progress_message: Option<String>,
    /// By [`attempts_to_text`](super::attempts_to_text).
    pub attempts: Option<String>,
    /// The result, canonical.
    pub output: Option<String>,
    /// By [`requests_to_text`](super::requests_to_text).
    pub requests: Option<String>,
    /// By [`answers_to_text`](super::answers_to_text).
    pub answers: Option<String>,
}

impl StoredJob {
    /// What the job of this id shows at this time.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when a column is missing or does not read back.
    pub fn snapshot(self, id: &JobId<'_>, now_ms: u64) -> Result<Snapshot, StoreError> {
        let phase = self.phase()?;
        let attempts = self.attempts.map(|text| attempts_from_text(&text)).transpose()?;
        let (total, message) = (self.progress_total, self.progress_message);
        let progress = self.progress_done.and_then(|done| Progress::new(done, total, message));
        Ok(Snapshot {
            id: id.clone().into_owned(),
            owner: ClientId::new(self.owner).map_err(no_name)?,
            kind: ToolName::new(self.kind).map_err(no_name)?,
            phase,
            progress,
            attempts: attempts.unwrap_or_default(),
            cancel: self.cancel_asked.then(|| CancelRequest::new(self.cancel_reason)),
            version: self.life.version,
            created_ms: self.life.created_ms,
            ttl_ms: self.life.expires_ms.saturating_sub(self.life.created_ms),
            read_ms: now_ms,
        })
    }

    fn phase(&self) -> Result<Phase, StoreError> {
        Ok(match self.life.stage {
            Stage::Queued { .. } => Phase::Queued,
            Stage::Running { .. } => Phase::Running,
            Stage::Parked => {
                let texts = self.requests.as_deref().zip(self.answers.as_deref());
                let (requests, answers) = texts.ok_or_else(|| missing("the requests"))?;
                let requests = requests_from_text(requests)?;
                let exchange = Exchange::restore(Some(requests), answers_from_text(answers)?);
                let requests = exchange.waiting_for().ok_or_else(|| missing("a request"))?;
                Phase::Parked { requests }
            }
            Stage::Completed => {
                let output = self.output.as_deref().ok_or_else(|| missing("the output"))?;
                Phase::Completed { output: json_from_text(output, "the output")? }
            }
            Stage::Failed => Phase::Failed,
            Stage::Cancelled => {
                Phase::Cancelled { request: CancelRequest::new(self.cancel_reason.clone()) }
            }
        })
    }
}

/// What a [`Listed`] is made of.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a store must give every column")]
pub struct StoredLine {
    /// The job.
    pub id: String,
    /// Whose it is.
    pub owner: String,
    /// Which work.
    pub kind: String,
    /// Where it stands.
    pub stage: StageName,
    /// Attempts that failed since creation or requeue.
    pub failures: u32,
    /// Who works on it, or did last.
    pub worker: Option<String>,
    /// When it was created, store's time, milliseconds since the Unix epoch.
    pub created_ms: u64,
}

impl StoredLine {
    /// The job's line in a list that is read at this time.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when a name does not read back.
    pub fn listed(self, now_ms: u64) -> Result<Listed, StoreError> {
        Ok(Listed {
            id: JobId::new(self.id).map_err(no_name)?,
            owner: ClientId::new(self.owner).map_err(no_name)?,
            kind: ToolName::new(self.kind).map_err(no_name)?,
            stage: self.stage,
            attempt: self.stage.attempt(self.failures),
            worker: self.worker,
            created_ms: self.created_ms,
            age: Duration::from_millis(now_ms.saturating_sub(self.created_ms)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(stage: Stage) -> StoredJob {
        let life = Life { stage, ..Life::new(1000, Duration::from_secs(9), 3) };
        StoredJob {
            owner: "client".into(),
            kind: "work".into(),
            life,
            cancel_asked: false,
            cancel_reason: None,
            progress_done: None,
            progress_total: None,
            progress_message: None,
            attempts: None,
            output: None,
            requests: None,
            answers: None,
        }
    }

    fn shown(stored: StoredJob) -> Result<Snapshot, StoreError> {
        stored.snapshot(&JobId::new("one").unwrap(), 5000)
    }

    #[test]
    fn columns_show_what_their_stage_shows() {
        let job = shown(stored(Stage::Queued { ready_ms: 1000 })).unwrap();
        assert_eq!((job.phase, job.ttl_ms, job.read_ms), (Phase::Queued, 9000, 5000));
        let output = Some("[1]".to_owned());
        let job = shown(StoredJob { output, ..stored(Stage::Completed) }).unwrap();
        assert!(matches!(job.phase, Phase::Completed { output } if output.as_str() == "[1]"));
        let reason = Some("why".to_owned());
        let cancel = StoredJob {
            cancel_asked: true,
            cancel_reason: reason.clone(),
            ..stored(Stage::Cancelled)
        };
        let job = shown(cancel).unwrap();
        let request = CancelRequest::new(reason);
        assert_eq!(
            (job.phase, job.cancel),
            (Phase::Cancelled { request: request.clone() }, Some(request))
        );
    }

    #[test]
    fn what_is_missing_or_damaged_is_named() {
        let schema = r#"{"k":{"message":"?","schema":true}}"#.to_owned();
        let answered = Some(r#"{"k":1}"#.to_owned());
        for (stored, says) in [
            (stored(Stage::Completed), "the output"),
            (stored(Stage::Parked), "the requests"),
            (
                StoredJob { requests: Some(schema), answers: answered, ..stored(Stage::Parked) },
                "a request",
            ),
            (StoredJob { attempts: Some("{".into()), ..stored(Stage::Failed) }, "the attempts"),
            (StoredJob { owner: "no name".into(), ..stored(Stage::Failed) }, "client"),
        ] {
            let error = shown(stored).unwrap_err();
            assert!(matches!(&error, StoreError::Corrupt(why) if why.contains(says)), "{error}");
        }
    }

    #[test]
    fn a_line_tells_the_attempt_that_runs_or_was_the_last() {
        for (stage, attempt) in [(StageName::Running, 3), (StageName::Failed, 2)] {
            let line = StoredLine {
                id: "one".into(),
                owner: "client".into(),
                kind: "work".into(),
                stage,
                failures: 2,
                worker: None,
                created_ms: 1000,
            };
            let listed = line.listed(3000).unwrap();
            assert_eq!((listed.attempt, listed.age), (attempt, Duration::from_secs(2)));
        }
    }
}

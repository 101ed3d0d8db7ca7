//! What callers were told, held against what a job store has in the end.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use waxwing_jobs::state::StageName;
use waxwing_jobs::{Listed, Phase, Store};

/// Whether a store has exactly the acknowledged jobs, each once, each completed with the result that
/// was seen, which is that of its last attempt: none of a worker that had lost the job was taken.
///
/// `listed` is every job of the store, `results` is by job; results are objects that name their
/// `attempt`. Gives how many jobs took more than one attempt.
///
/// # Errors
/// What is not so, in words.
pub async fn check(
    store: &dyn Store,
    listed: Vec<Listed>,
    acknowledged: &BTreeSet<String>,
    results: &BTreeMap<String, Value>,
) -> Result<usize, String> {
    let (mut ids, mut retried) = (BTreeSet::new(), 0);
    for job in listed {
        let id = job.id.to_string();
        if job.stage != StageName::Completed {
            return Err(format!("{id} is {:?}", job.stage));
        }
        let output = output(store, &job).await?;
        if Some(&output) != results.get(&id) {
            return Err(format!("{id} has two results: {output} and {:?}", results.get(&id)));
        }
        if output["attempt"] != job.attempt {
            let last = job.attempt;
            return Err(format!(
                "{id} has the result of an attempt that was lost: {output}, {last}"
            ));
        }
        retried += usize::from(job.attempt > 1);
        if !ids.insert(id) {
            return Err(format!("{} is there twice", job.id));
        }
    }
    let lost: Vec<_> = acknowledged.difference(&ids).collect();
    let unknown: Vec<_> = ids.difference(acknowledged).collect();
    if !lost.is_empty() || !unknown.is_empty() {
        return Err(format!("lost: {lost:?}; never acknowledged: {unknown:?}"));
    }
    Ok(retried)
}

async fn output(store: &dyn Store, job: &Listed) -> Result<Value, String> {
    let snapshot = store.get(&job.owner, &job.id).await.map_err(|error| error.to_string())?;
    match snapshot.map(|snapshot| snapshot.phase) {
        Some(Phase::Completed { output }) => output.decode().map_err(|error| error.to_string()),
        other => Err(format!("{} is not completed: {other:?}", job.id)),
    }
}

//! `waxwing jobs retry|cancel|purge`: what is done to jobs, to which, and what became of each.

use serde_json::{Value, json};
use waxwing_core::JobId;
use waxwing_jobs::state::StageName;
use waxwing_jobs::{
    Bound, CancelRequest, CancelVerdict, PurgeVerdict, RequeueVerdict, Store, StoreError,
};

use super::{counted, select};
use crate::cli::{FilterArgs, JobsActArgs};
use crate::exit::{Exit, Failure};
use crate::output;
use crate::table::Table;
use crate::terminal;

/// Jobs that are changed in one commit.
const BATCH: usize = 200;

/// What is done.
pub(super) enum Act {
    Retry,
    Cancel { reason: Option<String> },
    Purge,
}

/// What became of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Done(&'static str),
    Refused(&'static str),
}

impl Fate {
    const fn word(self) -> &'static str {
        match self {
            Self::Done(word) | Self::Refused(word) => word,
        }
    }
}

impl Act {
    /// The stages of jobs that it can be done to.
    const fn stages(&self) -> &'static [StageName] {
        match self {
            Self::Retry => &[StageName::Failed],
            Self::Cancel { .. } => &[StageName::Queued, StageName::Running, StageName::Parked],
            Self::Purge => &[StageName::Completed, StageName::Failed, StageName::Cancelled],
        }
    }

    const fn past(&self) -> &'static str {
        match self {
            Self::Retry => "retried",
            Self::Cancel { .. } => "cancelled",
            Self::Purge => "purged",
        }
    }

    async fn apply(
        &self,
        store: &dyn Store,
        jobs: &[JobId<'static>],
    ) -> Result<Vec<Fate>, StoreError> {
        match self {
            Self::Retry => {
                let verdicts = store.requeue(jobs.to_vec()).await?;
                Ok(verdicts.into_iter().map(of_requeue).collect())
            }
            Self::Purge => {
                let verdicts = store.purge(jobs.to_vec()).await?;
                Ok(verdicts.into_iter().map(of_purge).collect())
            }
            Self::Cancel { reason } => {
                let mut fates = Vec::with_capacity(jobs.len());
                for job in jobs {
                    fates.push(cancel(store, job, reason.clone()).await?);
                }
                Ok(fates)
            }
        }
    }
}

const UNKNOWN: Fate = Fate::Refused("there is no such job");

const fn of_requeue(verdict: RequeueVerdict) -> Fate {
    match verdict {
        RequeueVerdict::Done => Fate::Done("queued"),
        RequeueVerdict::NotFailed => Fate::Refused("it has not failed"),
        RequeueVerdict::Unknown => UNKNOWN,
        RequeueVerdict::Full(Bound::ClientJobs) => {
            Fate::Refused("its client has too many unfinished jobs")
        }
        RequeueVerdict::Full(_) => Fate::Refused("there are too many unfinished jobs"),
    }
}

const fn of_purge(verdict: PurgeVerdict) -> Fate {
    match verdict {
        PurgeVerdict::Done => Fate::Done("deleted"),
        PurgeVerdict::NotEnded => Fate::Refused("it has not ended; cancel it first"),
        PurgeVerdict::Unknown => UNKNOWN,
    }
}

async fn cancel(
    store: &dyn Store,
    job: &JobId<'static>,
    reason: Option<String>,
) -> Result<Fate, StoreError> {
    let Some(found) = store.inspect(job).await? else { return Ok(UNKNOWN) };
    let reason = reason.unwrap_or_else(|| "cancelled by the operator".to_owned());
    let request = CancelRequest::new(Some(reason));
    Ok(match store.cancel(&found.snapshot.owner, job, request).await? {
        CancelVerdict::Settled => Fate::Done("cancelled"),
        CancelVerdict::Requested => Fate::Done("its worker is told"),
        CancelVerdict::AlreadyTerminal => Fate::Refused("it has ended"),
        CancelVerdict::Unknown => UNKNOWN,
    })
}

pub(super) async fn run(act: Act, args: JobsActArgs) -> Result<(), Failure> {
    let by_name = !args.jobs.is_empty();
    check(&act, &args, by_name)?;
    let store = select::open(&args.store).await?;
    let jobs = if by_name {
        args.jobs
    } else {
        let limit = args.filter.limit.map(|limit| limit as usize);
        let found = select::jobs(&*store, &args.filter, act.stages(), limit).await?;
        found.jobs.into_iter().map(|job| job.id).collect()
    };
    if !by_name && !args.yes {
        return preview(&act, &jobs, args.store.json);
    }
    let mut fates = Vec::with_capacity(jobs.len());
    for batch in jobs.chunks(BATCH) {
        let done = act.apply(&*store, batch).await?;
        fates.extend(batch.iter().zip(done));
    }
    report(&act, &fates, args.store.json)
}

/// What the words of the command line cannot say together.
fn check(act: &Act, args: &JobsActArgs, by_name: bool) -> Result<(), Failure> {
    let FilterArgs { state, tool, client, older_than, limit } = &args.filter;
    let is_filtered = !state.is_empty()
        || tool.is_some()
        || client.is_some()
        || older_than.is_some()
        || limit.is_some();
    match (by_name, is_filtered || args.all) {
        (true, true) => return Err(Failure::usage("name jobs, or give filters, not both")),
        (false, false) => {
            let text = "name the jobs, or say which with --state, --tool, --client, --older-than, \
                        --limit or --all";
            return Err(Failure::usage(text));
        }
        _ => {}
    }
    let fits = |stage: &StageName| act.stages().contains(stage);
    match state.iter().map(|state| StageName::from(*state)).find(|stage| !fits(stage)) {
        None => Ok(()),
        Some(stage) => {
            let (stage, past) = (stage.as_str(), act.past());
            Err(Failure::usage(format!("jobs in state {stage} cannot be {past}")))
        }
    }
}

/// Says what would be done.
fn preview(act: &Act, jobs: &[JobId<'static>], json: bool) -> Result<(), Failure> {
    let past = act.past();
    terminal::note(&format!("{} would be {past}; do it with --yes", counted(jobs.len())));
    let named: Vec<Value> = jobs.iter().map(|job| json!({ "job_id": job })).collect();
    let document = json!({ "dry_run": true, "jobs": named });
    output::show(json, &document, || {
        let mut table = Table::new(&["JOB"]);
        for job in jobs {
            table.row([job.as_str()]);
        }
        table
    })
}

/// Says what was done. That something could not be is a failure, after what could.
fn report(act: &Act, fates: &[(&JobId<'static>, Fate)], json: bool) -> Result<(), Failure> {
    let is_done = |fate: &Fate| matches!(fate, Fate::Done(_));
    let told: Vec<Value> = fates
        .iter()
        .map(|(job, fate)| json!({ "job_id": job, "done": is_done(fate), "outcome": fate.word() }))
        .collect();
    let document = json!({ "dry_run": false, "jobs": told });
    output::show(json, &document, || {
        let mut table = Table::new(&["JOB", "OUTCOME"]);
        for (job, fate) in fates {
            table.row([job.as_str(), fate.word()]);
        }
        table
    })?;
    let refused: Vec<_> = fates.iter().filter(|(_, fate)| !is_done(fate)).collect();
    if refused.is_empty() {
        return Ok(());
    }
    let (count, past) = (refused.len(), act.past());
    let were = if count == 1 { "was" } else { "were" };
    let mut text = format!("{count} of {} {were} not {past}", counted(fates.len()));
    for (job, fate) in refused.iter().take(10) {
        text.push_str(&format!("\n- {job}: {}", fate.word()));
    }
    Err(Failure::new(Exit::Failed, text))
}

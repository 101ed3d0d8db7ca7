//! `waxwing jobs`: the operator's view of a store, and what may be done to the jobs in it.

mod act;
mod select;
mod show;

use serde_json::{Value, json};
use waxwing_jobs::state::StageName;
use waxwing_jobs::{Listed, millis};

use self::act::Act;
use crate::age::spoken;
use crate::cli::{JobsCommand, JobsListArgs};
use crate::exit::Failure;
use crate::output::{self, Reader};
use crate::table::Table;
use crate::terminal;

/// How many jobs a list shows unless it is told otherwise.
const LISTED: usize = 100;

pub(super) async fn run(command: JobsCommand) -> Result<(), Failure> {
    match command {
        JobsCommand::List(args) => list(args).await,
        JobsCommand::Show(args) => show::run(args).await,
        JobsCommand::Retry(args) => act::run(Act::Retry, args).await,
        JobsCommand::Cancel(args) => act::run(Act::Cancel { reason: args.reason }, args.act).await,
        JobsCommand::Purge(args) => act::run(Act::Purge, args).await,
    }
}

async fn list(args: JobsListArgs) -> Result<(), Failure> {
    let store = select::open(&args.store).await?;
    let limit = args.filter.limit.map_or(LISTED, |limit| limit as usize);
    let found = select::jobs(&*store, &args.filter, &StageName::ALL, Some(limit)).await?;
    let jobs: Vec<Value> = found.jobs.iter().map(line).collect();
    let document = json!({ "jobs": jobs, "more": found.more });
    output::show(args.store.json, &document, || table(&found.jobs))?;
    if found.more && Reader::told(args.store.json) == Reader::Person {
        terminal::note(
            "these are the oldest; there are more: --limit N lists more of them, filters fewer",
        );
    }
    Ok(())
}

/// `1 job`, `2 jobs`.
fn counted(jobs: usize) -> String {
    format!("{jobs} job{}", if jobs == 1 { "" } else { "s" })
}

/// A job in a list: nothing that its client sent or got.
fn line(job: &Listed) -> Value {
    json!({
        "job_id": job.id,
        "client_id": job.owner,
        "tool": job.kind,
        "state": job.stage.as_str(),
        "attempt": job.attempt,
        "worker": job.worker,
        "created_ms": job.created_ms,
        "age_ms": millis(job.age),
    })
}

fn table(jobs: &[Listed]) -> Table {
    let mut table = Table::new(&["JOB", "STATE", "TOOL", "CLIENT", "AGE", "ATTEMPT", "WORKER"]);
    for job in jobs {
        table.row([
            job.id.as_str(),
            job.stage.as_str(),
            job.kind.as_str(),
            job.owner.as_str(),
            &spoken(job.age),
            &job.attempt.to_string(),
            job.worker.as_deref().unwrap_or("-"),
        ]);
    }
    table
}

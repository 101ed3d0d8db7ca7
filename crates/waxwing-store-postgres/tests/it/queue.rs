//! The queue: whose job is next, and what a claim leaves alone.

use waxwing_core::{ClientId, ToolName};
use waxwing_jobs::{Bounds, Claim, NewJob, Outcome, Settle, Started, Store};

use crate::support::{LEASE, Place, claim, id, json, kind, order};

fn of(client: &str, tool: &str, name: &str) -> NewJob {
    let owner = ClientId::new(client.to_owned()).unwrap();
    NewJob::new(id(name), owner, ToolName::new(tool.to_owned()).unwrap(), json(name))
}

async fn start(store: &dyn Store, jobs: Vec<NewJob>) {
    let started = store.start(jobs).await.unwrap();
    assert!(started.iter().all(|verdict| *verdict == Started::Created), "{started:?}");
}

/// Claims up to so many jobs and completes them: whose they were.
async fn work(store: &dyn Store, max: usize) -> Vec<String> {
    let claimed = store.claim(claim(max)).await.unwrap();
    let owners = claimed.iter().map(|job| job.owner.to_string()).collect();
    let end = |job: waxwing_jobs::Claimed| Settle {
        ticket: job.ticket,
        outcome: Outcome::Complete(json(1)),
    };
    store.settle(claimed.into_iter().map(end).collect()).await.unwrap();
    owners
}

#[tokio::test]
async fn a_job_that_nobody_can_run_gives_no_other_client_the_turns_of_all() {
    let Some(place) = Place::new("a_job_that_nobody_can_run") else { return };
    let store = place.open(Bounds::default()).await.unwrap();
    start(&*store, vec![of("lost", "missing", "stuck")]).await;
    start(&*store, (0..90).map(|n| of("busy", "work", &format!("busy-{n}"))).collect()).await;
    assert_eq!(work(&*store, 40).await.len(), 40);
    // A client whose queue runs short again and again is not first each time.
    let mut busy = 0;
    for round in 0..10 {
        let few = |n| of("brief", "work", &format!("brief-{round}-{n}"));
        start(&*store, (0..4).map(few).collect()).await;
        busy += work(&*store, 4).await.iter().filter(|owner| *owner == "busy").count();
    }
    assert!((15..=25).contains(&busy), "{busy} of 40 turns were the busy client's");
    let missing = Claim { kinds: vec![ToolName::new("missing").unwrap()], ..claim(9) };
    assert_eq!(store.claim(missing).await.unwrap().len(), 1, "and it is not forgotten");
}

#[tokio::test]
async fn jobs_of_several_kinds_come_in_the_order_of_their_places() {
    let Some(place) = Place::new("jobs_of_several_kinds") else { return };
    let store = place.open(Bounds::default()).await.unwrap();
    let tools = ["work", "other", "third"];
    let job = |n: usize| of("client", tools[n % 3], &format!("job-{n:02}"));
    start(&*store, (0..30).map(job).collect()).await;
    let kinds = ["third", "work", "work"].map(|name| ToolName::new(name).unwrap());
    let worker = Claim { worker: "w".into(), kinds: kinds.into(), lease: LEASE, max: 7 };
    let mut names = Vec::new();
    loop {
        let claimed = store.claim(worker.clone()).await.unwrap();
        names.extend(claimed.iter().map(|job| job.ticket.id.to_string()));
        if claimed.len() < 7 {
            break;
        }
    }
    let wanted = (0..30).filter(|n| n % 3 != 1).map(|n| format!("job-{n:02}"));
    assert_eq!(names, wanted.collect::<Vec<_>>());
    let none = Claim { kinds: vec![kind()], ..worker };
    assert!(store.claim(none).await.unwrap().is_empty());
}

#[tokio::test]
async fn rows_that_somebody_else_holds_are_passed_over_for_those_behind_them() {
    let Some(place) = Place::new("rows_that_somebody_else_holds") else { return };
    let store = place.open(Bounds::default()).await.unwrap();
    start(&*store, (0..30).map(|n| order(&format!("job-{n:02}"))).collect()).await;
    let other = place.client().await;
    let hold =
        format!("BEGIN; SELECT FROM \"{}\".jobs WHERE id < 'job-20' FOR UPDATE", place.schema);
    other.batch_execute(&hold).await.unwrap();
    let claimed = store.claim(claim(4)).await.unwrap();
    let names: Vec<_> = claimed.iter().map(|job| job.ticket.id.to_string()).collect();
    assert_eq!(names, ["job-20", "job-21", "job-22", "job-23"]);
    other.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(store.claim(claim(100)).await.unwrap().len(), 26);
}

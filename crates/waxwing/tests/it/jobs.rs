//! `call --wait`, `poll`, `watch`, `cancel`: jobs from a shell.

use serde_json::{Value, json};

use crate::support::Site;

fn started(site: &Site, seconds: &str) -> String {
    let ran = site.client(["call", "long_task", &format!("seconds={seconds}")]);
    let accepted = ran.json();
    let job = accepted["job_id"].as_str().unwrap().to_owned();
    assert!(ran.stderr.contains(&format!("accepted as job {job}")), "{}", ran.stderr);
    assert!(accepted["poll_after_ms"].is_u64() && accepted["ttl_ms"].is_u64(), "{accepted}");
    job
}

#[test]
fn a_job_is_accepted_watched_and_polled() {
    let site = Site::new();
    let _server = site.serve();
    let job = started(&site, "5");
    let running = site.client(["poll", &job]).json();
    assert_eq!((&running["job_id"], &running["status"]), (&json!(job), &json!("running")));

    let watched = site.client(["watch", &job]);
    assert_eq!(watched.json(), json!({"seconds": 5}));
    let reports: Vec<_> = watched.stderr.lines().filter(|l| l.starts_with("progress ")).collect();
    assert!(!reports.is_empty(), "{}", watched.stderr);
    assert!(reports.iter().all(|line| line.ends_with("/10")), "{reports:?}");

    let done = json!({"job_id": job, "status": "done", "output": {"seconds": 5}});
    assert_eq!(site.client(["poll", &job]).json(), done);
    assert_eq!(site.client(["poll", &job, "--wait-ms", "30000"]).json(), done);
    assert_eq!(site.client(["cancel", &job]).json(), done, "it had ended");
}

#[test]
fn waiting_in_one_go() {
    let site = Site::new();
    let _server = site.serve();
    let ran = site.client(["call", "long_task", "seconds=0.2", "payload={}", "--wait"]);
    assert_eq!(ran.json(), json!({"seconds": 0.2, "payload": {}}));
    assert!(ran.stderr.contains("accepted as job"), "{}", ran.stderr);
    // --wait does nothing to a tool that answers at once.
    assert_eq!(site.client(["call", "batch_sum", "numbers=[1]", "--wait"]).json()["count"], 1);
}

#[test]
fn a_cancelled_job_says_so() {
    let site = Site::new();
    let _server = site.serve();
    let job = started(&site, "20");
    let asked: Value = site.client(["cancel", &job, "--reason", "enough"]).json();
    assert!(["running", "cancelled"].contains(&asked["status"].as_str().unwrap()), "{asked}");
    site.client(["watch", &job]).fails(5, &[&format!("job {job} was cancelled: enough")]);
    let cancelled = json!({"job_id": job, "status": "cancelled", "reason": "enough"});
    assert_eq!(site.client(["poll", &job]).json(), cancelled);
}

#[test]
fn a_job_that_never_was() {
    let site = Site::new();
    let _server = site.serve();
    for command in ["poll", "watch", "cancel"] {
        site.client([command, "no-such-job"]).fails(5, &["unknown_job"]);
    }
    site.client(["poll", "no such job"]).fails(1, &["job_id must be"]);
    site.client(["poll", "j", "--wait-ms", "30001"]).fails(1, &["30001"]);
}

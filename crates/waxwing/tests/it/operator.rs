//! `waxwing jobs`: an operator beside a running server.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::pty::at_terminal;
use crate::support::{Ran, ServerProcess, Site, run, waxwing};

/// A job that fails for good, or for as long as a file is missing.
const TOOLS: &str = r#"
[[tool]]
name = "needs_a_file"
description = "Fails while a file is missing."
mode = "job"
command = ["test", "-e", "the-file"]
input_schema = { type = "object", properties = { canary = { type = "string" } } }
output_schema = {}
"#;

struct Shop {
    site: Site,
    _server: ServerProcess,
}

impl Shop {
    fn open() -> Self {
        let site = Site::new();
        site.append("waxwing.toml", TOOLS);
        let _server = site.serve();
        Self { site, _server }
    }

    fn start(&self, words: &[&str]) -> String {
        let started = self.site.client(["call"].iter().chain(words)).json();
        started["job_id"].as_str().unwrap().to_owned()
    }

    fn jobs(&self, words: &[&str]) -> Ran {
        let config = self.site.path("waxwing.toml");
        run(waxwing().arg("jobs").args(words).arg("--config").arg(config))
    }

    fn state(&self, job: &str) -> String {
        self.jobs(&["show", job]).json()["state"].as_str().unwrap().to_owned()
    }

    fn until(&self, job: &str, state: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.state(job) != state {
            assert!(Instant::now() < deadline, "{}", self.jobs(&["show", job]).stdout);
        }
    }

    /// One job in each state that lasts: completed, failed, parked, running.
    fn stocked(&self) -> [String; 4] {
        let done = self.start(&["long_task", "seconds=0.01"]);
        self.until(&done, "completed");
        let failed = self.start(&["needs_a_file", "canary=canary-input"]);
        self.until(&failed, "failed");
        let parked = self.start(&["transfer", "to=canary-name", "amount=5"]);
        self.until(&parked, "parked");
        let running = self.start(&["long_task", "seconds=20"]);
        self.until(&running, "running");
        [done, failed, parked, running]
    }
}

fn ids(listed: &Value) -> Vec<&str> {
    listed["jobs"].as_array().unwrap().iter().map(|job| job["job_id"].as_str().unwrap()).collect()
}

#[test]
fn jobs_are_listed_by_every_filter_beside_the_server() {
    let shop = Shop::open();
    let [done, failed, parked, running] = shop.stocked();
    let list = |words: &[&str]| shop.jobs(&[&["list"], words].concat()).json();
    let all = list(&[]);
    assert_eq!(ids(&all), [&done, &failed, &parked, &running], "oldest first");
    assert_eq!(all["more"], false);
    let first = &all["jobs"][0];
    assert_eq!((&first["state"], &first["tool"]), (&json!("completed"), &json!("long_task")));
    assert!(first["worker"].as_str().unwrap().starts_with("waxwing-"), "{first}");
    assert!(first["client_id"].is_string() && first["age_ms"].is_u64(), "{first}");
    assert!(!all.to_string().contains("canary"), "nothing that a client sent");

    assert_eq!(ids(&list(&["--state", "failed,parked"])), [&failed, &parked]);
    assert_eq!(ids(&list(&["--tool", "long_task"])), [&done, &running]);
    assert_eq!(ids(&list(&["--client", "agent", "--state", "running"])), [&running]);
    assert_eq!(ids(&list(&["--client", "nobody"])), [""; 0]);
    assert_eq!(ids(&list(&["--older-than", "1h"])), [""; 0]);
    assert_eq!(ids(&list(&["--older-than", "0s"])).len(), 4);
    let two = list(&["--limit", "2"]);
    assert_eq!((ids(&two), &two["more"]), (vec![done.as_str(), &failed], &json!(true)));
}

#[test]
fn a_job_is_shown_without_what_its_client_sent_or_got() {
    let shop = Shop::open();
    let [done, failed, parked, _] = shop.stocked();
    let shown = shop.jobs(&["show", &failed]).json();
    assert_eq!((&shown["state"], &shown["attempt"]), (&json!("failed"), &json!(1)));
    assert_eq!(shown["attempts"].as_array().unwrap().len(), 1, "{shown}");
    assert!(shown["attempts"][0]["message"].is_string(), "{shown}");
    assert!(shown["ttl_left_ms"].as_u64().unwrap() <= shown["ttl_ms"].as_u64().unwrap());
    assert!(!shown.to_string().contains("canary"), "{shown}");
    let open = shop.jobs(&["show", &failed, "--show-input"]).json();
    assert_eq!(open["input"], json!({"canary": "canary-input"}));

    let shown = shop.jobs(&["show", &parked]).json();
    assert_eq!(shown["waits_for"], json!(["sure"]), "the question may hold what was sent");
    let open = shop.jobs(&["show", &parked, "--show-input"]).json();
    assert_eq!(open["waits_for"]["sure"], "Send 5 to canary-name?");

    let shown = shop.jobs(&["show", &done]).json();
    assert!(shown.get("output").is_none() && shown["progress"]["done"].is_number(), "{shown}");
    assert_eq!(
        shop.jobs(&["show", &done, "--show-output"]).json()["output"],
        json!({"seconds": 0.01})
    );

    shop.jobs(&["show", "no-such-job"]).fails(5, &["no job no-such-job"]);
    shop.jobs(&["show", "no such job"]).fails(1, &["job_id must be"]);

    let config = shop.site.path("waxwing.toml");
    let config = config.to_str().unwrap();
    let show = ["jobs", "show", &failed, "--config", config];
    let Some((code, text)) = at_terminal(&shop.site, &[("NO_COLOR", "1")], show) else { return };
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("state             failed"), "{text}");
    assert!(text.contains("failed attempt 1"), "{text}");
    let list = ["jobs", "list", "--config", config];
    let Some((_, text)) = at_terminal(&shop.site, &[("NO_COLOR", "1")], list) else { return };
    assert!(text.starts_with("JOB "), "{text}");
}

#[test]
fn a_failed_job_is_retried_and_runs_again_on_the_server() {
    let shop = Shop::open();
    let failed = shop.start(&["needs_a_file"]);
    shop.until(&failed, "failed");
    let preview = shop.jobs(&["retry", "--tool", "needs_a_file"]);
    assert_eq!(preview.json(), json!({"dry_run": true, "jobs": [{"job_id": failed}]}));
    assert!(preview.stderr.contains("--yes"), "{}", preview.stderr);
    assert_eq!(shop.state(&failed), "failed");
    let did = shop.jobs(&["retry", "--tool", "needs_a_file", "--yes"]).json();
    let queued = json!({"job_id": failed, "done": true, "outcome": "queued"});
    assert_eq!(did, json!({"dry_run": false, "jobs": [queued]}));
    shop.until(&failed, "failed");
    let again = shop.jobs(&["show", &failed]).json();
    assert_eq!(again["attempts"].as_array().unwrap().len(), 2, "it ran again: {again}");
}

#[test]
fn jobs_are_cancelled_wherever_they_are() {
    let shop = Shop::open();
    // A worker in another process is told with its next beat, a third of the lease.
    let [done, _, parked, running] = shop.stocked();
    let did = shop.jobs(&["cancel", &parked, &running, "--reason", "closing"]).json();
    assert_eq!(did["jobs"][0]["outcome"], "cancelled");
    assert_eq!(did["jobs"][1]["outcome"], "its worker is told");
    shop.until(&running, "cancelled");
    assert_eq!(shop.jobs(&["show", &running]).json()["cancel"]["reason"], "closing");
    shop.site.client(["watch", &parked]).fails(5, &["cancelled: closing"]);

    let ran = shop.jobs(&["cancel", &done, "no-such-job"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    for words in ["2 of 2 jobs were not cancelled", "it has ended", "no such job"] {
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
}

#[test]
fn ended_jobs_are_purged_and_nothing_else_is() {
    let shop = Shop::open();
    let [done, failed, parked, running] = shop.stocked();
    let config = shop.jobs(&["purge", "--all"]).json();
    assert_eq!(ids(&config), [&done, &failed], "{config}");
    assert_eq!(ids(&shop.jobs(&["list"]).json()).len(), 4, "nothing was done yet");
    shop.jobs(&["purge", "--state", "completed", "--yes"]).json();
    assert_eq!(ids(&shop.jobs(&["list"]).json()), [&failed, &parked, &running]);
    let ran = shop.jobs(&["purge", &failed, &running]);
    assert_eq!(ran.code, 5);
    assert!(ran.stderr.contains("1 of 2 jobs were not purged"), "{}", ran.stderr);
    assert!(ran.stderr.contains("has not ended; cancel it first"), "{}", ran.stderr);
    assert_eq!(ids(&shop.jobs(&["list"]).json()), [&parked, &running]);
    shop.site.client(["poll", &failed]).fails(5, &["unknown_job"]);
}

#[test]
fn what_cannot_be_meant_is_said() {
    let shop = Shop::open();
    for act in ["retry", "cancel", "purge"] {
        shop.jobs(&[act]).fails(1, &["name the jobs", "--all"]);
        shop.jobs(&[act, "some-job", "--tool", "x"]).fails(1, &["not both"]);
    }
    shop.jobs(&["retry", "--state", "running"]).fails(1, &["in state running cannot be retried"]);
    shop.jobs(&["purge", "--state", "queued"]).fails(1, &["in state queued cannot be purged"]);
    shop.jobs(&["list", "--state", "waiting"]).fails(1, &["waiting", "parked"]);
    shop.jobs(&["list", "--older-than", "yesterday"]).fails(1, &["such as 90s, 15m, 1h"]);
    shop.jobs(&["list", "--limit", "0"]).fails(1, &["0"]);

    let site = Site::new();
    let config = site.path("waxwing.toml");
    let jobs = || run(waxwing().args(["jobs", "list", "--config"]).arg(&config));
    jobs().fails(1, &["there is no store at", "waxwing.db"]);
    assert!(!site.path("waxwing.db").exists(), "looking makes no store");
    site.edit("waxwing.toml", "sqlite:waxwing.db", "memory:");
    jobs().fails(1, &["inside the server's process"]);
}

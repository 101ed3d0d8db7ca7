//! `waxwing jobs`: an operator beside a running server, over each durable store.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use waxwing_testkit::postgres::{fresh_name, shared};

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

[[tool]]
name = "comes_back"
description = "Has its first attempt fail, and asks for another later."
mode = "job"
command = ["sh", "-c", "exit 75"]
input_schema = { type = "object" }
output_schema = {}

[jobs]
lease_ms = 600
"#;

struct Shop {
    site: Site,
    server: ServerProcess,
}

/// One over each durable store, after another; over SQLite alone where there is no PostgreSQL.
fn shops(test: &str) -> impl Iterator<Item = Shop> {
    let postgres = shared(test).map(|cluster| cluster.url(&fresh_name("operator")));
    [Some("sqlite:waxwing.db".to_owned()), postgres]
        .into_iter()
        .flatten()
        .map(|store| Shop::over(&store))
}

impl Shop {
    fn over(store: &str) -> Self {
        let site = Site::new();
        site.keep_jobs_in(store);
        site.append("waxwing.toml", TOOLS);
        let server = site.serve();
        Self { site, server }
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

    /// What `show` says as soon as it is so.
    fn until_shown(&self, job: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let shown = self.jobs(&["show", job]).json();
            if is_so(&shown) {
                return shown;
            }
            assert!(Instant::now() < deadline, "{shown}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn until(&self, job: &str, state: &str) {
        self.until_shown(job, |shown| shown["state"] == state);
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
    for shop in shops("jobs_are_listed_by_every_filter_beside_the_server") {
        let [done, failed, parked, running] = shop.stocked();
        let list = |words: &[&str]| shop.jobs(&[&["list"], words].concat()).json();
        let all = list(&[]);
        assert_eq!(ids(&all), [&done, &failed, &parked, &running], "oldest first");
        assert_eq!(all["more"], false);
        let first = &all["jobs"][0];
        assert_eq!((&first["state"], &first["tool"]), (&json!("completed"), &json!("long_task")));
        let pid = format!("-{}-", shop.server.id());
        assert!(first["worker"].as_str().unwrap().contains(&pid), "{first}");
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
}

#[test]
fn a_job_is_shown_without_what_its_client_sent_or_got() {
    for shop in shops("a_job_is_shown_without_what_its_client_sent_or_got") {
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
    }
}

/// A retry that waits tells until when, and a job at work how long its worker may be silent.
#[test]
fn a_job_tells_when_it_moves_by_itself() {
    for shop in shops("a_job_tells_when_it_moves_by_itself") {
        let job = shop.start(&["comes_back"]);
        let shown = shop.until_shown(&job, |shown| {
            shown["state"] == "queued" && shown["attempts"] != json!([])
        });
        let (ready, ended) = (&shown["ready_ms"], &shown["attempts"][0]["ended_ms"]);
        assert!(ready.as_u64().unwrap() > ended.as_u64().unwrap(), "it has a delay: {shown}");
        assert!(shown["ready_in_ms"].is_u64() && shown.get("lease_until_ms").is_none(), "{shown}");

        let job = shop.start(&["long_task", "seconds=20"]);
        let shown = shop.until_shown(&job, |shown| shown["state"] == "running");
        assert!(shown["lease_left_ms"].as_u64().unwrap() <= 600, "{shown}");
        assert!(shown["lease_until_ms"].as_u64() > shown["created_ms"].as_u64(), "{shown}");
        assert!(shown.get("ready_ms").is_none(), "{shown}");
        shop.jobs(&["cancel", &job]).json();
        let shown = shop.until_shown(&job, |shown| shown["state"] == "cancelled");
        assert!(shown.get("lease_until_ms").is_none(), "{shown}");
    }
}

#[test]
fn a_failed_job_is_retried_and_runs_again_on_the_server() {
    for shop in shops("a_failed_job_is_retried_and_runs_again_on_the_server") {
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
}

#[test]
fn jobs_are_cancelled_wherever_they_are() {
    for shop in shops("jobs_are_cancelled_wherever_they_are") {
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
}

#[test]
fn ended_jobs_are_purged_and_nothing_else_is() {
    for shop in shops("ended_jobs_are_purged_and_nothing_else_is") {
        let [done, failed, parked, running] = shop.stocked();
        let config = shop.jobs(&["purge", "--all"]).json();
        assert_eq!(ids(&config), [&done, &failed], "{config}");
        assert_eq!(ids(&shop.jobs(&["list"]).json()).len(), 4, "nothing was done yet");
        shop.jobs(&["purge", "--state", "completed", "--yes"]).json();
        assert_eq!(ids(&shop.jobs(&["list"]).json()), [&failed, &parked, &running]);
        let ran = shop.jobs(&["purge", &failed, &running]);
        assert_eq!(ran.code, 5);
        assert!(ran.stderr.contains("1 of 2 jobs was not purged"), "{}", ran.stderr);
        assert!(ran.stderr.contains("has not ended; cancel it first"), "{}", ran.stderr);
        assert_eq!(ids(&shop.jobs(&["list"]).json()), [&parked, &running]);
        shop.site.client(["poll", &failed]).fails(5, &["unknown_job"]);
    }
}

/// What each command draws for a person. `None`, which ends the test, where there is no terminal.
#[test]
fn every_command_is_a_table_at_a_terminal() {
    for shop in shops("every_command_is_a_table_at_a_terminal") {
        let config = shop.site.path("waxwing.toml");
        let draw = |words: &[&str]| {
            let words = [&["jobs"], words, &["--config", config.to_str().unwrap()]].concat();
            at_terminal(&shop.site, &[("NO_COLOR", "1")], words)
        };
        let [done, failed, parked, running] = shop.stocked();
        let Some((code, text)) = draw(&["show", &failed]) else { return };
        assert_eq!(code, 0, "{text}");
        for words in [
            "state             failed\n",
            "failed attempt 1  the tool failed",
            "time left         ",
        ] {
            assert!(text.contains(words), "{words:?} is not in {text}");
        }
        let (_, text) = draw(&["show", &running]).unwrap();
        assert!(text.contains("lease ends  in "), "{text}");

        let (_, text) = draw(&["list"]).unwrap();
        assert!(text.starts_with("JOB "), "{text}");
        assert_eq!(text.lines().count(), 5, "{text}");
        let (_, text) = draw(&["list", "--limit", "1"]).unwrap();
        let more = "these are the oldest; there are more: --limit N";
        assert!(text.contains(&done) && text.contains(more), "{text}");

        let draws = |words: &[&str], lines: &[&str]| {
            let (code, text) = draw(words).unwrap();
            assert_eq!((code, text.lines().collect::<Vec<_>>()), (0, lines.to_vec()), "{text}");
        };
        let pad = |outcome: &str| format!("{:1$}OUTCOME", "JOB", done.len() + 2) + "\n" + outcome;
        let did = |job: &str, outcome: &str| pad(&format!("{job}  {outcome}"));
        let two = |text: String| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let ends = |words: &[&str], job: &str, outcome: &str| {
            let lines = two(did(job, outcome));
            draws(words, &lines.iter().map(String::as_str).collect::<Vec<_>>());
        };
        draws(&["retry", "--all"], &["1 job would be retried; do it with --yes", "JOB", &failed]);
        draws(
            &["cancel", "--tool", "transfer"],
            &["1 job would be cancelled; do it with --yes", "JOB", &parked],
        );
        draws(
            &["purge", "--all"],
            &["2 jobs would be purged; do it with --yes", "JOB", &done, &failed],
        );
        draws(
            &["purge", "--tool", "nothing"],
            &["0 jobs would be purged; do it with --yes", "JOB"],
        );
        ends(&["cancel", &parked], &parked, "cancelled");
        ends(&["purge", &done], &done, "deleted");
        ends(&["retry", &failed], &failed, "queued");
        let (code, text) = draw(&["purge", &running]).unwrap();
        assert_eq!(code, 5, "{text}");
        assert!(text.contains(&did(&running, "it has not ended; cancel it first")), "{text}");
        assert!(text.contains("error: 1 of 1 job was not purged"), "{text}");
    }
}

#[test]
fn what_cannot_be_meant_is_said() {
    for shop in shops("what_cannot_be_meant_is_said") {
        for act in ["retry", "cancel", "purge"] {
            shop.jobs(&[act]).fails(1, &["name the jobs", "--all"]);
            shop.jobs(&[act, "some-job", "--tool", "x"]).fails(1, &["not both"]);
        }
        shop.jobs(&["retry", "--state", "running"])
            .fails(1, &["in state running cannot be retried"]);
        shop.jobs(&["purge", "--state", "queued"]).fails(1, &["in state queued cannot be purged"]);
        shop.jobs(&["list", "--state", "waiting"]).fails(1, &["waiting", "parked"]);
        shop.jobs(&["list", "--older-than", "yesterday"]).fails(1, &["such as 90s, 15m, 1h"]);
        shop.jobs(&["list", "--limit", "0"]).fails(1, &["0"]);

        let site = Site::new();
        let config = site.path("waxwing.toml");
        let jobs = || run(waxwing().args(["jobs", "list", "--config"]).arg(&config));
        jobs().fails(1, &["there is no job store yet", "waxwing.db", "waxwing serve"]);
        assert!(!site.path("waxwing.db").exists(), "looking makes no store");
        site.edit("waxwing.toml", "sqlite:waxwing.db", "memory:");
        jobs().fails(1, &["inside the server's process"]);
    }
}

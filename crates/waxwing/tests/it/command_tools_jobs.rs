//! Programs as jobs: progress, cancellation, another attempt, and what outlives the server.

use serde_json::json;

use crate::command_tools::{Shop, until};

fn started(shop: &Shop, tool: &str) -> String {
    let job = shop.call(&[tool]).json()["job_id"].as_str().unwrap().to_owned();
    until(|| shop.is_up(), "it did not start");
    job
}

#[test]
fn progress_is_seen_by_whoever_polls() {
    let shop = Shop::new();
    let script = "import os, sys, time\n\
                  print('{\"progress\": {\"done\": 1, \"total\": 3, \"message\": \"packing\"}}', \
                  file=sys.stderr, flush=True)\n\
                  while not os.path.exists('go'): time.sleep(0.01)\nprint('null')\n";
    shop.tool("steps", "python3", script, "mode = \"job\"");
    let server = shop.site.serve();
    let job = shop.call(&["steps"]).json()["job_id"].as_str().unwrap().to_owned();
    let progress = json!({"done": 1, "total": 3, "message": "packing"});
    until(
        || shop.site.client(["poll", &job, "--wait-ms", "1000"]).json()["progress"] == progress,
        "no progress",
    );
    std::fs::write(shop.site.path("go"), "").unwrap();
    assert_eq!(shop.site.client(["watch", &job]).json(), json!(null));
    shop.is_clean();
    server.signal("TERM");
    let log = server.ended().stderr;
    assert!(!log.contains("packing"), "progress is not for the log: {log}");
}

#[test]
fn a_cancelled_job_leaves_nothing() {
    for (script, grace) in [
        ("touch up; sleep 600", "grace_ms = 600000"),
        ("(trap '' TERM; sleep 600; sleep 600) & trap '' TERM; touch up; wait", "grace_ms = 100"),
    ] {
        let shop = Shop::new();
        shop.tool("slow", "sh", script, &format!("mode = \"job\"\n{grace}"));
        let _server = shop.site.serve();
        let job = started(&shop, "slow");
        shop.site.client(["cancel", &job]).json();
        shop.site.client(["watch", &job]).fails(5, &["was cancelled"]);
        shop.is_clean();
    }
}

#[test]
fn a_crash_and_a_temporary_failure_are_tried_again() {
    let shop = Shop::new();
    let script = "read -r line\ncase $WAXWING_ATTEMPT in\n1) kill -KILL $$ ;;\n2) exit 75 ;;\n\
                  *) echo \"[$WAXWING_ATTEMPT, \\\"$WAXWING_JOB_ID\\\", \\\"$WAXWING_CLIENT_ID\\\"]\" ;;\nesac\n";
    shop.tool("flaky", "sh", script, "mode = \"job\"");
    shop.tool("wrong", "sh", "echo x >> attempts; exit 1", "mode = \"job\"");
    let _server = shop.site.serve();
    let job = shop.call(&["flaky"]).json()["job_id"].as_str().unwrap().to_owned();
    assert_eq!(shop.site.client(["watch", &job]).json(), json!([3, job, "agent"]));
    shop.call(&["wrong", "--wait"]).fails(5, &["exit code 1"]);
    assert_eq!(shop.site.read("attempts"), "x\n", "for good is for good");
}

/// Hangs when it runs for the first time, and is done at once the second time.
const TWICE: &str = "if [ -e up ]; then echo '\"done\"'; else touch up; sleep 600; fi";

#[test]
fn a_job_outlives_a_stop_of_the_server() {
    let shop = Shop::new();
    shop.tool("twice", "sh", TWICE, "mode = \"job\"");
    shop.site.append("waxwing.toml", "\n[jobs]\ndrain_ms = 50\n");
    let server = shop.site.serve();
    let job = started(&shop, "twice");
    server.signal("TERM");
    let ran = server.ended();
    assert!(ran.stderr.contains("1 jobs left for the next start"), "{}", ran.stderr);
    assert_eq!(shop.living(), Vec::<u32>::new());
    let _server = shop.site.serve();
    assert_eq!(shop.site.client(["watch", &job]).json(), json!("done"));
}

#[test]
fn a_job_outlives_kill_9_and_linux_ends_the_program_if_asked() {
    let shop = Shop::new();
    shop.tool("twice", "sh", TWICE, "mode = \"job\"");
    shop.site.edit(
        "waxwing.toml",
        "command = [\"sh\", \"twice.script\"]",
        "command = [\"setpriv\", \"--pdeathsig\", \"KILL\", \"sh\", \"twice.script\"]",
    );
    // In one process, so that there is no child that the signal does not reach.
    shop.site.edit("twice.script", "sleep 600", "exec sleep 600");
    shop.site.append("waxwing.toml", "\n[jobs]\nlease_ms = 300\nsweep_ms = 50\n");
    let mut server = shop.site.serve();
    let job = started(&shop, "twice");
    server.kill();
    shop.is_clean();
    let _server = shop.site.serve();
    assert_eq!(shop.site.client(["watch", &job]).json(), json!("done"));
}

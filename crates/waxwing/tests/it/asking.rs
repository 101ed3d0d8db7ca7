//! Jobs that ask, from a shell: `poll`, `watch` and `call --wait` show the questions, `answer` answers.

use serde_json::json;

use crate::pty::at_terminal;
use crate::support::{Ran, Site};

const ASK: [&str; 4] = ["call", "transfer", "to=Ada", "amount=5"];

/// The question on stderr, under an exit code of its own; nothing on stdout.
#[track_caller]
fn asks(ran: &Ran, job: &str) {
    let heading = format!("job {job} waits for answers:");
    let command = format!("waxwing answer {job} sure=true");
    ran.fails(6, &[&heading, "sure: Send 5 to Ada?", "boolean", &command]);
}

#[test]
fn a_question_is_shown_and_answered_and_the_job_goes_on() {
    let site = Site::new();
    let server = site.serve();
    let waited = site.client(ASK.into_iter().chain(["--wait"]));
    let job = waited.stderr.lines().find_map(|line| line.strip_prefix("accepted as job "));
    let job = job.unwrap().to_owned();
    asks(&waited, &job);
    asks(&site.client(["watch", &job]), &job);
    let polled = site.client(["poll", &job]).json();
    assert_eq!(polled["status"], "input_required");
    assert_eq!(polled["requests"]["sure"]["message"], "Send 5 to Ada?");
    assert_eq!(polled["requests"]["sure"]["schema"], json!({"type": "boolean"}));

    // It waits over a restart.
    drop(server);
    let _server = site.serve();
    asks(&site.client(["watch", &job]), &job);

    let answer = |words: &[&str]| site.client(["answer", &job].iter().chain(words));
    answer(&["sure=perhaps"]).fails(5, &["/answers/sure", "true or false"]);
    answer(&["sur=true"]).fails(5, &["/answers/sur"]);
    answer(&[]).fails(1, &["key=value"]);
    answer(&["sure=true", "sure=true"]).fails(1, &["twice"]);
    answer(&["sure=true", "--args", "[]"]).fails(1, &["--args"]);
    let answered = answer(&["sure=true"]).json();
    assert!(["running", "done"].contains(&answered["status"].as_str().unwrap()), "{answered}");
    let done = site.client(["watch", &job]).json();
    assert_eq!(done, json!({"to": "Ada", "amount": 5, "confirmed": true}));
    assert_eq!(answer(&["sure=false"]).json()["output"], done, "too late changes nothing");
    site.client(["answer", "no-such-job", "a=1"]).fails(5, &["unknown_job"]);
}

#[test]
fn answers_come_as_json_too() {
    let site = Site::new();
    let _server = site.serve();
    let job = site.client(ASK).json()["job_id"].as_str().unwrap().to_owned();
    assert_eq!(site.client(["watch", &job]).code, 6);
    site.client(["answer", &job, "--args", r#"{"sure":false}"#]).json();
    assert_eq!(site.client(["watch", &job]).json()["confirmed"], false);
}

#[test]
fn a_person_who_polls_is_told_how_to_answer() {
    let site = Site::new();
    let _server = site.serve();
    let job = site.client(ASK).json()["job_id"].as_str().unwrap().to_owned();
    site.client(["watch", &job]);
    let Some((code, shown)) = at_terminal(&site, &[("NO_COLOR", "1")], ["poll", &job]) else {
        return;
    };
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains(&format!("waxwing answer {job} sure=true")), "{shown}");
}

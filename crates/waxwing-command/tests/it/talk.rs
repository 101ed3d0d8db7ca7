//! What a program is given, and what it gives: stdin, stdout, stderr and its environment.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use waxwing_core::{ErrorCode, JobId};
use waxwing_tools::ToolMode;

use crate::workshop::{Workshop, context, tool};

#[tokio::test]
async fn arguments_are_one_line_and_output_is_one_value() {
    let python = "import json, sys\nargs = json.load(sys.stdin)\n\
                  print(json.dumps({'sum': sum(args['n'])}, indent=2))";
    let workshop = Workshop::python(python);
    assert_eq!(workshop.call(r#"{"n":[1,2.5]}"#).await.unwrap(), r#"{"sum":3.5}"#);
    let workshop = Workshop::shell("cat; echo over >&2");
    assert_eq!(workshop.call(r#"{"a":"ü"}"#).await.unwrap(), r#"{"a":"ü"}"#);
    let workshop = Workshop::shell("wc -lc | awk '{print \"[\" $1 \",\" $2 \"]\"}'");
    assert_eq!(workshop.call("{}").await.unwrap(), "[1,3]", "one line with its end");
    workshop.is_clean().await;
}

#[tokio::test]
async fn nothing_of_the_arguments_is_on_the_command_line_or_in_the_environment() {
    let script = "tr '\\0' '\\n' < /proc/$$/cmdline >&2; env >&2; exit 1";
    let mut secretive = tool(&["sh", "-c", script, "fixed"]);
    secretive.variables.pass.push("PASSED".to_owned());
    secretive.variables.set.insert("FIXED".to_owned(), "a b".to_owned());
    secretive.stderr_tail_bytes = 1 << 20;
    let workshop = Workshop::new(secretive);
    let context = context().with_attempt(3).with_job_id(JobId::new("job-1").unwrap());
    let error = workshop.call_with(context, r#"{"canary":"$(touch pwned)"}"#).await.unwrap_err();
    let details: Value = error.to_call_error("r").details.unwrap().decode().unwrap();
    let said = details["stderr_tail"].as_str().unwrap();
    assert!(!said.contains("canary") && !said.contains("pwned"), "{said}");
    assert!(said.contains("\nfixed\n"), "{said}");
    let environment = said.split_once("\nfixed\n").unwrap().1;
    let mut names: Vec<_> = environment
        .lines()
        .filter_map(|line| Some(line.split_once('=')?.0))
        // What shells add by themselves, and what depends on who runs the tests.
        .filter(|name| !["PWD", "SHLVL", "_", "OLDPWD"].contains(name))
        .filter(|name| !["HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ"].contains(name))
        .collect();
    names.sort_unstable();
    let expected = ["FIXED", "MARK", "PASSED", "PATH", "WAXWING_ATTEMPT"];
    assert_eq!(names[..5], expected);
    assert_eq!(names[5..], ["WAXWING_CLIENT_ID", "WAXWING_JOB_ID", "WAXWING_TOOL"]);
    for line in ["FIXED=a b", "WAXWING_ATTEMPT=3", "WAXWING_JOB_ID=job-1", "WAXWING_TOOL=t"] {
        assert!(said.lines().any(|said| said == line), "{line}: {said}");
    }
    assert!(said.contains("WAXWING_CLIENT_ID=agent-7"), "{said}");
    assert_eq!(std::fs::read_dir(workshop.folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn it_runs_in_its_folder() {
    let workshop = Workshop::shell("printf '\"%s\"' \"$(pwd -P)\"");
    let folder = workshop.folder.path().canonicalize().unwrap();
    assert_eq!(workshop.call("{}").await.unwrap(), json!(folder).to_string());
}

#[tokio::test]
async fn bad_output_blames_the_tool() {
    for (script, blame) in [
        ("echo no JSON", "is not one JSON value"),
        ("echo 1 2", "is not one JSON value"),
        ("printf '\"\\377\"'", "is not one JSON value"),
        ("echo '{\"a\":1,\"a\":1}'", "is not one JSON value"),
        ("true", "is empty"),
        ("echo '{'", "is not one JSON value"),
        ("echo '\"text\"'", "breaks its own schema"),
    ] {
        let mut numbers = tool(&["sh", "-c", &format!("read line; {script}; echo x >&2")]);
        numbers.schemas.output = json!({"type": "number"});
        let workshop = Workshop::new(numbers);
        let error = workshop.call("{}").await.unwrap_err().to_call_error("r-1");
        assert_eq!(error.code, ErrorCode::InvalidOutput, "{script}: {error}");
        assert!(error.message.contains(blame), "{script}: {error}");
        assert_eq!(error.details.unwrap().as_str(), r#"{"correlation_id":"r-1"}"#);
        workshop.is_clean().await;
    }
}

#[tokio::test]
async fn a_program_need_not_read_its_arguments() {
    // Far more than a pipe holds, and an end that comes with arguments still unread.
    let args = format!("{{\"a\":\"{}\"}}", "x".repeat(900_000));
    for script in ["echo 1", "exec <&-; echo 1", "head -c 10 >/dev/null; echo 1"] {
        let workshop = Workshop::shell(script);
        assert_eq!(workshop.call(&args).await.unwrap(), "1", "{script}");
        workshop.is_clean().await;
    }
    // Both sides write at once.
    let mut echo = tool(&["cat"]);
    echo.limits.output_bytes = 1 << 20;
    let workshop = Workshop::new(echo);
    assert_eq!(workshop.call(&args).await.unwrap(), args);
}

#[tokio::test]
async fn progress_is_reported_and_the_rest_is_not() {
    let script = "import sys\nfor i in 1, 2, 3:\n  \
                  print('{\"progress\": {\"done\": %d, \"total\": 3, \"message\": \"step\"}}' % i, \
                  file=sys.stderr)\nprint('words', file=sys.stderr)\nprint('null')";
    let mut steps = tool(&["python3", "-c", script]);
    steps.mode = ToolMode::Job;
    let workshop = Workshop::new(steps);
    let reports = Arc::<Mutex<Vec<_>>>::default();
    let sink = Arc::clone(&reports);
    let context = context().with_progress(move |report| sink.lock().unwrap().push(report));
    assert_eq!(workshop.call_with(context, "{}").await.unwrap(), "null");
    let reports = reports.lock().unwrap();
    let seen: Vec<_> =
        reports.iter().map(|r| (r.done, r.total, r.message.as_deref().unwrap())).collect();
    assert_eq!(seen, [(1, Some(3), "step"), (2, Some(3), "step"), (3, Some(3), "step")]);
}

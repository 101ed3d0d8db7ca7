//! How a call ends: exit codes, signals, time, cancellation, floods, and many calls at once.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use waxwing_core::ErrorCode;
use waxwing_tools::{CallFailure, CancelSource, Retry};

use crate::workshop::{Workshop, context, tool, until};

fn failed(failure: CallFailure) -> (String, Value, Retry) {
    let CallFailure::Failed { source, .. } = &failure else { panic!("{failure:?}") };
    let retry = source.retry();
    let error = failure.to_call_error("r");
    assert_eq!(error.code, ErrorCode::ToolFailed);
    (error.message.clone(), error.details.unwrap().decode().unwrap(), retry)
}

#[tokio::test]
async fn exit_codes_and_signals_are_told() {
    let code = |code, tail| json!({"exit_code": code, "stderr_tail": tail});
    for (script, message, details, retry) in [
        (
            "echo one >&2; echo 'no such file: x' >&2; exit 3",
            "t failed with exit code 3: no such file: x",
            code(3, "one\nno such file: x"),
            Retry::Never,
        ),
        ("exit 1", "t failed with exit code 1.", json!({"exit_code": 1}), Retry::Never),
        (
            "echo later >&2; exit 75",
            "t failed with exit code 75: later",
            code(75, "later"),
            Retry::Later,
        ),
        (
            "kill -SEGV $$",
            "t was ended by signal 11 (SIGSEGV).",
            json!({"signal": 11}),
            Retry::Later,
        ),
        ("kill -KILL $$", "t was ended by signal 9 (SIGKILL).", json!({"signal": 9}), Retry::Later),
        // What was written before does not count.
        ("echo 1; exit 2", "t failed with exit code 2.", json!({"exit_code": 2}), Retry::Never),
    ] {
        let workshop = Workshop::shell(script);
        let (said, told, again) = failed(workshop.call("{}").await.unwrap_err());
        assert_eq!((said.as_str(), &told, again), (message, &details, retry), "{script}");
        workshop.is_clean().await;
    }
}

#[tokio::test]
async fn what_is_worth_another_attempt_is_configured() {
    for (script, again) in [("exit 75", Retry::Never), ("exit 9", Retry::Later)] {
        let mut other = tool(&["sh", "-c", script]);
        other.retry.exit_codes = vec![9];
        let (_, _, retry) = failed(Workshop::new(other).call("{}").await.unwrap_err());
        assert_eq!(retry, again, "{script}");
    }
    let mut fragile = tool(&["sh", "-c", "kill -KILL $$"]);
    fragile.retry.signal = Retry::Never;
    assert_eq!(failed(Workshop::new(fragile).call("{}").await.unwrap_err()).2, Retry::Never);
    let mut discreet = tool(&["sh", "-c", "echo password >&2; exit 1"]);
    discreet.stderr_tail_bytes = 0;
    let (message, details, _) = failed(Workshop::new(discreet).call("{}").await.unwrap_err());
    assert_eq!(message, "t failed with exit code 1.");
    assert_eq!(details, json!({"exit_code": 1}));
}

#[tokio::test]
async fn a_python_exception_says_what_it_was() {
    let workshop = Workshop::python("raise ValueError('no such city')");
    let (message, details, _) = failed(workshop.call("{}").await.unwrap_err());
    assert_eq!(message, "t failed with exit code 1: ValueError: no such city");
    assert!(details["stderr_tail"].as_str().unwrap().starts_with("Traceback"), "{details}");
}

#[tokio::test]
async fn one_that_hangs_is_stopped() {
    for script in ["sleep 600", "exec sleep 600", "cat >/dev/null; while :; do :; done"] {
        let mut slow = tool(&["sh", "-c", script]);
        slow.limits.time = Some(Duration::from_millis(300));
        let workshop = Workshop::new(slow);
        let error = workshop.call("{}").await.unwrap_err().to_call_error("r");
        assert_eq!(error.code, ErrorCode::Timeout, "{error}");
        workshop.is_clean().await;
    }
}

#[tokio::test]
async fn floods_end_within_their_bounds() {
    let workshop = Workshop::shell("yes");
    let error = workshop.call("{}").await.unwrap_err().to_call_error("r");
    assert_eq!(error.code, ErrorCode::InvalidOutput, "{error}");
    assert!(error.message.contains("has more than 983040 bytes"), "{error}");
    workshop.is_clean().await;

    let workshop = Workshop::shell("yes | head -c 5000000 >&2; echo 1");
    assert_eq!(workshop.call("{}").await.unwrap(), "1");
    let mut endless = tool(&["sh", "-c", "yes >&2"]);
    endless.limits.time = Some(Duration::from_millis(300));
    let workshop = Workshop::new(endless);
    let error = workshop.call("{}").await.unwrap_err().to_call_error("r");
    assert_eq!(error.code, ErrorCode::Timeout, "{error}");
    workshop.is_clean().await;
    // Written in one go, just before the end: all of it is read, up to the bound.
    let exact = |bytes| {
        let script = format!("head -c {bytes} /dev/zero | tr '\\0' '1'");
        let mut full = tool(&["sh", "-c", &script]);
        full.limits.output_bytes = 60_000;
        full.schemas.output = json!({"type": "number"});
        Workshop::new(full)
    };
    // Sixty thousand digits are JSON, and no number that a double holds.
    for (bytes, words) in [(60_000, "is not one JSON value"), (60_001, "has more than 60000")] {
        let error = exact(bytes).call("{}").await.unwrap_err().to_call_error("r");
        assert!(error.message.contains(words), "{bytes}: {error}");
    }
}

#[tokio::test]
async fn a_cancelled_call_has_its_grace() {
    // It stops by itself and gives what it has.
    let kind = "trap 'echo 1; exit 0' TERM; touch up; while :; do sleep 0.02; done";
    let stubborn = "trap '' TERM; touch up; while :; do sleep 0.02; done";
    for (script, output) in [(kind, Some("1")), (stubborn, None)] {
        let mut patient = tool(&["sh", "-c", script]);
        let grace = if output.is_some() { 20_000 } else { 200 };
        patient.limits.cancel_grace = Duration::from_millis(grace);
        let workshop = Workshop::new(patient);
        let source = CancelSource::new();
        let call = workshop.call_with(context().with_cancellation(source.token()), "{}");
        let cancel = async {
            until(|| workshop.folder.path().join("up").exists(), "it did not start").await;
            source.cancel();
        };
        let (ended, ()) = tokio::join!(call, cancel);
        match (ended, output) {
            (Ok(given), Some(output)) => assert_eq!(given, output),
            (Err(CallFailure::Cancelled { .. }), None) => {}
            (ended, _) => panic!("{script}: {ended:?}"),
        }
        workshop.is_clean().await;
    }
}

#[tokio::test]
async fn twenty_calls_keep_the_bound_on_how_many_run() {
    let script = "mkdir run.$$; ls -d run.* | wc -l; sleep 0.02; rmdir run.$$";
    let mut narrow = tool(&["sh", "-c", script]);
    narrow.limits.concurrency = 3;
    let workshop = Arc::new(Workshop::new(narrow));
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let workshop = Arc::clone(&workshop);
            tokio::spawn(async move { workshop.call("{}").await.unwrap().parse::<u32>().unwrap() })
        })
        .collect();
    let mut most = 0;
    for call in calls {
        most = most.max(call.await.unwrap());
    }
    assert!((1..=3).contains(&most), "{most} at once");
    workshop.is_clean().await;
}

#[tokio::test]
async fn one_that_is_being_stopped_still_counts() {
    let script = "trap '' TERM; echo x >> starts; while :; do sleep 0.02; done";
    let mut stubborn = tool(&["sh", "-c", script]);
    stubborn.limits.concurrency = 1;
    stubborn.limits.cancel_grace = Duration::from_secs(600);
    let workshop = Workshop::new(stubborn);
    tokio::select! {
        ended = workshop.call("{}") => panic!("{ended:?}"),
        () = until(|| workshop.file("starts") == "x\n", "it did not start") => {}
    }
    let second = tokio::time::timeout(Duration::from_millis(300), workshop.call("{}")).await;
    assert!(second.is_err(), "{second:?}");
    assert_eq!(workshop.file("starts"), "x\n", "the second one never began");
    workshop.programs.kill();
    workshop.is_clean().await;
}

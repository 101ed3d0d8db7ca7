//! Children that outlive their parents, ignore SIGTERM or keep pipes open: none is left.

use std::time::Duration;

use waxwing_tools::CallFailure;

use crate::workshop::{Workshop, tool, until};

/// A child that ignores SIGTERM, and a grandchild too.
const STUBBORN: &str = "(trap '' TERM; (trap '' TERM; touch up; while :; do sleep 0.05; done) & \
                        while :; do sleep 0.05; done) &";

#[tokio::test]
async fn children_that_ignore_sigterm_are_killed_after_the_grace() {
    for (last, is_over) in [("wait", false), ("echo 1", true), ("echo 1; exit 1", true)] {
        // With the pipes of the program still open, and without.
        for closed in ["", "exec >&- 2>&-;"] {
            let script = format!("{STUBBORN} while [ ! -e up ]; do sleep 0.01; done; {last}");
            let script = format!("( {closed} {script} )");
            let script =
                if closed.is_empty() { script[1..script.len() - 1].to_owned() } else { script };
            let mut forking = tool(&["sh", "-c", &script]);
            forking.limits.time = Some(Duration::from_secs(if is_over { 30 } else { 1 }));
            forking.limits.cancel_grace = Duration::from_millis(200);
            let workshop = Workshop::new(forking);
            let ended = workshop.call("{}").await;
            assert_eq!(matches!(ended, Err(CallFailure::TimedOut { .. })), !is_over, "{ended:?}");
            workshop.is_clean().await;
        }
    }
}

#[tokio::test]
async fn the_output_is_there_when_the_program_ends_though_children_keep_the_pipe() {
    let workshop = Workshop::shell("sleep 600 & echo '{\"a\":1}'");
    assert_eq!(workshop.call("{}").await.unwrap(), r#"{"a":1}"#);
    workshop.is_clean().await;
}

#[tokio::test]
async fn python_that_forks_and_closes_everything_leaves_nothing() {
    let script = "import os, signal, sys, time\n\
                  if os.fork() == 0:\n    \
                      signal.signal(signal.SIGTERM, signal.SIG_IGN)\n    \
                      os.close(0); os.close(1); os.close(2)\n    \
                      open('up', 'w').close()\n    \
                      time.sleep(600)\n\
                  while not os.path.exists('up'): time.sleep(0.01)\n\
                  print('true')";
    let mut forking = tool(&["python3", "-c", script]);
    forking.limits.cancel_grace = Duration::from_millis(100);
    let workshop = Workshop::new(forking);
    assert_eq!(workshop.call("{}").await.unwrap(), "true");
    workshop.is_clean().await;
}

#[tokio::test]
async fn a_child_has_the_grace_too_when_its_parent_is_gone_at_once() {
    // The shell dies of SIGTERM; what it started needs a moment to put things in order.
    let script = "(trap 'sleep 0.3; echo tidy > tidied; exit' TERM; touch up; \
                  while :; do sleep 0.02; done) & wait";
    let mut wrapped = tool(&["sh", "-c", script]);
    wrapped.limits.cancel_grace = Duration::from_secs(20);
    let workshop = Workshop::new(wrapped);
    {
        let call = workshop.call("{}");
        tokio::select! {
            ended = call => panic!("{ended:?}"),
            () = until(|| workshop.folder.path().join("up").exists(), "it did not start") => {}
        }
    }
    workshop.is_clean().await;
    assert_eq!(workshop.file("tidied"), "tidy\n");
}

#[tokio::test]
async fn a_dropped_call_leaves_nothing() {
    let mut forking = tool(&["sh", "-c", &format!("{STUBBORN} wait")]);
    forking.limits.cancel_grace = Duration::from_millis(100);
    let workshop = Workshop::new(forking);
    for _ in 0..3 {
        tokio::select! {
            ended = workshop.call("{}") => panic!("{ended:?}"),
            () = until(|| workshop.folder.path().join("up").exists(), "it did not start") => {}
        }
        workshop.is_clean().await;
        std::fs::remove_file(workshop.folder.path().join("up")).unwrap();
    }
    // Dropped before it was ever begun.
    drop(workshop.call("{}"));
    assert_eq!(workshop.programs.running(), 0);
}

#[test]
fn a_runtime_that_goes_down_takes_its_programs_along() {
    let mut forking = tool(&["sh", "-c", &format!("{STUBBORN} wait")]);
    forking.limits.cancel_grace = Duration::from_secs(600);
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let first = runtime();
    let workshop = first.block_on(async { Workshop::new(forking) });
    first.block_on(async {
        tokio::select! {
            ended = workshop.call("{}") => panic!("{ended:?}"),
            () = until(|| workshop.folder.path().join("up").exists(), "it did not start") => {}
        }
    });
    assert_eq!(workshop.programs.running(), 1, "it has its grace");
    drop(first);
    runtime().block_on(until(|| workshop.living().is_empty(), "processes are left"));
    assert_eq!(workshop.programs.running(), 0);
}

#[tokio::test]
async fn a_server_without_time_kills_all_at_once() {
    let mut stubborn = tool(&["sh", "-c", &format!("{STUBBORN} wait")]);
    stubborn.limits.cancel_grace = Duration::from_secs(600);
    let workshop = Workshop::new(stubborn);
    tokio::select! {
        ended = workshop.call("{}") => panic!("{ended:?}"),
        () = until(|| workshop.folder.path().join("up").exists(), "it did not start") => {}
    }
    assert_eq!(workshop.programs.running(), 1);
    workshop.programs.kill();
    workshop.is_clean().await;
}

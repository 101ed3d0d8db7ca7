//! `demo`: all of it, as somebody sees it first.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{run, waxwing};

#[test]
fn every_step_does_what_it_should() {
    let folder = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let ran = run(waxwing().arg("demo").env("TMPDIR", folder.path()));
    assert_eq!(ran.json(), json!({"demo": "passed", "steps": 7}), "{}", ran.stderr);
    assert!(began.elapsed() < Duration::from_secs(40));
    for words in [
        "1. Ask who is there",
        "{\"count\":3,\"total\":6.75}",
        "3 things to mend",
        "HTTP 401",
        "HTTP 409, signed, replayed",
        "progress ",
        "killed",
        "{\"payload\":{\"order\":2},\"seconds\":2}",
        "All 7 steps did what they should.",
    ] {
        assert!(ran.stderr.contains(words), "{words:?} is not in {}", ran.stderr);
    }
    assert!(!ran.stderr.contains('\u{1b}'), "no colours where there is no terminal");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it cleans up");
}

/// A demo that is stopped leaves no server and no files behind.
#[test]
fn a_stop_cleans_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = waxwing();
    command.arg("demo").env("TMPDIR", folder.path()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut demo = command.spawn().unwrap();
    let mut said = BufReader::new(demo.stderr.take().unwrap()).lines().map_while(Result::ok);
    let server = said.by_ref().find_map(|line| {
        line.strip_prefix("A real server, process ")?.split(',').next()?.parse().ok()
    });
    let server: u32 = server.unwrap();
    assert!(is_there(server));
    let sent = Command::new("kill").args(["-TERM", &demo.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let rest: Vec<_> = said.collect();
    assert_eq!(demo.wait().unwrap().code(), Some(5));
    assert!(rest.iter().any(|line| line.contains("interrupted")), "{rest:?}");
    assert!(!is_there(server), "the server goes on without the demo");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it cleans up");
}

fn is_there(process: u32) -> bool {
    let mut asked = Command::new("kill");
    asked.args(["-0", &process.to_string()]).stderr(Stdio::null()).status().unwrap().success()
}

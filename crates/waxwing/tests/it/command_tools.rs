//! Tools that are programs, through the built server: what a caller is told in each case, that
//! nothing of a program is left, and that the next call is fine.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Ran, ServerProcess, Site, run, waxwing};

const PATIENCE: Duration = Duration::from_secs(30);

/// A site with tools whose processes can be found by a mark in their environment.
pub(crate) struct Shop {
    pub(crate) site: Site,
    mark: String,
}

impl Shop {
    pub(crate) fn new() -> Self {
        let site = Site::new();
        let mark = site.path("").display().to_string();
        Self { site, mark }
    }

    /// Adds a tool: a script for an interpreter, and more keys.
    pub(crate) fn tool(&self, name: &str, interpreter: &str, script: &str, more: &str) -> &Self {
        let path = self.site.path(&format!("{name}.script"));
        fs::write(&path, script).unwrap();
        let more = if more.contains("output_schema") {
            more.to_owned()
        } else {
            format!("{more}\noutput_schema = true")
        };
        self.site.append(
            "waxwing.toml",
            &format!(
                "\n[[tool]]\nname = \"{name}\"\ndescription = \"Made for a test.\"\n\
                 command = [\"{interpreter}\", \"{name}.script\"]\n\
                 input_schema = {{ type = \"object\", properties = {{ n = {{ type = \"integer\" }} }} }}\n\
                 environment = {{ set = {{ MARK = '{}' }} }}\n{more}\n",
                self.mark
            ),
        );
        self
    }

    pub(crate) fn call(&self, args: &[&str]) -> Ran {
        self.site.client(["call"].iter().chain(args))
    }

    pub(crate) fn is_up(&self) -> bool {
        self.site.path("up").exists()
    }

    pub(crate) fn living(&self) -> Vec<u32> {
        let mark = format!("MARK={}", self.mark);
        let processes = fs::read_dir("/proc").unwrap().map_while(Result::ok);
        processes
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|id: &u32| {
                let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
                environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
            })
            .collect()
    }

    #[track_caller]
    pub(crate) fn is_clean(&self) {
        until(|| self.living().is_empty(), "processes are left");
    }
}

#[track_caller]
pub(crate) fn until(is_so: impl Fn() -> bool, otherwise: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{otherwise}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The same tool twice, in two languages: what it does depends on `n`.
const PYTHON: &str = "
import json, os, signal, sys, time
n = json.load(sys.stdin).get('n', 0)
if n == 0: print(json.dumps({'n': n}))
elif n == 1: print('no JSON')
elif n == 2: print('[1]')
elif n == 3: print('it went wrong', file=sys.stderr); sys.exit(3)
elif n == 4: os.kill(os.getpid(), signal.SIGSEGV)
elif n == 5: time.sleep(600)
elif n == 6:
    while True: print('x' * 4096)
elif n == 7:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.fork() == 0: os.fork()
    time.sleep(600)
elif n == 8:
    for i in range(20000): print('words', file=sys.stderr)
    print(json.dumps({'n': n}))
";

const SHELL: &str = "
read -r line
n=$(printf '%s' \"$line\" | tr -cd '0-9')
case \"$n\" in
    0 | '') echo '{\"n\": 0}' ;;
    1) echo 'no JSON' ;;
    2) echo '[1]' ;;
    3) echo 'it went wrong' >&2; exit 3 ;;
    4) kill -SEGV $$ ;;
    5) sleep 600 ;;
    6) yes ;;
    7) trap '' TERM; (sleep 600 & sleep 600) & sleep 600 ;;
    8) yes words | head -n 20000 >&2; echo '{\"n\": 8}' ;;
esac
";

#[test]
fn every_way_to_end_in_two_languages_and_two_modes() {
    let shop = Shop::new();
    let more = "grace_ms = 100\nretry = { signal = false }\n\
                output_schema = { type = \"object\", properties = { n = { type = \"integer\" } } }";
    for (name, interpreter, script) in [("py", "python3", PYTHON), ("sh", "sh", SHELL)] {
        for (name, mode) in [(name.to_owned(), "sync"), (format!("{name}_job"), "job")] {
            let more = format!("mode = \"{mode}\"\n{more}");
            let hasty = format!("timeout_ms = 1500\n{more}");
            shop.tool(&name, interpreter, script, &format!("timeout_ms = 60000\n{more}"));
            shop.tool(&format!("{name}_hasty"), interpreter, script, &hasty);
        }
    }
    shop.site.append("waxwing.toml", "\n[jobs]\nmax_attempts = 1\n");
    let server = shop.site.serve();
    let names = ["py", "sh", "py_job", "sh_job"];
    std::thread::scope(|scope| {
        for name in names {
            let shop = &shop;
            scope.spawn(move || {
                let hasty = format!("{name}_hasty");
                let call = |n: &str| {
                    let name = if ["5", "7"].contains(&n) { &hasty } else { name };
                    shop.call(&[name, &format!("n={n}"), "--wait"])
                };
                for (n, words) in [
                    ("\"1\"", &["invalid_args", "/n", "expected a whole number"][..]),
                    ("1", &["invalid_output", "is not one JSON value", "orrelation"]),
                    ("2", &["invalid_output", "breaks its own schema"]),
                    ("3", &["tool_failed", "failed with exit code 3: it went wrong"]),
                    ("4", &["tool_failed", "signal 11 (SIGSEGV)"]),
                    ("5", &["timeout", "1500 ms"]),
                    ("6", &["invalid_output", "has more than 983040 bytes"]),
                    ("7", &["timeout"]),
                ] {
                    // A job says job_failed, and the words of its attempt.
                    let words = match words.split_first() {
                        Some((code, rest)) if name.ends_with("_job") && *code != "invalid_args" => {
                            rest
                        }
                        _ => words,
                    };
                    call(n).fails(5, words);
                    assert_eq!(call("0").json(), json!({"n": 0}), "{name}: the next call");
                }
                assert_eq!(call("8").json(), json!({"n": 8}), "{name}: a flood of stderr");
            });
        }
    });
    shop.is_clean();
    server.signal("TERM");
    let log = server.ended().stderr;
    for words in [
        "is not one JSON value: ",
        "it went wrong",
        "more stderr was left out",
        "did not end on SIGTERM and is killed",
    ] {
        assert!(log.contains(words), "{words:?} is not in the log");
    }
    for line in log.lines().filter(|line| line.contains("more stderr was left out")) {
        assert!(line.contains("lines=19900"), "{line}");
    }
    assert_eq!(log.lines().filter(|line| line.contains("words")).count(), 4 * 100);
}

#[test]
fn a_caller_that_hangs_up_stops_the_program() {
    let shop = Shop::new();
    let script = "(trap '' TERM; sleep 600; sleep 600) & touch up; wait; wait; sleep 600";
    shop.tool("slow", "sh", script, "grace_ms = 100").tool("quick", "sh", "echo 1", "");
    let _server = shop.site.serve();
    let mut command = shop.site.command(["call", "slow"]);
    let mut caller = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until(|| shop.is_up(), "it did not start");
    assert!(!shop.living().is_empty(), "the mark finds nothing");
    caller.kill().unwrap();
    caller.wait().unwrap();
    shop.is_clean();
    assert_eq!(shop.call(&["quick"]).json(), json!(1));
}

#[test]
fn twenty_callers_at_once_keep_the_bound() {
    let shop = Shop::new();
    let script = "mkdir run.$$; ls -d run.* | wc -l; sleep 0.05; rmdir run.$$";
    shop.tool("narrow", "sh", script, "concurrency = 2");
    let _server = shop.site.serve();
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                let at_once = shop.call(&["narrow"]).json().as_u64().unwrap();
                assert!((1..=2).contains(&at_once), "{at_once}");
            });
        }
    });
    shop.is_clean();
}

#[test]
fn a_stop_ends_programs_and_a_second_signal_kills_them() {
    for signals in [1, 2] {
        let shop = Shop::new();
        let script = "trap '' TERM; touch up; while :; do sleep 0.05; done";
        let grace = if signals == 1 { "grace_ms = 100" } else { "grace_ms = 600000" };
        let drain = if signals == 1 { 50 } else { 600_000 };
        shop.tool("stubborn", "sh", script, grace);
        shop.site.append("waxwing.toml", &format!("\n[jobs]\ndrain_ms = {drain}\n"));
        let server = shop.site.serve();
        let mut command = shop.site.command(["call", "stubborn"]);
        let mut caller = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until(|| shop.is_up(), "it did not start");
        server.signal("TERM");
        if signals == 2 {
            until(|| std::net::TcpStream::connect(server.address).is_err(), "it does not stop");
            server.signal("TERM");
        }
        let ran = server.ended();
        assert_eq!(ran.code, if signals == 1 { 0 } else { 5 }, "{ran:?}");
        if signals == 1 {
            assert_eq!(shop.living(), Vec::<u32>::new(), "the server ends after its programs");
        }
        shop.is_clean();
        assert!(!caller.wait().unwrap().success());
    }
}

#[test]
fn everything_wrong_is_told_before_the_start() {
    let shop = Shop::new();
    shop.tool("a", "no-such-program", "", "timeout_ms = 0\nenvironmint = {}");
    shop.tool(
        "b",
        "sh",
        "",
        "working_directory = \"nowhere\"\noutput_schema = { type = \"nothing\" }",
    );
    shop.site.append("waxwing.toml", "\n[[tool]]\nname = \"c\"\ncommand = \"sh\"\n");
    shop.tool("a", "sh", "", "");
    run(waxwing().arg("serve").arg("--config").arg(shop.site.path("waxwing.toml"))).fails(
        1,
        &[
            "tool \"a\": timeout_ms must be 1 to",
            "tool \"a\": environmint is no key here",
            "tool \"a\": the program \"no-such-program\" is not on PATH",
            "tool \"a\": another tool has this name already",
            "tool \"b\": working_directory",
            "tool \"b\": the output schema",
            "tool \"c\": description is missing",
            "tool \"c\": command is wrong",
            "tool \"c\": input_schema is missing",
        ],
    );
}

#[test]
fn the_examples_work() {
    let guide = include_str!("../../../../docs/command-tools.md");
    let blocks = |language: &str| -> Vec<&str> {
        let start = format!("```{language}\n");
        let parts = guide.split(start.as_str()).skip(1);
        parts.map(|part| part.split("```").next().unwrap()).collect()
    };
    let executable = |path: &Path, text: &str| {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    let site = Site::new();
    for block in blocks("toml") {
        site.append("waxwing.toml", &format!("\n{block}"));
    }
    fs::write(site.path("word_count.py"), blocks("python")[0]).unwrap();
    executable(&site.path("backup.sh"), blocks("sh")[0]);
    let _server = site.serve();
    let counted = site.client(["call", "word_count", "text=three small words"]);
    assert_eq!(counted.json(), json!({"words": 3}));
    site.client(["call", "backup", "label=$(id)"]).fails(5, &["invalid_args", "/label"]);

    // And the one that `waxwing init` writes.
    let site = Site::new();
    let text = site.read("waxwing.toml");
    let (_, example) = text.split_once("# [[tool]]\n").unwrap();
    let lines = example.lines().map_while(|line| line.strip_prefix("# "));
    let lines: Vec<_> = lines.collect();
    assert_eq!(lines.len(), 5, "{lines:?}");
    site.append("waxwing.toml", &format!("\n[[tool]]\n{}\n", lines.join("\n")));
    let script = "import json, sys\nprint(len(json.load(sys.stdin)['text'].split()))\n";
    fs::write(site.path("word_count.py"), script).unwrap();
    let _server: ServerProcess = site.serve();
    assert_eq!(site.client(["call", "word_count", "text=two words"]).json(), json!(2));
}

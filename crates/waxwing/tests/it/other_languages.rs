//! The clients of docs/clients, in Python and in Node, against a real server and against liars in
//! front of it, and both over docs/vectors.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Ran, Site, run};

/// A language, by what runs its programs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Language {
    interpreter: &'static str,
    client: &'static str,
    checker: &'static str,
}

const LANGUAGES: [Language; 2] = [
    Language { interpreter: "python3", client: "waxwing_client.py", checker: "check_vectors.py" },
    Language { interpreter: "node", client: "waxwing_client.mjs", checker: "check_vectors.mjs" },
];

impl Language {
    fn command(self, program: &str) -> Command {
        let mut command = Command::new(self.interpreter);
        command.arg(docs().join("clients").join(program)).stdin(Stdio::null());
        command.env("PYTHONDONTWRITEBYTECODE", "1").env_remove("NODE_OPTIONS");
        command
    }

    pub(crate) fn client(self, site: &Site, args: &[&str]) -> Ran {
        run(self.command(self.client).arg("--profile").arg(site.path("client.toml")).args(args))
    }

    fn check(self, vectors: &Path) -> Ran {
        run(self.command(self.checker).arg(vectors))
    }

    /// Runs lines that use the client as a library, with a clock that is an hour slow.
    fn script_an_hour_behind(self, site: &Site) -> Ran {
        let mut command = Command::new(self.interpreter);
        command.current_dir(docs().join("clients")).env("PYTHONDONTWRITEBYTECODE", "1");
        match self.interpreter {
            "python3" => command.arg("-c").arg(PYTHON_SCRIPT),
            _ => command.args(["--input-type=module", "--eval"]).arg(NODE_SCRIPT),
        };
        run(command.arg(site.path("client.toml")))
    }
}

const PYTHON_SCRIPT: &str = "
import sys, time
right = time.time_ns
time.time_ns = lambda: right() - 3600 * 10**9
import waxwing_client as waxwing
client = waxwing.Client.of_profile(sys.argv[1])
for _ in range(2):
    print(waxwing.canonical(client.call('batch_sum', {'numbers': [1, 2.5]}, idempotency_key='once')))
";

const NODE_SCRIPT: &str = "
const right = Date.now;
Date.now = () => right() - 3600e3;
const { Client, canonical } = await import(process.cwd() + '/waxwing_client.mjs');
const client = Client.ofProfile(process.argv[1]);
for (let i = 0; i < 2; i += 1) {
  console.log(canonical(await client.call('batch_sum', { numbers: [1, 2.5] }, { idempotency_key: 'once' })));
}
";

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").canonicalize().unwrap()
}

/// The languages that this machine has. Where one is missing the test says so; under CI it fails.
pub(crate) fn languages(test: &str) -> Vec<Language> {
    LANGUAGES.into_iter().filter(|language| is_there(language.interpreter, test)).collect()
}

#[expect(clippy::print_stderr, reason = "a test that cannot run must say so")]
fn is_there(interpreter: &str, test: &str) -> bool {
    if Command::new(interpreter).arg("--version").output().is_ok_and(|ran| ran.status.success()) {
        return true;
    }
    let line = format!("{test}: {interpreter} is missing");
    let in_ci = std::env::var("CI").is_ok_and(|ci| !matches!(ci.as_str(), "" | "0" | "false"));
    assert!(!in_ci, "{line}, and with CI set nothing may be skipped");
    eprintln!("skipped {line}");
    if let Some(path) = std::env::var_os("WAXWING_SKIPPED") {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
    false
}

#[test]
fn tools_are_called() {
    let site = Site::new();
    let _server = site.serve();
    for language in languages("tools_are_called") {
        let identity = language.client(&site, &["call", "server_identity"]).json();
        assert_eq!(identity["protocol"], "waxwing/1");
        assert_eq!(identity["server_id"], "waxwing.local");
        let tools = language.client(&site, &["call", "list_tools", "{}"]).json();
        assert_eq!(tools["tools"][0]["name"], "batch_sum");
        let sum = language.client(&site, &["call", "batch_sum", r#"{"numbers":[1,2.5]}"#]).json();
        assert_eq!(sum, json!({"count": 2, "total": 3.5}));

        let wrong = language.client(&site, &["call", "batch_sum", r#"{"numbers":["1"]}"#]);
        wrong.fails(5, &["invalid_args", "/numbers/0"]);
        language.client(&site, &["call", "no_such_tool"]).fails(5, &["unknown_tool"]);
        language.client(&site, &["poll", "no-such-job"]).fails(5, &["unknown_job"]);
        for refused_here in
            [r#"{"a":1,"a":2}"#, r#"{"a":9007199254740993}"#, r#"{"a":"\ud800"}"#, "[]", "{"]
        {
            language.client(&site, &["call", "batch_sum", refused_here]).fails(1, &["error: "]);
        }
    }
}

#[test]
fn jobs_are_awaited() {
    let site = Site::new();
    let _server = site.serve();
    for language in languages("jobs_are_awaited") {
        let args = r#"{"seconds":0.3,"payload":{"€":"😀\n","b":1e21,"a":[-0.0,1e-7]}}"#;
        let ran = language.client(&site, &["--wait", "call", "long_task", args]);
        ran.json();
        assert_eq!(
            ran.stdout,
            "{\"payload\":{\"a\":[0,1e-7],\"b\":1e+21,\"€\":\"😀\\n\"},\"seconds\":0.3}\n"
        );

        let accepted = language.client(&site, &["call", "long_task", r#"{"seconds":0.5}"#]).json();
        let job = accepted["job_id"].as_str().unwrap();
        let output = json!({"seconds": 0.5});
        assert_eq!(language.client(&site, &["wait", job]).json(), output);
        let done = json!({"job_id": job, "output": output, "status": "done"});
        assert_eq!(language.client(&site, &["poll", job]).json(), done);

        let accepted = language.client(&site, &["call", "long_task", r#"{"seconds":20}"#]).json();
        let job = accepted["job_id"].as_str().unwrap();
        assert_eq!(site.client(["cancel", job]).code, 0);
        language.client(&site, &["wait", job]).fails(5, &[job, "is cancelled"]);
    }
}

#[test]
fn a_clock_that_is_wrong_is_mended_by_what_the_server_signed() {
    let site = Site::new();
    let _server = site.serve();
    for language in languages("a_clock_that_is_wrong_is_mended_by_what_the_server_signed") {
        let ran = language.script_an_hour_behind(&site);
        let sum = "{\"count\":2,\"total\":3.5}\n";
        assert_eq!((ran.code, ran.stdout), (0, sum.repeat(2)), "{}", ran.stderr);
    }
}

#[test]
fn profiles_are_read_strictly() {
    for language in languages("profiles_are_read_strictly") {
        for (from, to) in [
            ("hmac-sha256", "none"),
            ("key_id = ", "key_ids = "),
            ("secret = \"", "secret = \"+"),
            ("http://", "ftp://"),
            ("client_id", "client_id = \"x\"\nclient_id"),
        ] {
            let site = Site::new();
            site.edit("client.toml", from, to);
            language.client(&site, &["call", "server_identity"]).fails(1, &["client.toml"]);
        }
        let site = Site::new();
        run(Command::new("chmod").arg("644").arg(site.path("client.toml")));
        language.client(&site, &["call", "server_identity"]).fails(1, &["chmod 600"]);
        run(Command::new("chmod").arg("600").arg(site.path("client.toml")));
        site.point_to(TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
        language.client(&site, &["call", "server_identity"]).fails(4, &["cannot be reached"]);
    }
}

#[test]
fn a_key_that_the_server_does_not_know_is_refused_as_a_hint() {
    let (site, stranger) = (Site::new(), Site::new());
    let server = site.serve();
    stranger.point_to(server.address);
    for language in languages("a_key_that_the_server_does_not_know_is_refused_as_a_hint") {
        language
            .client(&stranger, &["call", "server_identity"])
            .fails(3, &["refused, unsigned: unauthenticated"]);
    }
}

/// What somebody between client and server gives in place of the server's true answer.
type Lie = fn(request: &str, truth: &str) -> Vec<u8>;

const LIES: [(&str, Lie, i32, &str); 9] = [
    (
        "another result",
        |_, truth| http(&truth.replace("\"total\":3.5", "\"total\":4.5")),
        3,
        "signature",
    ),
    ("another status", |_, truth| http(&truth.replace("\"ok\"", "\"done\"")), 3, "not a reply"),
    (
        "no signature",
        |_, truth| http(&edited(truth, |reply| _ = reply.remove("signature"))),
        3,
        "not a reply",
    ),
    ("another direction", |request, _| http(request), 3, "not a reply"),
    (
        "a refusal",
        |_, _| {
            http(r#"{"error":{"code":"malformed","message":"no"},"typ":"refusal","v":"waxwing/1"}"#)
        },
        5,
        "unsigned",
    ),
    ("a page", |_, _| http("<html></html>"), 3, "not a reply"),
    (
        "a redirect",
        |_, _| {
            b"HTTP/1.1 307 See there\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
                .to_vec()
        },
        3,
        "not a reply",
    ),
    (
        "more than is read",
        |_, truth| http(&format!("{truth}{}", " ".repeat(2 << 20))),
        3,
        "not a reply",
    ),
    ("half an answer", |_, truth| http(truth)[..200].to_vec(), 4, "cannot be reached"),
];

#[test]
fn forged_replies_are_refused() {
    let site = Site::new();
    let server = site.serve();
    let args = ["call", "batch_sum", r#"{"numbers":[1,2.5]}"#];
    for language in languages("forged_replies_are_refused") {
        site.point_to(between(server.address, |_, truth| http(truth)));
        assert_eq!(language.client(&site, &args).json()["total"], 3.5, "{language:?}");
        for (name, lie, code, word) in LIES {
            site.point_to(between(server.address, lie));
            let ran = language.client(&site, &args);
            assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{name}: {ran:?}");
            assert!(ran.stderr.contains(word), "{name}: {ran:?}");
        }
    }
}

#[test]
fn a_true_reply_to_another_call_is_refused() {
    let site = Site::new();
    let server = site.serve();
    for language in languages("a_true_reply_to_another_call_is_refused") {
        // The liar asks the server on its own behalf what it was asked before.
        let earlier = TcpListener::bind("127.0.0.1:0").unwrap();
        site.point_to(earlier.local_addr().unwrap());
        let to = server.address;
        let liar = thread::spawn(move || {
            let mut first = None;
            for _ in 0..2 {
                let (mut client, _) = earlier.accept().unwrap();
                let request = read_message(&mut client);
                let truth = first.get_or_insert_with(|| ask(to, &request)).clone();
                client.write_all(&http(&truth.1)).unwrap();
            }
        });
        let args = ["call", "batch_sum", r#"{"numbers":[1,2.5]}"#];
        assert_eq!(language.client(&site, &args).json()["total"], 3.5);
        language.client(&site, &args).fails(3, &["answers another request"]);
        liar.join().unwrap();
    }
}

/// Something that listens, asks the server once what it is asked, and answers by `lie`.
fn between(server: SocketAddr, lie: Lie) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let request = read_message(&mut client);
        let truth = ask(server, &request);
        // A client need not read to the end what it has seen to be a lie.
        _ = client.write_all(&lie(&request.1, &truth.1));
    });
    address
}

/// Sends a message on as it came; what the server says.
fn ask(server: SocketAddr, (head, body): &(String, String)) -> (String, String) {
    let mut stream = TcpStream::connect(server).unwrap();
    let length = body.len();
    assert!(head.starts_with("POST /v1/call HTTP/1.1\r\n"), "{head}");
    write!(
        stream,
        "POST /v1/call HTTP/1.1\r\nHost: {server}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    read_message(&mut stream)
}

/// Head and body of one HTTP message of known length.
fn read_message(stream: &mut TcpStream) -> (String, String) {
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let lower = head.to_ascii_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    (head, String::from_utf8(body).unwrap())
}

fn http(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

fn edited(message: &str, edit: fn(&mut serde_json::Map<String, Value>)) -> String {
    let mut message: Value = serde_json::from_str(message).unwrap();
    edit(message.as_object_mut().unwrap());
    message.to_string()
}

#[test]
fn both_judge_the_vectors_as_waxwing_does() {
    for language in languages("both_judge_the_vectors_as_waxwing_does") {
        let ran = language.check(&docs().join("vectors"));
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.stdout.ends_with("vectors hold\n"), "{ran:?}");
    }
}

#[test]
fn vectors_that_do_not_hold_are_found() {
    for language in languages("vectors_that_do_not_hold_are_found") {
        for (file, from, to) in [
            ("json.json", "\"canonical\": \"{}\"", "\"canonical\": \"{ }\""),
            ("json.json", "\"code\": \"too_large\"", "\"code\": \"malformed\""),
            ("requests.json", "\"verdict\": \"accepted\"", "\"verdict\": \"refused\""),
            ("requests.json", "0d7a1c5575c14a578f398a1a", "0d7a1c5575c14a578f398a1b"),
            ("requests.json", "\"code\": \"stale\"", "\"code\": \"replayed\""),
            ("replies.json", "\"check\": \"wrong_request\"", "\"check\": \"wrong_party\""),
            ("refusals.json", "\"code\": \"overloaded\"", "\"code\": \"malformed\""),
            ("tamperings.json", "\"secret\": \"00", "\"secret\": \"01"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let text = fs::read_to_string(docs().join("vectors").join(file)).unwrap();
            assert!(text.contains(from), "{from} is not in {file}");
            fs::write(folder.path().join(file), text.replace(from, to)).unwrap();
            let ran = language.check(folder.path());
            assert_ne!(ran.code, 0, "{language:?}, {file}, {to}");
            assert!(ran.stderr.contains(file), "{ran:?}");
        }
        assert_ne!(language.check(tempfile::tempdir().unwrap().path()).code, 0);
    }
}

/// Node has Ed25519; Python's standard library has not, and its client says so.
#[test]
fn ed25519_is_spoken_where_it_can_be() {
    let site = Site::with_algorithm("ed25519");
    let _server = site.serve();
    for language in languages("ed25519_is_spoken_where_it_can_be") {
        let called = || language.client(&site, &["call", "batch_sum", r#"{"numbers":[1,2.5]}"#]);
        if language.interpreter != "node" {
            called().fails(1, &["client.toml"]);
            continue;
        }
        assert_eq!(called().json(), json!({"count": 2, "total": 3.5}));
        let waited = ["--wait", "call", "long_task", r#"{"seconds":0.05}"#];
        assert_eq!(language.client(&site, &waited).json(), json!({"seconds": 0.05}));
        let profile = site.read("client.toml");
        let server = profile.split("server_public_key = \"").nth(1).unwrap();
        let other = run(crate::support::waxwing().args([
            "keygen",
            "--client",
            "x",
            "--algorithm",
            "ed25519",
        ]));
        let other = other.json()["public_key"].as_str().unwrap().to_owned();
        site.edit("client.toml", server.split('"').next().unwrap(), &other);
        called().fails(3, &["the reply's signature does not verify"]);
        site.edit("client.toml", &format!("server_public_key = \"{other}\"\n"), "");
        called().fails(1, &["client.toml", "server_public_key"]);
    }
}

//! Each exit code by what causes it, with nothing on stdout.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use crate::support::{Site, run, waxwing};

/// Answers every call with `body`, unsigned.
fn impostor(body: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let length = body.len();
            let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
        }
    });
    address
}

#[test]
fn one_for_usage() {
    for args in [&["nonsense"][..], &["call"], &["call", "a b"], &["serve", "--listen", "x"], &[]] {
        let ran = run(waxwing().args(args));
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
    }
}

#[test]
fn three_for_a_wrong_secret_or_server_or_client() {
    let site = Site::new();
    let _server = site.serve();
    let good = site.read("client.toml");
    let secret = good.split("secret = \"").nth(1).unwrap().trim_end_matches("\"\n").to_owned();
    let other = format!("{}{}", if secret.starts_with('A') { 'B' } else { 'A' }, &secret[1..]);
    for (from, to, words) in [
        (secret.as_str(), other.as_str(), "unauthenticated"),
        ("\"agent\"", "\"stranger\"", "unauthenticated"),
        ("\"k1\"", "\"k9\"", "unauthenticated"),
        ("\"waxwing.local\"", "\"elsewhere\"", "wrong_server"),
    ] {
        site.edit("client.toml", from, to);
        let ran = site.client(["call", "batch_sum", "numbers=[1]"]);
        ran.fails(3, &["refused, by an unsigned message", words]);
        assert!(!ran.stderr.contains(&secret), "{}", ran.stderr);
        std::fs::write(site.path("client.toml"), &good).unwrap();
    }
    assert_eq!(site.client(["call", "batch_sum", "numbers=[1]"]).json()["count"], 1);
}

#[test]
fn three_for_a_server_that_cannot_be_trusted() {
    let site = Site::new();
    for (body, words) in [
        ("{\"count\":1,\"total\":1}", "not a reply"),
        ("<html>", "not a reply"),
        ("", "not a reply"),
    ] {
        site.point_to(impostor(body));
        site.client(["call", "batch_sum", "numbers=[1]"]).fails(3, &[words]);
    }
}

/// What a peer says cannot steer the terminal.
#[test]
fn hostile_words_are_made_harmless() {
    let site = Site::new();
    site.point_to(impostor(
        r#"{"error":{"code":"unauthenticated","message":"\u001b[2J\u001b]0;owned\u0007"},"typ":"refusal","v":"waxwing/1"}"#,
    ));
    site.client(["call", "batch_sum", "numbers=[1]"]).fails(3, &["unauthenticated", "\u{fffd}[2J"]);
}

#[test]
fn four_for_nobody_there() {
    let site = Site::new();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    site.point_to(address);
    let words = [&format!("http://{address}/v1/call cannot be reached"), "refused"];
    site.client(["call", "batch_sum", "numbers=[1]"]).fails(4, &words.map(AsRef::as_ref));
    site.client(["list"]).fails(4, &["cannot be reached"]);
}

/// Nobody at the database: `serve` and the operator are told so, as a client is of a server.
#[test]
fn four_for_a_store_that_does_not_answer() {
    let site = Site::new();
    // A socket that nobody listens on.
    let folder = site.path("");
    let folder = folder.to_str().unwrap().replace('/', "%2F");
    site.keep_jobs_in(&format!("postgres://waxwing@{folder}/waxwing"));
    let config = site.path("waxwing.toml");
    let tries = [&["serve"][..], &["jobs", "list"], &["jobs", "show", "some-job"]].map(|words| {
        let mut command = waxwing();
        command.args(words).arg("--config").arg(&config);
        thread::spawn(move || run(&mut command))
    });
    for tried in tries {
        let ran = tried.join().unwrap();
        ran.fails(4, &["the job store is not available"]);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    }
}

#[test]
fn five_for_tools_that_fail() {
    let site = Site::new();
    let _server = site.serve();
    site.client(["call", "batch_sum", "numbers=[1e308,1e308]"])
        .fails(5, &["tool_failed", "too large"]);
    site.client(["call", "batch_summ", "numbers=[1]"]).fails(5, &["unknown_tool", "batch_sum"]);
}

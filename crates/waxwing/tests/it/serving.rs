//! `serve`: what it says, how it stops, what it refuses to start with.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use serde_json::json;

use crate::support::{ServerProcess, Site, run, waxwing};

fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn it_says_where_it_listens_and_stops_on_sigterm() {
    for signal in ["TERM", "INT"] {
        let site = Site::new();
        let server = site.serve();
        assert!(get(server.admin, "/readyz").starts_with("HTTP/1.1 200"));
        assert!(get(server.admin, "/livez").starts_with("HTTP/1.1 200"));
        assert!(get(server.address, "/livez").starts_with("HTTP/1.1 404"), "health is apart");
        let address = server.address;
        server.signal(signal);
        let ran = server.ended();
        assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{ran:?}");
        for words in
            [&format!("listening on http://{address}"), "stopping", "stopped: 0 calls cut off"]
        {
            assert!(ran.stderr.contains(words), "{words:?} is not in {}", ran.stderr);
        }
        assert!(!ran.stderr.contains('\u{1b}'), "{}", ran.stderr);
        assert!(TcpStream::connect(address).is_err());
    }
}

#[test]
fn a_job_that_a_stop_gave_back_goes_on_at_the_next_start() {
    let site = Site::new();
    site.append("waxwing.toml", "\n[jobs]\ndrain_ms = 50\n");
    let server = site.serve();
    let job = site.client(["call", "long_task", "seconds=2"]).json();
    let job = job["job_id"].as_str().unwrap();
    site.client(["poll", job, "--wait-ms", "30000"]).json();
    server.signal("TERM");
    let ran = server.ended();
    assert!(ran.stderr.contains("1 jobs left for the next start"), "{}", ran.stderr);
    let _server = site.serve();
    assert_eq!(site.client(["watch", job]).json(), json!({"seconds": 2}));
}

#[test]
fn a_second_signal_stops_at_once() {
    let site = Site::new();
    let server = site.serve();
    site.client(["call", "long_task", "seconds=20"]).json();
    server.signal("TERM");
    // The second one counts once the first was heard: then nobody is let in any more.
    while TcpStream::connect(server.address).is_ok() {
        std::thread::yield_now();
    }
    server.signal("TERM");
    let ran = server.ended();
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.stderr.contains("stopped at once"), "{}", ran.stderr);
}

#[test]
fn memory_stores_are_forgotten_and_sqlite_stores_are_not() {
    for (store, remembers) in [("sqlite:waxwing.db", true), ("memory:", false)] {
        let site = Site::new();
        site.edit("waxwing.toml", "sqlite:waxwing.db", store);
        let mut server = site.serve();
        let call = ["call", "long_task", "seconds=0.01", "--wait", "--idempotency-key", "once"];
        site.client(call).json();
        let job = site.client(&call[..3]).json()["job_id"].as_str().unwrap().to_owned();
        site.client(["watch", &job]).json();
        server.kill();
        let _server = site.serve();
        let ran = site.client(["poll", &job]);
        if remembers {
            assert_eq!(ran.json()["output"], json!({"seconds": 0.01}));
            assert!(site.path("waxwing.db").exists(), "the path is relative to the file");
        } else {
            ran.fails(5, &["unknown_job"]);
        }
    }
}

#[test]
fn what_it_cannot_start_with() {
    let serve = |site: &Site, args: &[&str]| {
        run(waxwing().arg("serve").arg("--config").arg(site.path("waxwing.toml")).args(args))
    };
    let site = Site::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    serve(&site, &["--listen", &address]).fails(1, &["cannot listen on", &address]);
    site.edit("waxwing.toml", "sqlite:waxwing.db", "sqlite:no/such/folder/waxwing.db");
    assert_eq!(serve(&site, &[]).code, 1);
    run(waxwing().args(["serve", "--config", "/no/such/waxwing.toml"]))
        .fails(1, &["/no/such/waxwing.toml"]);
}

#[test]
fn limits_of_the_file_are_kept() {
    let site = Site::new();
    site.append("waxwing.toml", "\n[limits]\nmax_message = 2000\n");
    let _server = site.serve();
    let numbers = format!("numbers=[{}1]", "1,".repeat(1500));
    site.client(["call", "batch_sum", &numbers]).fails(5, &["too_large"]);
    assert_eq!(site.client(["call", "batch_sum", "numbers=[1]"]).json()["count"], 1);
}

#[test]
fn a_fixed_address_can_be_used_again_at_once() {
    let site = Site::new();
    let mut server = site.serve();
    let address = server.address;
    site.client(["list"]).json();
    server.kill();
    let again = ServerProcess::start(&site.path("waxwing.toml"), Some(address));
    assert_eq!(again.address, address);
    site.client(["list"]).json();
}

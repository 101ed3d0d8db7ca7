//! The audit log of a real server: through `kill -9` under load, a disk that fills up, rotation, and
//! people who edit it.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use waxwing_client::ClientError;
use waxwing_core::ErrorCode;

use crate::crash::{Random, client};
use crate::support::{Ran, ServerProcess, Site, is_quick, run, run_with_input, waxwing};

fn site(more: &str) -> Site {
    let site = Site::new();
    site.edit("waxwing.toml", "sqlite:waxwing.db", "memory:");
    site.append("waxwing.toml", &format!("\n[audit]\nfile = \"audit.jsonl\"\n{more}"));
    site
}

/// All files of the log, oldest first.
fn files(site: &Site) -> Vec<PathBuf> {
    let full =
        (1..).map(|n| site.path(&format!("audit.jsonl.{n}"))).take_while(|path| path.exists());
    // A crash between two files leaves none that grows.
    full.chain([site.path("audit.jsonl")]).filter(|path| path.exists()).collect()
}

fn verify(site: &Site, more: &[&str]) -> Ran {
    run(waxwing().args(["audit", "verify"]).args(files(site)).args(more))
}

fn lines(site: &Site) -> Vec<Value> {
    let texts = files(site).into_iter().map(|path| fs::read(path).unwrap());
    let split = |text: Vec<u8>| -> Vec<Value> {
        text.split(|byte| *byte == b'\n')
            .filter_map(|line| serde_json::from_slice(line).ok())
            .collect()
    };
    texts.flat_map(split).collect()
}

#[test]
fn a_log_is_verified_and_every_edit_is_found() {
    let site = site("");
    let server = site.serve();
    for n in 0..5 {
        site.client(["call", "batch_sum", &format!("numbers=[{n}]")]).json();
    }
    site.client(["call", "no_such_tool"]).fails(5, &["unknown_tool"]);
    server.signal("TERM");
    assert_eq!(server.ended().code, 0);

    let summary = verify(&site, &[]).json();
    assert_eq!(
        (&summary["keyed"], &summary["calls"], &summary["stopped"]),
        (&json!(true), &json!(6), &json!(true))
    );
    let anchor = summary["anchor"].as_str().unwrap();
    verify(&site, &["--anchor", anchor]).json();

    // What a digest is of can be shown by whoever has the key and the arguments.
    let key = site.path("audit.jsonl.key");
    let digest = |text: &str, more: &[&str]| {
        let mut command = waxwing();
        command.args(["audit", "digest", "--key"]).arg(&key).args(more);
        run_with_input(&mut command, text).json()["digest"].clone()
    };
    let calls: Vec<Value> =
        lines(&site).into_iter().filter(|line| line["kind"] == "call").collect();
    assert_eq!(calls[3]["args"], digest(r#"{ "numbers": [3.0] }"#, &[]));
    assert_eq!(calls[3]["result"], digest(r#"{"count":1,"total":3}"#, &["--result"]));
    assert_eq!(
        (&calls[5]["verdict"], &calls[5]["code"]),
        (&json!("error"), &json!("unknown_tool"))
    );
    for line in lines(&site) {
        assert!(!line.to_string().contains("numbers"), "{line}");
    }

    let whole = site.read("audit.jsonl");
    let split: Vec<&str> = whole.split_inclusive('\n').collect();
    let changed = whole.replace("no_such_tool", "mo_such_tool");
    let dropped = [&split[..3], &split[4..]].concat().concat();
    let swapped = [&split[..2], &[split[3], split[2]], &split[4..]].concat().concat();
    let cut = split[..split.len() - 2].concat();
    for (text, words) in [
        (changed, ["audit.jsonl: line 8: changed", "key"]),
        (dropped, ["audit.jsonl: line 4: dropped or reordered", "number 5 where 4"]),
        (swapped, ["audit.jsonl: line 3: dropped or reordered", "number 4 where 3"]),
    ] {
        fs::write(site.path("audit.jsonl"), text).unwrap();
        verify(&site, &[]).fails(3, &words);
        // A server does not go on with it.
        let refused = run(waxwing().arg("serve").arg("--config").arg(site.path("waxwing.toml")));
        refused.fails(1, &["audit.jsonl: line", "move its files away"]);
    }
    // A cut tail is a shorter log, unless somebody remembers the longer one.
    fs::write(site.path("audit.jsonl"), cut).unwrap();
    assert_eq!(verify(&site, &[]).json()["stopped"], json!(false));
    verify(&site, &["--anchor", anchor]).fails(3, &["cut off or rewritten"]);
    verify(&site, &["--anchor", "12"]).fails(1, &["SEQ:SHA256"]);

    // Without the key the chain alone is checked, and that is said.
    fs::remove_file(key).unwrap();
    let unkeyed = verify(&site, &[]);
    assert!(unkeyed.stderr.contains("without its key"), "{}", unkeyed.stderr);
    assert_eq!(unkeyed.json()["keyed"], json!(false));
}

#[test]
fn files_that_are_full_are_set_aside() {
    let site = site("rotate_bytes = 4096\n");
    for _ in 0..2 {
        let server = site.serve();
        for _ in 0..12 {
            site.client(["call", "batch_sum", "numbers=[1]"]).json();
        }
        server.signal("TERM");
        assert_eq!(server.ended().code, 0);
    }
    assert!(files(&site).len() > 3);
    let summary = verify(&site, &[]).json();
    assert_eq!((&summary["calls"], &summary["first_seq"]), (&json!(24), &json!(1)));
    let mut out_of_order = files(&site);
    out_of_order.swap(0, 1);
    run(waxwing().args(["audit", "verify"]).args(out_of_order)).fails(3, &["line 1", "reordered"]);
    let mut one_missing = files(&site);
    one_missing.remove(1);
    run(waxwing().args(["audit", "verify"]).args(one_missing))
        .fails(3, &["audit.jsonl.3: line 1: dropped"]);
}

/// Calls until told to stop; the request ids cannot be seen, so the total of each call is its own.
async fn call(client: waxwing_client::Client, first: u64, told: Arc<Mutex<BTreeSet<u64>>>) {
    for n in first.. {
        match client.call::<_, Value>("batch_sum", &json!({"numbers": [n]})).await {
            Ok(_) => assert!(told.lock().unwrap().insert(n)),
            Err(ClientError::Unreachable { .. } | ClientError::Timeout { .. }) => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Err(ClientError::Failed(error)) if error.code == ErrorCode::Stale => {}
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_call_has_its_line_through_kills() {
    let seed = std::env::var("WAXWING_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| getrandom::u64().unwrap());
    let kills = if is_quick() { 4 } else { 25 };
    eprintln!("WAXWING_SEED={seed}, {kills} kills");
    let site = site("rotate_bytes = 65536\n");
    let mut server = site.serve();
    let address = server.address;
    let (told, mut callers) = (Arc::<Mutex<BTreeSet<u64>>>::default(), JoinSet::new());
    for caller in 0..6 {
        callers.spawn(call(client(&site, address), caller << 32, Arc::clone(&told)));
    }
    let mut random = Random(seed);
    for _ in 0..kills {
        tokio::time::sleep(Duration::from_millis(30 + random.below(150))).await;
        server.kill();
        // Right after a crash the log is whole, but for a last line.
        let summary = verify(&site, &[]).json();
        assert_eq!(summary["stopped"], json!(false));
        server = ServerProcess::start(&site.path("waxwing.toml"), Some(address));
    }
    callers.abort_all();
    while callers.join_next().await.is_some() {}
    server.signal("TERM");
    assert_eq!(server.ended().code, 0);
    verify(&site, &[]).json();

    // By the digest of its arguments each call that was answered is found.
    let key = {
        use base64::Engine as _;
        let text = site.read("audit.jsonl.key");
        let secret = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(text.trim_end()).unwrap();
        waxwing_crypto::audit::AuditKey::new(&secret).unwrap()
    };
    let mut logged = BTreeSet::new();
    for line in lines(&site).iter().filter(|line| line["kind"] == "call" && line["verdict"] == "ok")
    {
        logged.insert(line["args"].as_str().unwrap().to_owned());
    }
    let told = told.lock().unwrap();
    for n in told.iter() {
        let args = waxwing_core::CanonicalJson::from_serialize(&json!({"numbers": [n]})).unwrap();
        assert!(logged.contains(key.digest_args(&args).as_str()), "call {n} has no line");
    }
    assert!(told.len() > kills as usize, "{} calls", told.len());
    eprintln!("{} calls answered, {} lines of calls", told.len(), logged.len());
}

/// A disk that fills up: files of the server's process cannot grow beyond a bound.
#[cfg(unix)]
#[test]
fn a_full_disk_refuses_calls_and_loses_none_that_was_answered() {
    let site = site("when_slow = \"refuse\"\n");
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_waxwing"), "serve", "--config"]);
    let server = ServerProcess::spawn(command.arg(site.path("waxwing.toml")));
    site.point_to(server.address);
    let mut answered = 0;
    let refused = loop {
        let ran = site.client(["call", "batch_sum", "numbers=[1]"]);
        match ran.code {
            0 => answered += 1,
            _ => break ran,
        }
        assert!(answered < 200, "the disk never fills up");
    };
    refused.fails(5, &["could not be recorded"]);
    site.client(["call", "batch_sum", "numbers=[1]"]).fails(4, &["cannot be recorded"]);
    let summary = verify(&site, &[]).json();
    assert_eq!(summary["calls"], json!(answered));
    server.signal("TERM");
    let ended = server.ended();
    assert_eq!(ended.code, 5, "{ended:?}");
    assert!(ended.stderr.contains("did not take its last"), "{}", ended.stderr);
}

#[test]
fn what_is_wrong_with_the_log_is_told_at_the_start() {
    let site = site("");
    let serve = || run(waxwing().arg("serve").arg("--config").arg(site.path("waxwing.toml")));
    fs::write(site.path("audit.jsonl.key"), "c2hvcnQ\n").unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |mode| fs::Permissions::from_mode(mode);
        fs::set_permissions(site.path("audit.jsonl.key"), mode(0o644)).unwrap();
        serve().fails(1, &["audit.jsonl.key", "chmod 600"]);
        fs::set_permissions(site.path("audit.jsonl.key"), mode(0o600)).unwrap();
    }
    serve().fails(1, &["audit.jsonl.key is no key"]);
    fs::remove_file(site.path("audit.jsonl.key")).unwrap();
    let _server = site.serve();
    serve().fails(1, &["another process writes the audit log"]);
    site.edit("waxwing.toml", "[audit]", "[audit]\nwhen_slow = \"guess\"");
    serve().fails(1, &["waxwing.toml", "guess"]);
}

//! Keys that change under a running server: no call fails but those with a key that is over.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Ran, ServerProcess, Site, post, run, signed, waxwing};

/// How long a server may take to see what its file says now.
const SOON: Duration = Duration::from_secs(30);

fn keys(site: &Site, args: &[&str]) -> Ran {
    run(waxwing().arg("keys").args(args).arg("--keyring").arg(site.path("keyring.toml")))
}

fn call(site: &Site) -> Ran {
    site.client(["call", "batch_sum", "numbers=[1]"])
}

/// Waits until `holds`, and fails when it does not.
#[track_caller]
fn soon(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + SOON;
    while !holds() {
        assert!(Instant::now() < until, "not seen: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn says(server: &ServerProcess, words: &str) {
    soon(words, || server.has_said(words));
}

#[test]
fn a_rotation_under_load_fails_no_call_until_the_old_key_is_revoked() {
    for algorithm in ["hmac-sha256", "ed25519"] {
        let site = Site::with_algorithm(algorithm);
        let server = site.serve();
        // Somebody else still has the profile with the old key alone.
        let old = site.read("client.toml");
        let (stop, calls) = (AtomicBool::new(false), AtomicU32::new(0));
        thread::scope(|scope| {
            let load = scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    assert_eq!(call(&site).json()["total"], 1);
                    calls.fetch_add(1, Ordering::SeqCst);
                }
            });
            let profile = site.path("client.toml");
            let rotated = keys(
                &site,
                &[
                    "rotate",
                    "--client",
                    "agent",
                    "--activate-after",
                    "3s",
                    "--profile",
                    profile.to_str().unwrap(),
                ],
            );
            assert_eq!(rotated.json()["key_id"], "k2");
            says(&server, "k1 of agent is retiring now, added k2 of agent");
            soon("the new key signs", || !load.is_finished() && signer(&site) == "k2");
            let before = calls.load(Ordering::SeqCst);
            soon("calls with the new key", || {
                load.is_finished() || calls.load(Ordering::SeqCst) > before + 3
            });
            // Both verify.
            site.write("old.toml", &old);
            assert_eq!(call_with(&site, "old.toml").json()["total"], 1);
            keys(&site, &["revoke", "--client", "agent", "--key-id", "k1"]).json();
            says(&server, "k1 of agent is revoked now");
            call_with(&site, "old.toml").fails(3, &["unauthenticated"]);
            let before = calls.load(Ordering::SeqCst);
            soon("calls go on", || load.is_finished() || calls.load(Ordering::SeqCst) > before + 3);
            stop.store(true, Ordering::SeqCst);
            load.join().unwrap();
        });
    }
}

/// Which key the profile signs with, as the server is told.
fn signer(site: &Site) -> String {
    let profile: toml::Table = site.read("client.toml").parse().unwrap();
    let keys = profile["key"].as_array().unwrap();
    let begins = |key: &toml::Value| {
        let from = key.get("not_before").map(|from| from.as_datetime().unwrap().to_string());
        from.is_none_or(|from| {
            humantime::parse_rfc3339(&from).unwrap() <= std::time::SystemTime::now()
        })
    };
    let newest = keys.iter().rev().find(|key| begins(key)).unwrap();
    newest["key_id"].as_str().unwrap().to_owned()
}

fn call_with(site: &Site, profile: &str) -> Ran {
    run(waxwing().args(["call", "batch_sum", "numbers=[1]", "--profile"]).arg(site.path(profile)))
}

#[test]
fn a_retired_key_ends_by_itself() {
    let site = Site::new();
    let server = site.serve();
    let old = site.read("client.toml");
    let new = keys(
        &site,
        &["rotate", "--client", "agent", "--retire-after", "2s", "--activate-after", "1s"],
    );
    let secret = new.json()["secret"].as_str().unwrap().to_owned();
    assert!(!new.stderr.contains(&secret), "{}", new.stderr);
    says(&server, "added k2 of agent");
    soon("the old key is over", || call(&site).code == 3);
    let from = old.split("secret = \"").nth(1).unwrap().trim_end_matches("\"\n");
    site.edit("client.toml", from, &secret);
    site.edit("client.toml", "\"k1\"", "\"k2\"");
    assert_eq!(call(&site).json()["total"], 1);
    // Nothing but time has passed for the server: it was told of the end at the start.
    assert!(!server.has_said("removed"));
}

#[test]
fn a_bad_file_keeps_the_keys_and_is_told_of_without_its_text() {
    let site = Site::new();
    let server = site.serve();
    let good = site.read("keyring.toml");
    for (text, words) in [
        ("canary = 1", "unknown field `canary`"),
        ("[[key]]\nclient_id = \"canary", "keyring.toml:"),
        ("", "no [[key]]"),
        (&format!("{good}{good}"), "key k1 of agent is there twice"),
    ] {
        let said = server.count("the keys stay as they were");
        site.write("keyring.toml", text);
        soon(words, || server.count("the keys stay as they were") > said && server.has_said(words));
        assert_eq!(call(&site).json()["total"], 1, "{words}");
    }
    fs::remove_file(site.path("keyring.toml")).unwrap();
    says(&server, "keyring.toml cannot be read");
    assert_eq!(call(&site).json()["total"], 1);
    // Told once for each state of the file, not once a second.
    let said = server.count("the keys stay as they were");
    site.write("keyring.toml", &good);
    says(&server, "the keys are unchanged");
    assert_eq!(server.count("the keys stay as they were"), said);
    // A file that others can read is none to trust.
    fs::set_permissions(site.path("keyring.toml"), fs::Permissions::from_mode(0o644)).unwrap();
    says(&server, "chmod 600");
    assert_eq!(call(&site).json()["total"], 1);
    let secret = good.split("secret = \"").nth(1).unwrap().trim_end_matches("\"\n");
    assert!(!server.has_said(secret) && !server.has_said("client_id = \"canary"));
}

#[test]
fn sighup_reads_the_file_at_once_and_stops_nothing() {
    let site = Site::new();
    let server = site.serve();
    server.signal("HUP");
    says(&server, "the keys are unchanged");
    keygen(&site, "agent-8");
    server.signal("HUP");
    says(&server, "added k1 of agent-8");
    site.edit("keyring.toml", "[[key]]", "[[kex]]");
    server.signal("HUP");
    says(&server, "the keys stay as they were");
    assert_eq!(call(&site).json()["total"], 1);
    server.signal("TERM");
    assert_eq!(server.ended().code, 0);
}

fn keygen(site: &Site, client: &str) -> Value {
    let mut command = waxwing();
    command.args(["keygen", "--client", client, "--keyring"]).arg(site.path("keyring.toml"));
    run(&mut command).json()
}

#[test]
fn a_replay_stays_one_through_a_rotation() {
    let site = Site::new();
    let server = site.serve();
    let message = signed(&site, "batch_sum", json!({"numbers": [1]}), "once-and-never-again");
    let (first, _) = post(server.address, &message);
    assert_eq!(first, 200);
    keys(&site, &["rotate", "--client", "agent"]).json();
    says(&server, "added k2 of agent");
    let (again, text) = post(server.address, &message);
    assert_eq!(again, 409, "{text}");
    assert!(text.contains("replayed"));
    // Taken away and put back, a key still does not forget.
    let ring = site.read("keyring.toml");
    keys(&site, &["revoke", "--client", "agent", "--key-id", "k1"]).json();
    says(&server, "k1 of agent is revoked now");
    assert_eq!(post(server.address, &message).0, 401);
    let said = server.count("k1 of agent is retiring now");
    site.write("keyring.toml", &ring);
    soon("k1 is back", || server.count("k1 of agent is retiring now") > said);
    assert_eq!(post(server.address, &message).0, 409);
}

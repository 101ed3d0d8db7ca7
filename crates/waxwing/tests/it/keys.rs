//! `keygen`: keys that work, added safely.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::support::{Ran, Site, run, waxwing};

fn keygen(site: &Site, client: &str, key_id: &str) -> Ran {
    let mut command = waxwing();
    command.args(["keygen", "--client", client, "--key-id", key_id, "--keyring"]);
    run(command.arg(site.path("keyring.toml")))
}

#[test]
fn a_key_is_one_json_document() {
    let ran = run(waxwing().args(["keygen", "--client", "agent-7"]));
    let key = ran.json();
    let members: Vec<_> = key.as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["algorithm", "client_id", "key_id", "secret"]);
    assert_eq!((&key["client_id"], &key["key_id"]), (&"agent-7".into(), &"k1".into()));
    assert_eq!(
        (&key["algorithm"], key["secret"].as_str().unwrap().len()),
        (&"hmac-sha256".into(), 43)
    );
    assert!(ran.stderr.contains("keyring.toml"), "{}", ran.stderr);
    assert!(!ran.stderr.contains(key["secret"].as_str().unwrap()));
    let other = run(waxwing().args(["keygen", "--client", "agent-7"])).json();
    assert_ne!(other["secret"], key["secret"]);
}

#[test]
fn a_key_that_was_added_works_and_the_old_one_still_does() {
    let site = Site::new();
    let before = site.read("keyring.toml");
    let key = keygen(&site, "agent-8", "k2").json();
    let after = site.read("keyring.toml");
    assert!(after.starts_with(&before), "what stood there stays");
    let mode = fs::metadata(site.path("keyring.toml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let _server = site.serve();
    assert_eq!(site.client(["call", "batch_sum", "numbers=[1]"]).json()["total"], 1);
    let profile = site.read("client.toml");
    let secret = profile.split("secret = \"").nth(1).unwrap().trim_end_matches("\"\n");
    site.edit("client.toml", secret, key["secret"].as_str().unwrap());
    site.edit("client.toml", "\"agent\"", "\"agent-8\"");
    site.edit("client.toml", "\"k1\"", "\"k2\"");
    assert_eq!(site.client(["call", "batch_sum", "numbers=[2]"]).json()["total"], 2);
}

#[test]
fn no_key_is_overwritten() {
    let site = Site::new();
    let before = site.read("keyring.toml");
    keygen(&site, "agent", "k1").fails(1, &["key k1 of agent is there already", "--key-id"]);
    assert_eq!(site.read("keyring.toml"), before);
    site.append("keyring.toml", "broken");
    keygen(&site, "agent", "k2").fails(1, &["keyring.toml:"]);
    assert_eq!(site.read("keyring.toml"), before + "broken");
}

#[test]
fn a_new_keyring_is_private_and_an_exposed_one_is_refused() {
    let site = Site::new();
    fs::remove_file(site.path("keyring.toml")).unwrap();
    keygen(&site, "agent", "k1").json();
    let mode = fs::metadata(site.path("keyring.toml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    fs::set_permissions(site.path("keyring.toml"), fs::Permissions::from_mode(0o644)).unwrap();
    keygen(&site, "agent", "k2").fails(1, &["chmod 600"]);
}

#[test]
fn keys_that_are_added_at_the_same_time_are_all_there() {
    let site = Site::new();
    std::thread::scope(|scope| {
        for n in 0..8 {
            let site = &site;
            scope.spawn(move || keygen(site, "many", &format!("k{n}")).json());
        }
    });
    let ring: toml::Table = site.read("keyring.toml").parse().unwrap();
    assert_eq!(ring["key"].as_array().unwrap().len(), 1 + 8);
}

#[test]
fn ids_that_cannot_be_are_usage() {
    run(waxwing().args(["keygen", "--client", "a b"])).fails(1, &["client_id must be"]);
    run(waxwing().args(["keygen"])).fails(1, &["--client"]);
    let value: Value = run(waxwing().args(["keygen", "--client", "a/b@c:d"])).json();
    assert_eq!(value["client_id"], "a/b@c:d");
}

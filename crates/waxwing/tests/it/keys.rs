//! `keygen` and `keys`: keys that work, added, listed, rotated and revoked safely.

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

fn keys(site: &Site, args: &[&str]) -> Ran {
    run(waxwing().arg("keys").args(args).arg("--keyring").arg(site.path("keyring.toml")))
}

#[test]
fn ed25519_works_from_init_to_watch() {
    let site = Site::with_algorithm("ed25519");
    for name in ["keyring.toml", "client.toml", "server.key"] {
        let mode = fs::metadata(site.path(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let (ring, profile) = (site.read("keyring.toml"), site.read("client.toml"));
    assert!(!ring.contains("secret = "), "the server has no secret of the client's: {ring}");
    let server = site.read("server.key");
    let field = |text: &str, name: &str| {
        let start = text.split(&format!("\n{name} = \"")).nth(1).unwrap();
        start.split('"').next().unwrap().to_owned()
    };
    assert_eq!(field(&profile, "server_public_key"), field(&server, "public_key"));
    assert!(!profile.contains(&field(&server, "secret")));

    let _server = site.serve();
    assert_eq!(site.client(["call", "batch_sum", "numbers=[1,2.5]"]).json()["total"], 3.5);
    let job = site.client(["call", "long_task", "seconds=0.2"]).json();
    let job = job["job_id"].as_str().unwrap();
    assert_eq!(site.client(["watch", job]).json()["seconds"], 0.2);
    let identity = site.client(["call", "server_identity"]).json();
    assert_eq!(identity["fingerprint"].as_str().unwrap().len(), 16);
    assert_eq!(identity["capabilities"]["algorithms"][1], "ed25519");

    // A server with another key of its own is nobody to believe, whatever it says.
    let mine = field(&profile, "server_public_key");
    let other = run(waxwing().args(["keygen", "--client", "x", "--algorithm", "ed25519"])).json();
    site.edit("client.toml", &mine, other["public_key"].as_str().unwrap());
    site.client(["list"]).fails(3, &["signature does not verify"]);
}

#[test]
fn a_client_can_keep_its_ed25519_secret_to_itself() {
    let site = Site::new();
    let server_key = site.path("server.key");
    let made = run(waxwing().args(["keygen", "--server", "--out"]).arg(&server_key)).json();
    assert_eq!(made["algorithm"], "ed25519");
    run(waxwing().args(["keygen", "--server", "--out"]).arg(&server_key))
        .fails(1, &["is there already"]);
    site.edit("waxwing.toml", "keyring = ", "signing_key = \"server.key\"\nkeyring = ");
    let ran = run(waxwing().args(["keygen", "--client", "agent-8", "--algorithm", "ed25519"]));
    let key = ran.json();
    assert!(ran.stderr.contains("waxwing keys add"), "{}", ran.stderr);
    let public = key["public_key"].as_str().unwrap();
    let added = keys(&site, &["add", "--client", "agent-8", "--public-key", public]).json();
    assert_eq!((&added["algorithm"], &added["state"]), (&"ed25519".into(), &"active".into()));
    keys(&site, &["add", "--client", "agent-8", "--public-key", public])
        .fails(1, &["is there already"]);
    keys(&site, &["add", "--client", "agent-9", "--public-key", &"A".repeat(43)])
        .fails(1, &["small order"]);

    let _server = site.serve();
    assert_eq!(site.client(["call", "batch_sum", "numbers=[1]"]).json()["total"], 1, "both work");
    let url =
        site.read("client.toml").lines().find(|line| line.starts_with("url")).unwrap().to_owned();
    let (secret, server) = (&key["secret"], &made["public_key"]);
    site.write(
        "client.toml",
        &format!(
            "{url}\nclient_id = \"agent-8\"\nserver_id = \"waxwing.local\"\nkey_id = \"k1\"\n\
             algorithm = \"ed25519\"\nsecret = {secret}\nserver_public_key = {server}\n"
        ),
    );
    assert_eq!(site.client(["call", "batch_sum", "numbers=[2]"]).json()["total"], 2);
    // The client makes the next one by itself as well.
    let next =
        run(waxwing().args(["keygen", "--client", "agent-8", "--algorithm", "ed25519"])).json();
    let next = next["public_key"].as_str().unwrap();
    let rotated = keys(&site, &["rotate", "--client", "agent-8", "--public-key", next]).json();
    assert_eq!(rotated, serde_json::json!({"client_id": "agent-8", "key_id": "k2"}));
}

#[test]
fn an_ed25519_key_needs_the_servers_own() {
    let site = Site::with_algorithm("ed25519");
    let serve = || run(waxwing().arg("serve").arg("--config").arg(site.path("waxwing.toml")));
    site.edit("waxwing.toml", "signing_key = \"server.key\"\n", "");
    serve().fails(1, &["key k1 of agent", "signing_key", "waxwing keygen --server"]);
    site.edit("waxwing.toml", "keyring = ", "signing_key = \"server.key\"\nkeyring = ");
    let server = site.read("server.key");
    fs::set_permissions(site.path("server.key"), fs::Permissions::from_mode(0o640)).unwrap();
    serve().fails(1, &["server.key", "chmod 600"]);
    fs::set_permissions(site.path("server.key"), fs::Permissions::from_mode(0o600)).unwrap();
    let other = run(waxwing().args(["keygen", "--client", "x", "--algorithm", "ed25519"])).json();
    let public = server.split("public_key = \"").nth(1).unwrap().trim_end_matches("\"\n");
    site.edit("server.key", public, other["public_key"].as_str().unwrap());
    serve().fails(1, &["server.key", "public_key is not that of its secret"]);
    fs::remove_file(site.path("server.key")).unwrap();
    serve().fails(1, &["server.key cannot be read"]);
    run(waxwing().args(["keygen", "--server", "--algorithm", "hmac-sha256"]))
        .fails(1, &["with ed25519 only"]);
}

#[test]
fn keys_are_listed_without_secrets() {
    let site = Site::new();
    let secret = keygen(&site, "agent-8", "k2").json()["secret"].as_str().unwrap().to_owned();
    keys(&site, &["revoke", "--client", "agent-8", "--key-id", "k2"]).json();
    keys(&site, &["rotate", "--client", "agent", "--new-key-id", "next", "--retire-after", "1day"])
        .json();
    let ran = keys(&site, &["list"]);
    let list = ran.json();
    let shown: Vec<_> = list["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| {
            [&key["client_id"], &key["key_id"], &key["state"]].map(|it| it.as_str().unwrap())
        })
        .collect();
    assert_eq!(
        shown,
        [["agent", "k1", "retiring"], ["agent-8", "k2", "revoked"], ["agent", "next", "active"]]
    );
    assert!(list["keys"][0]["not_after"].as_str().unwrap().ends_with('Z'));
    assert_eq!(list["keys"][0]["fingerprint"].as_str().unwrap().len(), 16);
    assert!(!ran.stdout.contains(&secret) && !ran.stdout.contains("secret"));
}

#[test]
fn comments_stay_and_nothing_changes_when_something_is_wrong() {
    let site = Site::new();
    let text = site.read("keyring.toml").replace("[[key]]", "# of the old machine\n[[key]] # mine");
    site.write("keyring.toml", &text);
    keys(&site, &["rotate", "--client", "agent"]).json();
    let rotated = site.read("keyring.toml");
    for kept in ["# The keys this server knows", "# of the old machine\n[[key]] # mine"] {
        assert!(rotated.contains(kept), "{kept:?} is not in {rotated}");
    }
    for (args, words) in [
        (&["rotate", "--client", "nobody"][..], "nor any other key of that client"),
        (
            &["rotate", "--client", "agent", "--key-id", "k9"],
            "no key k9 of agent; its keys are k1 (retiring), k2 (active)",
        ),
        (
            &["rotate", "--client", "agent", "--new-key-id", "k1"],
            "key k1 of agent is there already",
        ),
        (&["rotate", "--client", "agent", "--retire-after", "5s"], "must be shorter than"),
        (&["rotate", "--client", "agent", "--retire-after", "soon"], "--retire-after"),
        (&["revoke", "--client", "agent", "--key-id", "k9"], "no key k9 of agent"),
        (
            &[
                "rotate",
                "--client",
                "agent",
                "--algorithm",
                "ed25519",
                "--profile",
                "/no/such.toml",
            ],
            "/no/such.toml",
        ),
    ] {
        keys(&site, args).fails(1, &[words]);
        assert_eq!(site.read("keyring.toml"), rotated, "{args:?}");
    }
    let again = keys(&site, &["revoke", "--client", "agent", "--key-id", "k2"]);
    assert_eq!(again.json()["state"], "revoked");
    let again = keys(&site, &["revoke", "--client", "agent", "--key-id", "k2"]);
    assert!(again.stderr.contains("revoked already"), "{}", again.stderr);
    keys(&site, &["rotate", "--client", "agent", "--key-id", "k2"])
        .fails(1, &["verifies nothing any more", "waxwing keygen"]);
}

#[test]
fn edits_at_the_same_time_are_all_there_and_the_file_stays_private() {
    let site = Site::new();
    std::thread::scope(|scope| {
        for n in 0..4 {
            let site = &site;
            scope.spawn(move || keygen(site, "many", &format!("a{n}")).json());
            scope.spawn(move || {
                let client = format!("other-{n}");
                keygen(site, &client, "k1").json();
                keys(site, &["rotate", "--client", &client]).json();
                keys(site, &["revoke", "--client", &client, "--key-id", "k1"]).json();
            });
        }
    });
    let list = keys(&site, &["list"]).json();
    let list = list["keys"].as_array().unwrap();
    assert_eq!(list.len(), 1 + 4 + 8);
    assert_eq!(list.iter().filter(|key| key["state"] == "revoked").count(), 4);
    let mode = fs::metadata(site.path("keyring.toml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let names: Vec<_> =
        fs::read_dir(site.path("")).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(names.len(), 3, "nothing else is left: {names:?}");
}

#[test]
fn a_link_to_a_keyring_stays_one() {
    let site = Site::new();
    fs::rename(site.path("keyring.toml"), site.path("real.toml")).unwrap();
    std::os::unix::fs::symlink("real.toml", site.path("keyring.toml")).unwrap();
    keygen(&site, "agent-8", "k1").json();
    assert!(fs::symlink_metadata(site.path("keyring.toml")).unwrap().is_symlink());
    assert!(site.read("real.toml").contains("agent-8"));
}

#[test]
fn a_profile_says_why_none_of_its_keys_signs() {
    let site = Site::new();
    let profile = site.read("client.toml");
    let secret = profile.split("secret = \"").nth(1).unwrap().trim_end_matches("\"\n");
    let head: String = profile
        .lines()
        .filter(|line| !["key_id", "algorithm", "secret"].iter().any(|name| line.starts_with(name)))
        .map(|line| format!("{line}\n"))
        .collect();
    let key = |id: &str, more: &str| {
        format!(
            "[[key]]\nkey_id = \"{id}\"\nalgorithm = \"hmac-sha256\"\nsecret = \"{secret}\"\n{more}\n"
        )
    };
    let with = |keys: &[String]| site.write("client.toml", &(head.clone() + &keys.concat()));
    with(&[
        key("k1", "not_after = 2020-01-01T00:00:00Z"),
        key("k2", "not_before = 2999-01-01T00:00:00Z"),
        key("k3", "state = \"retiring\""),
        key("k4", "state = \"revoked\""),
    ]);
    site.client(["list"]).fails(
        1,
        &[
            "none of its keys may sign now",
            "k1 ended at 2020-01-01T00:00:00Z",
            "k2 begins at 2999-01-01T00:00:00Z",
            "k3 is retiring",
            "k4 is revoked",
        ],
    );
    with(&[key("k1", ""), key("k1", "")]);
    site.client(["list"]).fails(1, &["key k1 is there twice"]);
    with(&[]);
    site.client(["list"]).fails(1, &["missing field `key_id`"]);
    site.write("client.toml", &(profile.clone() + &key("k2", "")));
    site.client(["list"]).fails(1, &["fields of a key and [[key]] as well"]);
    with(&[key("k9", ""), key("k1", "")]);
    let _server = site.serve();
    assert_eq!(
        site.client(["call", "batch_sum", "numbers=[1]"]).json()["total"],
        1,
        "k1 is the newest"
    );
}

#[test]
fn a_profile_is_rotated_again_and_again_and_keeps_the_rest() {
    let site = Site::with_algorithm("ed25519");
    site.append("client.toml", "# mine\n");
    let profile = site.path("client.toml");
    let profile = profile.to_str().unwrap();
    for (id, algorithm) in [("k2", "ed25519"), ("k3", "hmac-sha256"), ("k4", "ed25519")] {
        let args = ["rotate", "--client", "agent", "--algorithm", algorithm, "--profile", profile];
        let ran = keys(&site, &args);
        assert_eq!(
            (&ran.json()["key_id"], &ran.json()["algorithm"]),
            (&id.into(), &algorithm.into())
        );
        assert!(!ran.stdout.contains("secret"), "{}", ran.stdout);
    }
    let text = site.read("client.toml");
    assert!(text.starts_with("# Whom to call") && text.contains("# mine"), "{text}");
    let table: toml::Table = text.parse().unwrap();
    let names: Vec<_> = table["key"].as_array().unwrap().iter().map(|key| &key["key_id"]).collect();
    assert_eq!(names, ["k1", "k2", "k3", "k4"].map(toml::Value::from).iter().collect::<Vec<_>>());
    let waits = |key: &toml::Value| key.get("not_before").is_some();
    let waiting: Vec<_> = table["key"].as_array().unwrap().iter().map(waits).collect();
    assert_eq!(waiting, [false, true, true, true], "k1 signs until the others begin");
    let _server = site.serve();
    assert_eq!(site.client(["call", "batch_sum", "numbers=[1]"]).json()["total"], 1);
    // What a rotation needs is looked for before anything is written.
    let (ring, text) = (site.read("keyring.toml"), site.read("client.toml"));
    fs::rename(site.path("server.key"), site.path("elsewhere.key")).unwrap();
    let args = ["rotate", "--client", "agent", "--profile", profile];
    keys(&site, &args).fails(1, &["--server-key"]);
    assert_eq!((site.read("keyring.toml"), site.read("client.toml")), (ring, text));
}

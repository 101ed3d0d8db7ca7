//! `init` and the three files: written once, private where they hold secrets, read strictly.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Site, run, waxwing};

fn mode(site: &Site, name: &str) -> u32 {
    fs::metadata(site.path(name)).unwrap().permissions().mode() & 0o777
}

#[test]
fn init_writes_three_files() {
    let folder = tempfile::tempdir().unwrap();
    let written = run(waxwing().arg("init").arg(folder.path().join("a/b"))).json();
    let names: Vec<_> = ["waxwing.toml", "keyring.toml", "client.toml"]
        .map(|name| folder.path().join("a/b").join(name).display().to_string())
        .into();
    assert_eq!(written, serde_json::json!({ "written": names }));
    let secret = |name: &str| {
        let text = fs::read_to_string(folder.path().join("a/b").join(name)).unwrap();
        text.lines().find(|line| line.starts_with("secret = ")).unwrap().to_owned()
    };
    assert_eq!(secret("client.toml"), secret("keyring.toml"), "both sides share the key");
    assert_eq!(secret("client.toml").len(), "secret = \"\"".len() + 43, "32 bytes");
    let other = Site::new();
    assert!(!other.read("client.toml").contains(&secret("client.toml")), "each key is fresh");
}

#[test]
fn init_works_in_the_current_folder() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(waxwing().arg("init").current_dir(folder.path()));
    assert_eq!(ran.json()["written"][0], "./waxwing.toml");
    assert!(ran.stderr.contains("waxwing serve"), "{}", ran.stderr);
    assert!(folder.path().join("client.toml").exists());
}

#[test]
fn secrets_are_private_and_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(waxwing().arg("init").arg(folder.path()));
    let site = Site::new();
    assert_eq!((mode(&site, "client.toml"), mode(&site, "keyring.toml")), (0o600, 0o600));
    let text = fs::read_to_string(folder.path().join("client.toml")).unwrap();
    let secret = text.split("secret = \"").nth(1).unwrap().trim_end_matches("\"\n");
    assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret));
}

#[test]
fn init_overwrites_nothing() {
    for name in ["waxwing.toml", "keyring.toml", "client.toml"] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(name), "mine").unwrap();
        let ran = run(waxwing().arg("init").arg(folder.path()));
        ran.fails(1, &[name, "is there already; nothing was overwritten"]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else was written");
        assert_eq!(fs::read_to_string(folder.path().join(name)).unwrap(), "mine");
    }
    // Not even through a link that leads nowhere.
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/nowhere/at/all", folder.path().join("keyring.toml")).unwrap();
    run(waxwing().arg("init").arg(folder.path())).fails(1, &["keyring.toml"]);
}

#[test]
fn files_that_others_can_read_are_refused_with_the_mend() {
    for bits in [0o640, 0o604, 0o644, 0o620, 0o660] {
        let site = Site::new();
        for name in ["client.toml", "keyring.toml"] {
            fs::set_permissions(site.path(name), Permissions::from_mode(bits)).unwrap();
        }
        let chmod = |name| format!("chmod 600 {}", site.path(name).display());
        site.client(["list"]).fails(1, &[&chmod("client.toml"), &format!("mode {bits:03o}")]);
        let serve = run(waxwing().arg("serve").arg("--config").arg(site.path("waxwing.toml")));
        serve.fails(1, &[&chmod("keyring.toml")]);
    }
    let site = Site::new();
    fs::set_permissions(site.path("client.toml"), Permissions::from_mode(0o400)).unwrap();
    site.point_to_nobody_without_writing();
}

impl Site {
    /// A profile that only its owner can read is fine: the call gets as far as the connection.
    fn point_to_nobody_without_writing(&self) {
        self.client(["list"]).fails(4, &["cannot be reached"]);
    }
}

#[test]
fn an_unknown_key_is_named_with_its_file() {
    let serve =
        |site: &Site| run(waxwing().arg("serve").arg("--config").arg(site.path("waxwing.toml")));
    let site = Site::new();
    site.append("client.toml", "sekret = \"x\"\n");
    site.client(["list"]).fails(1, &["client.toml:8:1", "unknown field `sekret`"]);
    let site = Site::new();
    site.append("keyring.toml", "secret_id = \"x\"\n");
    serve(&site).fails(1, &["keyring.toml:", "unknown field `secret_id`"]);
    for (text, name) in [
        ("\n[limit]\n", "limit is no key here; the keys are admin_listen, "),
        ("\n[limits]\nsize = 1\n", "limits.size is no key here"),
        ("extra = 1\n", "extra is no key here"),
    ] {
        let site = Site::new();
        site.append("waxwing.toml", text);
        serve(&site).fails(1, &["waxwing.toml:", name]);
    }
}

/// Whoever mends a file does not have to start a server for each fault: whichever table it is in, and
/// also if it is in another file.
#[test]
fn every_fault_of_a_configuration_is_told_at_once() {
    let site = Site::new();
    site.append(
        "waxwing.toml",
        "\n[limits]\nmax_depth = 1000\nmax_mesage = 1\n[jobs]\nlease_ms = \"long\"\n\
         [audit]\nfile = \"a.jsonl\"\nslow_ms = 0\nrotate_bytes = 1\n\
         [[tool]]\nname = \"t\"\n[[allow]]\nclient = \"agent\"\ntools = [\"a*b\"]\n",
    );
    site.append("keyring.toml", "sekret = 1\n");
    let faults = [
        "limits.max_depth must be 4 to 128, and is 1000",
        "limits.max_mesage is no key here; the keys are connections, max_depth, max_message",
        "jobs.lease_ms must be a whole number, 100 to 3600000",
        "audit.slow_ms must be 1 to",
        "audit.rotate_bytes must be 4096 to",
        "tool \"t\": command is missing",
        "[[allow]] 1, for agent: tools is wrong",
        "keyring.toml:",
    ];
    let run_it =
        |command: &str| run(waxwing().arg(command).arg("--config").arg(site.path("waxwing.toml")));
    let serve = run_it("serve");
    serve.fails(1, &faults);
    for fault in &faults[..7] {
        let line = serve.stderr.lines().find(|line| line.contains(fault)).unwrap();
        assert!(line.contains("waxwing.toml:"), "it has its place: {line}");
    }
    let check = run_it("check");
    assert_eq!(check.code, 1);
    let report: serde_json::Value = serde_json::from_str(&check.stdout).unwrap();
    for fault in faults {
        let has = |error: &serde_json::Value| error.as_str().unwrap().contains(fault);
        assert!(report["errors"].as_array().unwrap().iter().any(has), "{fault}: {report}");
    }
    // An operator is told as much: the store's own bounds are among what is wrong.
    let jobs = run(waxwing().args(["jobs", "list", "--config"]).arg(site.path("waxwing.toml")));
    jobs.fails(1, &["limits.max_depth"]);
}

#[test]
fn what_is_missing_or_wrong_is_named_and_no_secret_is_shown() {
    let site = Site::new();
    let text = site.read("client.toml");
    let secret = text.split("secret = \"").nth(1).unwrap().trim_end_matches("\"\n").to_owned();
    for (from, to, words) in [
        ("client_id = \"agent\"\n", "", "missing field `client_id`"),
        ("\"agent\"", "\"a b\"", "client_id must be"),
        ("hmac-sha256", "hmac-md5", "hmac-sha256"),
        ("http://", "https://", "TLS is not built in yet"),
        ("http://127.0.0.1:7411", "nowhere", "the url must be of the form"),
        ("secret = \"", "secret = \"*", "base64url without padding"),
        ("secret = \"", "secret = ", ":7:"),
        (secret.as_str(), "c2hvcnQ", "needs at least 32 bytes"),
    ] {
        fs::write(site.path("client.toml"), text.replace(from, to)).unwrap();
        let ran = site.client(["list"]);
        ran.fails(1, &["client.toml", words]);
        assert!(!ran.stderr.contains(&secret), "{}", ran.stderr);
    }
    fs::remove_file(site.path("client.toml")).unwrap();
    site.client(["list"]).fails(1, &["client.toml cannot be read", "waxwing init"]);
}

#[test]
fn a_keyring_without_keys_or_with_one_twice_is_refused() {
    let serve =
        |site: &Site| run(waxwing().arg("serve").arg("--config").arg(site.path("waxwing.toml")));
    let site = Site::new();
    let ring = site.read("keyring.toml");
    fs::write(site.path("keyring.toml"), "").unwrap();
    serve(&site).fails(1, &["keyring.toml", "no [[key]]", "waxwing keygen"]);
    fs::write(site.path("keyring.toml"), ring.clone() + &ring).unwrap();
    serve(&site).fails(1, &["keyring.toml", "key k1 of agent is there twice"]);
}

#[test]
fn the_profile_is_found_as_the_help_says() {
    let site = Site::new();
    let _server = site.serve();
    let by_default = run(waxwing().arg("list").current_dir(site.path("")));
    assert_eq!(by_default.json()["tools"][0]["name"], "batch_sum");
    let elsewhere = tempfile::tempdir().unwrap();
    let by_variable = run(waxwing()
        .arg("list")
        .env("WAXWING_PROFILE", site.path("client.toml"))
        .current_dir(elsewhere.path()));
    assert_eq!(by_variable.json(), by_default.json());
    run(waxwing().arg("list").current_dir(elsewhere.path())).fails(1, &["client.toml"]);
}

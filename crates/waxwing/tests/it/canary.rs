//! The secrets of a site are looked for, in every spelling, in all that the program says and writes: they
//! stand in the files that are for them and nowhere else.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as BASE64URL};
use serde_json::Value;

use crate::support::{Ran, ServerProcess, Site, run, run_with_input, waxwing};

/// As many bytes of any spelling of a secret are a leak: more than chance, less than a whole secret.
const TELLING: usize = 12;

/// Finds secrets in bytes.
struct Detector {
    pieces: BTreeSet<Vec<u8>>,
}

impl Detector {
    /// Of secrets as files spell them.
    fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut pieces = BTreeSet::new();
        for text in secrets {
            let bytes = BASE64URL.decode(&text).unwrap();
            assert!(bytes.len() >= 32);
            for spelling in spellings(&bytes) {
                pieces.extend(spelling.windows(TELLING).map(<[u8]>::to_vec));
            }
        }
        assert!(!pieces.is_empty());
        Self { pieces }
    }

    fn finds(&self, bytes: &[u8]) -> bool {
        bytes.windows(TELLING).any(|window| self.pieces.contains(window))
    }

    #[track_caller]
    fn judge(&self, what: &str, bytes: &[u8]) {
        assert!(!self.finds(bytes), "a secret is in {what}");
    }

    #[track_caller]
    fn judge_ran(&self, what: &str, ran: &Ran) {
        self.judge(&format!("stdout of {what}"), ran.stdout.as_bytes());
        self.judge(&format!("stderr of {what}"), ran.stderr.as_bytes());
    }
}

/// Raw, base64, base64url, hex in both cases, a list of numbers as `Debug` writes one.
fn spellings(bytes: &[u8]) -> Vec<Vec<u8>> {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let list = format!("{bytes:?}");
    let packed = list.replace(' ', "");
    vec![
        bytes.to_vec(),
        BASE64_STANDARD.encode(bytes).into_bytes(),
        BASE64URL.encode(bytes).into_bytes(),
        hex.to_uppercase().into_bytes(),
        hex.into_bytes(),
        list.into_bytes(),
        packed.into_bytes(),
        String::from_utf8_lossy(bytes).into_owned().into_bytes(),
    ]
}

/// The values of all `secret`s of a file.
fn secrets(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("secret = \""));
    lines.map(|rest| rest.trim_end_matches('"').to_owned()).collect()
}

/// All files below a folder.
fn all_files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all_files(&path, found),
            false => found.push(path),
        }
    }
}

#[test]
fn the_detector_fires() {
    let bytes: Vec<u8> = (0..32_u8).map(|n| n.wrapping_mul(37) ^ 0xa5).collect();
    let detector = Detector::new([BASE64URL.encode(&bytes)]);
    for spelling in spellings(&bytes) {
        assert!(detector.finds(&spelling));
        // A part of one in the middle of other things.
        let part = &spelling[3..3 + TELLING];
        assert!(detector.finds(&[b"ERROR key=", part, b"..."].concat()));
        assert!(!detector.finds(&part[1..]));
    }
    assert!(!detector.finds(b"2026-11-22T00:00:00Z ERROR nothing of it is here"));
}

/// What an endpoint of the server's own listener says.
fn fetch(address: SocketAddr, path: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

/// A site of either algorithm, through all commands and failures.
fn go_through(algorithm: &str) {
    let site = Site::with_algorithm(algorithm);
    site.append("waxwing.toml", "\n[audit]\nfile = \"audit.jsonl\"\nrotate_bytes = 4096\n");
    let kept_in = ["keyring.toml", "client.toml", "server.key"];
    let mut known: Vec<String> = kept_in
        .iter()
        .filter(|name| site.path(name).exists())
        .flat_map(|name| secrets(&site.path(name)))
        .collect();
    assert!(!known.is_empty());

    // A server that logs all it can.
    let mut command = waxwing();
    command.args(["serve", "--log", "trace", "--config"]).arg(site.path("waxwing.toml"));
    let server = ServerProcess::spawn(&mut command);
    site.point_to(server.address);
    known.push(site.read("audit.jsonl.key").trim_end().to_owned());
    let detector = Detector::new(known.clone());
    let judge = |args: &[&str]| {
        let ran = site.client(args);
        detector.judge_ran(&args.join(" "), &ran);
        ran
    };

    // Calls that go well, and calls that do not.
    judge(&["call", "batch_sum", "numbers=[1]"]).json();
    judge(&["call", "batch_sum", "numbers=[1]", "--idempotency-key", "once"]).json();
    judge(&["call", "long_task", "seconds=0.01", "--wait"]).json();
    for args in [
        &["call", "batch_sum", "numbers=1"][..],
        &["call", "no_such_tool"],
        &["poll", "no-such-job"],
        &["cancel", "no-such-job"],
        &["call", "server_identity"],
        &["list"],
        &["pin"],
        &["pin", "--check"],
    ] {
        judge(args);
    }
    for path in ["/livez", "/readyz", "/metrics", "/"] {
        detector.judge(path, &fetch(server.admin, path));
        detector.judge(path, &fetch(server.address, path));
    }

    // Keys: what is listed, and a fresh one, which is shown to whoever asked for it and to nobody else.
    let keyring = site.path("keyring.toml");
    for args in [&["keys", "list", "--keyring"][..], &["keys", "list", "--help"]] {
        let ran = run(waxwing().args(args).arg(&keyring));
        detector.judge_ran(&args.join(" "), &ran);
    }
    let fresh = run(waxwing().args(["keygen", "--client", "other", "--keyring"]).arg(&keyring));
    detector.judge_ran("keygen", &fresh);
    let shown: Value = serde_json::from_str(&fresh.stdout).unwrap();
    let fresh_secret = shown["secret"].as_str().map(str::to_owned);
    server.signal("HUP");
    judge(&["call", "batch_sum", "numbers=[2]"]).json();

    // Files that are wrong, with the secret in the wrong line.
    let (profile, ring) = (site.read("client.toml"), site.read("keyring.toml"));
    let secret_line = profile.lines().find(|line| line.starts_with("secret")).unwrap().to_owned();
    let value = secret_line.strip_prefix("secret = ").unwrap();
    for wrong in [
        secret_line.trim_end_matches('"').to_owned(),
        format!("sekret = {value}"),
        format!("secret = [{value}]"),
        format!("secret = {}", value.trim_matches('"')),
        format!("{secret_line}\n{secret_line}"),
        format!("secret = \"{}!\"", value.trim_matches('"')),
    ] {
        site.edit("client.toml", &secret_line, &wrong);
        let ran = judge(&["list"]);
        assert_eq!(ran.code, 1, "{ran:?}");
        fs::write(site.path("client.toml"), &profile).unwrap();
        fs::write(site.path("keyring.toml"), ring.replace("key_id", &format!("{wrong}\nkey_id")))
            .unwrap();
        server.signal("HUP");
        let started = run(waxwing().arg("serve").arg("--config").arg(site.path("waxwing.toml")));
        detector.judge_ran("serve with a bad keyring", &started);
        assert_ne!(started.code, 0);
        fs::write(site.path("keyring.toml"), &ring).unwrap();
    }
    // The right words under another's key.
    site.edit("client.toml", "client_id = \"agent\"", "client_id = \"stranger\"");
    assert_eq!(judge(&["call", "batch_sum", "numbers=[1]"]).code, 3);
    let digested = run_with_input(
        waxwing().args(["audit", "digest", "--key"]).arg(site.path("audit.jsonl.key")),
        "{}",
    );
    detector.judge_ran("audit digest", &digested);
    let verified = run(waxwing().args(["audit", "verify"]).arg(site.path("audit.jsonl")));
    detector.judge_ran("audit verify", &verified);

    server.signal("TERM");
    let ended = server.ended();
    detector.judge_ran("serve", &ended);
    assert!(ended.stderr.contains("DEBUG"), "the log was not at its loudest: {}", ended.stderr);

    // Every file that is left, but for those whose purpose it is to hold a secret.
    known.extend(fresh_secret);
    let detector = Detector::new(known);
    let mut files = Vec::new();
    all_files(site.path("").as_path(), &mut files);
    let mut looked_at = BTreeSet::new();
    for path in files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = fs::read(&path).unwrap();
        let may_hold = kept_in.contains(&name.as_str()) || name == "audit.jsonl.key";
        if may_hold {
            // A keyring of Ed25519 keys has public halves only.
            let has_none = name == "keyring.toml" && algorithm == "ed25519";
            assert!(
                has_none || detector.finds(&bytes),
                "{name} holds a secret: the detector is blind"
            );
        } else {
            detector.judge(&name, &bytes);
        }
        looked_at.insert(name);
    }
    for name in ["waxwing.toml", "waxwing.db", "audit.jsonl", "client.toml"] {
        assert!(looked_at.contains(name), "{name} was not looked at: {looked_at:?}");
    }
}

#[test]
fn no_shared_secret_is_told_or_written_anywhere_else() {
    go_through("hmac-sha256");
}

#[test]
fn no_private_key_is_told_or_written_anywhere_else() {
    go_through("ed25519");
}

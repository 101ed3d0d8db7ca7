//! Records as they are written and read, and files as they are changed.

use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop_assert_eq, prop_oneof, proptest,
};

use super::*;
use crate::config::halves::NewKey;

fn half() -> impl Strategy<Value = ServerHalf> {
    prop_oneof![Just(Algorithm::HmacSha256), Just(Algorithm::Ed25519)]
        .prop_map(|algorithm| NewKey::random(algorithm).unwrap().server_half())
}

fn entry() -> impl Strategy<Value = KeyEntry> {
    let id = "[A-Za-z0-9._:/@-]{1,128}";
    let second = || proptest::option::of(0..4_000_000_000_i64);
    let state = (0..KeyState::ALL.len()).prop_map(|at| KeyState::ALL[at]);
    (id, id, half(), state, second(), second()).prop_map(
        |(client, key, half, state, from, until)| {
            let ms = |seconds: Option<i64>| seconds.map(|seconds| seconds * 1000);
            KeyEntry {
                client_id: client.parse().unwrap(),
                key_id: key.parse().unwrap(),
                half,
                state,
                validity: Validity::new(ms(from), ms(until)).unwrap_or(Validity::ALWAYS),
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// What is written of a key is read as the same key, whatever else stands in the file.
    #[test]
    fn records_read_back(entries in proptest::collection::vec(entry(), 1..5), comment in "[ -~]{0,20}") {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyring.toml");
        let mut kept: Vec<KeyEntry> = Vec::new();
        for entry in entries {
            let is_twice = kept.iter().any(|old| old.is(&entry.client_id, &entry.key_id));
            prop_assert_eq!(append(&path, &entry).is_err(), is_twice);
            if !is_twice {
                kept.push(entry);
            }
        }
        let text = std::fs::read_to_string(&path).unwrap() + &format!("# {comment}\n");
        std::fs::write(&path, &text).unwrap();
        let summaries = |entries: &[KeyEntry]| -> Vec<_> {
            entries.iter().map(|entry| entry.summary().unwrap()).collect()
        };
        prop_assert_eq!(list(&path).unwrap(), summaries(&kept));
        // And a change of one leaves the others and the comment.
        let last = kept.last_mut().unwrap();
        last.state = KeyState::Revoked;
        let revoked = last.clone();
        change(&path, |_| Ok(((), vec![revoked]))).unwrap();
        prop_assert_eq!(list(&path).unwrap(), summaries(&kept));
        let ends_alike = std::fs::read_to_string(&path).unwrap().ends_with(&format!("# {comment}\n"));
        prop_assert_eq!(ends_alike, true);
    }

    /// No text makes the reader do anything but refuse or read.
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        let decoy = SecretText::random().unwrap();
        let _ = load(Path::new("k.toml"), &text, &decoy, None);
    }
}

fn refusal(fields: &str) -> String {
    let decoy = SecretText::random().unwrap();
    let text = format!("[[key]]\nclient_id = \"a\"\nkey_id = \"k1\"\n{fields}");
    load(Path::new("k.toml"), &text, &decoy, None).unwrap_err().to_string()
}

#[test]
fn records_that_cannot_be_are_refused_and_named() {
    let secret = format!("secret = \"{}\"\n", SecretText::random().unwrap().expose());
    let public = NewKey::random(Algorithm::Ed25519).unwrap().public().unwrap().clone();
    let public = format!("public_key = \"{public}\"\n");
    let (hmac, ed25519) = ("algorithm = \"hmac-sha256\"\n", "algorithm = \"ed25519\"\n");
    for (fields, words) in [
        (String::new(), "missing field `algorithm`"),
        ("algorithm = \"none\"\n".to_owned(), "unknown variant `none`"),
        (hmac.to_owned(), "key k1 of a: hmac-sha256 takes a `secret`"),
        ([hmac, &secret, &public].concat(), "key k1 of a: hmac-sha256 takes a `secret`"),
        ([ed25519, &secret].concat(), "key k1 of a: ed25519 takes the client's `public_key`"),
        ([ed25519, &secret, &public].concat(), "its secret is the client's"),
        ([ed25519, &public].concat(), "key k1 of a: an ed25519 key needs the server's own"),
        (
            [hmac, &secret, "state = \"old\"\n"].concat(),
            "state must be active, retiring or revoked",
        ),
        ([hmac, &secret, "not_after = 2026-12-01\n"].concat(), "a date and time in UTC"),
        (
            [
                hmac,
                &secret,
                "not_before = 2026-12-02T00:00:00Z\nnot_after = 2026-12-01T00:00:00Z\n",
            ]
            .concat(),
            "key k1 of a: not_before must be earlier than not_after",
        ),
        ([hmac, "secret = \"AAAA\"\n"].concat(), "key k1 of a: secret is too weak"),
        ([ed25519, "public_key = \"", &"A".repeat(43), "\"\n"].concat(), "of small order"),
        ([hmac, &secret, "note = \"x\"\n"].concat(), "unknown field `note`"),
    ] {
        let error = refusal(&fields);
        assert!(error.contains(words), "{words}: {error}");
        assert!(!error.contains(secret.trim()), "{error}");
    }
}

#[test]
fn an_inline_array_is_changed_like_tables() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keyring.toml");
    let secret = SecretText::random().unwrap();
    let text = format!(
        "key = [{{ client_id = \"a\", key_id = \"k1\", algorithm = \"hmac-sha256\", secret = \"{}\" }}]\n",
        secret.expose()
    );
    edit::create(&path, &text).unwrap();
    let half = NewKey::random(Algorithm::HmacSha256).unwrap().server_half();
    let entry = KeyEntry::new("a".parse().unwrap(), "k2".parse().unwrap(), half);
    append(&path, &entry).unwrap();
    assert_eq!(list(&path).unwrap().len(), 2);
}

#[test]
fn a_change_that_fails_leaves_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keyring.toml");
    let half = NewKey::random(Algorithm::HmacSha256).unwrap().server_half();
    let entry = KeyEntry::new("a".parse().unwrap(), "k1".parse().unwrap(), half);
    append(&path, &entry).unwrap();
    let before = std::fs::read(&path).unwrap();
    append(&path, &entry).unwrap_err();
    let stop = |_: &[KeyEntry]| Err::<((), _), _>(ConfigError::value(&path, "no"));
    change(&path, stop).unwrap_err();
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
}

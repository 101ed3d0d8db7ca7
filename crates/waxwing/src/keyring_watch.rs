//! Takes up a changed keyring.toml while the server runs: within about a second, and at once on SIGHUP.
//! A file that is wrong changes nothing and is told of; calls under way end with the keys they began with.

use std::convert::Infallible;
use std::fs::Metadata;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tokio::time::MissedTickBehavior;
use waxwing_crypto::Ed25519SigningKey;
use waxwing_server::KeyRings;

use crate::config::keyring::{self, KeySummary, Loaded};
use crate::config::server::KeyFiles;
use crate::config::{ConfigError, SecretText, server_key};
use crate::exit::{Failure, with_sources};
use crate::signals::ReloadSignal;

/// How often it is looked whether the file has changed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long a changed file must have been left alone before it is read. Half a file may read well and
/// say something else: a key without the line that revokes it.
const QUIET: Duration = Duration::from_millis(100);

/// The keyring of a running server, and its file.
#[derive(Debug)]
pub(crate) struct KeyringWatch {
    path: PathBuf,
    decoy: SecretText,
    server: Option<Ed25519SigningKey>,
    rings: KeyRings,
    keys: Vec<KeySummary>,
    seen: Stamp,
}

/// What changes when a file does: in place, by another that takes its name, or in its mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stamp {
    Missing,
    Of { modified: Option<SystemTime>, length: u64, inode: u64, changed: (i64, i64) },
}

/// Why the file is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// A look at it, which goes no further when nothing has changed.
    Look,
    /// Somebody asked for it.
    Asked,
}

impl KeyringWatch {
    /// Reads the keys.
    pub(crate) fn open(files: &KeyFiles) -> Result<Self, Failure> {
        let path = files.keyring.clone();
        let decoy = SecretText::random()
            .map_err(|error| Failure::usage(format!("no random bytes for a key: {error}")))?;
        let server = files.signing_key.as_deref().map(server_key::read).transpose()?;
        let (seen, text) = keyring::read_stamped(&path, Stamp::of);
        let Loaded { ring, keys } = keyring::load(&path, &text?, &decoy, server.as_ref())?;
        let seen = seen.unwrap_or(Stamp::Missing);
        Ok(Self { path, decoy, server, rings: ring.into(), keys, seen })
    }

    /// What may be shown of the keys.
    pub(crate) fn keys(&self) -> &[KeySummary] {
        &self.keys
    }

    /// The place of the ring, which the server reads.
    pub(crate) fn rings(&self) -> KeyRings {
        self.rings.clone()
    }

    /// Looks after the file for ever. The file is small and on this machine: reading it holds nobody up.
    pub(crate) async fn run(mut self, mut signal: ReloadSignal) -> Infallible {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let cause = tokio::select! {
                () = signal.received() => Cause::Asked,
                _ = ticks.tick() => Cause::Look,
            };
            self.look(cause).await;
        }
    }

    async fn look(&mut self, cause: Cause) {
        let mut now = self.stamp();
        if cause == Cause::Look && now == self.seen {
            return;
        }
        while now != self.seen {
            tokio::time::sleep(QUIET).await;
            let before = std::mem::replace(&mut now, self.stamp());
            if now == before {
                break;
            }
        }
        match self.reload() {
            Ok(changes) if changes.is_empty() => {
                tracing::info!(keyring = %self.path.display(), "the keys are unchanged");
            }
            Ok(changes) => {
                tracing::info!(keyring = %self.path.display(), "the keys have changed: {changes}");
            }
            Err(error) => tracing::error!(
                "the keys stay as they were, since the new ones cannot be used: {}",
                with_sources(&error)
            ),
        }
    }

    fn stamp(&self) -> Stamp {
        std::fs::metadata(&self.path).map_or(Stamp::Missing, |file| Stamp::of(&file))
    }

    /// Reads the file and puts its keys in the place of those before; what is other than before.
    fn reload(&mut self) -> Result<String, ConfigError> {
        // The stamp is that of the file that is read, from before it is read: what changes while it is
        // read has another at the next look.
        let (seen, text) = keyring::read_stamped(&self.path, Stamp::of);
        self.seen = seen.unwrap_or(Stamp::Missing);
        if self.stamp() != self.seen {
            return Err(ConfigError::value(&self.path, "it is just being changed"));
        }
        let loaded = keyring::load(&self.path, &text?, &self.decoy, self.server.as_ref())?;
        let changes = changes(&self.keys, &loaded.keys);
        if !changes.is_empty() {
            drop(self.rings.replace(loaded.ring));
            self.keys = loaded.keys;
        }
        Ok(changes)
    }
}

impl Stamp {
    fn of(file: &Metadata) -> Self {
        let (inode, changed) = identity(file);
        Self::Of { modified: file.modified().ok(), length: file.len(), inode, changed }
    }
}

#[cfg(unix)]
fn identity(file: &Metadata) -> (u64, (i64, i64)) {
    use std::os::unix::fs::MetadataExt as _;
    (file.ino(), (file.ctime(), file.ctime_nsec()))
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> (u64, (i64, i64)) {
    (0, (0, 0))
}

/// What is other in `now` than in `before`, by names alone; nothing when all is the same.
fn changes(before: &[KeySummary], now: &[KeySummary]) -> String {
    let name = |key: &KeySummary| format!("{} of {}", key.key_id, key.client_id);
    let same =
        |a: &KeySummary, b: &KeySummary| (&a.client_id, &a.key_id) == (&b.client_id, &b.key_id);
    let mut words = Vec::new();
    for key in now {
        match before.iter().find(|old| same(old, key)) {
            None => words.push(format!("added {}", name(key))),
            Some(old) if old == key => {}
            Some(old) if old.state != key.state => {
                words.push(format!("{} is {} now", name(key), key.state));
            }
            Some(_) => words.push(format!("changed {}", name(key))),
        }
    }
    let gone = before.iter().filter(|old| !now.iter().any(|key| same(old, key)));
    words.extend(gone.map(|old| format!("removed {}", name(old))));
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(client: &str, id: &str, state: &'static str, fingerprint: &str) -> KeySummary {
        KeySummary {
            client_id: client.parse().unwrap(),
            key_id: id.parse().unwrap(),
            algorithm: "hmac-sha256",
            state,
            not_before: None,
            not_after: None,
            fingerprint: fingerprint.to_owned(),
        }
    }

    /// Somebody writes the file in place, in two pieces, and the first alone is a keyring too.
    #[tokio::test(start_paused = true)]
    async fn half_a_file_is_not_taken_for_the_whole() {
        use waxwing_crypto::KeyState;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyring.toml");
        let decoy = SecretText::random().unwrap();
        let entry = |id: &str, secret: &SecretText| {
            format!(
                "[[key]]\nclient_id = \"a\"\nkey_id = \"{id}\"\nalgorithm = \"hmac-sha256\"\n\
                 secret = \"{}\"\n",
                secret.expose()
            )
        };
        let secret = SecretText::random().unwrap();
        let write = |text: &str| {
            std::fs::write(&path, text).unwrap();
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt as _;
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            }
        };
        let old = entry("k0", &secret);
        write(&old);
        let loaded = keyring::load(&path, &old, &decoy, None).unwrap();
        let (rings, seen) = (KeyRings::new(loaded.ring), Stamp::Missing);
        let mut watch = KeyringWatch {
            path: path.clone(),
            decoy,
            server: None,
            rings: rings.clone(),
            keys: loaded.keys,
            seen,
        };
        watch.look(Cause::Look).await;
        let half = entry("k1", &secret);
        write(&half);
        let state = || {
            let (client, id) = ("a".parse().unwrap(), "k1".parse().unwrap());
            rings.current().find(&client, &id).map(waxwing_crypto::KeyRecord::state)
        };
        let writing = async {
            for length in 1..6 {
                tokio::time::sleep(QUIET * 2 / 3).await;
                assert_eq!(state(), None, "it is still being written");
                write(&format!("{half}{}", &"#....\n"[..length]));
            }
            write(&format!("{half}state = \"revoked\"\n"));
        };
        tokio::join!(watch.look(Cause::Asked), writing);
        assert_eq!(state(), Some(KeyState::Revoked));
    }

    #[test]
    fn changes_are_told_by_name() {
        let before = [
            key("a", "k1", "active", "f1"),
            key("a", "k2", "active", "f2"),
            key("b", "k1", "active", "f3"),
        ];
        assert_eq!(changes(&before, &before), "");
        let now = [
            key("a", "k1", "retiring", "f1"),
            key("a", "k3", "active", "f4"),
            key("b", "k1", "active", "f5"),
        ];
        assert_eq!(
            changes(&before, &now),
            "k1 of a is retiring now, added k3 of a, changed k1 of b, removed k2 of a"
        );
    }
}

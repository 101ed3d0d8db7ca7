//! `waxwing init`: three files with a fresh key, four with Ed25519, or none at all.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use serde_json::json;
use waxwing_core::{ClientId, KeyId};

use super::keygen::fresh;
use crate::cli::InitArgs;
use crate::config::client::{Profile, ProfileKey};
use crate::config::halves::NewKey;
use crate::config::keyring::{self, KeyEntry};
use crate::config::new_config::NewConfig;
use crate::config::{Algorithm, ConfigError, server_key};
use crate::exit::Failure;
use crate::{output, terminal};

const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7411);
const ADMIN_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7412);
const SERVER_ID: &str = "waxwing.local";
const CLIENT_ID: &str = "agent";
const KEY_ID: &str = "k1";

pub(super) fn run(args: &InitArgs) -> Result<(), Failure> {
    let server_id = SERVER_ID.parse().map_err(invalid)?;
    let algorithm = args.algorithm;
    let (listen, admin_listen) = (LISTEN, ADMIN_LISTEN);
    let config = NewConfig { listen, admin_listen, server_id, algorithm, more: "" };
    let written = write(&args.dir, &config, &format!("http://{LISTEN}"))?;
    let place = if args.dir == Path::new(".") { "" } else { "cd there, then " };
    terminal::note(&format!(
        "wrote {}\n{place}start a server:  waxwing serve\nand call it:  waxwing call batch_sum numbers=[1,2.5]",
        written.join(", "),
    ));
    output::print(&json!({ "written": written }))
}

/// Writes `waxwing.toml`, `keyring.toml` and `client.toml` into a folder, and with Ed25519 `server.key`;
/// their paths.
pub(super) fn write(dir: &Path, config: &NewConfig, url: &str) -> Result<Vec<String>, Failure> {
    let paths = ["waxwing.toml", "keyring.toml", "client.toml"].map(|name| dir.join(name));
    let server_path = dir.join(server_key::NAME);
    let server = match config.algorithm {
        Algorithm::HmacSha256 => None,
        Algorithm::Ed25519 => Some(fresh(Algorithm::Ed25519)?),
    };
    let server_path = server.as_ref().map(|_| &server_path);
    if let Some(path) = paths.iter().chain(server_path).find(|path| path.symlink_metadata().is_ok())
    {
        return Err(ConfigError::Exists { path: path.clone() }.into());
    }
    let server_public = server.as_ref().and_then(NewKey::public);
    let key = fresh(config.algorithm)?;
    let no_half = || Failure::usage("the client has no key");
    let half = key.client_half(server_public).ok_or_else(no_half)?;
    fs::create_dir_all(dir)
        .map_err(|source| ConfigError::Write { path: dir.to_owned(), source })?;
    let client_id: ClientId<'static> = CLIENT_ID.parse().map_err(invalid)?;
    let key_id: KeyId<'static> = KEY_ID.parse().map_err(invalid)?;
    let [config_path, keyring_path, client_path] = &paths;
    let mut written = Written::default();
    written.add(config_path, |path| config.write_new(path))?;
    let entry = KeyEntry::new(client_id.clone(), key_id.clone(), key.server_half());
    written.add(keyring_path, |path| keyring::write_new(path, &entry))?;
    let (url, server_id) = (url.to_owned(), config.server_id.clone());
    let keys = vec![ProfileKey::new(key_id, half)];
    let profile = Profile::new(url, client_id, server_id, keys);
    written.add(client_path, |path| profile.write_new(path))?;
    if let (Some(path), Some(server), Some(public)) = (server_path, &server, server_public) {
        written.add(path, |path| server_key::write_new(path, server.secret(), public))?;
    }
    Ok(paths.iter().chain(server_path).map(|path| path.display().to_string()).collect())
}

/// The files written so far: they stay together or go together.
#[derive(Default)]
struct Written<'a>(Vec<&'a Path>);

impl<'a> Written<'a> {
    /// Writes one more; when it cannot be, removes what was written of it and those before it.
    fn add(
        &mut self,
        path: &'a Path,
        write: impl FnOnce(&Path) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        let outcome = write(path);
        // What came into being meanwhile is somebody else's.
        if !matches!(outcome, Err(ConfigError::Exists { .. })) {
            self.0.push(path);
        }
        if outcome.is_err() {
            for path in self.0.drain(..) {
                // The write's own failure is what the user has to hear of.
                let _ = fs::remove_file(path);
            }
        }
        outcome
    }
}

fn invalid(id: waxwing_core::InvalidId) -> Failure {
    Failure::usage(id.to_string())
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn put(path: &Path) -> Result<(), ConfigError> {
        fs::write(path, "x").unwrap();
        Ok(())
    }

    #[test]
    fn a_write_that_fails_leaves_none_of_the_files() {
        let dir = tempfile::tempdir().unwrap();
        let [first, second, foreign] = ["first", "second", "foreign"].map(|n| dir.path().join(n));
        let mut written = Written::default();
        written.add(&first, put).unwrap();
        let half = |path: &Path| {
            put(path).unwrap();
            let source = io::Error::from(io::ErrorKind::StorageFull);
            Err(ConfigError::Write { path: path.to_owned(), source })
        };
        assert!(matches!(written.add(&second, half), Err(ConfigError::Write { .. })));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);

        put(&foreign).unwrap();
        written.add(&first, put).unwrap();
        let exists = |path: &Path| Err(ConfigError::Exists { path: path.to_owned() });
        assert!(written.add(&foreign, exists).is_err());
        assert!(foreign.exists() && !first.exists());
    }
}

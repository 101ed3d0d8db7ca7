//! `waxwing init`: three files with a fresh key, or none at all.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use serde_json::json;

use crate::cli::InitArgs;
use crate::config::ConfigError;
use crate::config::client::Profile;
use crate::config::keyring::{self, KeyRecord};
use crate::config::server::NewConfig;
use crate::exit::Failure;
use crate::{output, terminal};

const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7411);
const ADMIN_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7412);
const SERVER_ID: &str = "waxwing.local";
const CLIENT_ID: &str = "agent";
const KEY_ID: &str = "k1";

pub(super) fn run(args: &InitArgs) -> Result<(), Failure> {
    let server_id = SERVER_ID.parse().map_err(invalid)?;
    let config = NewConfig { listen: LISTEN, admin_listen: ADMIN_LISTEN, server_id, more: "" };
    let written = write(&args.dir, &config, &format!("http://{LISTEN}"))?;
    let place = if args.dir == Path::new(".") { "" } else { "cd there, then " };
    terminal::note(&format!(
        "wrote {}\n{place}start a server:  waxwing serve\nand call it:  waxwing call batch_sum numbers=[1,2.5]",
        written.join(", "),
    ));
    output::print(&json!({ "written": written }))
}

/// Writes `waxwing.toml`, `keyring.toml` and `client.toml` into a folder; their paths.
pub(super) fn write(dir: &Path, config: &NewConfig, url: &str) -> Result<Vec<String>, Failure> {
    let paths = ["waxwing.toml", "keyring.toml", "client.toml"].map(|name| dir.join(name));
    if let Some(path) = paths.iter().find(|path| path.symlink_metadata().is_ok()) {
        return Err(ConfigError::Exists { path: path.clone() }.into());
    }
    fs::create_dir_all(dir)
        .map_err(|source| ConfigError::Write { path: dir.to_owned(), source })?;
    let (client_id, key_id) =
        (CLIENT_ID.parse().map_err(invalid)?, KEY_ID.parse().map_err(invalid)?);
    let key = KeyRecord::random(client_id, key_id)
        .map_err(|error| Failure::usage(format!("no random bytes for a key: {error}")))?;
    let [config_path, keyring_path, client_path] = &paths;
    let mut written = Written::default();
    written.add(config_path, |path| config.write_new(path))?;
    written.add(keyring_path, |path| keyring::write_new(path, &key))?;
    let KeyRecord { client_id, key_id, algorithm, secret } = key;
    let (url, server_id) = (url.to_owned(), config.server_id.clone());
    let profile = Profile { url, client_id, server_id, key_id, algorithm, secret };
    written.add(client_path, |path| profile.write_new(path))?;
    Ok(paths.iter().map(|path| path.display().to_string()).collect())
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

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
    config.write_new(config_path)?;
    keyring::write_new(keyring_path, &key)?;
    let KeyRecord { client_id, key_id, algorithm, secret } = key;
    let (url, server_id) = (url.to_owned(), config.server_id.clone());
    Profile { url, client_id, server_id, key_id, algorithm, secret }.write_new(client_path)?;
    Ok(paths.iter().map(|path| path.display().to_string()).collect())
}

fn invalid(id: waxwing_core::InvalidId) -> Failure {
    Failure::usage(id.to_string())
}

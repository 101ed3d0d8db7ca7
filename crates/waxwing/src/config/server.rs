//! `waxwing.toml`: where a server listens, who it is, where its keys and jobs are, its tools and rules. It
//! is read once, as far as it can be, and all that is wrong is told at once.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use waxwing_command::CommandTool;
use waxwing_core::ServerId;
use waxwing_server::AllowRules;

use super::audit::AuditConfig;
use super::fields::Fields;
use super::file::{self, ConfigError, Privacy};
use super::settings::Settings;
use super::store::StoreUrl;
use super::{authorisation, tools};
use crate::exit::with_sources;

/// The file, as far as it can be read: each part can be looked at although another is wrong.
#[derive(Debug)]
pub(crate) struct ConfigFile {
    /// What a server is beside its keys, tools and rules; there unless something about that is wrong.
    pub(crate) server: Option<ServerConfig>,
    pub(crate) keys: Option<KeyFiles>,
    pub(crate) tools: ToolTables,
    /// There unless one of them is wrong.
    pub(crate) rules: Option<AllowRules>,
    /// What is wrong with the file, one line each. No line repeats what may be a secret.
    pub(crate) faults: Vec<String>,
}

/// What a server is beside its keys, tools and rules.
#[derive(Debug)]
pub(crate) struct ServerConfig {
    pub(crate) listen: SocketAddr,
    pub(crate) admin_listen: SocketAddr,
    pub(crate) server_id: ServerId<'static>,
    pub(crate) store: StoreUrl,
    /// What `Host` may say, instead of the listener's own names.
    pub(crate) hosts: Option<Vec<String>>,
    pub(crate) origins: Vec<String>,
    pub(crate) settings: Settings,
    pub(crate) audit: Option<AuditConfig>,
}

/// Where a server's keys are.
#[derive(Clone, Debug)]
pub(crate) struct KeyFiles {
    pub(crate) keyring: PathBuf,
    /// The server's own key, without which it cannot have clients with Ed25519 keys.
    pub(crate) signing_key: Option<PathBuf>,
}

/// The tools that a file names.
#[derive(Debug)]
pub(crate) struct ToolTables {
    /// Whose they are.
    pub(crate) server_id: Option<ServerId<'static>>,
    pub(crate) demo: bool,
    /// Those that are programs; `None` for one that could not be read.
    pub(crate) commands: Vec<Option<CommandTool>>,
    /// Where the file is.
    pub(crate) folder: PathBuf,
}

const FREE_LOOPBACK_PORT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

impl ConfigFile {
    /// Reads the file. Paths in it are relative to it.
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigError> {
        let file = File::open(path).map_err(|source| file::unreadable(path, source))?;
        let text = file::read_text(path, &file, Privacy::Public)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let absolute = std::path::absolute(Path::new(".").join(folder))
            .map_err(|source| file::unreadable(path, source))?;
        let mut fields = Fields::parse(path, &text)?;
        let commands = tools::read(&mut fields, &absolute);
        let rules = authorisation::read(&mut fields);
        let of_tools_and_rules = fields.faults_so_far(path, &text);

        let server_id = fields.required::<ServerId<'static>>("server_id");
        let keys = KeyFiles::read(&mut fields, folder);
        let demo = fields.table("tools", |table| table.take("demo")).flatten().unwrap_or(false);
        let store = fields.required::<StoreUrl>("store");
        let is_secret = store.as_ref().is_some_and(StoreUrl::is_secret);
        let server = ServerConfig::read(&mut fields, folder, server_id.clone(), store);
        let mut faults = fields.faults(path, &text);
        if is_secret && let Err(exposed) = file::check_mode(path, &file) {
            faults.push(with_sources(&exposed));
        }
        let server = server.filter(|_| faults.is_empty());
        faults.extend(of_tools_and_rules);
        let tools = ToolTables { server_id, demo, commands, folder: absolute };
        Ok(Self { server, keys, tools, rules, faults })
    }

    /// The server alone, for those who need no more; tools and rules may be wrong.
    pub(crate) fn server(path: &Path) -> Result<ServerConfig, ConfigError> {
        let Self { server, faults, .. } = Self::read(path)?;
        server.ok_or(ConfigError::Faults { faults })
    }
}

impl ServerConfig {
    fn read(
        fields: &mut Fields<'_>,
        folder: &Path,
        server_id: Option<ServerId<'static>>,
        store: Option<StoreUrl>,
    ) -> Option<Self> {
        let listen = fields.required("listen");
        let admin_listen = fields.take("admin_listen").unwrap_or(FREE_LOOPBACK_PORT);
        let hosts = fields.take("hosts");
        let origins = fields.take("origins").unwrap_or_default();
        let settings = Settings::read(fields);
        let audit = fields.table("audit", |table| AuditConfig::read(table, folder)).flatten();
        let (server_id, store) = (server_id?, store?.within(folder));
        let listen = listen?;
        Some(Self { listen, admin_listen, server_id, store, hosts, origins, settings, audit })
    }
}

impl KeyFiles {
    fn read(fields: &mut Fields<'_>, folder: &Path) -> Option<Self> {
        let keyring = fields.required::<PathBuf>("keyring");
        let signing_key = fields.take::<PathBuf>("signing_key").map(|key| folder.join(key));
        Some(Self { keyring: folder.join(keyring?), signing_key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "listen = \"127.0.0.1:0\"\nserver_id = \"s\"\nkeyring = \"k\"\n";

    fn read(text: &str) -> (tempfile::TempDir, ConfigFile) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.toml");
        std::fs::write(&path, text).unwrap();
        let read = ConfigFile::read(&path).unwrap();
        (folder, read)
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let (folder, file) =
            read(&format!("{LEAST}store = \"sqlite:a/b.db\"\n[tools]\ndemo = true\n"));
        assert_eq!(file.faults, [""; 0]);
        assert_eq!(file.keys.unwrap().keyring, folder.path().join("k"));
        let server = file.server.unwrap();
        assert_eq!(server.store, StoreUrl::Sqlite(folder.path().join("a/b.db")));
        assert_eq!(server.admin_listen, FREE_LOOPBACK_PORT);
        assert!(file.tools.demo && file.rules.is_some());
    }

    #[test]
    fn everything_that_is_wrong_is_named_at_once() {
        let (_folder, file) = read(
            "server_id = \"a b\"\nport = 1\nstore = \"postgres:x\"\nkeyring = \"k\"\nlisten = 5\n\
             [limits]\nmax_depth = 1000\n[tools]\ndemos = true\n[audit]\nslow_ms = 0\n\
             [[tool]]\nname = \"n\"\n[[allow]]\nclient = \"c\"\n",
        );
        let all = file.faults.join("\n");
        for (line, fault) in [
            ("1:13", "server_id is wrong: server_id must be"),
            ("2:1", "port is no key here"),
            ("3:9", "store is wrong: "),
            ("5:10", "listen is wrong: "),
            ("7:13", "limits.max_depth must be 4 to 128"),
            ("9:1", "tools.demos is no key here; the keys are demo"),
            ("10:", "audit.file is missing"),
            ("11:11", "audit.slow_ms must be 1 to"),
            ("12:", "tool \"n\": command is missing"),
            ("14:", "tools is missing"),
        ] {
            let has = |it: &&String| it.contains(&format!("w.toml:{line}")) && it.contains(fault);
            assert!(file.faults.iter().any(|it| has(&it)), "{line} {fault}:\n{all}");
        }
        assert!(file.server.is_none() && file.rules.is_none(), "{all}");
        assert!(file.keys.is_some(), "what is right can be looked at: {all}");
    }

    #[test]
    fn tools_and_rules_that_are_wrong_keep_nobody_from_the_store() {
        let (_folder, file) =
            read(&format!("{LEAST}store = \"memory:\"\n[[tool]]\nx = 1\n[[allow]]\n"));
        assert!(file.server.is_some() && !file.faults.is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_with_the_databases_password_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let text = format!("{LEAST}store = \"postgres://u:canary@h/d\"\n");
        let (folder, file) = read(&text);
        let path = folder.path().join("w.toml");
        let set = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode));
        drop(file);
        set(0o644).unwrap();
        let file = ConfigFile::read(&path).unwrap();
        assert!(file.server.is_none() && file.faults[0].contains("chmod 600"), "{file:?}");
        assert!(!format!("{file:?}").contains("canary"));
        set(0o600).unwrap();
        assert!(ConfigFile::read(&path).unwrap().server.is_some());
    }
}

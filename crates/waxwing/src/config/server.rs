//! `waxwing.toml`: where a server listens, who it is, where its keys and jobs are, and its bounds.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use waxwing_core::{Limits, ServerId};
use waxwing_crypto::{Capacity, Window};
use waxwing_jobs::EngineConfig;
use waxwing_server::{HttpLimits, JobPolicy, ReplayPolicy};

use super::audit::AuditTable;
use super::authorisation::{AllowTable, AuthorisationTable};
use super::file::{self, ConfigError, Privacy};
use super::store::StoreUrl;
use super::{Algorithm, server_key};

/// The file. Paths in it are relative to it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServerConfig {
    pub(crate) listen: SocketAddr,
    #[serde(default = "free_loopback_port")]
    pub(crate) admin_listen: SocketAddr,
    pub(crate) server_id: ServerId<'static>,
    pub(crate) keyring: PathBuf,
    /// The server's own key, without which it cannot have clients with Ed25519 keys.
    pub(crate) signing_key: Option<PathBuf>,
    pub(crate) store: StoreUrl,
    /// What `Host` may say, instead of the listener's own names.
    pub(crate) hosts: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) origins: Vec<String>,
    #[serde(default)]
    pub(crate) limits: LimitsTable,
    #[serde(default)]
    pub(crate) window: WindowTable,
    #[serde(default)]
    replay: ReplayTable,
    #[serde(default)]
    pub(crate) jobs: JobsTable,
    #[serde(default)]
    pub(crate) tools: ToolsTable,
    /// The tools that are programs, as they stand there: [`super::tools`] reads them.
    #[serde(default, rename = "tool")]
    pub(crate) command_tools: Vec<toml::Table>,
    /// Where the file is.
    #[serde(skip)]
    pub(crate) folder: PathBuf,
    #[serde(default)]
    pub(crate) authorisation: AuthorisationTable,
    #[serde(default)]
    pub(crate) allow: Vec<AllowTable>,
    pub(crate) audit: Option<AuditTable>,
}

/// `[limits]`: of messages, connections and nonces.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitsTable {
    max_message: Option<usize>,
    max_depth: Option<usize>,
    connections: Option<usize>,
    nonces: Option<usize>,
    nonces_per_key: Option<usize>,
}

/// `[window]`: how far a message's time may lie from the server's clock.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WindowTable {
    past_ms: Option<u32>,
    future_ms: Option<u32>,
}

/// `[replay]`: what is remembered of messages, so that none is served twice.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplayTable {
    #[serde(default)]
    guard: GuardKind,
}

/// Where nonces are kept.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum GuardKind {
    #[default]
    Auto,
    Memory,
    Store,
}

/// `[jobs]`: how they are run and kept.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobsTable {
    concurrency: Option<usize>,
    lease_ms: Option<u64>,
    sweep_ms: Option<u64>,
    ttl_ms: Option<u64>,
    max_attempts: Option<u32>,
    drain_ms: Option<u64>,
}

/// `[tools]`: which are offered.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToolsTable {
    #[serde(default)]
    pub(crate) demo: bool,
}

const fn free_loopback_port() -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0)
}

impl ServerConfig {
    /// Reads the file.
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = file::read(path, Privacy::Public)?;
        config.check().map_err(|message| ConfigError::value(path, message))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        config.folder = std::path::absolute(Path::new(".").join(folder))
            .map_err(|source| file::unreadable(path, source))?;
        config.keyring = folder.join(&config.keyring);
        config.audit = config.audit.map(|audit| audit.within_folder(folder));
        config.signing_key = config.signing_key.map(|key| folder.join(key));
        if config.store.is_secret() {
            // Now that it is known to hold the database's password, it must be its owner's alone.
            file::read::<Self>(path, Privacy::Private)?;
        }
        config.store = config.store.within(folder);
        Ok(config)
    }

    /// Bounds that no part of the server would make sense beyond.
    fn check(&self) -> Result<(), String> {
        let Self { limits, jobs, .. } = self;
        self.audit.as_ref().map_or(Ok(()), AuditTable::check)?;
        let size = |size: usize| size as u64;
        within("limits.max_message", limits.max_message.map(size), 1 << 10, 1 << 30)?;
        within("limits.max_depth", limits.max_depth.map(size), 4, Limits::DEEPEST as u64)?;
        within("limits.connections", limits.connections.map(size), 1, 1 << 20)?;
        within("limits.nonces", limits.nonces.map(size), 1, 1 << 30)?;
        within("limits.nonces_per_key", limits.nonces_per_key.map(size), 1, 1 << 30)?;
        within("window.past_ms", self.window.past_ms.map(u64::from), 1_000, 3_600_000)?;
        within("window.future_ms", self.window.future_ms.map(u64::from), 0, 3_600_000)?;
        within("jobs.concurrency", jobs.concurrency.map(size), 1, 1 << 16)?;
        within("jobs.lease_ms", jobs.lease_ms, 100, 3_600_000)?;
        within("jobs.sweep_ms", jobs.sweep_ms, 10, 3_600_000)?;
        within("jobs.ttl_ms", jobs.ttl_ms, 1_000, 366 * 86_400_000)?;
        within("jobs.max_attempts", jobs.max_attempts.map(u64::from), 1, 1_000_000)?;
        within("jobs.drain_ms", jobs.drain_ms, 0, 3_600_000)
    }

    /// The bounds of messages.
    pub(crate) fn message_limits(&self) -> Limits {
        Limits::DEFAULT
            .with_max_message(self.limits.max_message.unwrap_or(Limits::DEFAULT.max_message()))
            .with_max_depth(self.limits.max_depth.unwrap_or(Limits::DEFAULT.max_depth()))
    }

    /// The bounds of connections.
    pub(crate) fn http_limits(&self) -> HttpLimits {
        let mut http = HttpLimits::DEFAULT;
        http.connections = self.limits.connections.unwrap_or(http.connections);
        http
    }

    /// How many nonces are remembered.
    pub(crate) fn replay_capacity(&self) -> Capacity {
        let Capacity { total, per_key } = Capacity::default();
        Capacity {
            total: self.limits.nonces.unwrap_or(total),
            per_key: self.limits.nonces_per_key.unwrap_or(per_key),
        }
    }

    /// Where nonces are kept.
    pub(crate) const fn replay_policy(&self) -> ReplayPolicy {
        match self.replay.guard {
            GuardKind::Auto => ReplayPolicy::Auto,
            GuardKind::Memory => ReplayPolicy::Memory,
            GuardKind::Store => ReplayPolicy::Store,
        }
    }

    /// The clock window.
    pub(crate) fn clock_window(&self) -> Window {
        Window {
            past_ms: self.window.past_ms.unwrap_or(Window::DEFAULT.past_ms),
            future_ms: self.window.future_ms.unwrap_or(Window::DEFAULT.future_ms),
        }
    }

    /// How jobs are kept.
    pub(crate) fn job_policy(&self) -> JobPolicy {
        let mut policy = JobPolicy::DEFAULT;
        policy.ttl = millis_or(self.jobs.ttl_ms, policy.ttl);
        policy.max_attempts = self.jobs.max_attempts.unwrap_or(policy.max_attempts);
        policy
    }

    /// How jobs are run.
    pub(crate) fn engine(&self) -> EngineConfig {
        let mut engine = EngineConfig::default();
        engine.worker = format!("waxwing-{}", std::process::id());
        engine.jitter_seed = u64::from(std::process::id());
        engine.concurrency = self.jobs.concurrency.unwrap_or(engine.concurrency);
        engine.lease = millis_or(self.jobs.lease_ms, engine.lease);
        engine.sweep_every = millis_or(self.jobs.sweep_ms, engine.sweep_every);
        engine
    }

    /// How long a stop lets calls and jobs go on.
    pub(crate) fn drain(&self) -> Duration {
        millis_or(self.jobs.drain_ms, Duration::from_secs(30))
    }
}

pub(super) fn within(key: &str, value: Option<u64>, least: u64, most: u64) -> Result<(), String> {
    match value {
        Some(value) if !(least..=most).contains(&value) => {
            Err(format!("{key} must be {least} to {most}, and is {value}"))
        }
        _ => Ok(()),
    }
}

fn millis_or(millis: Option<u64>, default: Duration) -> Duration {
    millis.map_or(default, Duration::from_millis)
}

/// What `waxwing init` and `waxwing demo` write into the file.
pub(crate) struct NewConfig {
    pub(crate) listen: SocketAddr,
    pub(crate) admin_listen: SocketAddr,
    pub(crate) server_id: ServerId<'static>,
    /// What its first client signs with.
    pub(crate) algorithm: Algorithm,
    /// More of the file, after all else.
    pub(crate) more: &'static str,
}

impl NewConfig {
    /// Writes the file, with the keyring and the store beside it and the demo tools on.
    pub(crate) fn write_new(&self, path: &Path) -> Result<(), ConfigError> {
        let Self { listen, admin_listen, server_id, algorithm, more } = self;
        let signing_key = match algorithm {
            Algorithm::HmacSha256 => String::new(),
            Algorithm::Ed25519 => format!("signing_key = \"{}\"\n", server_key::NAME),
        };
        let text = format!(
            "# A Waxwing server. Paths are relative to this file; an unknown key is an error.\n\
             listen = \"{listen}\"\n\
             # Health (/livez, /readyz); keep it on the loopback address.\n\
             admin_listen = \"{admin_listen}\"\n\
             server_id = \"{server_id}\"\n\
             keyring = \"keyring.toml\"\n\
             {signing_key}\
             # Where jobs are kept: sqlite:PATH on one machine, postgres://USER@HOST/DATABASE for many,\n\
             # or memory: to lose them with the process.\n\
             store = \"sqlite:waxwing.db\"\n\
             \n\
             # Tools to try things with: batch_sum, long_task and transfer.\n\
             [tools]\n\
             demo = true\n\
             \n\
             # A program as a tool: arguments as JSON on stdin, one JSON value from stdout.\n\
             # [[tool]]\n\
             # name = \"word_count\"\n\
             # description = \"Counts the words of a text.\"\n\
             # command = [\"python3\", \"word_count.py\"]\n\
             # input_schema = {{ type = \"object\", properties = {{ text = {{ type = \"string\" }} }}, required = [\"text\"] }}\n\
             # output_schema = {{ type = \"integer\" }}\n\
             {more}"
        );
        file::write_new(path, &text, Privacy::Public)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "listen = \"127.0.0.1:0\"\nserver_id = \"s\"\nkeyring = \"k\"\n";

    fn parse(rest: &str) -> Result<ServerConfig, String> {
        let text = format!("{LEAST}{rest}");
        let config: ServerConfig =
            file::parse(Path::new("w.toml"), &text).map_err(|error| error.to_string())?;
        config.check()?;
        Ok(config)
    }

    #[test]
    fn what_is_left_out_has_the_defaults() {
        let config = parse("store = \"memory:\"").unwrap();
        assert_eq!(config.message_limits(), Limits::DEFAULT);
        assert_eq!(config.clock_window(), Window::DEFAULT);
        assert_eq!(config.replay_capacity(), Capacity::default());
        assert_eq!(config.replay_policy(), ReplayPolicy::Auto);
        assert_eq!(config.http_limits(), HttpLimits::DEFAULT);
        assert_eq!(config.job_policy(), JobPolicy::DEFAULT);
        assert_eq!(config.engine().lease, EngineConfig::default().lease);
        assert!(!config.tools.demo);
    }

    #[test]
    fn what_is_set_is_used() {
        let config = parse(
            "store = \"sqlite:a/b.db\"\n\
             [limits]\nmax_message = 2048\nmax_depth = 8\nconnections = 3\nnonces = 9\nnonces_per_key = 4\n\
             [window]\npast_ms = 5000\nfuture_ms = 0\n[replay]\nguard = \"store\"\n\
             [jobs]\nconcurrency = 2\nlease_ms = 500\nsweep_ms = 50\nttl_ms = 9000\nmax_attempts = 7\n\
             drain_ms = 0\n[tools]\ndemo = true\n",
        )
        .unwrap();
        assert_eq!(config.store, StoreUrl::Sqlite("a/b.db".into()));
        assert_eq!(
            (config.message_limits().max_message(), config.message_limits().max_depth()),
            (2048, 8)
        );
        assert_eq!(config.http_limits().connections, 3);
        assert_eq!(config.replay_capacity(), Capacity { total: 9, per_key: 4 });
        assert_eq!(config.clock_window(), Window { past_ms: 5000, future_ms: 0 });
        assert_eq!(config.replay_policy(), ReplayPolicy::Store);
        let (engine, policy) = (config.engine(), config.job_policy());
        assert_eq!((engine.concurrency, policy.max_attempts), (2, 7));
        assert_eq!((engine.lease.as_millis(), engine.sweep_every.as_millis()), (500, 50));
        assert_eq!((policy.ttl.as_secs(), config.drain()), (9, Duration::ZERO));
        assert!(config.tools.demo);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (rest, name) in [
            ("store = \"postgres:x\"", "postgres://"),
            ("store = \"sqlite:\"", "sqlite:PATH"),
            ("store = \"memory:\"\nport = 1", "`port`"),
            ("store = \"memory:\"\n[limits]\nmax_mesage = 1", "`max_mesage`"),
            ("store = \"memory:\"\n[window]\npast = 1", "`past`"),
            ("store = \"memory:\"\n[tools]\ndemos = true", "`demos`"),
            ("store = \"memory:\"\n[replay]\nguard = \"disk\"", "`auto`, `memory`, `store`"),
            ("store = \"memory:\"\n[jobs]\nlease_ms = 5", "jobs.lease_ms must be 100"),
            (
                "store = \"memory:\"\n[limits]\nmax_depth = 1000",
                "limits.max_depth must be 4 to 128",
            ),
            ("", "`store`"),
        ] {
            let error = parse(rest).unwrap_err();
            assert!(error.contains(name), "{rest}: {error}");
        }
    }
}

//! The address of a database, as an operator writes it: `postgres://USER@HOST/DB?OPTION=VALUE`.

mod hosts;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use waxwing_jobs::StoreError;

pub(crate) use self::hosts::Endpoint;
use crate::schema::Schema;
use crate::tls::Trust;

/// Where the database is and how it is reached. Its `Debug` shows no password.
///
/// Beside what libpq takes (`host`, `port`, `user`, `application_name`, ...), an address may name
/// several hosts: a primary and its standbys. They are tried in their order, beginning with the one
/// that took writes last, until one takes writes: so the store follows a failover by itself. It may
/// also say:
///
/// | option | meaning |
/// |---|---|
/// | `schema` | the schema of the tables, made if it is missing; `waxwing` by default |
/// | `sslmode` | `disable`, `prefer` (TLS if the server has it; nothing is verified), `require` (TLS, nothing is verified, unless `sslrootcert` is given), `verify-ca` (its certificate is signed by a trusted authority), `verify-full` (and names the host). By default `disable` for a socket or a loopback address, `verify-full` for any other |
/// | `sslrootcert` | a PEM file with the trusted authorities; the system's by default |
/// | `password_file` | a file, readable by its owner alone, whose first line is the password; read again for each connection |
/// | `connect_timeout` | the most seconds that one host may take for a connection; 3 by default |
/// | `pooled` | `true` behind a pooler in transaction mode: no named statements, no session settings, no LISTEN; `false` by default |
/// | `connections` | the most connections of this process, beside one for hints; 8 by default |
#[derive(Clone)]
pub struct PostgresConfig {
    /// Names no host.
    driver: tokio_postgres::Config,
    pub(crate) endpoints: Vec<Endpoint>,
    /// The most time that one address of a host may take for a connection.
    pub(crate) time_to_connect: Duration,
    pub(crate) schema: Schema,
    pub(crate) trust: Trust,
    pub(crate) session: Session,
    pub(crate) connections: usize,
    password_file: Option<PathBuf>,
    password_in_url: Given,
}

/// Whether a connection is a session of the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Session {
    /// It is, for as long as it is open.
    Own,
    /// A pooler gives each transaction another one.
    Pooled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Given {
    Yes,
    No,
}

impl fmt::Debug for PostgresConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresConfig").field("place", &self.place()).finish_non_exhaustive()
    }
}

/// What only this crate understands of an address.
#[derive(Default)]
struct Options {
    schema: Option<String>,
    sslmode: Option<String>,
    sslrootcert: Option<PathBuf>,
    password_file: Option<PathBuf>,
    pooled: bool,
    connections: Option<usize>,
    /// The rest of the query, for the driver: which hosts, and how to speak to them.
    hosts: Vec<String>,
    rest: Vec<String>,
}

fn wrong(why: impl fmt::Display) -> StoreError {
    StoreError::Misconfigured(format!("the database's address: {why}"))
}

impl Options {
    fn read(query: &str) -> Result<Self, StoreError> {
        let mut options = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, raw) = pair.split_once('=').ok_or_else(|| wrong("an option has no value"))?;
            let value = decoded(raw).ok_or_else(|| wrong(format!("{key} is not UTF-8")))?;
            match key {
                "schema" => options.schema = Some(value),
                "sslmode" => options.sslmode = Some(value),
                "sslrootcert" => options.sslrootcert = Some(value.into()),
                "password_file" => options.password_file = Some(value.into()),
                "pooled" => {
                    let pooled = value.parse();
                    options.pooled = pooled.map_err(|_| wrong("pooled must be true or false"))?;
                }
                "connections" => {
                    let count = value.parse().ok().filter(|count| (1..=1000).contains(count));
                    let count = count.ok_or_else(|| wrong("connections must be 1 to 1000"))?;
                    options.connections = Some(count);
                }
                "target_session_attrs" if value != "read-write" => {
                    return Err(wrong("target_session_attrs can only be read-write"));
                }
                "host" | "hostaddr" | "port" => {
                    options.hosts.extend(raw.split(',').map(|one| format!("{key}={one}")));
                }
                _ => options.rest.push(pair.to_owned()),
            }
        }
        Ok(options)
    }
}

/// `%XX` and nothing else is special in a query's value.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let hex = [bytes.next()?, bytes.next()?];
            out.push(u8::from_str_radix(std::str::from_utf8(&hex).ok()?, 16).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

impl PostgresConfig {
    /// Reads an address that begins with `postgres://` or `postgresql://`.
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`] naming what is wrong, without repeating a value.
    pub fn parse(url: &str) -> Result<Self, StoreError> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(wrong("it must begin with postgres://"));
        }
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let options = Options::read(query)?;
        let all = [&options.rest[..], &options.hosts[..]].concat();
        let endpoints = hosts::endpoints(&driver(base, &all)?)?;
        let mut driver = driver(&hosts::without_hosts(base), &options.rest)?;
        let default = || default_mode(&endpoints);
        let mode = options.sslmode.as_deref().unwrap_or_else(default);
        let trust = Trust::read(mode, options.sslrootcert).map_err(wrong)?;
        let session = if options.pooled { Session::Pooled } else { Session::Own };
        let time_to_connect = driver.get_connect_timeout().copied().unwrap_or(TIME_TO_CONNECT);
        prepare(&mut driver, trust.driver_mode());
        Ok(Self {
            schema: Schema::new(options.schema.as_deref().unwrap_or("waxwing")).map_err(wrong)?,
            endpoints,
            time_to_connect,
            trust,
            session,
            connections: options.connections.unwrap_or(8),
            password_file: options.password_file,
            password_in_url: if driver.get_password().is_some() { Given::Yes } else { Given::No },
            driver,
        })
    }

    /// The same, with paths that were not absolute taken from `folder`.
    #[must_use]
    pub fn with_paths_from(mut self, folder: &Path) -> Self {
        self.password_file = self.password_file.map(|path| folder.join(path));
        self.trust = self.trust.with_paths_from(folder);
        self
    }

    /// Whether the address itself holds a password, so that whatever holds the address is a secret.
    #[must_use]
    pub fn holds_password(&self) -> bool {
        self.password_in_url == Given::Yes
    }

    /// The hosts, the database and the schema, for people to read.
    pub(crate) fn place(&self) -> String {
        let hosts: Vec<String> = self.endpoints.iter().map(Endpoint::name).collect();
        let database = self.driver.get_dbname().or(self.driver.get_user()).unwrap_or("(default)");
        format!("{}/{database}, schema {}", hosts.join(","), self.schema.name())
    }

    /// The driver's settings, but for a host, with the password that a file holds by now, and with
    /// the session's own settings where it may have some.
    pub(crate) fn driver(&self, setup: Setup) -> Result<tokio_postgres::Config, StoreError> {
        let mut driver = self.driver.clone();
        if let Some(path) = &self.password_file {
            driver.password(password(path)?);
        }
        if (setup, self.session) == (Setup::Ours, Session::Own) {
            let theirs = driver.get_options().unwrap_or_default().to_owned();
            driver.options(format!("{theirs} {OURS}"));
        }
        Ok(driver)
    }
}

/// Whose settings a connection works with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setup {
    /// The server's, as its administrator made them.
    Servers,
    /// The same, but for [`OURS`].
    Ours,
}

/// What the store relies on is set by it, and stays as it is whatever the server's configuration
/// becomes. All statements go from rows that are named to an index: plans that read a whole table
/// are never better, but look so until the tables are first analysed.
const OURS: &str = "-c synchronous_commit=on -c jit=off -c statement_timeout=4500 \
    -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off";

/// By which [`OURS`] are known, as the server spells it: a little less than the time after which a
/// statement's connection counts as lost, so that the server gives up what nobody waits for.
pub(crate) const OUR_STATEMENT_TIMEOUT: &str = "4500ms";

/// See [`PostgresConfig`], `connect_timeout`.
const TIME_TO_CONNECT: Duration = Duration::from_secs(3);

/// The address as its driver reads it. The driver's errors name options, and never a value.
fn driver(base: &str, options: &[String]) -> Result<tokio_postgres::Config, StoreError> {
    let url = format!("{base}?{}", options.join("&"));
    let url = url.trim_end_matches('?');
    url.parse().map_err(|error: tokio_postgres::Error| {
        let source = std::error::Error::source(&error);
        wrong(source.map_or_else(|| error.to_string(), ToString::to_string))
    })
}

fn default_mode(endpoints: &[Endpoint]) -> &'static str {
    if endpoints.iter().all(Endpoint::is_near) { "disable" } else { "verify-full" }
}

/// What every connection is told.
fn prepare(driver: &mut tokio_postgres::Config, mode: SslMode) {
    driver.ssl_mode(mode);
    // A standby answers reads with what was true once: after a switchover behind one name, too.
    driver.target_session_attrs(TargetSessionAttrs::ReadWrite);
    if driver.get_application_name().is_none() {
        driver.application_name("waxwing");
    }
    driver.keepalives_idle(Duration::from_secs(15));
    driver.tcp_user_timeout(Duration::from_secs(15));
}

fn password(path: &Path) -> Result<String, StoreError> {
    let refuse = |why: String| {
        StoreError::Misconfigured(format!("the password file {}: {why}", path.display()))
    };
    let metadata = std::fs::metadata(path).map_err(|error| refuse(error.to_string()))?;
    #[cfg(unix)]
    if std::os::unix::fs::MetadataExt::mode(&metadata) & 0o077 != 0 {
        return Err(refuse("others may read it; chmod 600".to_owned()));
    }
    #[cfg(not(unix))]
    drop(metadata);
    let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    let line = text.lines().next().filter(|line| !line.is_empty());
    line.map(str::to_owned).ok_or_else(|| refuse("its first line is empty".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> String {
        PostgresConfig::parse(url).unwrap_err().to_string()
    }

    #[test]
    fn an_address_may_say_little_or_much() {
        let plain = PostgresConfig::parse("postgres://user@db.example/jobs").unwrap();
        assert_eq!(plain.place(), "db.example/jobs, schema waxwing");
        assert_eq!((plain.session, plain.connections), (Session::Own, 8));
        assert!(!plain.holds_password());
        let much = "postgresql://u@[::1]:5433/d?schema=My%20jobs&pooled=true&connections=3\
            &connect_timeout=9&application_name=x";
        let much = PostgresConfig::parse(much).unwrap();
        assert_eq!((much.session, much.connections), (Session::Pooled, 3));
        assert_eq!(much.schema.name(), "My jobs");
        assert_eq!(much.time_to_connect, Duration::from_secs(9));
        let driver = much.driver(Setup::Ours).unwrap();
        assert_eq!(driver.get_options(), None, "a pooler takes no session settings");
        assert_eq!(plain.driver(Setup::Servers).unwrap().get_options(), None);
        let driver = plain.driver(Setup::Ours).unwrap();
        assert!(driver.get_options().unwrap().contains("synchronous_commit=on"));
        assert!(driver.get_options().unwrap().contains("statement_timeout=4500"));
    }

    #[test]
    fn a_primary_and_its_standbys_are_named_in_one_address() {
        let named = |url: &str| PostgresConfig::parse(url).unwrap();
        let two = named("postgres://u:p%40x@db1,db2:5433/d?sslmode=disable");
        let hosts = |config: &PostgresConfig| -> Vec<(String, u16)> {
            config.endpoints.iter().map(|endpoint| (endpoint.name(), endpoint.port)).collect()
        };
        assert_eq!(hosts(&two), [("db1".to_owned(), 5432), ("db2".to_owned(), 5433)]);
        let driver = two.driver(Setup::Ours).unwrap();
        assert_eq!((driver.get_hosts(), driver.get_ports()), (&[][..], &[][..]));
        assert_eq!((driver.get_user(), driver.get_dbname()), (Some("u"), Some("d")));
        assert_eq!(driver.get_password(), Some(&b"p@x"[..]));
        let sockets =
            named("postgres:///d?host=/run/a,/run/b&port=7&target_session_attrs=read-write");
        assert_eq!(hosts(&sockets), [("/run/a".to_owned(), 7), ("/run/b".to_owned(), 7)]);
        let numbered = named("postgres://u@db1,db2/d?hostaddr=10.0.0.1,10.0.0.2");
        assert_eq!(numbered.endpoints[1].address, Some([10, 0, 0, 2].into()));
        assert_eq!(numbered.driver.get_ssl_mode(), SslMode::Require);
        for url in ["postgres://u@h", "postgres://h/d", "postgres://u@h?user=x"] {
            assert_eq!(named(url).endpoints.len(), 1, "{url}");
        }
    }

    #[test]
    fn reads_and_writes_go_to_the_primary_alone() {
        for url in ["postgres://u@h/d", "postgres://u@h,i/d", "postgres://u@h/d?pooled=true"] {
            let driver = PostgresConfig::parse(url).unwrap().driver(Setup::Servers).unwrap();
            assert_eq!(driver.get_target_session_attrs(), TargetSessionAttrs::ReadWrite, "{url}");
        }
        let said = refused("postgres://u@h/d?target_session_attrs=any");
        assert!(said.contains("read-write"), "{said}");
    }

    #[test]
    fn what_is_wrong_is_named_and_no_value_is_repeated() {
        for (rest, says) in [
            ("mysql://u:canary@h/d", "postgres://"),
            ("postgres://u:canary@h/d?sslmode=canary", "sslmode"),
            ("postgres://u:canary@h/d?pooled=canary", "pooled"),
            ("postgres://u:canary@h/d?connections=0", "connections"),
            ("postgres://u:canary@h/d?schema=pg_canary", "schema"),
            ("postgres://u:canary@h/d?schema=", "schema"),
            ("postgres://u:canary@h/d?colour=canary", "colour"),
            ("postgres://u:canary@h:canary/d", "port"),
            ("postgres:///d", "no host"),
            ("postgres://u@a,b/d?hostaddr=10.0.0.1", "once for each host"),
        ] {
            let said = refused(rest);
            assert!(said.contains(says), "{said}");
            assert!(!said.contains("canary"), "{said}");
        }
    }

    #[test]
    fn a_password_shows_nowhere() {
        let config = PostgresConfig::parse("postgres://u:canary@h/d").unwrap();
        assert!(config.holds_password());
        let shown = format!("{config:?} {:?} {}", config.driver, config.place());
        assert!(!shown.contains("canary"), "{shown}");
    }

    #[cfg(unix)]
    #[test]
    fn a_password_file_is_its_owners_alone_and_its_first_line_counts() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        std::fs::write(&path, "canary\nmore\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let config = PostgresConfig::parse("postgres://u@h/d?password_file=password").unwrap();
        let config = config.with_paths_from(dir.path());
        let said = config.driver(Setup::Ours).unwrap_err().to_string();
        assert!(said.contains("chmod 600") && !said.contains("canary"), "{said}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(config.driver(Setup::Ours).unwrap().get_password(), Some(&b"canary"[..]));
    }

    #[test]
    fn nothing_goes_unencrypted_over_a_network_unless_it_is_asked_to() {
        for (url, mode) in [
            ("postgres://u@db.example/d", SslMode::Require),
            ("postgres://u@10.0.0.1/d", SslMode::Require),
            ("postgres://u@127.0.0.1,db.example/d", SslMode::Require),
            ("postgres://u@localhost/d", SslMode::Disable),
            ("postgres://u@127.0.0.1/d", SslMode::Disable),
            ("postgres:///d?host=/run/postgresql", SslMode::Disable),
            ("postgres://u@db.example/d?sslmode=disable", SslMode::Disable),
            ("postgres://u@db.example/d?sslmode=prefer", SslMode::Prefer),
        ] {
            let config = PostgresConfig::parse(url).unwrap();
            assert_eq!(config.driver.get_ssl_mode(), mode, "{url}");
        }
    }
}

//! One PostgreSQL server and its guardian.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use super::guardian::{Guardian, Home, broken};

/// How long a server may take to start, and to be ready after a crash.
const PATIENCE: Duration = Duration::from_secs(60);

/// A PostgreSQL server with a folder of its own; it is stopped and removed when this is dropped or
/// the process ends.
#[derive(Debug)]
pub struct Cluster {
    // Before the folder, which is removed after the server has ended.
    guardian: Option<Guardian>,
    home: Home,
    programs: PathBuf,
    settings: Vec<String>,
}

impl Cluster {
    /// Makes a server with these settings, such as `fsync=off`, beside the defaults, and waits until
    /// it is ready.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(programs: PathBuf, settings: &[&str]) -> Self {
        let cluster = Self::new(programs, settings);
        let data = cluster.folder().join("data");
        let mut initdb = cluster.home.command(&cluster.programs.join("initdb"));
        initdb.args(["--auth=trust", "--username=postgres", "--encoding=UTF8"]);
        initdb.args(["--no-locale", "--no-sync", "--pgdata"]).arg(data);
        cluster.started_with(&mut initdb)
    }

    /// Makes a hot standby of this server, which follows it from now on, and waits until it answers.
    ///
    /// # Panics
    /// When it does not start, or this server's programs have no `pg_basebackup` among them.
    #[must_use]
    pub fn standby(&self) -> Self {
        let settings: Vec<&str> = self.settings.iter().map(String::as_str).collect();
        let standby = Self::new(self.programs.clone(), &settings);
        let data = standby.folder().join("data");
        let mut backup = standby.home.command(&standby.programs.join("pg_basebackup"));
        backup.args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]);
        backup.args(["--username=postgres", "--host"]).arg(self.folder());
        backup.arg("--pgdata").arg(data);
        standby.started_with(&mut backup)
    }

    fn new(programs: PathBuf, settings: &[&str]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let home = Home::new(&format!("pg-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        Self { programs, home, settings, guardian: None }
    }

    /// Starts the server over the data that this command makes.
    fn started_with(mut self, make: &mut std::process::Command) -> Self {
        let made = make.output().unwrap_or_else(|error| broken("its data", &error));
        if !made.status.success() {
            broken("its data", &String::from_utf8_lossy(&made.stderr));
        }
        self.restart();
        self
    }

    /// Starts the server again after [`Cluster::crash`], and waits until it is ready.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        // No checkpoint: recovery at the next start.
        let mut server = self.home.guarded(&self.programs.join("postgres"), "QUIT");
        server.arg("-D").arg(self.folder().join("data"));
        let sockets = format!("unix_socket_directories={}", self.folder().display());
        let defaults =
            [&*sockets, "listen_addresses=", "max_connections=200", "shared_buffers=64MB"];
        let settings = self.settings.iter().map(String::as_str);
        for setting in defaults.into_iter().chain(settings) {
            server.args(["-c", setting]);
        }
        self.guardian = Some(Guardian::start(server));
        self.wait_until_ready();
        self.home.keep(false);
    }

    fn wait_until_ready(&self) {
        let begun = Instant::now();
        let pid_file = self.folder().join("data/postmaster.pid");
        // Its last line says how the server is.
        while !fs::read_to_string(&pid_file).is_ok_and(|text| text.trim_end().ends_with("ready")) {
            if begun.elapsed() > PATIENCE {
                broken("it is not ready", &self.home.log());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Stops the server at once, as a crash would: every connection is cut, nothing is flushed.
    ///
    /// # Panics
    /// When the folder cannot be written.
    pub fn crash(&mut self) {
        self.home.keep(true);
        self.guardian = None;
    }

    /// The server's address as its superuser, with a schema for the store.
    #[must_use]
    pub fn url(&self, schema: &str) -> String {
        url(&[self.folder()], schema)
    }

    /// The address of this server and, should it fail, of its standby.
    #[must_use]
    pub fn url_with(&self, standby: &Self, schema: &str) -> String {
        url(&[self.folder(), standby.folder()], schema)
    }

    /// The folder with the server's socket and, in `log`, what it says.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.home.folder()
    }
}

/// The address of a database behind sockets in these folders.
pub(super) fn url(folders: &[&Path], schema: &str) -> String {
    let folders: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    let hosts = folders.join(",");
    format!("postgres:///postgres?host={hosts}&user=postgres&schema={schema}")
}

//! A PgBouncer of the tests' own, in transaction mode, before one of their servers.

use std::{
    fs,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use super::{
    Cluster, cluster,
    guardian::{Guardian, Home, broken},
    missing,
};

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where packages put it, beside `PATH`.
const USUAL: [&str; 4] = ["/usr/sbin", "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"];

/// PgBouncer's program, for the test called `test`. Where there is none, the test must end there:
/// `None`, and it was said so.
///
/// # Panics
/// With `CI` set when there is none.
#[must_use]
pub fn pgbouncer(test: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(USUAL.iter().map(PathBuf::from));
    let mut programs = folders.map(|folder| folder.join("pgbouncer"));
    let found = programs.find(|program| program.is_file());
    if found.is_none() {
        missing(test, "no pgbouncer");
    }
    found
}

/// A PgBouncer with a socket of its own; it is stopped and removed when this is dropped or the
/// process ends.
#[derive(Debug)]
pub struct Pooler {
    // Before the folder, which is removed after the program has ended.
    _guardian: Guardian,
    home: Home,
}

impl Pooler {
    /// Starts it before `server` with these settings, such as `default_pool_size = 2`, and waits
    /// until it takes connections.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(program: &Path, server: &Cluster, settings: &[&str]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let home = Home::new(&format!("pb-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        let folder = home.folder();
        let write = |name: &str, text: String| {
            fs::write(folder.join(name), text).unwrap_or_else(|error| broken(name, &error));
        };
        write("users", "\"postgres\" \"\"\n".to_owned());
        let (own, servers, more) =
            (folder.display(), server.folder().display(), settings.join("\n"));
        write(
            "ini",
            format!(
                "[databases]\n* = host={servers} port=5432\n[pgbouncer]\npool_mode = transaction\n\
                 unix_socket_dir = {own}\nlisten_port = 5432\nauth_type = trust\n\
                 auth_file = {own}/users\nmax_client_conn = 500\n{more}\n"
            ),
        );
        let mut command = home.guarded(program, "KILL");
        command.arg(folder.join("ini"));
        let pooler = Self { _guardian: Guardian::start(command), home };
        pooler.wait_until_ready();
        pooler
    }

    fn wait_until_ready(&self) {
        let begun = Instant::now();
        while UnixStream::connect(self.folder().join(".s.PGSQL.5432")).is_err() {
            if begun.elapsed() > PATIENCE {
                broken("pgbouncer takes no connections", &self.home.log());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The folder with its socket and, in `log`, what it says.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.home.folder()
    }

    /// The server's address by way of this, as its superuser, with a schema for the store.
    #[must_use]
    pub fn url(&self, schema: &str) -> String {
        cluster::url(&[self.folder()], schema)
    }
}

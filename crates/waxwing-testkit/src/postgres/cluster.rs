//! One PostgreSQL server and its guardian.

use std::{
    fs,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

/// How long a server may take to start, and to be ready after a crash.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the server as a child, and crashes it (SIGQUIT: no checkpoint, recovery at the next start)
/// once nobody holds the other end of its input. Then removes the folder, unless it is to be kept.
const GUARDIAN: &str = r#"
trap '' INT TERM HUP
"$@" >>"$FOLDER/log" 2>&1 </dev/null &
server=$!
cat >/dev/null
kill -QUIT "$server" 2>/dev/null
wait "$server"
rm -f "$FOLDER/data/postmaster.pid" "$FOLDER/postmaster.pid"
[ -e "$FOLDER/keep" ] || rm -rf "$FOLDER"
"#;

/// A PostgreSQL server with a folder of its own; it is stopped and removed when this is dropped or
/// the process ends.
#[derive(Debug)]
pub struct Cluster {
    programs: PathBuf,
    folder: PathBuf,
    settings: Vec<String>,
    user: Option<(u32, u32)>,
    guardian: Option<Child>,
}

impl Cluster {
    /// Makes a server with these settings, such as `fsync=off`, beside the defaults, and waits until
    /// it is ready.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(programs: PathBuf, settings: &[&str]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // A socket's path must be short.
        let folder = PathBuf::from(format!("/tmp/waxwing-pg-{}-{number}", std::process::id()));
        let user = unprivileged();
        _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap_or_else(|error| broken("cannot make its folder", &error));
        if let Some((uid, gid)) = user {
            chown(&folder, Some(uid), Some(gid))
                .unwrap_or_else(|error| broken("cannot give its folder away", &error));
        }
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let mut cluster = Self { programs, folder, settings, user, guardian: None };
        cluster.initialise();
        cluster.restart();
        cluster
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.folder).process_group(0);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PG")) {
            command.env_remove(name);
        }
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    fn initialise(&self) {
        let output = self
            .command(self.programs.join("initdb"))
            .args([
                "--auth=trust",
                "--username=postgres",
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync",
            ])
            .arg("--pgdata")
            .arg(self.folder.join("data"))
            .output()
            .unwrap_or_else(|error| broken("initdb does not start", &error));
        if !output.status.success() {
            broken("initdb failed", &String::from_utf8_lossy(&output.stderr));
        }
    }

    /// Starts the server again after [`Cluster::crash`], and waits until it is ready.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        let mut command = self.command("/bin/sh");
        command.env("FOLDER", &self.folder).args(["-c", GUARDIAN, "guardian"]);
        command.arg(self.programs.join("postgres")).arg("-D").arg(self.folder.join("data"));
        let sockets = format!("unix_socket_directories={}", self.folder.display());
        let defaults =
            [&*sockets, "listen_addresses=", "max_connections=200", "shared_buffers=64MB"];
        let settings = self.settings.iter().map(String::as_str);
        for setting in defaults.into_iter().chain(settings) {
            command.args(["-c", setting]);
        }
        let guardian = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let guardian = guardian.spawn().unwrap_or_else(|error| broken("no guardian", &error));
        self.guardian = Some(guardian);
        self.wait_until_ready();
        _ = fs::remove_file(self.folder.join("keep"));
    }

    fn wait_until_ready(&self) {
        let begun = Instant::now();
        let pid_file = self.folder.join("data/postmaster.pid");
        // Its last line says how the server is.
        while !fs::read_to_string(&pid_file).is_ok_and(|text| text.trim_end().ends_with("ready")) {
            if begun.elapsed() > PATIENCE {
                let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                broken("is not ready", &log);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Stops the server at once, as a crash would: every connection is cut, nothing is flushed.
    ///
    /// # Panics
    /// When the folder cannot be written.
    pub fn crash(&mut self) {
        fs::write(self.folder.join("keep"), "")
            .unwrap_or_else(|error| broken("cannot be kept", &error));
        self.let_go();
    }

    fn let_go(&mut self) {
        if let Some(mut guardian) = self.guardian.take() {
            drop(guardian.stdin.take());
            _ = guardian.wait();
        }
    }

    /// The server's address as its superuser, with a schema for the store.
    #[must_use]
    pub fn url(&self, schema: &str) -> String {
        let host = self.folder.display();
        format!("postgres:///postgres?host={host}&user=postgres&schema={schema}")
    }

    /// The folder with the server's socket and, in `log`, what it says.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.let_go();
        _ = fs::remove_dir_all(&self.folder);
    }
}

/// The user and group to run as instead of root.
fn unprivileged() -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    let root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    if !root {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    ["postgres", "nobody"].iter().find_map(|name| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2).map(str::parse::<u32>);
        Some((ids.next()?.ok()?, ids.next()?.ok()?))
    })
}

#[expect(clippy::panic, reason = "a test that has no server cannot go on")]
fn broken(what: &str, why: &dyn std::fmt::Display) -> ! {
    panic!("the tests' PostgreSQL: {what}: {why}")
}

//! A server that ends with the process that started it, however that ends, and its folder with it.

use std::{
    fs,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Runs the server as a child, and crashes it by a signal once nobody holds the other end of its
/// input. Then removes the folder, unless it is to be kept.
const GUARDIAN: &str = r#"
trap '' INT TERM HUP
"$@" >>"$FOLDER/log" 2>&1 </dev/null &
server=$!
cat >/dev/null
kill -"$SIGNAL" "$server" 2>/dev/null
wait "$server"
rm -f "$FOLDER/data/postmaster.pid" "$FOLDER/postmaster.pid"
[ -e "$FOLDER/keep" ] || rm -rf "$FOLDER"
"#;

/// The shell that holds a server; the server is crashed when this is dropped.
#[derive(Debug)]
pub(super) struct Guardian(Child);

impl Guardian {
    /// Runs a command of [`Home::guarded`].
    pub(super) fn start(mut command: Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap_or_else(|error| broken("no guardian", &error)))
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        _ = self.0.wait();
    }
}

/// A server's folder, which is removed when this is dropped, and the user that it runs as.
#[derive(Debug)]
pub(super) struct Home {
    folder: PathBuf,
    user: Option<(u32, u32)>,
}

impl Home {
    pub(super) fn new(name: &str) -> Self {
        // A socket's path must be short.
        let folder = PathBuf::from(format!("/tmp/waxwing-{}-{name}", std::process::id()));
        let user = unprivileged();
        _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap_or_else(|error| broken("cannot make its folder", &error));
        if let Some((uid, gid)) = user {
            chown(&folder, Some(uid), Some(gid))
                .unwrap_or_else(|error| broken("cannot give its folder away", &error));
        }
        Self { folder, user }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the server has said.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Whether the folder outlives the server.
    pub(super) fn keep(&self, kept: bool) {
        let sign = self.folder.join("keep");
        let done = if kept { fs::write(sign, "") } else { fs::remove_file(sign) };
        if kept {
            done.unwrap_or_else(|error| broken("cannot be kept", &error));
        }
    }

    /// Runs a program as this user, in the folder.
    pub(super) fn command(&self, program: &Path) -> Command {
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

    /// The same, held by a guardian, which crashes it by this signal.
    pub(super) fn guarded(&self, program: &Path, signal: &str) -> Command {
        let mut command = self.command(Path::new("/bin/sh"));
        command.env("FOLDER", &self.folder).env("SIGNAL", signal);
        command.args(["-c", GUARDIAN, "guardian"]).arg(program);
        command
    }
}

impl Drop for Home {
    fn drop(&mut self) {
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
pub(super) fn broken(what: &str, why: &dyn std::fmt::Display) -> ! {
    panic!("the tests' database: {what}: {why}")
}

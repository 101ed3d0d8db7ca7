//! A PostgreSQL of the tests' own: found on this machine, started on a private socket and data
//! folder, and stopped with the process that started it, however that ends.
//!
//! A guardian holds each server: a shell that waits for the end of its standard input, which comes
//! when the test process lets go of it, is done or is killed. PostgreSQL refuses to run as root, so
//! that under root it runs as the user `postgres`, or else `nobody`.

mod cluster;
mod guardian;
mod pooler;

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

pub use cluster::Cluster;
pub use pooler::{Pooler, pgbouncer};

/// The oldest version that tests may use.
const OLDEST: u32 = 15;

/// The folder of PostgreSQL's programs, for the test called `test`: that of `WAXWING_TEST_POSTGRES`
/// if it is set, else one on `PATH`, else the newest in the usual places.
///
/// Where there is none, the test must end there: `None`, and `test: why` was printed and, where
/// `WAXWING_SKIPPED` names a file, appended to it.
///
/// # Panics
/// When `WAXWING_TEST_POSTGRES` names a folder without them, and with `CI` set when there are none.
#[must_use]
pub fn programs(test: &str) -> Option<PathBuf> {
    let named = env::var_os("WAXWING_TEST_POSTGRES").filter(|text| !text.is_empty());
    let found = find(named.clone(), env::var_os("PATH"));
    if found.is_none() {
        assert!(named.is_none(), "WAXWING_TEST_POSTGRES is no folder with PostgreSQL's programs");
        missing(test, "no PostgreSQL 15 or newer (WAXWING_TEST_POSTGRES)");
    }
    found
}

/// Says that the test called `test` is skipped, and why.
#[expect(clippy::panic, reason = "what is asked for and missing fails the test")]
fn missing(test: &str, what: &str) {
    if env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false")) {
        panic!("{test}: {what}, and with CI set nothing is skipped");
    }
    crate::data::skip(test, what);
}

fn find(named: Option<OsString>, path: Option<OsString>) -> Option<PathBuf> {
    if let Some(named) = named {
        return Some(PathBuf::from(named)).filter(|folder| is_complete(folder));
    }
    let on_path: Vec<PathBuf> =
        path.map(|path| env::split_paths(&path).collect()).unwrap_or_default();
    let resolved = on_path.into_iter().filter_map(|folder| {
        // A link on the path leads to the folder where the other programs are.
        let program = folder.join("postgres").canonicalize().ok()?;
        Some(program.parent()?.to_owned())
    });
    let mut usual: Vec<PathBuf> =
        ["/usr/lib/postgresql", "/usr/local/opt", "/opt/homebrew/opt", "/usr"]
            .into_iter()
            .filter_map(|folder| std::fs::read_dir(folder).ok())
            .flat_map(|entries| {
                entries.filter_map(Result::ok).map(|entry| entry.path().join("bin"))
            })
            .collect();
    usual.sort_by_key(|folder| std::cmp::Reverse(version(folder)));
    resolved.chain(usual).find(|folder| version(folder).is_some_and(|found| found >= OLDEST))
}

fn is_complete(folder: &Path) -> bool {
    ["postgres", "initdb"].iter().all(|name| folder.join(name).is_file())
}

/// The major version of the PostgreSQL whose programs these are.
fn version(folder: &Path) -> Option<u32> {
    if !is_complete(folder) {
        return None;
    }
    let output =
        std::process::Command::new(folder.join("postgres")).arg("--version").output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    let number =
        said.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    number.split('.').next()?.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().ok()
}

/// The server that the tests of this process share, for the test called `test`; see [`programs`].
///
/// # Panics
/// When it does not start, and like [`programs`].
#[must_use]
pub fn shared(test: &str) -> Option<&'static Cluster> {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    let programs = programs(test)?;
    Some(SHARED.get_or_init(|| Cluster::start(programs, &[])))
}

/// A name that no other test of this process has: for a schema of its own.
#[must_use]
pub fn fresh_name(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{prefix}_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_the_programs_is_not_taken() {
        let nowhere = Some(OsString::from(env!("CARGO_MANIFEST_DIR")));
        assert_eq!(find(nowhere, None), None);
        assert_eq!(version(Path::new("/nowhere/at/all")), None);
    }

    #[test]
    fn a_server_starts_restarts_and_is_gone_when_it_is_let_go() {
        let Some(programs) = programs("testkit::postgres") else { return };
        let mut cluster = Cluster::start(programs, &["fsync=off"]);
        let folder = cluster.folder().to_owned();
        assert!(folder.join(".s.PGSQL.5432").exists());
        assert!(cluster.url("a").contains("schema=a"));
        cluster.crash();
        assert!(!folder.join("postmaster.pid").exists());
        cluster.restart();
        assert!(folder.join(".s.PGSQL.5432").exists());
        let mut standby = cluster.standby();
        assert!(standby.folder().join("data/standby.signal").exists());
        let two = cluster.url_with(&standby, "a");
        assert!(two.contains(&format!("{},{}", folder.display(), standby.folder().display())));
        standby.crash();
        if let Some(pgbouncer) = pgbouncer("testkit::postgres") {
            let pooler = Pooler::start(&pgbouncer, &cluster, &[]);
            assert!(pooler.url("a").contains("schema=a"));
        }
        drop(cluster);
        assert!(!folder.exists());
        assert_ne!(fresh_name("a"), fresh_name("a"));
    }
}

//! The PostgreSQL that tests start servers of, and the PgBouncer before it, installed where there is none. The tests find both by themselves (`waxwing_testkit::postgres`).

use std::{env, fs, path::Path};

use anyhow::{Context, Result, bail};

use super::packages;
use crate::process::{program, works};

/// Where packages put PostgreSQL.
const USUAL: [&str; 3] = ["/usr/lib/postgresql", "/usr/local/opt", "/opt/homebrew/opt"];

/// A program, the package that it comes with, and whether this machine has it.
struct Need {
    what: &'static str,
    package: &'static str,
    is_there: fn() -> bool,
}

const NEEDS: [Need; 2] = [
    Need {
        what: "no PostgreSQL for the tests that need one (WAXWING_TEST_POSTGRES)",
        package: "postgresql",
        is_there: postgresql,
    },
    Need {
        what: "no PgBouncer for the tests that need one",
        package: "pgbouncer",
        is_there: pgbouncer,
    },
];

/// Makes sure that there are both.
pub(super) fn ensure() -> Result<()> {
    for Need { what, package, is_there } in NEEDS {
        if is_there() {
            continue;
        }
        packages::install(package).context(what)?;
        if !is_there() {
            bail!("{what}, not even after apt-get has installed it");
        }
    }
    Ok(())
}

fn pgbouncer() -> bool {
    Path::new("/usr/sbin/pgbouncer").is_file() || works(program("pgbouncer").arg("--version"))
}

fn postgresql() -> bool {
    let named = env::var_os("WAXWING_TEST_POSTGRES").is_some_and(|folder| !folder.is_empty());
    let packaged = USUAL.iter().filter_map(|folder| fs::read_dir(folder).ok());
    let mut folders = packaged.flatten().filter_map(Result::ok).map(|entry| entry.path());
    named
        || works(program("postgres").arg("--version"))
        || folders.any(|folder| folder.join("bin/postgres").is_file())
}

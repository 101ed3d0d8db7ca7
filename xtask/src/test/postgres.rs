//! The PostgreSQL that tests start servers of, installed where there is none. The tests find it by themselves (`waxwing_testkit::postgres`).

use std::{env, fs};

use anyhow::{Context, Result, bail};

use super::packages;
use crate::process::{program, works};

/// Where packages put it.
const USUAL: [&str; 3] = ["/usr/lib/postgresql", "/usr/local/opt", "/opt/homebrew/opt"];

/// Makes sure that there is one.
pub(super) fn ensure() -> Result<()> {
    const WHAT: &str = "no PostgreSQL for the tests that need one (WAXWING_TEST_POSTGRES)";
    if is_there() {
        return Ok(());
    }
    packages::install("postgresql").context(WHAT)?;
    if is_there() { Ok(()) } else { bail!("{WHAT}, not even after apt-get has installed it") }
}

fn is_there() -> bool {
    let named = env::var_os("WAXWING_TEST_POSTGRES").is_some_and(|folder| !folder.is_empty());
    let packaged = USUAL.iter().filter_map(|folder| fs::read_dir(folder).ok());
    let mut folders = packaged.flatten().filter_map(Result::ok).map(|entry| entry.path());
    named
        || works(program("postgres").arg("--version"))
        || folders.any(|folder| folder.join("bin/postgres").is_file())
}

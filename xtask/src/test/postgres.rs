//! The PostgreSQL that tests start servers of: where none is installed, apt installs one, if this
//! user may do that. The tests find it by themselves (`waxwing_testkit::postgres`).

use std::{env, fs};

use anyhow::{Context, Result, bail};

use crate::process::{line, program, run, works};

/// Where packages put it.
const USUAL: [&str; 3] = ["/usr/lib/postgresql", "/usr/local/opt", "/opt/homebrew/opt"];

/// Makes sure that there is one.
pub(super) fn ensure() -> Result<()> {
    const WHAT: &str = "no PostgreSQL for the tests that need one (WAXWING_TEST_POSTGRES)";
    if is_there() {
        return Ok(());
    }
    let root = works(program("sh").args(["-c", "test \"$(id -u)\" = 0"]));
    let may = root || works(program("sudo").args(["-n", "true"]));
    if !may || !works(program("apt-get").arg("--version")) {
        bail!("{WHAT}, and this user cannot install one with apt-get");
    }
    let apt = |arguments: &[&str]| {
        let mut command = program(if root { "env" } else { "sudo" });
        command.args(if root { &[][..] } else { &["-n", "env"] });
        command.arg("DEBIAN_FRONTEND=noninteractive").arg("apt-get").args(arguments);
        println!("{}", line(&command));
        run(&mut command)
    };
    let install = ["install", "-y", "--no-install-recommends", "postgresql"];
    apt(&install).or_else(|_| apt(&["update"]).and_then(|()| apt(&install))).context(WHAT)?;
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

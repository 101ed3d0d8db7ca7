//! Programs that tests need and a machine lacks: apt installs them, where this user may do that.

use anyhow::{Context, Result, bail};

use crate::process::{line, program, run, works};

/// Installs a Debian package.
pub(super) fn install(package: &str) -> Result<()> {
    let root = works(program("sh").args(["-c", "test \"$(id -u)\" = 0"]));
    let may = root || works(program("sudo").args(["-n", "true"]));
    if !may || !works(program("apt-get").arg("--version")) {
        bail!("this user cannot install {package} with apt-get");
    }
    let apt = |arguments: &[&str]| {
        let mut command = program(if root { "env" } else { "sudo" });
        command.args(if root { &[][..] } else { &["-n", "env"] });
        command.arg("DEBIAN_FRONTEND=noninteractive").arg("apt-get").args(arguments);
        println!("{}", line(&command));
        run(&mut command)
    };
    let install = ["install", "-y", "--no-install-recommends", package];
    apt(&install)
        .or_else(|_| apt(&["update"]).and_then(|()| apt(&install)))
        .with_context(|| format!("{package} could not be installed"))
}

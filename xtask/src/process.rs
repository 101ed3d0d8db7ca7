//! Other programs: how cargo is found and called, what a failure says, and whether this is a CI
//! run.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

/// The top level of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Where the commands keep what they make, out of version control's sight.
pub(crate) fn scratch() -> Result<PathBuf> {
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let dir = target.join("xtask");
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    dir.canonicalize().with_context(|| format!("cannot resolve {}", dir.display()))
}

/// Continuous integration: nothing may be skipped there.
pub(crate) fn in_ci() -> bool {
    env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"))
}

/// A program started at the top level of the repository.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root());
    command
}

/// The cargo that runs this program.
pub(crate) fn cargo() -> Command {
    let mut command = program(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // `cargo run` describes this package in the environment; build scripts that watch those
    // variables would otherwise run again each time cargo is called the other way.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs a program to its end with this terminal as its own.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", line(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", line(command));
    }
    Ok(())
}

/// Runs a program and returns what it wrote to stdout; stderr goes to this terminal.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    command.stderr(std::process::Stdio::inherit());
    let output = command.output().with_context(|| format!("cannot start {}", line(command)))?;
    if !output.status.success() {
        bail!("{} ended with {}", line(command), output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("{} wrote no UTF-8", line(command)))
}

/// Whether a program can be started and says that all is well, its output unseen.
pub(crate) fn works(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// The command as one would type it.
pub(crate) fn line(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut line =
        program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::{capture, cargo, line, program, run, works};

    #[test]
    fn failures_name_the_command() {
        let error = run(program("sh").args(["-c", "exit 3"])).unwrap_err().to_string();
        assert_eq!(error, "sh -c exit 3 ended with exit status: 3");
        let error = capture(&mut program("no-such-program-here")).unwrap_err().to_string();
        assert_eq!(error, "cannot start no-such-program-here");
    }

    #[test]
    fn output_is_captured() {
        assert_eq!(capture(program("echo").arg("hello")).unwrap(), "hello\n");
        assert!(works(program("true").arg("--help")));
        assert!(!works(&mut program("no-such-program-here")));
    }

    #[test]
    fn commands_print_as_typed() {
        assert_eq!(line(cargo().args(["doc", "--no-deps"])), "cargo doc --no-deps");
    }
}

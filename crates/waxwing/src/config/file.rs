//! Reads a TOML file into a type, strictly, and writes new files; private ones with mode 0600.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Privacy {
    /// Anybody.
    Public,
    /// Its owner alone: it holds secrets.
    Private,
}

/// A file that is not as it must be: the operator's to mend.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("{} cannot be read{}", path.display(), hint(source))]
    Read { path: PathBuf, source: io::Error },
    #[error("{} cannot be written", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{} is there already; nothing was overwritten", path.display())]
    Exists { path: PathBuf },
    #[error("{}:{line}:{column}: {message}", path.display())]
    Syntax { path: PathBuf, line: usize, column: usize, message: String },
    #[error("{}: {message}", path.display())]
    Value { path: PathBuf, message: String },
    #[error("{}", faults.join("\n"))]
    Faults { faults: Vec<String> },
    #[error(
        "{} holds secrets and can be read by others (mode {mode:03o}); mend it with: chmod 600 {}",
        path.display(), path.display()
    )]
    Exposed { path: PathBuf, mode: u32 },
}

impl ConfigError {
    pub(crate) fn value(path: &Path, message: impl Into<String>) -> Self {
        Self::Value { path: path.to_owned(), message: message.into() }
    }
}

fn hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::NotFound => " (`waxwing init` writes one)",
        _ => "",
    }
}

/// Reads a file into a type. The type must deny unknown fields.
pub(super) fn read<T: DeserializeOwned>(path: &Path, privacy: Privacy) -> Result<T, ConfigError> {
    let file = File::open(path).map_err(|source| unreadable(path, source))?;
    let text = read_text(path, &file, privacy)?;
    parse(path, &text)
}

/// The text of an open file, if its mode is what its privacy asks for.
pub(super) fn read_text(
    path: &Path,
    mut file: &File,
    privacy: Privacy,
) -> Result<Zeroizing<String>, ConfigError> {
    if privacy == Privacy::Private {
        check_mode(path, file)?;
    }
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(|source| unreadable(path, source))?;
    Ok(text)
}

pub(super) fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, ConfigError> {
    toml::from_str(text).map_err(|error| syntax(path, text, &error))
}

/// An error of the parser's, without the line that it is about.
pub(super) fn syntax(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let (line, column) = place(text, error.span().map_or(0, |span| span.start));
    ConfigError::Syntax { path: path.to_owned(), line, column, message: error.message().to_owned() }
}

/// The line and column of a byte, from 1.
pub(super) fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (before.matches('\n').count() + 1, column)
}

/// Writes a file that was not there before.
pub(super) fn write_new(path: &Path, text: &str, privacy: Privacy) -> Result<(), ConfigError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if privacy == Privacy::Private {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => ConfigError::Exists { path: path.to_owned() },
        _ => unwritable(path, source),
    })?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|source| unwritable(path, source))
}

/// Whether only its owner can read an open file.
#[cfg(unix)]
pub(super) fn check_mode(path: &Path, file: &File) -> Result<(), ConfigError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = file.metadata().map_err(|source| unreadable(path, source))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        Ok(())
    } else {
        Err(ConfigError::Exposed { path: path.to_owned(), mode })
    }
}

#[cfg(not(unix))]
pub(super) fn check_mode(_: &Path, _: &File) -> Result<(), ConfigError> {
    Ok(())
}

pub(super) fn unreadable(path: &Path, source: io::Error) -> ConfigError {
    ConfigError::Read { path: path.to_owned(), source }
}

pub(super) fn unwritable(path: &Path, source: io::Error) -> ConfigError {
    ConfigError::Write { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "only whether it reads matters")]
        secret: crate::config::SecretText,
    }

    fn error(text: &str) -> String {
        parse::<Sample>(Path::new("a.toml"), text).unwrap_err().to_string()
    }

    #[test]
    fn errors_name_the_place_and_never_repeat_the_line() {
        assert!(!error("secret = 8675309867530986").contains("8675309"));
        let unknown = error("secret = \"canary\"\nsekret = \"canary\"\n");
        assert!(unknown.starts_with("a.toml:2:1: unknown field `sekret`"), "{unknown}");
        for text in [
            "secret = \"canary",
            "secret = canary",
            "secret = [\"canary\"]",
            "secret = { canary = 1 }",
            "secret = \"canary\" x",
            "secret = \"canary\"\nsecret = \"canary\"",
            "\"canary",
        ] {
            let error = error(text);
            assert!(error.starts_with("a.toml:"), "{error}");
            assert!(!error.contains("canary"), "{error}");
        }
    }
}

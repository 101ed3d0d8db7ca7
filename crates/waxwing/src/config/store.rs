//! `store` in `waxwing.toml`: where jobs are kept.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use waxwing_store_postgres::PostgresConfig;
use zeroize::Zeroizing;

/// Where jobs are kept.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum StoreUrl {
    /// `memory:`
    Memory,
    /// `sqlite:PATH`
    Sqlite(PathBuf),
    /// `postgres://USER@HOST/DATABASE`
    Postgres(DatabaseUrl),
}

/// The address of a database, which may hold its password.
#[derive(PartialEq, Eq)]
pub(crate) struct DatabaseUrl {
    text: Zeroizing<String>,
    /// What paths in it are relative to.
    folder: PathBuf,
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl(..)")
    }
}

impl DatabaseUrl {
    /// What it says. It has been read before, so that only a bug makes this fail.
    pub(crate) fn config(&self) -> Result<PostgresConfig, waxwing_jobs::StoreError> {
        Ok(PostgresConfig::parse(&self.text)?.with_paths_from(&self.folder))
    }
}

impl TryFrom<String> for StoreUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.split_once(':') {
            Some(("memory", "")) => Ok(Self::Memory),
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(path.into())),
            Some(("postgres" | "postgresql", _)) => {
                let text = Zeroizing::new(text);
                // Its errors repeat no value.
                PostgresConfig::parse(&text).map_err(|error| error.to_string())?;
                Ok(Self::Postgres(DatabaseUrl { text, folder: PathBuf::new() }))
            }
            _ => Err("it must be sqlite:PATH, postgres://USER@HOST/DATABASE or memory:".into()),
        }
    }
}

impl StoreUrl {
    /// The same, with its paths taken from the folder of the file that it stands in.
    pub(super) fn within(self, folder: &Path) -> Self {
        match self {
            Self::Memory => Self::Memory,
            Self::Sqlite(file) => Self::Sqlite(folder.join(file)),
            Self::Postgres(url) => Self::Postgres(DatabaseUrl { folder: folder.to_owned(), ..url }),
        }
    }

    /// Whether it holds a password, which makes the file that it stands in a secret.
    pub(super) fn is_secret(&self) -> bool {
        match self {
            Self::Memory | Self::Sqlite(_) => false,
            Self::Postgres(url) => url.config().is_ok_and(|config| config.holds_password()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<StoreUrl, String> {
        StoreUrl::try_from(text.to_owned())
    }

    #[test]
    fn each_kind_of_store_has_its_address() {
        assert_eq!(read("memory:"), Ok(StoreUrl::Memory));
        let file = read("sqlite:a.db").unwrap().within(Path::new("folder"));
        assert_eq!(file, StoreUrl::Sqlite("folder/a.db".into()));
        for address in ["postgres://user@host/db", "postgresql://user@host/db?schema=jobs"] {
            let url = read(address).unwrap();
            assert!(matches!(url, StoreUrl::Postgres(_)) && !url.is_secret(), "{address}");
        }
        for (address, says) in [
            ("postgres:x", "postgres://"),
            ("postgres://user@host/db?colour=red", "colour"),
            ("sqlite:", "sqlite:PATH"),
            ("mysql://x", "sqlite:PATH"),
        ] {
            assert!(read(address).unwrap_err().contains(says), "{address}");
        }
    }

    #[test]
    fn a_password_shows_in_no_error_and_no_debug() {
        let url = read("postgres://user:canary@host/db").unwrap();
        assert!(url.is_secret());
        assert!(!format!("{url:?}").contains("canary"));
        let error = read("postgres://user:canary@host/db?sslmode=canary").unwrap_err();
        assert!(!error.contains("canary"), "{error}");
    }
}

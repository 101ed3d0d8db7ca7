//! The file: where it may be, who may read it, and whether somebody else has it open.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use waxwing_jobs::StoreError;

fn refuse(path: &Path, why: impl std::fmt::Display) -> StoreError {
    StoreError::Misconfigured(format!("{}: {why}", path.display()))
}

/// Makes the file if there is none, readable by its owner alone, and refuses one that others may
/// read or write: it holds what clients sent and got.
pub(crate) fn prepare(path: &Path) -> Result<(), StoreError> {
    let file = open(path).map_err(|error| refuse(path, error))?;
    check(path, &file.metadata().map_err(|error| refuse(path, error))?)
}

/// The same for a file that must be there.
pub(crate) fn find(path: &Path) -> Result<(), StoreError> {
    match path.metadata() {
        Ok(metadata) => check(path, &metadata),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(refuse(path, "there is no job store yet; `waxwing serve` makes it"))
        }
        Err(error) => Err(refuse(path, error)),
    }
}

fn check(path: &Path, metadata: &Metadata) -> Result<(), StoreError> {
    let refuse = |why: String| refuse(path, why);
    if !metadata.is_file() {
        return Err(refuse("is not a file".to_owned()));
    }
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::MetadataExt::mode(metadata) & 0o777;
        if mode & 0o077 != 0 {
            let mend = "others may read or write it, but it holds what clients sent; chmod 600";
            return Err(refuse(format!("mode {mode:04o}: {mend}")));
        }
    }
    Ok(())
}

/// Opens a file, or makes it, readable by its owner alone.
fn open(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Who else had the store's file open when it was opened here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "somebody or nobody, there is no third")]
pub enum Company {
    /// Nobody.
    Nobody,
    /// Another process, server or operator, or another store of this one.
    Others,
}

/// A sign to others that the store's file is open here: a lock on a file beside it, `FILE-open`,
/// that ends with this value or the process. The store's own file cannot carry it, since closing a
/// second handle of it would end SQLite's locks.
#[derive(Debug)]
pub(crate) struct Presence {
    _file: File,
}

impl Presence {
    /// Looks for others, then gives the sign. To be called by one at a time.
    pub(crate) fn announce(path: &Path) -> Result<(Self, Company), StoreError> {
        let mut beside = path.as_os_str().to_owned();
        beside.push("-open");
        let beside = PathBuf::from(beside);
        let failed = |error: std::io::Error| {
            StoreError::Unavailable(format!("{}: {error}", beside.display()))
        };
        let file = open(&beside).map_err(failed)?;
        let company = match file.try_lock() {
            Ok(()) => {
                file.unlock().map_err(failed)?;
                Company::Nobody
            }
            Err(TryLockError::WouldBlock) => Company::Others,
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        };
        file.lock_shared().map_err(failed)?;
        Ok((Self { _file: file }, company))
    }
}

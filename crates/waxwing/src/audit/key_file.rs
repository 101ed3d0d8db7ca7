//! The key of an audit log: a file of one line, mode 0600, made when it is first needed. Whoever writes
//! the log holds a lock on it.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use waxwing_crypto::audit::AuditKey;
use zeroize::Zeroizing;

use super::AuditError;
use super::names;

/// A key, and the file that it was read from.
#[derive(Debug)]
pub(crate) struct AuditKeyFile {
    pub(crate) key: AuditKey,
    file: File,
}

impl AuditKeyFile {
    /// Reads a key.
    pub(crate) fn read(path: &Path) -> Result<Self, AuditError> {
        let failed = |source| AuditError::Io { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(failed)?;
        check_mode(path, &file)?;
        let mut text = Zeroizing::new(String::new());
        (&mut file).take(4096).read_to_string(&mut text).map_err(failed)?;
        let no_key = || AuditError::NoKey { path: path.to_owned() };
        let secret = BASE64URL.decode(text.trim_end()).map(Zeroizing::new).map_err(|_| no_key())?;
        let key = AuditKey::new(&secret).map_err(|_| no_key())?;
        Ok(Self { key, file })
    }

    /// Reads the key, or makes a fresh one, and keeps others from writing the same log.
    pub(crate) fn claim(path: &Path) -> Result<Self, AuditError> {
        let failed = |source| AuditError::Io { path: path.to_owned(), source };
        match write_new(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed(error));
            }
            _ => {}
        }
        let claimed = Self::read(path)?;
        match claimed.file.try_lock() {
            Ok(()) => Ok(claimed),
            Err(TryLockError::WouldBlock) => Err(AuditError::Taken { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

/// The file gets its name when it is whole: a crash must not leave half a key, with which no server would
/// start again.
fn write_new(path: &Path) -> io::Result<()> {
    if path.symlink_metadata().is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let folder = names::folder(path);
    let mut file = tempfile::Builder::new().prefix(".waxwing-").tempfile_in(folder)?;
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *secret).map_err(io::Error::other)?;
    let text = Zeroizing::new(BASE64URL.encode(secret.as_slice()) + "\n");
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(unix)]
fn check_mode(path: &Path, file: &File) -> Result<(), AuditError> {
    use std::os::unix::fs::PermissionsExt as _;
    let failed = |source| AuditError::Io { path: path.to_owned(), source };
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    match mode & 0o077 {
        0 => Ok(()),
        _ => Err(AuditError::Exposed { path: path.to_owned(), mode }),
    }
}

#[cfg(not(unix))]
fn check_mode(_: &Path, _: &File) -> Result<(), AuditError> {
    Ok(())
}

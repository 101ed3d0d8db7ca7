//! The audit log on a disk: one file that grows, those that were full before it, and a key beside them.

mod file;
mod key_file;
mod names;
mod reading;

pub(crate) use file::AuditFile;
pub(crate) use key_file::AuditKeyFile;
pub(crate) use names::default_key;
pub(crate) use reading::{LastLine, ReadFault, feed};

use std::io;
use std::path::PathBuf;

use waxwing_crypto::audit::AuditFault;

/// Why an audit log cannot be opened: the operator's to mend.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuditError {
    #[error("the audit log {} cannot be opened", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} holds the audit log's key and can be read by others (mode {mode:03o}); mend it with: chmod 600 {}", path.display(), path.display())]
    Exposed { path: PathBuf, mode: u32 },
    #[error("{} is no key of an audit log: it must be one line of base64url, 32 bytes or more", path.display())]
    NoKey { path: PathBuf },
    #[error("another process writes the audit log of {}", path.display())]
    Taken { path: PathBuf },
    #[error(
        "the audit log was changed by somebody else than a server, {}: {fault}; find out by whom, then move its files \
         away to begin a new one", path.display()
    )]
    Changed { path: PathBuf, fault: AuditFault },
}

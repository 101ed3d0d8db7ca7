//! SQLite's errors by blame.

use rusqlite::ErrorCode;
use waxwing_core::InvalidId;
use waxwing_jobs::StoreError;

/// An error inside this crate, before it is put to the contract's blame.
#[derive(Debug)]
pub(crate) enum Error {
    Sqlite(rusqlite::Error),
    Store(StoreError),
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<InvalidId> for Error {
    fn from(error: InvalidId) -> Self {
        Self::Store(StoreError::Corrupt(error.to_string()))
    }
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(error) => error,
            Error::Sqlite(error) => blame(&error),
        }
    }
}

impl Error {
    /// What of a job does not read back, if that is what went wrong. Damage to the file as a whole
    /// is not: no job is to blame for it.
    pub(crate) fn damage(&self) -> Option<String> {
        let error = match self {
            Self::Sqlite(rusqlite::Error::SqliteFailure(..)) => return None,
            Self::Sqlite(error) => blame(error),
            Self::Store(error) => error.clone(),
        };
        match error {
            StoreError::Corrupt(why) => Some(why),
            _ => None,
        }
    }
}

pub(crate) fn blame(error: &rusqlite::Error) -> StoreError {
    use rusqlite::Error as E;
    match error {
        E::SqliteFailure(failure, _) => match failure.code {
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
                StoreError::Corrupt(error.to_string())
            }
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::OutOfMemory
            | ErrorCode::PermissionDenied
            | ErrorCode::ReadOnly
            | ErrorCode::FileLockingProtocolFailed => StoreError::Unavailable(error.to_string()),
            _ => StoreError::Fault(error.to_string()),
        },
        E::FromSqlConversionFailure(..)
        | E::InvalidColumnType(..)
        | E::IntegralValueOutOfRange(..)
        | E::Utf8Error(..) => StoreError::Corrupt(error.to_string()),
        _ => StoreError::Fault(error.to_string()),
    }
}

//! PostgreSQL's errors by blame, and what is to be done about each.

use std::error::Error as _;

use tokio_postgres::error::SqlState;
use waxwing_core::InvalidId;
use waxwing_jobs::StoreError;

/// Raised by a write when a row is no longer what it was decided on.
pub(crate) const CONFLICT: &str = "WX001";

/// A statement that did not come to its end.
#[derive(Debug)]
pub(crate) enum Error {
    /// A row changed meanwhile: nothing was written, and all is to be decided anew.
    Conflict,
    /// The connection was lost: what was written, if anything, is unknown.
    Lost(String),
    /// It cannot be done.
    Store(StoreError),
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
            Error::Conflict => Self::Unavailable("too many writers at once".to_owned()),
            Error::Lost(why) => Self::Unavailable(why),
        }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(refusal) = error.as_db_error() else {
            return match error.source() {
                // A column that does not read as the type it has.
                Some(_) if error.to_string().contains("deserializing column") => {
                    Self::Store(StoreError::Corrupt("a column does not read back".to_owned()))
                }
                source => {
                    let why = source.map_or_else(|| error.to_string(), ToString::to_string);
                    if error.to_string().contains("TLS") && !is_of_the_network(source) {
                        return StoreError::Misconfigured(format!("TLS to the database: {why}"))
                            .into();
                    }
                    Self::Lost(format!("the connection to the database: {why}"))
                }
            };
        };
        judge(refusal.code(), format!("{} ({})", refusal.message(), refusal.code().code()))
    }
}

/// Whether a handshake failed because the connection did, and not by what was said.
fn is_of_the_network(source: Option<&(dyn std::error::Error + 'static)>) -> bool {
    use std::io::ErrorKind::{InvalidData, InvalidInput};
    let io = source.and_then(|source| source.downcast_ref::<std::io::Error>());
    io.is_some_and(|io| !matches!(io.kind(), InvalidData | InvalidInput))
}

/// What a refusal of the server's comes to.
fn judge(state: &SqlState, why: String) -> Error {
    let code = state.code();
    let class = code.get(..2).unwrap_or_default();
    match code {
        CONFLICT | "23505" | "40001" | "40P01" => Error::Conflict,
        // Shutting down, starting up, demoted to a standby, out of connections; a plan that a
        // migration made stale. Another connection may do.
        "57P01" | "57P02" | "57P03" | "57P05" | "25006" | "53300" | "0A000" => Error::Lost(why),
        "26000" => StoreError::Misconfigured(format!(
            "{why}: behind a pooler in transaction mode the address needs pooled=true"
        ))
        .into(),
        // Cancelled by a timeout or an operator.
        "57014" => Error::Lost(why),
        _ => Error::Store(match class {
            "08" => return Error::Lost(why),
            "53" | "55" | "58" => StoreError::Unavailable(why),
            "28" | "3D" | "3F" => StoreError::Misconfigured(why),
            "XX" => StoreError::Corrupt(why),
            _ if code == "42501" => StoreError::Misconfigured(why),
            _ => StoreError::Fault(why),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_is_blamed_on_somebody() {
        let judged = |code: &str| judge(&SqlState::from_code(code), "why".to_owned());
        for code in ["WX001", "23505", "40001", "40P01"] {
            assert!(matches!(judged(code), Error::Conflict), "{code}");
        }
        for code in ["57P01", "57P02", "57P03", "08006", "25006", "53300", "57014"] {
            assert!(matches!(judged(code), Error::Lost(_)), "{code}");
        }
        let blamed = |code: &str| StoreError::from(judged(code));
        assert!(matches!(blamed("53100"), StoreError::Unavailable(_)), "a full disk");
        assert!(matches!(blamed("28P01"), StoreError::Misconfigured(_)), "a wrong password");
        assert!(matches!(blamed("42501"), StoreError::Misconfigured(_)), "a missing privilege");
        assert!(matches!(blamed("26000"), StoreError::Misconfigured(_)), "a pooler");
        assert!(matches!(blamed("XX001"), StoreError::Corrupt(_)), "a damaged page");
        assert!(matches!(blamed("42601"), StoreError::Fault(_)), "a statement of ours");
    }
}

//! PostgreSQL's errors by blame, and what is to be done about each.

use std::error::Error as _;

use tokio_postgres::error::{Severity, SqlState};
use waxwing_core::InvalidId;
use waxwing_jobs::StoreError;

/// Raised by a write when a row is no longer what it was decided on.
pub(crate) const CONFLICT: &str = "WX001";

/// What to do about a pooler that gives each transaction another session.
pub(crate) const POOLED: &str = "behind a pooler in transaction mode the address needs pooled=true";

/// A statement that did not come to its end.
#[derive(Debug)]
pub(crate) enum Error {
    /// A row changed meanwhile: nothing was written, and all is to be decided anew.
    Conflict,
    /// The connection was lost: what was written, if anything, is unknown.
    Lost(String),
    /// There is no connection, because the server or this side refused it. That is final when a
    /// store is opened. Later it passes: passwords are rotated, access rules reloaded, a new primary
    /// is set up.
    Refused(StoreError),
    /// It cannot be done.
    Store(StoreError),
}

impl Error {
    /// The same, once the store has been open: whatever was refused, a later connection may do.
    pub(crate) fn passing(self) -> Self {
        match self {
            Self::Refused(error) => Self::Lost(error.to_string()),
            error => error,
        }
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
            Error::Store(error) | Error::Refused(error) => error,
            Error::Conflict => Self::Unavailable("too many writers at once".to_owned()),
            Error::Lost(why) => Self::Unavailable(why),
        }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(refusal) = error.as_db_error() else { return of_the_driver(&error) };
        let why = format!("{} ({})", refusal.message(), refusal.code().code());
        match (judge(refusal.code(), why), refusal.parsed_severity()) {
            // It ended the connection, or did not let it begin.
            (Self::Store(error), Some(Severity::Fatal | Severity::Panic)) => Self::Refused(error),
            (judged, _) => judged,
        }
    }
}

/// What an error comes to that is not the server's.
fn of_the_driver(error: &tokio_postgres::Error) -> Error {
    let (what, source) = (error.to_string(), error.source());
    let why = source.map_or_else(|| what.clone(), ToString::to_string);
    let is = |words: &[&str]| words.iter().any(|words| what.starts_with(words));
    let refused = |why: String| Error::Refused(StoreError::Misconfigured(why));
    if is(&["error deserializing"]) {
        StoreError::Corrupt("a column does not read back".to_owned()).into()
    } else if is(&["error serializing", "error encoding", "expected ", "invalid column", "query "])
    {
        // The statement never left this process, or was asked for what it does not give.
        StoreError::Fault(format!("{what}: {why}")).into()
    } else if is(&["error performing TLS"]) && !is_of_the_network(source) {
        refused(format!("TLS to the database: {why}"))
    } else if is(&["invalid config", "authentication error"]) {
        refused(format!("the database: {why}"))
    } else if why.contains("does not allow writes") {
        refused("the server is a standby or read-only; name the primary".to_owned())
    } else {
        Error::Lost(format!("the connection to the database: {why}"))
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
        // Statements that another session knows, and settings of a session that there is not.
        "26000" | "42P05" => StoreError::Misconfigured(format!("{why}: {POOLED}")).into(),
        "08P01" if why.contains("startup parameter") => {
            StoreError::Misconfigured(format!("{why}: {POOLED}")).into()
        }
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
    use waxwing_testkit::postgres::shared;

    use super::*;
    use crate::config::{PostgresConfig, Setup};
    use crate::connect::Connector;

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
        for code in ["26000", "42P05"] {
            let StoreError::Misconfigured(why) = blamed(code) else { panic!("{code}") };
            assert!(why.contains("pooled=true"), "{why}");
        }
        assert!(matches!(blamed("XX001"), StoreError::Corrupt(_)), "a damaged page");
        assert!(matches!(blamed("42601"), StoreError::Fault(_)), "a statement of ours");
    }

    #[tokio::test]
    async fn what_the_driver_itself_refuses_is_a_fault_of_ours_and_a_cut_is_none() {
        let Some(server) = shared("what_the_driver_itself_refuses") else { return };
        let config = PostgresConfig::parse(&server.url("any")).unwrap();
        let mut link = Connector::new(&config).unwrap().link(Setup::Servers).await.unwrap();
        let client = link.client();
        let row = client.query_one("SELECT 1", &[]).await.unwrap();
        for error in [
            client.query("SELECT $1::text", &[&1_i64]).await.unwrap_err(),
            client.query("SELECT 1", &[&1_i64]).await.unwrap_err(),
            client.simple_query("SELECT '\0'").await.unwrap_err(),
            client.query_one("SELECT 1 WHERE false", &[]).await.unwrap_err(),
            row.try_get::<_, i32>(9).unwrap_err(),
        ] {
            let judged = Error::from(error);
            assert!(matches!(judged, Error::Store(StoreError::Fault(_))), "{judged:?}");
        }
        let judged = Error::from(row.try_get::<_, String>(0).unwrap_err());
        assert!(matches!(judged, Error::Store(StoreError::Corrupt(_))), "{judged:?}");
        let cut = "SELECT pg_terminate_backend(pg_backend_pid())";
        let judged = Error::from(client.simple_query(cut).await.unwrap_err());
        assert!(matches!(judged, Error::Lost(_)), "{judged:?}");
        let judged = Error::from(client.simple_query("SELECT 1").await.unwrap_err());
        assert!(matches!(judged, Error::Lost(_)), "{judged:?}");
    }

    #[test]
    fn what_refuses_a_connection_is_final_at_the_start_alone() {
        let refused = || Error::Refused(StoreError::Misconfigured("a password".to_owned()));
        assert!(matches!(StoreError::from(refused()), StoreError::Misconfigured(_)));
        assert!(matches!(StoreError::from(refused().passing()), StoreError::Unavailable(_)));
    }
}

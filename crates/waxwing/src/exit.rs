//! From what went wrong to the exit code and to words for a person: the one place where both are chosen.

use std::error::Error;
use std::process::ExitCode;

use serde::Deserialize;
use waxwing_client::ClientError;
use waxwing_core::message::Outcome;
use waxwing_core::{CallError, ErrorCode};
use waxwing_jobs::StoreError;
use waxwing_server::BindError;

use crate::config::ConfigError;
use crate::questions;

/// How a command that did not succeed ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Usage or configuration.
    Usage = 1,
    /// Not authenticated or not allowed, in either direction.
    NotAllowed = 3,
    /// Nobody there, or no room.
    Unreachable = 4,
    /// The tool or job failed, or its arguments were refused.
    Failed = 5,
    /// The job waits for answers.
    Waiting = 6,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A command that did not succeed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// For stderr. What a peer said is in it, so it may hold any character.
    pub(crate) text: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self { exit, text: text.into() }
    }

    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::new(Exit::Usage, text)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(with_sources(&error))
    }
}

impl From<BindError> for Failure {
    fn from(error: BindError) -> Self {
        let exit = match &error {
            BindError::Store(cause) | BindError::Guard(cause) => of_store(cause),
            _ => Exit::Usage,
        };
        Self::new(exit, with_sources(&error))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::new(of_store(&error), with_sources(&error))
    }
}

/// The exit code of a store that cannot be used.
const fn of_store(error: &StoreError) -> Exit {
    match error {
        StoreError::Unavailable(_) => Exit::Unreachable,
        StoreError::Misconfigured(_) => Exit::Usage,
        // Damage, faults of ours, and what later versions may add.
        _ => Exit::Failed,
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let exit = of_client(&error);
        let text = match &error {
            ClientError::Failed(error) => explained(error),
            ClientError::Refused(error) => {
                format!("{}\n{}", with_sources(&ClientError::Refused(error.clone())), hint(error))
            }
            ClientError::OtherStatus(outcome) => match &**outcome {
                Outcome::InputRequired { job_id, requests } => questions::explain(job_id, requests),
                _ => with_sources(&error),
            },
            other => with_sources(other),
        };
        Self::new(exit, text.trim_end())
    }
}

/// The exit code of a failed call.
fn of_client(error: &ClientError) -> Exit {
    match error {
        ClientError::Misuse(_) => Exit::Usage,
        ClientError::Unreachable { .. }
        | ClientError::Timeout { .. }
        | ClientError::StillRunning { .. } => Exit::Unreachable,
        ClientError::ReplyFault(_) | ClientError::WrongDigest { .. } => Exit::NotAllowed,
        ClientError::Refused(error) | ClientError::Failed(error) => of_code(error.code),
        ClientError::OtherStatus(outcome) if matches!(**outcome, Outcome::InputRequired { .. }) => {
            Exit::Waiting
        }
        _ => Exit::Failed,
    }
}

/// The exit code of an error on the wire (wire.md §8).
fn of_code(code: ErrorCode) -> Exit {
    match code {
        ErrorCode::WrongServer
        | ErrorCode::Unauthenticated
        | ErrorCode::Stale
        | ErrorCode::Replayed
        | ErrorCode::Forbidden => Exit::NotAllowed,
        ErrorCode::Overloaded | ErrorCode::RateLimited => Exit::Unreachable,
        ErrorCode::TooLarge
        | ErrorCode::Malformed
        | ErrorCode::UnsupportedVersion
        | ErrorCode::UnknownTool
        | ErrorCode::ToolChanged
        | ErrorCode::InvalidArgs
        | ErrorCode::Conflict
        | ErrorCode::UnknownJob
        | ErrorCode::ToolFailed
        | ErrorCode::JobFailed
        | ErrorCode::InvalidOutput
        | ErrorCode::Timeout
        | ErrorCode::Internal => Exit::Failed,
    }
}

/// A signed error with all that it says: every violation, the details, when to come again.
fn explained(error: &CallError) -> String {
    #[derive(Deserialize)]
    struct Violations {
        violations: Vec<Violation>,
    }
    #[derive(Deserialize)]
    struct Violation {
        path: String,
        expected: String,
        got: String,
        #[serde(default)]
        hint: String,
    }

    let mut text = error.to_string();
    let details = error.details.as_ref();
    if let Some(Ok(Violations { violations })) = details.map(|details| details.decode()) {
        // A server's message lists them by itself as a rule; what it left out is added.
        for Violation { path, expected, got, hint } in violations {
            if !(text.contains(&expected) && text.contains(&path)) {
                text.push_str(&format!("\n- {path}: expected {expected}, got {got}. {hint}"));
            }
        }
    } else if let Some(details) = details {
        text.push_str(&format!("\ndetails: {}", details.as_str()));
    }
    if let Some(wait_ms) = error.retry_after_ms {
        text.push_str(&format!("\nworth another try in {wait_ms} ms"));
    }
    text
}

/// What a refusal most often means.
const fn hint(error: &CallError) -> &'static str {
    match error.code {
        ErrorCode::Unauthenticated => {
            "is this profile's client_id, key_id and secret in the server's keyring.toml, and the key \
             neither revoked nor expired?"
        }
        ErrorCode::WrongServer => "is this profile's server_id that of the server's waxwing.toml?",
        _ => "",
    }
}

/// An error and what caused it, in one line.
pub(crate) fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use waxwing_core::CanonicalJson;

    use super::*;

    #[test]
    fn every_code_has_its_exit() {
        let by = |exit| -> Vec<&str> {
            let codes = ErrorCode::ALL.into_iter().filter(|code| of_code(*code) == exit);
            codes.map(ErrorCode::as_str).collect()
        };
        assert_eq!(
            by(Exit::NotAllowed),
            ["wrong_server", "unauthenticated", "stale", "replayed", "forbidden"]
        );
        assert_eq!(by(Exit::Unreachable), ["overloaded", "rate_limited"]);
        assert_eq!(by(Exit::Usage), Vec::<&str>::new());
    }

    #[test]
    fn a_tool_that_took_too_long_is_told_from_a_call_that_still_runs() {
        let too_long = CallError::new(ErrorCode::Timeout, "too slow");
        assert_eq!(of_client(&ClientError::Failed(too_long)), Exit::Failed);
        let after = std::time::Duration::from_secs(60);
        assert_eq!(of_client(&ClientError::StillRunning { after }), Exit::Unreachable);
    }

    #[test]
    fn a_store_that_cannot_be_used_has_its_exit_whoever_opened_it() {
        for (error, exit) in [
            (StoreError::Unavailable("x".to_owned()), Exit::Unreachable),
            (StoreError::Misconfigured("x".to_owned()), Exit::Usage),
            (StoreError::Corrupt("x".to_owned()), Exit::Failed),
            (StoreError::Fault("x".to_owned()), Exit::Failed),
        ] {
            assert_eq!(Failure::from(error.clone()).exit, exit);
            for error in [BindError::Guard(error.clone()), BindError::Store(error)] {
                let failure = Failure::from(error);
                assert_eq!(failure.exit, exit);
                assert!(!failure.text.contains('\n'), "{failure:?}");
            }
        }
    }

    #[test]
    fn violations_that_the_message_leaves_out_are_added() {
        let details = serde_json::json!({"violations": [
            {"path": "/a", "keyword": "type", "expected": "a number", "got": "a string", "hint": "Send 1."},
            {"path": "/b", "keyword": "minimum", "expected": "at least 2", "got": "1", "hint": ""},
        ]});
        let details = CanonicalJson::from_serialize(&details).unwrap();
        let error = CallError::new(ErrorCode::InvalidArgs, "no good\n- /a: expected a number")
            .with_details(details)
            .with_retry_after_ms(7);
        assert_eq!(
            explained(&error),
            "invalid_args: no good\n- /a: expected a number\n- /b: expected at least 2, got 1. \
             \nworth another try in 7 ms"
        );
    }
}

//! The `error` member of a reply or refusal: what a person or a model is told (wire.md §3, §8).

use std::fmt;

use crate::canonical::CanonicalJson;
use crate::code::ErrorCode;

/// A failure as it travels: a code, a message to do better with, and details where the code has some.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallError {
    /// What went wrong.
    pub code: ErrorCode,
    /// What was wrong, what was expected, what to send instead.
    pub message: String,
    /// What wire.md §8 promises for the code.
    pub details: Option<CanonicalJson<'static>>,
    /// Milliseconds after which a retry makes sense.
    pub retry_after_ms: Option<u64>,
}

impl CallError {
    /// An error without details.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: None, retry_after_ms: None }
    }

    /// The same error with details.
    #[must_use]
    pub fn with_details(mut self, details: CanonicalJson<'static>) -> Self {
        self.details = Some(details);
        self
    }

    /// The same error with a time to wait.
    #[must_use]
    pub const fn with_retry_after_ms(mut self, wait_ms: u64) -> Self {
        self.retry_after_ms = Some(wait_ms);
        self
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for CallError {}

//! The error codes of the wire and what each means for HTTP and for blame (wire.md §8).

use std::fmt;

/// What went wrong, as a peer is told it (wire.md §8).
///
/// Closed on purpose: the wire format closes it, and the maps below must stay exhaustive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the wire format closes this list")]
pub enum ErrorCode {
    /// Over `max_message`.
    TooLarge,
    /// Not JSON as §1 has it, or not a message as §2 has it.
    Malformed,
    /// `v` is unknown.
    UnsupportedVersion,
    /// Meant for another server.
    WrongServer,
    /// Unknown client or key, or wrong signature.
    Unauthenticated,
    /// Outside the clock window.
    Stale,
    /// The nonce was seen before.
    Replayed,
    /// The client may not use this tool.
    Forbidden,
    /// No such tool.
    UnknownTool,
    /// The pinned definition is not the current one.
    ToolChanged,
    /// The arguments break the tool's input schema.
    InvalidArgs,
    /// The idempotency key belongs to another call.
    Conflict,
    /// No such job for this client.
    UnknownJob,
    /// The tool ran and reports a failure.
    ToolFailed,
    /// The job ended in failure.
    JobFailed,
    /// The tool broke its own output schema.
    InvalidOutput,
    /// The tool outran its limit.
    Timeout,
    /// No room now; nothing was stored.
    Overloaded,
    /// Too many calls from this client.
    RateLimited,
    /// A fault of the server.
    Internal,
}

impl ErrorCode {
    /// Every code, in the order of wire.md §8.
    pub const ALL: [Self; 20] = [
        Self::TooLarge,
        Self::Malformed,
        Self::UnsupportedVersion,
        Self::WrongServer,
        Self::Unauthenticated,
        Self::Stale,
        Self::Replayed,
        Self::Forbidden,
        Self::UnknownTool,
        Self::ToolChanged,
        Self::InvalidArgs,
        Self::Conflict,
        Self::UnknownJob,
        Self::ToolFailed,
        Self::JobFailed,
        Self::InvalidOutput,
        Self::Timeout,
        Self::Overloaded,
        Self::RateLimited,
        Self::Internal,
    ];

    /// The code's spelling and HTTP status: the one map to the wire.
    const fn wire(self) -> (&'static str, u16) {
        match self {
            Self::TooLarge => ("too_large", 413),
            Self::Malformed => ("malformed", 400),
            Self::UnsupportedVersion => ("unsupported_version", 400),
            Self::WrongServer => ("wrong_server", 421),
            Self::Unauthenticated => ("unauthenticated", 401),
            Self::Stale => ("stale", 401),
            Self::Replayed => ("replayed", 409),
            Self::Forbidden => ("forbidden", 403),
            Self::UnknownTool => ("unknown_tool", 404),
            Self::ToolChanged => ("tool_changed", 409),
            Self::InvalidArgs => ("invalid_args", 422),
            Self::Conflict => ("conflict", 409),
            Self::UnknownJob => ("unknown_job", 404),
            Self::ToolFailed => ("tool_failed", 200),
            Self::JobFailed => ("job_failed", 200),
            Self::InvalidOutput => ("invalid_output", 500),
            Self::Timeout => ("timeout", 504),
            Self::Overloaded => ("overloaded", 503),
            Self::RateLimited => ("rate_limited", 429),
            Self::Internal => ("internal", 500),
        }
    }

    /// The spelling on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.wire().0
    }

    /// The HTTP status a message with this code travels under.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        self.wire().1
    }

    /// The code that is spelled so.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }

    /// Whether an unsigned refusal may carry this code.
    #[must_use]
    pub const fn in_refusal(self) -> bool {
        matches!(
            self,
            Self::TooLarge
                | Self::Malformed
                | Self::UnsupportedVersion
                | Self::WrongServer
                | Self::Unauthenticated
                | Self::Overloaded
        )
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back_and_is_listed_once() {
        for (i, code) in ErrorCode::ALL.into_iter().enumerate() {
            assert_eq!(ErrorCode::parse(code.as_str()), Some(code));
            assert!(ErrorCode::ALL[..i].iter().all(|other| other.as_str() != code.as_str()));
        }
        assert_eq!(ErrorCode::parse("ok"), None);
    }
}

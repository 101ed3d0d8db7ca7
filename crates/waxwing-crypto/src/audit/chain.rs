//! Writes lines one behind the other.

use serde::Serialize;
use waxwing_core::canonical::WriteError;

use super::event::AuditEvent;
use super::key::{AuditDigest, AuditKey};
use super::line::Line;

/// The last line of a log, by its number and the SHA-256 of its bytes without the line end. Kept
/// elsewhere, it shows later that nothing was cut off before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a line has a number and a hash, and that is all")]
pub struct Tip {
    /// Its number, from 1, over all files.
    pub seq: u64,
    /// Its hash.
    pub sha256: AuditDigest,
}

/// The end of a log, where lines are added. A clone goes on from the same line: whoever could not
/// write what one chain gave drops it and keeps the other.
#[derive(Clone, Debug)]
pub struct Chain {
    key: AuditKey,
    tip: Option<Tip>,
}

impl Chain {
    /// A log without lines.
    #[must_use]
    pub const fn new(key: AuditKey) -> Self {
        Self { key, tip: None }
    }

    /// A log that goes on behind this line.
    #[must_use]
    pub const fn behind(key: AuditKey, tip: Tip) -> Self {
        Self { key, tip: Some(tip) }
    }

    /// The last line; `None` before the first.
    #[must_use]
    pub const fn tip(&self) -> Option<&Tip> {
        self.tip.as_ref()
    }

    /// Writes the next line, with its line end, behind what `out` holds.
    ///
    /// # Errors
    /// [`WriteError`] when a number is beyond 2^53 - 1; `out` and the chain are then as they were.
    pub fn append(
        &mut self,
        ts_ms: i64,
        event: &AuditEvent,
        out: &mut Vec<u8>,
    ) -> Result<(), WriteError> {
        let (seq, prev) = match &self.tip {
            None => (1, AuditDigest::zero()),
            Some(Tip { seq, sha256 }) => (seq + 1, sha256.clone()),
        };
        let text = Line::write(&self.key, (seq, prev), ts_ms, event)?;
        self.tip = Some(Tip { seq, sha256: AuditDigest::sha256(&text) });
        out.extend_from_slice(&text);
        out.push(b'\n');
        Ok(())
    }
}

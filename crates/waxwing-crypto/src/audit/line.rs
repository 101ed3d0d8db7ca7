//! One line: an event with its place in the chain, in canonical JSON and in no other spelling.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use waxwing_core::canonical::WriteError;
use waxwing_core::{Limits, canonical};

use super::event::AuditEvent;
use super::key::{AuditDigest, AuditKey};

/// The version of the lines.
const VERSION: &str = "waxwing-audit/1";

/// A line with all its members.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line<'a> {
    v: Cow<'a, str>,
    pub(super) seq: u64,
    pub(super) prev: AuditDigest,
    pub(super) ts_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mac: Option<AuditDigest>,
    #[serde(flatten)]
    pub(super) event: Cow<'a, AuditEvent>,
}

/// What is wrong with a line by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misread {
    /// It is nothing that was ever written whole.
    NoLine,
    /// It is a line under another MAC than the key gives.
    WrongMac,
}

impl<'a> Line<'a> {
    /// The text of a line, without a line end.
    pub(super) fn write(
        key: &AuditKey,
        (seq, prev): (u64, AuditDigest),
        ts_ms: i64,
        event: &'a AuditEvent,
    ) -> Result<Vec<u8>, WriteError> {
        let (v, event) = (Cow::Borrowed(VERSION), Cow::Borrowed(event));
        let mut line = Self { v, seq, prev, ts_ms, mac: None, event };
        line.mac = Some(key.mac(&canonical::to_vec(&line)?));
        canonical::to_vec(&line)
    }
}

impl Line<'static> {
    /// Reads a line without its line end. What does not come out the same when it is written again
    /// was not written so: unknown members, other spellings.
    pub(super) fn read(text: &[u8], key: Option<&AuditKey>) -> Result<Self, Misread> {
        // Strict first, so that what decodes below means one thing only (wire.md §1).
        canonical::check(text, &Limits::DEFAULT).map_err(|_| Misread::NoLine)?;
        let mut line: Self = serde_json::from_slice(text).map_err(|_| Misread::NoLine)?;
        let again = canonical::to_vec(&line).map_err(|_| Misread::NoLine)?;
        let Some(mac) = line.mac.take() else { return Err(Misread::NoLine) };
        if again != text || line.v != VERSION {
            return Err(Misread::NoLine);
        }
        if let Some(key) = key {
            let signed = canonical::to_vec(&line).map_err(|_| Misread::NoLine)?;
            key.verify(&signed, &mac).map_err(|_| Misread::WrongMac)?;
        }
        line.mac = Some(mac);
        Ok(line)
    }
}

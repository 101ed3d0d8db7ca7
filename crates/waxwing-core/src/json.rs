//! Strict JSON (wire.md §1) and its canonical form (RFC 8785).
//!
//! ```text
//! bytes -> UTF-8 -> check: canonical already?  -> yes: the input itself, with its members
//!                                              -> no:  rewrite into a buffer, or the reason
//! value -> ser (serde) -> canonical bytes
//! ```
//!
//! [`check`](mod@check) is the fast answer and [`rewrite`] the full one; a property test holds that
//! they accept the same and agree on the bytes.

pub(crate) mod block;
pub(crate) mod check;
pub(crate) mod error;
mod members;
mod name;
pub(crate) mod number;
mod number_run;
mod path;
mod rewrite;
mod ser;
mod ser_name;
mod short_decimal;
mod shortest;
pub(crate) mod string;

use std::borrow::Cow;

use serde::Serialize;

pub use error::{JsonError, Reason, WriteError};

use crate::limits::Limits;
use members::Members;

/// Room that reading and writing need now and then; kept from message to message, it spares the
/// allocations.
#[derive(Debug, Default)]
pub struct Scratch {
    text: Vec<u8>,
    members: Members,
}

impl Scratch {
    /// Room for nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

/// Reads one JSON object of any spelling strictly and gives its canonical text, written into `scratch`.
pub(crate) fn rewrite_object<'a>(
    bytes: &[u8],
    limits: &Limits,
    scratch: &'a mut Scratch,
) -> Result<&'a str, JsonError> {
    let start = rewrite::skip_space(bytes, 0);
    if !matches!(bytes.get(start), Some(b'{') | None) {
        return Err(JsonError::locate(bytes, start, Reason::ExpectedObject));
    }
    let Scratch { text, members } = scratch;
    text.clear();
    rewrite_all(bytes, limits, members, text)?;
    simdutf8::basic::from_utf8(text).map_err(|_| JsonError::locate(bytes, 0, Reason::NotUtf8))
}

/// Takes `bytes` when they are one canonical JSON value and nothing else.
///
/// # Errors
/// [`JsonError`]: the rule that is broken, or [`Reason::NotCanonical`] with the offset of the first
/// byte that differs from the canonical spelling.
pub fn check<'a>(bytes: &'a [u8], limits: &Limits) -> Result<&'a str, JsonError> {
    let text = utf8(bytes, limits)?;
    if check::is_canonical(text, limits.max_depth()) {
        return Ok(text);
    }
    let mut canonical = Vec::new();
    rewrite_all(bytes, limits, &mut Members::default(), &mut canonical)?;
    let same = bytes.iter().zip(&canonical).take_while(|(a, b)| a == b).count();
    Err(JsonError::locate(bytes, same, Reason::NotCanonical))
}

/// Reads one JSON value strictly and gives its canonical text: the input itself when it is canonical
/// already.
///
/// # Errors
/// [`JsonError`] when the bytes break a rule of wire.md §1.
pub fn canonicalize<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Cow<'a, str>, JsonError> {
    let text = utf8(bytes, limits)?;
    if check::is_canonical(text, limits.max_depth()) {
        return Ok(Cow::Borrowed(text));
    }
    let mut canonical = Vec::with_capacity(bytes.len());
    rewrite_all(bytes, limits, &mut Members::default(), &mut canonical)?;
    String::from_utf8(canonical)
        .map(Cow::Owned)
        .map_err(|_| JsonError::locate(bytes, 0, Reason::NotUtf8))
}

/// Writes `value` canonically behind what `out` holds.
///
/// # Errors
/// [`WriteError`]; `out` is then as it was.
pub fn write_into<T: Serialize + ?Sized>(
    value: &T,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) -> Result<(), WriteError> {
    let before = out.len();
    ser::write(value, &mut scratch.members, out).inspect_err(|_| out.truncate(before))
}

/// The input as text: at most so long, no byte order mark, UTF-8.
pub(crate) fn utf8<'a>(bytes: &'a [u8], limits: &Limits) -> Result<&'a str, JsonError> {
    let refuse = |offset, reason| Err(JsonError::locate(&[], offset, reason));
    if bytes.len() > limits.max_message() {
        return refuse(limits.max_message(), Reason::TooLarge(limits.max_message()));
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return refuse(0, Reason::ByteOrderMark);
    }
    simdutf8::basic::from_utf8(bytes).map_err(|_| {
        let valid = std::str::from_utf8(bytes).err().map_or(0, |error| error.valid_up_to());
        JsonError::locate(bytes, valid, Reason::NotUtf8)
    })
}

/// Reads one value with white space around it and writes it canonically.
fn rewrite_all(
    bytes: &[u8],
    limits: &Limits,
    members: &mut Members,
    out: &mut Vec<u8>,
) -> Result<(), JsonError> {
    let start = rewrite::skip_space(bytes, 0);
    let end = rewrite::value(bytes, start, limits.max_depth(), members, out)
        .map_err(|(offset, reason)| JsonError::locate(bytes, offset, reason))?;
    let end = rewrite::skip_space(bytes, end);
    if end < bytes.len() {
        return Err(JsonError::locate(bytes, end, Reason::TrailingBytes));
    }
    Ok(())
}

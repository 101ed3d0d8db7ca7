//! Writes a message canonically, with a gap in its sorted place for the signature to come.

use std::ops::Range;

use serde::Serialize;

use crate::canonical::CanonicalJson;
use crate::ids::InvalidId;
use crate::json::{self, Scratch, WriteError};
use crate::message::VERSION;

/// Something that can be written canonically: any [`Serialize`], or JSON that is canonical already.
pub trait CanonicalWrite {
    /// Writes the value behind what `out` holds.
    ///
    /// # Errors
    /// [`WriteError`] when the value has no canonical form.
    fn write_canonical(&self, scratch: &mut Scratch, out: &mut Vec<u8>) -> Result<(), WriteError>;
}

impl<T: Serialize + ?Sized> CanonicalWrite for T {
    #[inline]
    fn write_canonical(&self, scratch: &mut Scratch, out: &mut Vec<u8>) -> Result<(), WriteError> {
        json::write_into(self, scratch, out)
    }
}

impl CanonicalWrite for CanonicalJson<'_> {
    #[inline]
    fn write_canonical(&self, _: &mut Scratch, out: &mut Vec<u8>) -> Result<(), WriteError> {
        out.extend_from_slice(self.as_str().as_bytes());
        Ok(())
    }
}

/// A message that lacks only its signature: canonical bytes with a gap.
#[derive(Debug)]
#[must_use = "without its signature the message is refused by every peer"]
pub struct Draft {
    start: usize,
    gap: Range<usize>,
    digits: Range<usize>,
    end: usize,
}

impl Draft {
    /// The bytes to sign, in two parts around the gap.
    #[must_use]
    pub fn signed<'o>(&self, out: &'o [u8]) -> [&'o [u8]; 2] {
        let part = |range: Range<usize>| out.get(range).unwrap_or_default();
        [part(self.start..self.gap.start), part(self.gap.end..self.end)]
    }

    /// Fills the gap.
    ///
    /// # Errors
    /// [`InvalidId`] when `signature` has another number of digits than the gap was made for, or
    /// `out` is not the buffer the draft was written to.
    pub fn complete(self, out: &mut [u8], signature: &[u8]) -> Result<(), InvalidId> {
        match out.get_mut(self.digits) {
            Some(gap) if gap.len() == signature.len() => {
                gap.copy_from_slice(signature);
                Ok(())
            }
            _ => Err(InvalidId { name: "signature", rule: "as long as the gap left for it" }),
        }
    }
}

/// Writes the members of one message, which the caller gives in canonical order.
pub(super) struct DraftWriter<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    gap: Range<usize>,
    digits: Range<usize>,
}

impl<'o> DraftWriter<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>) -> Self {
        let start = out.len();
        out.push(b'{');
        Self { out, start, gap: start..start, digits: start..start }
    }

    /// The name of the next member, with what stands around it; `name` has nothing to escape.
    fn name(&mut self, name: &str) {
        if self.out.len() > self.start + 1 {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    /// A member whose value the caller writes.
    pub(super) fn member(&mut self, name: &str) -> &mut Vec<u8> {
        self.name(name);
        self.out
    }

    /// A member that is an identifier: nothing to escape.
    pub(super) fn id(&mut self, name: &str, value: impl AsRef<str>) {
        self.name(name);
        self.out.push(b'"');
        self.out.extend_from_slice(value.as_ref().as_bytes());
        self.out.push(b'"');
    }

    pub(super) fn optional_id(&mut self, name: &str, value: Option<impl AsRef<str>>) {
        if let Some(value) = value {
            self.id(name, value);
        }
    }

    pub(super) fn integer(&mut self, name: &str, value: i64) -> Result<(), WriteError> {
        self.name(name);
        json::number::write_integer(value.is_negative(), value.unsigned_abs(), self.out)
    }

    /// The gap for a signature of `digits` hex digits. Another member stands in front of it in every
    /// message, so the comma belongs to the gap.
    pub(super) fn signature(&mut self, digits: usize) {
        let start = self.out.len();
        self.name("signature");
        self.out.push(b'"');
        self.digits = self.out.len()..self.out.len() + digits;
        self.out.resize(self.digits.end, b'0');
        self.out.push(b'"');
        self.gap = start..self.out.len();
    }

    /// The last two members of every message, and its end.
    pub(super) fn finish(mut self, kind: &str) -> Draft {
        self.id("typ", kind);
        self.id("v", VERSION);
        self.out.push(b'}');
        Draft { start: self.start, gap: self.gap, digits: self.digits, end: self.out.len() }
    }
}

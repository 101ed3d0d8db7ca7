//! Walks the members of a closed object in canonical order, and proves on the way that they are
//! canonical.
//!
//! In canonical form the order of a message's members is known, so each is met by comparing with the
//! one text that may stand there.

use super::VERSION;
use crate::canonical::CanonicalJson;
use crate::ids::{Identifier, Signature};
use crate::json::check::{self, Scan};
use crate::json::number;

/// A message that is valid JSON but not of the shape wire.md §2 or §3 gives it.
///
/// Byte offset in the canonical text and rule; never the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// A member that the message does not have.
    #[error("an unknown member (byte {offset})")]
    UnknownMember {
        /// Where it stands.
        offset: usize,
    },
    /// A member that the message must have.
    #[error("the member {name} is missing")]
    MissingMember {
        /// Its name.
        name: &'static str,
        /// Where it should stand.
        offset: usize,
    },
    /// A member of the wrong type or form.
    #[error("{name} must be {rule} (byte {offset})")]
    InvalidMember {
        /// Its name.
        name: &'static str,
        /// What it must be.
        rule: &'static str,
        /// Where its value stands.
        offset: usize,
    },
    /// `v` names a protocol that is not spoken here.
    #[error("v must be {VERSION}")]
    UnsupportedVersion,
}

impl ShapeError {
    /// The byte of the canonical text at fault.
    #[must_use]
    pub const fn offset(&self) -> usize {
        match self {
            Self::UnknownMember { offset }
            | Self::MissingMember { offset, .. }
            | Self::InvalidMember { offset, .. } => *offset,
            Self::UnsupportedVersion => 0,
        }
    }

    /// The version comes before the shape: another one may have other members.
    pub(super) fn unless_other_version(self, text: &str) -> Self {
        let mut other = false;
        check::members(text, |name, value| {
            let is_version = text.get(name) == Some("v");
            other |= is_version && text.get(value).is_some_and(|v| v.trim_matches('"') != VERSION);
        });
        if other { Self::UnsupportedVersion } else { self }
    }
}

/// Why a cursor stopped.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop {
    /// What stands here may be right, but not in its canonical spelling.
    NotCanonical(usize),
    /// The shape is wrong, if the text is canonical.
    Shape(ShapeError),
}

/// A member's name as it is met in canonical text: `"name":`.
#[derive(Clone, Copy)]
pub(super) struct Name {
    pub(super) plain: &'static str,
    pub(super) quoted: &'static str,
}

/// `name!("ts_ms")`: a [`Name`] whose two spellings cannot differ.
macro_rules! name {
    ($plain:literal) => {
        $crate::message::cursor::Name { plain: $plain, quoted: concat!("\"", $plain, "\":") }
    };
}
pub(super) use name;

/// A place in the text of a message.
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    scan: Scan<'a>,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(text: &'a str, max_depth: usize) -> Self {
        Self { text, at: 0, scan: Scan::new(text, max_depth) }
    }

    /// A cursor in a value that has been proved canonical.
    pub(super) const fn of_checked(json: &CanonicalJson<'a>) -> Option<Self> {
        match json.borrowed_text() {
            Some(text) => Some(Self::new(text, usize::MAX)),
            None => None,
        }
    }

    /// Steps over the name of the member `name`, if that stands here.
    #[inline(always)]
    pub(super) fn meets(&mut self, name: Name) -> bool {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let joint = if self.at == 0 { b'{' } else { b',' };
        let Some((first, rest)) = rest.split_first() else { return false };
        if *first == joint && rest.starts_with(name.quoted.as_bytes()) {
            self.at += 1 + name.quoted.len();
            return true;
        }
        false
    }

    /// Steps over the name of a member that must stand here.
    #[inline(always)]
    fn require(&mut self, name: Name) -> Result<(), Stop> {
        if self.meets(name) { Ok(()) } else { Err(self.unexpected(name)) }
    }

    /// What stands where `name` should: another known name behind it in order, or an unknown one.
    #[cold]
    fn unexpected(&self, name: Name) -> Stop {
        let rest = self.text.get(self.at + 1..).unwrap_or_default();
        let found = rest.strip_prefix('"').and_then(|rest| rest.split_once('"'));
        let offset = self.at;
        Stop::Shape(match found {
            Some((found, _)) if found < name.plain => ShapeError::UnknownMember { offset },
            _ => ShapeError::MissingMember { name: name.plain, offset },
        })
    }

    pub(super) fn invalid(&self, name: Name, rule: &'static str) -> Stop {
        Stop::Shape(ShapeError::InvalidMember { name: name.plain, rule, offset: self.at })
    }

    /// An identifier: a string of its alphabet, none of which has a character to escape.
    #[inline(always)]
    fn identifier<T: Identifier<'a>>(&mut self, name: Name) -> Result<T, Stop> {
        let bytes = self.text.as_bytes();
        let start = self.at + 1;
        let end = start + T::ALPHABET.run(bytes.get(start..).unwrap_or_default());
        let parsed = match (bytes.get(self.at), bytes.get(end)) {
            (Some(b'"'), Some(b'"')) => self.text.get(start..end).and_then(T::of_alphabet),
            _ => None,
        };
        let Some(parsed) = parsed else { return Err(self.invalid(name, T::RULE)) };
        self.at = end + 1;
        Ok(parsed)
    }

    /// The identifier `name`.
    #[inline(always)]
    pub(super) fn id<T: Identifier<'a>>(&mut self, name: Name) -> Result<T, Stop> {
        self.require(name)?;
        self.identifier(name)
    }

    /// The identifier `name`, if it is there.
    #[inline(always)]
    pub(super) fn optional_id<T: Identifier<'a>>(&mut self, name: Name) -> Result<Option<T>, Stop> {
        if self.meets(name) { self.identifier(name).map(Some) } else { Ok(None) }
    }

    /// The signature, and the text in front of its member.
    #[inline(always)]
    pub(super) fn signature(&mut self) -> Result<(Signature<'a>, &'a str), Stop> {
        let before = self.text.get(..self.at).unwrap_or_default();
        Ok((self.id(name!("signature"))?, before))
    }

    /// The text from here to the end.
    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Any value, under `name`.
    #[inline(always)]
    pub(super) fn json(&mut self, name: Name) -> Result<CanonicalJson<'a>, Stop> {
        self.require(name)?;
        self.value()
    }

    /// Any value, here.
    #[inline(always)]
    pub(super) fn value(&mut self) -> Result<CanonicalJson<'a>, Stop> {
        let end = self.scan.value(self.at, 1).ok_or(Stop::NotCanonical(self.at))?;
        let value = self.text.get(self.at..end).unwrap_or_default();
        self.at = end;
        Ok(CanonicalJson::of_checked(value))
    }

    /// An object, under `name`.
    #[inline(always)]
    pub(super) fn object(&mut self, name: Name) -> Result<CanonicalJson<'a>, Stop> {
        self.require(name)?;
        if self.text.as_bytes().get(self.at) == Some(&b'{') {
            self.value()
        } else {
            Err(self.invalid(name, "an object"))
        }
    }

    /// An integer, under `name`.
    #[inline(always)]
    pub(super) fn integer(&mut self, name: Name) -> Result<i64, Stop> {
        self.require(name)?;
        match number::canonical_integer(self.text.as_bytes(), self.at) {
            Some((value, end)) => {
                self.at = end;
                Ok(value)
            }
            None => Err(self.invalid(name, "an integer")),
        }
    }

    /// An integer that counts something, under `name`.
    pub(super) fn count(&mut self, name: Name) -> Result<u64, Stop> {
        let count = self.integer(name)?;
        count.try_into().map_err(|_| self.invalid(name, "0 or more"))
    }

    /// Any string, under `name`, if that is there.
    pub(super) fn optional_text(&mut self, name: Name) -> Result<Option<String>, Stop> {
        if !self.meets(name) {
            return Ok(None);
        }
        let text = self.value()?.decode().map_err(|_| self.invalid(name, "a string"))?;
        Ok(Some(text))
    }

    /// Exactly the string `text`, which has nothing to escape, under `name`.
    #[inline(always)]
    pub(super) fn exactly(&mut self, name: Name, text: &'static str) -> Result<(), Stop> {
        self.require(name)?;
        let quoted = self.rest().strip_prefix('"').and_then(|rest| rest.strip_prefix(text));
        if quoted.is_some_and(|rest| rest.starts_with('"')) {
            self.at += text.len() + 2;
            Ok(())
        } else {
            Err(self.invalid(name, text))
        }
    }

    /// The end of the object, and of the text.
    #[inline(always)]
    pub(super) fn end(&self) -> Result<(), Stop> {
        if self.rest() == "}" {
            Ok(())
        } else {
            Err(Stop::Shape(ShapeError::UnknownMember { offset: self.at }))
        }
    }

    /// The protocol's name, which ends every message, and the end of the message.
    #[inline(always)]
    pub(super) fn version_and_end(&mut self) -> Result<(), Stop> {
        self.exactly(name!("v"), VERSION)?;
        self.end()
    }
}

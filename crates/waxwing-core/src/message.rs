//! The messages of `waxwing/1` (wire.md §2, §3): closed types, read from bytes and written as canonical
//! ones.
//!
//! What comes out of reading is [`Unverified`]: nothing in it is to be believed before
//! `waxwing-crypto` has checked the signature.

mod cursor;
mod draft;
mod outcome;
mod refusal;
mod reply;
mod request;

use crate::canonical::{JsonError, Reason};
use crate::code::ErrorCode;
use crate::ids::Signature;
use crate::json::{self, Scratch};
use crate::limits::Limits;

use cursor::{Cursor, Stop};

pub use cursor::ShapeError;
pub use draft::{CanonicalWrite, Draft};
pub use outcome::{Outcome, Progress};
pub use refusal::Refusal;
pub use reply::{Answer, Reply};
pub use request::Request;

/// The protocol's name, member `v` of every message.
pub const VERSION: &str = "waxwing/1";

/// A message of the right shape whose signature nobody has checked yet.
#[derive(Clone, Debug)]
pub struct Unverified<'a, M> {
    message: M,
    signature: Signature<'a>,
    signed: [&'a str; 2],
}

impl<'a, M> Unverified<'a, M> {
    /// The message, to find the key it claims to be signed with.
    pub const fn claim(&self) -> &M {
        &self.message
    }

    /// The signature it carries.
    pub const fn signature(&self) -> &Signature<'a> {
        &self.signature
    }

    /// The canonical bytes that the signature covers, in two parts around the signature member.
    pub const fn signed(&self) -> [&'a str; 2] {
        self.signed
    }

    /// The message and its signature; for whoever has just checked the one with the other.
    pub fn into_checked(self) -> (M, Signature<'a>) {
        (self.message, self.signature)
    }
}

/// Why bytes are not a message: the sender's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Not the JSON of wire.md §1.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// Not the shape of wire.md §2 or §3.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

impl MessageError {
    /// The code a peer is told.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Json(error) => match error.reason() {
                Reason::TooLarge(_) => ErrorCode::TooLarge,
                _ => ErrorCode::Malformed,
            },
            Self::Shape(ShapeError::UnsupportedVersion) => ErrorCode::UnsupportedVersion,
            Self::Shape(_) => ErrorCode::Malformed,
        }
    }

    /// The byte at fault: of the input for JSON, of the canonical text for the shape.
    #[must_use]
    pub const fn offset(&self) -> usize {
        match self {
            Self::Json(error) => error.offset(),
            Self::Shape(error) => error.offset(),
        }
    }
}

/// Reads a message with `shape`, in place when the bytes are canonical.
///
/// The first try reads the input as it stands. Whatever it stumbles over, the second path has the last
/// word: it proves the JSON, writes it canonically into `scratch` and reads that in the same way.
#[inline]
fn read<'a, M>(
    bytes: &'a [u8],
    limits: &Limits,
    scratch: &'a mut Scratch,
    shape: impl Fn(Cursor<'a>) -> Result<M, Stop>,
) -> Result<M, MessageError> {
    let text = json::utf8(bytes, limits)?;
    if let Ok(message) = shape(Cursor::new(text, limits.max_depth())) {
        return Ok(message);
    }
    read_rewritten(bytes, limits, scratch, shape)
}

#[cold]
#[inline(never)]
fn read_rewritten<'a, M>(
    bytes: &'a [u8],
    limits: &Limits,
    scratch: &'a mut Scratch,
    shape: impl Fn(Cursor<'a>) -> Result<M, Stop>,
) -> Result<M, MessageError> {
    let text = json::rewrite_object(bytes, limits, scratch)?;
    shape(Cursor::new(text, limits.max_depth())).map_err(|stop| match stop {
        Stop::Shape(error) => error.unless_other_version(text).into(),
        Stop::NotCanonical(offset) => JsonError::locate(bytes, offset, Reason::NotCanonical).into(),
    })
}

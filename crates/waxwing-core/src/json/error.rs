//! Why bytes were refused: where, and by which rule; never what stood there.

use std::fmt;

use super::path;

/// The rule of wire.md §1 (or of canonical form) that was broken.
///
/// The texts are for a person or a model that must send something better next time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// More bytes than the limit.
    #[error("the message is larger than {0} bytes")]
    TooLarge(usize),
    /// The bytes are not UTF-8.
    #[error("the bytes are not UTF-8")]
    NotUtf8,
    /// A byte order mark stands in front.
    #[error("a byte order mark is not allowed")]
    ByteOrderMark,
    /// Too many open containers.
    #[error("more than {0} nested objects and arrays")]
    TooDeep(usize),
    /// The input ended inside a value.
    #[error("the input ends before the value does")]
    UnexpectedEnd,
    /// Something other than white space follows the value.
    #[error("something follows the value")]
    TrailingBytes,
    /// No value where one must stand.
    #[error("a JSON value must stand here")]
    ExpectedValue,
    /// No member name where one must stand.
    #[error("a member name in double quotes must stand here")]
    ExpectedName,
    /// No colon behind a member name.
    #[error("a colon must follow a member name")]
    ExpectedColon,
    /// Neither comma nor closing brace behind a member.
    #[error("a comma or a closing brace must follow a member")]
    ExpectedCommaOrBrace,
    /// Neither comma nor closing bracket behind an element.
    #[error("a comma or a closing bracket must follow an element")]
    ExpectedCommaOrBracket,
    /// The value is not an object where one is required.
    #[error("an object must stand here")]
    ExpectedObject,
    /// The same name twice in one object, after unescaping.
    #[error("the member name occurs twice in its object")]
    DuplicateName,
    /// A control character below U+0020 inside a string.
    #[error("a control character in a string must be escaped")]
    ControlCharacter,
    /// A backslash that starts no escape of RFC 8259.
    #[error("not an escape sequence")]
    BadEscape,
    /// Half of a surrogate pair.
    #[error("a lone surrogate is not a character")]
    LoneSurrogate,
    /// Not a number as RFC 8259 spells them.
    #[error("not a number: no leading zeros, no sign but minus, digits around the point")]
    BadNumber,
    /// A number that overflows an IEEE 754 double.
    #[error("the number is too large for a double")]
    NotFinite,
    /// A bare integer that a double does not hold exactly.
    #[error("an integer outside +-(2^53 - 1) loses digits: send it as a string")]
    UnsafeInteger,
    /// Valid JSON, but not its canonical spelling.
    #[error("not the canonical spelling (RFC 8785)")]
    NotCanonical,
}

/// A refused input: byte offset, path and reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError {
    offset: usize,
    reason: Reason,
    path: Box<str>,
}

impl JsonError {
    /// Finds the path of `offset` in `input`; cold, since only a refused message pays for it.
    #[cold]
    pub(crate) fn locate(input: &[u8], offset: usize, reason: Reason) -> Self {
        Self { offset, reason, path: path::of_offset(input, offset).into() }
    }

    /// Bytes before the place that was refused.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// The rule that was broken.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// JSON Pointer (RFC 6901) of the value that was being read, of the root when it is empty.
    /// Long names are cut.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (byte {})", self.reason, self.offset)
    }
}

impl std::error::Error for JsonError {}

/// Why a value cannot be written canonically.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// NaN or an infinity: JSON has no such number (RFC 8785 §3.2.2.3).
    #[error("NaN and infinities have no JSON spelling")]
    NotFinite,
    /// A bare integer that a double does not hold exactly (wire.md §1).
    #[error("an integer outside +-(2^53 - 1) loses digits: write it as a string")]
    UnsafeInteger,
    /// The same name twice in one object.
    #[error("the member name occurs twice in its object")]
    DuplicateName,
    /// A map key that is neither a string nor an integer nor a bool.
    #[error("a member name must be a string")]
    NameNotString,
    /// More nested containers than a reader accepts.
    #[error("more than {0} nested objects and arrays")]
    TooDeep(usize),
    /// The value is not an object where the message needs one.
    #[error("the value must be an object")]
    NotObject,
    /// The value's own `Serialize` failed.
    #[error("{0}")]
    Custom(String),
}

impl serde::ser::Error for WriteError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Custom(message.to_string())
    }
}

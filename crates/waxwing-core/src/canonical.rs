//! Canonical JSON (RFC 8785): to check it, to make it from other spellings, to write it.
//!
//! ```
//! use waxwing_core::{Limits, canonical};
//!
//! let limits = Limits::default();
//! let text = canonical::canonicalize(br#"{ "b": 1.0, "a": "\u0041" }"#, &limits)?;
//! assert_eq!(text, r#"{"a":"A","b":1}"#);
//! assert!(canonical::check(text.as_bytes(), &limits).is_ok());
//!
//! let refused = canonical::canonicalize(br#"{"a":{"b":1,"b":2}}"#, &limits).unwrap_err();
//! assert_eq!(refused.to_string(), "the member name occurs twice in its object (byte 12)");
//! assert_eq!(refused.path(), "/a");
//!
//! assert_eq!(canonical::to_vec(&("x", 1e21, [0.1 + 0.2]))?, br#"["x",1e+21,[0.30000000000000004]]"#);
//! assert!(canonical::to_vec(&f64::NAN).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::borrow::Cow;
use std::io;

use serde::{Serialize, de::DeserializeOwned};

pub use crate::json::{JsonError, Reason, Scratch, WriteError, canonicalize, check, write_into};

use crate::json::number::Spelling;
use crate::limits::Limits;

/// Writes `value` canonically.
///
/// # Errors
/// [`WriteError`] for NaN and infinities, integers outside +-(2^53 - 1), duplicate names, keys that
/// are no strings, or more than [`Limits::DEEPEST`] nested containers.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, WriteError> {
    let mut out = Vec::with_capacity(128);
    write_into(value, &mut Scratch::new(), &mut out)?;
    Ok(out)
}

/// Writes `value` canonically to `writer`, in one piece: nothing is written when the value is refused.
///
/// # Errors
/// What [`to_vec`] refuses, as [`io::ErrorKind::InvalidData`], and the writer's own errors.
pub fn to_writer<T: Serialize + ?Sized>(mut writer: impl io::Write, value: &T) -> io::Result<()> {
    let text = to_vec(value).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    writer.write_all(&text)
}

/// ECMAScript's spelling of a double (RFC 8785 §3.2.2.3), large integers included.
///
/// # Errors
/// [`WriteError::NotFinite`] for NaN and infinities.
pub fn number_to_string(value: f64) -> Result<String, WriteError> {
    if !value.is_finite() {
        return Err(WriteError::NotFinite);
    }
    Ok(String::from_utf8_lossy(Spelling::new().of(value)).into_owned())
}

/// One JSON value in canonical form: proof that the strict reader or the canonical writer made it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CanonicalJson<'a>(Cow<'a, str>);

impl<'a> CanonicalJson<'a> {
    /// Takes a part of a document that has been checked.
    pub(crate) const fn of_checked(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// The text, when it is borrowed from a document.
    pub(crate) const fn borrowed_text(&self) -> Option<&'a str> {
        match self.0 {
            Cow::Borrowed(text) => Some(text),
            Cow::Owned(_) => None,
        }
    }

    /// Writes `value` canonically.
    ///
    /// # Errors
    /// As [`to_vec`].
    pub fn from_serialize<T: Serialize + ?Sized>(
        value: &T,
    ) -> Result<CanonicalJson<'static>, WriteError> {
        let text = String::from_utf8(to_vec(value)?)
            .map_err(|_| WriteError::Custom("the text is not UTF-8".to_owned()))?;
        Ok(CanonicalJson(Cow::Owned(text)))
    }

    /// Reads one JSON value strictly; canonical input is borrowed, other spellings are rewritten.
    ///
    /// # Errors
    /// [`JsonError`] when wire.md §1 refuses the bytes.
    pub fn read(bytes: &'a [u8], limits: &Limits) -> Result<Self, JsonError> {
        canonicalize(bytes, limits).map(Self)
    }

    /// The canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the value is an object.
    #[must_use]
    pub fn is_object(&self) -> bool {
        self.0.starts_with('{')
    }

    /// Decodes the value into a type of the caller's.
    ///
    /// # Errors
    /// Whatever the type's `Deserialize` refuses.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0)
    }

    /// The same value with a text of its own.
    #[must_use]
    pub fn into_owned(self) -> CanonicalJson<'static> {
        CanonicalJson(Cow::Owned(self.0.into_owned()))
    }

    /// The same value, borrowing this one's text.
    #[must_use]
    pub fn borrowed(&self) -> CanonicalJson<'_> {
        CanonicalJson(Cow::Borrowed(&self.0))
    }
}

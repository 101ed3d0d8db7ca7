//! A refusal: the unsigned answer to a peer that has not proved a key (wire.md §3), and the `error`
//! member that it shares with replies.

use super::VERSION;
use super::cursor::{Cursor, Name, ShapeError, Stop, name};
use super::draft::DraftWriter;
use crate::call_error::CallError;
use crate::canonical::CanonicalJson;
use crate::code::ErrorCode;
use crate::json::{WriteError, number, string};

/// An unsigned error. A client treats it as a hint, never as an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// Why; its code is one that [`ErrorCode::in_refusal`] allows.
    pub error: CallError,
}

const TYP: &str = "refusal";

impl Refusal {
    /// A refusal with `error`; `None` for a code that only a signed reply may carry.
    #[must_use]
    pub fn new(error: CallError) -> Option<Self> {
        error.code.in_refusal().then_some(Self { error })
    }

    pub(super) fn shape(mut cursor: Cursor<'_>) -> Result<Self, Stop> {
        const ERROR: Name = name!("error");
        let error = read_error(&cursor.json(ERROR)?)?;
        let refusal = Self::new(error)
            .ok_or_else(|| cursor.invalid(ERROR, "an error that may travel unsigned"))?;
        cursor.exactly(name!("typ"), TYP)?;
        cursor.version_and_end()?;
        Ok(refusal)
    }

    /// Writes the refusal canonically.
    ///
    /// # Errors
    /// [`WriteError::UnsafeInteger`] for a `retry_after_ms` of 2^53 or more.
    pub fn to_vec(&self) -> Result<Vec<u8>, WriteError> {
        let mut out = Vec::with_capacity(128);
        let mut writer = DraftWriter::new(&mut out);
        write_error(&self.error, writer.member("error"))?;
        writer.id("typ", TYP);
        writer.id("v", VERSION);
        out.push(b'}');
        Ok(out)
    }
}

/// Reads `{code, details?, message, retry_after_ms?}`.
pub(super) fn read_error(error: &CanonicalJson<'_>) -> Result<CallError, Stop> {
    const WAIT: Name = name!("retry_after_ms");
    const RULE: &str = "an object {code, message, details?, retry_after_ms?}";
    let wrong = Stop::Shape(ShapeError::InvalidMember { name: "error", rule: RULE, offset: 0 });
    let mut cursor = Cursor::of_checked(error).ok_or(wrong)?;
    let code: String = cursor.json(name!("code"))?.decode().map_err(|_| wrong)?;
    let details = match cursor.meets(name!("details")) {
        true => Some(cursor.value()?.into_owned()),
        false => None,
    };
    let message = cursor.json(name!("message"))?.decode().map_err(|_| wrong)?;
    let retry_after_ms = match cursor.meets(WAIT) {
        true => Some(cursor.value()?.as_str().parse().map_err(|_| wrong)?),
        false => None,
    };
    cursor.end()?;
    let code = ErrorCode::parse(&code).ok_or(wrong)?;
    Ok(CallError { code, message, details, retry_after_ms })
}

/// Writes `{code, details?, message, retry_after_ms?}`.
pub(super) fn write_error(error: &CallError, out: &mut Vec<u8>) -> Result<(), WriteError> {
    out.extend_from_slice(b"{\"code\":\"");
    out.extend_from_slice(error.code.as_str().as_bytes());
    out.push(b'"');
    if let Some(details) = &error.details {
        out.extend_from_slice(b",\"details\":");
        out.extend_from_slice(CanonicalJson::as_str(details).as_bytes());
    }
    out.extend_from_slice(b",\"message\":");
    string::write(&error.message, out);
    if let Some(wait_ms) = error.retry_after_ms {
        out.extend_from_slice(b",\"retry_after_ms\":");
        number::write_integer(false, wait_ms, out)?;
    }
    out.push(b'}');
    Ok(())
}

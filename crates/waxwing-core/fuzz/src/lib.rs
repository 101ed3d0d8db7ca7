//! What the fuzz targets share: other spellings, messages built from templates, and the promises that
//! hold for every input.

pub mod messages;
#[path = "../../tests/it/respell.rs"]
pub mod respell;

use std::borrow::Cow;

use waxwing_core::Limits;
use waxwing_core::canonical::{self, JsonError};

/// Bounds that only depth meets: libFuzzer bounds the size.
pub const LIMITS: Limits = Limits::DEFAULT.with_max_message(usize::MAX);

/// `bytes` with a space in front: never canonical, so the rewriting path reads them. The space moves a
/// byte order mark to where it is only a character, so such inputs have no answer.
pub fn respaced(bytes: &[u8]) -> Option<Vec<u8>> {
    (!bytes.starts_with(b"\xef\xbb\xbf")).then(|| [b" ", bytes].concat())
}

/// What the rewriting path alone makes of `bytes`.
pub fn rewritten(spaced: &[u8]) -> Result<String, JsonError> {
    canonical::canonicalize(spaced, &LIMITS).map(Cow::into_owned)
}

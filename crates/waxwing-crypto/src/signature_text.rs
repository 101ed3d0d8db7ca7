//! A signature's hex digits, of whichever algorithm, without a place on the heap.

use waxwing_core::Signature;

use crate::{ed25519, hmac_key};

/// The digits.
pub(crate) enum SignatureText {
    HmacSha256([u8; hmac_key::SIGNATURE_DIGITS]),
    Ed25519([u8; ed25519::SIGNATURE_DIGITS]),
}

impl SignatureText {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::HmacSha256(digits) => digits,
            Self::Ed25519(digits) => digits,
        }
    }

    pub(crate) fn to_signature(&self) -> Signature<'static> {
        let text = String::from_utf8_lossy(self.as_bytes()).into_owned();
        #[expect(clippy::expect_used, reason = "hex::encode writes nothing but hex digits")]
        Signature::new(text).expect("hex digits")
    }
}

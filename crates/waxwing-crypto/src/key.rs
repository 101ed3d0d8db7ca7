//! A key of any algorithm. The algorithm belongs to the key record: nothing on the wire names or
//! changes it (wire.md §4).

use waxwing_core::Signature;

use crate::hmac_key::{self, HmacKey};
use crate::verdict::VerificationFailed;

/// A key that signs and verifies.
#[derive(Debug)]
#[non_exhaustive]
pub enum Key {
    /// `hmac-sha256`.
    HmacSha256(HmacKey),
}

/// A signature's hex digits, of whichever algorithm.
pub(crate) struct SignatureText {
    digits: [u8; hmac_key::SIGNATURE_DIGITS],
}

impl SignatureText {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.digits
    }
}

impl Key {
    /// The name of its algorithm, as key files spell it.
    #[must_use]
    pub const fn algorithm(&self) -> &'static str {
        match self {
            Self::HmacSha256(_) => "hmac-sha256",
        }
    }

    /// What `server_identity` shows of it (wire.md §6).
    #[must_use]
    pub fn fingerprint(&self) -> String {
        match self {
            Self::HmacSha256(key) => key.fingerprint(),
        }
    }

    /// Hex digits of its signatures.
    pub(crate) const fn signature_digits(&self) -> usize {
        match self {
            Self::HmacSha256(_) => hmac_key::SIGNATURE_DIGITS,
        }
    }

    pub(crate) fn sign(&self, parts: [&[u8]; 2]) -> SignatureText {
        match self {
            Self::HmacSha256(key) => SignatureText { digits: key.sign(parts) },
        }
    }

    pub(crate) fn verify(
        &self,
        parts: [&[u8]; 2],
        signature: &Signature<'_>,
    ) -> Result<(), VerificationFailed> {
        match self {
            Self::HmacSha256(key) => key.verify(parts, signature),
        }
    }
}

impl From<HmacKey> for Key {
    fn from(key: HmacKey) -> Self {
        Self::HmacSha256(key)
    }
}

//! A key of any algorithm. The algorithm belongs to the key record: nothing on the wire names or
//! changes it (wire.md §4).

use waxwing_core::Signature;

use crate::ed25519::{self, Ed25519Key};
use crate::hmac_key::{self, HmacKey};
use crate::signature_text::SignatureText;
use crate::verdict::VerificationFailed;

/// What one side holds of a key that it shares with the other: it signs what this side sends and
/// verifies what it receives.
#[derive(Debug)]
#[non_exhaustive]
pub enum Key {
    /// `hmac-sha256`: one secret does both, on both sides.
    HmacSha256(HmacKey),
    /// `ed25519`: one's own secret signs, the other side's public key verifies.
    Ed25519(Ed25519Key),
}

impl Key {
    /// The names of all algorithms (wire.md §4).
    pub const ALGORITHMS: [&'static str; 2] = ["hmac-sha256", "ed25519"];

    /// The name of its algorithm, as key files spell it.
    #[must_use]
    pub const fn algorithm(&self) -> &'static str {
        match self {
            Self::HmacSha256(_) => "hmac-sha256",
            Self::Ed25519(_) => "ed25519",
        }
    }

    /// What `server_identity` shows of it (wire.md §6).
    #[must_use]
    pub fn fingerprint(&self) -> String {
        match self {
            Self::HmacSha256(key) => key.fingerprint(),
            Self::Ed25519(key) => key.fingerprint().to_owned(),
        }
    }

    /// Hex digits of its signatures, whichever side signs.
    pub(crate) const fn signature_digits(&self) -> usize {
        match self {
            Self::HmacSha256(_) => hmac_key::SIGNATURE_DIGITS,
            Self::Ed25519(_) => ed25519::SIGNATURE_DIGITS,
        }
    }

    pub(crate) fn sign(&self, parts: [&[u8]; 2]) -> SignatureText {
        match self {
            Self::HmacSha256(key) => SignatureText::HmacSha256(key.sign(parts)),
            Self::Ed25519(key) => SignatureText::Ed25519(key.sign(parts)),
        }
    }

    #[inline]
    pub(crate) fn verify(
        &self,
        parts: [&[u8]; 2],
        signature: &Signature<'_>,
    ) -> Result<(), VerificationFailed> {
        match self {
            Self::HmacSha256(key) => key.verify(parts, signature),
            Self::Ed25519(key) => key.verify(parts, signature),
        }
    }
}

impl From<HmacKey> for Key {
    fn from(key: HmacKey) -> Self {
        Self::HmacSha256(key)
    }
}

impl From<Ed25519Key> for Key {
    fn from(key: Ed25519Key) -> Self {
        Self::Ed25519(key)
    }
}

//! A shared secret for HMAC-SHA256 (RFC 2104, FIPS 180-4).

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use waxwing_core::Signature;

use crate::hex;
use crate::verdict::VerificationFailed;
use crate::weak::{self, WeakKey};

/// Hex digits of an HMAC-SHA256 signature.
pub(crate) const SIGNATURE_DIGITS: usize = 64;

/// A secret of 32 bytes or more, kept as the keyed state of the hash, so that no message pays for the
/// key again. Wiped when dropped; never printed.
pub struct HmacKey {
    keyed: Hmac<Sha256>,
}

impl HmacKey {
    /// Bytes a secret must have: the output length of the hash (RFC 2104 §3).
    pub const MIN_LENGTH: usize = weak::MIN_LENGTH;

    /// Takes a secret.
    ///
    /// # Errors
    /// [`WeakKey`] when it is too short, a pattern of at most eight bytes repeated, or a placeholder.
    pub fn new(secret: &[u8]) -> Result<Self, WeakKey> {
        weak::check(secret)?;
        // HMAC takes a key of any length (RFC 2104 §2); the error type is that of other MACs.
        let keyed =
            Hmac::new_from_slice(secret).map_err(|_| WeakKey::TooShort { length: secret.len() })?;
        Ok(Self { keyed })
    }

    fn mac(&self, parts: [&[u8]; 2]) -> Hmac<Sha256> {
        let mut mac = self.keyed.clone();
        for part in parts {
            mac.update(part);
        }
        mac
    }

    pub(crate) fn tag(&self, text: &[u8]) -> [u8; 32] {
        self.mac([text, b""]).finalize().into_bytes().into()
    }

    pub(crate) fn sign(&self, parts: [&[u8]; 2]) -> [u8; SIGNATURE_DIGITS] {
        hex::encode(&self.mac(parts).finalize().into_bytes())
    }

    /// Whether `signature` is this key's over the two parts, one behind the other. Compares in constant
    /// time; a signature of another length costs the same hash.
    ///
    /// # Errors
    /// [`VerificationFailed`] when it is not.
    pub fn verify(
        &self,
        parts: [&[u8]; 2],
        signature: &Signature<'_>,
    ) -> Result<(), VerificationFailed> {
        let tag: Option<[u8; 32]> = hex::decode(signature);
        let verdict = self.mac(parts).verify_slice(&tag.unwrap_or_default());
        if tag.is_some() {
            verdict.map_err(|_| VerificationFailed)
        } else {
            Err(VerificationFailed)
        }
    }

    /// What `server_identity` shows of the key: 16 hex digits of a MAC over a fixed text, from which
    /// neither the key nor a hash of it can be had (wire.md §6).
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hex::fingerprint(&self.tag(b"waxwing/1 fingerprint"))
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacKey(secret)")
    }
}

#[cfg(test)]
mod published;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_shows_nothing_of_its_secret() {
        let key = HmacKey::new(b"0123456789abcdef0123456789abcdef").unwrap();
        assert_eq!(format!("{key:?}"), "HmacKey(secret)");
        assert_eq!(key.fingerprint().len(), 16);
        assert_eq!(HmacKey::new(&[0; 32]).unwrap_err(), WeakKey::Repeats { period: 1 });
    }

    #[test]
    fn signatures_of_another_length_are_refused() {
        let key = HmacKey::new(b"0123456789abcdef0123456789abcdef").unwrap();
        let signature = String::from_utf8(key.sign([b"a", b"b"]).to_vec()).unwrap();
        let right = Signature::new(signature.as_str()).unwrap();
        assert!(key.verify([b"ab", b""], &right).is_ok());
        assert!(key.verify([b"a", b"c"], &right).is_err());
        for wrong in ["0".repeat(64), signature.repeat(2), "f".repeat(128)] {
            let wrong = Signature::new(wrong).unwrap();
            assert!(key.verify([b"a", b"b"], &wrong).is_err());
        }
    }
}

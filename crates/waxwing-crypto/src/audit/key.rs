//! The key of an audit log, and the digests that stand in its lines.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use waxwing_core::{CanonicalJson, Signature};

use crate::hex;
use crate::hmac_key::HmacKey;
use crate::verdict::VerificationFailed;
use crate::weak::WeakKey;

/// Keys the MACs of an audit log and the digests in it. It signs nothing else, and whoever holds it
/// can write lines that verify: it belongs where the log is not. Never printed.
#[derive(Clone)]
pub struct AuditKey(Arc<HmacKey>);

impl AuditKey {
    /// Takes a secret.
    ///
    /// # Errors
    /// [`WeakKey`], as for any key.
    pub fn new(secret: &[u8]) -> Result<Self, WeakKey> {
        HmacKey::new(secret).map(|key| Self(Arc::new(key)))
    }

    /// The digest of a call's arguments: equal for equal arguments, and of use only to holders of the
    /// key.
    #[must_use]
    pub fn digest_args(&self, args: &CanonicalJson<'_>) -> AuditDigest {
        self.digest(b"waxwing-audit/1 args\0", args)
    }

    /// The digest of a call's result.
    #[must_use]
    pub fn digest_result(&self, result: &CanonicalJson<'_>) -> AuditDigest {
        self.digest(b"waxwing-audit/1 result\0", result)
    }

    fn digest(&self, label: &[u8], value: &CanonicalJson<'_>) -> AuditDigest {
        AuditDigest::of_hex(self.0.sign([label, value.as_str().as_bytes()]))
    }

    /// The MAC of a line. A label cannot be taken for the `{` that a line begins with, so no digest
    /// is ever a MAC.
    pub(super) fn mac(&self, line: &[u8]) -> AuditDigest {
        AuditDigest::of_hex(self.0.sign([line, b""]))
    }

    pub(super) fn verify(&self, line: &[u8], mac: &AuditDigest) -> Result<(), VerificationFailed> {
        let mac = Signature::new(mac.as_str()).map_err(|_| VerificationFailed)?;
        self.0.verify([line, b""], &mac)
    }
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditKey(secret)")
    }
}

/// 32 bytes as 64 lower-case hex digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AuditDigest(String);

/// A text that is no digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a digest has 64 lower-case hex digits")]
#[non_exhaustive]
pub struct InvalidDigest;

impl AuditDigest {
    /// SHA-256, without a key.
    #[must_use]
    pub fn sha256(bytes: &[u8]) -> Self {
        Self::of_hex(hex::encode(&Sha256::digest(bytes)))
    }

    /// What the first line of all names as the line before it.
    #[must_use]
    pub fn zero() -> Self {
        Self("0".repeat(64))
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn of_hex(digits: [u8; 64]) -> Self {
        Self(digits.iter().map(|digit| char::from(*digit)).collect())
    }
}

impl TryFrom<String> for AuditDigest {
    type Error = InvalidDigest;

    fn try_from(text: String) -> Result<Self, InvalidDigest> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        match text.len() == 64 && text.bytes().all(is_digit) {
            true => Ok(Self(text)),
            false => Err(InvalidDigest),
        }
    }
}

impl From<AuditDigest> for String {
    fn from(digest: AuditDigest) -> Self {
        digest.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_depend_on_the_key_and_on_what_they_are_of() {
        let key = |last: u8| {
            let mut secret: Vec<u8> = (0..31).collect();
            secret.push(last);
            AuditKey::new(&secret).unwrap()
        };
        let args = CanonicalJson::from_serialize(&serde_json::json!({"pin": 1234})).unwrap();
        let digests = [
            key(31).digest_args(&args),
            key(32).digest_args(&args),
            key(31).digest_result(&args),
            key(31).mac(args.as_str().as_bytes()),
            AuditDigest::sha256(args.as_str().as_bytes()),
        ];
        for (n, digest) in digests.iter().enumerate() {
            assert!(!digests[..n].contains(digest));
        }
        assert_eq!(key(31).digest_args(&args), digests[0]);
        assert_eq!(format!("{:?}", key(1)), "AuditKey(secret)");
        assert!(AuditKey::new(&[7; 32]).is_err());
    }
}

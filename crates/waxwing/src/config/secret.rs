//! A key as files spell it: an algorithm, and a secret in base64url without padding.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use serde::{Deserialize, Deserializer, Serialize};
use waxwing_crypto::{HmacKey, Key, WeakKey};
use zeroize::Zeroizing;

/// Bytes of a fresh secret: the output length of the hash.
const FRESH_BYTES: usize = 32;

/// What a key signs with (wire.md §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum Algorithm {
    /// HMAC-SHA256.
    #[serde(rename = "hmac-sha256")]
    HmacSha256,
}

/// A secret as text. Wiped when dropped, never shown by `Debug` or by an error.
pub(crate) struct SecretText(Zeroizing<String>);

/// A secret that is no key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoKey {
    #[error("secret must be base64url without padding")]
    NotBase64,
    #[error("secret is too weak: {0}")]
    Weak(WeakKey),
}

impl SecretText {
    /// A fresh one.
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new([0; FRESH_BYTES]);
        getrandom::fill(&mut *bytes)?;
        Ok(Self(Zeroizing::new(BASE64URL.encode(bytes.as_slice()))))
    }

    /// The text, for the file or the person who is to have it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// The key it stands for.
    pub(crate) fn key(&self, algorithm: Algorithm) -> Result<Key, NoKey> {
        let bytes = BASE64URL.decode(self.0.as_bytes()).map_err(|_| NoKey::NotBase64)?;
        let bytes = Zeroizing::new(bytes);
        match algorithm {
            Algorithm::HmacSha256 => HmacKey::new(&bytes).map(Key::from).map_err(NoKey::Weak),
        }
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(secret)")
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_key(text: &str) -> NoKey {
        let secret = SecretText(Zeroizing::new(text.to_owned()));
        secret.key(Algorithm::HmacSha256).unwrap_err()
    }

    #[test]
    fn fresh_secrets_are_keys_and_differ() {
        let (one, two) = (SecretText::random().unwrap(), SecretText::random().unwrap());
        assert_ne!(one.expose(), two.expose());
        assert!(one.key(Algorithm::HmacSha256).is_ok());
        assert_eq!(format!("{one:?}"), "SecretText(secret)");
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_repeated() {
        for text in ["canary!", "Y2FuYXJ5Cg==", "Y2Fu YXJ5", "a"] {
            assert_eq!(no_key(text), NoKey::NotBase64);
        }
        assert!(matches!(no_key("Y2FuYXJ5"), NoKey::Weak(WeakKey::TooShort { length: 6 })));
        assert!(matches!(no_key(&"AAAA".repeat(12)), NoKey::Weak(WeakKey::Repeats { .. })));
    }
}

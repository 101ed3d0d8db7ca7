//! Keys as files spell them: an algorithm, and secrets and public keys in base64url without padding.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use waxwing_crypto::{Ed25519PublicKey, Ed25519SigningKey, HmacKey, InvalidPublicKey, WeakKey};
use zeroize::Zeroizing;

/// Bytes of a fresh secret: the output length of the hash, and those of an Ed25519 secret.
const FRESH_BYTES: usize = 32;

/// What a key signs with (wire.md §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
pub(crate) enum Algorithm {
    /// HMAC-SHA256: one secret that client and server share
    #[serde(rename = "hmac-sha256")]
    #[value(name = "hmac-sha256")]
    HmacSha256,
    /// Ed25519: client and server each have a secret of their own and the other's public key
    #[serde(rename = "ed25519")]
    #[value(name = "ed25519")]
    Ed25519,
}

impl Algorithm {
    /// As files spell it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::HmacSha256 => "hmac-sha256",
            Self::Ed25519 => "ed25519",
        }
    }
}

/// A secret as text. Wiped when dropped, never shown by `Debug` or by an error.
#[derive(Clone)]
pub(crate) struct SecretText(Zeroizing<String>);

/// The public half of an Ed25519 key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicKey(pub(crate) Ed25519PublicKey);

/// What is no key, or no key to use here.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoKey {
    #[error("secret must be base64url without padding")]
    NotBase64,
    #[error("secret is too weak: {0}")]
    Weak(WeakKey),
    #[error("an ed25519 secret has 32 bytes, this one has {length}")]
    Length { length: usize },
    #[error("a public key must be 32 bytes in base64url without padding")]
    NotPublic,
    #[error(transparent)]
    Public(#[from] InvalidPublicKey),
    #[error(
        "an ed25519 key needs the server's own: set signing_key in waxwing.toml \
         (`waxwing keygen --server` makes one)"
    )]
    NoServerKey,
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

    fn bytes(&self) -> Result<Zeroizing<Vec<u8>>, NoKey> {
        BASE64URL.decode(self.0.as_bytes()).map(Zeroizing::new).map_err(|_| NoKey::NotBase64)
    }

    /// The shared key it stands for.
    pub(crate) fn hmac(&self) -> Result<HmacKey, NoKey> {
        HmacKey::new(&self.bytes()?).map_err(NoKey::Weak)
    }

    /// The signing key it stands for.
    pub(crate) fn ed25519(&self) -> Result<Ed25519SigningKey, NoKey> {
        let bytes = self.bytes()?;
        let secret = bytes.as_slice().try_into();
        let secret: &[u8; 32] = secret.map_err(|_| NoKey::Length { length: bytes.len() })?;
        Ed25519SigningKey::new(secret).map_err(NoKey::Weak)
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(secret)")
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // What stands there instead of a text may be meant as the secret: it is not repeated.
        let text = String::deserialize(deserializer);
        text.map(|text| Self(Zeroizing::new(text)))
            .map_err(|_| D::Error::custom("a secret must be a text in quotes"))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64URL.encode(self.0.as_bytes()))
    }
}

impl FromStr for PublicKey {
    type Err = NoKey;

    fn from_str(text: &str) -> Result<Self, NoKey> {
        let bytes = BASE64URL.decode(text.as_bytes()).map_err(|_| NoKey::NotPublic)?;
        let bytes: &[u8; 32] = bytes.as_slice().try_into().map_err(|_| NoKey::NotPublic)?;
        Ok(Self(Ed25519PublicKey::new(bytes)?))
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretText {
        SecretText(Zeroizing::new(text.to_owned()))
    }

    #[test]
    fn fresh_secrets_are_keys_and_differ() {
        let (one, two) = (SecretText::random().unwrap(), SecretText::random().unwrap());
        assert_ne!(one.expose(), two.expose());
        assert!(one.hmac().is_ok() && one.ed25519().is_ok());
        assert_eq!(format!("{one:?}"), "SecretText(secret)");
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_repeated() {
        for text in ["canary!", "Y2FuYXJ5Cg==", "Y2Fu YXJ5", "a"] {
            assert_eq!(secret(text).hmac().unwrap_err(), NoKey::NotBase64);
            assert_eq!(secret(text).ed25519().unwrap_err(), NoKey::NotBase64);
        }
        let short = NoKey::Weak(WeakKey::TooShort { length: 6 });
        assert_eq!(secret("Y2FuYXJ5").hmac().unwrap_err(), short);
        assert_eq!(secret("Y2FuYXJ5").ed25519().unwrap_err(), NoKey::Length { length: 6 });
        let repeats = secret(&"AAAA".repeat(12));
        assert!(matches!(repeats.hmac(), Err(NoKey::Weak(WeakKey::Repeats { .. }))));
    }

    #[test]
    fn public_keys_read_back_and_others_are_refused() {
        let key = PublicKey(SecretText::random().unwrap().ed25519().unwrap().public_key());
        assert_eq!(key.to_string().parse(), Ok(key.clone()));
        assert_eq!(key.to_string().len(), 43);
        for text in ["", "AAAA", "not base64!", &format!("{key}=")] {
            assert_eq!(text.parse::<PublicKey>(), Err(NoKey::NotPublic), "{text}");
        }
        let zeros = "A".repeat(43).parse::<PublicKey>();
        assert_eq!(zeros, Err(NoKey::Public(InvalidPublicKey::SmallOrder)));
    }
}

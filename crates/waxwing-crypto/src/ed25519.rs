//! Ed25519 (RFC 8032), verified strictly: one encoding of each key and of each signature, and no point
//! of small order, so that nothing verifies under a key that says nothing about its holder.

use std::fmt;
use std::sync::Arc;

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use waxwing_core::Signature;

use crate::hex;
use crate::verdict::VerificationFailed;
use crate::weak::{self, WeakKey};

/// Hex digits of an Ed25519 signature.
pub(crate) const SIGNATURE_DIGITS: usize = 128;

/// The half that signs. Clones share one copy of the secret; it is wiped with the last of them, and
/// never printed.
#[derive(Clone)]
pub struct Ed25519SigningKey {
    key: Arc<SigningKey>,
}

/// The half that verifies: a point whose encoding is the only one it has and whose order is not small.
#[derive(Clone, PartialEq, Eq)]
pub struct Ed25519PublicKey {
    key: VerifyingKey,
}

/// Bytes that are no public key to verify with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPublicKey {
    /// They encode no point of the curve.
    #[error("this is no Ed25519 public key: it is no point of the curve")]
    NotAPoint,
    /// The point has another encoding, which is the right one.
    #[error("this is no Ed25519 public key: its encoding is not canonical")]
    NotCanonical,
    /// The point is of small order: anybody can make signatures that verify under it.
    #[error("this Ed25519 public key is of small order: anybody could sign for it")]
    SmallOrder,
    /// It belongs to the secret it is to be paired with.
    #[error("this Ed25519 public key is one's own: the two sides must have two keys")]
    Own,
}

impl Ed25519SigningKey {
    /// Takes the 32 secret bytes of RFC 8032 §5.1.5.
    ///
    /// # Errors
    /// [`WeakKey`] when they cannot have been drawn at random.
    pub fn new(secret: &[u8; 32]) -> Result<Self, WeakKey> {
        weak::check(secret)?;
        Ok(Self { key: Arc::new(SigningKey::from_bytes(secret)) })
    }

    /// The half that others verify with.
    #[must_use]
    pub fn public_key(&self) -> Ed25519PublicKey {
        Ed25519PublicKey { key: self.key.verifying_key() }
    }

    fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_DIGITS] {
        hex::encode(&self.key.sign(message).to_bytes())
    }
}

impl Ed25519PublicKey {
    /// Takes the encoding of a public key.
    ///
    /// # Errors
    /// [`InvalidPublicKey`], though never `Own`.
    pub fn new(bytes: &[u8; 32]) -> Result<Self, InvalidPublicKey> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| InvalidPublicKey::NotAPoint)?;
        if key.is_weak() {
            return Err(InvalidPublicKey::SmallOrder);
        }
        if VerifyingKey::from(key.to_edwards()).as_bytes() != bytes {
            return Err(InvalidPublicKey::NotCanonical);
        }
        Ok(Self { key })
    }

    /// Its encoding.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// 16 hex digits of the SHA-256 of its encoding (wire.md §6).
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hex::fingerprint(&Sha256::digest(self.as_bytes()))
    }

    /// Whether `signature` is this key's over `message`. Strict: `S` below the group's order, `R` in its
    /// one encoding and not of small order. Nothing in it is secret, so its time may vary.
    ///
    /// # Errors
    /// [`VerificationFailed`] when it is not.
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> Result<(), VerificationFailed> {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        self.key.verify_strict(message, &signature).map_err(|_| VerificationFailed)
    }

    pub(crate) fn verify_text(
        &self,
        parts: [&[u8]; 2],
        signature: &Signature<'_>,
    ) -> Result<(), VerificationFailed> {
        let signature: [u8; 64] = hex::decode(signature).ok_or(VerificationFailed)?;
        // The library verifies one piece strictly; beside a scalar multiplication a copy is nothing.
        self.verify(&parts.concat(), &signature)
    }
}

/// What one side holds: its own half that signs and the other side's that verifies. There is none
/// without a secret, so nobody signs with a public key, and none without the other side's half.
pub struct Ed25519Key {
    own: Ed25519SigningKey,
    peer: Ed25519PublicKey,
    fingerprint: String,
}

impl Ed25519Key {
    /// The client's side: its own secret and the server's public key.
    ///
    /// # Errors
    /// [`InvalidPublicKey::Own`] when both are one key: a message could be turned round.
    pub fn of_client(
        own: Ed25519SigningKey,
        server: Ed25519PublicKey,
    ) -> Result<Self, InvalidPublicKey> {
        let fingerprint = server.fingerprint();
        Self::new(own, server, fingerprint)
    }

    /// The server's side: its own secret, which all its clients' keys share, and the client's public key.
    ///
    /// # Errors
    /// As [`Self::of_client`].
    pub fn of_server(
        own: Ed25519SigningKey,
        client: Ed25519PublicKey,
    ) -> Result<Self, InvalidPublicKey> {
        let fingerprint = own.public_key().fingerprint();
        Self::new(own, client, fingerprint)
    }

    fn new(
        own: Ed25519SigningKey,
        peer: Ed25519PublicKey,
        fingerprint: String,
    ) -> Result<Self, InvalidPublicKey> {
        if own.public_key() == peer {
            return Err(InvalidPublicKey::Own);
        }
        Ok(Self { own, peer, fingerprint })
    }

    /// What `server_identity` shows: the fingerprint of the server's public key, on either side
    /// (wire.md §6).
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    pub(crate) fn sign(&self, parts: [&[u8]; 2]) -> [u8; SIGNATURE_DIGITS] {
        self.own.sign(&parts.concat())
    }

    pub(crate) fn verify(
        &self,
        parts: [&[u8]; 2],
        signature: &Signature<'_>,
    ) -> Result<(), VerificationFailed> {
        self.peer.verify_text(parts, signature)
    }
}

impl fmt::Debug for Ed25519SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ed25519SigningKey(secret)")
    }
}

impl fmt::Debug for Ed25519PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ed25519PublicKey({})", self.fingerprint())
    }
}

impl fmt::Debug for Ed25519Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ed25519Key")
            .field("own", &self.own)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

//! The work of a key that cannot be used, so that time does not tell it from a wrong signature.

use std::hint::black_box;

use waxwing_core::Signature;

use crate::ed25519::{self, Ed25519PublicKey, Ed25519SigningKey};
use crate::hmac_key::HmacKey;
use crate::key::Key;
use crate::verdict::VerificationFailed;

/// Keys that verify nothing for anybody, one of each algorithm; made of a random [`HmacKey`] that nobody
/// else knows.
///
/// The two algorithms differ in their cost fifty times over. If the decoy had one algorithm and a client
/// the other, time would tell whether the client exists. So the work of a refusal depends on nothing
/// but what the sender chose and knows: the length of the signature it sent. 64 digits cost one HMAC, 128
/// digits one Ed25519 verification, under whichever key the ring's search ended at if it has that
/// algorithm, and under the decoy if not. The length never lets a message through: a key takes signatures
/// of its own algorithm only (wire.md §4).
#[derive(Debug)]
pub struct Decoy {
    hmac: Key,
    ed25519: Option<Ed25519PublicKey>,
}

/// Whether a ring has Ed25519 keys. Where it has none, long signatures cost what short ones do: that
/// tells no more than `server_identity` does, and strangers cannot make such a server work harder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ed25519Use {
    Unused,
    Used,
}

impl Decoy {
    /// Does what verifying `signature` would be, and fails whatever comes of it.
    pub(crate) fn verify(
        &self,
        parts: [&[u8]; 2],
        signature: &Signature<'_>,
        ed25519: Ed25519Use,
    ) -> Result<(), VerificationFailed> {
        let is_long = signature.as_str().len() == ed25519::SIGNATURE_DIGITS;
        // Nobody uses the verdict; that must not be a reason to leave the work out.
        let _ = match (&self.ed25519, ed25519) {
            (Some(key), Ed25519Use::Used) if is_long => {
                black_box(key.verify_text(parts, signature))
            }
            _ => black_box(self.hmac.verify(parts, signature)),
        };
        Err(VerificationFailed)
    }
}

impl From<HmacKey> for Decoy {
    fn from(hmac: HmacKey) -> Self {
        // A tag is as good as random and is no weak secret, so there is a key in all but 2^-200 cases.
        let secret = Ed25519SigningKey::new(&hmac.tag(b"waxwing/1 decoy"));
        let ed25519 = secret.ok().map(|key| key.public_key());
        Self { hmac: hmac.into(), ed25519 }
    }
}

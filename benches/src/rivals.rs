//! Verifying and signing with crates off the shelf: parse to a tree, canonicalise, HMAC.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

/// The keyed state of HMAC-SHA256.
#[derive(Clone, Debug)]
pub struct Floor(Hmac<Sha256>);

impl Floor {
    /// Of a secret.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("any length"))
    }

    /// The MAC of `bytes`: what no signer can do without.
    #[must_use]
    pub fn mac(&self, bytes: &[u8]) -> [u8; 32] {
        let mut mac = self.0.clone();
        mac.update(bytes);
        mac.finalize().into_bytes().into()
    }

    /// Whether the tag of `bytes` is `tag`.
    #[must_use]
    pub fn verifies(&self, bytes: &[u8], tag: &[u8; 32]) -> bool {
        let mut mac = self.0.clone();
        mac.update(bytes);
        mac.verify_slice(tag).is_ok()
    }
}

/// A crate that writes canonical JSON.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Rival {
    /// Its name.
    pub name: &'static str,
    /// Writes a tree canonically.
    pub canonicalize: fn(&Value) -> Vec<u8>,
}

/// The crates that write a tree.
pub const RIVALS: [Rival; 3] = [
    Rival {
        name: "serde_json_canonicalizer",
        canonicalize: |value| serde_json_canonicalizer::to_vec(value).expect("JSON"),
    },
    Rival { name: "serde_jcs", canonicalize: |value| serde_jcs::to_vec(value).expect("JSON") },
    Rival {
        name: "json-canon",
        canonicalize: |value| json_canon::to_string(value).expect("JSON").into_bytes(),
    },
];

impl Rival {
    /// Parses a message, takes its signature out, canonicalises the rest and compares the MAC.
    #[must_use]
    pub fn verify(&self, floor: &Floor, message: &[u8]) -> bool {
        let Ok(mut value) = serde_json::from_slice::<Value>(message) else { return false };
        let Some(Value::String(signature)) =
            value.as_object_mut().and_then(|object| object.remove("signature"))
        else {
            return false;
        };
        hex(&floor.mac(&(self.canonicalize)(&value))) == signature
    }

    /// Canonicalises a message without a signature, adds its MAC and writes it again.
    #[must_use]
    pub fn sign(&self, floor: &Floor, message: &impl serde::Serialize) -> Vec<u8> {
        let mut value = serde_json::to_value(message).expect("JSON");
        let signature = hex(&floor.mac(&(self.canonicalize)(&value)));
        if let Some(object) = value.as_object_mut() {
            object.insert("signature".to_owned(), Value::String(signature));
        }
        (self.canonicalize)(&value)
    }
}

/// Admits a message with `jcs-admit` (which takes bytes) and compares the MAC.
#[must_use]
pub fn jcs_admit_canonical(message: &[u8]) -> Vec<u8> {
    jcs_admit::admit(message).expect("JSON")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! The verdict on a signature: nothing when it is right, and nothing more than that when it is wrong.

/// The signature is not one of this key over these bytes. It says no more on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
#[expect(clippy::exhaustive_structs, reason = "it says no more on purpose")]
pub struct VerificationFailed;

//! Keys, signatures, verification and the replay guard of `waxwing/1` (wire.md §4, §5).
//!
//! No I/O, no clock, no randomness: `now` is an argument, and so are nonces. What leaves this crate as
//! [`Verified`] or [`Admitted`] has passed the checks that its name says; neither can be made in any
//! other way.
//!
//! ```
//! use waxwing_core::{Limits, Scratch, message::Request};
//! use waxwing_crypto::{HmacKey, KeyRing, sign_request, verify_request};
//!
//! let key = || HmacKey::new(b"0123456789abcdef0123456789abcdef");
//! let request = Request {
//!     request_id: "r-1".parse()?,
//!     ts_ms: 1_790_000_000_000,
//!     client_id: "agent-7".parse()?,
//!     server_id: "sums.example".parse()?,
//!     key_id: "k1".parse()?,
//!     nonce: "0d7a1c5575c14a578f398a1a".parse()?,
//!     tool: "batch_sum".parse()?,
//!     args: serde_json::json!({"numbers": [1.5, 2]}),
//!     idempotency_key: None,
//!     tool_digest: None,
//!     traceparent: None,
//! };
//! let mut message = Vec::new();
//! let sent = sign_request(&key()?.into(), &request, &mut Scratch::new(), &mut message)?;
//!
//! let mut ring = KeyRing::new(HmacKey::new(b"any 32 bytes that are never used!")?.into());
//! ring.insert("agent-7".parse()?, "k1".parse()?, key()?.into());
//! let mut scratch = Scratch::new();
//! let verified = verify_request(
//!     &message, &Limits::default(), &"sums.example".parse()?, &ring, 1_790_000_000_100, &mut scratch,
//! )?;
//! assert_eq!(verified.tool.as_str(), "batch_sum");
//! assert_eq!(verified.signature().as_str(), sent.as_str());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod admission;
pub mod audit;
mod chain;
mod decoy;
mod ed25519;
mod hex;
mod hmac_key;
mod key;
mod record;
mod replay;
mod reply;
mod request;
mod ring;
mod signature_text;
mod sync;
mod verdict;
mod weak;
mod window;

pub use admission::{Admitted, Rejection, admit};
pub use chain::KeyChain;
pub use decoy::Decoy;
pub use ed25519::{Ed25519Key, Ed25519PublicKey, Ed25519SigningKey, InvalidPublicKey};
pub use hmac_key::HmacKey;
pub use key::Key;
pub use record::{KeyRecord, KeyState, NeverValid, Validity};
pub use replay::{Admission, Capacity, MemoryReplayGuard, NonceRecord, ReplayGuard};
pub use reply::{ReplyFault, SentRequest, VerifiedReply, sign_reply, verify_reply};
pub use request::{RequestFault, Verified, sign_request, verify_request};
pub use ring::KeyRing;
pub use verdict::VerificationFailed;
pub use weak::WeakKey;
pub use window::{Timeliness, Window};

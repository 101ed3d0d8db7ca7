//! Strict JSON, canonical bytes and the messages of `waxwing/1`.
//!
//! This crate does no I/O, reads no clock, draws no random number, and neither hashes nor signs. It
//! turns bytes into values that cannot be wrong and values into bytes that every peer writes alike:
//!
//! - [`canonical`]: RFC 8785 for whoever needs only that: [`canonical::to_vec`],
//!   [`canonical::check`], [`canonical::canonicalize`];
//! - [`message`]: [`Request`](message::Request), [`Reply`](message::Reply) and
//!   [`Refusal`](message::Refusal);
//! - the identifiers, [`ErrorCode`] with its one map to the wire, and [`Limits`].

mod alphabet;
mod call_error;
pub mod canonical;
mod code;
mod ids;
mod json;
mod limits;
pub mod message;

pub use call_error::CallError;
pub use canonical::{CanonicalJson, JsonError, WriteError};
pub use code::ErrorCode;
pub use ids::{
    ClientId, IdempotencyKey, InvalidId, JobId, KeyId, Nonce, RequestId, ServerId, Signature,
    ToolDigest, ToolName, TraceParent,
};
pub use json::Scratch;
pub use limits::Limits;

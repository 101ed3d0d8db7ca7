//! The replay guard: what asks whether a message was seen before, and what it may answer (wire.md §5).

mod forgotten;
mod memory;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use waxwing_core::{ClientId, KeyId, Nonce};

pub use memory::MemoryReplayGuard;

/// Remembers nonces for one server, in memory or anywhere else (wire.md §5).
///
/// Check and insert are one operation: of any number of calls with one nonce, at once or one after
/// the other, at most one is ever told [`Admission::Fresh`]. A guard that does not know says anything
/// else. A call that is dropped half way may have spent its nonce or not.
#[async_trait]
pub trait ReplayGuard: std::fmt::Debug + Send + Sync {
    /// Spends the nonce of a message that has been verified and lies in the clock window. `now_ms`
    /// is the server's clock, in milliseconds since the Unix epoch; it may go either way.
    async fn admit(&self, record: &NonceRecord<'_>, now_ms: i64) -> Admission;
}

/// One use of a nonce. The server's own id needs no place in it: a guard serves one server.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the scope of wire.md §5")]
pub struct NonceRecord<'a> {
    /// Whose nonce.
    pub client_id: &'a ClientId<'a>,
    /// Under which key.
    pub key_id: &'a KeyId<'a>,
    /// The nonce.
    pub nonce: &'a Nonce<'a>,
    /// The message's own time.
    pub ts_ms: i64,
}

/// Whether a message may be dispatched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Admission {
    /// Never seen; from now on it has been.
    Fresh,
    /// Seen before.
    Replayed,
    /// There is no room to remember it, so it must not be dispatched.
    Full,
    /// From a time of which the guard might have forgotten something.
    Forgotten,
    /// Where nonces are kept cannot be reached; whether this one was spent is unknown.
    Unavailable,
}

/// How many nonces a guard remembers at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the two bounds of wire.md §5")]
pub struct Capacity {
    /// In all; 1,000,000 by default.
    pub total: usize,
    /// Under one key; 250,000 by default, so that one client cannot fill the guard.
    pub per_key: usize,
}

impl Default for Capacity {
    fn default() -> Self {
        Self { total: 1_000_000, per_key: 250_000 }
    }
}

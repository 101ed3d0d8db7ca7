//! Steps 7 and 8 of wire.md §5: the clock window, then the nonce. Only what passes is dispatched.

use std::ops::Deref;

use waxwing_core::{CallError, CanonicalJson, ErrorCode};

use crate::replay::{Admission, NonceRecord, ReplayGuard};
use crate::request::Verified;
use crate::window::{Timeliness, Window};

/// What a peer is told to wait when the guard cannot be reached, in milliseconds.
const RETRY_AFTER_MS: u64 = 1_000;

/// A verified request that is timely and was never seen before: the only thing that is dispatched.
#[derive(Debug)]
pub struct Admitted<'v, 'a> {
    verified: &'v Verified<'a>,
}

impl<'a> Deref for Admitted<'_, 'a> {
    type Target = Verified<'a>;

    fn deref(&self) -> &Verified<'a> {
        self.verified
    }
}

/// Why a verified request is not dispatched; answered by a signed error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// Outside the clock window, or older than the guard's memory.
    #[error("the request's time is outside the window; the server's clock says {server_ts_ms} ms")]
    Stale {
        /// The server's clock, so that the peer can mend its offset.
        server_ts_ms: i64,
    },
    /// The nonce was seen before.
    #[error("this nonce was used before; send a new message with a new nonce and time")]
    Replayed,
    /// The guard has no room.
    #[error("too many calls within the clock window; nothing was done, try again later")]
    Overloaded {
        /// Milliseconds after which there may be room.
        retry_after_ms: u64,
    },
    /// The guard cannot reach where it keeps nonces.
    #[error(
        "whether this message was seen before cannot be told now; nothing was done, try again later"
    )]
    Unavailable {
        /// Milliseconds after which it may be told.
        retry_after_ms: u64,
    },
}

impl Rejection {
    /// What the peer is told, in a signed reply.
    #[must_use]
    pub fn to_call_error(&self) -> CallError {
        match self {
            Self::Stale { server_ts_ms } => {
                let error = CallError::new(ErrorCode::Stale, self.to_string());
                let details = serde_json::json!({"server_ts_ms": server_ts_ms});
                match CanonicalJson::from_serialize(&details) {
                    Ok(details) => error.with_details(details),
                    Err(_) => error,
                }
            }
            Self::Replayed => CallError::new(ErrorCode::Replayed, self.to_string()),
            Self::Overloaded { retry_after_ms } | Self::Unavailable { retry_after_ms } => {
                CallError::new(ErrorCode::Overloaded, self.to_string())
                    .with_retry_after_ms(*retry_after_ms)
            }
        }
    }
}

/// Judges the time of a verified request and spends its nonce.
///
/// # Errors
/// [`Rejection`]. The nonce is spent only by what is admitted; after [`Rejection::Unavailable`] it may
/// have been spent all the same, so that a retry needs a new one.
pub async fn admit<'v, 'a>(
    verified: &'v Verified<'a>,
    guard: &dyn ReplayGuard,
    window: &Window,
    now_ms: i64,
) -> Result<Admitted<'v, 'a>, Rejection> {
    let stale = Rejection::Stale { server_ts_ms: now_ms };
    if window.judge(verified.ts_ms, now_ms) != Timeliness::InWindow {
        return Err(stale);
    }
    let record = NonceRecord {
        client_id: &verified.client_id,
        key_id: &verified.key_id,
        nonce: &verified.nonce,
        ts_ms: verified.ts_ms,
    };
    match guard.admit(&record, now_ms).await {
        Admission::Fresh => Ok(Admitted { verified }),
        Admission::Replayed => Err(Rejection::Replayed),
        Admission::Full => {
            // Room comes back when a generation passes, within the window's length at the latest.
            Err(Rejection::Overloaded { retry_after_ms: window.span_ms().unsigned_abs() / 4 })
        }
        Admission::Forgotten => Err(stale),
        Admission::Unavailable => Err(Rejection::Unavailable { retry_after_ms: RETRY_AFTER_MS }),
    }
}

//! The one seam to the world: the clock and the randomness of a server. Nothing else in this crate
//! reads either.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use uuid::Uuid;

/// Where a server's time and its unique ids come from.
pub trait Environment: fmt::Debug + Send + Sync + 'static {
    /// Milliseconds since the Unix epoch.
    fn now_ms(&self) -> i64;

    /// Bytes that nobody can guess, at least 96 bits of them random, and that never come twice.
    fn random(&self) -> [u8; 16];
}

/// The system's clock and randomness.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has nothing to configure")]
pub struct SystemEnvironment;

#[expect(clippy::disallowed_methods, reason = "the one place that reads clock and randomness")]
impl Environment for SystemEnvironment {
    fn now_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    fn random(&self) -> [u8; 16] {
        Uuid::new_v4().into_bytes()
    }
}

/// A fresh id: 32 hex digits, which fit every alphabet of wire.md §2.
pub(crate) fn fresh_id(environment: &dyn Environment) -> String {
    Uuid::from_bytes(environment.random()).simple().to_string()
}

//! The one seam to the world: the clock and the randomness of a server. Nothing else in this crate
//! reads either.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use uuid::{Builder, Uuid};

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

/// A fresh id of a job: a UUID of version 7 (RFC 9562 §5.7), so that jobs of one time lie together in
/// a store's index. 74 of its bits are random.
pub(crate) fn fresh_job_id(environment: &dyn Environment) -> String {
    let millis = u64::try_from(environment.now_ms()).unwrap_or_default();
    // Those six and four of sixteen bytes that are random in full.
    let [a, b, c, d, e, f, .., g, h, i, j] = environment.random();
    let id = Builder::from_unix_timestamp_millis(millis, &[a, b, c, d, e, f, g, h, i, j]);
    id.into_uuid().simple().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_jobs_are_in_the_order_of_their_times_and_cannot_be_guessed() {
        #[derive(Debug)]
        struct At(i64);
        impl Environment for At {
            fn now_ms(&self) -> i64 {
                self.0
            }
            fn random(&self) -> [u8; 16] {
                SystemEnvironment.random()
            }
        }
        let ids: Vec<_> = (0..300).map(|n| fresh_job_id(&At(1_790_000_000_000 + n))).collect();
        assert!(ids.is_sorted());
        let random = |id: &String| (id[13..16].to_owned(), id[17..].to_owned());
        let distinct: std::collections::BTreeSet<_> = ids.iter().map(random).collect();
        assert_eq!(distinct.len(), ids.len());
        assert!(ids.iter().all(|id| id.len() == 32 && &id[12..13] == "7"), "{ids:?}");
    }
}

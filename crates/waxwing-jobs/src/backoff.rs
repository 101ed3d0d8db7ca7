//! How long a failed job waits before its next attempt: exponential, capped, with seeded jitter.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Exponential back-off: `base * 2^(failures - 1)`, at most `cap`, of which the upper half is
/// random so that jobs that failed together do not come back together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a pair of bounds, complete as it is")]
pub struct Backoff {
    /// Delay after the first failure.
    pub base: Duration,
    /// The longest delay.
    pub cap: Duration,
}

impl Backoff {
    /// The delay after the attempt numbered `attempt` (from 1) has failed.
    #[must_use]
    pub fn delay(&self, attempt: u32, jitter: &Jitter) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        let whole = self.base.saturating_mul(1 << doublings).min(self.cap);
        let half = whole / 2;
        half + half.mul_f64(jitter.fraction())
    }
}

impl Default for Backoff {
    /// 1 s, doubling to at most 5 minutes.
    fn default() -> Self {
        Self { base: Duration::from_secs(1), cap: Duration::from_secs(300) }
    }
}

/// A seeded source of fractions (SplitMix64). It spreads load and is not fit for secrets.
#[derive(Debug)]
pub struct Jitter(AtomicU64);

impl Jitter {
    /// A source whose sequence `seed` alone decides.
    #[must_use]
    pub const fn seeded(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// The next fraction, at least 0 and below 1.
    #[must_use]
    pub fn fraction(&self) -> f64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_cap_and_keep_their_upper_half_random() {
        let backoff = Backoff { base: Duration::from_secs(1), cap: Duration::from_secs(60) };
        let jitter = Jitter::seeded(7);
        for (attempt, whole) in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (40, 60), (u32::MAX, 60)]
        {
            for _ in 0..100 {
                let delay = backoff.delay(attempt, &jitter);
                assert!(delay >= Duration::from_secs(whole) / 2, "{attempt}: {delay:?}");
                assert!(delay <= Duration::from_secs(whole), "{attempt}: {delay:?}");
            }
        }
    }

    #[test]
    fn one_seed_gives_one_sequence_and_its_values_differ() {
        let (a, b) = (Jitter::seeded(1), Jitter::seeded(1));
        let first: Vec<f64> = (0..20).map(|_| a.fraction()).collect();
        let second: Vec<f64> = (0..20).map(|_| b.fraction()).collect();
        assert_eq!(first, second);
        assert!(first.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(first.iter().all(|f| (0.0..1.0).contains(f)));
    }
}

//! Times of which nothing is known any more: a message dated in one of them is never fresh.
//!
//! It is a set of spans and not one mark, so that a clock that was days ahead for a minute closes that
//! minute, once it comes, and not the days until then.

/// Spans kept apart; beyond that the two nearest are taken as one.
const MOST: usize = 8;

/// Everything before a moment, and spans after it.
#[derive(Debug)]
pub(super) struct Forgotten {
    /// Every message dated before this.
    before_ms: i64,
    /// First and last moment of each, in order, apart, all of them after `before_ms`.
    spans: Vec<(i64, i64)>,
}

impl Forgotten {
    pub(super) const fn before(before_ms: i64) -> Self {
        Self { before_ms, spans: Vec::new() }
    }

    pub(super) fn covers(&self, ts_ms: i64) -> bool {
        ts_ms < self.before_ms
            || self.spans.iter().any(|(first, last)| (*first..=*last).contains(&ts_ms))
    }

    /// Takes in everything from `first` to `last`. What was covered stays so.
    pub(super) fn add(&mut self, first: i64, last: i64) {
        let at = self.spans.partition_point(|span| span.0 < first);
        self.spans.insert(at, (first, last));
        self.join(0);
        let mut gap = 1_u64;
        while self.spans.len() > MOST {
            self.join(gap);
            gap = gap.saturating_mul(2);
        }
    }

    /// Makes one of neighbours that lie no further apart than `gap` milliseconds.
    fn join(&mut self, gap: u64) {
        let mut apart: Vec<(i64, i64)> = Vec::with_capacity(self.spans.len());
        for &(first, last) in &self.spans {
            let end = apart.last().map_or(self.before_ms, |(_, last)| last.saturating_add(1));
            if first > end && first.abs_diff(end) > gap {
                apart.push((first, last));
            } else if let Some((_, latest)) = apart.last_mut() {
                *latest = last.max(*latest);
            } else {
                self.before_ms = self.before_ms.max(last.saturating_add(1));
            }
        }
        self.spans = apart;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, proptest};

    use super::*;

    const DAY: i64 = 86_400_000;

    #[test]
    fn a_day_ahead_is_closed_alone() {
        let mut forgotten = Forgotten::before(0);
        forgotten.add(0, 1_000);
        forgotten.add(DAY, DAY + 60_000);
        forgotten.add(900, 2_000);
        assert!(forgotten.spans == [(DAY, DAY + 60_000)]);
        for (ts, covered) in
            [(-1, true), (2_000, true), (2_001, false), (DAY, true), (DAY + 60_001, false)]
        {
            assert_eq!(forgotten.covers(ts), covered, "{ts}");
        }
    }

    #[test]
    fn what_is_furthest_apart_stays_apart() {
        let mut forgotten = Forgotten::before(0);
        forgotten.add(2 * DAY, 2 * DAY + 1);
        for hour in 1..40 {
            forgotten.add(hour * 3_600_000, hour * 3_600_000 + 5);
        }
        assert!(forgotten.covers(2 * DAY) && !forgotten.covers(2 * DAY - 1));
        assert!(forgotten.spans.len() <= MOST);
    }

    proptest! {
        #[test]
        fn nothing_that_was_taken_in_is_lost(
            spans in proptest::collection::vec((-DAY..DAY, 0_i64..600_000), 1..60),
            odd in proptest::collection::vec((i64::MIN..i64::MAX, 0_i64..i64::MAX), 0..4),
        ) {
            let mut forgotten = Forgotten::before(-1_000);
            let mut taken = Vec::new();
            for (first, length) in spans.into_iter().chain(odd) {
                let last = first.saturating_add(length).min(i64::MAX - 1);
                forgotten.add(first.min(last), last);
                taken.push((first.min(last), last));
                prop_assert!(forgotten.spans.len() <= MOST);
                for (first, last) in &taken {
                    let middle = first / 2 + last / 2;
                    prop_assert!(forgotten.covers(*first) && forgotten.covers(*last));
                    prop_assert!(forgotten.covers(middle.clamp(*first, *last)));
                }
            }
        }
    }
}

//! How many lines a second tell of messages that were rejected for their time or their nonce. Whoever has
//! recorded one true message can send it for ever, without a key: that must not fill a disk either.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The most such lines of one second; further ones are counted.
pub(super) const A_SECOND: u32 = 10;

/// What is left of this second's lines.
#[derive(Debug, Default)]
pub(super) struct Rejections(Mutex<Option<(Instant, u32)>>);

/// How a rejected message is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    InALine,
    InACount,
}

impl Rejections {
    pub(super) fn judge(&self, now: Instant) -> Told {
        let mut second = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let current = second
            .filter(|(began, _)| now.saturating_duration_since(*began) < Duration::from_secs(1));
        let (began, lines) = current.unwrap_or((now, 0));
        *second = Some((began, lines.saturating_add(1)));
        if lines < A_SECOND { Told::InALine } else { Told::InACount }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_has_its_lines() {
        let (rejections, began) = (Rejections::default(), Instant::now());
        for second in 0..3 {
            let now = began + Duration::from_secs(second);
            let told: Vec<_> = (0..30).map(|_| rejections.judge(now)).collect();
            let lines = told.iter().filter(|told| **told == Told::InALine).count();
            assert_eq!((lines, told[9], told[10]), (10, Told::InALine, Told::InACount));
        }
    }
}

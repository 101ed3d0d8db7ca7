//! The clock window: how old a message may be, and how far ahead of the receiver's clock (wire.md §5).

/// How far a message's `ts_ms` may lie from the receiver's clock. Both in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a window has two ends")]
pub struct Window {
    /// Into the past; 120 s by default.
    pub past_ms: u32,
    /// Into the future; 30 s by default.
    pub future_ms: u32,
}

impl Window {
    /// The defaults of wire.md §5.
    pub const DEFAULT: Self = Self { past_ms: 120_000, future_ms: 30_000 };

    /// Whether `ts_ms` lies in the window around `now_ms`.
    #[must_use]
    pub const fn judge(&self, ts_ms: i64, now_ms: i64) -> Timeliness {
        if ts_ms < now_ms.saturating_sub(self.past_ms as i64) {
            Timeliness::TooOld
        } else if ts_ms > now_ms.saturating_add(self.future_ms as i64) {
            Timeliness::TooNew
        } else {
            Timeliness::InWindow
        }
    }

    /// How long a nonce must be remembered after its `ts_ms`, in milliseconds.
    #[must_use]
    pub const fn span_ms(&self) -> i64 {
        self.past_ms as i64 + self.future_ms as i64
    }
}

impl Default for Window {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Where a time lies with respect to a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "in front, inside, behind")]
pub enum Timeliness {
    /// Inside.
    InWindow,
    /// In front of it.
    TooOld,
    /// Behind it.
    TooNew,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_belong_to_the_window() {
        let judge = |ts| Window::DEFAULT.judge(ts, 1_000_000);
        assert_eq!(judge(880_000), Timeliness::InWindow);
        assert_eq!(judge(879_999), Timeliness::TooOld);
        assert_eq!(judge(1_030_000), Timeliness::InWindow);
        assert_eq!(judge(1_030_001), Timeliness::TooNew);
        assert_eq!(Window::DEFAULT.judge(i64::MIN, i64::MAX), Timeliness::TooOld);
        assert_eq!(Window::DEFAULT.judge(i64::MAX, i64::MIN), Timeliness::TooNew);
    }
}

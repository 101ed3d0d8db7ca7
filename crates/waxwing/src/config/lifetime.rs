//! When a key may be used and for what, as key files spell it: `state`, `not_before`, `not_after`.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use waxwing_crypto::{KeyState, NeverValid, Validity};

/// A moment: a date and time of TOML, in UTC, such as `2026-12-01T00:00:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(i64);

/// The last moment that has a date of four digits for its year.
const LAST_MS: i64 = 253_402_300_799_999;

impl Moment {
    /// Now.
    pub(crate) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::of_ms(i64::try_from(since.as_millis()).unwrap_or(LAST_MS))
    }

    /// Of milliseconds since the Unix epoch; what lies outside of the years 1970 to 9999 is moved to
    /// their nearest end.
    pub(crate) fn of_ms(ms: i64) -> Self {
        Self(ms.clamp(0, LAST_MS))
    }

    /// Milliseconds since the Unix epoch.
    pub(crate) const fn ms(self) -> i64 {
        self.0
    }

    /// So much later, at the next full second.
    pub(crate) fn after(self, time: Duration) -> Self {
        let later = self.0.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
        Self::of_ms(later.min(LAST_MS - 999).saturating_add(999) / 1000 * 1000)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = UNIX_EPOCH + Duration::from_millis(self.0.unsigned_abs());
        if self.0 % 1000 == 0 {
            humantime::format_rfc3339_seconds(time).fmt(f)
        } else {
            humantime::format_rfc3339_millis(time).fmt(f)
        }
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = toml::value::Datetime::deserialize(deserializer)?.to_string();
        let time = humantime::parse_rfc3339(&text).map_err(|_| {
            D::Error::custom("a moment is a date and time in UTC, such as 2026-12-01T00:00:00Z")
        })?;
        let since = time.duration_since(UNIX_EPOCH).map_err(D::Error::custom)?;
        Ok(Self::of_ms(i64::try_from(since.as_millis()).unwrap_or(LAST_MS)))
    }
}

/// Reads a `state`.
pub(super) fn state<'de, D: Deserializer<'de>>(deserializer: D) -> Result<KeyState, D::Error> {
    let text = String::deserialize(deserializer)?;
    let state = KeyState::ALL.into_iter().find(|state| state.as_str() == text);
    state.ok_or_else(|| D::Error::custom("state must be active, retiring or revoked"))
}

/// The time between two moments, either of which may be missing.
pub(super) fn validity(
    not_before: Option<Moment>,
    not_after: Option<Moment>,
) -> Result<Validity, NeverValid> {
    Validity::new(not_before.map(Moment::ms), not_after.map(Moment::ms))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Sample {
        at: Moment,
    }

    fn read(text: &str) -> Result<Moment, String> {
        let sample: Result<Sample, _> = toml::from_str(&format!("at = {text}"));
        sample.map(|sample| sample.at).map_err(|error| error.message().to_owned())
    }

    proptest! {
        #[test]
        fn every_moment_reads_back(ms in 0..=LAST_MS) {
            for ms in [ms, ms / 1000 * 1000] {
                let moment = Moment::of_ms(ms);
                prop_assert_eq!(read(&moment.to_string()), Ok(moment));
            }
        }
    }

    #[test]
    fn moments_are_in_utc() {
        assert_eq!(read("2026-12-01T00:00:00Z"), Ok(Moment(1_796_083_200_000)));
        assert_eq!(Moment(1_796_083_200_000).to_string(), "2026-12-01T00:00:00Z");
        for text in ["2026-12-01", "2026-12-01T00:00:00", "2026-12-01T00:00:00+01:00", "00:00:00"] {
            assert!(read(text).unwrap_err().contains("in UTC"), "{text}");
        }
        assert!(read("1796083200000").is_err());
    }

    #[test]
    fn later_is_a_full_second() {
        let after = |ms, later| Moment(ms).after(Duration::from_millis(later)).ms();
        assert_eq!(
            [after(1, 0), after(1000, 0), after(1000, 1), after(999, 1)],
            [1000, 1000, 2000, 1000]
        );
        assert_eq!(Moment::now().after(Duration::MAX).to_string(), "9999-12-31T23:59:59Z");
    }
}

//! Lengths of time as people write and read them: `90s`, `15m`, `1h`, `2d`.

use std::str::FromStr;
use std::time::Duration;

/// The units, largest first.
const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// A length of time that a person gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Age(pub(crate) Duration);

impl FromStr for Age {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is no length of time: give a number and a unit, such as 90s, 15m, 1h or 2d"
            )
        };
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let number: u64 = number.parse().map_err(|_| wrong())?;
        Ok(Self(Duration::from_millis(number.checked_mul(*millis).ok_or_else(wrong)?)))
    }
}

/// In its largest unit and the next one: `2h 5m`.
pub(crate) fn spoken(time: Duration) -> String {
    let mut left = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let mut parts = Vec::new();
    for (place, (name, millis)) in UNITS.iter().enumerate() {
        let whole = left / millis;
        left %= millis;
        // Nobody asks for the milliseconds of what took seconds.
        let is_fine = place == UNITS.len() - 1 && !parts.is_empty();
        if whole > 0 && !is_fine {
            parts.push(format!("{whole}{name}"));
        } else if !parts.is_empty() {
            break;
        }
        if parts.len() == 2 {
            break;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read() {
        for (text, millis) in [
            ("0s", 0),
            ("5ms", 5),
            ("90s", 90_000),
            ("15m", 900_000),
            ("1h", 3_600_000),
            ("2d", 172_800_000),
        ] {
            assert_eq!(text.parse(), Ok(Age(Duration::from_millis(millis))), "{text}");
        }
        for text in [
            "",
            "1",
            "h",
            "1 h",
            "-1h",
            "1.5h",
            "1w",
            "99999999999999999999s",
            "99999999999999999d",
        ] {
            let error = text.parse::<Age>().unwrap_err();
            assert!(error.contains("such as 90s"), "{error}");
        }
    }

    #[test]
    fn lengths_are_told_in_two_units_at_most() {
        for (millis, text) in [
            (0, "0s"),
            (7, "7ms"),
            (1_007, "1s"),
            (61_000, "1m 1s"),
            (3_600_000, "1h"),
            (3_605_000, "1h"),
            (90_061_000, "1d 1h"),
        ] {
            assert_eq!(spoken(Duration::from_millis(millis)), text);
        }
    }
}

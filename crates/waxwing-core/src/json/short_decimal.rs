//! Writes doubles that have few decimals, as most in messages do, without a general conversion.
//!
//! When `n / 10^6`, correctly rounded, is the double, and `n` has at most 15 digits, then that decimal is
//! its shortest spelling: no two decimals of so few digits are read as the same double.

/// Six digits behind the point.
const SCALE: f64 = 1e6;

/// Below this, `n` has at most 14 digits and its part in front of the point at most 8.
const LIMIT: f64 = 1e8;

/// Room for a sign, eight digits, a point and eight more.
const ROOM: usize = 20;

/// The spelling of `value` in the front of an array, and its length; `None` when it needs more digits.
#[inline]
pub(super) fn spell(value: f64) -> Option<([u8; ROOM], usize)> {
    let size = value.abs();
    if size >= LIMIT {
        return None;
    }
    // Signed, because that is what the processor converts in one step.
    let scaled = (size * SCALE + 0.5) as i64;
    if scaled as f64 / SCALE != size {
        return None;
    }
    let scaled = scaled.cast_unsigned();
    let whole = eight_digits((scaled / 1_000_000) as u32);
    let fraction = eight_digits((scaled % 1_000_000) as u32 * 100);
    let leading = (whole.trailing_zeros() / 8).min(7);
    let whole_length = 8 - leading as usize;
    let fraction_length = 8 - (fraction.leading_zeros() / 8) as usize;
    let start = usize::from(value < 0.0);
    let point = start + whole_length;
    let mut text = [b'-'; ROOM];
    put(&mut text, start, (whole | ZEROS) >> (8 * leading));
    if fraction_length == 0 {
        return Some((text, point));
    }
    put(&mut text, point + 1, fraction | ZEROS);
    if let Some(place) = text.get_mut(point) {
        *place = b'.';
    }
    Some((text, point + 1 + fraction_length))
}

/// Eight times the digit zero.
const ZEROS: u64 = 0x3030_3030_3030_3030;

/// The eight decimal digits of `number`, a byte each, the first one lowest: halves, quarters, ones.
#[inline]
fn eight_digits(number: u32) -> u64 {
    let halves = u64::from(number / 10_000) | u64::from(number % 10_000) << 32;
    let hundreds = (halves * 10_486 >> 20) & 0x0000_007f_0000_007f;
    let quarters = hundreds | (halves - 100 * hundreds) << 16;
    let tens = (quarters * 103 >> 10) & 0x000f_000f_000f_000f;
    tens | (quarters - 10 * tens) << 8
}

#[inline]
fn put(text: &mut [u8; ROOM], at: usize, eight: u64) {
    if let Some(place) = text.get_mut(at..at + 8) {
        place.copy_from_slice(&eight.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};

    use super::super::number::Spelling;
    use super::{eight_digits, spell};

    fn agrees(value: f64) {
        if let Some((text, length)) = spell(value) {
            let expected = Spelling::new().of(value).to_vec();
            assert_eq!(String::from_utf8_lossy(&text[..length]), String::from_utf8_lossy(&expected));
        }
    }

    #[test]
    fn short_decimals_are_spelled() {
        for (value, text) in [
            (0.0, "0"), (-0.0, "0"), (7.0, "7"), (-12.5, "-12.5"), (0.000001, "0.000001"),
            (99_999_999.999_999, "99999999.999999"), (10.01, "10.01"), (100.0, "100"), (-0.25, "-0.25"),
        ] {
            let (digits, length) = spell(value).unwrap();
            assert_eq!(std::str::from_utf8(&digits[..length]).unwrap(), text);
        }
        for value in [0.1 + 0.2, 1e8, 1e-7, f64::MAX, 0.000_000_5, 1.0 / 3.0] {
            assert!(spell(value).is_none(), "{value}");
        }
    }

    #[test]
    fn all_numbers_of_four_digits_are_split() {
        for number in 0..10_000_u32 {
            for shifted in [number, number * 10_000] {
                let text: String =
                    eight_digits(shifted).to_le_bytes().map(|d| char::from(d + b'0')).iter().collect();
                assert_eq!(text, format!("{shifted:08}"));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn the_spelling_is_the_general_one(n in any::<i64>(), digits in 0_i32..9, bits in any::<u64>()) {
            agrees((n % 10_000_000_000) as f64 / 10_f64.powi(digits));
            agrees((n % 100_000) as f64 / 10_f64.powi(digits));
            let any = f64::from_bits(bits);
            if any.is_finite() {
                agrees(any);
            }
            prop_assert_eq!(spell(f64::INFINITY).is_none(), true);
        }
    }
}

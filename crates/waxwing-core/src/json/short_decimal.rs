//! Writes doubles that have few decimals, as most in messages do, without a general conversion.
//!
//! When `n / 10^6`, correctly rounded, is the double, and `n` has at most 15 digits, then that decimal is
//! its shortest spelling: no two decimals of so few digits are read as the same double.

/// Six digits behind the point.
const SCALE: f64 = 1e6;

/// Below this, `n` has at most 14 digits and its part in front of the point at most 8.
const LIMIT: f64 = 1e8;

/// The spelling of `value` in the front of an array, and its length; `None` when it needs more digits.
///
/// A sign, eight digits, a point and six digits are sixteen bytes: the text is put together as one number
/// and never goes through memory in pieces.
#[inline]
pub(super) fn spell(value: f64) -> Option<([u8; 16], usize)> {
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
    let fraction = six_digits((scaled % 1_000_000) as u32);
    // The last digit of the whole part always stands, even when it is zero.
    let leading = (whole ^ ZEROS | 1 << 63).trailing_zeros() / 8;
    let fraction_length = (u64::BITS - (fraction ^ ZEROS >> 16).leading_zeros()).div_ceil(8);
    let behind = fraction << 8 | u64::from(b'.');
    let text = u128::from(whole >> (8 * leading)) | u128::from(behind) << (64 - 8 * leading);
    let point = u32::from(fraction_length > 0);
    let length = (8 - leading + point + fraction_length) as usize;
    Some(if value < 0.0 {
        ((text << 8 | u128::from(b'-')).to_le_bytes(), length + 1)
    } else {
        (text.to_le_bytes(), length)
    })
}

/// Eight times the digit zero.
const ZEROS: u64 = 0x3030_3030_3030_3030;

/// The digits of `00` to `99`, the first one lower; 128 places, so that seven bits need no check.
static PAIRS: [u16; 128] = {
    let mut pairs = [0; 128];
    let mut i = 0;
    while i < 100 {
        pairs[i] = u16::from_le_bytes([b'0' + (i / 10) as u8, b'0' + (i % 10) as u8]);
        i += 1;
    }
    pairs
};

#[inline]
fn pair(number: u32) -> u64 {
    u64::from(PAIRS[number as usize & 127])
}

#[inline]
fn four_digits(number: u32) -> u64 {
    pair(number / 100) | pair(number % 100) << 16
}

#[inline]
fn six_digits(number: u32) -> u64 {
    pair(number / 10_000) | four_digits(number % 10_000) << 16
}

/// The eight decimal digits of `number`, a byte each, the first one lowest.
#[inline]
fn eight_digits(number: u32) -> u64 {
    if number < 10_000 {
        ZEROS >> 32 | four_digits(number) << 32
    } else {
        four_digits(number / 10_000) | four_digits(number % 10_000) << 32
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
            assert_eq!(
                String::from_utf8_lossy(&text[..length]),
                String::from_utf8_lossy(&expected)
            );
        }
    }

    #[test]
    fn short_decimals_are_spelled() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (7.0, "7"),
            (-12.5, "-12.5"),
            (0.000001, "0.000001"),
            (99_999_999.999_999, "99999999.999999"),
            (10.01, "10.01"),
            (100.0, "100"),
            (-0.25, "-0.25"),
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
                    eight_digits(shifted).to_le_bytes().map(char::from).iter().collect();
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

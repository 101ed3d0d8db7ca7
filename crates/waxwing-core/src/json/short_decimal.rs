//! Writes doubles that have few decimals, as most in messages do, without a general conversion.
//!
//! When `n / 10^6`, correctly rounded, is the double, and `n` has at most 15 digits, then that decimal is
//! its shortest spelling: no two decimals of so few digits are read as the same double.

/// Six digits behind the point.
const SCALE: f64 = 1e6;

/// Below this, `n` has at most 14 digits and its part in front of the point at most 8.
const LIMIT: f64 = 1e8;

/// 2^52. What is added to it is rounded to an integer, which then stands in the lowest bits.
const INTEGERS: f64 = 4_503_599_627_370_496.0;

/// The most bytes that [`spell`] writes: a comma, a sign, eight digits, and eight bytes from the point.
pub(super) const ROOM: usize = 18;

/// Writes the spelling of `value` to the front of `room`, behind a comma if there is to be one, and gives
/// its length; `None` when it needs more digits.
///
/// Both parts are written as eight bytes whatever their length, the second one over the end of the first.
#[inline]
pub(super) fn spell(value: f64, comma: bool, room: &mut [u8; ROOM]) -> Option<usize> {
    let size = value.abs();
    if size >= LIMIT {
        return None;
    }
    let shifted = size * SCALE + INTEGERS;
    if (shifted - INTEGERS) / SCALE != size {
        return None;
    }
    let scaled = shifted.to_bits() - INTEGERS.to_bits();
    let whole = eight_digits((scaled / 1_000_000) as u32);
    let fraction = six_digits((scaled % 1_000_000) as u32);
    // The last digit of the whole part always stands, even when it is zero.
    let leading = (whole ^ ZEROS | 1 << 63).trailing_zeros() / 8;
    let behind = fraction << 8 | u64::from(b'.');
    let fraction_length = (u64::BITS - (fraction ^ ZEROS >> 16).leading_zeros()).div_ceil(8);
    let point = usize::from(fraction_length > 0);

    let sign = usize::from(comma);
    let start = sign + usize::from(value < 0.0);
    let end = start + 8 - leading as usize;
    *room.first_mut()? = b',';
    *room.get_mut(sign)? = b'-';
    *room.get_mut(start..)?.first_chunk_mut()? = (whole >> (8 * leading)).to_le_bytes();
    *room.get_mut(end..)?.first_chunk_mut()? = behind.to_le_bytes();
    Some(end + point + fraction_length as usize)
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
    use super::{ROOM, eight_digits, spell};

    fn agrees(value: f64) {
        let mut room = [0; ROOM];
        if let Some(length) = spell(value, false, &mut room) {
            let expected = Spelling::new().of(value).to_vec();
            assert_eq!(
                String::from_utf8_lossy(&room[..length]),
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
            let mut room = [0; ROOM];
            let length = spell(value, false, &mut room).unwrap();
            assert_eq!(std::str::from_utf8(&room[..length]).unwrap(), text);
            let length = spell(value, true, &mut room).unwrap();
            assert_eq!(std::str::from_utf8(&room[..length]).unwrap(), format!(",{text}"));
        }
        for value in [0.1 + 0.2, 1e8, 1e-7, f64::MAX, 0.000_000_5, 1.0 / 3.0] {
            assert!(spell(value, true, &mut [0; ROOM]).is_none(), "{value}");
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
            prop_assert_eq!(spell(f64::INFINITY, false, &mut [0; ROOM]), None);
        }
    }
}

//! Proves a long decimal to be the shortest spelling of its double, by one multiplication of integers.
//!
//! For numbers of 16 and 17 digits in plain notation (`0.1234567890123456`) the obvious proof, to read
//! the double and write it again, costs more than all the rest of a message. This one is cheaper. With
//! `w` the digits as an integer and `f` how many stand behind the point, the decimal is `w * 10^-f`.
//! One product of `w`, shifted to fill 64 bits, and the first 64 bits of `10^-f` is that decimal as a
//! fixed-point number of 128 bits. Its first 53 bits are the mantissa of its double; what comes behind
//! them says how far the decimal lies from that double. The decimal is what ECMAScript writes when
//!
//! 1. it lies within half a distance of two doubles: it is read as this double;
//! 2. neither neighbour that ends in one zero more does so: no spelling is shorter;
//! 3. it lies within half a unit of its last digit of the double: no other of its length is nearer.
//!
//! The bits of `10^-f` that are left out blur the product by less than a thousandth of that distance.
//! What lies so near to a limit, powers of two (where the distance differs below and above) and whatever
//! else is rare are [`Verdict::Unsure`]: the caller then takes the obvious way.

use super::block::Block;

/// Whether a decimal is the canonical spelling of its double.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Shortest,
    NotShortest,
    Unsure,
}

/// The greatest number of digits behind the point: five zeros and 17 digits.
const MAX_FRACTION: usize = 22;

/// From here a decimal has 16 digits; one of fewer is always the shortest.
const SIXTEEN_DIGITS: u64 = 1_000_000_000_000_000;

/// The first 64 bits of `10^-f`, of which the first one is set.
const INVERSE_POWERS: [u64; MAX_FRACTION + 1] = {
    let mut inverses = [0; MAX_FRACTION + 1];
    let mut power = 1_u128;
    let mut f = 1;
    while f < inverses.len() {
        power *= 5;
        inverses[f] = ((1_u128 << (191 - power.leading_zeros())) / power) as u64;
        f += 1;
    }
    inverses
};

const POWERS_OF_TEN: [u64; 18] = {
    let mut powers = [1; 18];
    let mut i = 1;
    while i < powers.len() {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

/// A decimal in canonical notation, of at most 17 significant digits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimal {
    /// All its digits, without the point.
    digits: u64,
    /// How many of them stand behind the point.
    fraction: usize,
    /// The offset behind it.
    pub(super) end: usize,
}

impl Decimal {
    /// Reads the decimal whose first digit stands at `start`. `None` when there is none that can be
    /// judged: no point, an exponent, a zero too many, more digits, or no room for wide looks around it.
    #[inline]
    pub(super) fn read(bytes: &[u8], start: usize) -> Option<Self> {
        let (front, point) = whole_part(bytes, start)?;
        let (blocks, _) = bytes.get(point + 1..)?.first_chunk::<32>()?.as_chunks::<16>();
        let [near, far] = blocks else { return None };
        let (near, far) = (Block::load(near), Block::load(far));
        let fraction = (near.digits() | far.digits() << 16).trailing_ones() as usize;
        let zeros = near.equal(b'0') | far.equal(b'0') << 16;
        let leading = if front == 0 { zeros.trailing_ones() as usize } else { 0 };
        let end = point + 1 + fraction;
        let last_is_zero = zeros >> (fraction.checked_sub(1)? & 31) & 1 == 1;
        // Below 0.000001 there is an exponent.
        if last_is_zero
            || leading > 5
            || fraction + point - start > 18 + leading
            || matches!(bytes.get(end), Some(b'e' | b'E'))
        {
            return None;
        }
        let behind = last_digits(bytes, end, fraction)?;
        let digits =
            if front == 0 { behind } else { front * POWERS_OF_TEN.get(fraction)? + behind };
        Some(Self { digits, fraction, end })
    }

    #[inline]
    pub(super) fn judge(&self) -> Verdict {
        if self.digits < SIXTEEN_DIGITS {
            return Verdict::Shortest;
        }
        match INVERSE_POWERS.get(self.fraction) {
            Some(inverse) => judge_digits(self.digits, *inverse),
            None => Verdict::Unsure,
        }
    }
}

/// The digits from `start` to the point as a number, and the offset of the point.
#[inline]
fn whole_part(bytes: &[u8], start: usize) -> Option<(u64, usize)> {
    let (mut front, mut at) = (0_u64, start);
    while let Some(digit @ b'0'..=b'9') = bytes.get(at) {
        // Wrong only for more digits than are judged.
        front = front.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
        at += 1;
    }
    let padded = bytes.get(start) == Some(&b'0') && at != start + 1;
    (bytes.get(at) == Some(&b'.') && at > start && !padded).then_some((front, at))
}

/// The value of the last `count` digits in front of `end`. All but the last 17 are zeros.
#[inline]
fn last_digits(bytes: &[u8], end: usize, count: usize) -> Option<u64> {
    let [first, sixteen @ ..] = bytes.get(end.checked_sub(17)?..end)?.first_chunk::<17>()?;
    let ([second, third], _) = sixteen.as_chunks::<8>() else { return None };
    // No branch: whether there are 17 digits is anybody's guess.
    let first = u64::from(first & 0x0f) & u64::from(count > 16).wrapping_neg();
    let second = last_of_eight(*second, count.saturating_sub(8));
    let third = last_of_eight(*third, count);
    Some(first * 10_000_000_000_000_000 + second * 100_000_000 + third)
}

/// The value of the last `count` of eight digits: pairs, then all four of them at once.
#[inline]
fn last_of_eight(digits: [u8; 8], count: usize) -> u64 {
    let others = u64::MAX.checked_shr(8 * count as u32).unwrap_or(0);
    let ones = u64::from_le_bytes(digits) & 0x0f0f_0f0f_0f0f_0f0f & !others;
    let pairs = ones * 10 + (ones >> 8);
    let first_and_third = (pairs & 0x0000_00ff_0000_00ff).wrapping_mul(100 + (1_000_000 << 32));
    let others = (pairs >> 16 & 0x0000_00ff_0000_00ff).wrapping_mul(1 + (10_000 << 32));
    first_and_third.wrapping_add(others) >> 32
}

/// Judges `digits`, of which there are 16 or 17, times the power of ten that begins with `inverse`.
#[inline]
fn judge_digits(digits: u64, inverse: u64) -> Verdict {
    // The unit of all lengths below is 2^32 of the product's units.
    const BLUR: i64 = 1 << 32;
    const FRACTION: u64 = (1 << 52) - 1;
    let shift = digits.leading_zeros();
    let product = u128::from(digits << shift) * u128::from(inverse);
    let carry = (product >> 127) as u32;
    let mantissa = (product >> (74 + carry)) as u64;
    if (mantissa + 1) & FRACTION <= 1 {
        return Verdict::Unsure;
    }
    // The fraction of the distance, from minus a half to a half of it: the bits behind the mantissa, the
    // first of them as the sign. The product is too small by up to 2^64: half of that centres the error.
    let half = 1_i64 << (41 + carry);
    let beside = 22 - carry;
    let away = ((product >> 32) as u64 | 1 << 31).cast_signed() << beside >> beside;
    let unit = (inverse >> (32 - shift)).cast_signed();
    let last = (digits % 10).cast_signed();
    let shorter = (away - last * unit).abs().min((away + (10 - last) * unit).abs());
    let (away, near, far) = (away.abs(), half - BLUR, half + BLUR);
    if away > near || (shorter > near && shorter < far) || (2 * away - unit).abs() < 2 * BLUR {
        Verdict::Unsure
    } else if shorter <= near || 2 * away > unit {
        Verdict::NotShortest
    } else {
        Verdict::Shortest
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, any, prop_assert_ne, proptest};

    use super::super::number::Spelling;
    use super::{Decimal, Verdict};

    fn judged(text: &str) -> Verdict {
        // What stands in front and behind is no matter.
        let (front, behind) = ("{\"args\":{\"numbers\":[", ",7".repeat(20));
        let (bytes, start) = (format!("{front}{text}{behind}"), front.len());
        match Decimal::read(bytes.as_bytes(), start) {
            Some(decimal) => {
                assert_eq!(decimal.end, start + text.len());
                decimal.judge()
            }
            None => Verdict::Unsure,
        }
    }

    fn is_shortest(text: &str) -> bool {
        Spelling::new().of(text.parse().unwrap()) == text.as_bytes()
    }

    /// Sure verdicts are right.
    fn agrees(text: &str) {
        let wrong = if is_shortest(text) { Verdict::NotShortest } else { Verdict::Shortest };
        assert_ne!(judged(text), wrong, "{text}");
    }

    #[test]
    fn known_spellings_are_judged() {
        for text in
            ["0.1234567890123456", "0.30000000000000004", "123456789.12345678", "0.00000125"]
        {
            assert_eq!(judged(text), Verdict::Shortest, "{text}");
        }
        for text in ["5.", "-.5", "00.5", "0.50", "0.0000001", "1.5e+30", "1"] {
            assert_eq!(judged(text), Verdict::Unsure, "{text}");
        }
        for text in [
            "0.30000000000000003",
            "0.10000000000000001",
            "5.0000000000000001",
            "0.90000000000000001",
        ] {
            assert_eq!(judged(text), Verdict::NotShortest, "{text}");
        }
        assert_eq!(judged("0.123456789012345678"), Verdict::Unsure);
    }

    #[test]
    fn most_doubles_are_judged_surely() {
        let values =
            (1..10_000_u32).map(|n| f64::from(n).sqrt() % 1.0 * 10_f64.powi(n as i32 % 7 - 3));
        let unsure = values
            .map(|value| String::from_utf8(Spelling::new().of(value).to_vec()).unwrap())
            .filter(|text| text.contains('.') && judged(text) == Verdict::Unsure)
            .count();
        assert!(unsure < 100, "{unsure} of 9,999");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        /// Spellings of doubles, and those spellings with another last digit.
        #[test]
        fn sure_verdicts_on_doubles_are_right(bits in any::<u64>(), exponent in 1003_u64..1075, last in 1_u8..10) {
            let value = f64::from_bits((bits & ((1 << 52) - 1)) | exponent << 52);
            let text = String::from_utf8(Spelling::new().of(value).to_vec()).unwrap();
            if text.contains('.') && !text.contains('e') {
                agrees(&text);
                prop_assert_ne!(judged(&text), Verdict::NotShortest);
                agrees(&format!("{text}{last}"));
                agrees(&format!("{}{last}", &text[..text.len() - 1]));
            }
        }

        /// Any digits at all.
        #[test]
        fn sure_verdicts_on_digits_are_right(whole in "0|[1-9][0-9]{0,16}", fraction in "[0-9]{0,21}[1-9]") {
            agrees(&format!("{whole}.{fraction}"));
        }
    }
}

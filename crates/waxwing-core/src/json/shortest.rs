//! Proves a long decimal to be the shortest spelling of its double, by integers alone.
//!
//! For numbers of 16 and 17 digits in plain notation (`0.1234567890123456`) the obvious proof, to read
//! the double and write it again, costs more than all the rest of a message. This one is exact and
//! cheaper. With `w` the digits as an integer and `f` how many stand behind the point, the decimal is
//! `w / 10^f`; its double is `m * 2^e`. Scaled by `10^f` and a power of two both are integers of less
//! than 128 bits:
//!
//! ```text
//! decimal = w << t        value = (m * 5^f) << u        half the distance to the next double = 5^f << u
//! ```
//!
//! (all of them doubled, so that the half is an integer too). The decimal is what ECMAScript writes when
//!
//! 1. it lies within half a distance of the value: it is read as this double;
//! 2. neither neighbour that ends in one zero more does so: no spelling is shorter;
//! 3. it lies within half a unit of its last digit of the value: no other of its length is nearer.
//!
//! Ties, powers of two (where the distance differs below and above) and whatever else is rare are
//! [`Verdict::Unsure`]: the caller then takes the obvious way.

/// Whether a decimal is the canonical spelling of its double.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Shortest,
    NotShortest,
    Unsure,
}

/// The greatest number of digits behind the point: up to here, 10^f is a double.
const MAX_FRACTION: usize = 22;

/// The most digits that fit: 10^17 < 2^57.
const MAX_DIGITS: usize = 17;

const POWERS_OF_FIVE: [u64; MAX_FRACTION + 1] = {
    let mut powers = [1; MAX_FRACTION + 1];
    let mut i = 1;
    while i < powers.len() {
        powers[i] = powers[i - 1] * 5;
        i += 1;
    }
    powers
};

const POWERS_OF_TEN: [f64; MAX_FRACTION + 1] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// Judges the decimal with these digits in front of the point and behind it. The last digit behind the
/// point must not be zero.
pub(super) fn judge(whole: &[u8], fraction: &[u8]) -> Verdict {
    let significant = match whole {
        [b'0'] => fraction.len() - fraction.iter().take_while(|b| **b == b'0').count(),
        _ => whole.len() + fraction.len(),
    };
    let (Some(five), Some(ten)) =
        (POWERS_OF_FIVE.get(fraction.len()), POWERS_OF_TEN.get(fraction.len()))
    else {
        return Verdict::Unsure;
    };
    if significant > MAX_DIGITS || fraction.is_empty() {
        return Verdict::Unsure;
    }
    let digits = append_digits(append_digits(0, whole), fraction);
    // Two roundings: at most one double away from the right one.
    let near = digits as f64 / ten;
    judge_near(digits, fraction.len() as i32, *five, near)
}

fn judge_near(digits: u64, fraction: i32, five: u64, near: f64) -> Verdict {
    const MANTISSA: u64 = (1 << 52) - 1;
    let bits = near.to_bits();
    let exponent = (bits >> 52) as i32 - 1075;
    let shift = exponent + fraction;
    let (up_decimal, up_value) = if shift < 0 { (-shift, 0) } else { (0, shift) };
    if bits & MANTISSA <= 1 || bits & MANTISSA == MANTISSA || up_decimal > 68 || up_value > 8 {
        return Verdict::Unsure;
    }
    let half_distance = i128::from(five) << up_value;
    let mantissa = bits & MANTISSA | 1 << 52;
    let value = (i128::from(mantissa) * half_distance) << 1;
    let mut away = (i128::from(digits) << (up_decimal + 1)) - value;
    // The right double is the one that the decimal lies nearest to.
    if away > half_distance {
        away -= 2 * half_distance;
    } else if away < -half_distance {
        away += 2 * half_distance;
    }
    let last = digits % 10;
    let shorter_below = (away - (i128::from(last) << (up_decimal + 1))).abs();
    let shorter_above = (away + (i128::from(10 - last) << (up_decimal + 1))).abs();
    let shorter = shorter_below.min(shorter_above);
    let (away, unit) = (away.abs(), 1_i128 << up_decimal);
    if away >= half_distance || away == unit || shorter == half_distance {
        // Ties belong to the double whose mantissa is even; leave them to the obvious way.
        Verdict::Unsure
    } else if shorter < half_distance || away > unit {
        Verdict::NotShortest
    } else {
        Verdict::Shortest
    }
}

/// `number` with these decimal digits behind it.
fn append_digits(mut number: u64, digits: &[u8]) -> u64 {
    let (eights, rest) = digits.as_chunks::<8>();
    for eight in eights {
        number = number * 100_000_000 + value_of_eight(*eight);
    }
    for digit in rest {
        number = number * 10 + u64::from(digit - b'0');
    }
    number
}

/// Eight digits at once: pairs, then fours, then all.
fn value_of_eight(digits: [u8; 8]) -> u64 {
    let ones = u64::from_le_bytes(digits) - 0x3030_3030_3030_3030;
    let pairs = (ones * 10 + (ones >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    (fours * 10_000 + (fours >> 32)) & 0xffff_ffff
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, any, prop_assert_ne, proptest};

    use super::super::number::Spelling;
    use super::{Verdict, judge};

    fn judged(text: &str) -> Verdict {
        let (whole, fraction) = text.split_once('.').unwrap();
        judge(whole.as_bytes(), fraction.as_bytes())
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

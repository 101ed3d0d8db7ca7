//! Arrays of short decimals, sixty-four bytes at a time.
//!
//! Checking number after number costs a dependent load and a guess at each length. Here the rules of
//! a canonical short decimal are stated on bit masks instead, one bit a byte, so that all numbers of
//! a block are proved at once and the length of each does not matter. What these rules do not cover
//! (exponents, 16 digits and more, six zeros behind the point) only ends the run: the caller then
//! reads one number by itself.

use super::block::Block;

/// Short numbers in a row after which a run is looked for: an array that begins so is likely to go on.
pub(super) const WORTHWHILE: u32 = 4;

/// Skips as many `number,` as can be proved canonical from `at`, where a number must begin, and
/// gives the offset behind the last comma skipped.
pub(super) fn skip(bytes: &[u8], mut at: usize) -> usize {
    while let Some(block) = bytes.get(at..).and_then(|rest| rest.first_chunk::<64>()) {
        let proved = proved_bytes(block);
        at += proved;
        if proved < 32 {
            break;
        }
    }
    at
}

/// How many bytes at the front of `block` are canonical short decimals, each with its comma.
#[inline]
fn proved_bytes(block: &[u8; 64]) -> usize {
    let Masks { digits, zeros, commas, dots, minuses } = Masks::of(block);
    let known = digits | commas | dots | minuses;
    // Only numbers whose comma is here, in front of the first byte of another kind.
    let inside = through_last(commas & low_bits(known.trailing_ones()));

    let starts = commas << 1 | 1;
    let after_minus = minuses << 1;
    let first_digits = (starts & !minuses) | after_minus;
    let leading_zeros = first_digits & zeros;
    let after_leading_zero = leading_zeros << 1;
    let after_dot = dots << 1;
    // The addition carries through the digits behind each point, to the byte that ends them.
    let fraction_ends = digits.wrapping_add(after_dot) & !digits;

    let broken = (minuses & !starts)
        | (first_digits & !digits)
        | (dots & !(digits << 1))
        | (after_dot & !digits)
        | (fraction_ends & dots)
        | (fraction_ends >> 1 & zeros)
        | (after_leading_zero & digits)
        | ((after_minus & zeros) << 1 & !dots)
        | (after_leading_zero & dots & six_ones(zeros) >> 1)
        | sixteen_ones(digits | dots);
    // What stands in front of the first number that breaks a rule is proved all the same.
    let proved = through_last(commas & inside & low_bits((broken & inside).trailing_zeros()));
    proved.count_ones() as usize
}

/// The lowest `count` bits.
#[inline]
fn low_bits(count: u32) -> u64 {
    1_u64.checked_shl(count).unwrap_or(0).wrapping_sub(1)
}

/// All bits up to the highest one of `bits`.
#[inline]
fn through_last(bits: u64) -> u64 {
    low_bits(u64::BITS - bits.leading_zeros())
}

/// Where six ones begin.
#[inline]
fn six_ones(bits: u64) -> u64 {
    let two = bits & bits >> 1;
    two & two >> 2 & two >> 4
}

/// Where sixteen ones begin.
#[inline]
fn sixteen_ones(bits: u64) -> u64 {
    let two = bits & bits >> 1;
    let four = two & two >> 2;
    let eight = four & four >> 4;
    eight & eight >> 8
}

/// The bytes of a block by kind, the first byte lowest.
struct Masks {
    digits: u64,
    zeros: u64,
    commas: u64,
    dots: u64,
    minuses: u64,
}

impl Masks {
    #[inline]
    fn of(block: &[u8; 64]) -> Self {
        let mut masks = Self { digits: 0, zeros: 0, commas: 0, dots: 0, minuses: 0 };
        let (quarters, _) = block.as_chunks::<16>();
        for (i, quarter) in quarters.iter().enumerate() {
            let quarter = Block::load(quarter);
            let place = |mask: u32| u64::from(mask) << (16 * i);
            masks.digits |= place(quarter.digits());
            masks.zeros |= place(quarter.equal(b'0'));
            masks.commas |= place(quarter.equal(b','));
            masks.dots |= place(quarter.equal(b'.'));
            masks.minuses |= place(quarter.equal(b'-'));
        }
        masks
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, Strategy, prop_assert_eq, prop_oneof, proptest};

    use super::super::number;
    use super::skip;

    /// The same answer, one number at a time.
    fn skip_plainly(bytes: &[u8]) -> usize {
        let mut at = 0;
        while let Some(end) = number::canonical_end(bytes, at) {
            if bytes.get(end) != Some(&b',') {
                break;
            }
            at = end + 1;
        }
        at
    }

    fn padded(text: &str) -> Vec<u8> {
        format!("{text}{}", "1.5,".repeat(40)).into_bytes()
    }

    #[test]
    fn every_short_number_is_skipped_and_every_bad_one_ends_the_run() {
        for good in ["0", "-0.5", "7", "-12", "0.00001", "100.001", "12345678901234", "0.000001"] {
            let text = padded(&format!("1,{good},2,"));
            assert!(skip(&text, 0) > good.len() + 5, "{good}");
        }
        for bad in [
            "-0",
            "00",
            "01",
            "-01",
            "1.0",
            "0.50",
            "1.",
            ".5",
            "-",
            "",
            "--1",
            "1-",
            "1.2.3",
            "1..2",
            "0.0000001",
            "0.000000",
            "1e5",
            "\"a\"",
            "-.5",
            "1,,2",
            "1.,2",
            "12345678901234567890",
            "1 ",
            "1]",
            "-,1",
        ] {
            let text = padded(&format!("3,-4.25,{bad},2,"));
            let end = skip(&text, 0);
            assert!(end <= 8 + bad.find(",").map_or(0, |comma| comma + 1), "{bad}: {end}");
        }
    }

    fn token() -> impl Strategy<Value = String> {
        prop_oneof![
            8 => (0_i64..100_000, 0_u32..5).prop_map(|(n, d)| (n as f64 / 10_f64.powi(d as i32)).to_string()),
            1 => "-?[0-9]{1,4}(\\.[0-9]{1,7})?",
            1 => "[-0-9.,]{0,5}",
            1 => Just("0.0000012".to_owned()),
            1 => "[1-9][0-9]{10,18}",
        ]
    }

    proptest! {
        /// The run never skips what the plain reader does not, and stops only where it says.
        #[test]
        fn a_run_proves_only_what_is_canonical(tokens in proptest::collection::vec(token(), 1..60)) {
            let text = tokens.join(",") + ",";
            let end = skip(text.as_bytes(), 0);
            let (proved, _) = text.split_at(end);
            prop_assert_eq!(skip_plainly(proved.as_bytes()), end);
        }
    }
}

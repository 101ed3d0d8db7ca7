//! Numbers: the grammar of RFC 8259, the spelling of ECMAScript (RFC 8785 §3.2.2.3), and the proof
//! that a spelling already is the canonical one.

use super::block::{Block, Mask};
use super::error::{Reason, WriteError};
use super::short_decimal;
use super::shortest::{Decimal, Verdict};

/// The greatest integer that a double and all its neighbours hold exactly: 2^53 - 1.
pub(crate) const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// The longest canonical spelling: `-0.00000` and 17 digits.
pub(super) const LONGEST_CANONICAL: usize = 25;

/// Reads a canonical number at `at` and gives the offset behind it; `None` when what stands there
/// is not one.
///
/// A decimal of at most 15 significant digits is the shortest spelling of its double, so such a
/// number is proved canonical by its notation alone, without a conversion.
#[inline]
pub(super) fn canonical_end(bytes: &[u8], at: usize) -> Option<usize> {
    let block = Block::load_padded(bytes, at);
    let minus = bytes.get(at) == Some(&b'-');
    if block.digits() | block.equal(b'.') | Mask::from(minus) == 0xffff {
        return canonical_long_end(bytes, at);
    }
    match Notation::of(block.into(), minus) {
        Some(notation) => notation.end(bytes, at),
        None => canonical_end_by_value(bytes, at),
    }
}

/// The same for a number of 16 characters and more.
fn canonical_long_end(bytes: &[u8], at: usize) -> Option<usize> {
    let start = at + usize::from(bytes.get(at) == Some(&b'-'));
    if let Some(decimal) = Decimal::read(bytes, start) {
        match decimal.judge() {
            Verdict::Shortest => return Some(decimal.end),
            Verdict::NotShortest => return None,
            Verdict::Unsure => {}
        }
    }
    canonical_end_by_value(bytes, at)
}

/// The kinds of the bytes of a block that begins with a number.
struct Kinds {
    digits: Mask,
    dots: Mask,
    zeros: Mask,
}

impl From<Block> for Kinds {
    #[inline]
    fn from(block: Block) -> Self {
        Self { digits: block.digits(), dots: block.equal(b'.'), zeros: block.equal(b'0') }
    }
}

/// The extent of a number in plain notation: no exponent, no digit too many in front or behind.
struct Notation {
    /// Its characters.
    length: usize,
}

impl Notation {
    /// `None` when the bytes begin with no such number.
    #[inline]
    fn of(kinds: Kinds, minus: bool) -> Option<Self> {
        let sign = u32::from(minus);
        let stops = !(kinds.digits >> sign);
        let zeros = kinds.zeros >> sign;
        let first_stop = stops & stops.wrapping_neg();
        let whole = stops.trailing_zeros();
        let has_point = kinds.dots >> sign & first_stop != 0;
        let end = if has_point { (stops ^ first_stop).trailing_zeros() } else { whole };
        let is_zero = |index: u32| zeros.checked_shr(index).unwrap_or(0) & 1 == 1;
        let leading_zero = is_zero(0);
        // Below 0.000001 there is an exponent.
        let tiny = leading_zero && (zeros >> 2).trailing_ones() > 5;
        let fits = whole > 0
            && (!leading_zero || (whole == 1 && (has_point || !minus)))
            && (!has_point || (end > whole + 1 && !is_zero(end.wrapping_sub(1))))
            && !tiny;
        fits.then_some(Self { length: (end + sign) as usize })
    }

    /// The offset behind the number that begins at `at`, unless an exponent follows.
    #[inline]
    fn end(&self, bytes: &[u8], at: usize) -> Option<usize> {
        match bytes.get(at + self.length) {
            Some(b'e' | b'.') => canonical_end_by_value(bytes, at),
            _ => Some(at + self.length),
        }
    }
}

/// Reads a canonical integer at `at`: its value and the offset behind it.
#[inline]
pub(crate) fn canonical_integer(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    let minus = bytes.get(at) == Some(&b'-');
    let first = at + usize::from(minus);
    let mut end = first;
    let mut size = 0_u64;
    while let Some(digit @ b'0'..=b'9') = bytes.get(end) {
        size = size * 10 + u64::from(digit - b'0');
        end += 1;
        if size > MAX_SAFE_INTEGER {
            return None;
        }
    }
    let padded = bytes.get(first) == Some(&b'0') && (end > first + 1 || minus);
    let goes_on = matches!(bytes.get(end), Some(b'.' | b'e'));
    if end == first || padded || goes_on {
        return None;
    }
    let value = size.cast_signed();
    Some((if minus { -value } else { value }, end))
}

/// The same for any number, by reading its value and writing it again.
fn canonical_end_by_value(bytes: &[u8], at: usize) -> Option<usize> {
    let token = Token::read(bytes, at).ok()?;
    let text = token.text(bytes);
    if text.len() > LONGEST_CANONICAL {
        return None;
    }
    let mut canonical = Spelling::new();
    (canonical.of(token.value(bytes).ok()?) == text.as_bytes()).then_some(token.end)
}

/// One number token of RFC 8259.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    start: usize,
    pub(super) end: usize,
}

impl Token {
    /// Reads the token at `start`.
    pub(super) fn read(bytes: &[u8], start: usize) -> Result<Self, (usize, Reason)> {
        let byte = |at: usize| bytes.get(at).copied();
        let digits = |mut at: usize| {
            while byte(at).is_some_and(|b| b.is_ascii_digit()) {
                at += 1;
            }
            at
        };
        let some_digits = |at: usize| match digits(at) {
            end if end > at => Ok(end),
            _ if at >= bytes.len() => Err((at, Reason::UnexpectedEnd)),
            _ => Err((at, Reason::BadNumber)),
        };
        let whole = start + usize::from(byte(start) == Some(b'-'));
        let mut end = some_digits(whole)?;
        if byte(whole) == Some(b'0') && end > whole + 1 {
            return Err((whole, Reason::BadNumber));
        }
        if byte(end) == Some(b'.') {
            end = some_digits(end + 1)?;
        }
        if matches!(byte(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(byte(end + 1), Some(b'+' | b'-')));
            end = some_digits(end + 1 + sign)?;
        }
        Ok(Self { start, end })
    }

    fn text<'a>(&self, bytes: &'a [u8]) -> &'a str {
        let token = bytes.get(self.start..self.end).unwrap_or_default();
        // A token is ASCII, so this never takes the default.
        std::str::from_utf8(token).unwrap_or_default()
    }

    /// The token's value, when wire.md §1 accepts it.
    pub(super) fn value(&self, bytes: &[u8]) -> Result<f64, Reason> {
        let value: f64 = self.text(bytes).parse().map_err(|_| Reason::BadNumber)?;
        if !value.is_finite() {
            Err(Reason::NotFinite)
        } else if is_unsafe_integer(value) {
            Err(Reason::UnsafeInteger)
        } else {
            Ok(value)
        }
    }
}

/// Whether `value` is spelled as a bare integer that a double does not hold exactly.
pub(crate) fn is_unsafe_integer(value: f64) -> bool {
    let size = value.abs();
    size > MAX_SAFE_INTEGER as f64 && size < 1e21
}

/// Writes a double as ECMAScript spells it, when a reader would accept it, with a comma in front if
/// there is to be one.
#[inline]
pub(super) fn write(value: f64, comma: bool, out: &mut Vec<u8>) -> Result<(), WriteError> {
    let start = out.len();
    out.extend_from_slice(&[0; short_decimal::ROOM]);
    let room = out.get_mut(start..).and_then(<[u8]>::first_chunk_mut);
    match room.and_then(|room| short_decimal::spell(value, comma, room)) {
        Some(length) => {
            out.truncate(start + length);
            Ok(())
        }
        None => {
            out.truncate(start);
            write_long(value, comma, out)
        }
    }
}

fn write_long(value: f64, comma: bool, out: &mut Vec<u8>) -> Result<(), WriteError> {
    if comma {
        out.push(b',');
    }
    if !value.is_finite() {
        return Err(WriteError::NotFinite);
    }
    if is_unsafe_integer(value) {
        return Err(WriteError::UnsafeInteger);
    }
    out.extend_from_slice(Spelling::new().of(value));
    Ok(())
}

/// Writes an integer, unless a double would not hold it exactly.
#[inline]
pub(crate) fn write_integer(
    negative: bool,
    size: u64,
    out: &mut Vec<u8>,
) -> Result<(), WriteError> {
    if size > MAX_SAFE_INTEGER {
        return Err(WriteError::UnsafeInteger);
    }
    let mut text = [0; 20];
    let mut start = text.len();
    let mut rest = size;
    for (i, place) in text.iter_mut().enumerate().rev() {
        *place = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            start = i;
            break;
        }
    }
    if negative {
        out.push(b'-');
    }
    out.extend_from_slice(text.get(start..).unwrap_or_default());
    Ok(())
}

/// Room for the canonical spelling of one number.
pub(crate) struct Spelling {
    bytes: [u8; 40],
    digits: zmij::Buffer,
}

impl Spelling {
    #[inline]
    pub(crate) fn new() -> Self {
        Self { bytes: [0; 40], digits: zmij::Buffer::new() }
    }

    /// ECMAScript's spelling of a finite double.
    pub(crate) fn of(&mut self, value: f64) -> &[u8] {
        if value == 0.0 {
            return b"0";
        }
        let text = self.digits.format_finite(value).as_bytes();
        if let Some(integer) = text.strip_suffix(b".0") {
            return integer;
        }
        // zmij writes exponents of -5 to 15 as ECMAScript does, and so too those beyond -7 and 21.
        // Between them ECMAScript has no exponent.
        if (1e-5..1e16).contains(&value.abs()) {
            return text;
        }
        let Some(e) = text.iter().rposition(|b| *b == b'e') else { return text };
        let (mantissa, exponent) = text.split_at(e);
        match exponent {
            b"e-6" => Self::fixed_small(&mut self.bytes, mantissa),
            b"e+16" | b"e+17" | b"e+18" | b"e+19" | b"e+20" => {
                let power = exponent.iter().skip(2).fold(0, |n, b| n * 10 + usize::from(b - b'0'));
                Self::fixed_large(&mut self.bytes, mantissa, power)
            }
            _ => text,
        }
    }

    /// `1.25e-6` as `0.00000125`.
    fn fixed_small<'b>(to: &'b mut [u8; 40], mantissa: &[u8]) -> &'b [u8] {
        let sign: &[u8] = if mantissa.first() == Some(&b'-') { b"-" } else { b"" };
        let digits = mantissa.iter().filter(|b| b.is_ascii_digit());
        Self::collect(to, sign.iter().chain(b"0.00000").chain(digits))
    }

    /// `1.25e+16` as `12500000000000000`.
    fn fixed_large<'b>(to: &'b mut [u8; 40], mantissa: &[u8], power: usize) -> &'b [u8] {
        let sign = usize::from(mantissa.first() == Some(&b'-'));
        let digits = mantissa.iter().filter(|b| **b != b'.');
        Self::collect(to, digits.chain(std::iter::repeat(&b'0')).take(sign + 1 + power))
    }

    fn collect<'b, 'd>(to: &'b mut [u8; 40], from: impl Iterator<Item = &'d u8>) -> &'b [u8] {
        let mut length = 0;
        for (place, byte) in to.iter_mut().zip(from) {
            *place = *byte;
            length += 1;
        }
        to.get(..length).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(value: f64) -> String {
        String::from_utf8(Spelling::new().of(value).to_vec()).unwrap()
    }

    #[test]
    fn spelling_is_that_of_ecmascript() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (1e-6, "0.000001"),
            (-1.25e-6, "-0.00000125"),
            (1.234_567_890_123_456_7e-6, "0.0000012345678901234567"),
            (9.999e-7, "9.999e-7"),
            (1e-7, "1e-7"),
            (0.000_01, "0.00001"),
            (123_456_789_012_345_680.0, "123456789012345680"),
            (-1e20, "-100000000000000000000"),
            (1.5e20, "150000000000000000000"),
            (999_999_999_999_999_900_000.0, "999999999999999900000"),
            (1e21, "1e+21"),
            (1.25e22, "1.25e+22"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (9_007_199_254_740_991.0, "9007199254740991"),
            (1e16, "10000000000000000"),
            (1e15, "1000000000000000"),
        ] {
            assert_eq!(spelled(value), text);
        }
    }

    #[test]
    fn canonical_spellings_are_known_and_others_are_not() {
        let end = |text: &str| canonical_end(text.as_bytes(), 0);
        for text in [
            "0",
            "5",
            "-5",
            "10",
            "0.5",
            "-0.5",
            "0.05",
            "0.000001",
            "12.25",
            "999999999999999",
            "9007199254740991",
            "-9007199254740991",
            "1e+21",
            "1e-7",
            "1.7976931348623157e+308",
            "0.1234567890123456",
            "123456789.12345678",
            "0.00000125",
            "5e-324",
            "-1.5e+300",
            "100.001",
            "0.30000000000000004",
        ] {
            assert_eq!(end(text), Some(text.len()), "{text}");
            assert_eq!(end(&format!("{text},7")), Some(text.len()), "{text},");
            assert_eq!(end(&format!("{text}]                    ")), Some(text.len()), "{text}]");
        }
        for text in [
            "-0",
            "00",
            "01",
            "-01",
            "1.0",
            "0.0",
            "0.50",
            "1.",
            ".5",
            "-",
            "",
            "1e5",
            "1E21",
            "1e21",
            "1e+05",
            "0.0000001",
            "0.00000012",
            "9007199254740992",
            "9007199254740993",
            "100000000000000000000",
            "0.1000000000000000055511151231257827",
            "-.5",
            "+1",
            "1.5.2",
            "123456789.123456789",
            "1e400",
            "1.5e",
            "-0.0",
            "0e1",
            "1e+20",
            "abc",
            ",",
            "1.50000000000000000",
        ] {
            assert_ne!(end(text), Some(text.len()), "{text}");
        }
    }

    #[test]
    fn values_outside_the_wire_are_refused() {
        let value = |text: &str| {
            let token = Token::read(text.as_bytes(), 0).map_err(|(_, reason)| reason)?;
            token.value(text.as_bytes())
        };
        for text in
            ["9007199254740992", "-9007199254740993", "1e20", "1e16", "18446744073709551616"]
        {
            assert_eq!(value(text), Err(Reason::UnsafeInteger), "{text}");
        }
        assert_eq!(value("1e400"), Err(Reason::NotFinite));
        assert_eq!(value("1e21"), Ok(1e21));
        assert_eq!(value("1000000000000000000000"), Ok(1e21));
        assert_eq!(value("9007199254740991.0"), Ok(9_007_199_254_740_991.0));
        assert_eq!(value("1e-400"), Ok(0.0));
        assert_eq!(value("-0"), Ok(0.0));
        assert_eq!(value("0.1e1"), Ok(1.0));
    }
}

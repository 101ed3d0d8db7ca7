//! The order of member names: by UTF-16 code units (RFC 8785 §3.2.3), on their canonical spelling.

use std::cmp::Ordering;

/// A member name as it stands between its quotes in canonical form.
#[derive(Clone, Copy)]
pub(super) struct Name<'a> {
    text: &'a [u8],
    /// Its first eight bytes as a big-endian number, padded with zeros.
    head: u64,
    /// Whether UTF-16 order may differ from the order of the bytes as they stand.
    plain: bool,
}

impl<'a> Name<'a> {
    /// The name at `start..end` of `bytes`; `escaped` when it has a backslash.
    #[inline]
    pub(super) fn new(bytes: &'a [u8], start: usize, end: usize, escaped: bool) -> Self {
        let text = bytes.get(start..end).unwrap_or_default();
        let word = match bytes.get(start..).and_then(|rest| rest.first_chunk::<8>()) {
            Some(chunk) => u64::from_be_bytes(*chunk),
            None => text
                .iter()
                .take(8)
                .zip(0..)
                .fold(0, |word, (byte, i)| word | u64::from(*byte) << (56 - 8 * i)),
        };
        let unused = 8_u32.saturating_sub(u32::try_from(text.len()).unwrap_or(8));
        let head = word & u64::MAX.checked_shl(8 * unused).unwrap_or(0);
        Self { text, head, plain: !escaped && head & 0x8080_8080_8080_8080 == 0 }
    }

    /// Whether this name stands in front of `next`. Most names differ in their first eight bytes.
    #[inline]
    pub(super) fn precedes(&self, next: &Self) -> bool {
        if self.plain && next.plain && self.head != next.head {
            self.head < next.head
        } else {
            compare(self.text, next.text) == Ordering::Less
        }
    }
}

/// Compares two canonical names, without their quotes.
pub(super) fn compare(a: &[u8], b: &[u8]) -> Ordering {
    if a.contains(&b'\\') || b.contains(&b'\\') {
        return units(a).cmp(units(b));
    }
    match a.iter().zip(b).find(|(x, y)| x != y) {
        Some((x, y)) => utf16_rank(*x).cmp(&utf16_rank(*y)),
        None => a.len().cmp(&b.len()),
    }
}

/// UTF-8 sorts like code points. UTF-16 differs in one thing: characters from U+10000 (lead bytes
/// from 0xF0) are surrogates there and come before U+E000 to U+FFFF (lead bytes 0xEE and 0xEF).
const fn utf16_rank(byte: u8) -> u8 {
    match byte {
        0xee | 0xef => byte + 0x10,
        _ => byte,
    }
}

/// The UTF-16 code units of a canonical name after unescaping.
fn units(name: &[u8]) -> impl Iterator<Item = u16> {
    let text = std::str::from_utf8(name).unwrap_or_default();
    let mut rest = text.chars();
    let characters = std::iter::from_fn(move || match rest.next()? {
        '\\' => Some(match rest.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let code = rest.by_ref().take(4).filter_map(|digit| digit.to_digit(16));
                char::from_u32(code.fold(0, |code, digit| code * 16 + digit))?
            }
            other => other,
        }),
        plain => Some(plain),
    });
    characters.flat_map(|c| {
        let mut pair = [0; 2];
        let length = c.encode_utf16(&mut pair).len();
        pair.into_iter().take(length)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::*;
    use crate::json::string;

    fn canonical(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        string::write(text, &mut out);
        out[1..out.len() - 1].to_vec()
    }

    #[test]
    fn the_order_of_surrogates_is_kept() {
        let names = ["\u{20ac}", "\r", "\u{fb33}", "1", "\u{1f600}", "\u{80}", "\u{f6}"];
        let mut sorted: Vec<Vec<u8>> = names.iter().map(|name| canonical(name)).collect();
        sorted.sort_by(|a, b| compare(a, b));
        let expected = ["\r", "1", "\u{80}", "\u{f6}", "\u{20ac}", "\u{1f600}", "\u{fb33}"];
        assert_eq!(sorted, expected.map(canonical));
    }

    proptest! {
        #[test]
        fn order_is_that_of_utf16(a in "[a-b\\n\"\\\\\u{0}-\u{1f}\u{e000}\u{ffff}\u{10000}é]{0,10}",
                                  b in "[a-b\\n\"\\\\\u{0}-\u{1f}\u{e000}\u{ffff}\u{10000}é]{0,10}") {
            let expected = a.encode_utf16().cmp(b.encode_utf16());
            let (x, y) = (canonical(&a), canonical(&b));
            prop_assert_eq!(compare(&x, &y), expected);
            let name = |text: &[u8]| {
                // Something always follows a name in a message.
                let tail = [text, b"\":1}"].concat();
                let escaped = text.contains(&b'\\');
                Name::new(Box::leak(tail.into_boxed_slice()), 0, text.len(), escaped)
            };
            prop_assert_eq!(name(&x).precedes(&name(&y)), expected == Ordering::Less);
        }
    }
}

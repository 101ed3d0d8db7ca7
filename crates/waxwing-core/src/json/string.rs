//! Strings: where they end, which spelling of a character is canonical, and how to write it.
//!
//! Every input has passed the UTF-8 check before it comes here, so bytes from 0x80 on are ordinary.

use super::block::Block;
use super::error::Reason;

/// A canonical string that was read: the offset of its closing quote, and whether it has escapes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) close: usize,
    pub(super) escaped: bool,
}

/// Reads a canonical string from `at`, behind its opening quote; `None` when it is not canonical.
#[inline]
pub(super) fn canonical_end(bytes: &[u8], mut at: usize) -> Option<Span> {
    let mut escaped = false;
    loop {
        at = next_break(bytes, at)?;
        match *bytes.get(at)? {
            b'"' => return Some(Span { close: at, escaped }),
            b'\\' => {
                at = canonical_escape_end(bytes, at + 1)?;
                escaped = true;
            }
            _ => return None,
        }
    }
}

/// The offset of the next quote, backslash or control character from `at`.
#[inline]
pub(super) fn next_break(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let breaks = Block::load_padded(bytes, at).breaks();
        if breaks != 0 {
            // The padding behind the end is a control character: it stops here too.
            at += breaks.trailing_zeros() as usize;
            return (at < bytes.len()).then_some(at);
        }
        at += 16;
    }
}

/// The end of a canonical escape whose backslash stands in front of `at`: the seven short ones, and
/// lower-case `\u00xx` for the other control characters (RFC 8785 §3.2.2.2).
fn canonical_escape_end(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at..)? {
        [b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't', ..] => Some(at + 1),
        [b'u', b'0', b'0', high @ (b'0' | b'1'), low, ..] => {
            let low_digit = hex(*low).filter(|_| !low.is_ascii_uppercase())?;
            let code = (high - b'0') * 16 + low_digit;
            short_escape(code).is_none().then_some(at + 5)
        }
        _ => None,
    }
}

/// The letter of the short escape of a character, where it has one.
const fn short_escape(byte: u8) -> Option<u8> {
    match byte {
        b'"' | b'\\' => Some(byte),
        0x08 => Some(b'b'),
        0x09 => Some(b't'),
        0x0a => Some(b'n'),
        0x0c => Some(b'f'),
        0x0d => Some(b'r'),
        _ => None,
    }
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Writes `text` as a canonical string, with its quotes.
#[inline]
pub(crate) fn write(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    out.push(b'"');
    let mut copied = 0;
    while let Some(at) = next_break(bytes, copied) {
        out.extend_from_slice(bytes.get(copied..at).unwrap_or_default());
        write_escape(bytes.get(at).copied().unwrap_or_default(), out);
        copied = at + 1;
    }
    out.extend_from_slice(bytes.get(copied..).unwrap_or_default());
    out.push(b'"');
}

/// Writes a quote, a backslash or a control character as its escape.
fn write_escape(byte: u8, out: &mut Vec<u8>) {
    if let Some(letter) = short_escape(byte) {
        out.extend_from_slice(&[b'\\', letter]);
    } else {
        let low = b"0123456789abcdef".get(usize::from(byte & 15)).copied().unwrap_or(b'0');
        out.extend_from_slice(&[b'\\', b'u', b'0', b'0', b'0' + (byte >> 4), low]);
    }
}

/// Reads any string that RFC 8259 and wire.md §1 accept, from behind its opening quote, and writes
/// its canonical spelling. Gives the offset behind the closing quote.
pub(super) fn rewrite(
    bytes: &[u8],
    start: usize,
    out: &mut Vec<u8>,
) -> Result<usize, (usize, Reason)> {
    out.push(b'"');
    let mut copied = start;
    loop {
        let at = next_break(bytes, copied).ok_or((bytes.len(), Reason::UnexpectedEnd))?;
        out.extend_from_slice(bytes.get(copied..at).unwrap_or_default());
        match bytes.get(at) {
            Some(b'"') => {
                out.push(b'"');
                return Ok(at + 1);
            }
            Some(b'\\') => {
                let (character, end) = read_escape(bytes, at)?;
                if character < ' ' || character == '"' || character == '\\' {
                    write_escape(character as u8, out);
                } else {
                    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                copied = end;
            }
            _ => return Err((at, Reason::ControlCharacter)),
        }
    }
}

/// Reads the escape whose backslash stands at `at`: its character and the offset behind it.
fn read_escape(bytes: &[u8], at: usize) -> Result<(char, usize), (usize, Reason)> {
    let letter = *bytes.get(at + 1).ok_or((bytes.len(), Reason::UnexpectedEnd))?;
    let character = match letter {
        b'"' | b'\\' | b'/' => char::from(letter),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return read_unicode_escape(bytes, at),
        _ => return Err((at, Reason::BadEscape)),
    };
    Ok((character, at + 2))
}

/// Reads `\uXXXX`, or the two of a surrogate pair.
fn read_unicode_escape(bytes: &[u8], at: usize) -> Result<(char, usize), (usize, Reason)> {
    let unit = |at: usize| match bytes.get(at..at + 6) {
        Some([b'\\', b'u', digits @ ..]) => {
            digits.iter().try_fold(0_u32, |unit, digit| Some(unit * 16 + u32::from(hex(*digit)?)))
        }
        _ => None,
    };
    let first = unit(at).ok_or_else(|| match bytes.len() < at + 6 {
        true => (bytes.len(), Reason::UnexpectedEnd),
        false => (at, Reason::BadEscape),
    })?;
    if let Some(character) = char::from_u32(first) {
        return Ok((character, at + 6));
    }
    let pair = match (first, unit(at + 6)) {
        (0xd800..=0xdbff, Some(second @ 0xdc00..=0xdfff)) => {
            char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))
        }
        _ => None,
    };
    pair.map(|character| (character, at + 12)).ok_or((at, Reason::LoneSurrogate))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        write(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_what_must_be_escaped_is() {
        assert_eq!(written("a/b\u{7f}\u{20ac}\u{1f600}"), "\"a/b\u{7f}\u{20ac}\u{1f600}\"");
        assert_eq!(written("\"\\\u{8}\t\n\u{c}\r"), r#""\"\\\b\t\n\f\r""#);
        assert_eq!(written("\u{0}\u{1f}\u{b}"), r#""\u0000\u001f\u000b""#);
    }

    #[test]
    fn each_control_character_has_one_canonical_spelling() {
        for code in 0..0x20_u8 {
            let canonical = written(&char::from(code).to_string());
            let bytes = canonical.as_bytes();
            assert_eq!(canonical_end(bytes, 1).unwrap().close, bytes.len() - 1);
            let long = format!("\"\\u{code:04x}\"");
            assert_eq!(canonical_end(long.as_bytes(), 1).is_some(), long == canonical);
            let upper = format!("\"\\u{code:04X}\"");
            assert_eq!(canonical_end(upper.as_bytes(), 1).is_some(), upper == canonical);
            assert!(canonical_end(&[b'"', code, b'"'], 1).is_none());
        }
        for not_canonical in
            [r#""\/""#, r#""\u0041""#, r#""\u007f""#, r#""\ud83d\ude00""#, r#""\x""#]
        {
            assert!(canonical_end(not_canonical.as_bytes(), 1).is_none(), "{not_canonical}");
        }
    }

    #[test]
    fn any_spelling_is_rewritten() {
        let rewritten = |text: &str| {
            let mut out = Vec::new();
            rewrite(text.as_bytes(), 1, &mut out).map(|end| {
                assert_eq!(end, text.len());
                String::from_utf8(out).unwrap()
            })
        };
        assert_eq!(
            rewritten(r#""\u0041\/\u000A\ud83d\ude00\u00e9""#).unwrap(),
            "\"A/\\n\u{1f600}\u{e9}\""
        );
        for (text, offset, reason) in [
            (r#""\ud83d""#, 1, Reason::LoneSurrogate),
            (r#""\ud83dx\ude00""#, 1, Reason::LoneSurrogate),
            (r#""ab\ude00""#, 3, Reason::LoneSurrogate),
            (r#""\ud83d\ud83d""#, 1, Reason::LoneSurrogate),
            (r#""\q""#, 1, Reason::BadEscape),
            (r#""\u12G4 ""#, 1, Reason::BadEscape),
            (r#""\u12"#, 5, Reason::UnexpectedEnd),
            (r#""\"#, 2, Reason::UnexpectedEnd),
            ("\"abc", 4, Reason::UnexpectedEnd),
            ("\"a\tb\"", 2, Reason::ControlCharacter),
        ] {
            assert_eq!(rewritten(text), Err((offset, reason)), "{text}");
        }
    }
}

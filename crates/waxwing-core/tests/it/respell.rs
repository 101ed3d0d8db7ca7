//! Other spellings of a canonical text: the same value with other white space, escapes, member order
//! and number notation. The fuzz targets share this file.

use std::iter::Cycle;
use std::slice::Iter;

/// Spells `canonical`, which must be canonical JSON, as `choices` say; without choices it stays as it is.
pub fn respell(canonical: &str, choices: &[u8]) -> String {
    let mut speller = Speller { choices: choices.iter().cycle(), out: String::new() };
    speller.spaced(canonical);
    speller.out
}

struct Speller<'c> {
    choices: Cycle<Iter<'c, u8>>,
    out: String,
}

impl Speller<'_> {
    fn choose(&mut self, bound: usize) -> usize {
        usize::from(*self.choices.next().unwrap_or(&0)) % bound
    }

    fn space(&mut self) {
        let spaces = ["", "", "", " ", "\n", "\t", "\r\n  ", "                   "];
        let chosen = self.choose(spaces.len());
        self.out.push_str(spaces[chosen]);
    }

    fn spaced(&mut self, text: &str) {
        self.space();
        match text.as_bytes()[0] {
            b'{' => {
                let mut members = parts(text);
                for last in (1..members.len()).rev() {
                    // The choice 0 keeps the order.
                    let other = last - self.choose(last + 1);
                    members.swap(last, other);
                }
                self.joined('{', &members, '}', |speller, member| {
                    let name = string_end(member);
                    speller.space();
                    speller.string(&member[..name]);
                    speller.space();
                    speller.out.push(':');
                    speller.spaced(&member[name + 1..]);
                });
            }
            b'[' => self.joined('[', &parts(text), ']', Self::spaced),
            b'"' => self.string(text),
            b'-' | b'0'..=b'9' => self.number(text),
            _ => self.out.push_str(text),
        }
        self.space();
    }

    fn joined(
        &mut self,
        open: char,
        parts: &[&str],
        close: char,
        mut each: impl FnMut(&mut Self, &str),
    ) {
        self.out.push(open);
        for (i, part) in parts.iter().enumerate() {
            if i > 0 {
                self.out.push(',');
            }
            each(self, part);
        }
        if parts.is_empty() {
            self.space();
        }
        self.out.push(close);
    }

    fn string(&mut self, canonical: &str) {
        let text: String = serde_json::from_str(canonical).unwrap();
        self.out.push('"');
        for character in text.chars() {
            let long = self.choose(8);
            let short = match character {
                '"' | '\\' => Some(character),
                '/' if long == 1 => Some('/'),
                '\u{8}' => Some('b'),
                '\t' => Some('t'),
                '\n' => Some('n'),
                '\u{c}' => Some('f'),
                '\r' => Some('r'),
                _ => None,
            };
            match short {
                Some(letter) if long < 6 => self.out.extend(['\\', letter]),
                None if long < 6 && character >= ' ' => self.out.push(character),
                _ => {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        let hex = match long {
                            6 => format!("\\u{unit:04x}"),
                            _ => format!("\\u{unit:04X}"),
                        };
                        self.out.push_str(&hex);
                    }
                }
            }
        }
        self.out.push('"');
    }

    fn number(&mut self, canonical: &str) {
        let (sign, size) = match canonical.strip_prefix('-') {
            Some(size) => ("-", size),
            None => ("", canonical),
        };
        if size == "0" {
            let zeros = ["0", "-0", "0.0", "-0.000", "0e0", "0E+99", "-0e-999", "0.00e9999"];
            let chosen = self.choose(zeros.len());
            self.out.push_str(zeros[chosen]);
            return;
        }
        let (mantissa, exponent) = size.split_once('e').unwrap_or((size, "0"));
        let exponent: i64 = exponent.parse().unwrap();
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let digits = all.trim_start_matches('0');
        let scale = exponent - fraction.len() as i64;
        let above_one = scale + digits.len() as i64;
        let e = ["e", "E", "e+", "E+00"][self.choose(4)];
        let spelled = match self.choose(8) {
            0 | 1 => size.to_owned(),
            2 if scale >= 0 => format!("{digits}{e}{scale}"),
            2 => format!("{digits}E{scale}"),
            3 => format!("0.{digits}e{above_one}"),
            4 => format!("0.000{digits}00E{}", above_one + 3),
            5 => format!("{digits}000.000e{}", scale - 3),
            6 if exponent == 0 && fraction.is_empty() => format!("{size}.0"),
            6 if exponent == 0 => format!("{size}00"),
            _ if exponent == 0 => format!("{size}{e}0"),
            _ => size.to_uppercase(),
        };
        self.out.push_str(sign);
        self.out.push_str(&spelled);
    }
}

/// The members or elements of a canonical object or array.
fn parts(container: &str) -> Vec<&str> {
    let inside = &container[1..container.len() - 1];
    let bytes = inside.as_bytes();
    let (mut parts, mut depth, mut start, mut at) = (Vec::new(), 0, 0, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at += string_end(&inside[at..]) - 1,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b',' if depth == 0 => {
                parts.push(&inside[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    if !inside.is_empty() {
        parts.push(&inside[start..]);
    }
    parts
}

/// The offset behind the string that `text` begins with.
fn string_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

//! Strict JSON and canonical form (wire.md §1), one value each.

use std::error::Error;

use waxwing_core::canonical::{self, Reason};
use waxwing_core::{ErrorCode, Limits};

use crate::vector::{File, Vector};

/// Accepted, in any spelling.
const ACCEPTED: [(&str, &str); 21] = [
    ("an empty object", "{}"),
    ("white space", " \t\r\n{ \"a\" : [ 1 , 2 ] } \n"),
    ("a value that is no object", "null"),
    ("literals", "[true,false,null]"),
    ("names are sorted", r#"{"b":1,"a":2,"aa":3,"":4}"#),
    (
        "names are sorted by UTF-16 code units (RFC 8785 §3.2.3)",
        r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#,
    ),
    ("a supplementary character sorts in front of U+FFFF", r#"{"\uffff":1,"\ud800\udc00":2}"#),
    ("names that programs know", r#"{"toString":1,"constructor":2,"__proto__":3}"#),
    ("equal names in different objects", r#"{"a":{"a":1},"b":{"a":1}}"#),
    ("escapes that are not needed", r#""\u0041\/\u00e9\u20ac\ud83d\ude00""#),
    ("escapes that are needed", r#""\u0000\u0001\u0008\u0009\u000a\u000b\u000c\u000d\u001f\"\\""#),
    ("characters that need no escape", "\"\u{7f}\u{80}\u{2028}\u{feff}\u{10ffff}\""),
    ("zeros", "[0,-0,0.0,-0.0,0e5,0E-5]"),
    ("integers in other spellings", "[1.0,10e-1,0.1e1,1E2,100e+0]"),
    ("the greatest safe integers", "[9007199254740991,-9007199254740991,9007199254740991.0]"),
    ("from 1e21 on a number is no bare integer", "[1e21,1.5e300,-1E21,123456789012345678901234]"),
    ("shortest spellings", "[0.1,0.30000000000000004,1e-7,0.000001,1.5e-10,123.456,5e-324]"),
    ("the greatest double", "1.7976931348623157e308"),
    ("a spelling of more digits than a double has", "0.1000000000000000055511151231257827"),
    ("too small for a double", "1e-999"),
    (
        "numbers of RFC 8785 §3.2.2",
        "[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001]",
    ),
];

/// Refused, and why.
const REFUSED: [(&str, &str, Reason); 34] = [
    ("nothing", "", Reason::UnexpectedEnd),
    ("white space alone", " \n", Reason::UnexpectedEnd),
    ("a second value", "{} {}", Reason::TrailingBytes),
    ("a byte order mark", "\u{feff}{}", Reason::ByteOrderMark),
    ("other white space", "\u{a0}{}", Reason::ExpectedValue),
    ("a comment", "/**/{}", Reason::ExpectedValue),
    ("an object that does not end", r#"{"a":1"#, Reason::UnexpectedEnd),
    ("a comma at the end of an object", r#"{"a":1,}"#, Reason::ExpectedName),
    ("a comma at the end of an array", "[1,]", Reason::ExpectedValue),
    ("no comma", "[1 2]", Reason::ExpectedCommaOrBracket),
    ("no colon", r#"{"a" 1}"#, Reason::ExpectedColon),
    ("the wrong bracket", "[1}", Reason::ExpectedCommaOrBracket),
    ("a name without quotes", "{a:1}", Reason::ExpectedName),
    ("single quotes", "['a']", Reason::ExpectedValue),
    ("an upper-case literal", "[True]", Reason::ExpectedValue),
    ("a name twice", r#"{"a":1,"a":1}"#, Reason::DuplicateName),
    ("a name twice after unescaping", r#"{"a":1,"\u0061":2}"#, Reason::DuplicateName),
    ("a name twice deep inside", r#"[{"b":{"x":1,"y":2,"x":3}}]"#, Reason::DuplicateName),
    ("a control character", "\"a\u{1}b\"", Reason::ControlCharacter),
    ("a line end in a string", "\"a\nb\"", Reason::ControlCharacter),
    ("an unknown escape", r#""\x41""#, Reason::BadEscape),
    ("an escape of three digits", r#""\u041""#, Reason::BadEscape),
    ("a lone high surrogate", r#""\ud800""#, Reason::LoneSurrogate),
    ("a lone low surrogate", r#""\udc00a""#, Reason::LoneSurrogate),
    ("two high surrogates", r#""\ud800\ud800""#, Reason::LoneSurrogate),
    ("a lone surrogate in a name", r#"{"\ud83d":1}"#, Reason::LoneSurrogate),
    ("a leading zero", "01", Reason::BadNumber),
    ("a plus sign", "+1", Reason::ExpectedValue),
    ("a point without digits", "[1.]", Reason::BadNumber),
    ("an exponent without digits", "[1e+]", Reason::BadNumber),
    ("NaN", "NaN", Reason::ExpectedValue),
    ("too large for a double", "1e309", Reason::NotFinite),
    ("2^53", "9007199254740992", Reason::UnsafeInteger),
    ("an unsafe integer in other words", "[-1e20]", Reason::UnsafeInteger),
];

const BYTES: [(&str, &[u8]); 3] = [
    ("not UTF-8", b"\"\xff\""),
    ("an overlong form", b"\"\xc0\xaf\""),
    ("a surrogate as bytes", b"\"\xed\xa0\x80\""),
];

pub(crate) fn file() -> Result<File, Box<dyn Error>> {
    let accepted = ACCEPTED.map(|(name, input)| (name, input.as_bytes().to_vec(), None));
    let refused =
        REFUSED.map(|(name, input, reason)| (name, input.as_bytes().to_vec(), Some(reason)));
    let bytes = BYTES.map(|(name, input)| (name, input.to_vec(), Some(Reason::NotUtf8)));
    let deep = |depth: usize| ["[".repeat(depth), "]".repeat(depth)].concat().into_bytes();
    let depths = [
        ("64 arrays", deep(64), None),
        ("65 arrays", deep(65), Some(Reason::TooDeep(64))),
        ("many arrays that do not end", vec![b'['; 5000], Some(Reason::TooDeep(64))),
    ];
    let cases = accepted.into_iter().chain(refused).chain(bytes).chain(depths);
    let mut vectors = cases
        .map(|(name, input, reason)| vector(name, &input, &Limits::DEFAULT, reason))
        .collect::<Result<Vec<_>, _>>()?;

    for (name, length, reason) in
        [("as long as allowed", 32, None), ("a byte too long", 33, Some(Reason::TooLarge(32)))]
    {
        let input = format!("{:<length$}", "{\"a\":1}");
        let limits = Limits::DEFAULT.with_max_message(32);
        let mut vector = vector(name, input.as_bytes(), &limits, reason)?;
        vector.max_message = Some(32);
        vectors.push(vector);
    }
    let about = "wire.md section 1: bytes, and their canonical text or why they are refused";
    Ok(File { about, head: None, vectors })
}

fn vector(
    name: &str,
    input: &[u8],
    limits: &Limits,
    expected: Option<Reason>,
) -> Result<Vector, Box<dyn Error>> {
    let mut vector = Vector::new(name, input, limits);
    let reason = canonical::canonicalize(input, limits).err().map(|error| error.reason());
    if reason != expected {
        return Err(format!("{name}: {reason:?} and not {expected:?}").into());
    }
    if let Some(reason) = reason {
        let code = match reason {
            Reason::TooLarge(_) => ErrorCode::TooLarge,
            _ => ErrorCode::Malformed,
        };
        vector.refuse(Some(code), reason.to_string());
    }
    Ok(vector)
}

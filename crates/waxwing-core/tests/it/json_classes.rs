//! The classes of JSONTestSuite inside the repository: what is accepted and its canonical form, what is
//! refused and why.

use waxwing_core::canonical::Reason;

use crate::oracle;

#[test]
fn what_is_accepted_has_one_canonical_form() {
    for (text, canonical) in [
        ("{}", "{}"),
        ("[]", "[]"),
        (" \t\r\n{ } \t\r\n", "{}"),
        ("[ ]\n", "[]"),
        ("null", "null"),
        (" true", "true"),
        ("false ", "false"),
        ("\"\"", "\"\""),
        ("42", "42"),
        ("-0.1", "-0.1"),
        ("[[] ]", "[[]]"),
        ("[1\n,\t2\r]", "[1,2]"),
        ("{\"a\":1,\"b\":2}", "{\"a\":1,\"b\":2}"),
        ("{\"b\":2,\"a\":1}", "{\"a\":1,\"b\":2}"),
        ("{\"a\" :\n[ { \"b\" : { } } ] }", "{\"a\":[{\"b\":{}}]}"),
        ("{\"\":0}", "{\"\":0}"),
        ("{\"a\":{\"x\":1},\"b\":{\"x\":1}}", "{\"a\":{\"x\":1},\"b\":{\"x\":1}}"),
        ("{\"e\\u0301\":1,\"\\u00e9\":2}", "{\"e\u{301}\":1,\"\u{e9}\":2}"),
        // Numbers.
        ("-0", "0"),
        ("0.0", "0"),
        ("-0e5", "0"),
        ("0e+1", "0"),
        ("1.0", "1"),
        ("1E2", "100"),
        ("1e-2", "0.01"),
        ("20e1", "200"),
        ("123.456e78", "1.23456e+80"),
        ("1.50", "1.5"),
        ("1e-999", "0"),
        ("123e-10000000", "0"),
        ("-1e-400", "0"),
        ("9007199254740991", "9007199254740991"),
        ("-9007199254740991.0", "-9007199254740991"),
        ("1e21", "1e+21"),
        ("1000000000000000000000", "1e+21"),
        ("0.1000000000000000055511151231257827", "0.1"),
        ("1.000000000000000005", "1"),
        ("5e-324", "5e-324"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
        // Strings.
        ("\"\\u0041\\/\"", "\"A/\""),
        ("\"\\\"\\\\\\b\\f\\n\\r\\t\"", "\"\\\"\\\\\\b\\f\\n\\r\\t\""),
        ("\"\\u0008\\u0009\\u000a\\u000C\\u000d\"", "\"\\b\\t\\n\\f\\r\""),
        ("\"\\u0000\\u001F\"", "\"\\u0000\\u001f\""),
        ("\"\\u0022\\u005c\\u007f\"", "\"\\\"\\\\\u{7f}\""),
        ("\"\\ud83d\\ude00\\uD834\\uDD1E\"", "\"\u{1f600}\u{1d11e}\""),
        ("\"\\uDBFF\\uDFFF\\uFFFE\\uFDD0\"", "\"\u{10ffff}\u{fffe}\u{fdd0}\""),
        ("\"\u{feff}\u{2028}\u{2029}\u{7f}\"", "\"\u{feff}\u{2028}\u{2029}\u{7f}\""),
        ("\"\\uFEFF\\u2028\"", "\"\u{feff}\u{2028}\""),
        ("\"/*a*/ // b #\"", "\"/*a*/ // b #\""),
    ] {
        assert_eq!(oracle::read(text.as_bytes()).as_deref(), Ok(canonical), "{text}");
    }
}

/// Refuses each of `texts`, for one of `reasons`.
fn refused(class: &str, reasons: &[Reason], texts: &[&[u8]]) {
    for bytes in texts {
        let reason = oracle::read(bytes).unwrap_err();
        assert!(reasons.contains(&reason), "{class}: {} {reason:?}", bytes.escape_ascii());
    }
}

#[test]
fn what_is_refused_is_refused_for_its_reason() {
    refused("nothing", &[Reason::UnexpectedEnd], &[b"", b" ", b"\n\r\t "]);
    refused(
        "cut",
        &[Reason::UnexpectedEnd],
        &[
            b"{",
            b"[",
            b"[1",
            b"[1,",
            b"{\"a\"",
            b"{\"a\":",
            b"{\"a\":1",
            b"{\"a\":1,",
            b"{\"a\":[{\"b\":",
            b"[[[",
        ],
    );
    refused(
        "cut inside a token",
        &[Reason::UnexpectedEnd],
        &[
            b"\"", b"\"abc", b"tr", b"nul", b"-", b"1.", b"1e", b"1E+", b"\"\\", b"\"\\u",
            b"\"\\u00",
        ],
    );
    refused(
        "two values",
        &[Reason::TrailingBytes],
        &[b"1 2", b"{}{}", b"[]]", b"{}}", b"{} //", b"null\0", b"truefalse"],
    );
    refused(
        "no value",
        &[Reason::ExpectedValue],
        &[
            b"]",
            b"}",
            b",",
            b":",
            b"[,]",
            b"[,1]",
            b"[1,]",
            b"[1,,2]",
            b"{\"a\":}",
            b"{\"a\":,}",
            b"+1",
            b".5",
            b"NaN",
            b"Infinity",
            b"True",
            b"nil",
            b"'a'",
            b"*",
            b"\\u0031",
            b"[<1>]",
            b"/**/1",
            b"#1",
            b"\x0c1",
            b"\xc2\xa01",
            b"\xe2\x81\xa01",
            b"\0",
            b"_",
            b"[\x0b1]",
        ],
    );
    refused(
        "no name",
        &[Reason::ExpectedName],
        &[
            b"{1:2}",
            b"{a:1}",
            b"{'a':1}",
            b"{,}",
            b"{\"a\":1,}",
            b"{null:1}",
            b"{[]:1}",
            b"{\"a\":1,,\"b\":2}",
        ],
    );
    refused(
        "no colon",
        &[Reason::ExpectedColon],
        &[b"{\"a\"}", b"{\"a\" 1}", b"{\"a\",1}", b"{\"a\"=1}", b"{\"a\"\"b\"}"],
    );
    refused(
        "no comma",
        &[Reason::ExpectedCommaOrBrace, Reason::ExpectedCommaOrBracket],
        &[
            b"{\"a\":1 \"b\":2}",
            b"{\"a\":1]",
            b"{\"a\":1:2}",
            b"[1 2]",
            b"[1}",
            b"[1:2]",
            b"[\"a\"\"b\"]",
            b"[1.2.3]",
            b"[1e2e3]",
            b"[-1-1]",
            b"[0x1]",
            b"[1a]",
            b"[1/2]",
            b"[true false]",
            b"[\"a\"\0]",
        ],
    );
    refused(
        "bad number",
        &[Reason::BadNumber],
        &[
            b"01",
            b"-01",
            b"00",
            b"-00.1",
            b"1.e1",
            b"1. ",
            b"-a",
            b"--1",
            b"-.5",
            b"1ee2",
            b"1e+-2",
            b"1e.5",
            b"0e ",
            b"[-]",
            b"[1.]",
            b"[2.e3]",
            b"[1e]",
            b"-Infinity",
            b"012.5",
        ],
    );
    refused(
        "too large",
        &[Reason::NotFinite],
        &[b"1e309", b"-1e9999", b"1.8e308", b"123123e100000"],
    );
    refused(
        "unsafe integer",
        &[Reason::UnsafeInteger],
        &[
            b"9007199254740992",
            b"-9007199254740993",
            b"1e20",
            b"9007199254740993.0",
            b"0.9007199254740993e16",
            b"-9223372036854775808",
            b"18446744073709551616",
            b"999999999999999900000",
        ],
    );
    refused(
        "control character",
        &[Reason::ControlCharacter],
        &[
            b"\"\0\"",
            b"\"a\nb\"",
            b"\"\t\"",
            b"\"\x1f\"",
            b"{\"a\r\":1}",
            b"\"0123456789abcdef\n\"",
        ],
    );
    refused(
        "bad escape",
        &[Reason::BadEscape],
        &[
            b"\"\\a\"",
            b"\"\\x00\"",
            b"\"\\'\"",
            b"\"\\u00g0 \"",
            b"\"\\U0041\"",
            b"\"\\\n\"",
            b"\"\\\xc3\xa9\"",
            b"\"\\u+041\"",
        ],
    );
    refused(
        "lone surrogate",
        &[Reason::LoneSurrogate],
        &[
            b"\"\\ud800\"",
            b"\"\\udc00\"",
            b"\"\\ud800\\n\"",
            b"\"\\ud800\\ud800\"",
            b"\"\\udc00\\ud800\"",
            b"\"\\ud800x\"",
            b"\"\\uD800\\u0041\"",
            b"{\"\\udfff\":1}",
        ],
    );
    refused(
        "not UTF-8",
        &[Reason::NotUtf8],
        &[
            b"\"\xff\"",
            b"\"\xc3\"",
            b"\"\x80\"",
            b"\"\xc0\xaf\"",
            b"\"\xe0\x80\x80\"",
            b"\"\xed\xa0\x80\"",
            b"\"\xf4\x90\x80\x80\"",
            b"\"\xf8\x88\x80\x80\x80\"",
            b"\"\xe9\"",
            b"{\"a\":\"\xe2\x82\"}",
            b"1\xff",
            b"\xff\xfe[\0]\0",
            b"[1]\xe5",
        ],
    );
    refused(
        "byte order mark",
        &[Reason::ByteOrderMark],
        &[b"\xef\xbb\xbf{}", b"\xef\xbb\xbf", b"\xef\xbb\xbf 1"],
    );
    refused(
        "name twice",
        &[Reason::DuplicateName],
        &[
            b"{\"a\":1,\"a\":1}",
            b"{\"a\":1,\"a\":2}",
            b"{\"a\":1,\"\\u0061\":2}",
            b"{\"\":1,\"\":2}",
            b"{\"a\":0,\"b\":1,\"a\":2}",
            b"[{\"x\":{\"a\":1,\"b\":1,\"a\":1}}]",
            b"{\"\\/\":1,\"/\":2}",
            b"{\"\\u00e9\":1,\"\xc3\xa9\":2}",
            b"{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}",
        ],
    );
    refused(
        "UTF-16",
        &[Reason::ExpectedName, Reason::UnexpectedEnd, Reason::ExpectedValue],
        &[b"{\0}\0", b"\0{\0}", b"[\0]\0"],
    );
}

//! RFC 8785 as published: its files, its numbers, its order of names.

use std::collections::HashMap;
use std::io::Read as _;

use flate2::read::GzDecoder;
use sha2::{Digest as _, Sha256};
use waxwing_core::{Limits, canonical};
use waxwing_testkit::{data, es6_numbers};

use crate::oracle;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_published_files_come_out_as_published() {
    let Some(folder) = data::folder("rfc8785 files") else { return };
    let folder = folder.join("jcs/testdata");
    let files = data::files(&folder.join("input"));
    assert_eq!(files.len(), 6);
    for (name, input) in files {
        let canonical = oracle::read(&input).unwrap();
        let expected = data::file(&folder.join("output").join(&name));
        assert_eq!(canonical.as_bytes(), expected, "{name}");
        let in_hex = data::file(&folder.join("outhex").join(name.replace(".json", ".txt")));
        let in_hex: String =
            String::from_utf8(in_hex).unwrap().split_whitespace().collect::<Vec<_>>().concat();
        assert_eq!(hex(canonical.as_bytes()), in_hex, "{name}");
    }
}

#[test]
fn the_published_numbers_are_spelled_as_published() {
    let Some(folder) = data::folder("rfc8785 numbers") else { return };
    let packed = data::file(&folder.join("jcs/es6-numbers-100k.txt.gz"));
    let mut text = String::new();
    GzDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
    let (count, checksum) = es6_numbers::CHECKSUMS[2];
    assert_eq!(hex(&Sha256::digest(&text)), checksum);
    assert_eq!(text.lines().count(), count);
    for (line, made) in text.lines().zip(es6_numbers::sequence()) {
        let (bits, spelling) = line.split_once(',').unwrap();
        let value = f64::from_bits(u64::from_str_radix(bits, 16).unwrap());
        assert_eq!(value.to_bits(), made.to_bits());
        one_spelling(value, spelling);
    }
}

/// `value` is written so, and only that text is canonical among its neighbours.
fn one_spelling(value: f64, spelling: &str) {
    let limits = Limits::default();
    assert_eq!(canonical::number_to_string(value).unwrap(), spelling);
    let refused = value.abs() > 9_007_199_254_740_991.0 && value.abs() < 1e21;
    assert_eq!(canonical::to_vec(&value).is_err(), refused, "{spelling}");
    assert_eq!(canonical::check(spelling.as_bytes(), &limits).is_ok(), !refused, "{spelling}");
    if !refused {
        assert_eq!(canonical::to_vec(&value).unwrap(), spelling.as_bytes());
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test command says how long tests may take")]
fn a_million_generated_numbers_have_the_published_checksum() {
    let quick = std::env::var_os("WAXWING_QUICK").is_some();
    let (count, checksum) = es6_numbers::CHECKSUMS[if quick { 1 } else { 3 }];
    let mut hash = Sha256::new();
    let mut lines = String::new();
    for value in es6_numbers::sequence().take(count) {
        let spelling = canonical::number_to_string(value).unwrap();
        lines.push_str(&format!("{:x},{spelling}\n", value.to_bits()));
        if lines.len() > 1 << 16 {
            hash.update(&lines);
            lines.clear();
        }
    }
    hash.update(&lines);
    assert_eq!(hex(&hash.finalize()), checksum);
}

#[test]
fn numbers_of_the_appendix_and_at_the_edges() {
    for (bits, spelling) in [
        // RFC 8785, appendix B.
        (0x0000_0000_0000_0000, "0"),
        (0x8000_0000_0000_0000, "0"),
        (0x0000_0000_0000_0001, "5e-324"),
        (0x8000_0000_0000_0001, "-5e-324"),
        (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
        (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
        (0x4340_0000_0000_0000, "9007199254740992"),
        (0xc340_0000_0000_0000, "-9007199254740992"),
        (0x4430_0000_0000_0000, "295147905179352830000"),
        (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
        (0x44b5_2d02_c7e1_4af6, "1e+23"),
        (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
        (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
        (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
        (0x444b_1ae4_d6e2_ef50, "1e+21"),
        (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
        (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
        (0x41b3_de43_5555_5553, "333333333.3333332"),
        (0x41b3_de43_5555_5554, "333333333.33333325"),
        (0x41b3_de43_5555_5555, "333333333.3333333"),
        (0x41b3_de43_5555_5556, "333333333.3333334"),
        (0x41b3_de43_5555_5557, "333333333.33333343"),
        (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
        (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        // Where this project's own shortcuts begin and end.
        (0x433f_ffff_ffff_ffff, "9007199254740991"),
        (0xbe3a_5abc_fc14_aea4, "-6.1361226666555e-9"),
    ] {
        one_spelling(f64::from_bits(bits), spelling);
    }
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(canonical::number_to_string(value).is_err());
    }
}

/// A mantissa that fills a block of sixteen bytes and an exponent behind it were once judged together.
#[test]
fn exponents_behind_long_mantissas_are_canonical() {
    for whole in ["1", "-9", "6"] {
        for digits in 1..=16 {
            for exponent in
                ["e-7", "e-9", "e-12", "e-100", "e-308", "e+21", "e+22", "e+99", "e+307"]
            {
                let fraction = &"1361226666555537"[..digits];
                let text = format!("{whole}.{fraction}{exponent}");
                let value: f64 = text.parse().unwrap();
                if canonical::number_to_string(value).unwrap() == text {
                    one_spelling(value, &text);
                }
                _ = oracle::read(text.as_bytes());
            }
        }
    }
}

/// The example of RFC 8785 §3.2.3, and names that tell other orders from that of UTF-16.
#[test]
fn names_are_sorted_as_utf16_sorts_them() {
    let names = [
        "",
        "\u{0}",
        "\u{7}",
        "\u{8}",
        "\t",
        "\n",
        "\u{b}",
        "\r",
        "\u{1f}",
        " ",
        "\"",
        "1",
        "10",
        "A",
        "\\",
        "a",
        "a\u{0}",
        "a\"",
        "aa",
        "abcdefgh",
        "abcdefgh1",
        "abcdefghi",
        "abcdefg\u{e9}",
        "b",
        "\u{7f}",
        "\u{80}",
        "\u{f6}",
        "\u{20ac}",
        "\u{d7ff}",
        "\u{10000}",
        "\u{1f600}",
        "\u{1f600}a",
        "\u{10ffff}",
        "\u{e000}",
        "\u{fb33}",
        "\u{ffff}",
    ];
    assert!(names.is_sorted_by(|a, b| a.encode_utf16().lt(b.encode_utf16())));
    assert!(!names.is_sorted(), "code points sort otherwise");
    let member =
        |name: &str| format!("{}:0", String::from_utf8(canonical::to_vec(name).unwrap()).unwrap());
    let joined = |names: &[&str]| {
        format!("{{{}}}", names.iter().map(|name| member(name)).collect::<Vec<_>>().join(","))
    };
    let canonical = joined(&names);
    assert_eq!(oracle::read(canonical.as_bytes()), Ok(canonical.clone()));
    let reversed: Vec<&str> = names.into_iter().rev().collect();
    assert_eq!(oracle::read(joined(&reversed).as_bytes()), Ok(canonical.clone()));
    let map: HashMap<&str, u8> = names.into_iter().map(|name| (name, 0)).collect();
    assert_eq!(canonical::to_vec(&map).unwrap(), canonical.as_bytes());
    for pair in names.windows(2) {
        let limits = Limits::default();
        assert!(canonical::check(joined(pair).as_bytes(), &limits).is_ok(), "{pair:?}");
        let swapped = joined(&[pair[1], pair[0]]);
        assert!(canonical::check(swapped.as_bytes(), &limits).is_err(), "{pair:?}");
    }
}

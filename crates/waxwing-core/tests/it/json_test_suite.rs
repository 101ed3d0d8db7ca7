//! JSONTestSuite: a verdict for each file.

use waxwing_core::canonical::Reason;
use waxwing_testkit::data;

use crate::oracle;

/// Verdicts on the files where the suite leaves the choice, and on its `test_transform`.
const VERDICTS: &[(&str, Result<&str, Reason>)] = &[
    ("i_number_double_huge_neg_exp.json", Ok("[0]")),
    ("i_number_huge_exp.json", Err(Reason::NotFinite)),
    ("i_number_neg_int_huge_exp.json", Err(Reason::NotFinite)),
    ("i_number_pos_double_huge_exp.json", Err(Reason::NotFinite)),
    ("i_number_real_neg_overflow.json", Err(Reason::NotFinite)),
    ("i_number_real_pos_overflow.json", Err(Reason::NotFinite)),
    ("i_number_real_underflow.json", Ok("[0]")),
    ("i_number_too_big_neg_int.json", Ok("[-1.2312312312312312e+29]")),
    ("i_number_too_big_pos_int.json", Err(Reason::UnsafeInteger)),
    ("i_number_very_big_negative_int.json", Ok("[-2.374623746732769e+47]")),
    ("i_object_key_lone_2nd_surrogate.json", Err(Reason::LoneSurrogate)),
    ("i_string_1st_surrogate_but_2nd_missing.json", Err(Reason::LoneSurrogate)),
    ("i_string_1st_valid_surrogate_2nd_invalid.json", Err(Reason::LoneSurrogate)),
    ("i_string_UTF-16LE_with_BOM.json", Err(Reason::NotUtf8)),
    ("i_string_UTF-8_invalid_sequence.json", Err(Reason::NotUtf8)),
    ("i_string_UTF8_surrogate_U+D800.json", Err(Reason::NotUtf8)),
    ("i_string_incomplete_surrogate_and_escape_valid.json", Err(Reason::LoneSurrogate)),
    ("i_string_incomplete_surrogate_pair.json", Err(Reason::LoneSurrogate)),
    ("i_string_incomplete_surrogates_escape_valid.json", Err(Reason::LoneSurrogate)),
    ("i_string_invalid_lonely_surrogate.json", Err(Reason::LoneSurrogate)),
    ("i_string_invalid_surrogate.json", Err(Reason::LoneSurrogate)),
    ("i_string_invalid_utf-8.json", Err(Reason::NotUtf8)),
    ("i_string_inverted_surrogates_U+1D11E.json", Err(Reason::LoneSurrogate)),
    ("i_string_iso_latin_1.json", Err(Reason::NotUtf8)),
    ("i_string_lone_second_surrogate.json", Err(Reason::LoneSurrogate)),
    ("i_string_lone_utf8_continuation_byte.json", Err(Reason::NotUtf8)),
    ("i_string_not_in_unicode_range.json", Err(Reason::NotUtf8)),
    ("i_string_overlong_sequence_2_bytes.json", Err(Reason::NotUtf8)),
    ("i_string_overlong_sequence_6_bytes.json", Err(Reason::NotUtf8)),
    ("i_string_overlong_sequence_6_bytes_null.json", Err(Reason::NotUtf8)),
    ("i_string_truncated-utf-8.json", Err(Reason::NotUtf8)),
    ("i_string_utf16BE_no_BOM.json", Err(Reason::NotUtf8)),
    ("i_string_utf16LE_no_BOM.json", Err(Reason::NotUtf8)),
    ("i_structure_500_nested_arrays.json", Err(Reason::TooDeep(64))),
    ("i_structure_UTF-8_BOM_empty_object.json", Err(Reason::ByteOrderMark)),
    ("number_-9223372036854775808.json", Err(Reason::UnsafeInteger)),
    ("number_-9223372036854775809.json", Err(Reason::UnsafeInteger)),
    ("number_1.0.json", Ok("[1]")),
    ("number_1.000000000000000005.json", Ok("[1]")),
    ("number_1000000000000000.json", Ok("[1000000000000000]")),
    ("number_10000000000000000999.json", Err(Reason::UnsafeInteger)),
    ("number_1e-999.json", Ok("[0]")),
    ("number_1e6.json", Ok("[1000000]")),
    ("number_9223372036854775807.json", Err(Reason::UnsafeInteger)),
    ("number_9223372036854775808.json", Err(Reason::UnsafeInteger)),
    ("object_key_nfc_nfd.json", Ok("{\"e\u{301}\":\"NFD\",\"\u{e9}\":\"NFC\"}")),
    ("object_key_nfd_nfc.json", Ok("{\"e\u{301}\":\"NFD\",\"\u{e9}\":\"NFC\"}")),
    ("object_same_key_different_values.json", Err(Reason::DuplicateName)),
    ("object_same_key_same_value.json", Err(Reason::DuplicateName)),
    ("object_same_key_unclear_values.json", Err(Reason::DuplicateName)),
    ("string_1_escaped_invalid_codepoint.json", Err(Reason::LoneSurrogate)),
    ("string_1_invalid_codepoint.json", Err(Reason::NotUtf8)),
    ("string_2_escaped_invalid_codepoints.json", Err(Reason::LoneSurrogate)),
    ("string_2_invalid_codepoints.json", Err(Reason::NotUtf8)),
    ("string_3_escaped_invalid_codepoints.json", Err(Reason::LoneSurrogate)),
    ("string_3_invalid_codepoints.json", Err(Reason::NotUtf8)),
    ("string_with_escaped_NULL.json", Ok("[\"A\\u0000B\"]")),
];

#[test]
fn the_suite_has_the_fixed_verdicts() {
    let Some(folder) = data::folder("JSONTestSuite") else { return };
    let folder = folder.join("json-test-suite");
    let (mut accepted, mut refused, mut listed) = (0, 0, 0);
    for (name, bytes) in data::files(&folder.join("test_parsing")) {
        let verdict = oracle::read(&bytes);
        match name.split_once('_').unwrap().0 {
            "n" => {
                assert!(verdict.is_err(), "{name}");
                refused += 1;
            }
            "y" if name.starts_with("y_object_duplicated_key") => {
                assert_eq!(verdict, Err(Reason::DuplicateName), "{name}");
            }
            "y" => {
                assert!(verdict.is_ok(), "{name}: {verdict:?}");
                accepted += 1;
            }
            _ => {
                holds(&name, &verdict);
                listed += 1;
            }
        }
    }
    assert_eq!((accepted, refused, listed), (93, 188, 35));
    for (name, bytes) in data::files(&folder.join("test_transform")) {
        holds(&name, &oracle::read(&bytes));
        listed += 1;
    }
    assert_eq!(listed, VERDICTS.len());
}

fn holds(name: &str, verdict: &Result<String, Reason>) {
    let listed = VERDICTS.iter().find(|(listed, _)| *listed == name);
    let (_, expected) = listed.unwrap_or_else(|| panic!("no verdict on {name}: {verdict:?}"));
    assert_eq!(verdict.as_deref(), expected.as_ref().copied(), "{name}");
}

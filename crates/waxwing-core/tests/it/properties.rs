//! Properties of the readers and the writer: one value has one spelling, and every way to it agrees.

use std::borrow::Cow;
use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::sample::Index;
use serde_json::Value;
use waxwing_core::canonical::{self, CanonicalJson, Reason, WriteError};
use waxwing_core::{Limits, Scratch};

use crate::oracle::{self, same};
use crate::respell::respell;
use crate::values;

fn written(value: &Value) -> String {
    String::from_utf8(canonical::to_vec(value).unwrap()).unwrap()
}

/// One change to a text, at a place of its own.
#[derive(Clone, Debug)]
enum Edit {
    Replace(u8),
    Insert(u8),
    Remove,
    Repeat(usize),
    Cut,
}

fn edit() -> impl Strategy<Value = Edit> {
    let byte = || {
        let telling = b"{}[],:\"\\/-+.eE0123456789 \n\ttruefalsnbu\x00\x1f\x80\xc3\xed\xef\xf0\xff";
        prop_oneof![any::<Index>().prop_map(|index| *index.get(telling)), any::<u8>()]
    };
    prop_oneof![
        4 => byte().prop_map(Edit::Replace),
        4 => byte().prop_map(Edit::Insert),
        4 => any::<bool>().prop_map(|_| Edit::Remove),
        2 => (1..30_usize).prop_map(Edit::Repeat),
        1 => any::<bool>().prop_map(|_| Edit::Cut),
    ]
}

fn edited(text: &str, edits: &[(Index, Edit)]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for (place, edit) in edits {
        if bytes.is_empty() {
            break;
        }
        let at = place.index(bytes.len());
        match edit {
            Edit::Replace(byte) => bytes[at] = *byte,
            Edit::Insert(byte) => bytes.insert(at, *byte),
            Edit::Remove => _ = bytes.remove(at),
            Edit::Repeat(length) => {
                let copy = bytes[at..(at + length).min(bytes.len())].to_vec();
                bytes.splice(at..at, copy);
            }
            Edit::Cut => bytes.truncate(at),
        }
    }
    bytes
}

proptest! {
    #[test]
    fn a_value_written_reads_back_equal(value in values::value()) {
        let text = written(&value);
        prop_assert_eq!(canonical::check(text.as_bytes(), &Limits::default()), Ok(text.as_str()));
        let read = CanonicalJson::read(text.as_bytes(), &Limits::default()).unwrap();
        prop_assert_eq!(read.as_str(), &text);
        let back: Value = read.decode().unwrap();
        prop_assert!(same(&back, &value));
        prop_assert_eq!(written(&back), text);
    }

    #[test]
    fn every_spelling_has_one_canonical_form(
        value in values::value(),
        choices in vec(any::<u8>(), 0..200),
    ) {
        let text = written(&value);
        let respelled = respell(&text, &choices);
        prop_assert_eq!(oracle::read(respelled.as_bytes()), Ok(text));
    }

    #[test]
    fn canonical_input_is_borrowed(value in values::value()) {
        let text = written(&value);
        let canonical = canonical::canonicalize(text.as_bytes(), &Limits::default()).unwrap();
        prop_assert!(matches!(canonical, Cow::Borrowed(_)));
    }

    #[test]
    fn readers_agree_on_broken_documents(
        value in values::value(),
        choices in vec(any::<u8>(), 0..20),
        edits in vec((any::<Index>(), edit()), 1..5),
    ) {
        _ = oracle::read(&edited(&respell(&written(&value), &choices), &edits));
        _ = oracle::read(&edited(&written(&value), &edits));
    }

    #[test]
    fn readers_agree_on_any_bytes(bytes in vec(any::<u8>(), 0..200), text in "[ \\[\\]{},:\"\\\\0-9a-f.eE+-]{0,60}") {
        _ = oracle::read(&bytes);
        _ = oracle::read(text.as_bytes());
    }

    #[test]
    fn readers_agree_on_arrays_of_numbers(
        tokens in vec(prop_oneof![
            6 => "-?(0|[1-9][0-9]{0,5})(\\.[0-9]{0,5}[1-9])?",
            2 => values::double().prop_map(|value| canonical::number_to_string(value).unwrap()),
            1 => "-?[0-9]{1,20}(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?",
            1 => "[-+.eE0-9]{0,24}",
        ], 0..40),
    ) {
        _ = oracle::read(format!("[{}]", tokens.join(",")).as_bytes());
        for token in tokens {
            _ = oracle::read(token.as_bytes());
        }
    }

    #[test]
    fn the_writer_agrees_with_the_reader(value in values::value()) {
        let text = serde_json::to_vec(&value).unwrap();
        let canonical = canonical::canonicalize(&text, &Limits::default()).unwrap();
        prop_assert_eq!(written(&value), canonical);
    }

    /// Scratch that was used before, for a success or a failure, changes nothing.
    #[test]
    fn scratch_keeps_nothing(values in vec(values::value(), 1..6), broken in any::<bool>()) {
        let (mut scratch, mut out) = (Scratch::new(), Vec::new());
        for value in &values {
            if broken {
                let map = BTreeMap::from([("b", f64::NAN), ("a", 1.0)]);
                prop_assert_eq!(
                    canonical::write_into(&(value, map), &mut scratch, &mut out),
                    Err(WriteError::NotFinite)
                );
                prop_assert!(out.is_empty());
            }
            canonical::write_into(value, &mut scratch, &mut out).unwrap();
            prop_assert_eq!(std::str::from_utf8(&out).unwrap(), written(value));
            out.clear();
        }
    }

    #[test]
    fn names_are_ordered_as_utf16(names in vec(values::text(), 0..12)) {
        let members: Vec<String> =
            names.iter().map(|name| format!("{}:0", serde_json::to_string(name).unwrap())).collect();
        let text = format!("{{{}}}", members.join(","));
        let mut sorted = names;
        sorted.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
        let unique = sorted.windows(2).all(|pair| pair[0] != pair[1]);
        match oracle::read(text.as_bytes()) {
            Ok(canonical) => {
                prop_assert!(unique);
                let expected: Vec<String> = sorted
                    .iter()
                    .map(|name| format!("{}:0", written(&Value::from(name.as_str()))))
                    .collect();
                prop_assert_eq!(canonical, format!("{{{}}}", expected.join(",")));
            }
            Err(reason) => prop_assert_eq!((reason, unique), (Reason::DuplicateName, false)),
        }
    }
}

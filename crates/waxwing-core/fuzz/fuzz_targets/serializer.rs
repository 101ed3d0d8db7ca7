//! The canonical serializer against the canonical form of what serde_json writes: the same bytes, or
//! both refuse.
#![no_main]

use arbitrary::{Arbitrary, Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use serde::ser::{SerializeMap, SerializeSeq, SerializeStructVariant, SerializeTupleVariant};
use serde::{Serialize, Serializer};
use waxwing_core::canonical;
use waxwing_core_fuzz::LIMITS;

fuzz_target!(|node: Node| {
    let ours = canonical::to_vec(&node);
    let text = serde_json::to_vec(&node).unwrap();
    let theirs = canonical::canonicalize(&text, &LIMITS);
    match (&ours, &theirs) {
        (Ok(ours), Ok(theirs)) => assert_eq!(std::str::from_utf8(ours), Ok(theirs.as_ref())),
        (Err(_), Err(_)) => {}
        // serde_json writes null for them.
        (Err(canonical::WriteError::NotFinite), Ok(_)) => {}
        _ => panic!("{ours:?} {theirs:?}"),
    }
});

/// A value in serde's data model; members of a map may have one name.
#[derive(Debug)]
enum Node {
    Unit,
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Char(char),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
    Numbered(Vec<(i16, Node)>),
    Newtype(Box<Node>),
    Tuple(Vec<Node>),
    Struct(Vec<Node>),
}

const FIELDS: [&str; 5] = ["z", "a", "\u{fb33}", "\u{1f600}", "a\n"];

impl<'a> Arbitrary<'a> for Node {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        node(bytes, 6)
    }
}

fn node(bytes: &mut Unstructured<'_>, depth: u32) -> Result<Node> {
    let leaf = depth == 0 || bytes.is_empty();
    Ok(match bytes.int_in_range(0..=if leaf { 7 } else { 13 })? {
        0 => Node::Unit,
        1 => Node::Bool(bytes.arbitrary()?),
        2 => Node::Signed(bytes.arbitrary()?),
        3 => Node::Unsigned(u64::from(bytes.arbitrary::<u32>()?)),
        4 => Node::Float(bytes.arbitrary()?),
        5 => Node::Float(f64::from(bytes.arbitrary::<i32>()?) / 1000.0),
        6 => Node::Char(bytes.arbitrary()?),
        7 => Node::Text(bytes.arbitrary()?),
        8 => Node::List(nodes(bytes, depth)?),
        9 => {
            let values = nodes(bytes, depth)?;
            let name = |bytes: &mut Unstructured<'_>| bytes.arbitrary::<String>();
            let named = values.into_iter().map(|value| Ok((name(bytes)?, value)));
            Node::Map(named.collect::<Result<_>>()?)
        }
        10 => {
            let values = nodes(bytes, depth)?;
            let named = values.into_iter().map(|value| Ok((bytes.arbitrary()?, value)));
            Node::Numbered(named.collect::<Result<_>>()?)
        }
        11 => Node::Newtype(Box::new(node(bytes, depth - 1)?)),
        12 => Node::Tuple(nodes(bytes, depth)?),
        _ => Node::Struct(nodes(bytes, depth)?),
    })
}

fn nodes(bytes: &mut Unstructured<'_>, depth: u32) -> Result<Vec<Node>> {
    let count = bytes.int_in_range(0..=7)?;
    (0..count).map(|_| node(bytes, depth - 1)).collect()
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Node::Unit => to.serialize_unit(),
            Node::Bool(value) => to.serialize_bool(*value),
            Node::Signed(value) => to.serialize_i64(*value),
            Node::Unsigned(value) => to.serialize_u64(*value),
            Node::Float(value) => to.serialize_f64(*value),
            Node::Char(value) => to.serialize_char(*value),
            Node::Text(value) => to.serialize_str(value),
            Node::List(values) => {
                let mut list = to.serialize_seq(None)?;
                values.iter().try_for_each(|value| list.serialize_element(value))?;
                list.end()
            }
            Node::Map(members) => {
                let mut map = to.serialize_map(None)?;
                members.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
                map.end()
            }
            Node::Numbered(members) => {
                let mut map = to.serialize_map(Some(members.len()))?;
                members.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
                map.end()
            }
            Node::Newtype(value) => to.serialize_newtype_variant("Node", 0, "new\"type", value),
            Node::Tuple(values) => {
                let mut tuple = to.serialize_tuple_variant("Node", 1, "tuple", values.len())?;
                values.iter().try_for_each(|value| tuple.serialize_field(value))?;
                tuple.end()
            }
            Node::Struct(values) => {
                let mut fields = to.serialize_struct_variant("Node", 2, "struct", values.len())?;
                for (name, value) in FIELDS.iter().zip(values) {
                    fields.serialize_field(name, value)?;
                }
                fields.end()
            }
        }
    }
}

//! The part of the serializer that writes a map's key as a member name.

use serde::Serialize;
use serde::ser::{Impossible, Serializer};

use super::error::WriteError;
use super::string;

/// Writes a map's key as a member name: strings, and the scalars that have one obvious spelling.
pub(super) struct NameWriter<'w> {
    out: &'w mut Vec<u8>,
}

impl<'w> NameWriter<'w> {
    pub(super) fn new(out: &'w mut Vec<u8>) -> Self {
        Self { out }
    }
}

type Never = Impossible<(), WriteError>;

macro_rules! spelled_names {
    ($($method:ident: $type:ty),*) => {
        $(fn $method(self, value: $type) -> Result<(), WriteError> {
            string::write(&value.to_string(), self.out);
            Ok(())
        })*
    };
}

impl Serializer for NameWriter<'_> {
    type Ok = ();
    type Error = WriteError;
    type SerializeSeq = Never;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Never;
    type SerializeStruct = Never;
    type SerializeStructVariant = Never;

    spelled_names! {
        serialize_bool: bool, serialize_char: char,
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_i128: i128, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32,
        serialize_u64: u64, serialize_u128: u128
    }

    fn serialize_str(self, value: &str) -> Result<(), WriteError> {
        string::write(value, self.out);
        Ok(())
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), WriteError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), WriteError> {
        value.serialize(self)
    }

    fn serialize_f32(self, _: f32) -> Result<(), WriteError> {
        Err(WriteError::NameNotString)
    }

    fn serialize_f64(self, _: f64) -> Result<(), WriteError> {
        Err(WriteError::NameNotString)
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), WriteError> {
        Err(WriteError::NameNotString)
    }

    fn serialize_none(self) -> Result<(), WriteError> {
        Err(WriteError::NameNotString)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<(), WriteError> {
        Err(WriteError::NameNotString)
    }

    fn serialize_unit(self) -> Result<(), WriteError> {
        Err(WriteError::NameNotString)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), WriteError> {
        Err(WriteError::NameNotString)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), WriteError> {
        Err(WriteError::NameNotString)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Never, WriteError> {
        Err(WriteError::NameNotString)
    }

    fn serialize_tuple(self, _: usize) -> Result<Never, WriteError> {
        Err(WriteError::NameNotString)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Never, WriteError> {
        Err(WriteError::NameNotString)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Never, WriteError> {
        Err(WriteError::NameNotString)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Never, WriteError> {
        Err(WriteError::NameNotString)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Never, WriteError> {
        Err(WriteError::NameNotString)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Never, WriteError> {
        Err(WriteError::NameNotString)
    }
}

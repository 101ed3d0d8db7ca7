//! A serde serializer that writes canonical JSON: members sorted where they stand, no tree.

use std::fmt::Display;

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::error::WriteError;
use super::members::{Members, Open};
use super::ser_name::NameWriter;
use super::{number, string};
use crate::limits::Limits;

/// Writes `value` canonically behind what `out` holds. On an error `out` holds a part of the value
/// that the caller must drop.
pub(super) fn write<T: Serialize + ?Sized>(
    value: &T,
    members: &mut Members,
    out: &mut Vec<u8>,
) -> Result<(), WriteError> {
    members.clear();
    value.serialize(&mut Writer { out, members, depth: 0, comma: false })
}

pub(super) struct Writer<'w> {
    out: &'w mut Vec<u8>,
    members: &'w mut Members,
    depth: usize,
    /// Whether a comma stands in front of the next value. It is written together with the value:
    /// each write by itself waits for the length that the last one left.
    comma: bool,
}

impl Writer<'_> {
    /// Where the next value goes.
    #[inline]
    fn out(&mut self) -> &mut Vec<u8> {
        if std::mem::take(&mut self.comma) {
            self.out.push(b',');
        }
        self.out
    }

    #[inline]
    fn deeper(&mut self) -> Result<(), WriteError> {
        self.depth += 1;
        if self.depth > Limits::DEEPEST {
            return Err(WriteError::TooDeep(Limits::DEEPEST));
        }
        Ok(())
    }

    #[inline]
    fn open_object(&mut self) -> Result<Open, WriteError> {
        self.deeper()?;
        self.out();
        Ok(self.members.open(self.out))
    }

    #[inline]
    fn close_object(&mut self, open: &Open) -> Result<(), WriteError> {
        self.depth -= 1;
        self.members.close(open, self.out).map_err(|_| WriteError::DuplicateName)
    }

    #[inline]
    fn open_array(&mut self) -> Result<(), WriteError> {
        self.deeper()?;
        self.out().push(b'[');
        Ok(())
    }

    #[inline]
    fn close_array(&mut self) {
        self.depth -= 1;
        self.out.push(b']');
    }

    /// Opens `{"variant":`, which [`Self::close_variant`] ends.
    fn open_variant(&mut self, variant: &str) -> Result<(), WriteError> {
        self.deeper()?;
        self.out().push(b'{');
        string::write(variant, self.out);
        self.out.push(b':');
        Ok(())
    }

    fn close_variant(&mut self) {
        self.depth -= 1;
        self.out.push(b'}');
    }
}

impl<'a, 'w> Serializer for &'a mut Writer<'w> {
    type Ok = ();
    type Error = WriteError;
    type SerializeSeq = Array<'a, 'w>;
    type SerializeTuple = Array<'a, 'w>;
    type SerializeTupleStruct = Array<'a, 'w>;
    type SerializeTupleVariant = Array<'a, 'w>;
    type SerializeMap = Object<'a, 'w>;
    type SerializeStruct = Object<'a, 'w>;
    type SerializeStructVariant = Object<'a, 'w>;

    fn serialize_bool(self, value: bool) -> Result<(), WriteError> {
        self.out().extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), WriteError> {
        self.serialize_i64(i64::from(value))
    }

    fn serialize_i16(self, value: i16) -> Result<(), WriteError> {
        self.serialize_i64(i64::from(value))
    }

    fn serialize_i32(self, value: i32) -> Result<(), WriteError> {
        self.serialize_i64(i64::from(value))
    }

    #[inline]
    fn serialize_i64(self, value: i64) -> Result<(), WriteError> {
        number::write_integer(value.is_negative(), value.unsigned_abs(), self.out())
    }

    fn serialize_i128(self, value: i128) -> Result<(), WriteError> {
        let value = i64::try_from(value).map_err(|_| WriteError::UnsafeInteger)?;
        self.serialize_i64(value)
    }

    fn serialize_u8(self, value: u8) -> Result<(), WriteError> {
        self.serialize_u64(u64::from(value))
    }

    fn serialize_u16(self, value: u16) -> Result<(), WriteError> {
        self.serialize_u64(u64::from(value))
    }

    fn serialize_u32(self, value: u32) -> Result<(), WriteError> {
        self.serialize_u64(u64::from(value))
    }

    #[inline]
    fn serialize_u64(self, value: u64) -> Result<(), WriteError> {
        number::write_integer(false, value, self.out())
    }

    fn serialize_u128(self, value: u128) -> Result<(), WriteError> {
        let value = u64::try_from(value).map_err(|_| WriteError::UnsafeInteger)?;
        self.serialize_u64(value)
    }

    fn serialize_f32(self, value: f32) -> Result<(), WriteError> {
        self.serialize_f64(f64::from(value))
    }

    #[inline]
    fn serialize_f64(self, value: f64) -> Result<(), WriteError> {
        let comma = std::mem::take(&mut self.comma);
        number::write(value, comma, self.out)
    }

    fn serialize_char(self, value: char) -> Result<(), WriteError> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<(), WriteError> {
        string::write(value, self.out());
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), WriteError> {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Result<(), WriteError> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), WriteError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), WriteError> {
        self.out().extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), WriteError> {
        self.serialize_unit()
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

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), WriteError> {
        self.open_variant(variant)?;
        value.serialize(&mut *self)?;
        self.close_variant();
        Ok(())
    }

    #[inline]
    fn serialize_seq(self, _length: Option<usize>) -> Result<Array<'a, 'w>, WriteError> {
        self.open_array()?;
        Ok(Array { writer: self, first: true, in_variant: false })
    }

    fn serialize_tuple(self, length: usize) -> Result<Array<'a, 'w>, WriteError> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        length: usize,
    ) -> Result<Array<'a, 'w>, WriteError> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Array<'a, 'w>, WriteError> {
        self.open_variant(variant)?;
        self.open_array()?;
        Ok(Array { writer: self, first: true, in_variant: true })
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Object<'a, 'w>, WriteError> {
        let open = self.open_object()?;
        Ok(Object { writer: self, open, in_variant: false })
    }

    #[inline]
    fn serialize_struct(
        self,
        _name: &'static str,
        _length: usize,
    ) -> Result<Object<'a, 'w>, WriteError> {
        let open = self.open_object()?;
        Ok(Object { writer: self, open, in_variant: false })
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Object<'a, 'w>, WriteError> {
        self.open_variant(variant)?;
        let open = self.open_object()?;
        Ok(Object { writer: self, open, in_variant: true })
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), WriteError> {
        self.serialize_str(&value.to_string())
    }
}

/// An array that is being written.
pub(super) struct Array<'a, 'w> {
    writer: &'a mut Writer<'w>,
    first: bool,
    in_variant: bool,
}

impl Array<'_, '_> {
    #[inline]
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriteError> {
        self.writer.comma = !self.first;
        self.first = false;
        value.serialize(&mut *self.writer)
    }

    #[inline]
    fn close(self) -> Result<(), WriteError> {
        self.writer.close_array();
        if self.in_variant {
            self.writer.close_variant();
        }
        Ok(())
    }
}

macro_rules! array {
    ($trait:ident, $method:ident) => {
        impl $trait for Array<'_, '_> {
            type Ok = ();
            type Error = WriteError;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriteError> {
                self.element(value)
            }

            #[inline]
            fn end(self) -> Result<(), WriteError> {
                self.close()
            }
        }
    };
}

array!(SerializeSeq, serialize_element);
array!(SerializeTuple, serialize_element);
array!(SerializeTupleStruct, serialize_field);
array!(SerializeTupleVariant, serialize_field);

/// An object that is being written.
pub(super) struct Object<'a, 'w> {
    writer: &'a mut Writer<'w>,
    open: Open,
    in_variant: bool,
}

impl Object<'_, '_> {
    #[inline]
    fn member<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), WriteError> {
        let Writer { out, members, .. } = &mut *self.writer;
        members.begin(&self.open, 0, out);
        string::write(name, out);
        members.named(&mut self.open, out);
        value.serialize(&mut *self.writer)?;
        self.writer.members.end(self.writer.out);
        Ok(())
    }

    #[inline]
    fn close(self) -> Result<(), WriteError> {
        self.writer.close_object(&self.open)?;
        if self.in_variant {
            self.writer.close_variant();
        }
        Ok(())
    }
}

macro_rules! object {
    ($trait:ident) => {
        impl $trait for Object<'_, '_> {
            type Ok = ();
            type Error = WriteError;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), WriteError> {
                self.member(name, value)
            }

            #[inline]
            fn end(self) -> Result<(), WriteError> {
                self.close()
            }
        }
    };
}

object!(SerializeStruct);
object!(SerializeStructVariant);

impl SerializeMap for Object<'_, '_> {
    type Ok = ();
    type Error = WriteError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), WriteError> {
        let Writer { out, members, .. } = &mut *self.writer;
        members.begin(&self.open, 0, out);
        key.serialize(NameWriter::new(out))?;
        members.named(&mut self.open, out);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriteError> {
        value.serialize(&mut *self.writer)?;
        self.writer.members.end(self.writer.out);
        Ok(())
    }

    fn end(self) -> Result<(), WriteError> {
        self.close()
    }
}

//! Messages out of JSON text, by serde: what `serde_json::from_str` does, made for WASM.
//!
//! The extension reads some sixty types; serde's derives are compiled for each of them, so what
//! counts there is how little code a member, an item or an error takes. Hence: an object is read as
//! an object only (`serde_json` takes an array too, which doubles each type), an enum in one way
//! whether its variant has content or not, errors are made in one place, and nothing here knows how
//! to print a float. The host, which needs no small code, reads the same types with `serde_json`; a
//! test holds that both agree.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize,
    de::{self, DeserializeSeed, Deserializer, IntoDeserializer as _, Visitor},
    forward_to_deserialize_any,
};

use super::{
    JsonError,
    literal::{unescaped, unquoted},
    parser::Parser,
};
use crate::number;

/// Reads a value that must fill the whole text.
pub fn read<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, ReadError> {
    let mut reader = Parser::new(text);
    let value = T::deserialize(&mut reader).map_err(|error| error.found_at(reader.at))?;
    reader.end()?;
    Ok(value)
}

/// Why a text is not the message that it should be.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ReadError(Box<Wrong>);

#[derive(Debug, thiserror::Error)]
enum Wrong {
    #[error(transparent)]
    Json(JsonError),
    #[error("{what} at byte {at}")]
    Form { what: String, at: usize },
}

impl ReadError {
    fn new(what: fmt::Arguments<'_>) -> Self {
        Self(Box::new(Wrong::Form {
            what: what.to_string(),
            at: 0,
        }))
    }

    fn found_at(mut self, place: usize) -> Self {
        if let Wrong::Form { at, .. } = &mut *self.0 {
            *at = place;
        }
        self
    }
}

impl From<JsonError> for ReadError {
    fn from(error: JsonError) -> Self {
        Self(Box::new(Wrong::Json(error)))
    }
}

impl de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(format_args!("{message}"))
    }

    // The error leaves the found value out: the code that prints any value is large.
    fn invalid_type(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(format_args!("expected {expected}"))
    }

    fn invalid_value(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(format_args!("expected {expected}"))
    }

    fn invalid_length(_: usize, expected: &dyn de::Expected) -> Self {
        Self::new(format_args!("expected {expected}"))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format_args!(
            "unknown variant `{variant}`, expected one of {}",
            expected.join(", ")
        ))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format_args!(
            "unknown field `{field}`, expected one of {}",
            expected.join(", ")
        ))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(format_args!("missing field `{field}`"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(format_args!("duplicate field `{field}`"))
    }
}

/// How serde names the type that wants a value's text as it is, [`serde_json::value::RawValue`]; no
/// type of ours begins so.
const RAW: char = '$';

impl<'de> Parser<'de> {
    /// The first byte of what comes next.
    fn next(&mut self) -> Option<u8> {
        self.space();
        self.peek()
    }

    /// Goes past a byte that must come next.
    fn past(&mut self, byte: u8) -> Result<(), ReadError> {
        self.space();
        if self.eat(byte) {
            return Ok(());
        }
        Err(ReadError::new(format_args!("expected {:?}", char::from(byte))))
    }

    /// Nothing may come next.
    fn end(&mut self) -> Result<(), ReadError> {
        match self.next() {
            None => Ok(()),
            Some(_) => Err(self.unexpected().into()),
        }
    }

    /// Goes past a word if it comes next.
    fn says(&mut self, word: &str) -> bool {
        self.space();
        self.has(word)
    }

    /// What a string says.
    fn text(&mut self) -> Result<Cow<'de, str>, ReadError> {
        if self.next() != Some(b'"') {
            return Err(ReadError::new(format_args!("expected a string")));
        }
        let literal = self.string();
        let literal = self.found(literal)?;
        if !literal.contains('\\') {
            return Ok(Cow::Borrowed(unquoted(literal)));
        }
        unescaped(literal)
            .map(Cow::Owned)
            .ok_or_else(|| ReadError::new(format_args!("a string with half a surrogate pair")))
    }

    /// The text of a number.
    fn literal(&mut self) -> Result<&'de str, ReadError> {
        if !matches!(self.next(), Some(b'-' | b'0'..=b'9')) {
            return Err(ReadError::new(format_args!("expected a number")));
        }
        let literal = self.number();
        Ok(self.found(literal)?)
    }

    /// The text of a value of any kind.
    fn raw(&mut self) -> Result<&'de str, ReadError> {
        self.space();
        let start = self.at;
        let end = self.skip();
        self.found(end)?;
        Ok(&self.text[start..self.at])
    }

    /// Whether another item of an array or object comes next, up to the bracket that ends it.
    fn another(&mut self, first: &mut bool, end: u8) -> Result<bool, ReadError> {
        if self.next() == Some(end) {
            return Ok(false);
        }
        if !std::mem::replace(first, false) {
            self.past(b',')?;
        }
        Ok(true)
    }
}

impl<'de> Parser<'de> {
    /// The name of an object's next member, up to where its value is; nothing at the object's end.
    fn member(&mut self, first: &mut bool) -> Result<Option<Cow<'de, str>>, ReadError> {
        if !self.another(first, b'}')? {
            return Ok(None);
        }
        let name = self.text()?;
        self.past(b':')?;
        Ok(Some(name))
    }
}

impl<'de> Deserializer<'de> for &mut Parser<'de> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.next() {
            Some(b'n') => self.deserialize_unit(visitor),
            Some(b't' | b'f') => self.deserialize_bool(visitor),
            Some(b'"') => self.deserialize_str(visitor),
            Some(b'[') => self.deserialize_seq(visitor),
            Some(b'{') => self.deserialize_map(visitor),
            _ => self.deserialize_f64(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let value = self.says("true");
        if value || self.says("false") {
            return visitor.visit_bool(value);
        }
        Err(ReadError::new(format_args!("expected true or false")))
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.literal()?.parse() {
            Ok(number) => visitor.visit_u64(number),
            Err(_) => Err(ReadError::new(format_args!("expected a whole number"))),
        }
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let literal = self.literal()?;
        match literal.parse() {
            // What is written so is a float.
            Ok(number) if literal != "-0" => visitor.visit_i64(number),
            _ => Err(ReadError::new(format_args!("expected a whole number"))),
        }
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let number = number::parse(self.literal()?);
        if number.is_finite() {
            return visitor.visit_f64(number);
        }
        Err(ReadError::new(format_args!(
            "expected a number that is not too large"
        )))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.text()? {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_str(&self.text()?)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        if self.says("null") {
            return visitor.visit_unit();
        }
        Err(ReadError::new(format_args!("expected null")))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        if self.says("null") {
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        if name.starts_with(RAW) {
            let text = self.raw()?;
            return visitor.visit_map(Raw { name, text });
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.past(b'[')?;
        let value = visitor.visit_seq(Items {
            reader: self,
            first: true,
        })?;
        self.past(b']')?;
        Ok(value)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.past(b'{')?;
        let value = visitor.visit_map(Members {
            reader: self,
            first: true,
        })?;
        self.past(b'}')?;
        Ok(value)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let has_content = self.next() != Some(b'"');
        if !has_content {
            return visitor.visit_enum(Variant {
                reader: self,
                has_content,
            });
        }
        self.past(b'{')?;
        let value = visitor.visit_enum(Variant {
            reader: self,
            has_content,
        })?;
        self.past(b'}')?;
        Ok(value)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.raw()?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { i8 i16 i32 f32 char bytes byte_buf unit_struct tuple_struct }
}

/// The items of an array.
struct Items<'r, 'de> {
    reader: &'r mut Parser<'de>,
    first: bool,
}

impl<'de> de::SeqAccess<'de> for Items<'_, 'de> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        if self.reader.another(&mut self.first, b']')? {
            return seed.deserialize(&mut *self.reader).map(Some);
        }
        Ok(None)
    }
}

/// The members of an object.
struct Members<'r, 'de> {
    reader: &'r mut Parser<'de>,
    first: bool,
}

impl<'de> de::MapAccess<'de> for Members<'_, 'de> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ReadError> {
        match self.reader.member(&mut self.first)? {
            Some(name) => seed.deserialize(Name(name)).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        seed.deserialize(&mut *self.reader)
    }
}

/// The name of a member.
struct Name<'de>(Cow<'de, str>);

impl<'de> Deserializer<'de> for Name<'de> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.0 {
            Cow::Borrowed(name) => visitor.visit_borrowed_str(name),
            Cow::Owned(name) => visitor.visit_string(name),
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_str(&self.0)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum ignored_any
    }
}

/// An enum's variant: `"name"` or `{"name":content}`.
struct Variant<'r, 'de> {
    reader: &'r mut Parser<'de>,
    has_content: bool,
}

impl<'r, 'de> Variant<'r, 'de> {
    /// Where the content is.
    fn content(self) -> Result<&'r mut Parser<'de>, ReadError> {
        if self.has_content {
            return Ok(self.reader);
        }
        Err(ReadError::new(format_args!("expected what the variant has")))
    }
}

impl<'de> de::EnumAccess<'de> for Variant<'_, 'de> {
    type Error = ReadError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), ReadError> {
        let name = seed.deserialize(&mut *self.reader)?;
        if self.has_content {
            self.reader.past(b':')?;
        }
        Ok((name, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_, 'de> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        if self.has_content && !self.reader.says("null") {
            return Err(ReadError::new(format_args!("expected null")));
        }
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, ReadError> {
        seed.deserialize(self.content()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, ReadError> {
        self.content()?.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.content()?.deserialize_map(visitor)
    }
}

/// A value's text as it is, in the form that `serde_json`'s raw value expects: under its own name.
struct Raw<'de> {
    name: &'static str,
    text: &'de str,
}

impl<'de> de::MapAccess<'de> for Raw<'de> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ReadError> {
        seed.deserialize(self.name.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        seed.deserialize(de::value::BorrowedStrDeserializer::new(self.text))
    }
}

//! Keys as bytes whose lexicographic order is the keys' order, so that a range of keys is a range
//! of bytes.
//!
//! A tag a type, in the specification's order, then:
//!
//! | type | bytes after the tag |
//! |---|---|
//! | number, date | IEEE 754 bits (a date's as its number), big-endian, all flipped if negative, else only the sign |
//! | string | each UTF-16 unit in 1, 2 or 3 bytes (below), then `00` |
//! | binary | each byte, `00` as `00 FF`, then `00 00` |
//! | array | its keys, then `00` |
//!
//! A unit below `7F` is one byte, one more than itself, so none is `00`; from there `3FFF` units
//! take two bytes that start with bits `10`, the rest three that start with `C0`. Every terminator
//! sorts before all that could continue in its place.

use super::{Key, KeyError, MAX_KEY_DEPTH};

const NUMBER: u8 = 0x10;
const DATE: u8 = 0x20;
const STRING: u8 = 0x30;
const BINARY: u8 = 0x40;
const ARRAY: u8 = 0x50;

/// The first unit that takes two bytes, and the first that takes three.
const TWO_BYTES: u16 = 0x7F;
const THREE_BYTES: u16 = TWO_BYTES + 0x4000;

pub(super) fn encode(key: &Key, out: &mut Vec<u8>) {
    match key {
        Key::Number(number) => {
            out.push(NUMBER);
            out.extend(sortable(*number + 0.0).to_be_bytes());
        }
        Key::Date(time) => {
            out.push(DATE);
            // Dates are integers of at most 54 bits with sign: a float holds them exactly.
            #[allow(clippy::cast_precision_loss)]
            out.extend(sortable(*time as f64).to_be_bytes());
        }
        Key::String(units) => {
            out.push(STRING);
            for &unit in units {
                encode_unit(unit, out);
            }
            out.push(0);
        }
        Key::Binary(bytes) => {
            out.push(BINARY);
            for &byte in bytes {
                out.push(byte);
                if byte == 0 {
                    out.push(0xFF);
                }
            }
            out.extend([0, 0]);
        }
        Key::Array(items) => {
            out.push(ARRAY);
            for item in items {
                encode(item, out);
            }
            out.push(0);
        }
    }
}

pub(super) fn decode(bytes: &[u8]) -> Result<Key, KeyError> {
    let mut reader = Reader { bytes };
    let key = reader.key(0)?;
    if reader.bytes.is_empty() {
        Ok(key)
    } else {
        Err(KeyError::Bytes)
    }
}

fn encode_unit(unit: u16, out: &mut Vec<u8>) {
    match unit {
        0..TWO_BYTES => out.push(unit.to_be_bytes()[1] + 1),
        TWO_BYTES..THREE_BYTES => out.extend((0x8000 | (unit - TWO_BYTES)).to_be_bytes()),
        THREE_BYTES.. => {
            out.push(0xC0);
            out.extend((unit - THREE_BYTES).to_be_bytes());
        }
    }
}

const SIGN: u64 = 1 << 63;

fn sortable(number: f64) -> u64 {
    let bits = number.to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

fn from_sortable(bits: u64) -> f64 {
    f64::from_bits(if bits & SIGN == 0 { !bits } else { bits & !SIGN })
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8, KeyError> {
        let (&first, rest) = self.bytes.split_first().ok_or(KeyError::Bytes)?;
        self.bytes = rest;
        Ok(first)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], KeyError> {
        let (head, rest) = self.bytes.split_first_chunk::<N>().ok_or(KeyError::Bytes)?;
        self.bytes = rest;
        Ok(*head)
    }

    fn key(&mut self, depth: usize) -> Result<Key, KeyError> {
        let key = match self.byte()? {
            NUMBER => Key::Number(self.number()?),
            DATE => {
                let time = self.number()?;
                #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
                let whole = time as i64;
                #[allow(clippy::cast_precision_loss, clippy::float_cmp)]
                if whole as f64 != time || whole.abs() > crate::date::MAX_TIME {
                    return Err(KeyError::Bytes);
                }
                Key::Date(whole)
            }
            STRING => Key::String(self.string()?),
            BINARY => Key::Binary(self.binary()?),
            ARRAY => {
                if depth == MAX_KEY_DEPTH {
                    return Err(KeyError::TooDeep);
                }
                let mut items = Vec::new();
                while *self.bytes.first().ok_or(KeyError::Bytes)? != 0 {
                    items.push(self.key(depth + 1)?);
                }
                self.byte()?;
                Key::Array(items)
            }
            _ => return Err(KeyError::Bytes),
        };
        Ok(key)
    }

    fn number(&mut self) -> Result<f64, KeyError> {
        let number = from_sortable(u64::from_be_bytes(self.array()?));
        // Neither NaN nor -0 is ever written.
        if number.is_nan() || (number == 0.0 && number.is_sign_negative()) {
            Err(KeyError::Bytes)
        } else {
            Ok(number)
        }
    }

    fn string(&mut self) -> Result<Vec<u16>, KeyError> {
        let mut units = Vec::new();
        loop {
            let first = self.byte()?;
            units.push(match first {
                0 => return Ok(units),
                1..0x80 => u16::from(first - 1),
                0x80..0xC0 => (u16::from_be_bytes([first, self.byte()?]) & 0x3FFF) + TWO_BYTES,
                0xC0 => u16::from_be_bytes(self.array()?)
                    .checked_add(THREE_BYTES)
                    .ok_or(KeyError::Bytes)?,
                _ => return Err(KeyError::Bytes),
            });
        }
    }

    fn binary(&mut self) -> Result<Vec<u8>, KeyError> {
        let mut bytes = Vec::new();
        loop {
            let byte = self.byte()?;
            if byte == 0 {
                match self.byte()? {
                    0 => return Ok(bytes),
                    0xFF => {}
                    _ => return Err(KeyError::Bytes),
                }
            }
            bytes.push(byte);
        }
    }
}

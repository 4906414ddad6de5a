//! IndexedDB keys (Indexed Database API 3.0, "Keys"): their JSON text, their order, and bytes that
//! sort like them.
//!
//! The text is the typed form of [`crate::value`], restricted to what can be a key: `42`,
//! `"alice"`, `[1,"a"]`, `{"$date":"2026-01-31T12:00:00.000Z"}`,
//! `{"$bytes":{"type":"ArrayBuffer","base64":"AAEC"}}`, and `{"$number":"Infinity"}`. Text written
//! by [`Key`]'s `Display` is canonical: equal keys have equal texts. This is the only place that
//! decides it.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use crate::{
    date,
    json::{self, Json, JsonError},
    number,
};

mod ordered;
mod read;

/// How deep array keys may nest here: as deep as the page's encoder writes them. The specification
/// sets no bound, engines do.
pub const MAX_KEY_DEPTH: usize = 510;

/// How many bytes of dates and buffers a key may hold again by reference.
pub const MAX_REPEATED: usize = 1024 * 1024;

/// A valid IndexedDB key. `Ord` compares as the specification does ("compare two keys").
#[derive(Debug, Clone, PartialEq)]
pub enum Key {
    /// Any number but NaN; `-0` is `0`.
    Number(f64),
    /// Milliseconds since the epoch.
    Date(i64),
    /// UTF-16 code units, lone surrogates included.
    String(Vec<u16>),
    /// The bytes of an `ArrayBuffer` or a view.
    Binary(Vec<u8>),
    /// An array of keys.
    Array(Vec<Key>),
}

/// Why a text or a byte string is not a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text is not JSON at all.
    #[error("the key is {0}; write keys as JSON, such as 42, \"alice\" or [1,\"a\"]")]
    Json(#[from] JsonError),
    /// JSON, but of no type that IndexedDB takes as a key. What it is instead is told, not what it
    /// says: that may be a secret.
    #[error("{0} is not an IndexedDB key: a key is a number, a string, a date, bytes, or an array of these")]
    Type(&'static str),
    /// An array key nests deeper than [`MAX_KEY_DEPTH`].
    #[error("the key nests deeper than {MAX_KEY_DEPTH} arrays")]
    TooDeep,
    /// Dates and buffers that occur again take more than [`MAX_REPEATED`].
    #[error("the key repeats more than {MAX_REPEATED} bytes")]
    TooLong,
    /// Bytes that [`Key::to_bytes`] never makes.
    #[error("these bytes are not an encoded key")]
    Bytes,
}

impl Key {
    /// Reads a key from its JSON text.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        read::key(&Json::parse(text)?)
    }

    /// Bytes that compare as the keys do; see [`ordered`](self) for the layout in
    /// `docs/formats.md`.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        ordered::encode(self, &mut bytes);
        bytes
    }

    /// The key that [`Key::to_bytes`] made these bytes from.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        ordered::decode(bytes)
    }

    fn write(&self, out: &mut String) {
        match self {
            Key::Number(number) if number.is_finite() => {
                // `+ 0.0` turns -0 into 0; they are one key.
                number::write(*number + 0.0, out);
            }
            Key::Number(number) => {
                out.push_str(if *number > 0.0 {
                    r#"{"$number":"Infinity"}"#
                } else {
                    r#"{"$number":"-Infinity"}"#
                });
            }
            Key::Date(time) => {
                out.push_str(r#"{"$date":""#);
                out.push_str(&date::format(*time));
                out.push_str("\"}");
            }
            Key::String(units) => json::quote_utf16(units, out),
            Key::Binary(bytes) => {
                out.push_str(r#"{"$bytes":{"type":"ArrayBuffer","base64":""#);
                BASE64.encode_string(bytes, out);
                out.push_str("\"}}");
            }
            Key::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
        }
    }

    /// Array < Binary < String < Date < Number, read from the right: the specification's order of
    /// types.
    fn rank(&self) -> u8 {
        match self {
            Key::Number(_) => 0,
            Key::Date(_) => 1,
            Key::String(_) => 2,
            Key::Binary(_) => 3,
            Key::Array(_) => 4,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.write(&mut text);
        formatter.write_str(&text)
    }
}

impl Eq for Key {}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        match (self, other) {
            // Keys hold no NaN and `+ 0.0` makes zeros equal, so `total_cmp` is the numeric order.
            (Key::Number(a), Key::Number(b)) => (a + 0.0).total_cmp(&(b + 0.0)),
            (Key::Date(a), Key::Date(b)) => a.cmp(b),
            (Key::String(a), Key::String(b)) => a.cmp(b),
            (Key::Binary(a), Key::Binary(b)) => a.cmp(b),
            (Key::Array(a), Key::Array(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Any key, three arrays deep at most, with numbers, times and characters where encodings tend
    /// to break.
    pub(crate) fn any_key() -> impl Strategy<Value = Key> {
        let number = prop_oneof![
            any::<f64>().prop_filter("NaN is no key", |number| !number.is_nan()),
            Just(0.0),
            Just(f64::INFINITY),
            Just(f64::NEG_INFINITY),
            (-3_i32..3).prop_map(f64::from),
        ];
        let unit = prop_oneof![
            0_u16..4,
            0x7D_u16..0x82,
            0x407C_u16..0x4082,
            0xD7FE_u16..0xE002,
            any::<u16>()
        ];
        let leaf = prop_oneof![
            number.prop_map(|number| Key::Number(number + 0.0)),
            prop_oneof![-date::MAX_TIME..=date::MAX_TIME, -2_i64..2].prop_map(Key::Date),
            prop::collection::vec(unit, 0..4).prop_map(Key::String),
            prop::collection::vec(prop_oneof![0_u8..3, 253_u8..], 0..4).prop_map(Key::Binary),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop::collection::vec(inner, 0..3).prop_map(Key::Array)
        })
    }

    #[test]
    fn numbers_read_as_javascript_writes_them() {
        for (text, canonical) in [
            ("1e21", "1e+21"),
            ("100", "100"),
            ("1E2", "100"),
            ("-0", "0"),
            ("0.10", "0.1"),
        ] {
            assert_eq!(Key::parse(text).expect("a key").to_string(), canonical);
        }
    }

    /// What a page gives to `delete` may be less tidy than what an engine gives back.
    #[test]
    fn views_of_parts_shared_leaves_and_arrays_with_names_are_keys() {
        let part = r#"{"$bytes":{"type":"Uint8Array","offset":1,"length":2,"buffer":{"$bytes":{"type":"ArrayBuffer","base64":"AAECAwQ="}}}}"#;
        for (text, canonical) in [
            (part, r#"{"$bytes":{"type":"ArrayBuffer","base64":"AQI="}}"#),
            (
                r#"[{"$id":{"id":1,"value":{"$date":"1970-01-01T00:00:00.000Z"}}},[{"$ref":1}]]"#,
                r#"[{"$date":"1970-01-01T00:00:00.000Z"},[{"$date":"1970-01-01T00:00:00.000Z"}]]"#,
            ),
            (
                r#"{"$bytes":{"type":"DataView","offset":0,"length":1,"buffer":{"$id":{"id":1,"value":{"$bytes":{"type":"ArrayBuffer","base64":"AAE="}}}}}}"#,
                r#"{"$bytes":{"type":"ArrayBuffer","base64":"AA=="}}"#,
            ),
            (
                r#"{"$sparse":{"length":2,"items":{"0":1,"1":"a","name":{}}}}"#,
                r#"[1,"a"]"#,
            ),
        ] {
            assert_eq!(Key::parse(text).expect("a key").to_string(), canonical);
        }
        for text in [
            r#"{"$bytes":{"type":"Uint8Array","offset":1,"length":2,"buffer":{"$bytes":{"type":"ArrayBuffer","base64":"AAE="}}}}"#,
            r#"[{"$ref":1}]"#,
            r#"[{"$id":{"id":1,"value":[]}},{"$ref":1}]"#,
            r#"{"$sparse":{"length":2,"items":{"0":1}}}"#,
            r#"{"$sparse":{"length":4294967295,"items":{"0":1}}}"#,
        ] {
            assert!(matches!(Key::parse(text), Err(KeyError::Type(_))), "{text}");
        }
    }

    #[test]
    fn short_text_stands_for_no_huge_key() {
        let buffer = format!(
            r#"{{"$bytes":{{"type":"ArrayBuffer","base64":"{}"}}}}"#,
            "AAAA".repeat(1000)
        );
        let times = |times: usize| {
            let again = r#",{"$ref":1}"#.repeat(times);
            format!(r#"[{{"$id":{{"id":1,"value":{buffer}}}}}{again}]"#)
        };
        assert!(Key::parse(&times(MAX_REPEATED / 3000)).is_ok());
        assert_eq!(
            Key::parse(&times(MAX_REPEATED / 3000 + 1)),
            Err(KeyError::TooLong)
        );
    }

    #[test]
    fn what_cannot_be_a_key_is_refused() {
        for text in [
            "null",
            "true",
            "{}",
            r#"{"$date":null}"#,
            r#"{"$number":"NaN"}"#,
            "[null]",
            "1e999",
        ] {
            assert!(matches!(Key::parse(text), Err(KeyError::Type(_))), "{text}");
        }
        let nested = |levels| "[".repeat(levels) + &"]".repeat(levels);
        assert!(Key::parse(&nested(MAX_KEY_DEPTH)).is_ok());
        assert_eq!(Key::parse(&nested(MAX_KEY_DEPTH + 1)), Err(KeyError::TooDeep));
    }

    proptest! {
        #[test]
        fn text_round_trips(key in any_key()) {
            prop_assert_eq!(Key::parse(&key.to_string()), Ok(key));
        }

        #[test]
        fn bytes_round_trip(key in any_key()) {
            prop_assert_eq!(Key::from_bytes(&key.to_bytes()), Ok(key));
        }

        #[test]
        fn bytes_sort_as_keys_compare(a in any_key(), b in any_key()) {
            prop_assert_eq!(a.to_bytes().cmp(&b.to_bytes()), a.cmp(&b));
        }

        #[test]
        fn any_bytes_decode_or_are_refused(bytes: Vec<u8>) {
            if let Ok(key) = Key::from_bytes(&bytes) {
                prop_assert_eq!(key.to_bytes(), bytes);
            }
        }
    }
}

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

/// The longest key that is kept, in bytes of its text: a key stands in every row of its record.
pub const MAX_TEXT: usize = 1024 * 1024;

/// How many bytes of dates and buffers a key may hold again by reference, and how many for each
/// byte of its text: a delivery has any number of keys.
pub const MAX_REPEATED: usize = MAX_TEXT;
const REPEATED_A_BYTE: usize = 2;

/// How many values a key's text may have, the arrays around others included.
pub const MAX_VALUES: usize = 1024 * 1024;

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
    /// JSON, but of no type that IndexedDB takes as a key. The error names the type, not the value:
    /// the value may be a secret.
    #[error("{0} is not an IndexedDB key: a key is a number, a string, a date, bytes, or an array of these")]
    Type(&'static str),
    /// An array key nests deeper than [`MAX_KEY_DEPTH`].
    #[error("the key nests deeper than {MAX_KEY_DEPTH} arrays")]
    TooDeep,
    /// It has more than [`MAX_VALUES`], or dates and buffers that occur again take more than
    /// [`MAX_REPEATED`], or more than its text warrants.
    #[error(
        "the key is too long: it has more than {MAX_VALUES} values, or repeats more than {MAX_REPEATED} bytes, \
         or more than {REPEATED_A_BYTE} for each byte of its text"
    )]
    TooLong,
    /// Bytes that [`Key::to_bytes`] never makes.
    #[error("these bytes are not an encoded key")]
    Bytes,
}

impl Key {
    /// Reads a key from its JSON text.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        match Json::parse_within(text, MAX_VALUES) {
            Ok((json, _)) => read::key(&json, text.len()),
            Err(JsonError::TooMany { .. }) => Err(KeyError::TooLong),
            Err(error) => Err(error.into()),
        }
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

    /// The text of a buffer of so many bytes.
    fn buffer(bytes: usize) -> String {
        format!(
            r#"{{"$bytes":{{"type":"ArrayBuffer","base64":"{}"}}}}"#,
            "AAAA".repeat(bytes / 3)
        )
    }

    #[test]
    fn short_text_stands_for_no_huge_key() {
        let again = |bytes: usize, reference: &str, times: usize| {
            let again = format!(",{reference}").repeat(times);
            format!(r#"[{{"$id":{{"id":1,"value":{}}}}}{again}]"#, buffer(bytes))
        };
        let view = r#"{"$bytes":{"type":"Uint8Array","offset":0,"length":3000,"buffer":{"$ref":1}}}"#;
        for reference in [r#"{"$ref":1}"#, view] {
            for bytes in [3_000, 600_000] {
                for times in [0, 1, 2, 3, 4, 9, 50, 350, 400] {
                    let text = again(bytes, reference, times);
                    match Key::parse(&text) {
                        Ok(key) => assert!(key.to_bytes().len() <= 6 * text.len(), "{bytes} × {times}"),
                        Err(error) => assert_eq!(error, KeyError::TooLong),
                    }
                }
            }
        }
        // What a page may well mean.
        for (bytes, times) in [(12, 100), (30, 10), (3_000, 2)] {
            assert!(
                Key::parse(&again(bytes, r#"{"$ref":1}"#, times)).is_ok(),
                "{bytes} × {times}"
            );
        }
        let date = r#"[{"$id":{"id":1,"value":{"$date":"1970-01-01T00:00:00.000Z"}}}"#;
        assert!(Key::parse(&(date.to_owned() + &r#",{"$ref":1}"#.repeat(1000) + "]")).is_ok());
        assert_eq!(
            Key::parse(&format!("[{}0]", "0,".repeat(MAX_VALUES))),
            Err(KeyError::TooLong)
        );
    }

    #[test]
    fn small_views_of_a_large_shared_buffer_are_a_key() {
        let view = |offset: usize| {
            format!(
                r#"{{"$bytes":{{"type":"Uint8Array","offset":{offset},"length":2,"buffer":{{"$ref":1}}}}}}"#
            )
        };
        let views: Vec<String> = (0..100).map(view).collect();
        let text = format!(
            r#"[{{"$id":{{"id":1,"value":{}}}}},{}]"#,
            buffer(300_000),
            views.join(",")
        );
        assert!(Key::parse(&text).is_ok());
    }

    /// Each level would hold a copy of the buffer.
    #[test]
    fn neither_ids_nor_views_nest_in_a_key() {
        let once = format!(r#"{{"$id":{{"id":1,"value":{}}}}}"#, buffer(3));
        assert!(Key::parse(&once).is_ok());
        let twice = format!(r#"{{"$id":{{"id":2,"value":{once}}}}}"#);
        let again = format!(r#"[{once},{{"$id":{{"id":2,"value":{{"$ref":1}}}}}}]"#);
        let view = |buffer: &str| {
            format!(r#"{{"$bytes":{{"type":"Uint8Array","offset":0,"length":1,"buffer":{buffer}}}}}"#)
        };
        assert!(Key::parse(&view(&once)).is_ok());
        for text in [twice, again, view(&view(&once))] {
            assert!(matches!(Key::parse(&text), Err(KeyError::Type(_))), "{text}");
        }
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

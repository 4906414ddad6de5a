//! A JSON reader that keeps scalars as the text they came in.
//!
//! Values cross this system as JSON text made by the page's own engine. Decoding strings into
//! Rust's `String` would refuse lone surrogates (`"\ud800"`), and decoding numbers could change
//! their digits; neither may happen to a user's data. So a [`Json`] borrows the text of each
//! scalar, and writing it out again gives the same scalar back.
//!
//! - `parser`: goes through a text, for all that follows.
//! - `literal`: between string literals and what they stand for.
//! - [`read`](mod@read): messages, whose types serde knows, by the same parser.

mod literal;
mod parser;
mod read;

use self::parser::Parser;
pub use self::{
    literal::{quote_utf16, unquoted, utf16},
    parser::is_deeper_than,
    read::{ReadError, read},
};

/// How deep arrays and objects may nest. The page's encoder cuts values at half this depth (one
/// level of a value may take two of JSON), so only a message that no encoder made can meet the
/// limit.
pub const MAX_DEPTH: usize = 1024;

/// How many members of an object [`Json::get`] looks at: more than any typed form and any message
/// has parts.
pub const MAX_PARTS: usize = 32;

/// A JSON value whose scalars are slices of the text it was read from.
#[derive(Debug, Clone, PartialEq)]
pub enum Json<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number's literal, such as `-1.5e3`.
    Number(&'a str),
    /// A string's literal with its quotes and escapes.
    String(&'a str),
    /// The elements in order.
    Array(Vec<Json<'a>>),
    /// The members in order; names are string literals with their quotes.
    Object(Vec<(&'a str, Json<'a>)>),
}

/// Why a text is not JSON that this system reads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The text breaks JSON's grammar (RFC 8259).
    #[error("not JSON: unexpected {found} at byte {at}")]
    Syntax {
        /// What stands there.
        found: String,
        /// Where, in bytes from the start.
        at: usize,
    },
    /// Nesting passes [`MAX_DEPTH`].
    #[error("JSON nests deeper than {MAX_DEPTH} levels at byte {at}")]
    TooDeep {
        /// Where, in bytes from the start.
        at: usize,
    },
    /// There are more values than the reader has room for.
    #[error("JSON has more than {most} values")]
    TooMany {
        /// How many it has room for.
        most: usize,
    },
}

impl<'a> Json<'a> {
    /// Reads one JSON value that must fill the whole text.
    pub fn parse(text: &'a str) -> Result<Self, JsonError> {
        Self::parse_within(text, usize::MAX).map(|(value, _)| value)
    }

    /// The same, if there are no more than so many values, those inside of it included; and how
    /// many there are.
    pub fn parse_within(text: &'a str, most: usize) -> Result<(Self, usize), JsonError> {
        let mut reader = Parser::new(text);
        reader.most = most;
        reader.space();
        let value = reader.value(0)?;
        reader.space();
        if reader.at == text.len() {
            Ok((value, reader.values))
        } else {
            Err(reader.unexpected())
        }
    }

    /// Writes the value as compact JSON; scalars keep their literals.
    pub fn write(&self, out: &mut String) {
        match self {
            Json::Null => out.push_str("null"),
            Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Json::Number(literal) | Json::String(literal) => out.push_str(literal),
            Json::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Json::Object(members) => {
                out.push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    out.push_str(name);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    /// The part called `name` of a typed form or a message, among the first [`MAX_PARTS`] (`name`
    /// without quotes, free of characters that JSON escapes). References lead to one form any
    /// number of times, so no look may take longer the more members there are.
    pub fn get(&self, name: &str) -> Option<&Json<'a>> {
        let Json::Object(members) = self else { return None };
        members
            .iter()
            .take(MAX_PARTS)
            .find(|(literal, _)| unquoted(literal) == name)
            .map(|(_, value)| value)
    }

    /// The member of an object that has no other: its name's literal and its value.
    pub fn only_member(&self) -> Option<(&'a str, &Json<'a>)> {
        match self {
            Json::Object(members) => match &members[..] {
                [(name, content)] => Some((name, content)),
                _ => None,
            },
            _ => None,
        }
    }

    /// The text between a string's quotes, if nothing in it is escaped.
    pub fn as_plain_str(&self) -> Option<&'a str> {
        match self {
            Json::String(literal) if !literal.contains('\\') => Some(unquoted(literal)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rewritten(text: &str) -> String {
        let mut out = String::new();
        Json::parse(text).expect("valid JSON").write(&mut out);
        out
    }

    #[test]
    fn scalars_keep_their_literals() {
        for text in [
            "null",
            "true",
            "-0",
            "1E400",
            "0.10",
            r#""\ud800\n\/""#,
            r#"{"a":[1,{}],"a":[]}"#,
        ] {
            assert_eq!(rewritten(text), text);
        }
    }

    #[test]
    fn bad_texts_are_refused_with_their_place() {
        for (text, at) in [
            ("", 0),
            ("[1,]", 3),
            ("{a:1}", 1),
            ("01", 1),
            ("\"\u{1}\"", 1),
            (r#""\x""#, 2),
            ("1 2", 2),
            ("1.", 2),
        ] {
            match Json::parse(text) {
                Err(JsonError::Syntax { at: found, .. }) => assert_eq!(found, at, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn depth_of_a_text_is_that_of_its_brackets_outside_of_strings() {
        for (text, depth) in [
            (r#"[{"a":[]},[[]]]"#.to_owned(), 3),
            ("[]".repeat(9), 1),
            (r#"{"[[[[":"]]\"[[\\","b":{}}"#.to_owned(), 2),
            (format!("{}{}", r#"[{"a":"#.repeat(5), "}]".repeat(5)), 10),
        ] {
            assert!(is_deeper_than(&text, depth - 1), "{text}");
            assert!(!is_deeper_than(&text, depth), "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let deep = "[".repeat(100_000);
        assert!(matches!(Json::parse(&deep), Err(JsonError::TooDeep { .. })));
    }

    proptest! {
        #[test]
        fn strings_survive_as_utf16(units: Vec<u16>) {
            let mut literal = String::new();
            quote_utf16(&units, &mut literal);
            prop_assert_eq!(rewritten(&literal), literal.clone());
            prop_assert_eq!(utf16(&literal), units);
        }

        #[test]
        fn never_panics(text: String) {
            let _answer = Json::parse(&text);
        }

        #[test]
        fn agrees_with_serde_json(text in r#"[\[\]{},:0-9eE.+"a\\n-]{0,24}"#) {
            prop_assert_eq!(
                Json::parse(&text).is_ok(),
                serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok()
            );
        }
    }
}

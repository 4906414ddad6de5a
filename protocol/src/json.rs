//! A JSON reader that keeps scalars as the text they came in.
//!
//! Values cross this system as JSON text made by the page's own engine. Decoding strings into
//! Rust's `String` would refuse lone surrogates (`"\ud800"`), and decoding numbers could change
//! their digits; neither may happen to a user's data. So a [`Json`] borrows the text of each
//! scalar, and writing it out again gives the same scalar back.
//!
//! - [`read`](mod@read): messages, whose types serde knows, with the same reader.

use std::{fmt::Write as _, str::Chars};

mod read;

pub use self::read::{ReadError, read};

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
        let mut reader = Reader::new(text);
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

/// Whether arrays and objects nest deeper than this in a JSON text. Of a text that is no JSON the
/// answer says nothing.
pub fn is_deeper_than(text: &str, most: usize) -> bool {
    // Each level takes two brackets.
    if text.len() < 2 * most {
        return false;
    }
    let mut reader = Reader::new(text);
    let mut depth = 0_usize;
    while let Some(byte) = reader.peek() {
        match byte {
            b'"' if reader.string().is_some() => continue,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > most {
            return true;
        }
        reader.at += 1;
    }
    false
}

/// A string literal without its quotes, escapes untouched.
pub fn unquoted(literal: &str) -> &str {
    &literal[1..literal.len() - 1]
}

/// The UTF-16 code units that a string literal stands for; lone surrogates stay what they are.
pub fn utf16(literal: &str) -> Vec<u16> {
    let mut units = Vec::with_capacity(literal.len());
    let mut chars = unquoted(literal).chars();
    while let Some(char) = chars.next() {
        if char == '\\' {
            units.push(escaped(&mut chars));
        } else {
            units.extend_from_slice(char.encode_utf16(&mut [0; 2]));
        }
    }
    units
}

/// The code unit that an escape stands for, after its backslash.
fn escaped(chars: &mut Chars<'_>) -> u16 {
    match chars.next() {
        Some('b') => 0x08,
        Some('f') => 0x0C,
        Some('n') => 0x0A,
        Some('r') => 0x0D,
        Some('t') => 0x09,
        // Four hexadecimal digits: the reader let nothing else pass.
        Some('u') => chars
            .by_ref()
            .take(4)
            .fold(0, |unit, digit| (unit << 4) | hexadecimal(digit)),
        // `"`, `\` and `/` stand for themselves.
        other => other.map_or(0, |char| char as u16),
    }
}

/// The text that a string literal stands for; `None` if it has a lone surrogate.
fn unescaped(literal: &str) -> Option<String> {
    let mut rest = unquoted(literal);
    let mut text = String::with_capacity(rest.len());
    while let Some((plain, escape)) = rest.split_once('\\') {
        text.push_str(plain);
        let mut chars = escape.chars();
        let unit = escaped(&mut chars);
        let low = match unit {
            // The other half of the pair is an escape of its own.
            0xD800..0xDC00 => chars.as_str().strip_prefix('\\').map(|escape| {
                chars = escape.chars();
                escaped(&mut chars)
            }),
            _ => None,
        };
        for char in char::decode_utf16([unit].into_iter().chain(low)) {
            text.push(char.ok()?);
        }
        rest = chars.as_str();
    }
    text.push_str(rest);
    Some(text)
}

fn hexadecimal(digit: char) -> u16 {
    digit
        .to_digit(16)
        .and_then(|value| u16::try_from(value).ok())
        .unwrap_or(0)
}

/// The string literal of UTF-16 code units, as `JSON.stringify` writes it (ECMA-262,
/// `QuoteJSONString`).
pub fn quote_utf16(units: &[u16], out: &mut String) {
    out.push('"');
    for unit in char::decode_utf16(units.iter().copied()) {
        match unit {
            Ok('"') => out.push_str("\\\""),
            Ok('\\') => out.push_str("\\\\"),
            Ok('\u{8}') => out.push_str("\\b"),
            Ok('\u{C}') => out.push_str("\\f"),
            Ok('\n') => out.push_str("\\n"),
            Ok('\r') => out.push_str("\\r"),
            Ok('\t') => out.push_str("\\t"),
            Ok(char) if char < ' ' => drop(write!(out, "\\u{:04x}", char as u32)),
            Ok(char) => out.push(char),
            Err(lone) => drop(write!(out, "\\u{:04x}", lone.unpaired_surrogate())),
        }
    }
    out.push('"');
}

/// What goes past something (`Option`) fails where it stops: [`Reader::unexpected`] says what is
/// there.
struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// How many values have been made, and how many may be.
    values: usize,
    most: usize,
    /// The brackets that will close what [`Reader::skip`] goes past; kept, for there are many such
    /// values in a message.
    open: Vec<u8>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            values: 0,
            most: usize::MAX,
            open: Vec::new(),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn unexpected(&self) -> JsonError {
        let found = match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            Some(char) => format!("{char:?}"),
            None => "end of text".to_owned(),
        };
        JsonError::Syntax { found, at: self.at }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let eaten = self.peek() == Some(byte);
        self.at += usize::from(eaten);
        eaten
    }

    /// What was found, if it was.
    fn found<T>(&self, found: Option<T>) -> Result<T, JsonError> {
        found.ok_or_else(|| self.unexpected())
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.eat(byte).then_some(())
    }

    /// Goes past a word if it comes next.
    fn has(&mut self, word: &str) -> bool {
        let has = self.text[self.at..].starts_with(word);
        self.at += if has { word.len() } else { 0 };
        has
    }

    fn word(&mut self, word: &str, value: Json<'a>) -> Result<Json<'a>, JsonError> {
        let found = self.has(word).then_some(value);
        self.found(found)
    }

    fn value(&mut self, depth: usize) -> Result<Json<'a>, JsonError> {
        if depth > MAX_DEPTH {
            return Err(JsonError::TooDeep { at: self.at });
        }
        if self.values == self.most {
            return Err(JsonError::TooMany { most: self.most });
        }
        self.values += 1;
        match self.peek() {
            Some(b'n') => self.word("null", Json::Null),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'"') => {
                let literal = self.string();
                self.found(literal).map(Json::String)
            }
            Some(b'-' | b'0'..=b'9') => {
                let literal = self.number();
                self.found(literal).map(Json::Number)
            }
            Some(b'[') => self.array(depth),
            Some(b'{') => self.object(depth),
            _ => Err(self.unexpected()),
        }
    }

    /// Goes past a value. Not by recursion: it may be nested as deep as it is long.
    fn skip(&mut self) -> Option<()> {
        loop {
            self.space();
            match self.peek() {
                Some(b'"') => drop(self.string()?),
                Some(b'-' | b'0'..=b'9') => drop(self.number()?),
                Some(b'n') if self.has("null") => {}
                Some(b't') if self.has("true") => {}
                Some(b'f') if self.has("false") => {}
                Some(first @ (b'[' | b'{')) => {
                    let last = if first == b'[' { b']' } else { b'}' };
                    self.at += 1;
                    self.space();
                    if !self.eat(last) {
                        self.open.push(last);
                        self.name(last)?;
                        continue;
                    }
                }
                _ => return None,
            }
            // A value has ended, and with it perhaps what it stands in.
            loop {
                let Some(last) = self.open.last().copied() else {
                    return Some(());
                };
                self.space();
                if !self.eat(last) {
                    self.expect(b',')?;
                    self.name(last)?;
                    break;
                }
                self.open.pop();
            }
        }
    }

    /// Goes past a member's name and colon, where an object is what the bracket closes.
    fn name(&mut self, last: u8) -> Option<()> {
        if last == b'}' {
            self.space();
            self.string()?;
            self.space();
            self.expect(b':')?;
        }
        Some(())
    }

    fn array(&mut self, depth: usize) -> Result<Json<'a>, JsonError> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.eat(b']') {
            return Ok(Json::Array(items));
        }
        loop {
            self.space();
            items.push(self.value(depth + 1)?);
            self.space();
            if self.eat(b']') {
                return Ok(Json::Array(items));
            }
            let comma = self.expect(b',');
            self.found(comma)?;
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json<'a>, JsonError> {
        self.at += 1;
        let mut members = Vec::new();
        self.space();
        if self.eat(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.space();
            let name = self.string();
            let name = self.found(name)?;
            self.space();
            let colon = self.expect(b':');
            self.found(colon)?;
            self.space();
            members.push((name, self.value(depth + 1)?));
            self.space();
            if self.eat(b'}') {
                return Ok(Json::Object(members));
            }
            let comma = self.expect(b',');
            self.found(comma)?;
        }
    }

    fn string(&mut self) -> Option<&'a str> {
        let start = self.at;
        self.expect(b'"')?;
        loop {
            self.plain();
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Some(&self.text[start..self.at]);
                }
                Some(b'\\') => {
                    self.at += 1;
                    match self.peek() {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
                        Some(b'u') => {
                            self.at += 1;
                            for _ in 0..4 {
                                self.peek().filter(u8::is_ascii_hexdigit)?;
                                self.at += 1;
                            }
                        }
                        _ => return None,
                    }
                }
                None | Some(0..0x20) => return None,
                Some(_) => self.at += 1,
            }
        }
    }

    /// Goes on while eight bytes at once are nothing special in a string: neither a quote nor a
    /// backslash nor a control character.
    fn plain(&mut self) {
        const ONES: u64 = u64::MAX / 0xFF;
        const HIGHS: u64 = ONES << 7;
        while let Some(Ok(bytes)) = self
            .text
            .as_bytes()
            .get(self.at..self.at + 8)
            .map(<[u8; 8]>::try_from)
        {
            let bytes = u64::from_le_bytes(bytes);
            // The high bit of the lowest byte that is less than the limit; above it there may be
            // others that are not.
            let below = |bytes: u64, limit: u64| bytes.wrapping_sub(ONES * limit) & !bytes & HIGHS;
            let is = |byte: u8| below(bytes ^ (ONES * u64::from(byte)), 1);
            let special = below(bytes, 0x20) | is(b'"') | is(b'\\');
            if special != 0 {
                self.at += special.trailing_zeros() as usize / 8;
                return;
            }
            self.at += 8;
        }
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn number(&mut self) -> Option<&'a str> {
        let start = self.at;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _sign = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        Some(&self.text[start..self.at])
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

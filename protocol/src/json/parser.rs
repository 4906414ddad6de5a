//! Goes through a JSON text.

use super::{Json, JsonError, MAX_DEPTH};

/// Whether arrays and objects nest deeper than this in a JSON text. Of a text that is no JSON the
/// answer says nothing.
pub fn is_deeper_than(text: &str, most: usize) -> bool {
    // Each level takes two brackets.
    if text.len() < 2 * most {
        return false;
    }
    let mut parser = Parser::new(text);
    let mut depth = 0_usize;
    while let Some(byte) = parser.peek() {
        match byte {
            b'"' if parser.string().is_some() => continue,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > most {
            return true;
        }
        parser.at += 1;
    }
    false
}

/// What goes past something (`Option`) fails where it stops: [`Parser::unexpected`] says what is
/// there.
pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    /// How many values have been made, and how many may be.
    pub(super) values: usize,
    pub(super) most: usize,
    /// The brackets that will close what [`Parser::skip`] goes past; kept, for there are many such
    /// values in a message.
    pub(super) open: Vec<u8>,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            values: 0,
            most: usize::MAX,
            open: Vec::new(),
        }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(super) fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    pub(super) fn unexpected(&self) -> JsonError {
        let found = match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            Some(char) => format!("{char:?}"),
            None => "end of text".to_owned(),
        };
        JsonError::Syntax { found, at: self.at }
    }

    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let eaten = self.peek() == Some(byte);
        self.at += usize::from(eaten);
        eaten
    }

    /// What was found, if it was.
    pub(super) fn found<T>(&self, found: Option<T>) -> Result<T, JsonError> {
        found.ok_or_else(|| self.unexpected())
    }

    pub(super) fn expect(&mut self, byte: u8) -> Option<()> {
        self.eat(byte).then_some(())
    }

    /// Goes past a word if it comes next.
    pub(super) fn has(&mut self, word: &str) -> bool {
        let has = self.text[self.at..].starts_with(word);
        self.at += if has { word.len() } else { 0 };
        has
    }

    pub(super) fn word(&mut self, word: &str, value: Json<'a>) -> Result<Json<'a>, JsonError> {
        let found = self.has(word).then_some(value);
        self.found(found)
    }

    pub(super) fn value(&mut self, depth: usize) -> Result<Json<'a>, JsonError> {
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
    pub(super) fn skip(&mut self) -> Option<()> {
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
            // A value has ended, and with it perhaps the value that contains it.
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
    pub(super) fn name(&mut self, last: u8) -> Option<()> {
        if last == b'}' {
            self.space();
            self.string()?;
            self.space();
            self.expect(b':')?;
        }
        Some(())
    }

    pub(super) fn array(&mut self, depth: usize) -> Result<Json<'a>, JsonError> {
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

    pub(super) fn object(&mut self, depth: usize) -> Result<Json<'a>, JsonError> {
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

    pub(super) fn string(&mut self) -> Option<&'a str> {
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

    /// Advances while eight bytes at once are nothing special in a string: neither a quote nor a
    /// backslash nor a control character.
    pub(super) fn plain(&mut self) {
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

    pub(super) fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    pub(super) fn number(&mut self) -> Option<&'a str> {
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

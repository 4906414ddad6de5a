//! The templates that name Redis channels and Memcached keys.
//!
//! **Invariant:** two different stores never share a channel, two different records never share a
//! Memcached key (a property test holds it). It follows from three rules: a component's `%`, `:`,
//! spaces and control characters are percent-encoded, so it contains no `:`; between two components
//! a template has a literal with a `:`; and what replaces the end of a key that is too long starts
//! with `%@`, which percent-encoding never yields.

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
};

use sha2::{Digest as _, Sha256};

mod read;

pub use self::read::{NamedRecord, is_shortened};

/// Percent-encoding never yields this: it separates a bucket from its database, and a shortened
/// name from its digest.
const MARK: &str = "%@";
/// How much of a shortened name is the mark and the digest.
const SHORT_END: usize = MARK.len() + 64;

/// Memcached's limit for a key, in bytes.
pub const MAX_MEMCACHED_KEY: usize = 250;

/// The names a template can take in.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// Serialised origin.
    pub origin: &'a str,
    /// Storage bucket; empty for the default one.
    pub bucket: &'a str,
    /// The database's name.
    pub database: &'a str,
    /// The object store's name.
    pub store: &'a str,
}

/// A checked template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Profile,
    Origin,
    Database,
    Store,
    Key,
}

/// As it was written.
impl fmt::Display for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces.iter().try_for_each(|piece| match piece {
            Piece::Literal(text) => formatter.write_str(text),
            Piece::Profile => formatter.write_str("{profile}"),
            Piece::Origin => formatter.write_str("{origin}"),
            Piece::Database => formatter.write_str("{database}"),
            Piece::Store => formatter.write_str("{store}"),
            Piece::Key => formatter.write_str("{key}"),
        })
    }
}

/// Why a template cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A name in braces that does not exist here.
    #[error("{{{0}}} is not known here; there are {1}")]
    Unknown(String, &'static str),
    /// A brace without its partner.
    #[error("a brace without its partner; write {{origin}}, {{database}}, {{store}}")]
    Brace,
    /// Different records would get the same name.
    #[error("{{{0}}} is missing; without it different records would share a name")]
    Missing(&'static str),
    /// The same component twice.
    #[error("{{{0}}} stands twice")]
    Twice(&'static str),
    /// Two components with no `:` between.
    #[error("between two components there must be a \":\", or different records could share a name")]
    Separator,
    /// A literal with a space or a control character, or `%`.
    #[error("spaces, control characters and \"%\" cannot stand in a name")]
    Literal,
    /// Literals alone nearly fill a Memcached key.
    #[error("the fixed text is longer than {0} bytes, too long for a Memcached key")]
    TooLong(usize),
}

/// The longest id of a browser profile.
const MAX_PROFILE: usize = 64;

/// What is left of a key for fixed text: the mark and the hexadecimal SHA-256 need the rest.
const MAX_LITERALS: usize = 120;

impl Template {
    /// Reads a channel template, such as `idb:{origin}:{database}:{store}`.
    pub fn channel(text: &str) -> Result<Self, TemplateError> {
        Self::parse(text, false)
    }

    /// Reads a Memcached key template, such as `idb:{origin}:{database}:{store}:{key}`.
    pub fn memcached_key(text: &str) -> Result<Self, TemplateError> {
        let template = Self::parse(text, true)?;
        let literals: usize = template
            .pieces
            .iter()
            .map(|piece| {
                match piece {
                    Piece::Literal(literal) => literal.len(),
                    // It is fixed text, too, once the profile is known.
                    Piece::Profile => MAX_PROFILE,
                    _ => 0,
                }
            })
            .sum();
        if literals > MAX_LITERALS {
            Err(TemplateError::TooLong(MAX_LITERALS))
        } else {
            Ok(template)
        }
    }

    fn parse(text: &str, with_key: bool) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find(['{', '}']) {
            let close = rest[open..].find('}').ok_or(TemplateError::Brace)? + open;
            if close == open {
                return Err(TemplateError::Brace);
            }
            push_literal(&mut pieces, &rest[..open])?;
            let piece = match &rest[open + 1..close] {
                "profile" if with_key => Piece::Profile,
                "origin" => Piece::Origin,
                "database" => Piece::Database,
                "store" => Piece::Store,
                "key" if with_key => Piece::Key,
                other => {
                    let known = if with_key {
                        "{profile}, {origin}, {database}, {store}, {key}"
                    } else {
                        "{origin}, {database}, {store}"
                    };
                    return Err(TemplateError::Unknown(other.to_owned(), known));
                }
            };
            match pieces.last() {
                None | Some(Piece::Literal(_)) => {}
                Some(_) => return Err(TemplateError::Separator),
            }
            if let [.., _, Piece::Literal(literal)] = &pieces[..]
                && !literal.contains(':')
            {
                return Err(TemplateError::Separator);
            }
            pieces.push(piece);
            rest = &rest[close + 1..];
        }
        push_literal(&mut pieces, rest)?;
        let required: &[(Piece, &str)] = &[
            (Piece::Origin, "origin"),
            (Piece::Database, "database"),
            (Piece::Store, "store"),
            (Piece::Key, "key"),
        ];
        if pieces.iter().filter(|piece| **piece == Piece::Profile).count() > 1 {
            return Err(TemplateError::Twice("profile"));
        }
        for (piece, name) in &required[..if with_key { 4 } else { 3 }] {
            match pieces.iter().filter(|other| *other == piece).count() {
                0 => return Err(TemplateError::Missing(name)),
                1 => {}
                _ => return Err(TemplateError::Twice(name)),
            }
        }
        Ok(Self { pieces })
    }

    /// The template of one browser profile: its id takes the place of `{profile}`. Before that no
    /// record can be named.
    #[must_use]
    pub fn of_profile(&self, profile: &str) -> Self {
        let mut pieces: Vec<Piece> = Vec::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            let text = match piece {
                Piece::Profile => {
                    let mut text = String::new();
                    encode(profile, &mut text);
                    text
                }
                Piece::Literal(text) => text.clone(),
                component => {
                    pieces.push(component.clone());
                    continue;
                }
            };
            match pieces.last_mut() {
                Some(Piece::Literal(before)) => before.push_str(&text),
                _ => pieces.push(Piece::Literal(text)),
            }
        }
        Self { pieces }
    }

    /// Whether every profile has names of its own.
    pub fn has_profile(&self) -> bool {
        self.pieces.contains(&Piece::Profile)
    }

    /// What all names of an origin have in common, after a prefix: the template with the origin in
    /// its place. Never longer than [`MAX_MEMCACHED_KEY`].
    pub fn origin_name(&self, prefix: &str, origin: &str) -> String {
        let mut out = prefix.to_owned();
        for piece in &self.pieces {
            match piece {
                Piece::Origin => encode(origin, &mut out),
                other => {
                    let one = Self {
                        pieces: vec![other.clone()],
                    };
                    out.push_str(&one.to_string());
                }
            }
        }
        shorten(out)
    }

    /// What all names of an origin's records begin with; `None` if another component stands in
    /// front of the origin.
    pub fn origin_prefix(&self, origin: &str) -> Option<RecordPrefix> {
        let at = self.pieces.iter().position(|piece| *piece == Piece::Origin)?;
        let mut out = String::new();
        for piece in self.pieces.iter().take(at + 2) {
            match piece {
                Piece::Literal(literal) => out.push_str(literal),
                Piece::Origin => encode(origin, &mut out),
                _ => return None,
            }
        }
        Some(RecordPrefix(out))
    }

    /// The pattern that all of a channel template's names match, as Redis reads patterns
    /// (`PSUBSCRIBE`).
    pub fn pattern(&self) -> String {
        let mut pattern = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => pattern.push_str(&literally(literal)),
                _ => pattern.push('*'),
            }
        }
        pattern
    }

    /// The name of a store (a channel).
    pub fn store_name(&self, names: Names<'_>) -> String {
        self.render(names, "")
    }

    /// The Memcached key of a record; `key` is the canonical text of [`crate::key::Key`]. Never
    /// longer than [`MAX_MEMCACHED_KEY`]: past that its end gives way to `%@` and the SHA-256 of
    /// the whole, in hexadecimal.
    pub fn record_name(&self, names: Names<'_>, key: &str) -> String {
        shorten(self.render(names, key))
    }

    /// The part of every record's name that comes before its key, for prefix tests and repeated
    /// use.
    pub fn prefix(&self, names: Names<'_>) -> Option<RecordPrefix> {
        let (Piece::Key, before) = self.pieces.split_last()? else {
            return None;
        };
        Some(RecordPrefix(
            Self {
                pieces: before.to_vec(),
            }
            .render(names, ""),
        ))
    }

    fn render(&self, names: Names<'_>, key: &str) -> String {
        let mut out = String::with_capacity(96);
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => out.push_str(literal),
                Piece::Profile => out.push_str("{profile}"),
                Piece::Origin => encode(names.origin, &mut out),
                Piece::Database => {
                    encode(names.database, &mut out);
                    if !names.bucket.is_empty() {
                        // Buckets have databases of the same names; `%@` cannot come from a name.
                        out.push_str(MARK);
                        encode(names.bucket, &mut out);
                    }
                }
                Piece::Store => encode(names.store, &mut out),
                Piece::Key => encode(key, &mut out),
            }
        }
        out
    }
}

/// The rendered names of a store's records up to the key; saves rendering them again for each
/// record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordPrefix(String);

impl RecordPrefix {
    /// What [`Template::record_name`] says for this key.
    pub fn record_name(&self, key: &str) -> String {
        let mut out = String::with_capacity(self.0.len() + key.len() + 8);
        out.push_str(&self.0);
        encode(key, &mut out);
        shorten(out)
    }
}

fn push_literal(pieces: &mut Vec<Piece>, text: &str) -> Result<(), TemplateError> {
    if text.contains(|char: char| char == '%' || char == ' ' || char.is_control()) {
        return Err(TemplateError::Literal);
    }
    if !text.is_empty() {
        pieces.push(Piece::Literal(text.to_owned()));
    }
    Ok(())
}

fn must_encode(char: char) -> bool {
    char == '%' || char == ':' || char.is_whitespace() || char.is_control()
}

/// A pattern of Redis (`PSUBSCRIBE`, `SCAN`) that this text alone matches.
pub fn literally(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for char in text.chars() {
        if matches!(char, '*' | '?' | '[' | ']' | '^' | '\\') {
            pattern.push('\\');
        }
        pattern.push(char);
    }
    pattern
}

/// Percent-encodes one component (RFC 3986's form, on UTF-8).
pub fn encode(component: &str, out: &mut String) {
    for char in component.chars() {
        if must_encode(char) {
            for byte in char.encode_utf8(&mut [0; 4]).bytes() {
                let _always_fits = write!(out, "%{byte:02X}");
            }
        } else {
            out.push(char);
        }
    }
}

/// The component that [`encode`] made this of; `None` if it did not.
pub fn decode(encoded: &str) -> Option<Cow<'_, str>> {
    if !encoded.contains('%') {
        return Some(Cow::Borrowed(encoded));
    }
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte == b'%' {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[2..];
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

fn shorten(name: String) -> String {
    if name.len() <= MAX_MEMCACHED_KEY {
        return name;
    }
    let digest = Sha256::digest(name.as_bytes());
    let mut short = name;
    let mut keep = MAX_MEMCACHED_KEY - SHORT_END;
    while !short.is_char_boundary(keep) {
        keep -= 1;
    }
    short.truncate(keep);
    short.push_str(MARK);
    for byte in digest {
        let _always_fits = write!(short, "{byte:02x}");
    }
    short
}

#[cfg(test)]
pub(crate) mod tests;

//! Keys out of typed JSON. Engines give keys back in their canonical form; what a page gives to
//! `delete` may be a view of a part of its buffer, name one date or buffer several times, or be an
//! array with named properties besides.

use std::collections::HashMap;

use base64::Engine as _;

use super::{BASE64, Key, KeyError, MAX_KEY_DEPTH, MAX_REPEATED, REPEATED_A_BYTE};
use crate::{
    date,
    json::{self, Json},
    number,
};

/// The key that a typed value stands for, whose text is so long.
pub(super) fn key(json: &Json<'_>, length: usize) -> Result<Key, KeyError> {
    let mut reader = Reader {
        shared: HashMap::new(),
        repeatable: length.saturating_mul(REPEATED_A_BYTE).min(MAX_REPEATED),
    };
    reader.key(json, 0)
}

/// Dates and buffers by their ids. Arrays have none: "convert a value to a key" (Indexed Database
/// API 3.0) refuses one that occurs twice.
struct Reader<'j> {
    shared: HashMap<&'j str, Key>,
    /// How many bytes of them may still stand for references: a short text must not be a huge key.
    repeatable: usize,
}

impl<'j> Reader<'j> {
    fn key(&mut self, json: &Json<'j>, depth: usize) -> Result<Key, KeyError> {
        let found = match json {
            Json::Number(literal) => Some(number::parse(literal))
                .filter(|number| number.is_finite())
                .map(|number| Key::Number(number + 0.0)),
            Json::String(literal) => Some(Key::String(json::utf16(literal))),
            Json::Array(items) => return self.array(items.iter(), depth),
            Json::Object(_) => match json.only_member() {
                Some((name, content)) => return self.form(json, name, content, depth),
                None => None,
            },
            Json::Null | Json::Bool(_) => None,
        };
        found.ok_or_else(|| wrong(json))
    }

    fn array<'i>(&mut self, items: impl Iterator<Item = &'i Json<'j>>, depth: usize) -> Result<Key, KeyError>
    where
        'j: 'i,
    {
        if depth == MAX_KEY_DEPTH {
            return Err(KeyError::TooDeep);
        }
        items
            .map(|item| self.key(item, depth + 1))
            .collect::<Result<_, _>>()
            .map(Key::Array)
    }

    fn form(
        &mut self,
        json: &Json<'j>,
        form: &str,
        content: &Json<'j>,
        depth: usize,
    ) -> Result<Key, KeyError> {
        let found = match form {
            r#""$number""# => match content.as_plain_str() {
                Some("Infinity") => Some(Key::Number(f64::INFINITY)),
                Some("-Infinity") => Some(Key::Number(f64::NEG_INFINITY)),
                Some("-0") => Some(Key::Number(0.0)),
                _ => None,
            },
            r#""$date""# => content.as_plain_str().and_then(date::parse).map(Key::Date),
            r#""$bytes""# => match content.get("buffer") {
                Some(buffer) => self.view(content, buffer)?,
                None => bytes(content).map(Key::Binary),
            },
            r#""$sparse""# => match elements(content) {
                Some(items) => return self.array(items.into_iter(), depth),
                None => None,
            },
            r#""$id""# => match (content.get("id"), content.get("value")) {
                // One in the other would be a copy for each.
                (Some(Json::Number(id)), Some(value)) if !is_identified(value) => {
                    let key = self.key(value, depth)?;
                    if matches!(key, Key::Date(_) | Key::Binary(_)) {
                        self.shared.insert(id, key.clone());
                    }
                    Some(key)
                }
                _ => None,
            },
            r#""$ref""# => match content {
                Json::Number(id) => {
                    let key = self.shared.get(id).cloned();
                    self.repeat(key.as_ref())?;
                    key
                }
                _ => None,
            },
            _ => None,
        };
        found.ok_or_else(|| wrong(json))
    }

    /// The part of a buffer that a view shows. The buffer is itself no view.
    fn view(&mut self, view: &Json<'j>, buffer: &Json<'j>) -> Result<Option<Key>, KeyError> {
        let (id, stored) = match buffer.only_member() {
            Some((r#""$ref""#, Json::Number(id))) => (Some(*id), None),
            Some((r#""$id""#, shared)) => match (shared.get("id"), shared.get("value")) {
                (Some(Json::Number(id)), Some(value)) => (Some(*id), stored_bytes(value)),
                _ => return Ok(None),
            },
            _ => (None, stored_bytes(buffer)),
        };
        let Some(stored) = stored else {
            let known = match id.and_then(|id| self.shared.get(id)) {
                Some(Key::Binary(bytes)) => part(bytes, view).map(Key::Binary),
                _ => None,
            };
            self.repeat(known.as_ref())?;
            return Ok(known);
        };
        let key = part(&stored, view).map(Key::Binary);
        if let Some(id) = id {
            self.shared.insert(id, Key::Binary(stored));
        }
        Ok(key)
    }

    /// Counts a date or a buffer that stands for a reference.
    fn repeat(&mut self, key: Option<&Key>) -> Result<(), KeyError> {
        let bytes = match key {
            Some(Key::Binary(bytes)) => bytes.len(),
            Some(_) => size_of::<f64>(),
            None => 0,
        };
        self.repeatable = self.repeatable.checked_sub(bytes).ok_or(KeyError::TooLong)?;
        Ok(())
    }
}

/// Whether it is an object with an id, or a reference to one.
fn is_identified(json: &Json<'_>) -> bool {
    matches!(json.only_member(), Some((r#""$id""# | r#""$ref""#, _)))
}

/// The bytes of a buffer that is no view of another.
fn stored_bytes(json: &Json<'_>) -> Option<Vec<u8>> {
    match json.only_member()? {
        (r#""$bytes""#, content) if content.get("buffer").is_none() => bytes(content),
        _ => None,
    }
}

/// The bytes of a buffer, or of a view of a whole one.
fn bytes(content: &Json<'_>) -> Option<Vec<u8>> {
    let base64 = content.get("base64")?.as_plain_str()?;
    BASE64.decode(base64).ok()
}

/// The part of a buffer that a view shows.
fn part(bytes: &[u8], view: &Json<'_>) -> Option<Vec<u8>> {
    let number = |name| match view.get(name) {
        Some(Json::Number(literal)) => literal.parse::<usize>().ok(),
        _ => None,
    };
    let from = number("offset")?;
    bytes
        .get(from..from.checked_add(number("length")?)?)
        .map(<[u8]>::to_vec)
}

/// The elements of an array that has names besides; none if it has holes.
fn elements<'i, 'j>(sparse: &'i Json<'j>) -> Option<Vec<&'i Json<'j>>> {
    let (Json::Number(length), Json::Object(members)) = (sparse.get("length")?, sparse.get("items")?) else {
        return None;
    };
    let length: usize = length.parse().ok()?;
    let elements: Vec<_> = members.iter().take(length).map(|(_, item)| item).collect();
    // Indices come first and ascend.
    let dense = members
        .iter()
        .take(length)
        .enumerate()
        .all(|(index, (name, _))| json::unquoted(name) == index.to_string());
    (elements.len() == length && dense).then_some(elements)
}

fn wrong(json: &Json<'_>) -> KeyError {
    KeyError::Type(match json {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number out of range",
        Json::String(_) => "a string",
        Json::Array(_) => "an array",
        Json::Object(members) => match &members[..] {
            [(r#""$date""#, _)] => "an invalid date",
            [(r#""$number""#, _)] => "an invalid number",
            _ => "an object",
        },
    })
}

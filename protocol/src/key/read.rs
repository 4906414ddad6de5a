//! Keys out of typed JSON. Engines give keys back in their canonical form; what a page gives to
//! `delete` may be a view of a part of its buffer, name one date or buffer several times, or be an
//! array with named properties besides.

use std::collections::HashMap;

use base64::Engine as _;

use super::{BASE64, Key, KeyError, MAX_KEY_DEPTH, MAX_REPEATED};
use crate::{
    date,
    json::{self, Json},
    number,
};

/// The key that a typed value stands for.
pub(super) fn key(json: &Json<'_>) -> Result<Key, KeyError> {
    Reader::default().key(json, 0)
}

/// Dates and buffers by their ids. Arrays have none: "convert a value to a key" (Indexed Database
/// API 3.0) refuses one that occurs twice.
#[derive(Default)]
struct Reader<'j> {
    shared: HashMap<&'j str, Key>,
    /// How many bytes of them stand for references: a short text must not be a huge key.
    repeated: usize,
}

impl<'j> Reader<'j> {
    fn key(&mut self, json: &Json<'j>, depth: usize) -> Result<Key, KeyError> {
        let found = match json {
            Json::Number(literal) => Some(number::parse(literal))
                .filter(|number| number.is_finite())
                .map(|number| Key::Number(number + 0.0)),
            Json::String(literal) => Some(Key::String(json::utf16(literal))),
            Json::Array(items) => return self.array(items.iter(), depth),
            Json::Object(members) => match &members[..] {
                [(form, content)] => return self.form(json, form, content, depth),
                _ => None,
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
                Some(buffer) => match self.key(buffer, depth)? {
                    Key::Binary(bytes) => part(&bytes, content).map(Key::Binary),
                    _ => None,
                },
                None => content
                    .get("base64")
                    .and_then(Json::as_plain_str)
                    .and_then(|base64| BASE64.decode(base64).ok())
                    .map(Key::Binary),
            },
            r#""$sparse""# => match elements(content) {
                Some(items) => return self.array(items.into_iter(), depth),
                None => None,
            },
            r#""$id""# => match (content.get("id"), content.get("value")) {
                (Some(Json::Number(id)), Some(value)) => {
                    let key = self.key(value, depth)?;
                    if matches!(key, Key::Date(_) | Key::Binary(_)) {
                        self.shared.insert(id, key.clone());
                    }
                    Some(key)
                }
                _ => None,
            },
            r#""$ref""# => match content {
                Json::Number(id) => return self.again(id).and_then(|key| key.ok_or_else(|| wrong(json))),
                _ => None,
            },
            _ => None,
        };
        found.ok_or_else(|| wrong(json))
    }

    /// A date or a buffer once more.
    fn again(&mut self, id: &str) -> Result<Option<Key>, KeyError> {
        let Some(key) = self.shared.get(id) else {
            return Ok(None);
        };
        self.repeated += match key {
            Key::Binary(bytes) => bytes.len(),
            _ => size_of::<f64>(),
        };
        if self.repeated > MAX_REPEATED {
            return Err(KeyError::TooLong);
        }
        Ok(Some(key.clone()))
    }
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

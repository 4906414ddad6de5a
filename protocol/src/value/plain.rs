//! The lossy projection that readers of a cache expect: what `JSON.stringify` says of the value,
//! where it has an answer.
//!
//! Beyond that: maps with string keys become objects and other maps arrays of pairs, sets arrays,
//! bytes base64, `BigInt`s decimal strings, images their size and bytes; a reference back into an
//! object that is still being written is `null`.

mod platform;

pub(crate) use platform::computed_names;

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use crate::json::{Json, JsonError, MAX_DEPTH};

/// Why a value has no plain form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlainError {
    /// The text is not JSON.
    #[error("the typed value is {0}")]
    Json(#[from] JsonError),
    /// The plain text would pass the limit: repeated references are written out each time, holes as
    /// `null`.
    #[error("the plain form of the value is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// Objects that occur again would be gone through too often for a text of this length.
    #[error("the value refers to its objects too often for a plain form of at most {limit} bytes")]
    TooManyReferences {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The page's encoder had to leave something out. A cache reader could not tell what is left
    /// from the whole.
    #[error("the value was {reason} to be carried whole")]
    Cut {
        /// `too large`, `too deep`…
        reason: String,
    },
}

/// The type in the `$opaque` of a plain object that was cut, unlike those of objects that JSON
/// can't carry.
const CUT: &str = "Object";

/// The bytes of a hole in an array: `null,`.
const HOLE: usize = 5;

/// How much may be gone through again by reference for each byte that a plain form may have. Typed
/// text is longer than the plain form of it, but not many times.
const REPEATED: usize = 16;

/// The plain form of a typed value, at most `limit` bytes long.
pub fn plain(typed: &str, limit: usize) -> Result<Cow<'_, str>, PlainError> {
    // Without a `$` at the start of a name the two forms are the same text.
    if !typed.contains("\"$") {
        return if typed.len() <= limit {
            Ok(Cow::Borrowed(typed))
        } else {
            Err(PlainError::TooLarge { limit })
        };
    }
    let json = Json::parse(typed)?;
    let mut writer = Writer {
        out: String::with_capacity(typed.len()),
        limit,
        shared: HashMap::new(),
        repeatable: typed.len().saturating_add(limit.saturating_mul(REPEATED)),
        buffers: HashMap::new(),
        open: HashSet::new(),
        depth: 0,
    };
    collect_shared(&json, &mut writer.shared);
    if !writer.value(&json)? {
        writer.out.push_str("null");
    }
    writer.check()?;
    Ok(Cow::Owned(writer.out))
}

/// The one `$` form an object stands for, with its content.
fn form<'j, 'a>(json: &'j Json<'a>) -> Option<(&'a str, &'j Json<'a>)> {
    let (name, content) = json.only_member()?;
    let name = crate::json::unquoted(name);
    name.starts_with('$').then_some((name, content))
}

/// A shared object, where it stands first.
#[derive(Clone, Copy)]
struct SharedObject<'j, 'a> {
    value: &'j Json<'a>,
    /// What it costs to go through it, about its length: however little is written of it.
    cost: usize,
}

/// Finds the first places of shared objects by their ids (the ids' literals). Returns what it costs
/// to go through the value.
fn collect_shared<'j, 'a>(json: &'j Json<'a>, shared: &mut HashMap<&'a str, SharedObject<'j, 'a>>) -> usize {
    match json {
        Json::Array(items) => {
            1 + items
                .iter()
                .map(|item| collect_shared(item, shared))
                .sum::<usize>()
        }
        Json::Object(members) => {
            let mut cost = 1;
            for (name, value) in members {
                cost += name.len() + collect_shared(value, shared);
            }
            if let Some(("$id", content)) = form(json)
                && let (Some(Json::Number(id)), Some(value)) = (content.get("id"), content.get("value"))
            {
                shared.insert(id, SharedObject { value, cost });
            }
            cost
        }
        Json::Number(literal) | Json::String(literal) => literal.len(),
        Json::Null | Json::Bool(_) => 1,
    }
}

/// The base64 text of a buffer's `$bytes`.
fn base64_of<'a>(buffer: &Json<'a>) -> Option<&'a str> {
    match form(buffer) {
        Some(("$bytes", content)) => content.get("base64")?.as_plain_str(),
        _ => None,
    }
}

struct Writer<'j, 'a> {
    out: String,
    limit: usize,
    shared: HashMap<&'a str, SharedObject<'j, 'a>>,
    /// How much may still be gone through for references.
    repeatable: usize,
    /// The base64 text of the shared buffers that views have referred to, by their ids.
    buffers: HashMap<&'a str, Option<&'a str>>,
    /// The ids of the shared objects around the place that is being written.
    open: HashSet<&'a str>,
    /// How many values there are around it. Shared objects that lead to one another nest deeper
    /// here than in their text.
    depth: usize,
}

impl<'j, 'a> Writer<'j, 'a> {
    fn check(&self) -> Result<(), PlainError> {
        self.has_room_for(0)
    }

    /// Refuses what is known to take so many more bytes, before it is written.
    fn has_room_for(&self, bytes: usize) -> Result<(), PlainError> {
        if self.out.len().saturating_add(bytes) > self.limit {
            Err(PlainError::TooLarge { limit: self.limit })
        } else {
            Ok(())
        }
    }

    /// Writes a value; `false` means that it is `undefined` and nothing was written.
    fn value(&mut self, json: &'j Json<'a>) -> Result<bool, PlainError> {
        if self.depth == MAX_DEPTH {
            let reason = "too deep".to_owned();
            return Err(PlainError::Cut { reason });
        }
        self.depth += 1;
        let written = self.at_this_depth(json);
        self.depth -= 1;
        written
    }

    fn at_this_depth(&mut self, json: &'j Json<'a>) -> Result<bool, PlainError> {
        self.check()?;
        match json {
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => json.write(&mut self.out),
            Json::Array(items) => self.array(items)?,
            Json::Object(members) => match form(json) {
                Some((name, content)) => return self.form(name, content),
                None => self.object(members.iter().map(|(name, value)| (*name, value)))?,
            },
        }
        Ok(true)
    }

    fn array(&mut self, items: impl IntoIterator<Item = &'j Json<'a>>) -> Result<(), PlainError> {
        self.out.push('[');
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            if !self.value(item)? {
                self.out.push_str("null");
            }
        }
        self.out.push(']');
        Ok(())
    }

    /// Members that are `undefined` are left out, as `JSON.stringify` does.
    fn object(&mut self, members: impl Iterator<Item = (&'a str, &'j Json<'a>)>) -> Result<(), PlainError> {
        self.out.push('{');
        self.members(members)?;
        self.out.push('}');
        Ok(())
    }

    fn members(&mut self, members: impl Iterator<Item = (&'a str, &'j Json<'a>)>) -> Result<(), PlainError> {
        let mut first = true;
        for (name, value) in members {
            let start = self.out.len();
            if !first {
                self.out.push(',');
            }
            self.out.push_str(name);
            self.out.push(':');
            if self.value(value)? {
                first = false;
            } else {
                self.out.truncate(start);
            }
        }
        Ok(())
    }

    fn form(&mut self, name: &str, content: &'j Json<'a>) -> Result<bool, PlainError> {
        match (name, content) {
            ("$undefined", _) => return Ok(false),
            ("$number", _) => {
                self.out.push_str(if content.as_plain_str() == Some("-0") {
                    "0"
                } else {
                    "null"
                });
            }
            ("$bigint" | "$date", _) => content.write(&mut self.out),
            ("$boxed", _) => return self.value(content),
            ("$map", Json::Array(pairs)) => self.map(pairs)?,
            ("$set", Json::Array(items)) => self.array(items)?,
            ("$bytes", _) => self.bytes(content)?,
            ("$sparse", _) => self.sparse(content)?,
            ("$object", Json::Object(members)) => {
                self.object(members.iter().map(|(name, value)| (*name, value)))?;
            }
            ("$id", _) => match (content.get("id"), content.get("value")) {
                (Some(Json::Number(id)), Some(value)) => return self.shared_value(id, value),
                _ => self.out.push_str("null"),
            },
            ("$ref", Json::Number(id)) => match self.shared.get(id).copied() {
                Some(SharedObject { value, cost }) => {
                    self.repeat(cost)?;
                    return self.shared_value(id, value);
                }
                None => self.out.push_str("null"),
            },
            ("$opaque", _) if content.get("type").and_then(Json::as_plain_str) == Some(CUT) => {
                let reason = content
                    .get("reason")
                    .and_then(Json::as_plain_str)
                    .unwrap_or("unfit");
                let reason = reason.to_owned();
                return Err(PlainError::Cut { reason });
            }
            // What is known of it; `JSON.stringify` finds no own members.
            ("$blob", Json::Object(members)) => {
                self.object(members.iter().map(|(name, value)| (*name, value)))?;
            }
            ("$platform", _) => self.platform(content)?,
            // Regular expressions, errors and other opaque values: `JSON.stringify` finds no own
            // members.
            _ => self.out.push_str("{}"),
        }
        Ok(true)
    }

    /// Writes a shared object, unless this place is inside of it.
    fn shared_value(&mut self, id: &'a str, value: &'j Json<'a>) -> Result<bool, PlainError> {
        if !self.open.insert(id) {
            self.out.push_str("null");
            return Ok(true);
        }
        let written = self.value(value);
        self.open.remove(id);
        written
    }

    /// Counts what is gone through for one more reference. What is written says nothing about it: a
    /// member may come to be `undefined` after a long way.
    fn repeat(&mut self, cost: usize) -> Result<(), PlainError> {
        let limit = self.limit;
        let left = self.repeatable.checked_sub(cost);
        self.repeatable = left.ok_or(PlainError::TooManyReferences { limit })?;
        Ok(())
    }

    fn map(&mut self, pairs: &'j [Json<'a>]) -> Result<(), PlainError> {
        let members: Option<Vec<_>> = pairs
            .iter()
            .map(|pair| match pair {
                Json::Array(pair) => match &pair[..] {
                    [Json::String(name), value] => Some((*name, value)),
                    _ => None,
                },
                _ => None,
            })
            .collect();
        match members {
            Some(members) => self.object(members.into_iter()),
            None => self.array(pairs),
        }
    }

    fn bytes(&mut self, content: &'j Json<'a>) -> Result<(), PlainError> {
        if let Some(base64) = content.get("base64") {
            base64.write(&mut self.out);
            return Ok(());
        }
        // A view of a part: cut its bytes out of the buffer it refers to.
        let part = self.view(content).unwrap_or_default();
        self.has_room_for(part.len())?;
        self.out.push('"');
        BASE64.encode_string(part, &mut self.out);
        self.out.push('"');
        Ok(())
    }

    /// The bytes of a view. Only these are decoded: many views may share one large buffer.
    fn view(&mut self, content: &'j Json<'a>) -> Option<Vec<u8>> {
        let number = |name: &str| match content.get(name) {
            Some(Json::Number(literal)) => literal.parse::<usize>().ok(),
            _ => None,
        };
        let start = number("offset")?;
        let end = start.checked_add(number("length")?)?;
        let base64 = self.buffer(content.get("buffer")?)?;
        // Four letters stand for three bytes.
        let (first, last) = (start / 3, end.div_ceil(3));
        let letters = base64.get(first.checked_mul(4)?..last.checked_mul(4)?)?;
        let bytes = BASE64.decode(letters).ok()?;
        bytes.get(start - first * 3..end - first * 3).map(<[u8]>::to_vec)
    }

    /// The base64 text of a buffer, which may be a reference or the shared object itself.
    fn buffer(&mut self, buffer: &'j Json<'a>) -> Option<&'a str> {
        match form(buffer) {
            Some(("$id", shared)) => base64_of(shared.get("value")?),
            Some(("$ref", Json::Number(id))) => {
                if let Some(known) = self.buffers.get(id) {
                    return *known;
                }
                let found = self.shared.get(id).and_then(|shared| base64_of(shared.value));
                self.buffers.insert(id, found);
                found
            }
            _ => base64_of(buffer),
        }
    }

    fn sparse(&mut self, content: &'j Json<'a>) -> Result<(), PlainError> {
        let (Some(Json::Number(length)), Some(Json::Object(items))) =
            (content.get("length"), content.get("items"))
        else {
            self.out.push_str("[]");
            return Ok(());
        };
        let length = length.parse::<usize>().unwrap_or(usize::MAX);
        // `null,` for each hole, and a letter and a comma for each item: an array that is too long
        // is refused before any of it is written.
        let holes = length.saturating_sub(items.len());
        let least = holes.saturating_mul(HOLE).saturating_add((length - holes) * 2);
        self.has_room_for(least)?;
        let by_index: HashMap<usize, &'j Json<'a>> = items
            .iter()
            .filter_map(|(name, value)| Some((crate::json::unquoted(name).parse().ok()?, value)))
            .collect();
        self.array((0..length).map(|index| by_index.get(&index).copied().unwrap_or(&Json::Null)))
    }
}

#[cfg(test)]
mod tests;

//! Typed values: finding the redacted parts, and writing the rest.
//!
//! First every place that a pointer leads to is marked, references followed. Then the marks spread:
//! an object that stands inside of a marked place is marked itself, wherever its other places are,
//! until nothing new is found. The text that is then written has no dangling reference.

use self::{
    form::Shared,
    marks::Marks,
    writer::{Refusal, Writer},
};
use super::{BYTES_A_LOOK, MAX_RECORD_LOOKS, Treatment, hash::Hasher, pointer::Step};
use crate::json::{Json, JsonError};

mod components;
mod digest;
mod form;
mod marks;
mod writer;

/// What can be written in the place of a value that cannot be read.
pub(super) const UNREADABLE: &str = r#"{"$opaque":{"type":"Object","reason":"unreadable for redaction"}}"#;

/// What can be written in the place of one that grows too long: the same as the page's encoder
/// writes for what is too long.
const TOO_LONG: &str = r#"{"$opaque":{"type":"Object","reason":"too large"}}"#;

/// What can be written in the place of one that has too many values inside.
const TOO_MANY: &str = r#"{"$opaque":{"type":"Object","reason":"too large for redaction"}}"#;

/// What redacting may still take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// By how many bytes values and keys may grow.
    pub growth: usize,
    /// How many values may be looked at.
    pub looks: usize,
}

/// The value with these fields redacted. One that would take more room than there is, is said to be
/// too large, or to have too many values.
pub(super) fn redacted(
    typed: &str,
    fields: &[(Vec<Step>, Treatment)],
    hasher: &Hasher,
    room: &mut Room,
) -> String {
    // Each value inside is looked at when it is read and when it is written, and for each field;
    // one that refers to itself for each step of it.
    let has_references = typed.contains(r#""$ref""#);
    let of_field = |steps: &Vec<Step>| if has_references { steps.len() } else { 1 };
    let looks = 2 + fields.iter().map(|(steps, _)| of_field(steps)).sum::<usize>();
    let most_looks = room.looks.min(MAX_RECORD_LOOKS);
    let most = most_looks / looks;
    let (tree, values) = match Json::parse_within(typed, most) {
        Ok(parsed) => parsed,
        Err(JsonError::TooMany { .. }) => {
            room.looks -= most;
            return TOO_MANY.to_owned();
        }
        Err(_) => return UNREADABLE.to_owned(),
    };
    room.looks -= values * looks;
    let Some(shared) = Shared::of(&tree) else {
        return UNREADABLE.to_owned();
    };
    let mut marks = Marks::new(shared);
    for (index, (steps, how)) in fields.iter().enumerate() {
        marks.follow(&tree, index, steps, *how);
    }
    if marks.is_empty() {
        return typed.to_owned();
    }
    marks.spread();
    if marks.of(&tree) == Some(Treatment::Drop) {
        return "null".to_owned();
    }
    let limit = typed.len().saturating_add(room.growth);
    // Nodes that are hashed again by reference count as looks, too.
    let left = (most_looks - values * looks).saturating_mul(BYTES_A_LOOK);
    let mut writer = Writer::new(&marks, hasher, typed.len(), (limit, left));
    writer.value(&tree);
    room.looks -= (left - writer.left()).div_ceil(BYTES_A_LOOK);
    match writer.finish() {
        Ok(text) => text,
        Err(Refusal::TooLong) => TOO_LONG.to_owned(),
        Err(Refusal::TooMuch) => TOO_MANY.to_owned(),
    }
}

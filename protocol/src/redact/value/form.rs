//! Typed values as pointers and marks see them: what stands in what, and where shared objects are.

use std::collections::BTreeMap;

use crate::{
    json::{self, Json, MAX_PARTS},
    redact::work,
};

/// What a typed value is made of, as far as pointers and marks are concerned.
pub(super) enum Form<'j, 'a> {
    /// Nothing inside.
    Scalar,
    Array(&'j [Json<'a>]),
    /// A plain object, escaped or not.
    Plain(&'j [(&'a str, Json<'a>)]),
    /// One of the other forms: its name without quotes, and its content.
    Typed(&'a str, &'j Json<'a>),
}

pub(super) fn form<'j, 'a>(json: &'j Json<'a>) -> Form<'j, 'a> {
    match json {
        Json::Array(items) => Form::Array(items),
        Json::Object(members) => match &members[..] {
            [(name, content)] if json::unquoted(name).starts_with('$') => {
                match (json::unquoted(name), content) {
                    ("$object", Json::Object(members)) => Form::Plain(members),
                    (name, content) => Form::Typed(name, content),
                }
            }
            members => Form::Plain(members),
        },
        _ => Form::Scalar,
    }
}

/// The typed values directly inside of one, in order.
pub(super) fn inside<'j, 'a>(json: &'j Json<'a>) -> Vec<&'j Json<'a>> {
    match form(json) {
        Form::Array(items) => items.iter().collect(),
        Form::Plain(members) => members.iter().map(|(_, value)| value).collect(),
        Form::Typed("$map", Json::Array(pairs)) => pairs.iter().flat_map(elements).collect(),
        Form::Typed("$set", Json::Array(items)) => items.iter().collect(),
        Form::Typed("$boxed", content) => vec![content],
        Form::Typed("$id", content) => content.get("value").into_iter().collect(),
        Form::Typed("$error", content) => content.get("cause").into_iter().collect(),
        Form::Typed("$bytes", content) => content.get("buffer").into_iter().collect(),
        Form::Typed("$sparse", content) => items(content).iter().map(|(_, value)| value).collect(),
        Form::Typed("$platform", Json::Object(members)) => members.iter().map(|(_, value)| value).collect(),
        Form::Scalar | Form::Typed(..) => Vec::new(),
    }
}

/// The elements of an array; of anything else none.
pub(super) fn elements<'j, 'a>(json: &'j Json<'a>) -> &'j [Json<'a>] {
    match json {
        Json::Array(items) => items,
        _ => &[],
    }
}

/// The items of a `$sparse`.
pub(super) fn items<'j, 'a>(content: &'j Json<'a>) -> &'j [(&'a str, Json<'a>)] {
    match content.get("items") {
        Some(Json::Object(members)) => members,
        _ => &[],
    }
}

/// The id of a `$ref`.
pub(super) fn reference<'a>(json: &Json<'a>) -> Option<&'a str> {
    match form(json) {
        Form::Typed("$ref", Json::Number(id)) => Some(id),
        _ => None,
    }
}

/// Whether all keys of a map are strings: then its plain form is an object.
pub(super) fn has_names(pairs: &[Json<'_>]) -> bool {
    pairs
        .iter()
        .all(|pair| matches!(elements(pair), [Json::String(_), _]))
}

/// A node of the tree; it neither moves nor changes while it is looked at.
pub(super) fn address(json: &Json<'_>) -> usize {
    std::ptr::from_ref(json).addr()
}

/// The two parts of a `$id`: its id, and the object, which is no reference and has no other id.
fn identified<'j, 'a>(content: &'j Json<'a>) -> Option<(&'a str, &'j Json<'a>)> {
    let (Json::Number(id), value) = (content.get("id")?, content.get("value")?) else {
        return None;
    };
    let is_alone = matches!(content, Json::Object(parts) if parts.len() == 2);
    (is_alone && !matches!(form(value), Form::Typed("$id" | "$ref", _))).then_some((*id, value))
}

/// Whether an encoder may have written this form. What is looked up in one must be all that there
/// is, and cost little: references lead to it any number of times.
fn is_sound(name: &str, content: &Json<'_>) -> bool {
    match content {
        _ if name == "$id" => identified(content).is_some(),
        Json::Object(parts) => parts.len() <= MAX_PARTS,
        _ => true,
    }
}

/// The first places of objects that occur more than once: the `$id`s by their ids. Pages choose the
/// ids, and could choose them so that they collide in a table of hashes.
pub(super) struct Shared<'j, 'a>(BTreeMap<&'a str, &'j Json<'a>>);

impl<'j, 'a> Shared<'j, 'a> {
    /// `None` if an id names two objects, or a form is one that no encoder writes.
    pub(super) fn of(root: &'j Json<'a>) -> Option<Self> {
        let mut shared = BTreeMap::new();
        let mut rest = vec![root];
        while let Some(json) = rest.pop() {
            work::count(1);
            if let Form::Typed(name, content) = form(json) {
                if !is_sound(name, content) {
                    return None;
                }
                if name == "$id" && shared.insert(identified(content)?.0, json).is_some() {
                    return None;
                }
            }
            rest.extend(inside(json));
        }
        Some(Self(shared))
    }

    /// All of these places, in an order that says nothing.
    pub(super) fn all(&self) -> impl Iterator<Item = &'j Json<'a>> {
        self.0.values().copied()
    }

    /// What stands at this place: a reference leads to its `$id`.
    pub(super) fn place(&self, json: &'j Json<'a>) -> &'j Json<'a> {
        reference(json)
            .and_then(|id| self.0.get(id).copied())
            .unwrap_or(json)
    }
}

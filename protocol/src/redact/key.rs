//! Keys: which parts of a store's keys are fields that a rule redacts, and what stands for them.
//!
//! A key part is hashed, also where the rule drops or masks the field in the value: dropped or
//! masked, all records would have the same key. Parts that no rule concerns stay, so
//! `[tenant, email]` may become `[7,"hash-…"]`.

use serde_json::value::RawValue;

use super::{MAX_STEPS, hash::Hasher, pointer::Step};
use crate::{
    json,
    key::{Key, KeyError},
};

/// A store's key path ("valid key path" in the Indexed Database API 3.0): the names that lead to
/// the key in the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyPath {
    /// Keys stand beside the values.
    None,
    /// One path; without names the value itself is the key.
    One(Vec<String>),
    /// The key is an array, an element a path.
    Several(Vec<Vec<String>>),
    /// So long that comparing it with the rules' fields would hold up everything else.
    TooLong,
}

/// The longest key path that rules are applied to, in bytes of its text.
const MAX_PATH_TEXT: usize = 8 * 1024;

/// The most paths of a compound key that rules are applied to. Each is compared with each field,
/// and under an `@key` rule each is a field.
pub(super) const MAX_PATHS: usize = 64;

impl KeyPath {
    /// Of a store, as pages tell it: absent, `null`, a string or an array of strings. Anything else
    /// is no key path of any engine.
    pub(super) fn read(path: Option<&RawValue>) -> Self {
        let Some(path) = path else { return Self::None };
        if path.get().len() > MAX_PATH_TEXT {
            return Self::TooLong;
        }
        let read = match json::read::<String>(path.get()) {
            Ok(path) => Self::One(names(&path)),
            Err(_) => match json::read::<Vec<String>>(path.get()) {
                Ok(paths) => Self::Several(paths.iter().map(|path| names(path)).collect()),
                Err(_) => Self::None,
            },
        };
        let paths = read.paths();
        // As deep as pointers may be.
        if paths.len() > MAX_PATHS || paths.iter().any(|path| path.len() > MAX_STEPS) {
            Self::TooLong
        } else {
            read
        }
    }

    pub(super) fn paths(&self) -> &[Vec<String>] {
        match self {
            Self::None | Self::TooLong => &[],
            Self::One(path) => std::slice::from_ref(path),
            Self::Several(paths) => paths,
        }
    }

    /// Where in the value the key stands.
    pub(super) fn pointers(&self) -> Vec<Vec<Step>> {
        let steps = |path: &Vec<String>| path.iter().cloned().map(Step::Name).collect();
        self.paths().iter().map(steps).collect()
    }
}

fn names(path: &str) -> Vec<String> {
    if path.is_empty() {
        Vec::new()
    } else {
        path.split('.').map(str::to_owned).collect()
    }
}

/// What happens to one part of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Stays,
    /// By the hashes of this rule.
    Hashed(usize),
    /// Some elements of it, if it is an array.
    Inside(Vec<Inside>),
}

/// Where in a part of a key something is hashed, and by which rule's hashes.
type Inside = (Vec<Step>, usize);

impl Part {
    /// What the rules' fields say of the part at this path.
    fn of<'s>(path: &[String], fields: impl Iterator<Item = (&'s [Step], usize)>) -> Self {
        let mut inside = Vec::new();
        let mut whole: Option<usize> = None;
        for (steps, rule) in fields {
            let common = steps.len().min(path.len());
            let leads = steps.iter().zip(path).all(|(step, name)| match step {
                Step::Any => true,
                Step::Name(wanted) => wanted == name,
            });
            match leads {
                true if steps.len() <= path.len() => {
                    whole = Some(whole.map_or(rule, |first| first.min(rule)));
                }
                true => inside.push((steps[common..].to_vec(), rule)),
                false => {}
            }
        }
        match whole {
            Some(rule) => Self::Hashed(rule),
            None if inside.is_empty() => Self::Stays,
            None => Self::Inside(inside),
        }
    }

    fn apply(&self, key: Key, hasher: &Hasher) -> Key {
        match self {
            Self::Stays => key,
            Self::Hashed(rule) => hashed(&key, *rule, hasher),
            Self::Inside(fields) => {
                let fields: Vec<(&[Step], usize)> =
                    fields.iter().map(|(steps, rule)| (&steps[..], *rule)).collect();
                within(key, &fields, hasher)
            }
        }
    }

    /// The first rule that it is hashed by.
    fn rule(&self) -> Option<usize> {
        match self {
            Self::Stays => None,
            Self::Hashed(rule) => Some(*rule),
            Self::Inside(fields) => fields.iter().map(|(_, rule)| *rule).min(),
        }
    }
}

/// What happens to the keys of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Plan {
    Stays,
    Whole(Part),
    /// The key is an array with a part for each element.
    Parts(Vec<Part>),
}

impl Plan {
    /// `whole`: the first rule that names the record's key.
    pub(super) fn of<'s>(
        path: &KeyPath,
        fields: &(impl Iterator<Item = (&'s [Step], usize)> + Clone),
        whole: Option<usize>,
    ) -> Self {
        let part = |path: &Vec<String>| Part::of(path, fields.clone());
        match path {
            KeyPath::None | KeyPath::TooLong => {
                whole.map_or(Self::Stays, |rule| Self::Whole(Part::Hashed(rule)))
            }
            KeyPath::One(path) => match part(path) {
                Part::Stays => Self::Stays,
                part => Self::Whole(part),
            },
            KeyPath::Several(paths) => {
                let parts: Vec<Part> = paths.iter().map(part).collect();
                if parts.iter().all(|part| *part == Part::Stays) {
                    Self::Stays
                } else {
                    Self::Parts(parts)
                }
            }
        }
    }

    /// Whether keys lose their order.
    pub(super) fn redacts(&self) -> bool {
        *self != Self::Stays
    }

    /// The key's text as it may leave; `None` if it may as it is.
    pub(super) fn apply(&self, key: &str, hasher: &Hasher) -> Result<Option<String>, KeyError> {
        let key = match self {
            Self::Stays => return Ok(None),
            Self::Whole(part) => part.apply(Key::parse(key)?, hasher),
            Self::Parts(parts) => match Key::parse(key)? {
                Key::Array(items) if items.len() == parts.len() => Key::Array(
                    items
                        .into_iter()
                        .zip(parts)
                        .map(|(item, part)| part.apply(item, hasher))
                        .collect(),
                ),
                // No record's key, but a page may ask to delete it.
                key => {
                    let rule = parts.iter().filter_map(Part::rule).min();
                    hashed(&key, rule.unwrap_or_default(), hasher)
                }
            },
        };
        Ok(Some(key.to_string()))
    }
}

fn hashed(key: &Key, rule: usize, hasher: &Hasher) -> Key {
    Key::String(hasher.key(rule, key).encode_utf16().collect())
}

/// The key with what any of these steps lead to hashed.
fn within(key: Key, fields: &[(&[Step], usize)], hasher: &Hasher) -> Key {
    if fields.is_empty() {
        return key;
    }
    let first = |fields: &mut dyn Iterator<Item = &(&[Step], usize)>| fields.map(|(_, rule)| *rule).min();
    if let Some(rule) = first(&mut fields.iter().filter(|(steps, _)| steps.is_empty())) {
        return hashed(&key, rule, hasher);
    }
    match key {
        Key::Array(items) => Key::Array(
            items
                .into_iter()
                .enumerate()
                .map(|(index, item)| {
                    let inside: Vec<(&[Step], usize)> = fields
                        .iter()
                        .filter(|(steps, _)| steps[0].leads_to_index(index))
                        .map(|(steps, rule)| (&steps[1..], *rule))
                        .collect();
                    within(item, &inside, hasher)
                })
                .collect(),
        ),
        Key::Binary(_) => match first(&mut fields.iter().filter(|(steps, _)| steps[0].leads_into_bytes())) {
            Some(rule) => hashed(&key, rule, hasher),
            None => key,
        },
        key => key,
    }
}

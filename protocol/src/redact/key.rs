//! Keys: which parts of a store's keys are fields that a rule redacts, and what stands for them.
//!
//! A key part is hashed whatever the rule says of the field in the value: dropped or masked, all records would have the same
//! key. Parts that no rule concerns stay, so `[tenant, email]` may become `[7,"hash-…"]`.

use serde_json::value::RawValue;

use super::{hash::Hasher, pointer::Step};
use crate::{
    json,
    key::{Key, KeyError},
};

/// A store's key path ("valid key path" in the Indexed Database API 3.0): the names that lead to the key in the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyPath {
    /// Keys stand beside the values.
    None,
    /// One path; without names the value itself is the key.
    One(Vec<String>),
    /// The key is an array, an element a path.
    Several(Vec<Vec<String>>),
}

impl KeyPath {
    /// Of a store, as pages tell it: absent, `null`, a string or an array of strings. Anything else is no key path of any engine.
    pub(super) fn read(path: Option<&RawValue>) -> Self {
        let Some(path) = path else { return Self::None };
        if let Ok(path) = json::read::<String>(path.get()) {
            return Self::One(names(&path));
        }
        match json::read::<Vec<String>>(path.get()) {
            Ok(paths) => Self::Several(paths.iter().map(|path| names(path)).collect()),
            Err(_) => Self::None,
        }
    }

    fn paths(&self) -> &[Vec<String>] {
        match self {
            Self::None => &[],
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
    Hashed,
    /// Some elements of it, if it is an array.
    Inside(Vec<Vec<Step>>),
}

impl Part {
    /// What the rules' fields say of the part at this path.
    fn of<'s>(path: &[String], fields: impl Iterator<Item = &'s [Step]>) -> Self {
        let mut inside = Vec::new();
        for steps in fields {
            let common = steps.len().min(path.len());
            let leads = steps.iter().zip(path).all(|(step, name)| match step {
                Step::Any => true,
                Step::Name(wanted) => wanted == name,
            });
            match leads {
                true if steps.len() <= path.len() => return Self::Hashed,
                true => inside.push(steps[common..].to_vec()),
                false => {}
            }
        }
        if inside.is_empty() {
            Self::Stays
        } else {
            Self::Inside(inside)
        }
    }

    fn apply(&self, key: Key, hasher: &Hasher) -> Key {
        match self {
            Self::Stays => key,
            Self::Hashed => hashed(&key, hasher),
            Self::Inside(fields) => {
                let fields: Vec<&[Step]> = fields.iter().map(Vec::as_slice).collect();
                within(key, &fields, hasher)
            }
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
    pub(super) fn of<'s>(
        path: &KeyPath,
        fields: &(impl Iterator<Item = &'s [Step]> + Clone),
        whole_key: bool,
    ) -> Self {
        let part = |path: &Vec<String>| Part::of(path, fields.clone());
        match path {
            KeyPath::None if whole_key => Self::Whole(Part::Hashed),
            KeyPath::None => Self::Stays,
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
                key => hashed(&key, hasher),
            },
        };
        Ok(Some(key.to_string()))
    }
}

fn hashed(key: &Key, hasher: &Hasher) -> Key {
    Key::String(hasher.key(key).encode_utf16().collect())
}

/// The key with what any of these steps lead to hashed.
fn within(key: Key, fields: &[&[Step]], hasher: &Hasher) -> Key {
    if fields.is_empty() {
        return key;
    }
    if fields.iter().any(|steps| steps.is_empty()) {
        return hashed(&key, hasher);
    }
    match key {
        Key::Array(items) => Key::Array(
            items
                .into_iter()
                .enumerate()
                .map(|(index, item)| {
                    let inside: Vec<&[Step]> = fields
                        .iter()
                        .filter(|steps| steps[0].leads_to_index(index))
                        .map(|steps| &steps[1..])
                        .collect();
                    within(item, &inside, hasher)
                })
                .collect(),
        ),
        Key::Binary(_) if fields.iter().any(|steps| steps[0].leads_into_bytes()) => hashed(&key, hasher),
        key => key,
    }
}

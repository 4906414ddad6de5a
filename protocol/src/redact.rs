//! What must not leave the browser, and how it is kept there.
//!
//! A [`Rule`] names fields by JSON Pointers into a record's value *as its plain form shows it* ([`crate::value::plain`]); the
//! typed value is what is redacted. The background applies all rules of the user, the host's configuration and managed policy
//! to whole bodies before a byte goes to the host. `docs/formats.md` ("Redaction") is the specification.
//!
//! **Invariants:**
//! - What cannot be understood is replaced as a whole, never passed on.
//! - An object that stands in a redacted field is redacted wherever it stands, so nothing leaks through a `$ref`.
//! - A redacted key is always hashed: two records never become one, and whoever names the record again names the same key.
//!
//! # Layout
//!
//! - [`pointer`]: JSON Pointers with `*`.
//! - [`hash`]: hashes that mean nothing outside this browser profile.
//! - [`value`]: typed values.
//! - [`key`]: keys, and which parts of them a rule concerns.
//! - [`body`]: whole bodies of deliveries.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

mod body;
mod hash;
mod key;
mod pointer;
#[cfg(test)]
mod tests;
mod value;

use self::{hash::Hasher, key::KeyPath, pointer::Step};

/// The field that stands for a record's key, whether or not the value has it too.
pub const KEY: &str = "@key";

/// What stands for a masked field.
pub const MASK: &str = "***";

/// How a hash begins.
pub const HASH: &str = "hash-";

/// Whether something stands in a key's text for what was there.
pub fn is_redacted(key: &str) -> bool {
    key.match_indices(HASH)
        .any(|(at, _)| key[..at].ends_with('"') && hash::is_one(&key[at + HASH.len()..]))
}

/// A rule: which fields of which records are not to leave the browser as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The database's name; empty for every one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub database: String,
    /// The store's name; empty for every one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub store: String,
    /// JSON Pointers (RFC 6901) into the value; `*` stands for every member or element. An empty one means the whole value,
    /// [`KEY`] the record's key.
    pub fields: Vec<String>,
    /// What happens to them.
    pub how: How,
}

/// What happens to a redacted field. Where several rules meet, the first of these counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It is left out; an element of an array is `null`.
    Drop,
    /// [`MASK`] stands for it.
    Mask,
    /// A hash stands for it that is the same for the same value, in this browser profile only.
    Hash,
}

/// Why a rule cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// It names no field.
    #[error("the rule names no field; write at least one JSON Pointer, such as \"/password\"")]
    NoFields,
    /// A field that is no pointer.
    #[error(
        "{field:?} is no JSON Pointer; write {:?}, \"\" for the whole value, or {KEY:?} for the record's key",
        format!("/{}", .field.replace('.', "/"))
    )]
    NotAPointer {
        /// What it says.
        field: String,
    },
    /// A `~` that escapes nothing (RFC 6901, section 3).
    #[error("{0:?} has a \"~\" that escapes nothing; write \"~0\" for \"~\" and \"~1\" for \"/\" in a name")]
    Escape(String),
    /// More steps than a value has levels.
    #[error("{0:?} has more than {MAX_STEPS} steps; no value is that deep")]
    TooDeep(String),
}

/// By how many bytes the values and keys of one body may grow by being redacted: a hash is longer than a digit. What grows more
/// is said to be too large. Tests need not make millions of hashes to meet the bound.
const MAX_GROWTH: usize = if cfg!(test) { 64 * 1024 } else { 32 * 1024 * 1024 };

/// How many steps a pointer has at most.
const MAX_STEPS: usize = 512;

impl Rule {
    /// Whether the rule can be applied.
    pub fn check(&self) -> Result<(), RuleError> {
        Compiled::of(self).map(drop)
    }
}

/// A field of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Field {
    Value(Vec<Step>),
    Key,
}

#[derive(Debug)]
struct Compiled {
    database: String,
    store: String,
    fields: Vec<Field>,
    how: How,
}

impl Compiled {
    fn of(rule: &Rule) -> Result<Self, RuleError> {
        if rule.fields.is_empty() {
            return Err(RuleError::NoFields);
        }
        let fields = rule.fields.iter().map(|field| match field.as_str() {
            KEY => Ok(Field::Key),
            pointer => pointer::parse(pointer).map(Field::Value),
        });
        Ok(Self {
            database: rule.database.clone(),
            store: rule.store.clone(),
            fields: fields.collect::<Result<_, _>>()?,
            how: rule.how,
        })
    }

    fn concerns(&self, database: &str, store: &str) -> bool {
        let is = |name: &str, asked: &str| name.is_empty() || name == asked;
        is(&self.database, database) && is(&self.store, store)
    }
}

/// Rules that hold together, with the profile's secret.
#[derive(Debug)]
pub struct Redaction {
    rules: Vec<Compiled>,
    hasher: Hasher,
    fingerprint: String,
}

impl Redaction {
    /// All of these rules. The secret is this profile's own, random, and never leaves the browser.
    pub fn new<'r>(rules: impl IntoIterator<Item = &'r Rule>, secret: &[u8; 32]) -> Result<Self, RuleError> {
        let hasher = Hasher::new(secret);
        let rules: Vec<&Rule> = rules.into_iter().collect();
        let compiled = rules
            .iter()
            .map(|rule| Compiled::of(rule))
            .collect::<Result<Vec<_>, _>>()?;
        let fingerprint = match serde_json::to_vec(&rules) {
            Ok(text) if !rules.is_empty() => hasher.text(hash::RULES, &text),
            _ => String::new(),
        };
        Ok(Self {
            rules: compiled,
            hasher,
            fingerprint,
        })
    }

    /// Whether nothing is redacted at all.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// A text that changes with what the rules make of values; empty if there are none. It says nothing about the rules.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// A typed value of a store, redacted; `None` if it stays as it is. What is no typed value is replaced by an `$opaque`.
    pub fn value(
        &self,
        database: &str,
        store: &str,
        key_path: Option<&RawValue>,
        typed: &str,
    ) -> Option<String> {
        self.plan(database, store, &KeyPath::read(key_path))
            .value(typed, MAX_GROWTH)
    }

    /// A key of a store, redacted; `None` if it stays as it is.
    pub fn key(
        &self,
        database: &str,
        store: &str,
        key_path: Option<&RawValue>,
        key: &str,
    ) -> Result<Option<String>, crate::key::KeyError> {
        self.plan(database, store, &KeyPath::read(key_path)).key(key)
    }

    /// Which of a store's keys is told under this name: the only way back from a hash is to make it again.
    pub fn named<'k>(
        &self,
        database: &str,
        store: &str,
        key_path: Option<&RawValue>,
        name: &str,
        keys: impl IntoIterator<Item = &'k str>,
    ) -> Option<&'k str> {
        let plan = self.plan(database, store, &KeyPath::read(key_path));
        keys.into_iter().find(|key| match plan.key(key) {
            Ok(Some(redacted)) => redacted == name,
            Ok(None) => *key == name,
            Err(_) => false,
        })
    }

    /// What the rules mean for a store.
    fn plan(&self, database: &str, store: &str, path: &KeyPath) -> Plan<'_> {
        let mut fields: BTreeMap<Vec<Step>, How> = BTreeMap::new();
        let mut whole_key = false;
        for rule in self.rules.iter().filter(|rule| rule.concerns(database, store)) {
            for field in &rule.fields {
                let pointers = match field {
                    Field::Value(steps) => vec![steps.clone()],
                    Field::Key => {
                        whole_key = true;
                        path.pointers()
                    }
                };
                for steps in pointers {
                    let how = fields.entry(steps).or_insert(rule.how);
                    *how = rule.how.min(*how);
                }
            }
        }
        Plan {
            key: key::Plan::of(path, &fields.keys().map(Vec::as_slice), whole_key),
            fields: fields.into_iter().collect(),
            hasher: &self.hasher,
        }
    }
}

/// What the rules mean for the records of one store.
#[derive(Debug)]
struct Plan<'r> {
    fields: Vec<(Vec<Step>, How)>,
    key: key::Plan,
    hasher: &'r Hasher,
}

impl Plan<'_> {
    /// `room` is by how many bytes the value may grow.
    fn value(&self, typed: &str, room: usize) -> Option<String> {
        if self.fields.is_empty() {
            return None;
        }
        Some(value::redacted(typed, &self.fields, self.hasher, room))
    }

    fn key(&self, key: &str) -> Result<Option<String>, crate::key::KeyError> {
        self.key.apply(key, self.hasher)
    }
}

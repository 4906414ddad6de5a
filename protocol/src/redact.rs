//! What must not leave the browser, and how it is kept there.
//!
//! A [`Rule`] names fields by JSON Pointers into a record's value *as its plain form shows it*
//! ([`crate::value::plain`]); the typed value is what is redacted. The background applies all rules
//! of the user, the host's configuration and managed policy to whole bodies before a byte goes to
//! the host. `docs/formats.md` ("Redaction") is the specification.
//!
//! **Invariants:**
//! - A value that cannot be understood is replaced entirely, never passed on.
//! - An object that stands in a redacted field is redacted wherever it stands, so nothing leaks
//!   through a `$ref`.
//! - A redacted key is always hashed: two records never become one, and every later event of the
//!   record has the same key.
//!
//! # Layout
//!
//! - [`pointer`]: JSON Pointers with `*`.
//! - [`hash`]: hashes that mean nothing outside this browser profile, an origin and a rule.
//! - [`value`]: typed values.
//! - [`key`]: keys, and which parts of them a rule concerns.
//! - [`body`]: whole bodies of deliveries.
//! - [`upgrade`]: stores that have several names in one transaction.
//! - [`work`]: how much was done, for tests.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::body::{MAX_BODY, MAX_DELIVERY};

mod body;
mod hash;
mod key;
mod pointer;
#[cfg(test)]
mod tests;
mod upgrade;
mod value;
mod work;

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
    /// JSON Pointers (RFC 6901) into the value; `*` stands for every member or element. An empty
    /// one means the whole value, [`KEY`] the record's key.
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
    /// A hash stands for it. Equal values have equal hashes only in one browser profile, in one
    /// origin, and by one rule.
    Hash,
}

/// What happens to a field, and by which rule's hashes. The stricter one is the smaller one; of two
/// hashes the first rule's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Treatment {
    Drop,
    Mask,
    Hash(usize),
}

impl Treatment {
    fn of(how: How, rule: usize) -> Self {
        match how {
            How::Drop => Self::Drop,
            How::Mask => Self::Mask,
            How::Hash => Self::Hash(rule),
        }
    }
}

/// A store whose records are redacted.
#[derive(Debug, Clone, Copy)]
pub struct Store<'s> {
    /// The origin that the *browser* reports; hashes are its own.
    pub origin: &'s str,
    /// The database's name.
    pub database: &'s str,
    /// The store's name.
    pub store: &'s str,
    /// The store's key path; `None` if it has none.
    pub key_path: Option<&'s RawValue>,
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

/// By how many bytes the values and keys of one body may grow by being redacted: a hash is longer
/// than a digit. What grows more is said to be too large. Tests need not make millions of hashes to
/// meet the bound.
const MAX_GROWTH: usize = if cfg!(test) { 64 * 1024 } else { 32 * 1024 * 1024 };

/// How many values redaction looks at in one record, and in one body: each as often as there are
/// fields, and twice more. It is done in one go, and browsers end a background that is busy for
/// half a minute or so; this many take a few seconds. A body of small records stays below.
const MAX_RECORD_LOOKS: usize = MAX_LOOKS / 4;
const MAX_LOOKS: usize = if cfg!(test) { 1024 * 1024 } else { 64 * 1024 * 1024 };

/// How many bytes that are hashed again by reference count as one look.
const BYTES_A_LOOK: usize = 4;

/// What there is for one body.
const ROOM: value::Room = value::Room {
    growth: MAX_GROWTH,
    looks: MAX_LOOKS,
};

// What the background takes, the host takes once it is redacted.
const _: () = assert!(MAX_BODY + MAX_GROWTH + 1024 * 1024 <= MAX_DELIVERY);

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

    /// Whether it holds for a store that has these names.
    fn concerns(&self, database: &str, stores: &[&str]) -> bool {
        let is = |name: &str, asked: &str| name.is_empty() || name == asked;
        is(&self.database, database) && stores.iter().any(|store| is(&self.store, store))
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
        let rules: Vec<&Rule> = rules.into_iter().collect();
        let compiled = rules
            .iter()
            .map(|rule| Compiled::of(rule))
            .collect::<Result<Vec<_>, _>>()?;
        // No rule fails to serialise.
        let texts = rules
            .iter()
            .map(|rule| serde_json::to_vec(rule).unwrap_or_default());
        let hasher = Hasher::new(secret, texts.collect());
        let fingerprint = if rules.is_empty() {
            String::new()
        } else {
            hasher.fingerprint()
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

    /// A text that changes with what the rules make of values; empty if there are none. It says
    /// nothing about the rules.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// A typed value of a store, redacted; `None` if it stays as it is. What is no typed value is
    /// replaced by an `$opaque`.
    pub fn value(&self, store: Store<'_>, typed: &str) -> Option<String> {
        self.plan_of(store).value(typed, &mut ROOM.clone())
    }

    /// A key of a store, redacted; `None` if it stays as it is.
    pub fn key(&self, store: Store<'_>, key: &str) -> Result<Option<String>, crate::key::KeyError> {
        self.plan_of(store).key(key)
    }

    /// Which of a store's keys is published under this name. A hash cannot be reversed, so each key
    /// is hashed and compared.
    pub fn named<'k>(
        &self,
        store: Store<'_>,
        name: &str,
        keys: impl IntoIterator<Item = &'k str>,
    ) -> Option<&'k str> {
        let plan = self.plan_of(store);
        keys.into_iter().find(|key| match plan.key(key) {
            Ok(Some(redacted)) => redacted == name,
            Ok(None) => *key == name,
            Err(_) => false,
        })
    }

    fn plan_of(&self, store: Store<'_>) -> Plan {
        let path = KeyPath::read(store.key_path);
        self.plan(store.origin, store.database, &[store.store], &path)
    }

    /// What the rules mean for a store that has these names, now or in the course of an upgrade.
    fn plan(&self, origin: &str, database: &str, stores: &[&str], path: &KeyPath) -> Plan {
        let mut fields: BTreeMap<Vec<Step>, (Treatment, usize)> = BTreeMap::new();
        let mut key_rule = None;
        for (index, rule) in self.rules.iter().enumerate() {
            if !rule.concerns(database, stores) {
                continue;
            }
            let treatment = Treatment::of(rule.how, index);
            for field in &rule.fields {
                let pointers = match field {
                    Field::Value(steps) => vec![steps.clone()],
                    Field::Key => {
                        key_rule = key_rule.or(Some(index));
                        path.pointers()
                    }
                };
                for steps in pointers {
                    let (strictest, _) = fields.entry(steps).or_insert((treatment, index));
                    *strictest = treatment.min(*strictest);
                }
            }
        }
        let looks = fields.len() * path.paths().len().max(1);
        work::count(looks);
        let redacted = fields.iter().map(|(steps, (_, rule))| (&steps[..], *rule));
        Plan {
            key: key::Plan::of(path, &redacted, key_rule),
            fields: fields
                .into_iter()
                .map(|(steps, (treatment, _))| (steps, treatment))
                .collect(),
            hasher: self.hasher.of_origin(origin),
            has_unclear_keys: *path == KeyPath::TooLong,
            looks,
        }
    }
}

/// What the rules mean for the records of one store.
#[derive(Debug)]
struct Plan {
    fields: Vec<(Vec<Step>, Treatment)>,
    key: key::Plan,
    hasher: Hasher,
    /// The key path is too long to be compared with the fields.
    has_unclear_keys: bool,
    /// How often a path was compared with a field to find out.
    looks: usize,
}

impl Plan {
    /// Whether all stays as it is.
    fn is_empty(&self) -> bool {
        self.fields.is_empty() && !self.key.redacts()
    }

    /// Whether records that one of them redacts are as if the other had done it.
    fn is_same(&self, other: &Self) -> bool {
        self.fields == other.fields && self.key == other.key
    }

    /// `room` is what there is for this value and for others; of that, the looks are used up.
    fn value(&self, typed: &str, room: &mut value::Room) -> Option<String> {
        if self.has_unclear_keys && !self.is_empty() {
            return Some(value::UNREADABLE.to_owned());
        }
        if self.fields.is_empty() {
            return None;
        }
        Some(value::redacted(typed, &self.fields, &self.hasher, room))
    }

    fn key(&self, key: &str) -> Result<Option<String>, crate::key::KeyError> {
        self.key.apply(key, &self.hasher)
    }
}

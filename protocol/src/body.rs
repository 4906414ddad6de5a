//! What a page did, as its hook and its bridge tell it: the body of a delivery.
//!
//! A body says nothing about *who* wrote it: origin, tab and frame are stamped by the background
//! from what the browser reports ([`crate::wire::host::Page`]). Times are `Date.now()` of the
//! page's machine, in milliseconds. A time span `began_at..=…_at` encloses the instant at which the
//! thing really took place in the database; that is all the host needs to tell an order from a
//! doubt when several contexts touch the same record.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{event::WriterKind, schema::SchemaChange};

mod reading;
#[cfg(test)]
mod tests;

pub use reading::{DatabaseInfo, Digests, Record, Records, Snapshot, StoreList, Stretch};

/// The longest name of a database, store, index or bucket that is captured, in UTF-16 code units.
/// Every event repeats the names of its store, so a page that may choose them as long as it likes
/// writes far more than it stores. What has a longer name is left out by the page's scripts, as is
/// a name with a lone surrogate, and refused by the host.
pub const MAX_NAME_UNITS: usize = 1024;

/// The longest body of a delivery that the host takes, in bytes. An event holds a value twice,
/// before and after, and SQLite takes texts up to a thousand million bytes.
pub const MAX_DELIVERY: usize = 256 * 1024 * 1024;

/// The longest body that the background takes: redaction may make it longer before the host has it.
pub const MAX_BODY: usize = MAX_DELIVERY - 40 * 1024 * 1024;

/// How deep the JSON of a body may nest: a value ([`json::MAX_DEPTH`](crate::json::MAX_DEPTH)) and
/// what stands around it. Browsers serialise messages by recursion, and drop a whole message for
/// one body that is too deep for that.
pub const MAX_BODY_DEPTH: usize = crate::json::MAX_DEPTH + 16;

/// How the bodies begin that tell what was read. A body that is too large, or cut off, is judged by
/// this.
const READINGS: [&str; 5] = [
    "{\"snapshot\"",
    "{\"digests\"",
    "{\"records\"",
    "{\"store_list\"",
    "{\"skipped\"",
];

/// How many stretches one [`Digests`] has at most.
pub const MAX_STRETCHES: usize = 64;

/// How many records a stretch of [`Digests`] has at most. The host reads no more of its mirror to
/// compare it; a longer one counts as different.
pub const MAX_STRETCH_RECORDS: u64 = 16 * 1024;

/// Whether a body, or the beginning of one, tells what was read of a page's stores and not what the
/// page did: without it no commit is missing.
pub fn is_reading(body: &str) -> bool {
    READINGS.iter().any(|begin| body.starts_with(begin))
}

/// Whether a name is longer than any that is captured.
pub fn is_too_long(name: &str) -> bool {
    // No UTF-16 unit takes less than a byte.
    name.len() > MAX_NAME_UNITS && name.encode_utf16().count() > MAX_NAME_UNITS
}

/// The content of one delivery. Externally tagged: `{"commit":{…}}`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body<'a> {
    /// A transaction that committed.
    #[serde(borrow)]
    Commit(Commit<'a>),
    /// One stretch of a store, read in one transaction.
    #[serde(borrow)]
    Snapshot(Snapshot<'a>),
    /// Stretches of a store that were read, reported by their digests: the host says which of them
    /// its mirror has alike ([`crate::wire::host::FromHost::Matched`]).
    #[serde(borrow)]
    Digests(Digests<'a>),
    /// Single records read again because the host was in doubt; the answer to
    /// [`crate::wire::bridge::Read`].
    #[serde(borrow)]
    Records(Records<'a>),
    /// Every database and store that exists; others that the host knows are gone.
    #[serde(borrow)]
    StoreList(StoreList<'a>),
    /// A database was deleted.
    #[serde(borrow)]
    Deletion(Deletion<'a>),
    /// Commits were dropped before they reached the host; the stores must be read again.
    #[serde(borrow)]
    Gap(Gap<'a>),
    /// What was read was dropped before it reached the host; no commit is missing.
    #[serde(borrow)]
    Skipped(Skipped<'a>),
}

/// The worker that wrote, of a document that tells of it. The page says so, and may say anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WritingWorker<'a> {
    /// What kind of worker.
    pub kind: WriterKind,
    /// The address of its script, of at most [`MAX_NAME_UNITS`].
    #[serde(borrow)]
    pub url: Cow<'a, str>,
    /// Identifies the worker within its document. The writes of one worker are reported in order.
    pub id: u32,
}

/// The write operations of one committed transaction, in the order of the calls; requests that
/// failed are left out.
#[derive(Debug, Serialize, Deserialize)]
pub struct Commit<'a> {
    /// Storage bucket; empty for the default one.
    #[serde(default, borrow, skip_serializing_if = "str::is_empty")]
    pub bucket: Cow<'a, str>,
    /// The database's name.
    #[serde(borrow)]
    pub database: Cow<'a, str>,
    /// The version of the database at the time.
    pub version: u64,
    /// When the first write was called.
    pub began_at: i64,
    /// When `complete` fired.
    pub committed_at: i64,
    /// The worker that wrote; absent if the document itself did.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub writer: Option<WritingWorker<'a>>,
    /// The key paths of the stores that were written to, as they were at the first operation under
    /// the store's name; those without a key path are left out.
    #[serde(default, borrow, skip_serializing_if = "BTreeMap::is_empty")]
    pub key_paths: BTreeMap<Cow<'a, str>, &'a RawValue>,
    /// What was written.
    #[serde(borrow)]
    pub operations: Vec<Operation<'a>>,
}

/// One write request that succeeded. Keys and values are typed JSON ([`crate::key`],
/// [`crate::value`]).
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation<'a> {
    /// `put` and `cursor.update`.
    Put {
        /// The object store's name.
        #[serde(borrow)]
        store: Cow<'a, str>,
        /// The record's final key, generated or given.
        #[serde(borrow)]
        key: &'a RawValue,
        /// The value as cloned by the call.
        #[serde(borrow)]
        value: &'a RawValue,
    },
    /// `add`: as `put`, and the record was not there before.
    Add {
        /// The object store's name.
        #[serde(borrow)]
        store: Cow<'a, str>,
        /// The record's final key, generated or given.
        #[serde(borrow)]
        key: &'a RawValue,
        /// The value as cloned by the call.
        #[serde(borrow)]
        value: &'a RawValue,
    },
    /// `delete(key)` and `cursor.delete`.
    Delete {
        /// The object store's name.
        #[serde(borrow)]
        store: Cow<'a, str>,
        /// The record's key.
        #[serde(borrow)]
        key: &'a RawValue,
    },
    /// `delete(range)`; the host knows which records went.
    DeleteRange {
        /// The object store's name.
        #[serde(borrow)]
        store: Cow<'a, str>,
        /// The range's bounds.
        #[serde(borrow)]
        range: Range<'a>,
    },
    /// `delete(range)` in a store whose keys are redacted: which records it deleted is unknown, so
    /// the store must be read again.
    DeleteUnknown {
        /// The object store's name.
        #[serde(borrow)]
        store: Cow<'a, str>,
    },
    /// `clear`.
    Clear {
        /// The object store's name.
        #[serde(borrow)]
        store: Cow<'a, str>,
    },
    /// The store's shape changed, in an upgrade.
    Schema {
        /// The object store's name before the change.
        #[serde(borrow)]
        store: Cow<'a, str>,
        /// What changed.
        #[serde(borrow)]
        change: SchemaChange<'a>,
    },
}

impl Operation<'_> {
    /// The store that the operation wrote to.
    pub fn store(&self) -> &str {
        match self {
            Operation::Put { store, .. }
            | Operation::Add { store, .. }
            | Operation::Delete { store, .. }
            | Operation::DeleteRange { store, .. }
            | Operation::DeleteUnknown { store }
            | Operation::Clear { store }
            | Operation::Schema { store, .. } => store,
        }
    }
}

/// A key range; a bound that is absent is unbounded. No key is JSON `null`, so absence is never
/// ambiguous.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Range<'a> {
    /// Lower bound.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub lower: Option<&'a RawValue>,
    /// Upper bound.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub upper: Option<&'a RawValue>,
    /// Whether the lower bound itself is outside.
    #[serde(default)]
    pub lower_open: bool,
    /// Whether the upper bound itself is outside.
    #[serde(default)]
    pub upper_open: bool,
}

/// `deleteDatabase` succeeded.
#[derive(Debug, Serialize, Deserialize)]
pub struct Deletion<'a> {
    /// Storage bucket; empty for the default one.
    #[serde(default, borrow, skip_serializing_if = "str::is_empty")]
    pub bucket: Cow<'a, str>,
    /// The database's name.
    #[serde(borrow)]
    pub database: Cow<'a, str>,
    /// When it was called.
    pub began_at: i64,
    /// When it succeeded.
    pub deleted_at: i64,
    /// The worker that deleted it; absent if the document itself did.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub writer: Option<WritingWorker<'a>>,
}

/// Stores of which commits were lost on the way, and why.
#[derive(Debug, Serialize, Deserialize)]
pub struct Gap<'a> {
    /// For a person: what was dropped and why.
    #[serde(borrow)]
    pub reason: Cow<'a, str>,
    /// The stores concerned.
    #[serde(borrow)]
    pub stores: Vec<StoreName<'a>>,
}

/// Stands for a body that was left out, for example because it was too large. Only its number is
/// sent.
#[derive(Debug, Serialize, Deserialize)]
pub struct Skipped<'a> {
    /// For a person: why.
    #[serde(borrow)]
    pub reason: Cow<'a, str>,
}

/// A store within an origin.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StoreName<'a> {
    /// Storage bucket; empty for the default one.
    #[serde(default, borrow, skip_serializing_if = "str::is_empty")]
    pub bucket: Cow<'a, str>,
    /// The database's name.
    #[serde(borrow)]
    pub database: Cow<'a, str>,
    /// The store's name.
    #[serde(borrow)]
    pub store: Cow<'a, str>,
}

impl Body<'_> {
    /// [`is_reading`] of a body that is understood.
    pub fn is_reading(&self) -> bool {
        match self {
            Self::Snapshot(_)
            | Self::Digests(_)
            | Self::Records(_)
            | Self::StoreList(_)
            | Self::Skipped(_) => true,
            Self::Commit(_) | Self::Deletion(_) | Self::Gap(_) => false,
        }
    }

    /// The first name or address in it that is longer than [`MAX_NAME_UNITS`], if there is one.
    pub fn name_too_long(&self) -> Option<&str> {
        match self {
            Self::Commit(Commit {
                bucket,
                database,
                operations,
                writer,
                ..
            }) => first_too_long(&[bucket, database, url_of(writer.as_ref())])
                .or_else(|| operations.iter().find_map(Operation::name_too_long)),
            Self::Snapshot(Snapshot {
                bucket,
                database,
                store,
                ..
            })
            | Self::Digests(Digests {
                bucket,
                database,
                store,
                ..
            })
            | Self::Records(Records {
                bucket,
                database,
                store,
                ..
            }) => first_too_long(&[bucket, database, store]),
            Self::StoreList(StoreList {
                bucket,
                buckets,
                databases,
                ..
            }) => first_too_long(&[bucket])
                .or_else(|| {
                    buckets
                        .iter()
                        .flatten()
                        .find_map(|bucket| first_too_long(&[bucket]))
                })
                .or_else(|| {
                    databases.iter().find_map(|DatabaseInfo { name, stores, .. }| {
                        let stores = stores.iter().flatten();
                        first_too_long(&[name])
                            .or_else(|| stores.into_iter().find_map(|store| first_too_long(&[store])))
                    })
                }),
            Self::Deletion(Deletion {
                bucket,
                database,
                writer,
                ..
            }) => first_too_long(&[bucket, database, url_of(writer.as_ref())]),
            Self::Gap(Gap { stores, .. }) => stores
                .iter()
                .find_map(|name| first_too_long(&[&name.bucket, &name.database, &name.store])),
            Self::Skipped(_) => None,
        }
    }
}

fn url_of<'w>(writer: Option<&'w WritingWorker<'_>>) -> &'w str {
    writer.map_or("", |writer| &writer.url)
}

fn first_too_long<'n>(names: &[&'n str]) -> Option<&'n str> {
    names.iter().copied().find(|name| is_too_long(name))
}

impl Operation<'_> {
    fn name_too_long(&self) -> Option<&str> {
        let store = Some(self.store()).filter(|name| is_too_long(name));
        store.or_else(|| match self {
            Self::Schema { change, .. } => change.names().into_iter().find(|name| is_too_long(name)),
            _ => None,
        })
    }
}

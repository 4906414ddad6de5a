//! What a page's stores hold, as a document read it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A record as read from the database.
#[derive(Debug, Serialize, Deserialize)]
pub struct Record<'a> {
    /// Typed JSON.
    #[serde(borrow)]
    pub key: &'a RawValue,
    /// Typed JSON.
    #[serde(borrow)]
    pub value: &'a RawValue,
}

/// All records of a store with `after < key <= until`, in key order; or, if `unordered`, one part
/// of them after the other.
#[derive(Debug, Serialize, Deserialize)]
pub struct Snapshot<'a> {
    /// Storage bucket; empty for the default one.
    #[serde(default, borrow, skip_serializing_if = "str::is_empty")]
    pub bucket: Cow<'a, str>,
    /// The database's name.
    #[serde(borrow)]
    pub database: Cow<'a, str>,
    /// The database's version.
    pub version: u64,
    /// The store's name.
    #[serde(borrow)]
    pub store: Cow<'a, str>,
    /// The store's key path; absent if it has none.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub key_path: Option<&'a RawValue>,
    /// Before the reading transaction was opened.
    pub began_at: i64,
    /// After its result arrived.
    pub read_at: i64,
    /// The last key of the stretch before this one; absent for the first.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub after: Option<&'a RawValue>,
    /// The last key of this stretch; absent for the last one, which reaches to the end of the
    /// store.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub until: Option<&'a RawValue>,
    /// The keys are redacted, so they don't stand in the order in which they were read: `after` and
    /// `until` only tell which stretch follows which, and deletions are known when the last one
    /// is there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unordered: bool,
    /// The records found.
    #[serde(borrow)]
    pub records: Vec<Record<'a>>,
}

/// Stretches of a store that follow each other, in key order.
#[derive(Debug, Serialize, Deserialize)]
pub struct Digests<'a> {
    /// Storage bucket; empty for the default one.
    #[serde(default, borrow, skip_serializing_if = "str::is_empty")]
    pub bucket: Cow<'a, str>,
    /// The database's name.
    #[serde(borrow)]
    pub database: Cow<'a, str>,
    /// The database's version.
    pub version: u64,
    /// The store's name.
    #[serde(borrow)]
    pub store: Cow<'a, str>,
    /// The last key of the stretch before the first of these; absent at the beginning of the store.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub after: Option<&'a RawValue>,
    /// At most [`MAX_STRETCHES`](super::MAX_STRETCHES).
    #[serde(borrow)]
    pub stretches: Vec<Stretch<'a>>,
}

/// One stretch of [`Digests`]: it begins behind the one before.
#[derive(Debug, Serialize, Deserialize)]
pub struct Stretch<'a> {
    /// The last key of this stretch; absent for the last one, which reaches to the end of the
    /// store.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub until: Option<&'a RawValue>,
    /// Before the first of its transactions was opened.
    pub began_at: i64,
    /// After the result of the last one arrived. Each record was read in between.
    pub read_at: i64,
    /// How many records it has.
    pub records: u64,
    /// [`crate::digest::RecordsDigest`].
    #[serde(borrow)]
    pub digest: Cow<'a, str>,
}

/// What single keys hold now.
#[derive(Debug, Serialize, Deserialize)]
pub struct Records<'a> {
    /// Storage bucket; empty for the default one.
    #[serde(default, borrow, skip_serializing_if = "str::is_empty")]
    pub bucket: Cow<'a, str>,
    /// The database's name.
    #[serde(borrow)]
    pub database: Cow<'a, str>,
    /// The database's version.
    pub version: u64,
    /// The store's name.
    #[serde(borrow)]
    pub store: Cow<'a, str>,
    /// The store's key path; absent if it has none.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub key_path: Option<&'a RawValue>,
    /// Before the reading transaction was opened.
    pub began_at: i64,
    /// After its result arrived.
    pub read_at: i64,
    /// The records that are there.
    #[serde(borrow)]
    pub present: Vec<Record<'a>>,
    /// The keys that hold nothing (the whole store may be gone).
    #[serde(borrow)]
    pub absent: Vec<&'a RawValue>,
}

/// The databases of one bucket of an origin.
#[derive(Debug, Serialize, Deserialize)]
pub struct StoreList<'a> {
    /// Storage bucket; empty for the default one.
    #[serde(default, borrow, skip_serializing_if = "str::is_empty")]
    pub bucket: Cow<'a, str>,
    /// Before the first database was looked at.
    pub began_at: i64,
    /// After the last one.
    pub read_at: i64,
    /// Every named bucket of the origin, if they were looked at.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub buckets: Option<Vec<Cow<'a, str>>>,
    /// Every database that exists.
    #[serde(borrow)]
    pub databases: Vec<DatabaseInfo<'a>>,
}

/// One database of an [`StoreList`].
#[derive(Debug, Serialize, Deserialize)]
pub struct DatabaseInfo<'a> {
    /// Its name.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// Its version.
    pub version: u64,
    /// The names of its object stores; `None` if it exists but could not be looked into.
    #[serde(borrow)]
    pub stores: Option<Vec<Cow<'a, str>>>,
}

//! Changes of a database's shape, as pages make them in upgrade transactions and by
//! `deleteDatabase`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// One change of one object store. Externally tagged: `{"rename_store":{"to":"orders"}}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaChange<'a> {
    /// `createObjectStore`: the store is new and empty.
    CreateStore {
        /// `null`, a string, or an array of strings.
        #[serde(borrow)]
        key_path: &'a RawValue,
        /// Whether the store generates keys.
        auto_increment: bool,
    },
    /// `deleteObjectStore`: a `d` for each of its records follows.
    DeleteStore {},
    /// The store's `name` was set: a `d` under the old and a `c` under the new name for each record
    /// follow.
    RenameStore {
        /// The new name.
        #[serde(borrow)]
        to: Cow<'a, str>,
    },
    /// `createIndex`.
    CreateIndex {
        /// The index's name.
        #[serde(borrow)]
        index: Cow<'a, str>,
        /// A string, or an array of strings.
        #[serde(borrow)]
        key_path: &'a RawValue,
        /// Whether no two records may have the same key in it.
        unique: bool,
        /// Whether an array in the record gives a key for each element.
        multi_entry: bool,
    },
    /// `deleteIndex`.
    DeleteIndex {
        /// The index's name.
        #[serde(borrow)]
        index: Cow<'a, str>,
    },
    /// The index's `name` was set.
    RenameIndex {
        /// The old name.
        #[serde(borrow)]
        index: Cow<'a, str>,
        /// The new one.
        #[serde(borrow)]
        to: Cow<'a, str>,
    },
    /// `deleteDatabase`: the store went with its database; a `d` for each record follows.
    DeleteDatabase {},
}

impl SchemaChange<'_> {
    /// The names that it says, without the store's own.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Self::RenameStore { to } => vec![to],
            Self::CreateIndex { index, .. } | Self::DeleteIndex { index } => vec![index],
            Self::RenameIndex { index, to } => vec![index, to],
            Self::CreateStore { .. } | Self::DeleteStore {} | Self::DeleteDatabase {} => Vec::new(),
        }
    }
}

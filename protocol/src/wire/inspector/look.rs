//! A look into the databases of an open page, when a person asks for it.
//!
//! The background looks, in the isolated world of the page, by connections of its own. What it
//! tells is redacted as everything is that leaves a page: no part, the inspector included, sees
//! what a rule hides.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Address, Problem};

/// The object to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Look {
    /// One record. Where rules redact the store's keys, the address has what stands for the key.
    Record(Address),
    /// How many records each store has.
    Counts {
        /// Serialised origin.
        origin: String,
    },
}

impl Look {
    /// The origin whose databases are looked into.
    pub fn origin(&self) -> &str {
        match self {
            Self::Record(address) => &address.origin,
            Self::Counts { origin } => origin,
        }
    }
}

/// What was seen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Seen {
    /// The look's number.
    pub id: u64,
    /// What there is.
    pub sight: Sight,
}

/// What there is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sight {
    /// To [`Look::Record`]: the record's value in typed form, redacted; `None`: there is no such
    /// record. One that is longer than [`super::RECORD_VALUE_BYTES`] is left out as the mirror's
    /// is.
    Record(Option<Box<RawValue>>),
    /// To [`Look::Counts`].
    Counts(Vec<StoreCount>),
    /// It could not be looked at.
    Failed(Problem),
}

/// How many records a store of the page has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreCount {
    /// Storage bucket; empty for the default one.
    #[serde(default)]
    pub bucket: String,
    /// The database's name.
    pub database: String,
    /// The store's name.
    pub store: String,
    /// What `count()` says.
    pub records: u64,
}

//! Where writes were called from. It goes from the page to the inspector and nowhere else: neither
//! to the host nor to a server.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Whose stacks are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tracing {
    /// No stacks.
    #[default]
    Off,
    /// Those of a tab's documents.
    Tab(i64),
    /// All documents'.
    All,
}

impl Tracing {
    /// Whether the stacks of this tab are.
    pub fn wants(self, tab: i64) -> bool {
        match self {
            Self::Off => false,
            Self::Tab(wanted) => wanted == tab,
            Self::All => true,
        }
    }
}

/// The stacks of one commit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Trace {
    /// As in `transaction.id` of its events.
    pub transaction: String,
    /// Its operations in their order, as far as they have stacks.
    pub writes: Vec<Traced>,
}

/// Where an operation was called from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Traced {
    /// The store's name at the time.
    pub store: String,
    /// The record's key, redacted; `None`: the operation was no single record's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Box<RawValue>>,
    /// As the engine words it.
    pub stack: String,
}

//! The *marker*: a small item by which each server remembers how far it is.
//!
//! It goes with all else that the server holds. So a server without it is empty, also if its
//! connections never broke, and one that has it was not emptied, however often these were closed.
//! It says up to which event the server has everything, so missed deletions are found: those while
//! it was left out of the list, or while another process fed it. And a server whose marker says
//! less than was written to it was set back to an older state.

use std::collections::BTreeMap;

use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};

/// How many lists of servers a marker remembers.
const LISTS: usize = 8;

/// What a marker says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marker {
    /// Which journal's numbers these are.
    journal: i64,
    /// For each list of servers in which this one has been: up to which event it got everything
    /// that concerns it.
    passed: BTreeMap<String, u64>,
    /// Records may be here that were deleted: it is unknown which.
    #[serde(default)]
    pub lacks: bool,
}

/// The name of a profile's marker, on every server.
pub(crate) fn name(profile: &str) -> String {
    format!("idb-relay-host:{profile}")
}

/// A list of servers, by a name that is short.
pub(super) fn list_name(servers: &[String]) -> String {
    let digest = Md5::digest(servers.join("\n"));
    let (words, _) = digest.as_chunks::<8>();
    format!(
        "{:016x}",
        words.first().map_or(0, |word| u64::from_be_bytes(*word))
    )
}

impl Marker {
    /// The marker of a server that may have missed deletions: it is unknown which.
    pub(super) fn lacking() -> Self {
        Self {
            lacks: true,
            ..Self::default()
        }
    }

    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }

    /// The text that a marker is stored as.
    pub(crate) fn text(&self) -> String {
        // Numbers and texts: there is nothing that could fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The marker of a server that has all up to this event, and what an earlier marker says of
    /// it.
    pub(super) fn after(earlier: Option<&Self>, journal: i64, list: &str, passed: u64) -> Self {
        let mut marker = match earlier {
            Some(earlier) if earlier.journal == journal => earlier.clone(),
            Some(earlier) => Self {
                journal,
                lacks: earlier.lacks,
                ..Self::default()
            },
            None => Self {
                journal,
                ..Self::default()
            },
        };
        marker.passed.remove(list);
        while marker.passed.len() >= LISTS {
            marker.passed.pop_first();
        }
        marker.passed.insert(list.to_owned(), passed);
        marker
    }

    /// Whether a server with this mark had another one later: it was set back to an older state,
    /// and holds what it held then.
    pub(super) fn is_before(&self, later: &Self, list: &str) -> bool {
        self.journal != later.journal || self.passed(list) < later.passed(list)
    }

    /// Up to which event all servers of a list had everything when the marker was written.
    pub(super) fn passed(&self, list: &str) -> Option<u64> {
        self.passed.get(list).copied()
    }

    /// Up to which event of this journal the server has all deletions. `None`: the marker is of
    /// another journal, or names more events than there are.
    pub(super) fn deletions_until(&self, journal: i64, list: &str, head: u64) -> Option<u64> {
        if self.journal != journal || self.passed.values().any(|passed| *passed > head) {
            return None;
        }
        let oldest = || self.passed.values().min();
        self.passed.get(list).or_else(oldest).copied()
    }
}

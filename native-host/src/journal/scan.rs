//! Whole-store reads that are under way.

use std::collections::HashSet;

/// How many keys of an unordered read are remembered at most; of a larger store it is not found out
/// this way what is gone.
const MAX_SEEN: usize = 2_000_000;

/// How far the read of a store has come.
pub(super) enum Scan {
    /// Stretches in the order of keys.
    Ordered(Ordered),
    /// Stretches of redacted keys, which only follow each other.
    Unordered(Unordered),
}

/// See [`Scan::Ordered`].
pub(super) struct Ordered {
    /// Before the first chunk was read.
    pub began_at: i64,
    /// The keys in front of this one, in bytes, have been read.
    pub reached: Vec<u8>,
}

/// See [`Scan::Unordered`].
pub(super) struct Unordered {
    /// Before the first chunk was read.
    pub began_at: i64,
    /// The last key of the chunk before, in bytes.
    pub reached: Vec<u8>,
    /// All keys so far; `None` if they were too many.
    pub seen: Option<HashSet<Vec<u8>>>,
}

impl Unordered {
    /// Before the first chunk.
    pub(super) fn new(began_at: i64) -> Self {
        Self {
            began_at,
            reached: Vec::new(),
            seen: Some(HashSet::new()),
        }
    }

    /// These keys are there.
    pub(super) fn see(&mut self, keys: impl Iterator<Item = Vec<u8>>) {
        if let Some(seen) = &mut self.seen {
            seen.extend(keys);
            if seen.len() > MAX_SEEN {
                tracing::warn!(
                    "a store with redacted keys has more than {MAX_SEEN} records: unseen deletions are not looked for"
                );
                self.seen = None;
            }
        }
    }
}

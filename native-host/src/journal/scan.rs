//! Whole-store reads that are under way.

use std::collections::{BTreeMap, HashSet};

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

/// The reads that are under way, at most one of a store by each context.
#[derive(Default)]
pub(super) struct Scans {
    /// By store and context.
    scans: BTreeMap<(i64, i64), Scan>,
}

impl Scans {
    pub(super) fn len(&self) -> usize {
        self.scans.len()
    }

    pub(super) fn clear(&mut self) {
        self.scans.clear();
    }

    pub(super) fn insert(&mut self, store: i64, context: i64, scan: Scan) {
        self.scans.insert((store, context), scan);
    }

    pub(super) fn remove(&mut self, store: i64, context: i64) -> Option<Scan> {
        self.scans.remove(&(store, context))
    }

    /// Forgets the reads of a store by all contexts.
    pub(super) fn forget(&mut self, store: i64) {
        while let Some((key, _)) = self.scans.range((store, i64::MIN)..=(store, i64::MAX)).next() {
            let key = *key;
            self.scans.remove(&key);
        }
    }
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

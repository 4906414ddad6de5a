//! Whole-store reads that are under way.
//!
//! Keys may be long, and pages may begin as many reads as they like. So what is remembered of a key
//! has one length, and the keys that all reads together remember have one bound.

use std::collections::{BTreeMap, HashSet};

use super::key::KeyDigest;

/// How many keys one unordered read remembers at most, and how many all of them. Of a store that is
/// larger it is not found out this way what is gone.
const MAX_SEEN: usize = if cfg!(test) { 1000 } else { 2_000_000 };
const MAX_ALL_SEEN: usize = 2 * MAX_SEEN;

/// The reads that are under way, at most one of a store by each context: how far they have come.
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

    /// A chunk of this read has come.
    pub(super) fn remove(&mut self, store: i64, context: i64) -> Option<Scan> {
        self.scans.remove(&(store, context))
    }

    /// Forgets the reads of a store by all contexts: what was missing may have been at a place that
    /// they have passed.
    pub(super) fn forget(&mut self, store: i64) {
        while let Some((key, _)) = self.scans.range((store, i64::MIN)..=(store, i64::MAX)).next() {
            let key = *key;
            self.scans.remove(&key);
        }
    }

    /// More chunks of this read are to come. If all reads together remember too many keys, the one
    /// with the most gives them up.
    pub(super) fn insert(&mut self, store: i64, context: i64, scan: Scan) {
        self.scans.insert((store, context), scan);
        let mut all: usize = self.scans.values().map(Scan::seen).sum();
        while all > MAX_ALL_SEEN
            && let Some(Scan::Unordered(largest)) = self.scans.values_mut().max_by_key(|scan| scan.seen())
            && let Some(seen) = largest.seen.take()
        {
            all -= seen.len();
            warn_unseen(MAX_ALL_SEEN);
        }
    }
}

/// How far the read of a store has come.
pub(super) enum Scan {
    /// Stretches in the order of keys.
    Ordered(Ordered),
    /// Stretches of redacted keys, which only follow each other.
    Unordered(Unordered),
}

impl Scan {
    /// How many keys it remembers.
    fn seen(&self) -> usize {
        match self {
            Self::Unordered(Unordered { seen: Some(seen), .. }) => seen.len(),
            _ => 0,
        }
    }
}

/// See [`Scan::Ordered`].
pub(super) struct Ordered {
    /// Before the first chunk was read.
    pub began_at: i64,
    /// The keys in front of this one have been read.
    pub reached: KeyDigest,
}

/// See [`Scan::Unordered`].
pub(super) struct Unordered {
    /// Before the first chunk was read.
    pub began_at: i64,
    /// The last key of the chunk before.
    pub reached: KeyDigest,
    /// All keys so far; `None` if they were too many.
    pub seen: Option<HashSet<KeyDigest>>,
}

impl Unordered {
    /// Before the first chunk.
    pub(super) fn new(began_at: i64) -> Self {
        Self {
            began_at,
            reached: KeyDigest::of(&[]),
            seen: Some(HashSet::new()),
        }
    }

    /// These keys are there.
    pub(super) fn see(&mut self, keys: impl IntoIterator<Item = KeyDigest>) {
        if let Some(seen) = &mut self.seen {
            seen.extend(keys);
            if seen.len() > MAX_SEEN {
                warn_unseen(MAX_SEEN);
                self.seen = None;
            }
        }
    }
}

fn warn_unseen(most: usize) {
    tracing::warn!(
        "stores with redacted keys have more than {most} records: unseen deletions of one are not looked for"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(first: u32, count: usize) -> Scan {
        let mut scan = Unordered::new(1);
        let keys = (first..).take(count);
        scan.see(keys.map(|key| KeyDigest::of(&key.to_be_bytes())));
        Scan::Unordered(scan)
    }

    fn seen(scans: &mut Scans, store: i64) -> Option<usize> {
        match scans.remove(store, 1) {
            Some(Scan::Unordered(scan)) => scan.seen.map(|seen| seen.len()),
            _ => None,
        }
    }

    #[test]
    fn keys_that_reads_remember_have_one_bound() {
        let mut scans = Scans::default();
        for store in 0..10 {
            scans.insert(store, 1, read(0, MAX_SEEN / 2));
            let all: usize = scans.scans.values().map(Scan::seen).sum();
            assert!(all <= MAX_ALL_SEEN, "{all}");
        }
        let mut scans = Scans::default();
        scans.insert(1, 1, read(0, MAX_SEEN / 2));
        scans.insert(2, 1, read(0, MAX_SEEN));
        scans.insert(3, 1, read(0, MAX_SEEN / 2));
        scans.insert(4, 1, read(0, 1));
        let left = [1, 2, 3, 4].map(|store| seen(&mut scans, store));
        assert_eq!(left, [Some(MAX_SEEN / 2), None, Some(MAX_SEEN / 2), Some(1)]);
        scans.insert(1, 1, read(0, MAX_SEEN + 1));
        assert_eq!(seen(&mut scans, 1), None);
    }
}

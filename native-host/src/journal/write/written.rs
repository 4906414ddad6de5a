//! What one commit has written so far.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    hash::{BuildHasher as _, RandomState},
    ops::Bound,
};

use super::super::key::{KeyDigest, RecordKey, Span};

/// What one commit has written so far. Its writes of one record happened at one instant: all of
/// them change the record, or none.
///
/// A commit may have any number of writes and ranges, of keys of any length.
#[derive(Default)]
pub(super) struct Written {
    /// Records in conflict that it has written.
    records: HashSet<(i64, KeyDigest)>,
    /// Stretches that it has deleted, by store.
    deleted: HashMap<i64, Spans>,
    /// Digests of the records that stayed because it was late, and that an event has named. A
    /// collision costs one such event.
    late: HashSet<u64>,
    digest: RandomState,
}

impl Written {
    /// Whether the last one to write this record in conflict was the commit itself.
    pub(super) fn has_written(&self, store: i64, key: &RecordKey) -> bool {
        !self.records.is_empty() && self.records.contains(&(store, KeyDigest::of(&key.bytes)))
    }

    /// A record in conflict was written by it.
    pub(super) fn write(&mut self, store: i64, key: &[u8]) {
        self.records.insert((store, KeyDigest::of(key)));
    }

    /// The same as [`Self::has_written`], or to delete it. A record that is there after its
    /// deletion was left: that was late.
    pub(super) fn has(&self, store: i64, key: &RecordKey, live: bool) -> bool {
        let deleted = self.deleted.get(&store);
        !live && deleted.is_some_and(|spans| spans.contain(&key.bytes)) || self.has_written(store, key)
    }

    /// Whether it has deleted a range of this store.
    pub(super) fn has_deleted_range(&self, store: i64) -> bool {
        self.deleted.contains_key(&store)
    }

    /// A record stays because the commit is late; whether no event has said so yet.
    pub(super) fn note_late(&mut self, store: i64, key: &[u8]) -> bool {
        self.late.insert(self.digest.hash_one((store, key)))
    }

    /// It has deleted this range.
    pub(super) fn delete(&mut self, store: i64, span: &Span) {
        self.deleted.entry(store).or_default().add(span);
    }
}

/// Keys that lie in any of several spans: the ends by the beginnings, of spans that do not touch
/// each other.
#[derive(Debug, Default)]
struct Spans(BTreeMap<Vec<u8>, Vec<u8>>);

impl Spans {
    fn add(&mut self, span: &Span) {
        let Span { mut from, mut to } = span.clone();
        if from >= to {
            return;
        }
        // From behind, the spans that begin no later than this one ends.
        while let Some((begin, end)) = self.last_before(&to)
            && *end >= from
        {
            let begin = begin.clone();
            if let Some(end) = self.0.remove(&begin) {
                to = to.max(end);
            }
            from = from.min(begin);
        }
        self.0.insert(from, to);
    }

    fn contain(&self, key: &[u8]) -> bool {
        self.last_before(key).is_some_and(|(_, end)| key < &end[..])
    }

    /// The last span that begins no later than with this key.
    fn last_before(&self, key: &[u8]) -> Option<(&Vec<u8>, &Vec<u8>)> {
        let range = (Bound::Unbounded, Bound::Included(key));
        self.0.range::<[u8], _>(range).next_back()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_contain_what_one_of_them_contains() {
        // Deterministic, and dense enough that many touch each other.
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..200 {
            let mut spans = Spans::default();
            let mut all = Vec::new();
            for _ in 0..random.usize(0..12) {
                let span = Span {
                    from: vec![random.u8(0..60)],
                    to: vec![random.u8(0..60)],
                };
                spans.add(&span);
                all.push(span);
            }
            for byte in 0..60 {
                let key = vec![byte];
                let is_in_one = all.iter().any(|span| (&span.from..&span.to).contains(&&key));
                assert_eq!(spans.contain(&[byte]), is_in_one, "{byte} {all:?} {spans:?}");
            }
            let ends: Vec<_> = spans.0.iter().collect();
            assert!(ends.windows(2).all(|pair| pair[0].1 < pair[1].0), "{spans:?}");
        }
    }

    #[test]
    fn ranges_one_after_the_other_are_one_span() {
        let mut written = Written::default();
        let bytes = |number: u32| number.to_be_bytes().to_vec();
        for number in 0..10_000 {
            let span = Span {
                from: bytes(number),
                to: bytes(number + 1),
            };
            written.delete(1, &span);
        }
        assert_eq!(written.deleted[&1].0.len(), 1);
    }
}

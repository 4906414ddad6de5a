//! What one commit has written so far.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    hash::{BuildHasher as _, RandomState},
    ops::Bound,
};

use super::super::key::{RecordKey, Span};

/// What one commit has written so far. Its writes of one record happened at one instant: all of
/// them change the record, or none.
#[derive(Default)]
pub(super) struct Written {
    /// Records in conflict that it has written.
    records: HashSet<(i64, Vec<u8>)>,
    /// Stretches that it has deleted, by store: a commit may delete any number of them, and look
    /// for as many records.
    deleted: HashMap<i64, Stretches>,
    /// Digests of the records that stayed because it was late, and that an event has named. A
    /// collision costs one such event.
    late: HashSet<u64>,
    digest: RandomState,
}

impl Written {
    /// Whether the last one to write this record in conflict was the commit itself.
    pub(super) fn has_written(&self, store: i64, key: &RecordKey) -> bool {
        self.records.contains(&(store, key.bytes.clone()))
    }

    /// A record in conflict was written by it.
    pub(super) fn write(&mut self, store: i64, key: &[u8]) {
        self.records.insert((store, key.to_owned()));
    }

    /// The same as [`Self::has_written`], or to delete it. A record that is there after its
    /// deletion was left: that was late.
    pub(super) fn has(&self, store: i64, key: &RecordKey, live: bool) -> bool {
        let deleted = self.deleted.get(&store);
        !live && deleted.is_some_and(|deleted| deleted.contain(&key.bytes)) || self.has_written(store, key)
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

/// Stretches of keys that do not touch: the first key of each, and the first one behind it.
#[derive(Default)]
struct Stretches(BTreeMap<Vec<u8>, Vec<u8>>);

impl Stretches {
    fn contain(&self, key: &[u8]) -> bool {
        let mut before = self.0.range::<[u8], _>((Bound::Unbounded, Bound::Included(key)));
        before.next_back().is_some_and(|(_, to)| key < &to[..])
    }

    fn add(&mut self, span: &Span) {
        let (mut from, mut to) = (span.from.clone(), span.to.clone());
        if from >= to {
            return;
        }
        // Those that begin within it or at its end, from the last one on, and one that reaches it.
        while let Some((first, behind)) = self.0.range(..=to.clone()).next_back()
            && *behind >= from
        {
            let first = first.clone();
            let behind = self.0.remove(&first).unwrap_or_default();
            from = from.min(first);
            to = to.max(behind);
        }
        self.0.insert(from, to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: u8, to: u8) -> Span {
        Span {
            from: vec![from],
            to: vec![to],
        }
    }

    #[test]
    fn deleted_ranges_that_touch_are_one() {
        let mut written = Written::default();
        for turn in 0..100 {
            for first in 0..100 {
                written.delete(1, &span(first, first + 1));
                written.delete(2, &span(first, 100 - turn));
            }
        }
        assert_eq!(written.deleted[&1].0.len(), 1);
        assert_eq!(written.deleted[&2].0.len(), 1);
        assert!(written.has_deleted_range(2) && !written.has_deleted_range(3));
    }

    #[test]
    fn deleted_ranges_hold_the_keys_of_each() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..2000 {
            let spans: Vec<(u8, u8)> = (0..random.usize(..20))
                .map(|_| (random.u8(..40), random.u8(..40)))
                .collect();
            let mut stretches = Stretches::default();
            for (from, to) in &spans {
                stretches.add(&span(*from, *to));
            }
            for key in 0..41 {
                let expected = spans.iter().any(|(from, to)| (*from..*to).contains(&key));
                assert_eq!(stretches.contain(&[key]), expected, "{key} in {spans:?}");
            }
            let ends: Vec<_> = stretches.0.iter().flat_map(|(from, to)| [from, to]).collect();
            assert!(ends.windows(2).all(|pair| pair[0] < pair[1]), "{ends:?}");
        }
    }
}

//! What one commit has written so far.

use std::{
    collections::HashSet,
    hash::{BuildHasher as _, RandomState},
};

use super::super::key::{RecordKey, Span};

/// What one commit has written so far. Its writes of one record happened at one instant: all of
/// them change the record, or none.
#[derive(Default)]
pub(super) struct Written {
    /// Records in conflict that it has written.
    records: HashSet<(i64, Vec<u8>)>,
    /// Stretches that it has deleted.
    deleted: Vec<(i64, Span)>,
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
        let mut deleted = self.deleted.iter();
        !live && deleted.any(|(of, span)| *of == store && span.contains(&key.bytes))
            || self.has_written(store, key)
    }

    /// Whether it has deleted a range of this store.
    pub(super) fn has_deleted_range(&self, store: i64) -> bool {
        self.deleted.iter().any(|(of, _)| *of == store)
    }

    /// A record stays because the commit is late; whether no event has said so yet.
    pub(super) fn note_late(&mut self, store: i64, key: &[u8]) -> bool {
        self.late.insert(self.digest.hash_one((store, key)))
    }

    /// It has deleted this range.
    pub(super) fn delete(&mut self, store: i64, span: &Span) {
        if !self
            .deleted
            .iter()
            .rev()
            .take(1)
            .any(|last| last.0 == store && last.1 == *span)
        {
            self.deleted.push((store, span.clone()));
        }
    }
}

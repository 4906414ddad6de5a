//! What is known of a record, and of its store, when a commit that writes it arrives.

use super::{
    super::{
        conflict::{
            requery::Requery,
            stamp::{CommitSpan, Stamp},
        },
        key::RecordKey,
        mirror::{Row, Single},
        store::Store,
    },
    before::Before,
    written::Written,
};

/// How a commit relates to the whole-store reads of its store, and to what has not come yet.
///
/// Of no record it is known that none of them has seen it afterwards.
#[derive(Clone, Copy)]
pub(super) struct Reads {
    /// One may be younger.
    pub conflict: bool,
    /// One most likely is.
    pub are_younger: bool,
    /// A commit of another document may have come first, and is not here.
    pub may_overtake: bool,
}

impl Reads {
    pub(super) fn of(store: &Store, when: CommitSpan, may_overtake: bool) -> Self {
        let conflict = store.read_marks.conflict_with(when);
        Self {
            conflict,
            are_younger: conflict && store.read_marks.are_younger_than(when),
            may_overtake,
        }
    }
}

/// What the mirror says about a record that is about to be written.
pub(super) struct Known {
    pub live: bool,
    pub before: Before,
    /// It is in conflict with what others have written or read.
    pub contested: bool,
    /// The write is most likely older than what the mirror has.
    pub late: bool,
    /// What was said last of it.
    last: Stamp,
    /// The bytes of its value.
    bytes: usize,
}

impl Known {
    /// Makes the record what a write says, unless that is late.
    pub(super) fn write(
        &self,
        single: &mut Single<'_>,
        (store, key): (i64, &[u8]),
        value: Option<&str>,
        when: CommitSpan,
        written: &mut Written,
    ) -> rusqlite::Result<()> {
        let stamp = when.combine_with(self.last);
        if self.late {
            return single.stamp(store, key, stamp);
        }
        if self.contested {
            written.write(store, key);
        }
        single.write(store, key, self.bytes, value, stamp)
    }

    pub(super) fn of(
        single: &mut Single<'_>,
        store: &Store,
        requery: &Requery,
        key: &RecordKey,
        (when, reads): (CommitSpan, Reads),
        redaction: i64,
        written: &Written,
    ) -> rusqlite::Result<Self> {
        let row = single.row(store.id, &key.bytes)?;
        let last = row.as_ref().map_or(store.range_deleted, |row| row.stamp);
        let contested = reads.conflict || when.conflicts_with(last);
        let in_doubt = contested || reads.may_overtake || requery.is_pending(store.id, &key.bytes);
        let live = row.as_ref().is_some_and(|row| row.value.is_some());
        let before = Before::of(row.as_ref(), store, in_doubt, redaction);
        Ok(Self {
            live,
            before,
            contested,
            late: reads.are_younger
                || when.is_late(last, || {
                    written.has(store.id, key, live) || requery.is_author(store.id, &key.bytes, when.context)
                }),
            last,
            bytes: row.as_ref().map_or(0, Row::bytes),
        })
    }
}

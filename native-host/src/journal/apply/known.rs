//! What is known of a record, and of its store, when a commit that writes it arrives.

use super::{
    super::{
        key::RecordKey,
        mirror::Single,
        order::{When, Word},
        settle::Settling,
        store::Store,
    },
    before::Before,
    written::Written,
};

/// How a commit relates to the whole-store reads of its store.
///
/// Of no record it is known that none of them has seen it afterwards.
#[derive(Clone, Copy)]
pub(super) struct Reads {
    /// One may be younger.
    pub conflict: bool,
    /// One most likely is.
    pub are_younger: bool,
}

impl Reads {
    pub(super) fn of(store: &Store, when: When) -> Self {
        let conflict = store.looks.are_contested_by(when);
        Self {
            conflict,
            are_younger: conflict && store.looks.are_younger_than(when),
        }
    }
}

/// What the mirror says about a record that is about to be written.
pub(super) struct Known {
    pub live: bool,
    pub before: Before,
    /// Its order to what others have said is in doubt.
    pub contested: bool,
    /// The write is most likely older than what the mirror has.
    pub late: bool,
    /// What was said last of it.
    last: Word,
}

impl Known {
    /// Makes the record what a write says, unless that is late.
    pub(super) fn write(
        &self,
        single: &mut Single<'_>,
        (store, key): (i64, &[u8]),
        value: Option<&str>,
        when: When,
        written: &mut Written,
    ) -> rusqlite::Result<()> {
        let stamp = when.after(self.last);
        if self.late {
            return single.stamp(store, key, stamp);
        }
        if self.contested {
            written.write(store, key);
        }
        single.write(store, key, value, stamp)
    }

    pub(super) fn of(
        single: &mut Single<'_>,
        store: &Store,
        settling: &Settling,
        key: &RecordKey,
        (when, reads): (When, Reads),
        redaction: i64,
        written: &Written,
    ) -> rusqlite::Result<Self> {
        let row = single.row(store.id, &key.bytes)?;
        let last = row.as_ref().map_or(store.swept, |row| row.word);
        let contested = reads.conflict || when.contests(last);
        let in_doubt = contested || settling.waits_for(store.id, &key.bytes);
        let live = row.as_ref().is_some_and(|row| row.value.is_some());
        let before = Before::of(row.as_ref(), store, in_doubt, redaction);
        Ok(Self {
            live,
            before,
            contested,
            late: reads.are_younger
                || when.is_late(last, || {
                    written.has(store.id, key, live) || settling.is_author(store.id, &key.bytes, when.context)
                }),
            last,
        })
    }
}

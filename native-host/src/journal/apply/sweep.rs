//! Stretches of records that go at once: by a `clear`, a deleted range, a store that is created,
//! renamed or deleted.
//!
//! What holds for a single write holds for each record of the stretch: it stays if its last write
//! is most likely younger. So a late deletion of any kind removes only older records, and no cache
//! steps back until the store is read again.

use super::{
    super::{
        key::{RecordKey, Span},
        mirror::{Pages, Row},
        order::{SLACK_MS, When},
        store::Place,
    },
    Batch,
    before::Before,
    drafts::{Draft, Drafts},
    known::Reads,
    written::Written,
};
use protocol::event::Op;

/// Which records go.
#[derive(Clone, Copy)]
pub(super) struct Stretch<'s, 'a> {
    pub place: &'s Place,
    /// The database's version.
    pub version: u64,
    pub store_name: &'a str,
    pub span: &'s Span,
    pub when: When,
}

/// By what they go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// A `clear` or a deleted range: records in conflict are read again one by one.
    Records,
    /// A store that is deleted. In a conflict all is read again.
    Shape,
    /// A store that is created, or takes a name: no record was there, so none that stays was
    /// deleted.
    NewShape,
    /// A store that gives up its name: the mirror keeps the records until they have moved.
    Move,
}

/// How it came out.
#[derive(Clone, Copy)]
pub(super) struct Swept {
    pub store: i64,
    /// Some of it may be older than what others have said.
    pub in_conflict: bool,
    /// Some of it most likely is, and was left.
    pub late: bool,
}

/// What becomes of one record.
#[derive(Clone, Copy)]
pub(super) struct Fate {
    pub in_conflict: bool,
    /// It stays.
    pub late: bool,
}

impl<'j> Batch<'j> {
    /// Deletes the records of a stretch.
    pub(super) fn sweep<'a>(
        &mut self,
        stretch: Stretch<'_, 'a>,
        by: By,
        drafts: &mut Drafts<'a, 'j>,
        written: &mut Written,
    ) -> rusqlite::Result<Swept> {
        let Stretch {
            place,
            version,
            store_name,
            span,
            when,
        } = stretch;
        let known = self.state.stores.get(&self.transaction, place, version)?.clone();
        let id = known.id;
        let reads = Reads::of(&known, when);
        // What it says of records that are not there any more counts, too.
        let mut swept = Swept {
            store: id,
            in_conflict: when.contests(known.swept),
            late: reads.are_younger || when.is_late(known.swept, || written.has_swept(id)),
        };
        let mut asks = false;
        let mut live = Pages::of(id, span);
        while !self.is_spent()
            && let Some(page) = live.rows(self.mirror(), self.state.clock)?
        {
            for (bytes, row) in page {
                if self.is_spent() {
                    break;
                }
                self.volume.look(&bytes, row.value.as_deref());
                let key = RecordKey::from_bytes(bytes).map_err(super::stored)?;
                let fate = self.fate(id, &key, &row, (when, reads), written);
                swept.in_conflict |= fate.in_conflict;
                swept.late |= fate.late;
                let in_doubt = fate.in_conflict || self.state.settling.waits_for(id, &key.bytes);
                let before = Before::of(Some(&row), &known, in_doubt, self.state.redaction);
                if by == By::Records && fate.in_conflict {
                    asks = true;
                    self.state.settling.doubt(id, place, &key);
                }
                if !fate.late && fate.in_conflict && by != By::Move {
                    self.single.write(id, &key.bytes, None, when.after(row.word))?;
                }
                let is_told = fate.late && (by == By::NewShape || !written.tell_late(id, &key.bytes));
                // Also for one that is told already: going through a store again and again costs as
                // much.
                self.volume.draft(&key.bytes);
                if !is_told {
                    drafts.push(Draft {
                        key: Some(key),
                        before,
                        late: fate.late,
                        ..Draft::of(Op::Delete, id, store_name)
                    })?;
                }
            }
        }
        if self.is_spent() {
            // Records of which no event tells stay, so that the read that follows tells of them.
            self.leave_store(place, version)?;
            swept.in_conflict = true;
            return Ok(swept);
        }
        if by != By::Move {
            self.bury(id, span, (when, reads), written)?;
        }
        let store = self.state.stores.get(&self.transaction, place, version)?;
        store.sweep(&self.transaction, when)?;
        if asks {
            store.doubt_records(&self.transaction, when.committed_at.saturating_add(SLACK_MS))?;
        }
        Ok(swept)
    }

    /// What becomes of a record of a stretch.
    pub(super) fn fate(
        &self,
        store: i64,
        key: &RecordKey,
        row: &Row,
        (when, reads): (When, Reads),
        written: &Written,
    ) -> Fate {
        let own = || {
            written.has_written(store, key) || self.state.settling.is_author(store, &key.bytes, when.context)
        };
        Fate {
            in_conflict: reads.conflict || when.contests(row.word),
            late: reads.are_younger || when.is_late(row.word, own),
        }
    }

    /// Makes tombstones of a stretch, but for records in conflict: what becomes of each is decided
    /// already.
    pub(super) fn bury(
        &mut self,
        store: i64,
        span: &Span,
        (when, reads): (When, Reads),
        written: &mut Written,
    ) -> rusqlite::Result<()> {
        if reads.are_younger {
            return Ok(());
        }
        written.delete(store, span);
        let clock = self.state.clock;
        let buried = self.mirror().bury_without_conflict(store, span, when, clock)?;
        self.volume.change(buried);
        Ok(())
    }
}

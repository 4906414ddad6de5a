//! Stretches of records that go at once: by a `clear`, a deleted range, a store that is created,
//! renamed or deleted.
//!
//! What holds for a single write holds for each record of the range: it stays if its last write
//! is most likely younger. So a late deletion of any kind removes only older records, and no cache
//! steps back until the store is read again.
//!
//! A page can make any number of tombstones, of records that never were, and go through them with
//! ranges of a few bytes each. So a range goes through a tombstone a bounded number of times:
//!
//! - Tombstones in no conflict with the deletion are dropped, since the stamp that it leaves on the
//!   store is no earlier than theirs, and belongs to the same document or to none.
//! - Others stay as long as they are few. Past [`MANY_TOMBSTONES`] they are forgotten as
//!   [`forget`](super::super::forget) does with old ones: the last stamp on them becomes the
//!   store's, and belongs to no document. The same goes for ranges of late commits and of reads.
//!
//! What a range goes through counts as work of its delivery, tombstones included
//! ([`volume`](super::volume)).

use super::{
    super::{
        conflict::stamp::{CommitSpan, SLACK_MS},
        key::{RecordKey, Span},
        mirror::{Pages, Row, SHORTER},
        place::Place,
    },
    Batch,
    before::Before,
    known::Reads,
    pending::{PendingEvent, PendingEvents},
    written::Written,
};
use protocol::event::Op;

/// Which records go.
#[derive(Clone, Copy)]
pub(super) struct KeyRange<'s, 'a> {
    pub place: &'s Place,
    /// The database's version.
    pub version: u64,
    pub store_name: &'a str,
    pub span: &'s Span,
    pub when: CommitSpan,
}

/// How many tombstones a range leaves at most of those that it cannot drop.
const MANY_TOMBSTONES: usize = 1024;

/// By what they go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
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
pub(super) struct RangeOutcome {
    pub store: i64,
    /// Some of it may be older than what others have said.
    pub in_conflict: bool,
    /// Some of it most likely is, and was left.
    pub late: bool,
    /// The tombstones that were there before.
    pub tombstones: usize,
    /// The bytes of the values that it has gone through.
    pub bytes: usize,
}

/// What becomes of one record.
#[derive(Clone, Copy)]
pub(super) struct RecordOutcome {
    pub in_conflict: bool,
    /// It stays.
    pub late: bool,
}

impl<'j> Batch<'j> {
    /// Deletes the records of a range.
    pub(super) fn delete_range<'a>(
        &mut self,
        range: KeyRange<'_, 'a>,
        by: Cause,
        events: &mut PendingEvents<'a, 'j>,
        written: &mut Written,
    ) -> rusqlite::Result<RangeOutcome> {
        let KeyRange {
            place,
            version,
            store_name,
            span,
            when,
        } = range;
        let known = self.state.stores.get(&self.transaction, place, version)?.clone();
        let id = known.id;
        let reads = Reads::of(&known, when, self.may_overtake);
        // What it says of records that are not there any more counts, too.
        let mut swept = RangeOutcome {
            store: id,
            in_conflict: when.conflicts_with(known.range_deleted),
            late: reads.are_younger || when.is_late(known.range_deleted, || written.has_deleted_range(id)),
            tombstones: 0,
            bytes: 0,
        };
        let mut asks = false;
        let mut live = Pages::of(id, span);
        while !self.is_spent()
            && let Some((page, skipped)) = live.rows(self.mirror(), self.state.clock)?
        {
            self.volume.count_skipped(skipped);
            swept.tombstones += skipped.rows;
            for (bytes, row) in page {
                if self.is_spent() {
                    break;
                }
                self.volume.count_read(&bytes, row.value.as_deref());
                swept.bytes += row.bytes();
                self.single.tombstones.add(bytes.len());
                let key = RecordKey::from_bytes(bytes).map_err(super::stored)?;
                let fate = self.judge_record(id, &key, &row, (when, reads), written);
                swept.in_conflict |= fate.in_conflict;
                swept.late |= fate.late;
                let in_doubt =
                    fate.in_conflict || reads.may_overtake || self.state.requery.is_pending(id, &key.bytes);
                let before = Before::of(Some(&row), &known, in_doubt, self.state.redaction);
                if by == Cause::Records && fate.in_conflict {
                    asks = true;
                    self.state.requery.add(id, place, &key);
                }
                if !fate.late && fate.in_conflict && by != Cause::Move {
                    self.single
                        .write(id, &key.bytes, row.bytes(), None, when.combine_with(row.stamp))?;
                }
                let is_published = fate.late && (by == Cause::NewShape || !written.note_late(id, &key.bytes));
                // Also without an event: reading a store again and again costs as much.
                self.volume.count_event(&key.bytes);
                if !is_published {
                    events.push(PendingEvent {
                        key: Some(key),
                        before,
                        late: fate.late,
                        ..PendingEvent::of(Op::Delete, id, store_name)
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
        if by != Cause::Move {
            self.write_tombstones(range, swept, reads, written)?;
        }
        let store = self.state.stores.get(&self.transaction, place, version)?;
        store.stamp_range_delete(&self.transaction, when)?;
        if asks {
            store.request_records(&self.transaction, when.committed_at.saturating_add(SLACK_MS))?;
        }
        Ok(swept)
    }

    /// What becomes of a record of a range.
    pub(super) fn judge_record(
        &self,
        store: i64,
        key: &RecordKey,
        row: &Row,
        (when, reads): (CommitSpan, Reads),
        written: &Written,
    ) -> RecordOutcome {
        let own = || {
            written.has_written(store, key) || self.state.requery.is_author(store, &key.bytes, when.context)
        };
        RecordOutcome {
            in_conflict: reads.conflict || when.conflicts_with(row.stamp),
            late: reads.are_younger || when.is_late(row.stamp, own),
        }
    }

    /// Makes tombstones of a range, but for records in conflict: what becomes of each is decided
    /// already. `swept` is what the range has gone through.
    pub(super) fn write_tombstones(
        &mut self,
        range: KeyRange<'_, '_>,
        swept: RangeOutcome,
        reads: Reads,
        written: &mut Written,
    ) -> rusqlite::Result<()> {
        let KeyRange {
            place,
            version,
            span,
            when,
            ..
        } = range;
        let mut tombstones = swept.tombstones;
        let known = self.state.stores.get(&self.transaction, place, version)?;
        let (store, covering) = (known.id, when.combine_with(known.range_deleted));
        if tombstones > 0 && !reads.are_younger {
            // A few of the same commit stay: of each it is known that no record was there.
            let same = tombstones > MANY_TOMBSTONES;
            let dropped = self
                .mirror()
                .drop_covered_tombstones(store, span, when, covering, same)?;
            self.volume.count_rows(dropped);
            tombstones = tombstones.saturating_sub(dropped);
        }
        self.forget_many_tombstones(place, version, span, tombstones)?;
        if reads.are_younger {
            return Ok(());
        }
        written.delete(store, span);
        let clock = self.state.clock;
        let buried = self
            .mirror()
            .write_tombstones_without_conflict(store, span, when, clock)?;
        self.volume.count_rows(buried);
        if swept.bytes > SHORTER * buried {
            self.volume.count_rows(2 * buried);
            self.mirror().compact_tombstones(store, span)?;
        }
        Ok(())
    }

    /// Whether a store has any record. The search goes through tombstones as a range does.
    pub(super) fn has_records(&mut self, place: &Place, store: i64) -> rusqlite::Result<bool> {
        let (found, tombstones) = self.mirror().find_record(store)?;
        if let Some(version) = self.state.stores.version(&self.transaction, place)? {
            self.forget_many_tombstones(place, version, &Span::all(), tombstones)?;
        }
        Ok(found)
    }

    /// Forgets the tombstones of a range that has gone through many. The last stamp on them stays
    /// with the store, and belongs to no document.
    pub(super) fn forget_many_tombstones(
        &mut self,
        place: &Place,
        version: u64,
        span: &Span,
        tombstones: usize,
    ) -> rusqlite::Result<()> {
        if tombstones > MANY_TOMBSTONES {
            self.forget_tombstones(place, version, span)?;
        }
        Ok(())
    }

    /// The same, however few.
    pub(super) fn forget_tombstones(
        &mut self,
        place: &Place,
        version: u64,
        span: &Span,
    ) -> rusqlite::Result<()> {
        let id = self.state.stores.get(&self.transaction, place, version)?.id;
        if let Some(last) = self.mirror().last_tombstone(id, span)? {
            let store = self.state.stores.get(&self.transaction, place, version)?;
            store.stamp_forgotten(&self.transaction, last)?;
            let removed = self.mirror().remove_tombstones(id, span)?;
            self.volume.count_rows(removed);
        }
        Ok(())
    }
}

//! What a read says about records, one by one.

use std::{borrow::Cow, collections::HashSet};

use protocol::event::Op;
use serde_json::value::RawValue;

use super::{
    super::{
        conflict::{
            requery::Resolution,
            stamp::{ReadSpan, SLACK_MS},
        },
        key::{KeyDigest, RecordKey, Span},
        mirror::{BACKFILL_ON_READ, Pages, Row},
        place::Place,
    },
    Batch, Refusal,
    before::Before,
    event::EventContext,
    pending::PendingEvent,
};

/// A record as it was read; without a value: nothing is there.
pub(super) type Observed<'a> = (RecordKey, Option<&'a RawValue>);

/// The bytes that its key takes.
pub(super) fn bytes_of((key, _): &Observed<'_>) -> usize {
    key.len()
}

impl Batch<'_> {
    /// Compares records with what was read of them. Returns their keys.
    pub(super) fn observe_all<'a>(
        &mut self,
        event_context: EventContext<'_>,
        place: &Place,
        observed: impl Iterator<Item = Result<Observed<'a>, Refusal>>,
        reading: ReadSpan,
    ) -> Result<HashSet<KeyDigest>, Refusal> {
        let mut keys = HashSet::new();
        for observed in observed {
            let (key, value) = observed?;
            keys.insert(KeyDigest::of(&key.bytes));
            self.observe(event_context, place, &key, value, reading)?;
        }
        Ok(keys)
    }

    /// A range of a store was read completely: what the mirror has there and the read has not is
    /// gone. Returns whether all of the range was gone through: what a delivery of few bytes can
    /// cause here has the bound of a deleted range. Past it the store is left, and read again; the
    /// next read finds what this one has done.
    pub(super) fn observe_gone(
        &mut self,
        event_context: EventContext<'_>,
        place: &Place,
        span: &Span,
        reading: ReadSpan,
        is_there: impl Fn(KeyDigest) -> bool,
    ) -> rusqlite::Result<bool> {
        let version = event_context.version;
        let store = self.state.stores.get(&self.transaction, place, version)?.id;
        let mut live = Pages::of(store, span);
        let mut tombstones = 0;
        let mut is_left = false;
        while !is_left && let Some((page, skipped)) = live.keys(self.mirror())? {
            self.volume.count_skipped(skipped);
            tombstones += skipped.rows;
            for bytes in page {
                // What is there is no work of this kind: the read had to deliver it, and a large
                // store of which nothing is gone would never be finished.
                if is_there(KeyDigest::of(&bytes)) {
                    continue;
                }
                is_left = self.is_spent();
                if is_left {
                    break;
                }
                // Also without an event: reading a store again and again costs as much.
                self.volume.count_read(&bytes, None);
                self.volume.count_event(&bytes);
                let key = RecordKey::from_bytes(bytes).map_err(super::stored)?;
                self.observe(event_context, place, &key, None, reading)?;
            }
        }
        // Also of a read that does not finish: the next one could come no further otherwise.
        self.forget_many_tombstones(place, version, span, tombstones)?;
        if is_left {
            self.leave_store(place, version)?;
        }
        Ok(!is_left)
    }

    /// Compares a record with what was read of it (`None`: nothing is there). A difference is an
    /// event, unless the mirror's stamp may be younger than the read: then the record is read
    /// again.
    fn observe(
        &mut self,
        event_context: EventContext<'_>,
        place: &Place,
        key: &RecordKey,
        value: Option<&RawValue>,
        reading: ReadSpan,
    ) -> rusqlite::Result<()> {
        let connection = &self.transaction;
        let single = &mut self.single;
        let store = self.state.stores.get(connection, place, event_context.version)?;
        let requery = &mut self.state.requery;
        let row = single.row(store.id, &key.bytes)?;
        let value_read = value.map(RawValue::get);
        let last = row.as_ref().map_or(store.range_deleted, |row| row.stamp);
        let same = row.as_ref().and_then(|row| row.value.as_deref()) == value_read;
        let mut younger = Some(last.at).filter(|at| reading.may_precede(*at));
        if !same {
            younger = younger.max(store.read_marks.later_read(reading, &key.bytes));
        }
        if let Some(at) = younger {
            if !same {
                store.request_records(connection, at.saturating_add(SLACK_MS))?;
                requery.keep_asking(store.id, place, key);
            }
            return Ok(());
        }
        // The present rules make the same of it: from now on events may carry it.
        let redacted = row
            .as_ref()
            .is_none_or(|row| row.value.is_none() || row.redaction == self.state.redaction);
        // The record awaits a backfill, and the mirror's value was made by other rules.
        let backfill_pending = row
            .as_ref()
            .is_some_and(|row| row.value.is_some() && row.redaction == BACKFILL_ON_READ);
        let settled = requery.resolve(store.id, &key.bytes);
        if settled == Resolution::Last {
            store.finish_record_reads(connection)?;
        }
        // What a whole-store read leaves as it is, it need not touch: the store remembers the read
        // itself.
        if !same || !redacted || reading.is_answer || settled != Resolution::Unasked {
            let replaced = row.as_ref().map_or(0, Row::bytes);
            single.write(store.id, &key.bytes, replaced, value_read, reading.stamp())?;
        }
        if same && !backfill_pending {
            return Ok(());
        }
        let before = Before::last_known(row.as_ref(), store, self.state.redaction);
        if !same
            && !reading.is_answer
            && settled == Resolution::Unasked
            && store.note_unseen_writer(connection, reading.read_at)?
        {
            self.outcome.unseen.insert(place.origin.clone());
        }
        let event = PendingEvent {
            key: Some(key.clone()),
            before,
            after: value.map(Cow::Borrowed),
            ..PendingEvent::of(
                if value.is_some() { Op::Read } else { Op::Delete },
                store.id,
                &place.store,
            )
        };
        self.emit_one(event_context, event)
    }
}

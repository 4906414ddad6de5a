//! Changes of stores' shapes, and what becomes of their records: those of a store that goes are
//! deleted, those of one that is renamed go and come again under the new name.

use std::borrow::Cow;

use protocol::{body::Deletion, event::Op, schema::SchemaChange};

use super::{
    super::{
        conflict::{resync, stamp::CommitSpan},
        key::{RecordKey, Span, raw},
        mirror::Pages,
        place::Place,
        store::{DELETED, StoreOfDatabase, Stores},
    },
    Batch, Scope,
    before::Before,
    event::EventContext,
    known::{Known, Reads},
    pending::{PendingEvent, PendingEvents},
    range_delete::{Cause, KeyRange, RangeOutcome},
    written::Written,
};

impl<'j> Batch<'j> {
    /// One change of an upgrade; whether it was late.
    pub(super) fn reshape<'a>(
        &mut self,
        place: &Place,
        (version, store_name, when): (u64, &'a str, CommitSpan),
        change: &'a SchemaChange<'a>,
        events: &mut PendingEvents<'a, 'j>,
        written: &mut Written,
    ) -> rusqlite::Result<bool> {
        let store = self.state.stores.get(&self.transaction, place, version)?.id;
        let shape = events.next();
        events.push(PendingEvent {
            schema: Some(change),
            ..PendingEvent::of(Op::Schema, store, store_name)
        })?;
        let all = Span::all();
        let range = KeyRange {
            place,
            version,
            store_name,
            span: &all,
            when,
        };
        let late = match change {
            // A new store is empty: what the mirror has under its name is of a store that went
            // unseen.
            SchemaChange::CreateStore { .. } => self.empty(range, Cause::NewShape, events, written)?,
            SchemaChange::DeleteStore {} | SchemaChange::DeleteDatabase {} => {
                self.empty(range, Cause::Shape, events, written)?
            }
            SchemaChange::RenameStore { to } if *to == place.store => false,
            SchemaChange::RenameStore { to } => self.rename(range, to, events, written)?,
            SchemaChange::CreateIndex { .. }
            | SchemaChange::DeleteIndex { .. }
            | SchemaChange::RenameIndex { .. } => false,
        };
        if late {
            events.set_late(shape);
        }
        Ok(late)
    }

    /// A store takes another name; whether some of that was late.
    fn rename<'a>(
        &mut self,
        from: KeyRange<'_, 'a>,
        to: &'a str,
        events: &mut PendingEvents<'a, 'j>,
        written: &mut Written,
    ) -> rusqlite::Result<bool> {
        let KeyRange {
            place, version, when, ..
        } = from;
        let store = self.state.stores.get(&self.transaction, place, version)?;
        let complete = store.knows_all();
        let (lapsed_at, unseen_writer_at) = (store.lapsed_at(), store.unseen_writer_at());
        let reads = Reads::of(store, when, self.may_overtake);
        let source = self.delete_range(from, Cause::Move, events, written)?;
        if self.is_spent() {
            return Ok(source.late);
        }
        let to = KeyRange {
            place: &Place {
                store: to.to_owned(),
                ..place.clone()
            },
            store_name: to,
            ..from
        };
        let mut late = self.empty(to, Cause::NewShape, events, written)?;
        late |= source.late;
        if !complete {
            let store = self.state.stores.get(&self.transaction, to.place, version)?;
            // A clock that was set back may have left a time that is yet to come.
            let lapsed_at = lapsed_at.map_or(0, |lapsed_at| lapsed_at.max(resync::from_now()));
            store.distrust(&self.transaction, lapsed_at, unseen_writer_at)?;
        }
        self.move_records((source.store, reads), to, events, written)?;
        if self.is_spent() {
            self.leave_store(from.place, version)?;
            self.leave_store(to.place, version)?;
            return Ok(late);
        }
        self.write_tombstones(from, source, reads, written)?;
        self.after_range_delete(from.place, version, source)?;
        Ok(late)
    }

    /// `deleteDatabase`: of each store that the mirror has records of. A page can delete a database
    /// any number of times, so only the first time goes through its stores.
    pub(super) fn deletion(
        &mut self,
        scope: Scope<'_>,
        deletion: &Deletion<'_>,
        id: &str,
    ) -> rusqlite::Result<()> {
        let when = CommitSpan {
            context: self.writing_context(scope, deletion.writer.as_ref())?,
            began_at: self.state.clock.bound(deletion.began_at),
            committed_at: self.state.clock.bound(deletion.deleted_at),
        };
        let mut stores = Stores::of_database(
            &self.transaction,
            scope.origin,
            &deletion.bucket,
            &deletion.database,
        )?;
        let known = stores.len();
        stores.retain(|store| !store.is_deleted_by(when));
        if stores.len() < known {
            // It may be older than what has deleted them.
            self.request_resync(scope.origin)?;
        }
        let version = stores.iter().map(|store| store.version).max().unwrap_or(0);
        let last = self.store_list_stamp(scope.origin)?.unwrap_or_default();
        self.set_store_list_stamp(scope.origin, when.combine_with(last))?;
        let mut events = PendingEvents::of(self.connection, stores.len(), self.state.delivery_bytes);
        let mut written = Written::default();
        for store in &stores {
            let StoreOfDatabase {
                place,
                version,
                has_records,
                ..
            } = store;
            let late = if *has_records {
                let names = (*version, &*place.store, when);
                let change = &SchemaChange::DeleteDatabase {};
                self.reshape(place, names, change, &mut events, &mut written)?
            } else {
                // No event, but a late commit meets the stamp of the deletion.
                let range = KeyRange {
                    place,
                    version: *version,
                    store_name: &place.store,
                    span: &Span::all(),
                    when,
                };
                self.empty(range, Cause::Shape, &mut events, &mut written)?
            };
            // What is left of a store goes with the next deletion.
            if !late && !self.is_spent() {
                // The next database of this name begins with any version.
                self.state.stores.get(&self.transaction, place, DELETED)?;
            }
        }
        let event_context = EventContext {
            origin: scope.origin,
            bucket: &deletion.bucket,
            database: &deletion.database,
            version,
            context_name: scope.context_name,
            writer: deletion.writer.as_ref(),
            ts_ms: deletion.deleted_at,
            transaction: Some(id),
        };
        self.emit(event_context, events)
    }

    /// Writes the records of a store that is renamed under its new name. They are still under the
    /// old one.
    fn move_records<'a>(
        &mut self,
        (source, reads): (i64, Reads),
        to: KeyRange<'_, 'a>,
        events: &mut PendingEvents<'a, 'j>,
        written: &mut Written,
    ) -> rusqlite::Result<()> {
        let mut in_conflict = false;
        let mut live = Pages::of(source, &Span::all());
        while let Some((page, skipped)) = live.rows(self.mirror(), self.state.clock)? {
            self.volume.count_skipped(skipped);
            if self.is_spent() {
                return Ok(());
            }
            for (bytes, row) in page {
                if self.is_spent() {
                    return Ok(());
                }
                self.volume.count_read(&bytes, row.value.as_deref());
                self.volume.count_event(&bytes);
                let key = RecordKey::from_bytes(bytes).map_err(super::stored)?;
                let fate = self.judge_record(source, &key, &row, (to.when, reads), written);
                if fate.late {
                    continue;
                }
                if fate.in_conflict {
                    self.single.write(
                        source,
                        &key.bytes,
                        row.bytes(),
                        None,
                        to.when.combine_with(row.stamp),
                    )?;
                }
                let length =
                    row.value.as_ref().map_or(0, String::len) + key.bytes.len() + key.text.get().len();
                let length = length as u64;
                if row.redaction != self.state.redaction
                    || self.volume.moved + length > self.state.delivery_bytes
                {
                    // The present rules may forbid publishing it again, or it is too much. The
                    // store is read under its new name.
                    self.resync_store(to.place, to.version)?;
                    continue;
                }
                let Some(value) = row.value else { continue };
                self.volume.moved += length;
                in_conflict |= self.move_record(key, value, to, events, written)?;
            }
        }
        if in_conflict {
            self.request_resync(&to.place.origin)?;
        }
        Ok(())
    }

    /// Writes one of them, unless another write of the new store is younger; whether that may be.
    fn move_record<'a>(
        &mut self,
        key: RecordKey,
        value: String,
        to: KeyRange<'_, 'a>,
        events: &mut PendingEvents<'a, 'j>,
        written: &mut Written,
    ) -> rusqlite::Result<bool> {
        let store = self.state.stores.get(&self.transaction, to.place, to.version)?;
        let (id, reads) = (store.id, Reads::of(store, to.when, self.may_overtake));
        let (requery, redaction) = (&self.state.requery, self.state.redaction);
        let known = Known::of(
            &mut self.single,
            store,
            requery,
            &key,
            (to.when, reads),
            redaction,
            written,
        )?;
        known.write(&mut self.single, (id, &key.bytes), Some(&value), to.when, written)?;
        events.push(PendingEvent {
            key: Some(key),
            // No store had the name.
            before: Before::Absent,
            after: Some(Cow::Owned(raw(value))),
            late: known.late,
            ..PendingEvent::of(Op::Create, id, to.store_name)
        })?;
        Ok(known.contested)
    }

    /// Deletes the records of a store, and knows from now on that it has none, unless that was
    /// late.
    fn empty<'a>(
        &mut self,
        range: KeyRange<'_, 'a>,
        by: Cause,
        events: &mut PendingEvents<'a, 'j>,
        written: &mut Written,
    ) -> rusqlite::Result<bool> {
        let swept = self.delete_range(range, by, events, written)?;
        self.after_range_delete(range.place, range.version, swept)?;
        Ok(swept.late)
    }

    /// A store has no records any more; in a conflict that is not known, and all is read again.
    fn after_range_delete(
        &mut self,
        place: &Place,
        version: u64,
        swept: RangeOutcome,
    ) -> rusqlite::Result<()> {
        if swept.in_conflict {
            // What is there may have been written after it.
            return self.request_resync(&place.origin);
        }
        let store = self.state.stores.get(&self.transaction, place, version)?;
        store.set_complete(&self.transaction, true)
    }
}

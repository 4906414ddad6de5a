//! Changes of stores' shapes, and what becomes of their records: those of a store that goes are
//! deleted, those of one that is renamed go and come again under the new name.

use std::borrow::Cow;

use protocol::{commit::Deletion, event::Op, schema::SchemaChange};

use super::{
    super::{
        key::{RecordKey, Span, raw},
        mirror::Pages,
        order::When,
        store::{Place, Stores},
    },
    Batch, Scope,
    before::Before,
    commit::{Known, Reads, Written},
    drafts::{Draft, Drafts},
    event::Scene,
    sweep::{By, Stretch, Swept},
};

impl<'j> Batch<'j> {
    /// One change of an upgrade; whether it was late.
    pub(super) fn reshape<'a>(
        &mut self,
        place: &Place,
        (version, store_name, when): (u64, &'a str, When),
        change: &'a SchemaChange<'a>,
        drafts: &mut Drafts<'a, 'j>,
        written: &mut Written,
    ) -> rusqlite::Result<bool> {
        let store = self.state.stores.get(&self.transaction, place, version)?.id;
        let shape = drafts.next();
        drafts.push(Draft {
            schema: Some(change),
            ..Draft::of(Op::Schema, store, store_name)
        })?;
        let all = Span::all();
        let stretch = Stretch {
            place,
            version,
            store_name,
            span: &all,
            when,
        };
        let late = match change {
            // A new store is empty: what the mirror has under its name is of a store that went
            // unseen.
            SchemaChange::CreateStore { .. } => self.empty(stretch, By::NewShape, drafts, written)?,
            SchemaChange::DeleteStore {} | SchemaChange::DeleteDatabase {} => {
                self.empty(stretch, By::Shape, drafts, written)?
            }
            SchemaChange::RenameStore { to } if *to == place.store => false,
            SchemaChange::RenameStore { to } => self.rename(stretch, to, drafts, written)?,
            SchemaChange::CreateIndex { .. }
            | SchemaChange::DeleteIndex { .. }
            | SchemaChange::RenameIndex { .. } => false,
        };
        if late {
            drafts.set_late(shape);
        }
        Ok(late)
    }

    /// A store takes another name; whether some of that was late.
    fn rename<'a>(
        &mut self,
        from: Stretch<'_, 'a>,
        to: &'a str,
        drafts: &mut Drafts<'a, 'j>,
        written: &mut Written,
    ) -> rusqlite::Result<bool> {
        let Stretch {
            place, version, when, ..
        } = from;
        let store = self.state.stores.get(&self.transaction, place, version)?;
        let complete = store.knows_all();
        let reads = Reads::of(store, when);
        let source = self.sweep(from, By::Move, drafts, written)?;
        if self.is_spent() {
            return Ok(source.late);
        }
        let to = Stretch {
            place: &Place {
                store: to.to_owned(),
                ..place.clone()
            },
            store_name: to,
            ..from
        };
        let mut late = self.empty(to, By::NewShape, drafts, written)?;
        late |= source.late;
        if !complete {
            let store = self.state.stores.get(&self.transaction, to.place, version)?;
            store.set_complete(&self.transaction, false)?;
        }
        self.move_records((source.store, reads), to, drafts, written)?;
        if self.is_spent() {
            self.leave_store(from.place, version)?;
            self.leave_store(to.place, version)?;
            return Ok(late);
        }
        self.bury(source.store, &Span::all(), (when, reads), written)?;
        self.after_sweep(from.place, version, source)?;
        Ok(late)
    }

    /// `deleteDatabase`: of each store that the mirror has records of.
    pub(super) fn deletion(
        &mut self,
        scope: Scope<'_>,
        deletion: &Deletion<'_>,
        id: &str,
    ) -> rusqlite::Result<()> {
        let when = When {
            context: scope.context,
            began_at: self.state.clock.bound(deletion.began_at),
            committed_at: self.state.clock.bound(deletion.deleted_at),
        };
        let mut stores = Stores::of_bucket(&self.transaction, scope.origin, &deletion.bucket)?;
        stores.retain(|(place, _)| place.database == deletion.database);
        let version = stores.iter().map(|(_, version)| *version).max().unwrap_or(0);
        let last = self.census(scope.origin)?.unwrap_or_default();
        self.set_census(scope.origin, when.after(last))?;
        let mut drafts = Drafts::of(self.connection, stores.len(), self.state.delivery_bytes);
        let mut written = Written::default();
        for (place, version) in &stores {
            let store = self.state.stores.get(&self.transaction, place, *version)?.id;
            let late = if self.mirror().has_records(store)? {
                let names = (*version, &*place.store, when);
                let change = &SchemaChange::DeleteDatabase {};
                self.reshape(place, names, change, &mut drafts, &mut written)?
            } else {
                // Nothing to tell, but what is told late of it meets the deletion.
                let stretch = Stretch {
                    place,
                    version: *version,
                    store_name: &place.store,
                    span: &Span::all(),
                    when,
                };
                self.empty(stretch, By::Shape, &mut drafts, &mut written)?
            };
            if !late {
                // The next database of this name begins with any version.
                self.state.stores.get(&self.transaction, place, 0)?;
            }
        }
        let scene = Scene {
            origin: scope.origin,
            bucket: &deletion.bucket,
            database: &deletion.database,
            version,
            context_name: scope.context_name,
            ts_ms: deletion.deleted_at,
            transaction: Some(id),
        };
        self.emit(scene, drafts)
    }

    /// Writes the records of a store that is renamed under its new name. They are still under the
    /// old one.
    fn move_records<'a>(
        &mut self,
        (source, reads): (i64, Reads),
        to: Stretch<'_, 'a>,
        drafts: &mut Drafts<'a, 'j>,
        written: &mut Written,
    ) -> rusqlite::Result<()> {
        let mut in_conflict = false;
        let mut live = Pages::of(source, &Span::all());
        while let Some(page) = live.rows(self.mirror(), self.state.clock)? {
            for (bytes, row) in page {
                if self.is_spent() {
                    return Ok(());
                }
                self.volume.look(&bytes, row.value.as_deref());
                self.volume.draft(&bytes);
                let key = RecordKey::from_bytes(bytes).map_err(super::stored)?;
                let fate = self.fate(source, &key, &row, (to.when, reads), written);
                if fate.late {
                    continue;
                }
                if fate.in_conflict {
                    self.single
                        .write(source, &key.bytes, None, to.when.after(row.word))?;
                }
                let length =
                    row.value.as_ref().map_or(0, String::len) + key.bytes.len() + key.text.get().len();
                let length = length as u64;
                if row.redaction != self.state.redaction
                    || self.volume.moved + length > self.state.delivery_bytes
                {
                    // By the rules of today it may not be told again, or there is too much; it is
                    // read by its new name.
                    self.read_again(to.place, to.version)?;
                    continue;
                }
                let Some(value) = row.value else { continue };
                self.volume.moved += length;
                in_conflict |= self.move_record(key, value, to, drafts, written)?;
            }
        }
        if in_conflict {
            self.reread(&to.place.origin)?;
        }
        Ok(())
    }

    /// Writes one of them, unless another write of the new store is younger; whether that may be.
    fn move_record<'a>(
        &mut self,
        key: RecordKey,
        value: String,
        to: Stretch<'_, 'a>,
        drafts: &mut Drafts<'a, 'j>,
        written: &mut Written,
    ) -> rusqlite::Result<bool> {
        let store = self.state.stores.get(&self.transaction, to.place, to.version)?;
        let (id, reads) = (store.id, Reads::of(store, to.when));
        let (settling, redaction) = (&self.state.settling, self.state.redaction);
        let known = Known::of(
            &mut self.single,
            store,
            settling,
            &key,
            (to.when, reads),
            redaction,
            written,
        )?;
        known.write(&mut self.single, (id, &key.bytes), Some(&value), to.when, written)?;
        drafts.push(Draft {
            key: Some(key),
            // No store had the name.
            before: Before::Absent,
            after: Some(Cow::Owned(raw(value))),
            late: known.late,
            ..Draft::of(Op::Create, id, to.store_name)
        })?;
        Ok(known.contested)
    }

    /// Deletes the records of a store, and knows from now on that it has none, unless that was
    /// late.
    fn empty<'a>(
        &mut self,
        stretch: Stretch<'_, 'a>,
        by: By,
        drafts: &mut Drafts<'a, 'j>,
        written: &mut Written,
    ) -> rusqlite::Result<bool> {
        let swept = self.sweep(stretch, by, drafts, written)?;
        self.after_sweep(stretch.place, stretch.version, swept)?;
        Ok(swept.late)
    }

    /// A store has no records any more; in a conflict that is not known, and all is read again.
    fn after_sweep(&mut self, place: &Place, version: u64, swept: Swept) -> rusqlite::Result<()> {
        if swept.in_conflict {
            // What is there may have been written after it.
            return self.reread(&place.origin);
        }
        let store = self.state.stores.get(&self.transaction, place, version)?;
        store.set_complete(&self.transaction, true)
    }
}

//! Changes of stores' shapes, and what becomes of their records: those of a store that goes are deleted, those of one that is
//! renamed go and come again under the new name.

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
    drafts::{Draft, Drafts},
    event::{Before, Scene},
};

impl<'j> Batch<'j> {
    /// One change of an upgrade. Returns the stores that have other records now, or none.
    pub(super) fn reshape<'a>(
        &mut self,
        place: &Place,
        version: u64,
        store_name: &'a str,
        change: &'a SchemaChange<'a>,
        when: When,
        drafts: &mut Drafts<'a, 'j>,
    ) -> rusqlite::Result<Vec<i64>> {
        let store = self.state.stores.get(&self.transaction, place, version)?;
        let (id, complete) = (store.id, store.complete);
        drafts.push(Draft {
            schema: Some(change),
            ..Draft::of(Op::Schema, store.id, store_name)
        })?;
        match change {
            // A new store is empty: what the mirror has under its name is of a store that went unseen.
            SchemaChange::CreateStore { .. }
            | SchemaChange::DeleteStore {}
            | SchemaChange::DeleteDatabase {} => {
                self.empty(place, version, store_name, when, drafts)?;
                Ok(vec![id])
            }
            SchemaChange::RenameStore { to } if *to == place.store => Ok(Vec::new()),
            SchemaChange::RenameStore { to } => {
                let source = self.leave(place, version, store_name, when, drafts)?;
                let target = Place {
                    store: to.clone().into_owned(),
                    ..place.clone()
                };
                self.empty(&target, version, to, when, drafts)?;
                let store = self.state.stores.get(&self.transaction, &target, version)?;
                store.set_complete(&self.transaction, complete)?;
                let target_id = store.id;
                self.move_records(source, &target, version, to, when, drafts)?;
                self.mirror().bury(source, &Span::all(), when)?;
                Ok(vec![source, target_id])
            }
            SchemaChange::CreateIndex { .. }
            | SchemaChange::DeleteIndex { .. }
            | SchemaChange::RenameIndex { .. } => Ok(Vec::new()),
        }
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
            began_at: deletion.began_at,
            committed_at: deletion.deleted_at,
        };
        let mut stores = Stores::of_bucket(&self.transaction, scope.origin, &deletion.bucket)?;
        stores.retain(|(place, _)| place.database == deletion.database);
        let version = stores.iter().map(|(_, version)| *version).max().unwrap_or(0);
        let last = self.census(scope.origin)?.unwrap_or_default();
        self.set_census(scope.origin, when.after(last))?;
        let mut drafts = Drafts::of(self.connection, stores.len(), self.state.delivery_bytes);
        for (place, version) in &stores {
            let store = self.state.stores.get(&self.transaction, place, *version)?.id;
            if !self.mirror().has_records(store)? {
                // Nothing to tell, but what is told late of it meets the deletion.
                self.empty(place, 0, &place.store, when, &mut drafts)?;
                continue;
            }
            self.reshape(
                place,
                *version,
                &place.store,
                &SchemaChange::DeleteDatabase {},
                when,
                &mut drafts,
            )?;
            // A database of this name begins anew.
            self.state.stores.get(&self.transaction, place, 0)?;
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

    /// Writes the records of a store that is renamed under its new name. They are still under the old one.
    fn move_records<'a>(
        &mut self,
        source: i64,
        target: &Place,
        version: u64,
        target_name: &'a str,
        when: When,
        drafts: &mut Drafts<'a, 'j>,
    ) -> rusqlite::Result<()> {
        let id = self.state.stores.get(&self.transaction, target, version)?.id;
        let mut live = Pages::of(source, &Span::all());
        while let Some(page) = live.rows(self.mirror())? {
            for (bytes, row) in page {
                let length = row.value.as_ref().map_or(0, String::len) as u64;
                if row.redaction != self.state.redaction
                    || self.volume.moved + length > self.state.delivery_bytes
                {
                    // By the rules of today it may not be told again, or there is too much; it is read by its new name.
                    self.read_again(target, version)?;
                    continue;
                }
                let Some(value) = row.value else { continue };
                self.volume.moved += length;
                self.single.write(id, &bytes, Some(&value), when.word())?;
                drafts.push(Draft {
                    key: Some(RecordKey::from_bytes(bytes).map_err(super::stored)?),
                    before: Before::Absent,
                    after: Some(Cow::Owned(raw(value))),
                    ..Draft::of(Op::Create, id, target_name)
                })?;
            }
        }
        Ok(())
    }

    /// Deletes every record of a store, and knows from now on that it has none.
    fn empty<'a>(
        &mut self,
        place: &Place,
        version: u64,
        store_name: &'a str,
        when: When,
        drafts: &mut Drafts<'a, 'j>,
    ) -> rusqlite::Result<()> {
        let store = self.leave(place, version, store_name, when, drafts)?;
        self.mirror().bury(store, &Span::all(), when)
    }

    /// The same, but for the mirror's rows, which are to be buried. Returns which store it is.
    fn leave<'a>(
        &mut self,
        place: &Place,
        version: u64,
        store_name: &'a str,
        when: When,
        drafts: &mut Drafts<'a, 'j>,
    ) -> rusqlite::Result<i64> {
        let known = self.state.stores.get(&self.transaction, place, version)?;
        let store = known.id;
        let mut contested = when.contests(known.swept);
        let read_since = known.looks.are_contested_by(when);
        let mut live = Pages::of(store, &Span::all());
        while let Some(page) = live.rows(self.mirror())? {
            for (bytes, row) in page {
                contested |= read_since || when.contests(row.word);
                drafts.push(Draft {
                    key: Some(RecordKey::from_bytes(bytes).map_err(super::stored)?),
                    before: row.told(self.state.redaction),
                    ..Draft::of(Op::Delete, store, store_name)
                })?;
            }
        }
        let known = self.state.stores.get(&self.transaction, place, version)?;
        known.sweep(&self.transaction, when)?;
        known.set_complete(&self.transaction, true)?;
        if contested {
            // Told late: what is there may have been written after it.
            self.reread(&place.origin)?;
        }
        Ok(store)
    }
}

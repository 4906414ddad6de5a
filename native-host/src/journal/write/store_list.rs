//! Stores that are gone, and stores of which commits were lost.

use std::collections::HashSet;

use protocol::body::{Gap, StoreList};

use super::{
    super::{
        conflict::{resync, stamp::ReadSpan},
        key::Span,
        mirror::Mirror,
        place::Place,
        store::Stores,
    },
    Batch, Scope,
    event::EventContext,
    volume::NotedLoss,
};

/// How many characters of a reason are logged: it came from the page's process.
const SHOWN: usize = 200;

impl Batch<'_> {
    /// Every store that the mirror knows and the browser does not is gone, with its records; so are
    /// all of a bucket that is gone.
    pub(super) fn record_store_list(
        &mut self,
        scope: Scope<'_>,
        store_list: &StoreList<'_>,
    ) -> rusqlite::Result<()> {
        self.state.resyncs.extend_deadline(scope.origin);
        let reading = ReadSpan {
            context: scope.context,
            began_at: self.state.clock.bound(store_list.began_at),
            read_at: self.state.clock.bound(store_list.read_at),
            is_answer: false,
        };
        self.expect(scope, store_list, reading)?;
        let mut unknown = HashSet::new();
        let mut there = HashSet::new();
        for database in &store_list.databases {
            match &database.stores {
                Some(stores) => there.extend(stores.iter().map(|store| (&*database.name, &**store))),
                None => {
                    unknown.insert(&*database.name);
                }
            }
        }
        let mut known = Stores::of_bucket(&self.transaction, scope.origin, &store_list.bucket)?;
        known.retain(|(place, _)| {
            let database = place.database.as_str();
            !unknown.contains(database) && !there.contains(&(database, place.store.as_str()))
        });
        if let Some(buckets) = &store_list.buckets {
            let buckets: HashSet<&str> = buckets.iter().map(|bucket| &**bucket).collect();
            for bucket in Stores::named_buckets(&self.transaction, scope.origin)? {
                if !buckets.contains(bucket.as_str()) && bucket != store_list.bucket {
                    known.extend(Stores::of_bucket(&self.transaction, scope.origin, &bucket)?);
                }
            }
        }
        if !self.may_go(scope.origin, &store_list.bucket, &known, reading)? {
            return Ok(());
        }
        for (place, version) in known {
            let event_context = EventContext {
                origin: scope.origin,
                bucket: &place.bucket,
                database: &place.database,
                version,
                context_name: scope.context_name,
                writer: None,
                ts_ms: reading.read_at,
                transaction: None,
            };
            let is_finished = self.observe_gone(event_context, &place, &Span::all(), reading, |_| false)?;
            // No document can read a store that is gone, so the store list counts as a read of all
            // of it. Records that wait to be read one by one stay in conflict.
            let store = self.state.stores.get(&self.transaction, &place, version)?;
            let records = !self.state.requery.has_pending(store.id);
            store.add_read_mark(&self.transaction, reading, Span::all().to)?;
            if !is_finished {
                // The origin is asked for another list, which meets the rest and the other stores.
                break;
            }
            store.finish_resync(&self.transaction, reading.began_at, records)?;
            store.clear_unseen_writer(&self.transaction)?;
            let id = store.id;
            if records && !Mirror(&self.transaction).has_records(id)? {
                store.forget(&self.transaction, self.state.head.max(self.state.base))?;
            }
        }
        Ok(())
    }

    /// Commits never arrived: what the mirror holds of these stores is not to be relied upon until
    /// they have been read.
    pub(super) fn gap(&mut self, scope: Scope<'_>, gap: &Gap<'_>) -> rusqlite::Result<()> {
        let reason: String = gap.reason.chars().take(SHOWN).collect();
        tracing::warn!("commits of {} were lost: {reason:?}", scope.origin);
        for name in &gap.stores {
            let place = Place {
                origin: scope.origin.to_owned(),
                bucket: name.bucket.clone().into_owned(),
                database: name.database.clone().into_owned(),
                store: name.store.clone().into_owned(),
            };
            let known = self.state.stores.version(&self.transaction, &place)?;
            if known.is_none() && self.adds_no_store(scope.origin)? {
                self.leave_new_store(scope.origin, false)?;
                continue;
            }
            self.resync_store(&place, known.unwrap_or(0))?;
        }
        if self.has_left_new_stores() {
            return Ok(());
        }
        self.request_resync(scope.origin)
    }

    /// Something of this origin is missing: all of it is to be read again, however often this host
    /// or a document ends before it has been.
    pub(super) fn request_resync(&mut self, origin: &str) -> rusqlite::Result<()> {
        self.note_loss(origin, false)
    }

    /// The same after a delivery that was dropped. If it was the answer to such a question, the
    /// next answer may fare no better: that is asked as often as any question without an answer,
    /// and no more.
    pub(super) fn note_loss(&mut self, origin: &str, was_read: bool) -> rusqlite::Result<()> {
        if was_read {
            self.state.resyncs.request_unless_pending(origin);
        } else {
            self.state.resyncs.request(origin);
        }
        self.note_missing(origin)
    }

    /// The same, but it is not asked for yet.
    pub(super) fn note_missing(&mut self, origin: &str) -> rusqlite::Result<()> {
        match self.volume.noted_loss {
            NotedLoss::None => {
                self.volume.noted_loss = NotedLoss::Once;
                self.invalidate_origin(origin)
            }
            NotedLoss::Once | NotedLoss::Again => {
                self.volume.noted_loss = NotedLoss::Again;
                Ok(())
            }
        }
    }

    /// Notes once more at the end of a delivery what came out to be lost after the first time: a
    /// store that the delivery has made or read completely since then counts as complete.
    pub(super) fn finish_noted_loss(&mut self, origin: &str) -> rusqlite::Result<()> {
        match self.volume.noted_loss {
            NotedLoss::None | NotedLoss::Once => Ok(()),
            NotedLoss::Again => self.invalidate_origin(origin),
        }
    }

    /// Goes through all stores that are remembered, so it is done at most twice in a delivery.
    fn invalidate_origin(&mut self, origin: &str) -> rusqlite::Result<()> {
        resync::note(&self.transaction, origin)?;
        let stores = &mut self.state.stores;
        for store in stores.invalidate_origin(&self.transaction, origin, resync::from_now())? {
            self.state.scans.forget(store);
        }
        Ok(())
    }

    /// These stores are there. What was missing somewhere may be missing in each of them.
    fn expect(
        &mut self,
        scope: Scope<'_>,
        store_list: &StoreList<'_>,
        reading: ReadSpan,
    ) -> rusqlite::Result<()> {
        let missing = resync::since(&self.transaction, scope.origin)?;
        let missing = missing.filter(|since| *since <= reading.began_at);
        for database in &store_list.databases {
            for store in database.stores.iter().flatten() {
                let place = Place {
                    origin: scope.origin.to_owned(),
                    bucket: store_list.bucket.clone().into_owned(),
                    database: database.name.clone().into_owned(),
                    store: store.clone().into_owned(),
                };
                if self.refuse_new_store(&place)? {
                    continue;
                }
                self.rediscover_by_read(scope, &place, database.version, reading)?;
                if let Some(since) = missing {
                    self.state
                        .stores
                        .get(&self.transaction, &place, database.version)?
                        .request_resync(&self.transaction, since)?;
                }
            }
        }
        let last = self.store_list_stamp(scope.origin)?.unwrap_or_default();
        self.set_store_list_stamp(scope.origin, reading.combine_with(last))?;
        let Some(since) = missing else {
            return Ok(());
        };
        if self.has_left_new_stores() {
            return Ok(());
        }
        // The default bucket comes first. What could not be looked into is looked at again.
        if store_list.bucket.is_empty() {
            self.state.surveys.insert(scope.context, reading.began_at);
        }
        if store_list
            .databases
            .iter()
            .any(|database| database.stores.is_none())
        {
            self.state.surveys.remove(&scope.context);
        }
        let last = store_list.buckets.as_ref().and_then(|buckets| buckets.last());
        if last.map_or(store_list.bucket.is_empty(), |last| *last == store_list.bucket)
            && let Some(began_at) = self.state.surveys.remove(&scope.context)
            && began_at >= since
        {
            resync::clear(&self.transaction, scope.origin)?;
        }
        Ok(())
    }

    /// What the mirror holds of this store is not to be relied upon until it has been read.
    pub(super) fn resync_store(&mut self, place: &Place, version: u64) -> rusqlite::Result<()> {
        let store = self.state.stores.get(&self.transaction, place, version)?;
        store.set_complete(&self.transaction, false)?;
        store.request_resync(&self.transaction, resync::from_now())?;
        let id = store.id;
        // A whole-store read that is under way may have passed the place of what was lost.
        self.state.scans.forget(id);
        self.state.resyncs.request(&place.origin);
        Ok(())
    }
}

//! Bringing all of an origin up to date that others may have written to: every record, and what is
//! no record is deleted.

use std::{collections::HashSet, io};

use protocol::name::{RecordPrefix, Template, is_shortened};

use super::{BATCH_BYTES, BATCH_EVENTS, Items, MemcachedSink, servers::Servers, store::Item};
use crate::{
    config::endpoint::Endpoint,
    journal::read::{Place, Reader},
    memcached::{
        metadump::{self, Listing, Named},
        unreachable,
    },
    sinks::runner::StepError,
};

/// How many names are remembered of one list; if there are more it is made again.
const LEFTOVERS: usize = 50_000;

/// After how many items of a list `go_on` is called.
const GO_ON: usize = 8192;

/// Whether no server holds a record of an origin. One that does not tell what it holds may.
pub(super) fn are_empty_of(servers: &Servers, key: &Template, origin: &str) -> Result<bool, StepError> {
    for index in 0..servers.len() {
        let failed = |error| unlisted(error, servers.address(index));
        if let Some(endpoint) = servers.endpoint(index)
            && !is_empty_of(endpoint, key, origin, failed, || Ok(()))?
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a server holds no record of an origin. One that cannot list its keys may hold some.
/// `failed` makes an error of a list that breaks off. `go_on` is called now and then, since a list
/// may be long, and ends the search by an error.
pub(crate) fn is_empty_of<E>(
    endpoint: &Endpoint,
    key: &Template,
    origin: &str,
    failed: impl Fn(io::Error) -> E,
    mut go_on: impl FnMut() -> Result<(), E>,
) -> Result<bool, E> {
    let prefix = key.origin_prefix(origin);
    let Listing::Items(mut items) = metadump::list(endpoint).map_err(&failed)? else {
        return Ok(false);
    };
    let mut seen = 0_usize;
    while let Some(item) = items.next().map_err(&failed)? {
        if let Named::Text(name) = item
            && may_be_of(key, prefix.as_ref(), origin, &name)
        {
            return Ok(false);
        }
        seen += 1;
        if seen.is_multiple_of(GO_ON) {
            go_on()?;
        }
    }
    Ok(true)
}

/// Whether an item may be that of a record of an origin, whose keys have this prefix.
pub(crate) fn may_be_of(key: &Template, prefix: Option<&RecordPrefix>, origin: &str, name: &str) -> bool {
    match key.read(name) {
        Some(record) => record.origin == origin,
        None => is_shortened(name) && prefix.is_none_or(|prefix| prefix.may_begin(name)),
    }
}

/// A server's list broke off.
fn unlisted(error: io::Error, address: &str) -> StepError {
    StepError {
        reached: None,
        state: "unreachable",
        trouble: unreachable(error, address),
    }
}

impl MemcachedSink {
    /// Does so for all origins that need it.
    pub(super) fn rewrite_unsettled(&mut self, reader: &Reader) -> Result<(), StepError> {
        for origin in self.owners.unsettled() {
            tracing::info!(
                "memcached: all records of {origin} are written again, others may have written there"
            );
            self.write_origin(reader, &origin)?;
            for index in 0..self.servers.len() {
                self.delete_leftovers(reader, &origin, index)?;
            }
            self.owners.settled(&mut self.servers, &origin)?;
        }
        Ok(())
    }

    fn write_origin(&mut self, reader: &Reader, origin: &str) -> Result<(), StepError> {
        let stores = reader.stores()?;
        for store in stores.iter().filter(|store| store.place.origin == origin) {
            if !self.write_store(reader, origin, store.id)? {
                break;
            }
        }
        Ok(())
    }

    /// Writes the records of a store of an origin; `false`: another profile owns the origin now.
    fn write_store(&mut self, reader: &Reader, origin: &str, store: i64) -> Result<bool, StepError> {
        let mut last = None;
        loop {
            let records = reader.records_of(store, last.as_ref(), BATCH_EVENTS, BATCH_BYTES)?;
            let Some((position, _)) = records.last() else {
                return Ok(true);
            };
            last = Some(position.clone());
            self.owners.check_in_time(&mut self.servers)?;
            if !self.owners.owns(origin) {
                return Ok(false);
            }
            let mut items = Items::default();
            for (_, record) in &records {
                let (_, name) = self.name(reader, record)?;
                let value = self.value(record, &name).unwrap_or_default();
                items.push(record.number, name, value);
                if items.are_many() {
                    self.servers.store(&items.take(), None, None)?;
                    self.owners.check_in_time(&mut self.servers)?;
                    if !self.owners.owns(origin) {
                        return Ok(false);
                    }
                }
            }
            self.servers.store(&items.take(), None, None)?;
        }
    }

    fn delete_leftovers(&mut self, reader: &Reader, origin: &str, index: usize) -> Result<(), StepError> {
        let shortened = self.shortened(reader, origin)?;
        loop {
            let Some(names) = self.leftovers(reader, origin, index, &shortened)? else {
                // It does not tell what it holds.
                if self.owners.was_free(origin) {
                    return Ok(());
                }
                return self.servers.set_lacking(index);
            };
            for names in names.chunks(BATCH_EVENTS) {
                self.owners.check_in_time(&mut self.servers)?;
                if !self.owners.owns(origin) {
                    return Ok(());
                }
                let items: Vec<Item<'_>> = names
                    .iter()
                    .map(|name| Item {
                        number: 0,
                        name: name.clone(),
                        value: None,
                    })
                    .collect();
                self.servers.store(&items, Some(&[index]), None)?;
            }
            if names.len() < LEFTOVERS {
                return Ok(());
            }
        }
    }

    /// The names of an origin that a server holds and that are no record's; `None`: it does not
    /// tell.
    fn leftovers(
        &self,
        reader: &Reader,
        origin: &str,
        index: usize,
        shortened: &HashSet<String>,
    ) -> Result<Option<Vec<String>>, StepError> {
        let failed = |error| unlisted(error, self.servers.address(index));
        let Some(endpoint) = self.servers.endpoint(index) else {
            return Ok(None);
        };
        let mut items = match metadump::list(endpoint).map_err(failed)? {
            Listing::Items(items) => items,
            Listing::None(_) => return Ok(None),
        };
        let prefix = self.config.key.origin_prefix(origin);
        let mut names = Vec::new();
        while names.len() < LEFTOVERS {
            let Some(item) = items.next().map_err(failed)? else {
                break;
            };
            let Named::Text(name) = item else { continue };
            // One on another server than its own no client asks for; `idb-relay verify` names it.
            if self.servers.home(&name) != index {
                continue;
            }
            let is_leftover = match self.config.key.read(&name) {
                Some(record) if record.origin == origin => {
                    let place = Place {
                        origin: record.origin,
                        bucket: record.bucket,
                        database: record.database,
                        store: record.store,
                    };
                    match reader.store_of(&place)? {
                        Some(store) => reader.record(store, &record.key)?.is_none(),
                        None => true,
                    }
                }
                Some(_) => false,
                // A name that was cut within the origin may be another one's.
                None => {
                    is_shortened(&name)
                        && prefix.as_ref().is_some_and(|prefix| prefix.begins(&name))
                        && !shortened.contains(&name)
                }
            };
            if is_leftover {
                names.push(name);
            }
        }
        Ok(Some(names))
    }

    /// The names of an origin's records that had to be shortened: such a name does not reveal its
    /// record.
    fn shortened(&self, reader: &Reader, origin: &str) -> Result<HashSet<String>, StepError> {
        let mut names = HashSet::new();
        for store in reader.stores()? {
            if store.place.origin == origin {
                reader.each_key(store.id, |key| {
                    let name = self.config.key.record_name(store.place.names(), key);
                    if is_shortened(&name) {
                        names.insert(name);
                    }
                })?;
            }
        }
        Ok(names)
    }
}

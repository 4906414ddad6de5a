//! The object stores that the journal has met, remembered by name.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, params};

mod list;
mod state;

use self::state::{add, load, losses};
pub(super) use self::{
    list::StoreOfDatabase,
    state::{IS_COMPLETE, Store},
};
use super::place::Place;

/// The version of a store whose database was deleted, until a commit or a read names another one.
/// The next deletion leaves it alone, so a commit that comes late meets the stamp of its origin's
/// store list, as that of a store that is not known.
pub(super) const DELETED: u64 = 0;

/// Stores by place, read from the table when first met.
#[derive(Default)]
pub(super) struct Stores {
    known: HashMap<Place, Store>,
    /// How many bytes the rows take that were added since the last reset.
    added: u64,
    /// How many those of an origin take, where that is known. Those that were forgotten since may
    /// be among them.
    of_origins: HashMap<String, u64>,
}

/// What a row takes beside its names, which are in the index, too.
const ROW: u64 = 128;

impl Stores {
    /// How many are remembered.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// The store at this place, made known if it was not; its database's version is noted.
    pub(super) fn get(
        &mut self,
        connection: &Connection,
        place: &Place,
        version: u64,
    ) -> rusqlite::Result<&mut Store> {
        // Not the entry interface: it would clone four names for every lookup that hits.
        if !self.known.contains_key(place) {
            let store = if let Some(store) = load(connection, place)? {
                store
            } else {
                let names = [&place.origin, &place.bucket, &place.database, &place.store];
                let row = ROW + 2 * names.map(|name| name.len() as u64).iter().sum::<u64>();
                self.added += row;
                if let Some(bytes) = self.of_origins.get_mut(&place.origin) {
                    *bytes += row;
                }
                let losses = losses(connection, &place.origin)?;
                add(connection, names, version, losses)?
            };
            self.known.insert(place.clone(), store);
        }
        let store = self
            .known
            .get_mut(place)
            .ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        if store.version != version {
            connection
                .prepare_cached("UPDATE store SET version = ?2 WHERE id = ?1")?
                .execute(params![store.id, version])?;
            store.version = version;
        }
        Ok(store)
    }

    /// How many bytes the rows take that were added since the last reset.
    pub(super) fn added(&self) -> u64 {
        self.added
    }

    /// How many bytes the rows of an origin's stores take, also of those that are gone.
    pub(super) fn bytes_of(&mut self, connection: &Connection, origin: &str) -> rusqlite::Result<u64> {
        if let Some(bytes) = self.of_origins.get(origin) {
            return Ok(*bytes);
        }
        let bytes = connection
            .prepare_cached(
                "SELECT coalesce(sum(?2 + 2 * (octet_length(origin) + octet_length(bucket) + octet_length(database) + octet_length(name))), 0)
                 FROM store WHERE origin = ?1",
            )?
            .query_row(params![origin, ROW], |row| row.get(0))?;
        self.of_origins.insert(origin.to_owned(), bytes);
        Ok(bytes)
    }

    /// Counts from nought what is added.
    pub(super) fn reset_added(&mut self) {
        self.added = 0;
    }

    /// The database version noted for a place; none for one that is not known, or gone.
    pub(super) fn version(&self, connection: &Connection, place: &Place) -> rusqlite::Result<Option<u64>> {
        if let Some(store) = self.known.get(place) {
            return Ok(Some(store.version).filter(|_| !store.is_gone()));
        }
        connection
            .prepare_cached(
                "SELECT version FROM store WHERE origin = ?1 AND bucket = ?2 AND database = ?3 AND name = ?4 AND gone = 0",
            )?
            .query_row(
                [&place.origin, &place.bucket, &place.database, &place.store],
                |row| row.get(0),
            )
            .optional()
    }

    /// Something of this origin was lost before this time: what the mirror has, and lacks, is known
    /// no longer. Returns the stores that are remembered. Their rows stay as they are, for there
    /// may be many.
    pub(super) fn invalidate_origin(
        &mut self,
        connection: &Connection,
        origin: &str,
        lapsed_at: i64,
    ) -> rusqlite::Result<Vec<i64>> {
        connection
            .prepare_cached(
                "INSERT INTO loss (origin, number, lapsed_at) VALUES (?1, 1, ?2)
                 ON CONFLICT DO UPDATE SET number = number + 1, lapsed_at = max(lapsed_at, ?2)",
            )?
            .execute(params![origin, lapsed_at])?;
        let losses = losses(connection, origin)?;
        let known = self.known.iter_mut().filter(|(place, _)| place.origin == origin);
        Ok(known
            .map(|(_, store)| {
                store.complete = false;
                store.note_losses(losses);
                store.id
            })
            .collect())
    }

    /// The table was written: this store is read from it again when it is met next.
    pub(super) fn forget(&mut self, store: i64) {
        self.known.retain(|_, known| known.id != store);
    }
}

//! The object stores that the journal has met, remembered by name.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, params};

/// Where a store is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Serialised origin.
    pub origin: String,
    /// Storage bucket; empty for the default one.
    pub bucket: String,
    /// The database's name.
    pub database: String,
    /// The object store's name.
    pub store: String,
}

impl Place {
    /// For the templates of [`protocol::name`].
    pub fn names(&self) -> protocol::name::Names<'_> {
        protocol::name::Names {
            origin: &self.origin,
            bucket: &self.bucket,
            database: &self.database,
            store: &self.store,
        }
    }
}

/// Single records are asked for ([`settle`](super::settle)).
pub(super) const RECORDS: u8 = 1;
/// All of it: nobody knows which records are missing ([`reread`](super::reread)).
pub(super) const WHOLE: u8 = 2;

/// What the journal knows of a store.
#[derive(Debug, Clone)]
pub(super) struct Store {
    pub id: i64,
    /// The database's version.
    pub version: u64,
    /// The mirror has every record.
    pub complete: bool,
    /// What of it is to be read again: some of [`RECORDS`] and [`WHOLE`].
    doubts: u8,
    /// Who last deleted a stretch of it, and when.
    pub swept_by: i64,
    pub swept_at: i64,
}

/// Stores by place, read from the table when first met.
#[derive(Default)]
pub(super) struct Stores {
    known: HashMap<Place, Store>,
}

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
            let store = load(connection, place, version)?;
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

    /// The database version noted for a place; 0 for one that is not known.
    pub(super) fn version(&self, connection: &Connection, place: &Place) -> rusqlite::Result<u64> {
        if let Some(store) = self.known.get(place) {
            return Ok(store.version);
        }
        let version = connection
            .prepare_cached(
                "SELECT version FROM store WHERE origin = ?1 AND bucket = ?2 AND database = ?3 AND name = ?4",
            )?
            .query_row(
                [&place.origin, &place.bucket, &place.database, &place.store],
                |row| row.get(0),
            )
            .optional()?;
        Ok(version.unwrap_or(0))
    }

    /// The mirror may lack records of this origin: a key without a row is no longer known to be absent. Returns the stores.
    pub(super) fn doubt_absence(
        &mut self,
        connection: &Connection,
        origin: &str,
    ) -> rusqlite::Result<Vec<i64>> {
        connection
            .prepare_cached("UPDATE store SET complete = 0 WHERE origin = ?1")?
            .execute([origin])?;
        let known = self.known.iter_mut().filter(|(place, _)| place.origin == origin);
        Ok(known
            .map(|(_, store)| {
                store.complete = false;
                store.id
            })
            .collect())
    }

    /// The buckets of an origin that the table knows, without the default one.
    pub(super) fn named_buckets(connection: &Connection, origin: &str) -> rusqlite::Result<Vec<String>> {
        connection
            .prepare_cached("SELECT DISTINCT bucket FROM store WHERE origin = ?1 AND bucket <> ''")?
            .query_map([origin], |row| row.get(0))?
            .collect()
    }

    /// The places of an origin's bucket that the table knows, with their versions.
    pub(super) fn of_bucket(
        connection: &Connection,
        origin: &str,
        bucket: &str,
    ) -> rusqlite::Result<Vec<(Place, u64)>> {
        connection
            .prepare_cached(
                "SELECT database, name, version FROM store WHERE origin = ?1 AND bucket = ?2 ORDER BY id",
            )?
            .query_map([origin, bucket], |row| {
                let place = Place {
                    origin: origin.to_owned(),
                    bucket: bucket.to_owned(),
                    database: row.get(0)?,
                    store: row.get(1)?,
                };
                Ok((place, row.get(2)?))
            })?
            .collect()
    }
}

impl Store {
    pub(super) fn set_complete(&mut self, connection: &Connection, complete: bool) -> rusqlite::Result<()> {
        if self.complete != complete {
            connection
                .prepare_cached("UPDATE store SET complete = ?2 WHERE id = ?1")?
                .execute(params![self.id, complete])?;
            self.complete = complete;
        }
        Ok(())
    }

    /// Something of it is to be read again.
    pub(super) fn doubt(&mut self, connection: &Connection, what: u8) -> rusqlite::Result<()> {
        self.set_doubts(connection, self.doubts | what)
    }

    /// It was read.
    pub(super) fn trust(&mut self, connection: &Connection, what: u8) -> rusqlite::Result<()> {
        self.set_doubts(connection, self.doubts & !what)
    }

    fn set_doubts(&mut self, connection: &Connection, doubts: u8) -> rusqlite::Result<()> {
        if self.doubts != doubts {
            connection
                .prepare_cached("UPDATE store SET doubtful = ?2 WHERE id = ?1")?
                .execute(params![self.id, doubts])?;
            self.doubts = doubts;
        }
        Ok(())
    }

    pub(super) fn set_swept(&mut self, connection: &Connection, by: i64, at: i64) -> rusqlite::Result<()> {
        connection
            .prepare_cached("UPDATE store SET swept_by = ?2, swept_at = ?3 WHERE id = ?1")?
            .execute(params![self.id, by, at])?;
        (self.swept_by, self.swept_at) = (by, at);
        Ok(())
    }
}

fn load(connection: &Connection, place: &Place, version: u64) -> rusqlite::Result<Store> {
    let names = [&place.origin, &place.bucket, &place.database, &place.store];
    let found = connection
        .prepare_cached(
            "SELECT id, version, complete, doubtful, swept_by, swept_at FROM store
             WHERE origin = ?1 AND bucket = ?2 AND database = ?3 AND name = ?4",
        )?
        .query_row(names, |row| {
            Ok(Store {
                id: row.get(0)?,
                version: row.get(1)?,
                complete: row.get(2)?,
                doubts: row.get(3)?,
                swept_by: row.get(4)?,
                swept_at: row.get(5)?,
            })
        })
        .optional()?;
    if let Some(store) = found {
        return Ok(store);
    }
    connection
        .prepare_cached(
            "INSERT INTO store (origin, bucket, database, name, version) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![names[0], names[1], names[2], names[3], version])?;
    Ok(Store {
        id: connection.last_insert_rowid(),
        version,
        complete: false,
        doubts: 0,
        swept_by: 0,
        swept_at: 0,
    })
}

//! The object stores that the journal has met, remembered by name.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    look::Looks,
    order::{Reading, When, Word},
};
use crate::timing::journal::UNSEEN_MS;

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
/// All of it: the host does not know which records are missing ([`reread`](super::reread)).
pub(super) const WHOLE: u8 = 2;

/// What the journal knows of a store.
#[derive(Debug, Clone)]
pub(super) struct Store {
    pub id: i64,
    /// The database's version.
    pub version: u64,
    /// The store was read as a whole, and nothing that was told since is missing.
    pub complete: bool,
    /// Something of it may have been lost before this time, in milliseconds: a loss that was
    /// noticed, or a start of the host.
    lapsed_at: i64,
    /// When a whole-store read found a change that no commit had told of; 0: none has for long.
    unseen_at: i64,
    /// A store list lacks it: as if it had never been known. The number up to which events may be
    /// about it; 0: it is there.
    gone: u64,
    /// What of it is to be read again: some of [`RECORDS`] and [`WHOLE`].
    doubts: u8,
    /// A read that began before this time, in milliseconds, does not end the doubt about records.
    contested_at: i64,
    /// The same for the doubt about all of it.
    doubted_at: i64,
    /// Who last deleted a stretch of it, and when.
    pub swept: Word,
    /// Who has read it.
    pub looks: Looks,
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

    /// The database version noted for a place; none for one that is not known, or gone.
    pub(super) fn version(&self, connection: &Connection, place: &Place) -> rusqlite::Result<Option<u64>> {
        if let Some(store) = self.known.get(place) {
            return Ok(Some(store.version).filter(|_| store.gone == 0));
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
    /// no longer. Returns the stores.
    pub(super) fn doubt_all(
        &mut self,
        connection: &Connection,
        origin: &str,
        lapsed_at: i64,
    ) -> rusqlite::Result<Vec<i64>> {
        connection
            .prepare_cached(
                "UPDATE store SET complete = 0, lapsed_at = max(lapsed_at, ?2) WHERE origin = ?1",
            )?
            .execute(params![origin, lapsed_at])?;
        let known = self.known.iter_mut().filter(|(place, _)| place.origin == origin);
        Ok(known
            .map(|(_, store)| {
                store.complete = false;
                store.lapsed_at = store.lapsed_at.max(lapsed_at);
                store.id
            })
            .collect())
    }

    /// The buckets of an origin that the table knows, without the default one.
    pub(super) fn named_buckets(connection: &Connection, origin: &str) -> rusqlite::Result<Vec<String>> {
        connection
            .prepare_cached(
                "SELECT DISTINCT bucket FROM store WHERE origin = ?1 AND bucket <> '' AND gone = 0",
            )?
            .query_map([origin], |row| row.get(0))?
            .collect()
    }

    /// All stores of an origin that the table knows and that are there, with their rows.
    pub(super) fn of_origin(connection: &Connection, origin: &str) -> rusqlite::Result<Vec<(Place, i64)>> {
        connection
            .prepare_cached("SELECT bucket, database, name, id FROM store WHERE origin = ?1 AND gone = 0")?
            .query_map([origin], |row| {
                let place = Place {
                    origin: origin.to_owned(),
                    bucket: row.get(0)?,
                    database: row.get(1)?,
                    store: row.get(2)?,
                };
                Ok((place, row.get(3)?))
            })?
            .collect()
    }

    /// The places of an origin's bucket that the table knows and that are there, with their
    /// versions.
    pub(super) fn of_bucket(
        connection: &Connection,
        origin: &str,
        bucket: &str,
    ) -> rusqlite::Result<Vec<(Place, u64)>> {
        connection
            .prepare_cached(
                "SELECT database, name, version FROM store WHERE origin = ?1 AND bucket = ?2 AND gone = 0 ORDER BY id",
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
    /// Says whether the mirror has every record that the last read as a whole has found, and those
    /// that were told since.
    pub(super) fn set_complete(&mut self, connection: &Connection, complete: bool) -> rusqlite::Result<()> {
        if self.complete != complete {
            connection
                .prepare_cached("UPDATE store SET complete = ?2 WHERE id = ?1")?
                .execute(params![self.id, complete])?;
            self.complete = complete;
        }
        Ok(())
    }

    /// Records of it are to be read again, after this time.
    pub(super) fn doubt_records(&mut self, connection: &Connection, after: i64) -> rusqlite::Result<()> {
        let contested_at = self.contested_at.max(after);
        self.set_doubts(connection, self.doubts | RECORDS, contested_at, self.doubted_at)
    }

    /// All of it is to be read again, after this time.
    pub(super) fn doubt_whole(&mut self, connection: &Connection, after: i64) -> rusqlite::Result<()> {
        let doubted_at = self.doubted_at.max(after);
        if self.lapsed_at < after {
            connection
                .prepare_cached("UPDATE store SET lapsed_at = ?2 WHERE id = ?1")?
                .execute([self.id, after])?;
            self.lapsed_at = after;
        }
        self.set_doubts(connection, self.doubts | WHOLE, self.contested_at, doubted_at)
    }

    /// Whether the mirror's row with this stamp is what the record holds, as far as anyone has
    /// told.
    pub(super) fn knows(&self, last: Word) -> bool {
        self.unseen_at == 0 && (self.complete || last.began >= self.lapsed_at)
    }

    /// Whether a record without a row in the mirror is known not to be there: with a writer that is
    /// not seen that is never known.
    pub(super) fn knows_all(&self) -> bool {
        self.unseen_at == 0 && self.complete
    }

    /// A whole-store read at this time differs from the mirror. If the mirror was complete, it has
    /// a writer that is not seen; whether it has.
    pub(super) fn find_unseen(&mut self, connection: &Connection, read_at: i64) -> rusqlite::Result<bool> {
        let is_written_unseen = self.complete || self.unseen_at != 0;
        if is_written_unseen {
            self.set_unseen(connection, self.unseen_at.max(read_at))?;
        }
        Ok(is_written_unseen)
    }

    /// A whole-store read that began at this time is over. If it found no such change, and none was
    /// found for a while, there is no such writer any more. Comparisons follow each other within
    /// seconds: a single one says nothing.
    pub(super) fn end_whole_read(&mut self, connection: &Connection, began_at: i64) -> rusqlite::Result<()> {
        if self.unseen_at != 0 && self.unseen_at.saturating_add(UNSEEN_MS) < began_at {
            self.set_unseen(connection, 0)?;
        }
        Ok(())
    }

    /// The store is gone: a change that was not told says nothing of its successor.
    pub(super) fn forget_unseen(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.set_unseen(connection, 0)
    }

    fn set_unseen(&mut self, connection: &Connection, unseen_at: i64) -> rusqlite::Result<()> {
        if self.unseen_at != unseen_at {
            connection
                .prepare_cached("UPDATE store SET unseen_at = ?2 WHERE id = ?1")?
                .execute([self.id, unseen_at])?;
            self.unseen_at = unseen_at;
        }
        Ok(())
    }

    /// The host does not know which records the mirror lacks.
    pub(super) fn lacks_records(&self) -> bool {
        self.doubts & WHOLE != 0
    }

    /// The records that were in doubt were read, one by one.
    pub(super) fn trust_records(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.set_doubts(
            connection,
            self.doubts & !RECORDS,
            self.contested_at,
            self.doubted_at,
        )
    }

    /// All of it was read, from this time on. That ends the doubts that were there before, about
    /// records too if none of them waits to be read by itself.
    pub(super) fn trust(
        &mut self,
        connection: &Connection,
        began_at: i64,
        records: bool,
    ) -> rusqlite::Result<()> {
        let mut doubts = self.doubts;
        if began_at >= self.doubted_at {
            doubts &= !WHOLE;
        }
        if records && began_at >= self.contested_at {
            doubts &= !RECORDS;
        }
        self.set_doubts(connection, doubts, self.contested_at, self.doubted_at)
    }

    fn set_doubts(
        &mut self,
        connection: &Connection,
        doubts: u8,
        contested_at: i64,
        doubted_at: i64,
    ) -> rusqlite::Result<()> {
        if (self.doubts, self.contested_at, self.doubted_at) != (doubts, contested_at, doubted_at) {
            connection
                .prepare_cached(
                    "UPDATE store SET doubtful = ?2, contested_at = ?3, doubted_at = ?4 WHERE id = ?1",
                )?
                .execute(params![self.id, doubts, contested_at, doubted_at])?;
            (self.doubts, self.contested_at, self.doubted_at) = (doubts, contested_at, doubted_at);
        }
        Ok(())
    }

    /// A store list lacks it, and nothing of it waits to be read: from now on it is as if it had
    /// never been known. No event after this number is about it.
    pub(super) fn forget(&mut self, connection: &Connection, head: u64) -> rusqlite::Result<()> {
        if self.doubts == 0 {
            self.set_gone(connection, head.max(1))?;
        }
        Ok(())
    }

    /// Something was told of it. `last` is what was said last of all stores that are not known.
    pub(super) fn meet(&mut self, connection: &Connection, last: Option<Word>) -> rusqlite::Result<()> {
        self.set_gone(connection, 0)?;
        match last {
            Some(last) if last.began > self.swept.began => self.set_swept(connection, last),
            _ => Ok(()),
        }
    }

    fn set_gone(&mut self, connection: &Connection, gone: u64) -> rusqlite::Result<()> {
        if self.gone != gone {
            connection
                .prepare_cached("UPDATE store SET gone = ?2 WHERE id = ?1")?
                .execute(params![self.id, gone])?;
            self.gone = gone;
        }
        Ok(())
    }

    /// A stretch of it was deleted.
    pub(super) fn sweep(&mut self, connection: &Connection, when: When) -> rusqlite::Result<()> {
        self.set_swept(connection, when.after(self.swept))
    }

    fn set_swept(&mut self, connection: &Connection, swept: Word) -> rusqlite::Result<()> {
        connection
            .prepare_cached("UPDATE store SET swept_by = ?2, swept_began = ?3, swept_at = ?4 WHERE id = ?1")?
            .execute(params![self.id, swept.by, swept.began, swept.at])?;
        self.swept = swept;
        Ok(())
    }

    /// A stretch of a whole-store read has come, which has seen the keys in front of this one.
    pub(super) fn look(
        &mut self,
        connection: &Connection,
        reading: Reading,
        until: Vec<u8>,
    ) -> rusqlite::Result<()> {
        self.looks.add(connection, self.id, reading, until)
    }
}

fn load(connection: &Connection, place: &Place, version: u64) -> rusqlite::Result<Store> {
    let names = [&place.origin, &place.bucket, &place.database, &place.store];
    let found = connection
        .prepare_cached(
            "SELECT id, version, complete, doubtful, contested_at, doubted_at, swept_by, swept_began, swept_at,
                lapsed_at, unseen_at, gone
             FROM store
             WHERE origin = ?1 AND bucket = ?2 AND database = ?3 AND name = ?4",
        )?
        .query_row(names, |row| {
            Ok(Store {
                id: row.get(0)?,
                version: row.get(1)?,
                complete: row.get(2)?,
                doubts: row.get(3)?,
                contested_at: row.get(4)?,
                doubted_at: row.get(5)?,
                swept: Word {
                    by: row.get(6)?,
                    began: row.get(7)?,
                    at: row.get(8)?,
                },
                lapsed_at: row.get(9)?,
                unseen_at: row.get(10)?,
                gone: row.get(11)?,
                looks: Looks::default(),
            })
        })
        .optional()?;
    if let Some(mut store) = found {
        store.looks = Looks::load(connection, store.id)?;
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
        lapsed_at: 0,
        unseen_at: 0,
        gone: 0,
        doubts: 0,
        contested_at: 0,
        doubted_at: 0,
        swept: Word::default(),
        looks: Looks::default(),
    })
}

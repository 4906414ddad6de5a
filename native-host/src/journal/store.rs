//! The object stores that the journal has met, remembered by name.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    conflict::{
        RECORDS, WHOLE,
        read_mark::ReadMarks,
        stamp::{CommitSpan, NO_CONTEXT, ReadSpan, Stamp},
    },
    place::Place,
};
use crate::timing::journal::UNSEEN_MS;

/// The version of a store whose database was deleted, until a commit or a read names another one.
/// The next deletion leaves it alone, so a commit that comes late meets the stamp of its origin's
/// store list, as that of a store that is not known.
pub(super) const DELETED: u64 = 0;

/// Whether a row of a store says that it is complete.
pub(super) const IS_COMPLETE: &str =
    "(complete = 1 + coalesce((SELECT number FROM loss WHERE loss.origin = store.origin), 0))";

/// What an origin has lost.
#[derive(Debug, Clone, Copy, Default)]
struct Losses {
    /// How often.
    number: u64,
    /// The last time was before this one, in milliseconds.
    lapsed_at: i64,
}

/// What the journal knows of a store.
#[derive(Debug, Clone)]
pub(super) struct Store {
    pub id: i64,
    /// The database's version.
    pub version: u64,
    /// The store was read as a whole, and nothing that was told since is missing.
    pub complete: bool,
    /// How often its origin has lost something.
    losses: u64,
    /// Something of it may have been lost before this time, in milliseconds: a loss that was
    /// noticed, or a start of the host.
    lapsed_at: i64,
    /// When a whole-store read found a change without a commit; 0: none has for long.
    unseen_writer_at: i64,
    /// A store list lacks it: as if it had never been known. The number up to which events may be
    /// about it; 0: it is there.
    gone: u64,
    /// What of it is to be read again: some of [`RECORDS`] and [`WHOLE`].
    pending_reads: u8,
    /// A read of records that began before this time, in milliseconds, does not suffice.
    records_pending_since: i64,
    /// The same for a read of all of it.
    resync_pending_since: i64,
    /// The stamp of the last range delete.
    pub range_deleted: Stamp,
    /// Who has read it.
    pub read_marks: ReadMarks,
}

/// A store of a database that is deleted.
pub(super) struct StoreOfDatabase {
    pub place: Place,
    pub version: u64,
    /// Whether the mirror has a record of it.
    pub has_records: bool,
    range_deleted: Stamp,
}

impl StoreOfDatabase {
    /// Whether it has no records, and a stamp of its end that this commit would leave as it is.
    pub(super) fn is_deleted_by(&self, when: CommitSpan) -> bool {
        !self.has_records && when.combine_with(self.range_deleted) == self.range_deleted
    }
}

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
                store.losses = losses.number;
                store.lapsed_at = store.lapsed_at.max(losses.lapsed_at);
                store.id
            })
            .collect())
    }

    /// The table was written: this store is read from it again when it is met next.
    pub(super) fn forget(&mut self, store: i64) {
        self.known.retain(|_, known| known.id != store);
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

    /// The stores of a database that the table knows and that are there; not those of which nothing
    /// was written or read since their database was deleted ([`DELETED`]).
    pub(super) fn of_database(
        connection: &Connection,
        origin: &str,
        bucket: &str,
        database: &str,
    ) -> rusqlite::Result<Vec<StoreOfDatabase>> {
        connection
            .prepare_cached(
                "SELECT name, version, range_deleted_by, range_deleted_began, range_deleted_at,
                    EXISTS (SELECT 1 FROM record WHERE store = id AND value IS NOT NULL)
                 FROM store WHERE origin = ?1 AND bucket = ?2 AND database = ?3 AND gone = 0
                    AND version <> ?4 ORDER BY id",
            )?
            .query_map(params![origin, bucket, database, DELETED], |row| {
                let place = Place {
                    origin: origin.to_owned(),
                    bucket: bucket.to_owned(),
                    database: database.to_owned(),
                    store: row.get(0)?,
                };
                Ok(StoreOfDatabase {
                    place,
                    version: row.get(1)?,
                    range_deleted: Stamp {
                        by: row.get(2)?,
                        began: row.get(3)?,
                        at: row.get(4)?,
                    },
                    has_records: row.get(5)?,
                })
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
                .execute(params![self.id, if complete { 1 + self.losses } else { 0 }])?;
            self.complete = complete;
        }
        Ok(())
    }

    /// Records of it are to be read again, after this time.
    pub(super) fn request_records(&mut self, connection: &Connection, after: i64) -> rusqlite::Result<()> {
        let records_pending_since = self.records_pending_since.max(after);
        self.set_pending_reads(
            connection,
            self.pending_reads | RECORDS,
            records_pending_since,
            self.resync_pending_since,
        )
    }

    /// All of it is to be read again, after this time.
    pub(super) fn request_resync(&mut self, connection: &Connection, after: i64) -> rusqlite::Result<()> {
        let resync_pending_since = self.resync_pending_since.max(after);
        self.set_lapsed(connection, after)?;
        self.set_pending_reads(
            connection,
            self.pending_reads | WHOLE,
            self.records_pending_since,
            resync_pending_since,
        )
    }

    /// Whether the mirror's row with this stamp is what the record holds, as far as anyone has
    /// told.
    pub(super) fn knows(&self, last: Stamp) -> bool {
        self.unseen_writer_at == 0 && (self.complete || last.began >= self.lapsed_at)
    }

    /// Whether a record without a row in the mirror is known not to be there: with a writer that is
    /// not seen that is never known.
    pub(super) fn knows_all(&self) -> bool {
        self.unseen_writer_at == 0 && self.complete
    }

    /// A whole-store read at this time differs from the mirror. If the mirror was complete, it has
    /// a writer that is not seen; whether it has.
    pub(super) fn note_unseen_writer(
        &mut self,
        connection: &Connection,
        read_at: i64,
    ) -> rusqlite::Result<bool> {
        let is_written_unseen = self.complete || self.unseen_writer_at != 0;
        if is_written_unseen {
            self.set_unseen_writer(connection, self.unseen_writer_at.max(read_at))?;
        }
        Ok(is_written_unseen)
    }

    /// A whole-store read that began at this time is over. If it found no such change, and none was
    /// found for a while, there is no such writer any more. Comparisons follow each other within
    /// seconds: a single one says nothing.
    pub(super) fn end_whole_read(&mut self, connection: &Connection, began_at: i64) -> rusqlite::Result<()> {
        if self.unseen_writer_at != 0 && self.unseen_writer_at.saturating_add(UNSEEN_MS) < began_at {
            self.set_unseen_writer(connection, 0)?;
        }
        Ok(())
    }

    /// The store is gone: an unseen writer of it says nothing of its successor.
    pub(super) fn clear_unseen_writer(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.set_unseen_writer(connection, 0)
    }

    /// When an unseen writer was found last; 0: there is none.
    pub(super) fn unseen_writer_at(&self) -> i64 {
        self.unseen_writer_at
    }

    /// Until when what it has may hold something else than the mirror says, if any of it may.
    pub(super) fn lapsed_at(&self) -> Option<i64> {
        let may_have_lapsed = !self.knows_all() && (self.unseen_writer_at != 0 || self.lapsed_at != 0);
        may_have_lapsed.then_some(self.lapsed_at)
    }

    /// It gets the records of a store of which not everything was known: nothing of it is known
    /// but what is written after this time, and the unseen writer is its own now.
    pub(super) fn distrust(
        &mut self,
        connection: &Connection,
        lapsed_at: i64,
        unseen_writer_at: i64,
    ) -> rusqlite::Result<()> {
        self.set_complete(connection, false)?;
        self.set_unseen_writer(connection, self.unseen_writer_at.max(unseen_writer_at))?;
        self.set_lapsed(connection, lapsed_at)
    }

    fn set_lapsed(&mut self, connection: &Connection, lapsed_at: i64) -> rusqlite::Result<()> {
        if self.lapsed_at < lapsed_at {
            connection
                .prepare_cached("UPDATE store SET lapsed_at = ?2 WHERE id = ?1")?
                .execute([self.id, lapsed_at])?;
            self.lapsed_at = lapsed_at;
        }
        Ok(())
    }

    fn set_unseen_writer(&mut self, connection: &Connection, unseen_writer_at: i64) -> rusqlite::Result<()> {
        if self.unseen_writer_at != unseen_writer_at {
            connection
                .prepare_cached("UPDATE store SET unseen_writer_at = ?2 WHERE id = ?1")?
                .execute([self.id, unseen_writer_at])?;
            self.unseen_writer_at = unseen_writer_at;
        }
        Ok(())
    }

    /// The host does not know which records the mirror lacks.
    pub(super) fn lacks_records(&self) -> bool {
        self.pending_reads & WHOLE != 0
    }

    /// The records that were in conflict were read, one by one.
    pub(super) fn finish_record_reads(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.set_pending_reads(
            connection,
            self.pending_reads & !RECORDS,
            self.records_pending_since,
            self.resync_pending_since,
        )
    }

    /// All of it was read, from this time on. That ends the reads that were pending before, of
    /// records too if none of them waits to be read by itself.
    pub(super) fn finish_resync(
        &mut self,
        connection: &Connection,
        began_at: i64,
        records: bool,
    ) -> rusqlite::Result<()> {
        let mut doubts = self.pending_reads;
        if began_at >= self.resync_pending_since {
            doubts &= !WHOLE;
        }
        if records && began_at >= self.records_pending_since {
            doubts &= !RECORDS;
        }
        self.set_pending_reads(
            connection,
            doubts,
            self.records_pending_since,
            self.resync_pending_since,
        )
    }

    fn set_pending_reads(
        &mut self,
        connection: &Connection,
        doubts: u8,
        records_pending_since: i64,
        resync_pending_since: i64,
    ) -> rusqlite::Result<()> {
        if (
            self.pending_reads,
            self.records_pending_since,
            self.resync_pending_since,
        ) != (doubts, records_pending_since, resync_pending_since)
        {
            connection
                .prepare_cached(
                    "UPDATE store SET pending_reads = ?2, records_pending_since = ?3, resync_pending_since = ?4 WHERE id = ?1",
                )?
                .execute(params![self.id, doubts, records_pending_since, resync_pending_since])?;
            (
                self.pending_reads,
                self.records_pending_since,
                self.resync_pending_since,
            ) = (doubts, records_pending_since, resync_pending_since);
        }
        Ok(())
    }

    /// A store list lacks it, and nothing of it waits to be read: from now on it is as if it had
    /// never been known. No event after this number is about it.
    pub(super) fn forget(&mut self, connection: &Connection, head: u64) -> rusqlite::Result<()> {
        if self.pending_reads == 0 {
            self.set_gone(connection, head.max(1))?;
        }
        Ok(())
    }

    /// A commit or a read concerns it. `last` is the stamp of all stores that are not known.
    pub(super) fn rediscover(
        &mut self,
        connection: &Connection,
        last: Option<Stamp>,
    ) -> rusqlite::Result<()> {
        self.set_gone(connection, 0)?;
        match last {
            Some(last) if last.began > self.range_deleted.began => {
                self.set_range_delete_stamp(connection, last)
            }
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

    /// A range of it was deleted by this commit.
    pub(super) fn stamp_range_delete(
        &mut self,
        connection: &Connection,
        when: CommitSpan,
    ) -> rusqlite::Result<()> {
        self.set_range_delete_stamp(connection, when.combine_with(self.range_deleted))
    }

    /// Tombstones with this last stamp are forgotten: from now on the stamp of the store is no
    /// earlier, and of no document.
    pub(super) fn stamp_forgotten(&mut self, connection: &Connection, last: Stamp) -> rusqlite::Result<()> {
        let stamp = Stamp {
            by: NO_CONTEXT,
            began: self.range_deleted.began.max(last.began),
            at: self.range_deleted.at.max(last.at),
        };
        self.set_range_delete_stamp(connection, stamp)
    }

    fn set_range_delete_stamp(&mut self, connection: &Connection, swept: Stamp) -> rusqlite::Result<()> {
        connection
            .prepare_cached("UPDATE store SET range_deleted_by = ?2, range_deleted_began = ?3, range_deleted_at = ?4 WHERE id = ?1")?
            .execute(params![self.id, swept.by, swept.began, swept.at])?;
        self.range_deleted = swept;
        Ok(())
    }

    /// A chunk of a whole-store read has arrived, which has seen the keys before this one.
    pub(super) fn add_read_mark(
        &mut self,
        connection: &Connection,
        reading: ReadSpan,
        until: Vec<u8>,
    ) -> rusqlite::Result<()> {
        self.read_marks.add(connection, self.id, reading, until)
    }
}

fn load(connection: &Connection, place: &Place) -> rusqlite::Result<Option<Store>> {
    let names = [&place.origin, &place.bucket, &place.database, &place.store];
    let found = connection
        .prepare_cached(&format!(
            "SELECT id, version, {IS_COMPLETE}, pending_reads, records_pending_since, resync_pending_since, range_deleted_by, range_deleted_began, range_deleted_at,
                lapsed_at, unseen_writer_at, gone
             FROM store
             WHERE origin = ?1 AND bucket = ?2 AND database = ?3 AND name = ?4"
        ))?
        .query_row(names, |row| {
            Ok(Store {
                losses: 0,
                id: row.get(0)?,
                version: row.get(1)?,
                complete: row.get(2)?,
                pending_reads: row.get(3)?,
                records_pending_since: row.get(4)?,
                resync_pending_since: row.get(5)?,
                range_deleted: Stamp {
                    by: row.get(6)?,
                    began: row.get(7)?,
                    at: row.get(8)?,
                },
                lapsed_at: row.get(9)?,
                unseen_writer_at: row.get(10)?,
                gone: row.get(11)?,
                read_marks: ReadMarks::default(),
            })
        })
        .optional()?;
    let Some(mut store) = found else { return Ok(None) };
    store.read_marks = ReadMarks::load(connection, store.id)?;
    let losses = losses(connection, &place.origin)?;
    store.losses = losses.number;
    store.lapsed_at = store.lapsed_at.max(losses.lapsed_at);
    Ok(Some(store))
}

fn losses(connection: &Connection, origin: &str) -> rusqlite::Result<Losses> {
    let found = connection
        .prepare_cached("SELECT number, lapsed_at FROM loss WHERE origin = ?1")?
        .query_row([origin], |row| {
            Ok(Losses {
                number: row.get(0)?,
                lapsed_at: row.get(1)?,
            })
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

fn add(
    connection: &Connection,
    names: [&String; 4],
    version: u64,
    losses: Losses,
) -> rusqlite::Result<Store> {
    connection
        .prepare_cached(
            "INSERT INTO store (origin, bucket, database, name, version) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![names[0], names[1], names[2], names[3], version])?;
    Ok(Store {
        id: connection.last_insert_rowid(),
        version,
        complete: false,
        losses: losses.number,
        lapsed_at: losses.lapsed_at,
        unseen_writer_at: 0,
        gone: 0,
        pending_reads: 0,
        records_pending_since: 0,
        resync_pending_since: 0,
        range_deleted: Stamp::default(),
        read_marks: ReadMarks::default(),
    })
}

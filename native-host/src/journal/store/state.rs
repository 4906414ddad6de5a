//! What the journal knows of one store: whether the mirror has all of it, what is to be read again,
//! and the stamp of its last range delete.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::{
    conflict::{
        RECORDS, WHOLE,
        read_mark::ReadMarks,
        stamp::{CommitSpan, NO_CONTEXT, ReadSpan, Stamp},
    },
    place::Place,
};
use crate::timing::journal::UNSEEN_MS;

/// Whether a row of a store says that it is complete.
pub(in crate::journal) const IS_COMPLETE: &str =
    "(complete = 1 + coalesce((SELECT number FROM loss WHERE loss.origin = store.origin), 0))";

/// What an origin has lost.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Losses {
    /// How often.
    number: u64,
    /// The last time was before this one, in milliseconds.
    lapsed_at: i64,
}

/// What the journal knows of a store.
#[derive(Debug, Clone)]
pub(in crate::journal) struct Store {
    pub id: i64,
    /// The database's version.
    pub version: u64,
    /// The whole store was read, and the mirror has every write reported since.
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

impl Store {
    /// Whether a store list lacks it.
    pub(super) fn is_gone(&self) -> bool {
        self.gone != 0
    }

    /// Its origin has lost so much by now.
    pub(super) fn note_losses(&mut self, losses: Losses) {
        self.losses = losses.number;
        self.lapsed_at = self.lapsed_at.max(losses.lapsed_at);
    }

    /// Says whether the mirror has every record that the last full read has found, and those that
    /// were reported since.
    pub(in crate::journal) fn set_complete(
        &mut self,
        connection: &Connection,
        complete: bool,
    ) -> rusqlite::Result<()> {
        if self.complete != complete {
            connection
                .prepare_cached("UPDATE store SET complete = ?2 WHERE id = ?1")?
                .execute(params![self.id, if complete { 1 + self.losses } else { 0 }])?;
            self.complete = complete;
        }
        Ok(())
    }

    /// Records of it are to be read again, after this time.
    pub(in crate::journal) fn request_records(
        &mut self,
        connection: &Connection,
        after: i64,
    ) -> rusqlite::Result<()> {
        let records_pending_since = self.records_pending_since.max(after);
        self.set_pending_reads(
            connection,
            self.pending_reads | RECORDS,
            records_pending_since,
            self.resync_pending_since,
        )
    }

    /// All of it is to be read again, after this time.
    pub(in crate::journal) fn request_resync(
        &mut self,
        connection: &Connection,
        after: i64,
    ) -> rusqlite::Result<()> {
        let resync_pending_since = self.resync_pending_since.max(after);
        self.set_lapsed(connection, after)?;
        self.set_pending_reads(
            connection,
            self.pending_reads | WHOLE,
            self.records_pending_since,
            resync_pending_since,
        )
    }

    /// Whether the mirror's row with this stamp is the record's value, by all reports so far.
    pub(in crate::journal) fn knows(&self, last: Stamp) -> bool {
        self.unseen_writer_at == 0 && (self.complete || last.began >= self.lapsed_at)
    }

    /// Whether a record without a row in the mirror is known not to be there: with a writer that is
    /// not seen that is never known.
    pub(in crate::journal) fn knows_all(&self) -> bool {
        self.unseen_writer_at == 0 && self.complete
    }

    /// A whole-store read at this time differs from the mirror. If the mirror was complete, it has
    /// a writer that is not seen; whether it has.
    pub(in crate::journal) fn note_unseen_writer(
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
    pub(in crate::journal) fn end_whole_read(
        &mut self,
        connection: &Connection,
        began_at: i64,
    ) -> rusqlite::Result<()> {
        if self.unseen_writer_at != 0 && self.unseen_writer_at.saturating_add(UNSEEN_MS) < began_at {
            self.set_unseen_writer(connection, 0)?;
        }
        Ok(())
    }

    /// The store is gone: an unseen writer of it says nothing of its successor.
    pub(in crate::journal) fn clear_unseen_writer(
        &mut self,
        connection: &Connection,
    ) -> rusqlite::Result<()> {
        self.set_unseen_writer(connection, 0)
    }

    /// When an unseen writer was found last; 0: there is none.
    pub(in crate::journal) fn unseen_writer_at(&self) -> i64 {
        self.unseen_writer_at
    }

    /// Until when what it has may hold something else than the mirror says, if any of it may.
    pub(in crate::journal) fn lapsed_at(&self) -> Option<i64> {
        let may_have_lapsed = !self.knows_all() && (self.unseen_writer_at != 0 || self.lapsed_at != 0);
        may_have_lapsed.then_some(self.lapsed_at)
    }

    /// It gets the records of a store of which not everything was known: nothing of it is known
    /// but what is written after this time, and the unseen writer is its own now.
    pub(in crate::journal) fn distrust(
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
    pub(in crate::journal) fn lacks_records(&self) -> bool {
        self.pending_reads & WHOLE != 0
    }

    /// The records that were in conflict were read, one by one.
    pub(in crate::journal) fn finish_record_reads(
        &mut self,
        connection: &Connection,
    ) -> rusqlite::Result<()> {
        self.set_pending_reads(
            connection,
            self.pending_reads & !RECORDS,
            self.records_pending_since,
            self.resync_pending_since,
        )
    }

    /// All of it was read, from this time on. That ends the reads that were pending before, of
    /// records too if none of them waits to be read by itself.
    pub(in crate::journal) fn finish_resync(
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
    pub(in crate::journal) fn forget(&mut self, connection: &Connection, head: u64) -> rusqlite::Result<()> {
        if self.pending_reads == 0 {
            self.set_gone(connection, head.max(1))?;
        }
        Ok(())
    }

    /// A commit or a read concerns it. `last` is the stamp of all stores that are not known.
    pub(in crate::journal) fn rediscover(
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
    pub(in crate::journal) fn stamp_range_delete(
        &mut self,
        connection: &Connection,
        when: CommitSpan,
    ) -> rusqlite::Result<()> {
        self.set_range_delete_stamp(connection, when.combine_with(self.range_deleted))
    }

    /// Tombstones with this last stamp are forgotten: from now on the stamp of the store is no
    /// earlier, and of no document.
    pub(in crate::journal) fn stamp_forgotten(
        &mut self,
        connection: &Connection,
        last: Stamp,
    ) -> rusqlite::Result<()> {
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
    pub(in crate::journal) fn add_read_mark(
        &mut self,
        connection: &Connection,
        reading: ReadSpan,
        until: Vec<u8>,
    ) -> rusqlite::Result<()> {
        self.read_marks.add(connection, self.id, reading, until)
    }
}

pub(super) fn load(connection: &Connection, place: &Place) -> rusqlite::Result<Option<Store>> {
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
    store.note_losses(losses);
    Ok(Some(store))
}

pub(super) fn losses(connection: &Connection, origin: &str) -> rusqlite::Result<Losses> {
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

pub(super) fn add(
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

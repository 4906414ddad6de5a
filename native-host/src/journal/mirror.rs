//! The mirror: the latest value of every record, as the newest event says it.

use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params, types::ValueRef};

use super::{
    clock::Clock,
    conflict::stamp::{CommitSpan, NO_CONTEXT, SLACK_MS, Stamp},
    key::Span,
    retention::forget::Tombstones,
};

/// What the mirror knows of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// Typed JSON; `None` is a tombstone: known to be absent.
    pub value: Option<String>,
    /// Its last stamp.
    pub stamp: Stamp,
    /// The generation of the redaction rules that made the value.
    pub redaction: i64,
}

impl Row {
    /// The bytes of its value.
    pub(super) fn bytes(&self) -> usize {
        self.value.as_ref().map_or(0, String::len)
    }
}

/// The generation of a value that is to be backfilled although the present rules may forbid it: the
/// next read of the record makes the event, even if it finds what the mirror has.
pub(super) const BACKFILL_ON_READ: i64 = -1;

/// A record that becomes shorter by more than so many bytes is removed and written again, so that
/// the file gives back its space: SQLite merges pages that have become nearly empty when a row is
/// removed, not when it becomes shorter.
pub(super) const SHORTER: usize = 64;

/// How many tombstones are removed and written again together.
const TOMBSTONES_AT_ONCE: usize = 1024;

/// Single records, within a transaction: its statements stay at hand, for there are many.
pub(super) struct Single<'c> {
    row: CachedStatement<'c>,
    write: CachedStatement<'c>,
    remove: CachedStatement<'c>,
    stamp: CachedStatement<'c>,
    mark_for_backfill: CachedStatement<'c>,
    /// The generation of the redaction rules that made what is written.
    redaction: i64,
    clock: Clock,
    /// The bytes of keys and values that were written, or that a full disk refused.
    attempted: u64,
    /// Records that may have become deleted ones.
    pub tombstones: Tombstones,
}

impl<'c> Single<'c> {
    pub(super) fn of(connection: &'c Connection, redaction: i64, clock: Clock) -> rusqlite::Result<Self> {
        Ok(Self {
            row: connection.prepare_cached(
                "SELECT value, context, began, at, redaction FROM record WHERE store = ?1 AND key = ?2",
            )?,
            write: connection.prepare_cached(
                "INSERT INTO record (store, key, value, context, began, at, redaction)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT DO UPDATE SET value = excluded.value, context = excluded.context,
                    began = excluded.began, at = excluded.at, redaction = excluded.redaction",
            )?,
            remove: connection.prepare_cached("DELETE FROM record WHERE store = ?1 AND key = ?2")?,
            stamp: connection.prepare_cached(
                "INSERT INTO record (store, key, context, began, at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO UPDATE SET context = excluded.context, began = excluded.began,
                    at = excluded.at",
            )?,
            mark_for_backfill: connection
                .prepare_cached("UPDATE record SET redaction = ?3 WHERE store = ?1 AND key = ?2")?,
            redaction,
            clock,
            attempted: 0,
            tombstones: Tombstones::default(),
        })
    }

    /// The bytes of records since the last call that were written, or that a full disk refused.
    pub(super) fn take_attempted(&mut self) -> u64 {
        std::mem::take(&mut self.attempted)
    }

    pub(super) fn row(&mut self, store: i64, key: &[u8]) -> rusqlite::Result<Option<Row>> {
        self.row
            .query_row(params![store, key], |row| {
                Ok(Row {
                    value: row.get(0)?,
                    stamp: self.clock.stamp(Stamp {
                        by: row.get(1)?,
                        began: row.get(2)?,
                        at: row.get(3)?,
                    }),
                    redaction: row.get(4)?,
                })
            })
            .optional()
    }

    /// Writes a record that has, or had, a value of so many bytes.
    pub(super) fn write(
        &mut self,
        store: i64,
        key: &[u8],
        replaced: usize,
        value: Option<&str>,
        word: Stamp,
    ) -> rusqlite::Result<()> {
        let bytes = value.map_or(0, str::len);
        self.attempted += (key.len() + bytes) as u64;
        if value.is_none() {
            self.tombstones.add(key.len());
        }
        if replaced > bytes + SHORTER {
            self.remove.execute(params![store, key])?;
        }
        self.write
            .execute(params![
                store,
                key,
                value,
                word.by,
                word.began,
                word.at,
                self.redaction
            ])
            .map(|_| ())
    }

    /// Stamps a record and leaves its value as it is.
    pub(super) fn stamp(&mut self, store: i64, key: &[u8], word: Stamp) -> rusqlite::Result<()> {
        self.tombstones.add(key.len());
        self.stamp
            .execute(params![store, key, word.by, word.began, word.at])
            .map(|_| ())
    }

    /// The next read that finds the record makes an event of it, also if it finds the value that
    /// the mirror has.
    pub(super) fn mark_for_backfill(&mut self, store: i64, key: &[u8]) -> rusqlite::Result<()> {
        self.mark_for_backfill
            .execute(params![store, key, BACKFILL_ON_READ])
            .map(|_| ())
    }
}

/// Stretches of records, within a transaction.
#[derive(Clone, Copy)]
pub(super) struct Mirror<'c>(pub &'c Connection);

impl<'c> Mirror<'c> {
    fn statement(self, sql: &str) -> rusqlite::Result<CachedStatement<'c>> {
        self.0.prepare_cached(sql)
    }

    /// Whether a store has any record.
    pub(super) fn has_records(self, store: i64) -> rusqlite::Result<bool> {
        self.statement("SELECT EXISTS (SELECT 1 FROM record WHERE store = ?1 AND value IS NOT NULL)")?
            .query_row([store], |row| row.get(0))
    }

    /// The same, and how many tombstones are in front of the first one.
    pub(super) fn find_record(self, store: i64) -> rusqlite::Result<(bool, usize)> {
        let mut statement =
            self.statement("SELECT value IS NOT NULL FROM record WHERE store = ?1 ORDER BY key")?;
        let mut rows = statement.query([store])?;
        let mut tombstones = 0;
        while let Some(row) = rows.next()? {
            if row.get(0)? {
                return Ok((true, tombstones));
            }
            tombstones += 1;
        }
        Ok((false, tombstones))
    }

    /// Makes all records of a range tombstones, but for those in conflict: the caller decides
    /// about each. The new stamp is [`CommitSpan::combine_with`] its [`Clock::stamp`], in SQL.
    /// Tombstones that have this stamp stay untouched. Returns how many rows were changed.
    pub(super) fn write_tombstones_without_conflict(
        self,
        store: i64,
        span: &Span,
        when: CommitSpan,
        clock: Clock,
    ) -> rusqlite::Result<usize> {
        let CommitSpan {
            context,
            began_at,
            committed_at,
            ..
        } = when;
        let [right, limit, unknown] = clock.correction();
        self.statement(
            "UPDATE record SET
                value = iif(context <> ?4 AND ?6 <= iif(at > ?10, ?9, at) + iif(context = -?4, 0, ?7), value, NULL),
                began = max(iif(began > ?10, ?11, began), ?6), at = max(iif(at > ?10, ?9, at), ?5), context =
                CASE WHEN context <> ?4 AND ?6 <= iif(at > ?10, ?9, at) + iif(context = -?4, 0, ?7) THEN ?8 ELSE ?4 END
             WHERE store = ?1 AND key >= ?2 AND key < ?3 AND (value IS NOT NULL OR began < ?6 OR at < ?5 OR
                context <> CASE WHEN context <> ?4 AND ?6 <= at + iif(context = -?4, 0, ?7) THEN ?8 ELSE ?4 END)",
        )?
        .execute(params![
            store,
            span.from,
            span.to,
            context,
            committed_at,
            began_at,
            SLACK_MS,
            NO_CONTEXT,
            right,
            limit,
            unknown
        ])
    }

    /// Removes the tombstones of a range and writes them again, for the space of the values that
    /// they had ([`SHORTER`]).
    pub(super) fn compact_tombstones(self, store: i64, span: &Span) -> rusqlite::Result<()> {
        let mut left = Some(span.clone());
        while let Some(span) = left.take() {
            let tombstones: Vec<(Vec<u8>, Stamp, i64)> = self
                .statement(
                    "SELECT key, context, began, at, redaction FROM record
                     WHERE store = ?1 AND key >= ?2 AND key < ?3 AND value IS NULL ORDER BY key LIMIT ?4",
                )?
                .query_map(params![store, span.from, span.to, TOMBSTONES_AT_ONCE], |row| {
                    let stamp = Stamp {
                        by: row.get(1)?,
                        began: row.get(2)?,
                        at: row.get(3)?,
                    };
                    Ok((row.get(0)?, stamp, row.get(4)?))
                })?
                .collect::<rusqlite::Result<_>>()?;
            let Some((last, ..)) = tombstones.last() else {
                break;
            };
            let from = span.from.clone();
            let rest = span.after(last);
            let done = Span {
                from,
                to: rest.from.clone(),
            };
            self.remove_tombstones(store, &done)?;
            let mut insert = self.statement(
                "INSERT INTO record (store, key, context, began, at, redaction) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?;
            for (key, stamp, redaction) in &tombstones {
                insert.execute(params![store, key, stamp.by, stamp.began, stamp.at, redaction])?;
            }
            left = Some(rest);
        }
        Ok(())
    }

    /// Removes the tombstones of a range that are in no conflict with this commit, and no later
    /// than the stamp that its range delete leaves on the store. That stamp takes their place: it
    /// conflicts with every commit that they would conflict with. Only with `same` those go, too,
    /// that have the stamp of this commit already. Returns how many that were.
    pub(super) fn drop_covered_tombstones(
        self,
        store: i64,
        span: &Span,
        when: CommitSpan,
        covering: Stamp,
        same: bool,
    ) -> rusqlite::Result<usize> {
        self.statement(
            "DELETE FROM record WHERE store = ?1 AND key >= ?2 AND key < ?3 AND value IS NULL
                AND (context = ?4 OR ?5 > at + iif(context = -?4, 0, ?6)) AND began <= ?7 AND at <= ?8
                AND (?10 OR began < ?5 OR at < ?9 OR context <> ?4)",
        )?
        .execute(params![
            store,
            span.from,
            span.to,
            when.context,
            when.began_at,
            SLACK_MS,
            covering.began,
            covering.at,
            when.committed_at,
            same
        ])
    }

    /// The last stamp on the tombstones of a range; it belongs to no document. `None`: it has none.
    pub(super) fn last_tombstone(self, store: i64, span: &Span) -> rusqlite::Result<Option<Stamp>> {
        self.statement(
            "SELECT max(began), max(at) FROM record
             WHERE store = ?1 AND key >= ?2 AND key < ?3 AND value IS NULL",
        )?
        .query_row(params![store, span.from, span.to], |row| {
            let (began, at): (Option<i64>, Option<i64>) = (row.get(0)?, row.get(1)?);
            Ok(began.zip(at).map(|(began, at)| Stamp {
                by: NO_CONTEXT,
                began,
                at,
            }))
        })
    }

    /// Removes the tombstones of a range. Returns how many that were.
    pub(super) fn remove_tombstones(self, store: i64, span: &Span) -> rusqlite::Result<usize> {
        self.statement("DELETE FROM record WHERE store = ?1 AND key >= ?2 AND key < ?3 AND value IS NULL")?
            .execute(params![store, span.from, span.to])
    }
}

/// Tombstones that were met between records.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Skipped {
    /// How many.
    pub rows: usize,
    /// The bytes of their keys.
    pub bytes: usize,
}

impl Skipped {
    /// These were met, as well.
    pub(super) fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.bytes += other.bytes;
    }
}

/// How many bytes of keys and values a page holds, about: one record's at least.
const PAGE_BYTES: usize = 256 * 1024;

/// A record's key, and what is known of it.
pub(super) type Record = (Vec<u8>, Row);

/// The records of a range that are there, in key order and page by page: however long it is, no
/// more than a page is in memory. Between two pages anything may be written. A page ends where it
/// has gone through enough tombstones, too, so it may hold no record.
pub(super) struct Pages {
    store: i64,
    /// `None`: nothing is left.
    left: Option<Span>,
}

impl Pages {
    /// From the first one on.
    pub(super) fn of(store: i64, span: &Span) -> Self {
        Self {
            store,
            left: Some(span.clone()),
        }
    }

    /// The next records, and the tombstones between them; `None` at the end.
    pub(super) fn rows(
        &mut self,
        mirror: Mirror<'_>,
        clock: Clock,
    ) -> rusqlite::Result<Option<(Vec<Record>, Skipped)>> {
        self.page(
            mirror,
            "SELECT key, value, context, began, at, redaction FROM record
             WHERE store = ?1 AND key >= ?2 AND key < ?3 ORDER BY key",
            |row| {
                let known = Row {
                    value: row.get(1)?,
                    stamp: clock.stamp(Stamp {
                        by: row.get(2)?,
                        began: row.get(3)?,
                        at: row.get(4)?,
                    }),
                    redaction: row.get(5)?,
                };
                Ok((row.get(0)?, known))
            },
            |(key, known)| (key, known.value.as_ref().map_or(0, String::len)),
        )
    }

    /// Only the keys of the next records, and the tombstones between them; `None` at the end.
    pub(super) fn keys(&mut self, mirror: Mirror<'_>) -> rusqlite::Result<Option<(Vec<Vec<u8>>, Skipped)>> {
        self.page(
            mirror,
            "SELECT key, iif(value IS NULL, NULL, 1) FROM record
             WHERE store = ?1 AND key >= ?2 AND key < ?3 ORDER BY key",
            |row| row.get(0),
            |key| (key, 0),
        )
    }

    /// Reads a page; `look` tells what was read by its key and the bytes beside it. The second
    /// column is null in a tombstone.
    fn page<T>(
        &mut self,
        mirror: Mirror<'_>,
        sql: &str,
        read: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
        look: impl Fn(&T) -> (&Vec<u8>, usize),
    ) -> rusqlite::Result<Option<(Vec<T>, Skipped)>> {
        let Some(span) = self.left.take() else {
            return Ok(None);
        };
        let mut statement = mirror.statement(sql)?;
        let mut rows = statement.query(params![self.store, span.from, span.to])?;
        let mut page = Vec::new();
        let mut skipped = Skipped::default();
        let mut total = 0;
        while let Some(row) = rows.next()? {
            if row.get_ref(1)? == ValueRef::Null {
                let key = row.get_ref(0)?.as_blob()?;
                skipped.add(Skipped {
                    rows: 1,
                    bytes: key.len(),
                });
                total += key.len() + size_of::<T>();
                if total >= PAGE_BYTES {
                    self.left = Some(span.after(key));
                    break;
                }
                continue;
            }
            let found = read(row)?;
            let (key, beside) = look(&found);
            total += key.len() + beside + size_of::<T>();
            if total >= PAGE_BYTES {
                self.left = Some(span.after(key));
                page.push(found);
                break;
            }
            page.push(found);
        }
        let is_end = page.is_empty() && skipped.rows == 0;
        Ok((!is_end).then_some((page, skipped)))
    }
}

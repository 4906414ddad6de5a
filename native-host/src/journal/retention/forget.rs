//! What is forgotten once it is of no further use: records that were deleted, stores that are gone,
//! and documents.
//!
//! **Deleted records.** A tombstone tells a commit that is reported late that its record was
//! deleted since. A document can be late by hours (a frozen tab), and there may be any number of
//! tombstones. So after an hour they go, and what remains is one stamp of the store: the last one
//! on all records that it has no row of. It says of too many records that something is known of
//! them; such a commit is in conflict, and what the record holds is read.
//!
//! The same is done with the oldest of them, however young, once all take more than
//! [`Tombstones::limit`]: a page may delete records that never were, with keys as long as it likes.
//! Nothing that ordering needs is lost by it, since the store's stamp is no earlier than theirs. It
//! costs reading again what arrives late.
//!
//! **Stores that are gone.** A store list that lacks a store marks it as gone, and from then on it
//! is as if it had never been known: what comes of it late meets the stamp of the origin's store
//! list. Its row stays as long as an event refers to it, for the sinks take its name
//! from there, and as long as it has tombstones. The row with the highest id always stays: no id is
//! given out twice.
//!
//! **Documents.** What one that was forgotten delivers counts as if what it delivered before had
//! never arrived: its origin is read again. The row with the highest id always stays, too, for
//! stamps name documents by their ids.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::conflict::stamp::NO_CONTEXT;
use crate::{config::Limits, time::now_ms, timing};

/// How many tombstones go at once, but for those of one instant; how many stores.
const AT_ONCE: i64 = 32 * 1024;
const STORES: usize = 1024;

/// Forgets deleted records, all or only so many; whether there were any.
pub(in crate::journal) fn tombstones(connection: &Connection, all: bool) -> rusqlite::Result<bool> {
    let old = now_ms().saturating_sub(timing::journal::TOMBSTONE_MS);
    let limit = if all { i64::MAX } else { AT_ONCE };
    let until: Option<i64> = connection.query_row(
        "SELECT max(at) FROM (SELECT at FROM record WHERE value IS NULL AND at < ?1 ORDER BY at LIMIT ?2)",
        [old, limit],
        |row| row.get(0),
    )?;
    match until {
        Some(until) => tombstones_until(connection, until).map(|()| true),
        None => Ok(false),
    }
}

/// Forgets the records that were deleted at this time or before. The last stamp on them stays with
/// their stores.
fn tombstones_until(connection: &Connection, until: i64) -> rusqlite::Result<()> {
    connection.execute(
        "UPDATE store SET range_deleted_by = ?2, range_deleted_began = max(range_deleted_began, last.began), range_deleted_at = max(range_deleted_at, last.at)
         FROM (SELECT store, max(began) AS began, max(at) AS at FROM record WHERE value IS NULL AND at <= ?1 GROUP BY store) AS last
         WHERE store.id = last.store AND (last.at > range_deleted_at OR last.began > range_deleted_began)",
        [until, NO_CONTEXT],
    )?;
    connection
        .execute("DELETE FROM record WHERE value IS NULL AND at <= ?1", [until])
        .map(|_| ())
}

/// What a deleted record takes beside its key, which is in the table and in its index.
const TOMBSTONE: u64 = 64;

/// The most that deleted records may take.
const TOMBSTONES: u64 = 64 * 1024 * 1024;

/// What deleted records take.
#[derive(Debug, Default)]
pub(in crate::journal) struct Tombstones {
    /// At most so much; `None`: it has to be counted.
    bytes: Option<u64>,
    /// What came since.
    added: u64,
}

impl Tombstones {
    /// The most that they may take: a quarter of what events may.
    pub(in crate::journal) fn limit(limits: &Limits) -> u64 {
        limits
            .max_bytes
            .map_or(TOMBSTONES, |most| TOMBSTONES.min(most / 4))
    }

    /// A record with a key of this length may have been deleted.
    pub(in crate::journal) fn add(&mut self, key: usize) {
        self.added += TOMBSTONE + 2 * key as u64;
    }

    /// These were, as well.
    pub(in crate::journal) fn append(&mut self, other: &mut Self) {
        self.added += std::mem::take(&mut other.added);
    }

    /// What was forgotten may be there again.
    pub(in crate::journal) fn count_again(&mut self) {
        self.bytes = None;
    }

    /// Forgets the oldest ones if all take more than this; whether it did.
    pub(in crate::journal) fn bound(&mut self, connection: &Connection, most: u64) -> rusqlite::Result<bool> {
        if self.added == 0 {
            return Ok(false);
        }
        let bytes = match self.bytes {
            Some(bytes) => bytes.saturating_add(self.added),
            None => u64::MAX,
        };
        self.added = 0;
        self.bytes = Some(bytes);
        if bytes <= most {
            return Ok(false);
        }
        let total = tombstone_bytes(connection)?;
        self.bytes = Some(total);
        // With some left to grow into, so that they are not counted with each delivery.
        if total <= most / 4 * 3 {
            return Ok(false);
        }
        let Some((until, left)) = tombstones_past(connection, total, most / 2)? else {
            return Ok(false);
        };
        tombstones_until(connection, until)?;
        self.bytes = Some(left);
        Ok(true)
    }
}

fn tombstone_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    connection
        .prepare_cached(
            "SELECT coalesce(sum(?1 + 2 * octet_length(key)), 0) FROM record WHERE value IS NULL",
        )?
        .query_row([TOMBSTONE], |row| row.get(0))
}

/// When the youngest was deleted of those that have to go, so that these are left of so many bytes;
/// and what is left.
fn tombstones_past(connection: &Connection, total: u64, enough: u64) -> rusqlite::Result<Option<(i64, u64)>> {
    let mut statement = connection.prepare_cached(
        "SELECT at, ?1 + 2 * octet_length(key) FROM record WHERE value IS NULL ORDER BY at",
    )?;
    let mut rows = statement.query([TOMBSTONE])?;
    let (mut until, mut left) = (None, total);
    while let Some(row) = rows.next()? {
        let at: i64 = row.get(0)?;
        if left <= enough && until != Some(at) {
            break;
        }
        left = left.saturating_sub(row.get(1)?);
        until = Some(at);
    }
    Ok(until.map(|until| (until, left)))
}

/// How many documents of an origin are remembered: each frame is one.
const CONTEXTS: u64 = 16 * 1024;

/// Forgets documents that have delivered nothing for long. Only at a start: a tab that is open and
/// idle would lose its place.
pub(in crate::journal) fn old_contexts(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .execute(
            "DELETE FROM context WHERE seen_at < ?1 AND id < (SELECT max(id) FROM context)",
            [now_ms() - timing::journal::CONTEXT_MS],
        )
        .map(|_| ())
}

/// The documents among which those of an origin that has too many were looked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::journal) struct BoundedContexts {
    /// The highest id; none is given out twice.
    last: i64,
}

impl BoundedContexts {
    /// Forgets the oldest documents of each origin that has too many; whether there were any.
    pub(in crate::journal) fn bound(&mut self, connection: &Connection) -> rusqlite::Result<bool> {
        let last = connection.query_row("SELECT coalesce(max(id), 0) FROM context", [], |row| row.get(0))?;
        if std::mem::replace(&mut self.last, last) == last {
            return Ok(false);
        }
        // Only origins past the bound are sorted. Workers go first, of which nothing is delivered
        // in their own name: their rows only tell their stamps from those of others.
        let forgotten = connection.execute(
            "DELETE FROM context WHERE id < ?1 AND id IN
                (SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY origin ORDER BY last_sequence > 0 DESC, seen_at DESC, id DESC) AS place
                 FROM context WHERE origin IN (SELECT origin FROM context GROUP BY origin HAVING count(*) > ?2))
                 WHERE place > ?2)",
            params![last, CONTEXTS],
        )?;
        Ok(forgotten > 0)
    }
}

/// A store that is to be forgotten, with the last stamp on it.
struct Gone {
    id: i64,
    origin: String,
    began: i64,
    at: i64,
}

/// Forgets some of the stores that were gone when the events up to this one, which are no longer
/// there, were made. Whether there may be more.
pub(in crate::journal) fn stores(connection: &Connection, tail: u64) -> rusqlite::Result<bool> {
    let found = {
        let mut rows = connection.prepare_cached(
            "SELECT id, origin, range_deleted_began, max(range_deleted_at, coalesce((SELECT max(at) FROM read_mark WHERE store = id), 0))
             FROM store WHERE gone BETWEEN 1 AND ?1 AND id < (SELECT max(id) FROM store)
                AND NOT EXISTS (SELECT 1 FROM record WHERE store = id) LIMIT ?2",
        )?;
        let gone = rows.query_map(params![tail, STORES], |row| {
            Ok(Gone {
                id: row.get(0)?,
                origin: row.get(1)?,
                began: row.get(2)?,
                at: row.get(3)?,
            })
        })?;
        gone.collect::<rusqlite::Result<Vec<_>>>()?
    };
    if found.is_empty() {
        return Ok(false);
    }
    // A backfill may have written events of them since they were gone.
    let referred: HashSet<i64> = connection
        .prepare_cached("SELECT DISTINCT store FROM journal")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for Gone {
        id,
        origin,
        began,
        at,
    } in found.iter().filter(|gone| !referred.contains(&gone.id))
    {
        let last: Option<(i64, i64)> = connection
            .prepare_cached("SELECT began, at FROM store_list WHERE origin = ?1")?
            .query_row([origin], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if last.is_none_or(|last| last.0 < *began || last.1 < *at) {
            connection
                .prepare_cached(
                    "INSERT INTO store_list (origin, context, began, at) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT DO UPDATE SET context = ?2, began = max(began, ?3), at = max(at, ?4)",
                )?
                .execute(params![origin, NO_CONTEXT, began, at])?;
        }
        connection
            .prepare_cached("DELETE FROM read_mark WHERE store = ?1")?
            .execute([id])?;
        connection
            .prepare_cached("DELETE FROM store WHERE id = ?1")?
            .execute([id])?;
    }
    Ok(found.len() == STORES && referred.len() < found.len())
}

//! What is forgotten once it is of no further use: records that were deleted, and stores that are
//! gone.
//!
//! **Deleted records.** A tombstone tells a commit that is reported late that its record was
//! deleted since. A document can be late by hours (a frozen tab), and there may be any number of
//! tombstones. So after an hour they go, and what remains is one stamp of the store: the last one
//! on all records that it has no row of. It says of too many records that something is known of
//! them; such a commit is in conflict, and what the record holds is read.
//!
//! **Stores that are gone.** A store list that lacks a store marks it as gone, and from then on it
//! is as if it had never been known: what comes of it late meets the stamp of the origin's store
//! list. Its row stays as long as an event refers to it, for the sinks take its name
//! from there, and as long as it has tombstones. The row with the highest id always stays: no id is
//! given out twice.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::stamp::NO_CONTEXT;
use crate::{time::now_ms, timing};

/// How many tombstones go at once, but for those of one instant; how many stores.
const AT_ONCE: i64 = 32 * 1024;
const STORES: usize = 1024;

/// Forgets deleted records, all or only so many; whether there were any.
pub(super) fn tombstones(connection: &Connection, all: bool) -> rusqlite::Result<bool> {
    let old = now_ms().saturating_sub(timing::journal::TOMBSTONE_MS);
    let limit = if all { i64::MAX } else { AT_ONCE };
    let until: Option<i64> = connection.query_row(
        "SELECT max(at) FROM (SELECT at FROM record WHERE value IS NULL AND at < ?1 ORDER BY at LIMIT ?2)",
        [old, limit],
        |row| row.get(0),
    )?;
    let Some(until) = until else { return Ok(false) };
    connection.execute(
        "UPDATE store SET range_deleted_by = ?2, range_deleted_began = max(range_deleted_began, last.began), range_deleted_at = max(range_deleted_at, last.at)
         FROM (SELECT store, max(began) AS began, max(at) AS at FROM record WHERE value IS NULL AND at <= ?1 GROUP BY store) AS last
         WHERE store.id = last.store AND (last.at > range_deleted_at OR last.began > range_deleted_began)",
        [until, NO_CONTEXT],
    )?;
    connection.execute("DELETE FROM record WHERE value IS NULL AND at <= ?1", [until])?;
    Ok(true)
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
pub(super) fn stores(connection: &Connection, tail: u64) -> rusqlite::Result<bool> {
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

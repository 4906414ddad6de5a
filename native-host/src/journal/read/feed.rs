//! What inspectors are shown of the events' way.

use rusqlite::{OptionalExtension as _, params};
use serde::Deserialize;

use super::{super::JournalError, Place, Reader};

/// Events that are longer than this are left out where only their time is wanted.
const TIMED_BYTES: usize = 64 * 1024;

/// All that is read of an event to tell how late it is.
#[derive(Deserialize)]
struct Timed {
    ts_ms: i64,
}

impl Reader {
    /// When the events after one passed a stage, up to this last one or a little further: event
    /// numbers, each with the time at which all events up to it had passed, in order.
    pub fn passages(&self, stage: &str, after: u64, last: u64) -> Result<Vec<(u64, i64)>, JournalError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT last, at FROM delivery WHERE stage = ?1 AND last > ?2 ORDER BY last",
            )?;
            let mut rows = statement.query(params![stage, after])?;
            let mut passages = Vec::new();
            while let Some(row) = rows.next()? {
                let passage: (u64, i64) = (row.get(0)?, row.get(1)?);
                passages.push(passage);
                if passage.0 >= last {
                    break;
                }
            }
            Ok(passages)
        })
    }

    /// What a stage has to say about the events after one up to another.
    pub fn notices_between(
        &self,
        stage: &str,
        after: u64,
        last: u64,
    ) -> Result<Vec<(u64, String)>, JournalError> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT number, text FROM notice WHERE stage = ?1 AND number > ?2 AND number <= ?3
                     ORDER BY number",
                )?
                .query_map(params![stage, after, last], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
    }

    /// The last events, oldest first: number, and when the page saw the commit.
    pub fn recent(&self, count: usize) -> Result<Vec<(u64, i64)>, JournalError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT number, event FROM (SELECT * FROM journal ORDER BY number DESC LIMIT ?1)
                 WHERE octet_length(event) BETWEEN 1 AND ?2 ORDER BY number",
            )?;
            let mut rows = statement.query(params![count, TIMED_BYTES])?;
            let mut recent = Vec::new();
            while let Some(row) = rows.next()? {
                let text: String = row.get(1)?;
                if let Ok(Timed { ts_ms }) = serde_json::from_str(&text) {
                    recent.push((row.get(0)?, ts_ms));
                }
            }
            Ok(recent)
        })
    }

    /// The row of a store, if it is known.
    pub fn store_of(&self, place: &Place) -> Result<Option<i64>, JournalError> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT id FROM store WHERE origin = ?1 AND bucket = ?2 AND database = ?3 AND name = ?4",
                )?
                .query_row(
                    params![place.origin, place.bucket, place.database, place.store],
                    |row| row.get(0),
                )
                .optional()
        })
    }
}

//! How long events stay, and what a journal may take.
//!
//! - An event stays until every sink in use has passed it on, and then, for `tail` and for servers
//!   that forget, until it is older than [`crate::config::Limits::keep`] or the events take more
//!   than [`crate::config::Limits::keep_bytes`].
//! - Past [`crate::config::Limits::max_bytes`] the oldest events lose their text, passed on or not.
//!   Their rows stay, with store and key, so the sink of Memcached still learns which records have
//!   changed; their values are in the mirror. The last row of each store that lost some becomes a
//!   gap event. What the sink that carries texts (Redis) has missed, it is owed: an `r` or `d` for
//!   each record concerned, as the mirror has it once all have passed the gap and there is room
//!   again.
//!
//! Here: the limits, and the books. `apply::room` does it.

use rusqlite::{Connection, OptionalExtension as _, params};

/// How often old events are looked for, in events.
const INTERVAL: u64 = 8192;

/// How many go at once: more than come in an interval, so that a long backlog goes too, and few
/// enough that no delivery waits for it.
pub(super) const AT_ONCE: u64 = 4 * INTERVAL;

/// The text of an event that had to go, and of one whose record is owed.
pub(super) const GONE: &str = "";
pub(super) const OWED: &str = "?";

/// Whether a row's record is owed: text that had to go, or a gap event, which has its key until
/// then.
pub(super) const IS_OWED: &str = "(key IS NOT NULL AND (event = '?' OR (octet_length(event) BETWEEN 2 AND 65536 AND substr(event, 1, 9) = '{\"op\":\"g\"')))";

/// What a row takes: its text and its key.
pub(super) const ROW_BYTES: &str = "octet_length(event) + coalesce(octet_length(key), 0)";

/// The same of a row that is about to be written.
pub(super) fn row_bytes(text: &str, key: Option<&[u8]>) -> u64 {
    (text.len() + key.map_or(0, <[u8]>::len)) as u64
}

/// What the events take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Room {
    /// Bytes of texts and keys.
    pub bytes: u64,
    /// How many events have lost their text, since the beginning.
    pub shed: u64,
    /// How many rows are owed.
    pub owed: u64,
    /// Up to this one nothing is left to lose. Only saves looking.
    pub shed_to: u64,
}

impl Room {
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        connection.query_row("SELECT bytes, shed, owed FROM room", [], |row| {
            Ok(Self {
                bytes: row.get(0)?,
                shed: row.get(1)?,
                owed: row.get(2)?,
                shed_to: 0,
            })
        })
    }

    pub(super) fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached("UPDATE room SET bytes = ?1, shed = ?2, owed = ?3 WHERE bytes <> ?1 OR shed <> ?2 OR owed <> ?3")?
            .execute(params![self.bytes, self.shed, self.owed])
            .map(|_| ())
    }
}

/// The books: one row.
const TABLE: &str = "
CREATE TABLE IF NOT EXISTS room (
    bytes INTEGER NOT NULL,             -- of all events' texts and keys
    shed INTEGER NOT NULL,              -- how many events have lost theirs, since the beginning
    owed INTEGER NOT NULL,              -- how many of these rows are owed
    keyed INTEGER NOT NULL DEFAULT 0    -- 1: the bytes have the keys' in them
) STRICT";

/// Begins the books, also of a journal that was made before there were any.
pub(super) fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(TABLE)?;
    let there = connection
        .query_row("SELECT 1 FROM room", [], |_| Ok(()))
        .optional()?;
    if there.is_none() {
        connection.execute("INSERT INTO room (bytes, shed, owed) VALUES (0, 0, 0)", [])?;
    }
    let has_column: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM pragma_table_info('room') WHERE name = 'keyed')",
        [],
        |row| row.get(0),
    )?;
    if !has_column {
        connection.execute_batch("ALTER TABLE room ADD COLUMN keyed INTEGER NOT NULL DEFAULT 0")?;
    }
    // Earlier versions did not count keys.
    connection.execute(
        &format!(
            "UPDATE room SET bytes = (SELECT coalesce(sum({ROW_BYTES}), 0) FROM journal), keyed = 1 WHERE keyed = 0"
        ),
        [],
    )?;
    // Earlier versions counted some rows twice, and would never have been done with them.
    let recount =
        format!("UPDATE room SET owed = (SELECT count(*) FROM journal WHERE {IS_OWED}) WHERE owed > 0");
    connection.execute(&recount, []).map(|_| ())
}

/// Notes when all events up to this one had passed a stage.
pub(super) fn passed(connection: &Connection, stage: &str, last: u64, at: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO delivery (stage, last, at) VALUES (?1, ?2, ?3)")?
        .execute(params![stage, last, at])
        .map(|_| ())
}

/// Whether the head has passed a multiple of the interval.
pub(super) fn is_due(before: u64, head: u64) -> bool {
    before / INTERVAL != head / INTERVAL
}

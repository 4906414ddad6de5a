//! The tables, and the version of their format.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, params};

use super::{
    Author, JournalError,
    clock::{self, Clock},
    retention::forget,
    side_files::{file_lock, log},
};
use crate::{failpoint, time::now_ms, timing};

/// The format that this version writes, kept in `PRAGMA user_version`.
pub(super) const FORMAT: i64 = 5;

/// How many pages the write-ahead log may take before it is brought into the file: large enough
/// that a burst is not checkpointed every few milliseconds, small enough that readers stay quick.
const CHECKPOINT_PAGES: i64 = 2000;

/// How long a page is: an event and its record take about a kilobyte, and each page that a
/// transaction touches is written to the log by itself. Twice SQLite's usual length costs a flood a
/// seventh less; with more, a lone event would pay for it.
const PAGE_BYTES: i64 = 8192;

const TABLES: &str = include_str!("schema.sql");

/// Opens the journal for writing, making it if it is not there.
pub(super) fn create(path: &Path, author: &Author, clock: Clock) -> Result<Connection, JournalError> {
    file_lock::private(path)?;
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    prepare(&connection, author, clock).map_err(|source| JournalError::failed(path, source))?;
    Ok(connection)
}

/// Connects to a journal of a known format.
pub(super) fn connect(path: &Path, access: OpenFlags) -> Result<Connection, JournalError> {
    let failed = |source| JournalError::failed(path, source);
    let connection =
        Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(failed)?;
    connection.busy_timeout(timing::journal::BUSY).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(64);
    let found = format(&connection).map_err(failed)?;
    // 0: nothing has been made in it yet.
    if found != FORMAT && found != 0 {
        return Err(JournalError::Format {
            path: path.to_owned(),
            found,
            known: FORMAT,
        });
    }
    Ok(connection)
}

/// The format of a journal; 0 for a file in which nothing has been made yet.
pub(super) fn format(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// The number before the first event that is still here.
pub(super) fn tail(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row(
        "SELECT coalesce((SELECT min(number) - 1 FROM journal), (SELECT base FROM meta))",
        [],
        |row| row.get(0),
    )
}

/// The number of the last event.
pub(super) fn head(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row(
        "SELECT coalesce((SELECT max(number) FROM journal), (SELECT base FROM meta))",
        [],
        |row| row.get(0),
    )
}

/// The number that all events to come are above.
pub(super) fn base(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row("SELECT base FROM meta", [], |row| row.get(0))
}

fn prepare(connection: &Connection, author: &Author, clock: Clock) -> rusqlite::Result<()> {
    // Of a file that is there it stays what it was.
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "cache_size", -16 * 1024)?;
    log::limit(connection)?;
    // With a check of its own, each store that is forgotten would have all events looked through.
    connection.pragma_update(None, "foreign_keys", false)?;
    // A write transaction from the beginning: one that has already read does not wait for another
    // writer, but fails.
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    if format(&transaction)? == 0 {
        transaction.execute_batch(TABLES)?;
        transaction.execute(
            "INSERT INTO meta (profile, browser, base) VALUES (?1, ?2, ?3)",
            params![author.profile, author.browser, now_ms() * 1000],
        )?;
        transaction.execute("INSERT INTO identity (made) VALUES (?1)", [now_ms()])?;
        transaction.execute(
            "INSERT INTO usage (bytes, stripped, backfill_pending) VALUES (0, 0, 0)",
            [],
        )?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
    }
    clock::correct(&transaction, clock, clock::latest_stamp(&transaction)?)?;
    transaction.execute("UPDATE meta SET browser = ?1", [&author.browser])?;
    // Only the last host knew which records were in conflict.
    transaction.execute(
        "UPDATE store SET complete = 0, lapsed_at = max(lapsed_at, ?1), pending_reads = 2 * (pending_reads > 0),
            resync_pending_since = iif(pending_reads & 1, max(resync_pending_since, records_pending_since), resync_pending_since)",
        [now_ms()],
    )?;
    transaction.execute("UPDATE ended SET starts = starts + 1", [])?;
    forget::tombstones(&transaction, true)?;
    failpoint::pass("journal.opening");
    forget::old_contexts(&transaction)?;
    transaction.commit()
}

//! The tables, and the version of their format.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, params};

use super::{
    Author, JournalError,
    clock::{self, Clock},
    forget, lock, log, retain, rules,
};
use crate::{failpoint, time::now_ms, timing};

/// The format that this version writes, kept in `PRAGMA user_version`.
pub(super) const FORMAT: i64 = 1;

/// How many pages the write-ahead log may take before it is brought into the file: large enough
/// that a burst is not checkpointed every few milliseconds, small enough that readers stay quick.
const CHECKPOINT_PAGES: i64 = 2000;

/// How long a page is: an event and its record take about a kilobyte, and each page that a
/// transaction touches is written to the log by itself. Twice SQLite's usual length costs a flood a
/// seventh less; with more, a lone event would pay for it.
const PAGE_BYTES: i64 = 8192;

/// `store.complete`: the mirror has every record of the store, so a key without a row is absent,
/// unless the store is written to unseen (`unseen_at`). Every start clears it, for the host does
/// not know what happened in between.
pub(super) const TABLES: &str = "
CREATE TABLE meta (
    profile TEXT NOT NULL,
    browser TEXT NOT NULL,
    base INTEGER NOT NULL               -- events are numbered from here on; it grows with those that are removed, or taken elsewhere
) STRICT;
CREATE TABLE context (
    id INTEGER PRIMARY KEY,             -- 0 is never used: elsewhere it means several
    name TEXT NOT NULL UNIQUE,
    last_sequence INTEGER NOT NULL,
    seen_at INTEGER NOT NULL
) STRICT;
CREATE TABLE store (
    id INTEGER PRIMARY KEY,
    origin TEXT NOT NULL,
    bucket TEXT NOT NULL,
    database TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,           -- of the database
    complete INTEGER NOT NULL DEFAULT 0,
    doubtful INTEGER NOT NULL DEFAULT 0, -- 1: some records wait to be read again; 2: all of it does
    swept_by INTEGER NOT NULL DEFAULT 0, -- the context of the last clear or range delete (see order.rs), and when
    swept_began INTEGER NOT NULL DEFAULT 0,
    swept_at INTEGER NOT NULL DEFAULT 0,
    UNIQUE (origin, bucket, database, name)
) STRICT;
CREATE TABLE journal (
    number INTEGER PRIMARY KEY,
    store INTEGER NOT NULL REFERENCES store (id),
    key BLOB,                           -- null for a truncate
    event TEXT NOT NULL                 -- '' or '?' if its text had to go: see retain
) STRICT;
CREATE TABLE record (
    store INTEGER NOT NULL,
    key BLOB NOT NULL,                  -- protocol::key's ordered bytes
    value TEXT,                         -- typed JSON; null: known to be absent
    context INTEGER NOT NULL,           -- who settled it last: see order.rs
    began INTEGER NOT NULL DEFAULT 0,   -- when, in milliseconds: between this time
    at INTEGER NOT NULL,                -- and this one
    redaction INTEGER NOT NULL DEFAULT 0, -- the generation of the rules that made the value: see rules.rs
    PRIMARY KEY (store, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX tombstone ON record (at) WHERE value IS NULL;
CREATE TABLE sink (
    name TEXT PRIMARY KEY,
    enabled INTEGER NOT NULL,
    number INTEGER NOT NULL,            -- the last event it has passed on
    state TEXT NOT NULL,
    error TEXT,
    fix TEXT,
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE delivery (
    stage TEXT NOT NULL,                -- 'journal' or a sink's name
    last INTEGER NOT NULL,              -- events up to this one ...
    at INTEGER NOT NULL,                -- ... passed the stage at this time
    PRIMARY KEY (stage, last)
) STRICT, WITHOUT ROWID;
CREATE TABLE notice (
    stage TEXT NOT NULL,
    number INTEGER NOT NULL,            -- the event
    text TEXT NOT NULL,
    PRIMARY KEY (stage, number)
) STRICT, WITHOUT ROWID;
";

/// What earlier versions did not make, and do not miss.
const ADDED: &str = "
CREATE TABLE IF NOT EXISTS reread (     -- something is missing, in a store that is not known
    origin TEXT PRIMARY KEY,
    since INTEGER NOT NULL              -- when that came out
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS look (       -- whole-store reads: see look.rs
    store INTEGER NOT NULL,
    context INTEGER NOT NULL,           -- whose; 0: several
    at INTEGER NOT NULL,                -- when its last stretch was read
    until BLOB NOT NULL,                -- the keys in front of this one were seen
    PRIMARY KEY (store, context)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS census (     -- who said last which stores there are: see order.rs
    origin TEXT PRIMARY KEY,
    context INTEGER NOT NULL,
    began INTEGER NOT NULL,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS emptied (    -- store lists that leave nothing of an origin, not confirmed yet: see apply/emptied.rs
    origin TEXT NOT NULL,
    bucket TEXT NOT NULL,               -- of the list
    context INTEGER NOT NULL,           -- who read it, and when
    read_at INTEGER NOT NULL,
    PRIMARY KEY (origin, bucket)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS identity (
    made INTEGER NOT NULL               -- when this journal was; tells it from an earlier one of the same profile
) STRICT;
CREATE TABLE IF NOT EXISTS failed (     -- what was last wrong with a sink
    sink TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    error TEXT NOT NULL,
    fix TEXT NOT NULL,
    at INTEGER NOT NULL,
    over_at INTEGER                     -- null: it still is
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS token (      -- what tells this journal from a copy of it: see tokens.rs
    id INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE IF NOT EXISTS ended (      -- sinks whose host ended with every request answered
    sink TEXT PRIMARY KEY,
    starts INTEGER NOT NULL             -- how often a host has started since
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS attempt (
    sink TEXT PRIMARY KEY,
    count INTEGER NOT NULL              -- how often it has failed since it last came further
) STRICT, WITHOUT ROWID;
";

/// The same for columns, by table. A read ends a doubt about records of a store, or about all of
/// it, if it began no earlier than `contested_at` and `doubted_at`. A context belongs to one
/// origin; it is empty until its next delivery. `redaction` is the generation of the rules that
/// made a record's value. `lapsed_at` and `unseen_at` tell whether a value before is known: see
/// apply/before.rs. `gone` is not 0 for a store that a store list lacks: no event after this number
/// is about it (forget.rs). The others are the beginnings of spans.
const ADDED_COLUMNS: &[(&str, &str, &str)] = &[
    ("store", "contested_at", "INTEGER NOT NULL DEFAULT 0"),
    ("store", "doubted_at", "INTEGER NOT NULL DEFAULT 0"),
    ("store", "swept_began", "INTEGER NOT NULL DEFAULT 0"),
    ("record", "began", "INTEGER NOT NULL DEFAULT 0"),
    ("census", "began", "INTEGER NOT NULL DEFAULT 0"),
    ("record", "redaction", "INTEGER NOT NULL DEFAULT 0"),
    ("context", "origin", "TEXT NOT NULL DEFAULT ''"),
    ("store", "lapsed_at", "INTEGER NOT NULL DEFAULT 0"),
    ("store", "unseen_at", "INTEGER NOT NULL DEFAULT 0"),
    ("store", "gone", "INTEGER NOT NULL DEFAULT 0"),
];

/// Opens the journal for writing, making it if it is not there.
pub(super) fn create(path: &Path, author: &Author, clock: Clock) -> Result<Connection, JournalError> {
    lock::private(path)?;
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
    if found > FORMAT {
        return Err(JournalError::Newer {
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
        transaction.pragma_update(None, "user_version", FORMAT)?;
    }
    retain::prepare(&transaction)?;
    transaction.execute_batch(ADDED)?;
    transaction.execute(
        "INSERT INTO identity (made) SELECT ?1 WHERE NOT EXISTS (SELECT 1 FROM identity)",
        [now_ms()],
    )?;
    for (table, column, definition) in ADDED_COLUMNS {
        let there: bool = transaction.query_row(
            "SELECT EXISTS (SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2)",
            [table, column],
            |row| row.get(0),
        )?;
        if !there {
            transaction.execute_batch(&format!("ALTER TABLE {table} ADD COLUMN {column} {definition}"))?;
        }
    }
    rules::prepare(&transaction)?;
    clock::correct(&transaction, clock)?;
    transaction.execute("UPDATE meta SET browser = ?1", [&author.browser])?;
    // Which records were in doubt, only the last host knew.
    transaction.execute(
        "UPDATE store SET complete = 0, lapsed_at = max(lapsed_at, ?1), doubtful = 2 * (doubtful > 0),
            doubted_at = iif(doubtful & 1, max(doubted_at, contested_at), doubted_at)",
        [now_ms()],
    )?;
    transaction.execute("UPDATE ended SET starts = starts + 1", [])?;
    forget::tombstones(&transaction, true)?;
    failpoint::pass("journal.opening");
    transaction.execute(
        "DELETE FROM context WHERE seen_at < ?1",
        [now_ms() - timing::journal::CONTEXT_MS],
    )?;
    transaction.commit()
}

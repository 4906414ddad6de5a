//! The write-ahead log beside the journal's file: how large it is, and that it becomes small again.
//!
//! SQLite appends to it until all of it is in the file and no reader needs it; then it begins again
//! at the front, and the log keeps the length it had. A transaction that writes much, or a reader
//! that takes its time, makes it long. So the writer gives its length a limit, and the journal's
//! thread cuts it when it has time.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::Connection;

use crate::timing;

/// How long the log may stay, in bytes: twice what is written before it is brought into the file.
pub const LIMIT: u64 = 32 * 1024 * 1024;

/// The log of a journal.
pub fn path(journal: &Path) -> PathBuf {
    let mut name = OsString::from(journal);
    name.push("-wal");
    name.into()
}

/// How many bytes the log takes.
pub fn bytes(journal: &Path) -> u64 {
    fs::metadata(path(journal)).map_or(0, |file| file.len())
}

/// Lets a connection that writes cut the log when it begins again at the front.
pub(in crate::journal) fn limit(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_size_limit", LIMIT)
}

/// Brings the log into the file and cuts it, if it is long. Waits for no reader.
pub(in crate::journal) fn shrink(connection: &Connection, journal: &Path) -> rusqlite::Result<()> {
    if bytes(journal) <= LIMIT {
        return Ok(());
    }
    connection.busy_timeout(Duration::ZERO)?;
    // A row that says how far it came, also if a reader was in the way.
    let shrunk = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    connection.busy_timeout(timing::journal::BUSY)?;
    shrunk
}

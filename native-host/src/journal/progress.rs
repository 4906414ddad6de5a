//! What the sinks write: how far they have come, and how they are.
//!
//! Their transactions are not synced one by one. After a crash an offset may be a little old; then
//! a sink passes on again what it has passed on already, which both sinks take for what it is.

use std::{path::Path, sync::MutexGuard};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

pub mod condition;
pub(super) mod writer_lock;

use self::{
    condition::{Condition, Notice, Problem},
    writer_lock::WriterLock,
};
use super::{JournalError, renumber, schema, side_files::log};
use crate::{failpoint, time::now_ms};

/// A sink's own connection.
pub struct Progress {
    connection: Connection,
    path: std::path::PathBuf,
    writer_lock: WriterLock,
    name: &'static str,
}

impl super::Journal {
    /// What keeps sinks that are in use from passing events on.
    pub fn problems(&self) -> Result<Vec<Problem>, JournalError> {
        let read = || {
            self.connection
                .prepare_cached(
                    "SELECT error, coalesce(fix, '') FROM sink WHERE enabled AND error IS NOT NULL ORDER BY name",
                )?
                .query_map([], |row| {
                    Ok(Problem {
                        message: row.get(0)?,
                        fix: row.get(1)?,
                    })
                })?
                .collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|source| JournalError::failed(&self.path, source))
    }
}

impl Progress {
    /// Connects for the sink of this name and puts it on the list of those in use.
    pub fn open(journal: &Path, turn: WriterLock, name: &'static str) -> Result<Self, JournalError> {
        let connection = schema::connect(journal, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let progress = Self {
            connection,
            path: journal.to_owned(),
            writer_lock: turn,
            name,
        };
        progress.write(|connection| {
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            // The journal's own connection does that.
            connection.pragma_update(None, "wal_autocheckpoint", 0)?;
            log::limit(connection)?;
            connection.execute(
                "INSERT INTO sink (name, enabled, number, state, since) VALUES (?1, 1, 0, 'running', ?2)
                 ON CONFLICT DO UPDATE SET enabled = 1, state = 'running', error = NULL, fix = NULL, since = ?2",
                params![name, now_ms()],
            )?;
            connection.execute("DELETE FROM attempt WHERE sink = ?1", [name])
        })?;
        Ok(progress)
    }

    /// Takes a sink that the configuration has switched off from the list.
    pub fn disable(journal: &Path, turn: &WriterLock, name: &str) -> Result<(), JournalError> {
        let connection = schema::connect(journal, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let _turn = turn.take();
        connection
            .execute(
                "UPDATE sink SET enabled = 0, state = 'off', error = NULL, fix = NULL WHERE name = ?1",
                [name],
            )
            .map(|_| ())
            .map_err(|source| JournalError::failed(journal, source))
    }

    /// The last event that was passed on; 0 for a new sink.
    pub fn reached(&self) -> Result<u64, JournalError> {
        self.connection
            .query_row("SELECT number FROM sink WHERE name = ?1", [self.name], |row| {
                row.get(0)
            })
            .optional()
            .map(|found| found.unwrap_or(0))
            .map_err(|source| JournalError::failed(&self.path, source))
    }

    /// Saves that all events up to this one have been passed on: at once, or with the next write to
    /// the journal.
    pub fn save(&self, number: u64, notices: &[Notice]) -> Result<(), JournalError> {
        self.writer_lock.post_passed(self.name, number, notices);
        self.save_pending()
    }

    /// Saves how the sink is, likewise.
    pub fn set_condition(&self, condition: &Condition) -> Result<(), JournalError> {
        self.writer_lock.post_condition(self.name, condition);
        self.save_pending()
    }

    /// Whether all that was saved is written, or about to be.
    pub fn is_saved(&self) -> bool {
        self.writer_lock.is_saved()
    }

    /// Writes the pending progress, unless another writer has the lock.
    pub fn save_pending(&self) -> Result<(), JournalError> {
        self.writer_lock
            .try_take()
            .map_or(Ok(()), |turn| self.write_pending(&turn))
    }

    /// The same, but waits for the lock.
    pub fn finish(&self) -> Result<(), JournalError> {
        self.write_pending(&self.writer_lock.take())
    }

    /// Events up to `taken` have numbers of this profile that this journal did not give out: what
    /// comes after `after` gets numbers behind them. Returns the number of the last event.
    pub fn renumber(&self, after: u64, taken: u64) -> Result<u64, JournalError> {
        self.write(|connection| {
            // Nothing may be passed on under a number that a power cut takes back.
            connection.pragma_update(None, "synchronous", "FULL")?;
            let head = renumber::renumber(connection, after, taken);
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            self.writer_lock.set_renumbered();
            head
        })
    }

    fn write_pending(&self, _turn: &MutexGuard<'_, ()>) -> Result<(), JournalError> {
        let notes = self.writer_lock.take_pending();
        if notes.is_empty() {
            return Ok(());
        }
        let written = self.connection.unchecked_transaction().and_then(|transaction| {
            writer_lock::write(&transaction, &notes)?;
            failpoint::pass("sink.saving");
            transaction.commit()?;
            failpoint::pass("sink.saved");
            Ok(())
        });
        written.map_err(|source| {
            self.writer_lock.put_back(notes);
            JournalError::failed(&self.path, source)
        })
    }

    fn write<T>(&self, write: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, JournalError> {
        let _turn = self.writer_lock.take();
        write(&self.connection).map_err(|source| JournalError::failed(&self.path, source))
    }
}

//! What the sinks write: how far they have come, and how they are.
//!
//! Their transactions are not synced one by one. After a crash an offset may be a little old; then
//! a sink passes on again what it has passed on already, which both sinks take for what it is.

use std::{path::Path, sync::MutexGuard};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use super::{
    JournalError, Turn,
    condition::{Condition, Notice, Trouble},
    log, renumber, schema, turn,
};
use crate::{failpoint, time::now_ms};

/// A sink's own connection.
pub struct Progress {
    connection: Connection,
    path: std::path::PathBuf,
    turn: Turn,
    name: &'static str,
}

impl super::Journal {
    /// What keeps sinks that are in use from passing events on.
    pub fn troubles(&self) -> Result<Vec<Trouble>, JournalError> {
        let read = || {
            self.connection
                .prepare_cached(
                    "SELECT error, coalesce(fix, '') FROM sink WHERE enabled AND error IS NOT NULL ORDER BY name",
                )?
                .query_map([], |row| {
                    Ok(Trouble {
                        error: row.get(0)?,
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
    pub fn open(journal: &Path, turn: Turn, name: &'static str) -> Result<Self, JournalError> {
        let connection = schema::connect(journal, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let progress = Self {
            connection,
            path: journal.to_owned(),
            turn,
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
    pub fn disable(journal: &Path, turn: &Turn, name: &str) -> Result<(), JournalError> {
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
        self.turn.post_passed(self.name, number, notices);
        self.settle()
    }

    /// Saves how the sink is, likewise.
    pub fn set_condition(&self, condition: &Condition) -> Result<(), JournalError> {
        self.turn.post_condition(self.name, condition);
        self.settle()
    }

    /// Whether all that was saved is written, or about to be.
    pub fn is_settled(&self) -> bool {
        self.turn.is_settled()
    }

    /// Writes what was saved and is not written yet, unless another writer has the turn.
    pub fn settle(&self) -> Result<(), JournalError> {
        self.turn
            .try_take()
            .map_or(Ok(()), |turn| self.write_notes(&turn))
    }

    /// The same, but waits for the turn.
    pub fn finish(&self) -> Result<(), JournalError> {
        self.write_notes(&self.turn.take())
    }

    /// Events up to `taken` have numbers of this profile that this journal did not give out: what
    /// comes after `after` gets numbers behind them. Returns the number of the last event.
    pub fn renumber(&self, after: u64, taken: u64) -> Result<u64, JournalError> {
        self.write(|connection| {
            // Nothing may be passed on under a number that a power cut takes back.
            connection.pragma_update(None, "synchronous", "FULL")?;
            let head = renumber::renumber(connection, after, taken);
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            self.turn.set_renumbered();
            head
        })
    }

    fn write_notes(&self, _turn: &MutexGuard<'_, ()>) -> Result<(), JournalError> {
        let notes = self.turn.take_notes();
        if notes.is_empty() {
            return Ok(());
        }
        let written = self.connection.unchecked_transaction().and_then(|transaction| {
            turn::write(&transaction, &notes)?;
            failpoint::pass("sink.saving");
            transaction.commit()?;
            failpoint::pass("sink.saved");
            Ok(())
        });
        written.map_err(|source| {
            self.turn.put_back(notes);
            JournalError::failed(&self.path, source)
        })
    }

    fn write<T>(&self, write: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, JournalError> {
        let _turn = self.turn.take();
        write(&self.connection).map_err(|source| JournalError::failed(&self.path, source))
    }
}

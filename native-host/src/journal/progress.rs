//! What the sinks write: how far they have come, and how they are.
//!
//! Their transactions are not synced one by one. After a crash an offset may be a little old; then a sink passes on again what it
//! has passed on already, which both sinks take for what it is.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use super::{JournalError, Turn, retain, schema};
use crate::{failpoint, time::now_ms};

/// A sink's own connection.
pub struct Progress {
    connection: Connection,
    path: std::path::PathBuf,
    turn: Turn,
    name: &'static str,
}

/// How a sink is, for `status` and `tail`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// One word, such as `running` or `unreachable`; never changes its meaning.
    pub state: &'static str,
    /// What is wrong and what to do about it.
    pub trouble: Option<Trouble>,
}

/// What keeps a sink from passing events on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What failed, with what.
    pub error: String,
    /// What to do about it.
    pub cure: String,
}

/// Something about one event that a reader of `tail` should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The event.
    pub number: u64,
    /// What happened to it.
    pub text: String,
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
            connection.execute(
                "INSERT INTO sink (name, enabled, number, state, since) VALUES (?1, 1, 0, 'running', ?2)
                 ON CONFLICT DO UPDATE SET enabled = 1, state = 'running', error = NULL, cure = NULL, since = ?2",
                params![name, now_ms()],
            )
        })?;
        Ok(progress)
    }

    /// Takes a sink that the configuration has switched off from the list.
    pub fn disable(journal: &Path, turn: &Turn, name: &str) -> Result<(), JournalError> {
        let connection = schema::connect(journal, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let _turn = turn.lock();
        connection
            .execute(
                "UPDATE sink SET enabled = 0, state = 'off', error = NULL, cure = NULL WHERE name = ?1",
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

    /// Saves that all events up to this one have been passed on.
    pub fn save(&self, number: u64, notices: &[Notice]) -> Result<(), JournalError> {
        self.write(|connection| {
            let transaction = connection.unchecked_transaction()?;
            transaction
                .prepare_cached("UPDATE sink SET number = ?2 WHERE name = ?1")?
                .execute(params![self.name, number])?;
            retain::passed(&transaction, self.name, number)?;
            for notice in notices {
                transaction
                    .prepare_cached(
                        "INSERT OR REPLACE INTO notice (stage, number, text) VALUES (?1, ?2, ?3)",
                    )?
                    .execute(params![self.name, notice.number, notice.text])?;
            }
            failpoint::pass("sink.saving");
            transaction.commit()?;
            failpoint::pass("sink.saved");
            Ok(())
        })
    }

    /// Saves how the sink is.
    pub fn set_condition(&self, condition: &Condition) -> Result<(), JournalError> {
        let trouble = condition.trouble.as_ref();
        self.write(|connection| {
            connection
                .prepare_cached(
                    "UPDATE sink SET state = ?2, error = ?3, cure = ?4, since = ?5 WHERE name = ?1",
                )?
                .execute(params![
                    self.name,
                    condition.state,
                    trouble.map(|trouble| &trouble.error),
                    trouble.map(|trouble| &trouble.cure),
                    now_ms()
                ])
                .map(|_| ())
        })
    }

    fn write<T>(&self, write: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, JournalError> {
        let _turn = self.turn.lock();
        write(&self.connection).map_err(|source| JournalError::failed(&self.path, source))
    }
}

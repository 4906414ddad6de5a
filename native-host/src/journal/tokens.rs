//! What tells this journal from a copy of it: random tokens, one for each connection to a server.
//!
//! A journal and its copy have one profile id and one history; both would go on under the same
//! name. So each connection to a server makes a *token*, saves it here and then leaves it with the
//! server. A host that finds a token there which its journal does not know has a copy that went on
//! without it.
//!
//! **Invariant:** a token is on disk before a server can have it. So no crash makes a host take its
//! own token for a stranger's.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, params};

use super::{JournalError, WriterLock, schema};
use crate::time::now_ms;

/// How many tokens are remembered. A server that was restored from a copy may have an old one.
const REMEMBERED: i64 = 1000;

/// The tokens of a journal, on a connection of their own.
pub struct Tokens {
    connection: Connection,
    path: std::path::PathBuf,
    turn: WriterLock,
}

impl Tokens {
    /// Connects to the journal of this process.
    pub fn open(journal: &Path, turn: WriterLock) -> Result<Self, JournalError> {
        let connection = schema::connect(journal, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let prepare = || {
            connection.pragma_update(None, "synchronous", "FULL")?;
            // The journal's own connection does that.
            connection.pragma_update(None, "wal_autocheckpoint", 0)
        };
        prepare().map_err(|source| JournalError::failed(journal, source))?;
        Ok(Self {
            connection,
            path: journal.to_owned(),
            turn,
        })
    }

    /// Makes a token that is on disk when this returns.
    pub fn make(&self) -> Result<String, JournalError> {
        // With the time in it: a virtual machine and its clone may draw the same random numbers.
        let token = format!("{:x}-{:016x}", now_ms(), fastrand::u64(..));
        let _turn = self.turn.take();
        let write = || {
            let transaction = self.connection.unchecked_transaction()?;
            transaction.execute("INSERT INTO token (text) VALUES (?1)", [&token])?;
            transaction.execute(
                "DELETE FROM token WHERE id <= (SELECT max(id) FROM token) - ?1",
                params![REMEMBERED],
            )?;
            transaction.commit()
        };
        write().map_err(|source| JournalError::failed(&self.path, source))?;
        Ok(token)
    }

    /// Notes that this host ends with every request of a sink answered.
    pub fn note_end(&self, sink: &str) -> Result<(), JournalError> {
        let _turn = self.turn.take();
        self.connection
            .execute(
                "INSERT OR REPLACE INTO ended (sink, starts) VALUES (?1, 0)",
                [sink],
            )
            .map(|_| ())
            .map_err(|source| JournalError::failed(&self.path, source))
    }

    /// Whether the last host before this one ended so.
    pub fn last_ended_well(&self, sink: &str) -> Result<bool, JournalError> {
        self.connection
            .query_row(
                "SELECT EXISTS (SELECT 1 FROM ended WHERE sink = ?1 AND starts = 1)",
                [sink],
                |row| row.get(0),
            )
            .map_err(|source| JournalError::failed(&self.path, source))
    }

    /// Whether this journal made a token, or the journal that it is a copy of did before it was
    /// copied.
    pub fn has(&self, token: &str) -> Result<bool, JournalError> {
        self.connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM token WHERE text = ?1)")
            .and_then(|mut statement| statement.query_row([token], |row| row.get(0)))
            .map_err(|source| JournalError::failed(&self.path, source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Author, Journal};

    #[test]
    fn tokens_are_known_by_the_journal_and_its_copies() {
        let directory = tempfile::tempdir().expect("a directory");
        let author = Author {
            browser: "b".to_owned(),
            profile: "p".to_owned(),
        };
        let journal = Journal::open(directory.path(), author).expect("a journal");
        let open = || Tokens::open(journal.path(), journal.turn()).expect("tokens");
        let tokens = open();
        let (first, second) = (tokens.make().expect("made"), tokens.make().expect("made"));
        assert_ne!(first, second);
        for token in [&first, &second] {
            assert!(open().has(token).expect("read"));
        }
        assert!(!tokens.has("another").expect("read"));
        for _ in 0..REMEMBERED {
            tokens.make().expect("made");
        }
        assert!(!tokens.has(&first).expect("read"));
    }
}

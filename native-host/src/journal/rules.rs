//! By which redaction rules the mirror's values were made.
//!
//! The extension redacts; what it says here is only whether the rules are still the same. When they
//! are not, any value in the mirror may hold what must no longer be published. It stays until it
//! has been read again, so that the caches lose nothing, but no event's `before` carries it.
//!
//! Rules are counted: each change of them begins a new generation, and each row says by which
//! generation its value was made. Times would not do: a page's clock, or this machine's, may have
//! been ahead when a value was written.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Journal, JournalError, conflict::resync, store::Stores};

impl Journal {
    /// From here on deliveries are redacted by the rules with this fingerprint. If they were others
    /// before, all stores are read again, however often the question is lost.
    pub fn redacted_by(&mut self, fingerprint: &str) -> Result<(), JournalError> {
        let _turn = self.writer_lock.take();
        let changed = change(&mut self.connection, fingerprint)
            .map_err(|source| JournalError::failed(&self.path, source))?;
        let Some((generation, origins)) = changed else {
            return Ok(());
        };
        self.state.redaction = generation;
        self.state.scans.clear();
        self.state.stores = Stores::default();
        for origin in &origins {
            self.state.resyncs.request(origin);
        }
        Ok(())
    }
}

/// The generation of the rules that hold.
pub(super) fn generation(connection: &Connection) -> rusqlite::Result<i64> {
    Ok(read(connection)?.map_or(0, |(_, generation)| generation))
}

fn read(connection: &Connection) -> rusqlite::Result<Option<(String, i64)>> {
    connection
        .query_row("SELECT fingerprint, generation FROM rules", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()
}

fn change(connection: &mut Connection, fingerprint: &str) -> rusqlite::Result<Option<(i64, Vec<String>)>> {
    let (known, generation) = read(connection)?.unwrap_or_default();
    if known == fingerprint {
        return Ok(None);
    }
    let generation = generation + 1;
    let transaction = connection.transaction()?;
    transaction.execute("DELETE FROM rules", [])?;
    transaction.execute(
        "INSERT INTO rules (fingerprint, generation) VALUES (?1, ?2)",
        params![fingerprint, generation],
    )?;
    // Records may have other keys now: that one has no row says nothing.
    transaction.execute("UPDATE store SET complete = 0", [])?;
    let origins: Vec<String> = transaction
        .prepare("SELECT DISTINCT origin FROM store")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    // Kept on disk: until the stores are read, the caches hold what the rules forbid.
    for origin in &origins {
        resync::note(&transaction, origin)?;
    }
    transaction.commit()?;
    Ok(Some((generation, origins)))
}

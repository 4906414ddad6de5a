//! By which redaction rules the mirror's values were made.
//!
//! The extension redacts; what it says here is only whether the rules are still the same. When they are not, whatever the mirror
//! has may hold what is not to be told any more. It stays until it has been read again, so that the caches lose nothing, but
//! it is told in no event's `before`.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Journal, JournalError, store::Stores};
use crate::time::now_ms;

/// Made when it is first needed: a journal without rules is the same as ever.
const TABLE: &str = "
CREATE TABLE IF NOT EXISTS redaction (
    fingerprint TEXT NOT NULL,
    since INTEGER NOT NULL              -- when the rules became these, in milliseconds
) STRICT";

impl Journal {
    /// From here on deliveries are redacted by the rules with this fingerprint. If they were others before: the origins whose
    /// stores are to be read again.
    pub fn redacted_by(&mut self, fingerprint: &str) -> Result<BTreeSet<String>, JournalError> {
        let _turn = self.turn.take();
        let changed = change(&mut self.connection, fingerprint)
            .map_err(|source| JournalError::failed(&self.path, source))?;
        let Some((since, origins)) = changed else {
            return Ok(BTreeSet::new());
        };
        self.state.redacted_since = since;
        self.state.scans.clear();
        self.state.stores = Stores::default();
        Ok(origins)
    }
}

/// When the rules became what they are; before everything if they never changed.
pub(super) fn since(connection: &Connection) -> rusqlite::Result<i64> {
    Ok(read(connection)?.map_or(i64::MIN, |(_, since)| since))
}

fn read(connection: &Connection) -> rusqlite::Result<Option<(String, i64)>> {
    let there: bool = connection.query_row(
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'redaction'",
        [],
        |row| row.get(0),
    )?;
    if !there {
        return Ok(None);
    }
    connection
        .query_row("SELECT fingerprint, since FROM redaction", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()
}

fn change(
    connection: &mut Connection,
    fingerprint: &str,
) -> rusqlite::Result<Option<(i64, BTreeSet<String>)>> {
    let known = read(connection)?.map_or_else(String::new, |(fingerprint, _)| fingerprint);
    if known == fingerprint {
        return Ok(None);
    }
    let since = now_ms();
    let transaction = connection.transaction()?;
    transaction.execute_batch(TABLE)?;
    transaction.execute("DELETE FROM redaction", [])?;
    transaction.execute(
        "INSERT INTO redaction (fingerprint, since) VALUES (?1, ?2)",
        params![fingerprint, since],
    )?;
    // Records may have other keys now: that one has no row says nothing.
    transaction.execute("UPDATE store SET complete = 0", [])?;
    let origins = transaction
        .prepare("SELECT DISTINCT origin FROM store")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    transaction.commit()?;
    Ok(Some((since, origins)))
}

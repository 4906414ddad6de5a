//! What a comparison with Memcached reads of the mirror.

use std::collections::HashSet;

use protocol::key::Key;
use rusqlite::{Connection, params};

use super::{
    super::{JournalError, schema},
    Place, Reader, VALUE, key_text, place, value,
};

/// How many events that a sink has not passed on are looked at; of a sink that is further behind,
/// every record is on its way.
const PENDING: usize = 100_000;

/// A key of a store, and what the mirror holds under it.
#[derive(Debug, Clone)]
pub struct Row {
    /// Bytes that sort as keys do.
    pub key: Vec<u8>,
    /// Canonical text.
    pub text: String,
    /// Typed JSON; `None`: it is known to be gone.
    pub value: Option<String>,
}

/// What the mirror holds of a record now.
#[derive(Debug, Clone, Default)]
pub struct Now {
    /// Typed JSON; `None`: nothing.
    pub value: Option<String>,
    /// It has changed after the event that was asked for.
    pub pending: bool,
}

impl Reader {
    /// The keys of a store after this one, those of records that are gone among them: at least one
    /// if there is one, then as many as fit.
    pub fn rows(
        &self,
        store: i64,
        after: &[u8],
        count: usize,
        bytes: usize,
    ) -> Result<Vec<Row>, JournalError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT key, value FROM record WHERE store = ?1 AND key > ?2 ORDER BY key LIMIT ?3",
            )?;
            let mut found = statement.query(params![store, after, count])?;
            let mut rows: Vec<Row> = Vec::new();
            let mut total = 0;
            while let Some(row) = found.next()? {
                let key: Vec<u8> = row.get(0)?;
                let value: Option<String> = row.get(1)?;
                total += key.len() + value.as_ref().map_or(0, String::len);
                if !rows.is_empty() && total > bytes {
                    break;
                }
                rows.push(Row {
                    text: key_text(&key)?,
                    key,
                    value,
                });
            }
            Ok(rows)
        })
    }

    /// What the mirror holds of these records at one moment, and whether it has changed after this
    /// event.
    pub fn now(&self, records: &[(i64, &[u8])], passed: u64) -> Result<Vec<Now>, JournalError> {
        self.read(|connection| {
            let transaction = connection.unchecked_transaction()?;
            let pending = pending(&transaction, passed)?;
            let mut newest = transaction.prepare_cached(VALUE)?;
            records
                .iter()
                .map(|(store, key)| {
                    Ok(Now {
                        value: value(&mut newest, *store, key)?,
                        pending: pending
                            .as_ref()
                            .is_none_or(|pending| pending.contains(&(*store, key.to_vec()))),
                    })
                })
                .collect()
        })
    }

    /// Whether a stage has said of what a record is now that it was deleted there.
    pub fn was_deleted(&self, stage: &str, store: i64, key: &[u8]) -> Result<bool, JournalError> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT EXISTS (
                        SELECT 1 FROM notice JOIN journal USING (number)
                        WHERE stage = ?1 AND store = ?2 AND key = ?3 AND text LIKE 'deleted:%' AND NOT EXISTS (
                            SELECT 1 FROM journal AS later
                            WHERE later.number > journal.number AND later.store = ?2 AND later.key = ?3))",
                )?
                .query_row(params![stage, store, key], |row| row.get(0))
        })
    }

    /// All origins that were ever known.
    pub fn origins(&self) -> Result<Vec<String>, JournalError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT origin FROM store UNION SELECT origin FROM store_list")?
                .query_map([], |row| row.get(0))?
                .collect()
        })
    }

    /// All stores that were ever known.
    pub fn places(&self) -> Result<Vec<Place>, JournalError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT origin, bucket, database, name FROM store ORDER BY id")?
                .query_map([], |row| place(row, 0))?
                .collect()
        })
    }

    /// Hands out the text of every key of a store that has a record.
    pub fn each_key(&self, store: i64, mut each: impl FnMut(&str)) -> Result<(), JournalError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT key FROM record WHERE store = ?1 AND value IS NOT NULL ORDER BY key",
            )?;
            let mut rows = statement.query([store])?;
            while let Some(row) = rows.next()? {
                // What is no key was never written by this program, to Memcached neither.
                if let Ok(key) = Key::from_bytes(row.get_ref(0)?.as_blob()?) {
                    each(&key.to_string());
                }
            }
            Ok(())
        })
    }
}

/// Keys, each with the row of its store.
type Keys = HashSet<(i64, Vec<u8>)>;

/// The records that changed after an event; `None`: too many, or the journal no longer has all the
/// events.
fn pending(connection: &Connection, after: u64) -> rusqlite::Result<Option<Keys>> {
    if after < schema::tail(connection)? {
        return Ok(None);
    }
    let mut statement = connection.prepare_cached(
        "SELECT store, key FROM journal WHERE number > ?1 AND key IS NOT NULL ORDER BY number LIMIT ?2",
    )?;
    let changed = statement
        .query_map(params![after, PENDING + 1], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    Ok((changed.len() <= PENDING).then(|| changed.into_iter().collect()))
}

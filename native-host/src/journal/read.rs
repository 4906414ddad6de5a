//! Reading a journal: the sinks do it in the host's process, the commands in their own, while the
//! host writes.
//!
//! - here: opening, and what the sinks read.
//! - `compare`: what a comparison with Memcached reads.
//! - `show`: what the commands show.
//! - `feed`: what inspectors are shown.

use std::{
    cell::Cell,
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
};

use protocol::key::Key;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Statement, params};

mod compare;
mod feed;
mod show;

pub use self::compare::{Now, Row};
pub use self::show::{Failed, SinkSummary, StoreSummary, Worker, journals};
pub use super::place::Place;
use super::{
    JournalError,
    recent::{Handed, Recent, Text},
    schema,
};

/// A connection that only reads.
pub struct Reader {
    connection: Connection,
    path: PathBuf,
    /// In the process of the journal: its last events.
    recent: Option<Recent>,
    /// What the mirror held when this was the last event may have been handed out.
    mirrored: Cell<u64>,
}

/// An event as it stands in the journal.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its number.
    pub number: u64,
    /// The store's row; see [`Reader::place`].
    pub store: i64,
    /// The event's JSON text.
    pub event: Text,
}

/// Records that changed, each with the value it has now.
#[derive(Debug, Default)]
pub struct Changes {
    /// The last event that was looked at.
    pub last: u64,
    /// Each record once.
    pub records: Vec<Changed>,
}

/// A record that changed.
#[derive(Debug)]
pub struct Changed {
    /// The number of its last event among those looked at.
    pub number: u64,
    /// The store's row; see [`Reader::place`].
    pub store: i64,
    /// Canonical text.
    pub key: Text,
    /// Typed JSON; `None`: it is gone.
    pub value: Option<Text>,
}

/// A place in the mirror's own order.
#[derive(Debug, Clone)]
pub struct Position {
    store: i64,
    key: Vec<u8>,
}

impl Reader {
    /// Opens a journal file.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        if !path.exists() {
            return Err(JournalError::Missing(path.to_owned()));
        }
        let connection = schema::connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let reader = Self {
            connection,
            path: path.to_owned(),
            recent: None,
            mirrored: Cell::new(0),
        };
        if reader.read(schema::format)? == 0 {
            // The host has made the file and not yet its tables.
            return Err(JournalError::Missing(path.to_owned()));
        }
        Ok(reader)
    }

    /// Opens the file of a journal of this process, whose last events are at hand.
    pub fn beside(path: &Path, recent: Recent) -> Result<Self, JournalError> {
        Ok(Self {
            recent: Some(recent),
            ..Self::open(path)?
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number before the first event that is still here.
    pub fn tail(&self) -> Result<u64, JournalError> {
        self.read(schema::tail)
    }

    /// The number of the last event.
    pub fn head(&self) -> Result<u64, JournalError> {
        self.read(schema::head)
    }

    /// The numbers up to this one were given out, here or elsewhere.
    pub fn given_out(&self) -> Result<u64, JournalError> {
        Ok(self.head()?.max(self.read(schema::base)?))
    }

    /// What tells it from other journals of the same profile, though not from a copy.
    pub fn identity(&self) -> Result<i64, JournalError> {
        self.read(|connection| connection.query_row("SELECT made FROM identity", [], |row| row.get(0)))
    }

    /// Whether nothing was ever passed on from here: there is neither an event nor a record.
    pub fn is_new(&self) -> Result<bool, JournalError> {
        let no_record = self.read(|connection| {
            connection.query_row("SELECT NOT EXISTS (SELECT 1 FROM record)", [], |row| row.get(0))
        })?;
        Ok(no_record && self.head()? == self.tail()?)
    }

    /// Changes with every commit of another connection.
    pub fn generation(&self) -> Result<i64, JournalError> {
        self.read(|connection| connection.pragma_query_value(None, "data_version", |row| row.get(0)))
    }

    /// The events after this one, without those that had to go: at least one if there is one, then
    /// as many as fit.
    pub fn events(&self, after: u64, count: usize, bytes: usize) -> Result<Vec<Entry>, JournalError> {
        if let Some(handed) = self.at_hand(after, count) {
            return Ok(entries(&handed, bytes));
        }
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT number, store, event FROM journal WHERE number > ?1 AND event <> ''
                 ORDER BY number LIMIT ?2",
            )?;
            let mut rows = statement.query(params![after, count])?;
            let mut entries: Vec<Entry> = Vec::new();
            let mut total = 0;
            while let Some(row) = rows.next()? {
                let entry = Entry {
                    number: row.get(0)?,
                    store: row.get(1)?,
                    event: row.get::<_, String>(2)?.into(),
                };
                total += entry.event.len();
                if !entries.is_empty() && total > bytes {
                    break;
                }
                entries.push(entry);
            }
            Ok(entries)
        })
    }

    /// The records that the next `count` events changed, with what the mirror holds of them at this
    /// moment, or held after the last of these: at least what those events say, and never less than
    /// an earlier call, or one of [`Self::records`], has said. Fewer events, if their records take
    /// more than so many bytes, but one at least.
    ///
    /// What a record holds in the middle of a transaction is never among them: the mirror has whole
    /// transactions only, and of events at hand the last transaction is taken whole, however many
    /// they are.
    pub fn changes(&self, after: u64, count: usize, bytes: usize) -> Result<Changes, JournalError> {
        // At least up to where the mirror was when it was read last: what was handed out then may
        // be as young.
        let ahead = self.mirrored.get().saturating_sub(after);
        let count_at_hand = count.max(usize::try_from(ahead).unwrap_or(usize::MAX));
        let recent = self.recent.as_ref();
        if let Some(handed) = recent.and_then(|recent| recent.transactions_after(after, count_at_hand))
            && handed.len() as u64 >= ahead
        {
            return Ok(changes(after, &handed));
        }
        self.read(|connection| {
            // One transaction, so that events and mirror belong together.
            let transaction = connection.unchecked_transaction()?;
            let mut changes = Changes {
                last: after,
                records: Vec::new(),
            };
            let mut newest: HashMap<(i64, Vec<u8>), u64> = HashMap::new();
            let mut total = 0;
            let mut statement = transaction.prepare_cached(
                "SELECT number, store, key, (SELECT octet_length(value) FROM record
                    WHERE record.store = journal.store AND record.key = journal.key)
                 FROM journal WHERE number > ?1 ORDER BY number LIMIT ?2",
            )?;
            let mut rows = statement.query(params![after, count])?;
            while let Some(row) = rows.next()? {
                let number = row.get(0)?;
                if let Some(key) = row.get::<_, Option<Vec<u8>>>(2)? {
                    let record = (row.get(1)?, key);
                    if !newest.contains_key(&record) {
                        total += record.1.len() + row.get::<_, Option<usize>>(3)?.unwrap_or(0);
                    }
                    if total > bytes && !newest.is_empty() {
                        break;
                    }
                    newest.insert(record, number);
                }
                changes.last = number;
            }
            self.mirrored.set(schema::head(&transaction)?);
            let mut statement = transaction.prepare_cached(VALUE)?;
            for ((store, key), number) in newest {
                let value = value(&mut statement, store, &key)?;
                changes.records.push(Changed {
                    number,
                    store,
                    key: key_text(&key)?.into(),
                    value: value.map(Text::from),
                });
            }
            changes.records.sort_unstable_by_key(|record| record.number);
            Ok(changes)
        })
    }

    /// The records that the mirror has after this position, or from the first one on: at least one
    /// if there is one, then as many as fit. Their number is that of no event.
    pub fn records(
        &self,
        after: Option<&Position>,
        count: usize,
        bytes: usize,
    ) -> Result<Vec<(Position, Changed)>, JournalError> {
        self.records_up_to(i64::MAX, after, count, bytes)
    }

    /// The same of one store.
    pub fn records_of(
        &self,
        store: i64,
        after: Option<&Position>,
        count: usize,
        bytes: usize,
    ) -> Result<Vec<(Position, Changed)>, JournalError> {
        let first = Position {
            store,
            key: Vec::new(),
        };
        self.records_up_to(store, after.or(Some(&first)), count, bytes)
    }

    fn records_up_to(
        &self,
        last: i64,
        after: Option<&Position>,
        count: usize,
        bytes: usize,
    ) -> Result<Vec<(Position, Changed)>, JournalError> {
        self.read(|connection| {
            // One transaction, so that the head is that of the mirror.
            let connection = connection.unchecked_transaction()?;
            self.mirrored.set(schema::head(&connection)?);
            let (store, key) = after.map_or((0, &[][..]), |position| (position.store, &position.key));
            let mut statement = connection.prepare_cached(
                "SELECT store, key, value FROM record
                 WHERE (store, key) > (?1, ?2) AND store <= ?4 AND value IS NOT NULL ORDER BY store, key LIMIT ?3",
            )?;
            let mut rows = statement.query(params![store, key, count, last])?;
            let mut records = Vec::new();
            let mut total = 0;
            while let Some(row) = rows.next()? {
                let position = Position {
                    store: row.get(0)?,
                    key: row.get(1)?,
                };
                let value: String = row.get(2)?;
                total += position.key.len() + value.len();
                if !records.is_empty() && total > bytes {
                    break;
                }
                let record = Changed {
                    number: 0,
                    store: position.store,
                    key: key_text(&position.key)?.into(),
                    value: Some(value.into()),
                };
                records.push((position, record));
            }
            Ok(records)
        })
    }

    /// Reads from now on what is in the file: what was at hand is no longer so.
    pub fn forget_recent(&self) {
        if let Some(recent) = &self.recent {
            recent.clear();
        }
    }

    fn at_hand(&self, after: u64, count: usize) -> Option<Vec<Handed>> {
        self.recent.as_ref()?.after(after, count)
    }

    /// Where a store is.
    pub fn place(&self, store: i64) -> Result<Place, JournalError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT origin, bucket, database, name FROM store WHERE id = ?1")?
                .query_row([store], |row| place(row, 0))
        })
    }

    fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, JournalError> {
        read(&self.connection).map_err(|source| JournalError::failed(&self.path, source))
    }
}

/// As many as fit, but one at least.
fn entries(handed: &[Handed], bytes: usize) -> Vec<Entry> {
    let mut total = 0;
    let mut entries = Vec::with_capacity(handed.len());
    for handed in handed {
        let Some(event) = handed.event() else { break };
        total += event.text.len();
        if !entries.is_empty() && total > bytes {
            break;
        }
        entries.push(Entry {
            number: event.number,
            store: event.store,
            event: handed.part(0..event.text.len()),
        });
    }
    entries
}

/// The records that these events changed, as the last of them left them.
fn changes(after: u64, handed: &[Handed]) -> Changes {
    let mut changes = Changes {
        last: after,
        records: Vec::new(),
    };
    let mut known = HashSet::new();
    for handed in handed.iter().rev() {
        let Some(event) = handed.event() else { break };
        changes.last = changes.last.max(event.number);
        if let Some((key, value)) = &event.record
            && known.insert((event.store, event.text.get(key.clone())))
        {
            changes.records.push(Changed {
                number: event.number,
                store: event.store,
                key: handed.part(key.clone()),
                value: value.clone().map(|value| handed.part(value)),
            });
        }
    }
    changes.records.reverse();
    changes
}

/// The canonical text of a key's bytes.
fn key_text(bytes: &[u8]) -> rusqlite::Result<String> {
    Key::from_bytes(bytes)
        .map(|key| key.to_string())
        .map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Blob, Box::new(error))
        })
}

/// What the mirror has of a record.
const VALUE: &str = "SELECT value FROM record WHERE store = ?1 AND key = ?2";

fn value(statement: &mut Statement<'_>, store: i64, key: &[u8]) -> rusqlite::Result<Option<String>> {
    statement
        .query_row(params![store, key], |row| row.get(0))
        .optional()
        .map(Option::flatten)
}

fn place(row: &rusqlite::Row<'_>, first: usize) -> rusqlite::Result<Place> {
    Ok(Place {
        origin: row.get(first)?,
        bucket: row.get(first + 1)?,
        database: row.get(first + 2)?,
        store: row.get(first + 3)?,
    })
}

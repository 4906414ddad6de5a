//! The events of one delivery until all of them are known, for each says how many there are.
//!
//! How many come of a `clear` or of a store that goes, and how long the values before are, no
//! delivery bounds. So only so much is kept in memory. What is more is spilled in a temporary
//! table, of which SQLite keeps little in memory: it is in a file that has no name and that is let
//! go of once the transaction is over.

use std::borrow::Cow;

use protocol::{event::Op, schema::SchemaChange};
use rusqlite::{CachedStatement, Connection, params};
use serde_json::value::RawValue;

use super::{
    super::key::{RecordKey, raw},
    before::Before,
};

/// How many bytes of pending events are kept in memory.
const BYTES: usize = 8 * 1024 * 1024;

const TABLE: &str = "
CREATE TEMPORARY TABLE IF NOT EXISTS spilled (
    id INTEGER PRIMARY KEY,             -- in their order
    key BLOB NOT NULL,
    before TEXT,                        -- null: unknown
    after TEXT
) STRICT";

/// An event without what it shares with its neighbours.
#[derive(Debug)]
pub(super) struct PendingEvent<'a> {
    pub op: Op,
    pub store: i64,
    pub store_name: &'a str,
    /// None for a truncate and for a change of the store's shape.
    pub key: Option<RecordKey>,
    /// For a truncate by range.
    pub range: Option<Box<RawValue>>,
    pub before: Before,
    /// None is `null`.
    pub after: Option<Cow<'a, RawValue>>,
    /// For a change of the store's shape.
    pub schema: Option<&'a SchemaChange<'a>>,
    /// Most likely older than what the mirror has, which stays as it is.
    pub late: bool,
}

impl<'a> PendingEvent<'a> {
    /// An event that says only what happened where.
    pub(super) fn of(op: Op, store: i64, store_name: &'a str) -> Self {
        Self {
            op,
            store,
            store_name,
            key: None,
            range: None,
            before: Before::Unknown,
            after: None,
            schema: None,
            late: false,
        }
    }

    /// The bytes of its values and its key, which its event has.
    fn event_bytes(&self) -> u64 {
        let before = match &self.before {
            Before::Value(value) => value.len(),
            Before::Unknown | Before::Absent => 0,
        };
        let after = self.after.as_ref().map_or(0, |value| value.get().len());
        let key = self.key.as_ref().map_or(0, |key| key.text.get().len());
        (before + after + key) as u64
    }

    /// The bytes it takes, without what belongs to the delivery.
    fn bytes(&self) -> usize {
        let before = match &self.before {
            Before::Value(value) => value.len(),
            Before::Unknown | Before::Absent => 0,
        };
        let after = match &self.after {
            Some(Cow::Owned(value)) => value.get().len(),
            Some(Cow::Borrowed(_)) | None => 0,
        };
        size_of::<Self>() + self.key.as_ref().map_or(0, RecordKey::len) + before + after
    }
}

/// Drafts in their order.
pub(super) struct PendingEvents<'a, 'j> {
    connection: &'j Connection,
    runs: Vec<Run<'a>>,
    count: u64,
    /// Of those in memory.
    bytes: usize,
    /// Of the values and keys in all of them.
    event_bytes: u64,
    /// How many bytes of these are of use: what comes after them is written without any.
    value_budget: u64,
    spill: Option<CachedStatement<'j>>,
}

enum Run<'a> {
    InMemory(PendingEvent<'a>),
    /// So many that were spilled one after the other, and have this in common.
    Spilled {
        op: Op,
        store: i64,
        store_name: &'a str,
        late: bool,
        count: u64,
    },
}

impl<'a, 'j> PendingEvents<'a, 'j> {
    /// None yet.
    pub(super) fn of(connection: &'j Connection, capacity: usize, room: u64) -> Self {
        Self {
            connection,
            runs: Vec::with_capacity(capacity),
            count: 0,
            bytes: 0,
            event_bytes: 0,
            value_budget: room,
            spill: None,
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        self.count
    }

    /// The index of the event that is added next, for [`set_late`](Self::set_late).
    pub(super) fn next(&self) -> usize {
        self.runs.len()
    }

    /// The event at this index, which concerns no record, turned out to be late.
    pub(super) fn set_late(&mut self, place: usize) {
        if let Some(Run::InMemory(event)) = self.runs.get_mut(place) {
            event.late = true;
        }
    }

    /// Whether any are in the table, or were.
    pub(super) fn have_spilled(&self) -> bool {
        self.spill.is_some()
    }

    /// Adds one.
    pub(super) fn push(&mut self, mut event: PendingEvent<'a>) -> rusqlite::Result<()> {
        self.count += 1;
        if self.event_bytes > self.value_budget {
            (event.before, event.after) = (Before::Unknown, None);
        }
        self.event_bytes += event.event_bytes();
        let bytes = event.bytes();
        // What concerns no record is no more than the delivery says.
        if let Some(key) = &event.key
            && self.bytes + bytes > BYTES
        {
            return self.spill(key, &event);
        }
        self.bytes += bytes;
        self.runs.push(Run::InMemory(event));
        Ok(())
    }

    fn spill(&mut self, key: &RecordKey, event: &PendingEvent<'a>) -> rusqlite::Result<()> {
        let before = match &event.before {
            Before::Unknown => None,
            Before::Absent => Some(RawValue::NULL.get()),
            Before::Value(value) => Some(&**value),
        };
        let after = event.after.as_ref().map(|value| value.get());
        if self.spill.is_none() {
            self.connection.execute_batch(TABLE)?;
        }
        let insert = match &mut self.spill {
            Some(insert) => insert,
            none => none.insert(
                self.connection
                    .prepare_cached("INSERT INTO temp.spilled (key, before, after) VALUES (?1, ?2, ?3)")?,
            ),
        };
        insert.execute(params![key.bytes, before, after])?;
        match self.runs.last_mut() {
            Some(Run::Spilled {
                op,
                store,
                store_name,
                late,
                count,
            }) if (*op, *store, *store_name, *late)
                == (event.op, event.store, event.store_name, event.late) =>
            {
                *count += 1;
            }
            _ => self.runs.push(Run::Spilled {
                op: event.op,
                store: event.store,
                store_name: event.store_name,
                late: event.late,
                count: 1,
            }),
        }
        Ok(())
    }

    /// Takes them one by one.
    pub(super) fn take(
        self,
        mut take: impl FnMut(PendingEvent<'a>) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        if self.spill.is_none() {
            // The table may not exist.
            return self.runs.into_iter().try_for_each(|run| match run {
                Run::InMemory(event) => take(event),
                Run::Spilled { .. } => Ok(()),
            });
        }
        {
            let mut aside = self
                .connection
                .prepare_cached("SELECT key, before, after FROM temp.spilled ORDER BY id")?;
            let mut rows = aside.query([])?;
            for run in self.runs {
                match run {
                    Run::InMemory(event) => take(event)?,
                    Run::Spilled {
                        op,
                        store,
                        store_name,
                        late,
                        count,
                    } => {
                        for _ in 0..count {
                            let row = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
                            let key = RecordKey::from_bytes(row.get(0)?).map_err(super::stored)?;
                            let before: Option<String> = row.get(1)?;
                            let after: Option<String> = row.get(2)?;
                            take(PendingEvent {
                                key: Some(key),
                                before: before.map_or(Before::Unknown, Before::Value),
                                after: after.map(|value| Cow::Owned(raw(value))),
                                late,
                                ..PendingEvent::of(op, store, store_name)
                            })?;
                        }
                    }
                }
            }
        }
        self.connection
            .execute("DELETE FROM temp.spilled", [])
            .map(|_| ())
    }
}

/// Gives the table's file back, which never shrinks by itself. Not within a transaction.
pub(super) fn drop_spill_file(connection: &Connection) -> rusqlite::Result<()> {
    // SQLite drops all temporary tables when this setting changes, also if both values keep them in
    // files.
    connection.execute_batch("PRAGMA temp_store = FILE; PRAGMA temp_store = DEFAULT")
}

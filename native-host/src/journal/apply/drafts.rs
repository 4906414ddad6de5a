//! The events of one delivery until all of them are known, for each says how many there are.
//!
//! How many come of a `clear` or of a store that goes, and how long the values before are, no
//! delivery bounds. So only so much is kept in memory. What is more is laid aside in a temporary
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

/// How many bytes of drafts are kept in memory.
const BYTES: usize = 8 * 1024 * 1024;

const TABLE: &str = "
CREATE TEMPORARY TABLE IF NOT EXISTS aside (
    id INTEGER PRIMARY KEY,             -- in their order
    key BLOB NOT NULL,
    before TEXT,                        -- null: unknown
    after TEXT
) STRICT";

/// An event without what it shares with its neighbours.
#[derive(Debug)]
pub(super) struct Draft<'a> {
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

impl<'a> Draft<'a> {
    /// A draft that says no more than what happened where.
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
    fn told_bytes(&self) -> u64 {
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
        let key = |key: &RecordKey| key.bytes.len() + key.text.get().len();
        let before = match &self.before {
            Before::Value(value) => value.len(),
            Before::Unknown | Before::Absent => 0,
        };
        let after = match &self.after {
            Some(Cow::Owned(value)) => value.get().len(),
            Some(Cow::Borrowed(_)) | None => 0,
        };
        size_of::<Self>() + self.key.as_ref().map_or(0, key) + before + after
    }
}

/// Drafts in their order.
pub(super) struct Drafts<'a, 'j> {
    connection: &'j Connection,
    runs: Vec<Run<'a>>,
    count: u64,
    /// Of those in memory.
    bytes: usize,
    /// Of the values and keys in all of them.
    told_bytes: u64,
    /// How many bytes of these are of use: what comes after them is written without any.
    room: u64,
    lay_aside: Option<CachedStatement<'j>>,
}

enum Run<'a> {
    Kept(Draft<'a>),
    /// So many that were laid aside one after the other, and have this in common.
    Aside {
        op: Op,
        store: i64,
        store_name: &'a str,
        late: bool,
        count: u64,
    },
}

impl<'a, 'j> Drafts<'a, 'j> {
    /// None yet.
    pub(super) fn of(connection: &'j Connection, capacity: usize, room: u64) -> Self {
        Self {
            connection,
            runs: Vec::with_capacity(capacity),
            count: 0,
            bytes: 0,
            told_bytes: 0,
            room,
            lay_aside: None,
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        self.count
    }

    /// The place of the draft that is added next, for [`set_late`](Self::set_late).
    pub(super) fn next(&self) -> usize {
        self.runs.len()
    }

    /// The draft at this place, which concerns no record, came out to be late.
    pub(super) fn set_late(&mut self, place: usize) {
        if let Some(Run::Kept(draft)) = self.runs.get_mut(place) {
            draft.late = true;
        }
    }

    /// Whether any are in the table, or were.
    pub(super) fn are_aside(&self) -> bool {
        self.lay_aside.is_some()
    }

    /// Adds one.
    pub(super) fn push(&mut self, mut draft: Draft<'a>) -> rusqlite::Result<()> {
        self.count += 1;
        if self.told_bytes > self.room {
            (draft.before, draft.after) = (Before::Unknown, None);
        }
        self.told_bytes += draft.told_bytes();
        let bytes = draft.bytes();
        // What concerns no record is no more than the delivery says.
        if let Some(key) = &draft.key
            && self.bytes + bytes > BYTES
        {
            return self.lay_aside(key, &draft);
        }
        self.bytes += bytes;
        self.runs.push(Run::Kept(draft));
        Ok(())
    }

    fn lay_aside(&mut self, key: &RecordKey, draft: &Draft<'a>) -> rusqlite::Result<()> {
        let before = match &draft.before {
            Before::Unknown => None,
            Before::Absent => Some(RawValue::NULL.get()),
            Before::Value(value) => Some(&**value),
        };
        let after = draft.after.as_ref().map(|value| value.get());
        if self.lay_aside.is_none() {
            self.connection.execute_batch(TABLE)?;
        }
        let insert = match &mut self.lay_aside {
            Some(insert) => insert,
            none => none.insert(
                self.connection
                    .prepare_cached("INSERT INTO temp.aside (key, before, after) VALUES (?1, ?2, ?3)")?,
            ),
        };
        insert.execute(params![key.bytes, before, after])?;
        match self.runs.last_mut() {
            Some(Run::Aside {
                op,
                store,
                store_name,
                late,
                count,
            }) if (*op, *store, *store_name, *late)
                == (draft.op, draft.store, draft.store_name, draft.late) =>
            {
                *count += 1;
            }
            _ => self.runs.push(Run::Aside {
                op: draft.op,
                store: draft.store,
                store_name: draft.store_name,
                late: draft.late,
                count: 1,
            }),
        }
        Ok(())
    }

    /// Takes them one by one.
    pub(super) fn take(
        self,
        mut take: impl FnMut(Draft<'a>) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        if self.lay_aside.is_none() {
            // Without a look at a table that may not be there.
            return self.runs.into_iter().try_for_each(|run| match run {
                Run::Kept(draft) => take(draft),
                Run::Aside { .. } => Ok(()),
            });
        }
        {
            let mut aside = self
                .connection
                .prepare_cached("SELECT key, before, after FROM temp.aside ORDER BY id")?;
            let mut rows = aside.query([])?;
            for run in self.runs {
                match run {
                    Run::Kept(draft) => take(draft)?,
                    Run::Aside {
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
                            take(Draft {
                                key: Some(key),
                                before: before.map_or(Before::Unknown, Before::Value),
                                after: after.map(|value| Cow::Owned(raw(value))),
                                late,
                                ..Draft::of(op, store, store_name)
                            })?;
                        }
                    }
                }
            }
        }
        self.connection.execute("DELETE FROM temp.aside", []).map(|_| ())
    }
}

/// Gives the table's file back, which never shrinks by itself. Not within a transaction.
pub(super) fn let_go(connection: &Connection) -> rusqlite::Result<()> {
    // SQLite drops all temporary tables when this setting changes, also if both values keep them in
    // files.
    connection.execute_batch("PRAGMA temp_store = FILE; PRAGMA temp_store = DEFAULT")
}

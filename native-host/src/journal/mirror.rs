//! The mirror: the latest value of every record, as the newest event says it.

use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params};

use super::{
    apply::Before,
    key::Span,
    order::{NOBODY, SLACK_MS, When, Word},
};

/// What the mirror knows of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// Typed JSON; `None` is a tombstone: known to be absent.
    pub value: Option<String>,
    /// Who settled it last, and when.
    pub word: Word,
}

impl Row {
    /// What an event may tell of it, where values up to this time are not to be told.
    pub(super) fn told(&self, redacted_since: i64) -> Before {
        match &self.value {
            None => Before::Absent,
            Some(_) if self.word.at <= redacted_since => Before::Unknown,
            Some(value) => Before::Value(value.clone()),
        }
    }
}

/// Single records, within a transaction: its statements stay at hand, for there are many.
pub(super) struct Single<'c> {
    row: CachedStatement<'c>,
    write: CachedStatement<'c>,
}

impl<'c> Single<'c> {
    pub(super) fn of(connection: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            row: connection
                .prepare_cached("SELECT value, context, at FROM record WHERE store = ?1 AND key = ?2")?,
            write: connection.prepare_cached(
                "INSERT INTO record (store, key, value, context, at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO UPDATE SET value = excluded.value, context = excluded.context, at = excluded.at",
            )?,
        })
    }

    pub(super) fn row(&mut self, store: i64, key: &[u8]) -> rusqlite::Result<Option<Row>> {
        self.row
            .query_row(params![store, key], |row| {
                Ok(Row {
                    value: row.get(0)?,
                    word: Word {
                        by: row.get(1)?,
                        at: row.get(2)?,
                    },
                })
            })
            .optional()
    }

    pub(super) fn write(
        &mut self,
        store: i64,
        key: &[u8],
        value: Option<&str>,
        word: Word,
    ) -> rusqlite::Result<()> {
        self.write
            .execute(params![store, key, value, word.by, word.at])
            .map(|_| ())
    }
}

/// Stretches of records, within a transaction.
#[derive(Clone, Copy)]
pub(super) struct Mirror<'c>(pub &'c Connection);

impl<'c> Mirror<'c> {
    fn statement(self, sql: &str) -> rusqlite::Result<CachedStatement<'c>> {
        self.0.prepare_cached(sql)
    }

    /// The records of a stretch that are there, in key order.
    pub(super) fn live(self, store: i64, span: &Span) -> rusqlite::Result<Vec<(Vec<u8>, Row)>> {
        self.statement(
            "SELECT key, value, context, at FROM record
             WHERE store = ?1 AND key >= ?2 AND key < ?3 AND value IS NOT NULL ORDER BY key",
        )?
        .query_map(params![store, span.from, span.to], |row| {
            let known = Row {
                value: row.get(1)?,
                word: Word {
                    by: row.get(2)?,
                    at: row.get(3)?,
                },
            };
            Ok((row.get(0)?, known))
        })?
        .collect()
    }

    /// Makes all records of a stretch tombstones; what is said of each afterwards is [`When::after`], in SQL.
    pub(super) fn bury(self, store: i64, span: &Span, when: When) -> rusqlite::Result<()> {
        let When {
            context,
            began_at,
            committed_at,
        } = when;
        self.statement(
            "UPDATE record SET value = NULL, at = max(at, ?5), context =
                CASE WHEN context <> ?4 AND ?6 <= at + iif(context = -?4, 0, ?7) THEN ?8 ELSE ?4 END
             WHERE store = ?1 AND key >= ?2 AND key < ?3",
        )?
        .execute(params![
            store,
            span.from,
            span.to,
            context,
            committed_at,
            began_at,
            SLACK_MS,
            NOBODY
        ])
        .map(|_| ())
    }
}

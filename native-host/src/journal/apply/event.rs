//! From what changed to the journal's rows.

use std::borrow::Cow;

use protocol::{
    event::{Event, Op, Rendered, Source, Transaction},
    schema::SchemaChange,
};
use rusqlite::params;
use serde_json::value::RawValue;

use super::{
    super::{
        key::{RecordKey, raw},
        recent,
    },
    Batch,
};

/// What is known of the value before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::journal) enum Before {
    Unknown,
    Absent,
    Value(String),
}

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
        }
    }
}

/// What the events of one delivery share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene<'a> {
    pub origin: &'a str,
    pub bucket: &'a str,
    pub database: &'a str,
    pub version: u64,
    pub context_name: &'a str,
    pub ts_ms: i64,
    /// None: it was read, not observed.
    pub transaction: Option<&'a str>,
}

impl Batch<'_> {
    /// Gives the drafts their numbers and writes them.
    pub(super) fn emit(&mut self, scene: Scene<'_>, drafts: Vec<Draft<'_>>) -> rusqlite::Result<()> {
        let count = drafts.len() as u64;
        for (order, draft) in (1..).zip(drafts) {
            let number = self.state.head.max(self.state.base) + 1;
            let before = match draft.before {
                Before::Unknown => None,
                Before::Absent => Some(RawValue::NULL.to_owned()),
                Before::Value(value) => Some(raw(value)),
            };
            let event = Event {
                op: draft.op,
                key: draft.key.as_ref().map(|key| &*key.text),
                range: draft.range.as_deref(),
                before: before.as_deref(),
                schema: draft.schema.cloned(),
                gap: None,
                after: draft.after.as_deref().unwrap_or(RawValue::NULL),
                ts_ms: scene.ts_ms,
                source: Source {
                    version: Cow::Borrowed(crate::VERSION),
                    browser: Cow::Borrowed(&self.state.author.browser),
                    profile: Cow::Borrowed(&self.state.author.profile),
                    origin: Cow::Borrowed(scene.origin),
                    bucket: Cow::Borrowed(scene.bucket),
                    database: Cow::Borrowed(scene.database),
                    database_version: scene.version,
                    store: Cow::Borrowed(draft.store_name),
                    context: Cow::Borrowed(scene.context_name),
                    sequence: number,
                    snapshot: scene.transaction.is_none(),
                },
                transaction: scene.transaction.map(|id| Transaction {
                    id: Cow::Borrowed(id),
                    total_order: order,
                    event_count: count,
                }),
            };
            let Rendered { text, key, after } = self
                .state
                .renderer
                .render(&event)
                .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
            self.insert.execute(params![
                number,
                draft.store,
                draft.key.as_ref().map(|key| &key.bytes),
                text
            ])?;
            self.state.head = number;
            self.state.room.bytes += text.len() as u64;
            self.written.push(recent::Event {
                number,
                store: draft.store,
                record: key.map(|key| (key, draft.after.is_some().then_some(after))),
                text,
            });
        }
        Ok(())
    }
}

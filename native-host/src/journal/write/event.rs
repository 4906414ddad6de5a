//! From what changed to the journal's rows.

use std::borrow::Cow;

use protocol::{
    body::WritingWorker,
    event::{Event, Rendered, Source, Transaction, Writer},
};
use rusqlite::params;
use serde_json::value::RawValue;

use super::{
    super::{key::raw, recent, retention::limits::row_bytes, row_state::RowState},
    Batch,
    before::Before,
    pending::{PendingEvent, PendingEvents},
};

/// What the events of one delivery share.
#[derive(Debug, Clone, Copy)]
pub(super) struct EventContext<'a> {
    pub origin: &'a str,
    pub bucket: &'a str,
    pub database: &'a str,
    pub version: u64,
    pub context_name: &'a str,
    /// None: the document itself wrote, or it was read.
    pub writer: Option<&'a WritingWorker<'a>>,
    pub ts_ms: i64,
    /// None: it was read, not observed.
    pub transaction: Option<&'a str>,
}

impl<'j> Batch<'j> {
    /// Numbers the pending events and writes them.
    pub(super) fn emit(
        &mut self,
        event_context: EventContext<'_>,
        events: PendingEvents<'_, 'j>,
    ) -> rusqlite::Result<()> {
        self.has_spilled |= events.have_spilled();
        let count = events.len();
        let mut order = 0;
        events.take(|pending| {
            order += 1;
            self.write_event(event_context, (order, count), pending)
        })
    }

    /// The same of one that is no part of a transaction.
    pub(super) fn emit_one(
        &mut self,
        event_context: EventContext<'_>,
        pending: PendingEvent<'_>,
    ) -> rusqlite::Result<()> {
        self.write_event(event_context, (1, 1), pending)
    }

    /// Writes an event, which of how many of its transaction it is.
    fn write_event(
        &mut self,
        event_context: EventContext<'_>,
        (order, count): (u64, u64),
        pending: PendingEvent<'_>,
    ) -> rusqlite::Result<()> {
        if self.is_voluminous() {
            return self.drop_event(pending.store, pending.key.as_ref().map(|key| &key.bytes[..]));
        }
        let number = self.state.head.max(self.state.base) + 1;
        let before = match pending.before {
            Before::Unknown => None,
            Before::Absent => Some(RawValue::NULL.to_owned()),
            Before::Value(value) => Some(raw(value)),
        };
        let event = Event {
            op: pending.op,
            key: pending.key.as_ref().map(|key| &*key.text),
            range: pending.range.as_deref(),
            before: before.as_deref(),
            schema: pending.schema.cloned(),
            gap: None,
            after: pending.after.as_deref().unwrap_or(RawValue::NULL),
            ts_ms: event_context.ts_ms,
            source: Source {
                version: Cow::Borrowed(crate::VERSION),
                browser: Cow::Borrowed(&self.state.author.browser),
                profile: Cow::Borrowed(&self.state.author.profile),
                origin: Cow::Borrowed(event_context.origin),
                bucket: Cow::Borrowed(event_context.bucket),
                database: Cow::Borrowed(event_context.database),
                database_version: event_context.version,
                store: Cow::Borrowed(pending.store_name),
                context: Cow::Borrowed(event_context.context_name),
                writer: event_context.writer.map(|worker| Writer {
                    kind: worker.kind,
                    url: Cow::Borrowed(&worker.url),
                }),
                sequence: number,
                snapshot: event_context.transaction.is_none(),
                late: pending.late,
            },
            transaction: event_context.transaction.map(|id| Transaction {
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
            pending.store,
            RowState::Whole,
            pending.key.as_ref().map(|key| &key.bytes),
            text
        ])?;
        self.state.head = number;
        self.state.usage.bytes += row_bytes(&text, pending.key.as_ref().map(|key| &key.bytes[..]));
        self.state.attempted += text.len() as u64;
        self.volume.text += text.len() as u64;
        self.written.push(recent::Event {
            number,
            store: pending.store,
            record: key
                .filter(|_| !pending.late)
                .map(|key| (key, pending.after.is_some().then_some(after))),
            goes_on: order < count,
            text,
        });
        Ok(())
    }
}

//! From what changed to the journal's rows.

use std::borrow::Cow;

use protocol::event::{Event, Rendered, Source, Transaction};
use rusqlite::params;
use serde_json::value::RawValue;

use super::{
    super::{key::raw, recent},
    Batch,
    before::Before,
    drafts::{Draft, Drafts},
};

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

impl<'j> Batch<'j> {
    /// Gives the drafts their numbers and writes them.
    pub(super) fn emit(&mut self, scene: Scene<'_>, drafts: Drafts<'_, 'j>) -> rusqlite::Result<()> {
        self.laid_aside |= drafts.are_aside();
        let count = drafts.len();
        let mut order = 0;
        drafts.take(|draft| {
            order += 1;
            self.write_event(scene, (order, count), draft)
        })
    }

    /// The same of one that is no part of a transaction.
    pub(super) fn emit_one(&mut self, scene: Scene<'_>, draft: Draft<'_>) -> rusqlite::Result<()> {
        self.write_event(scene, (1, 1), draft)
    }

    /// Writes an event, which of how many of its transaction it is.
    fn write_event(
        &mut self,
        scene: Scene<'_>,
        (order, count): (u64, u64),
        draft: Draft<'_>,
    ) -> rusqlite::Result<()> {
        if self.is_voluminous() {
            return self.leave_out(draft.store, draft.key.as_ref().map(|key| &key.bytes[..]));
        }
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
                late: draft.late,
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
        self.state.attempted += text.len() as u64;
        self.volume.text += text.len() as u64;
        self.written.push(recent::Event {
            number,
            store: draft.store,
            record: key
                .filter(|_| !draft.late)
                .map(|key| (key, draft.after.is_some().then_some(after))),
            goes_on: order < count,
            text,
        });
        Ok(())
    }
}

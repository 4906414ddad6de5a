//! One event as the list and the filter need it.
//!
//! Key and values are byte ranges of the event's text, so that an event costs little more than its
//! text.

use std::{ops::Range, sync::Arc};

use protocol::{
    event::{self, Event, Op},
    schema::SchemaChange,
    wire::inspector::left_out_bytes,
};
use serde_json::value::RawValue;

/// The stages behind the page, in their order.
pub const STAGES: [&str; 3] = ["journal", "redis", "memcached"];

/// The document and store of an event; shared by all events of the same document and store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowSource {
    /// Serialised origin.
    pub origin: String,
    /// Storage bucket; empty for the default one.
    pub bucket: String,
    /// The database's name.
    pub database: String,
    /// The store's name.
    pub store: String,
    /// The document's id.
    pub context: String,
    /// The worker that wrote, if it was one.
    pub writer: Option<event::Writer<'static>>,
}

impl RowSource {
    pub(super) fn from_event(source: &event::Source<'_>) -> Self {
        Self {
            origin: source.origin.clone().into_owned(),
            bucket: source.bucket.clone().into_owned(),
            database: source.database.clone().into_owned(),
            store: source.store.clone().into_owned(),
            context: source.context.clone().into_owned(),
            writer: source.writer.as_ref().map(|writer| event::Writer {
                kind: writer.kind,
                url: writer.url.clone().into_owned().into(),
            }),
        }
    }

    pub(super) fn matches(&self, source: &event::Source<'_>) -> bool {
        self.context == source.context
            && self.writer == source.writer
            && self.store == source.store
            && self.database == source.database
            && self.origin == source.origin
            && self.bucket == source.bucket
    }
}

/// The position of an event in its transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowTransaction {
    /// The transaction's id.
    pub id: Arc<str>,
    /// Counts from 1.
    pub order: u64,
    /// The number of events of the transaction.
    pub count: u64,
}

/// See the [module](self).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// The event's number in its journal.
    pub number: u64,
    pub op: Op,
    pub source: Arc<RowSource>,
    /// When the page saw the commit, in milliseconds since the epoch.
    pub committed_at: i64,
    /// The record was read; its write was not observed.
    pub is_snapshot: bool,
    /// [`EventRow::key`] is the key of a record, not a range.
    pub has_key: bool,
    pub transaction: Option<RowTransaction>,
    /// The problems that stages reported: (stage, text).
    pub notices: Vec<(String, String)>,
    /// For a schema event: the change in words.
    pub schema_change: Option<Box<str>>,
    /// The event as it was published.
    pub text: Box<str>,
    /// Milliseconds from the commit to each of [`STAGES`].
    lags: [Option<u32>; STAGES.len()],
    key: Range<u32>,
    before: Option<Range<u32>>,
    after: Range<u32>,
}

impl EventRow {
    pub(super) fn new(
        text: &str,
        event: &Event<'_>,
        source: Arc<RowSource>,
        transaction: Option<RowTransaction>,
    ) -> Self {
        let range = |value: &RawValue| range_in(text, value.get());
        Self {
            number: event.source.sequence,
            op: event.op,
            source,
            committed_at: event.ts_ms,
            is_snapshot: event.source.snapshot,
            has_key: event.key.is_some(),
            transaction,
            notices: Vec::new(),
            schema_change: event
                .schema
                .as_ref()
                .map(|change| describe_schema_change(change).into()),
            text: text.into(),
            lags: [None; STAGES.len()],
            key: event.key.or(event.range).map_or(0..0, range),
            before: event.before.map(range),
            after: range(event.after),
        }
    }

    fn text_of(&self, range: &Range<u32>) -> &str {
        self.text
            .get(range.start as usize..range.end as usize)
            .unwrap_or_default()
    }

    /// The text of the key. A range deletion has its range here; an event of the whole store has
    /// nothing.
    pub fn key(&self) -> &str {
        self.text_of(&self.key)
    }

    /// The typed value before. `None`: unknown; `null`: there was no record.
    pub fn before(&self) -> Option<&str> {
        self.before.as_ref().map(|range| self.text_of(range))
    }

    pub fn after(&self) -> &str {
        self.text_of(&self.after)
    }

    /// The value to show: the deleted one of a deletion, else the new one.
    pub fn value(&self) -> &str {
        match self.op {
            Op::Delete => self.before().unwrap_or("null"),
            _ => self.after(),
        }
    }

    /// The length of the value's text in bytes.
    pub fn value_size(&self) -> Option<usize> {
        (self.has_key && self.op != Op::Delete)
            .then(|| left_out_bytes(self.after()).unwrap_or(self.after.len()))
    }

    /// Whether a key or value was too large for the feed, which then carries a marker instead.
    pub fn has_left_out_value(&self) -> bool {
        let parts = [self.key(), self.after(), self.before().unwrap_or_default()];
        parts.into_iter().any(|part| left_out_bytes(part).is_some())
    }

    /// The texts that a filter searches.
    pub fn searchable_texts(&self) -> impl Iterator<Item = &str> {
        let source = &self.source;
        let names = [&source.store, &source.database, &source.origin, &source.bucket];
        [self.key(), self.after(), self.before().unwrap_or_default()]
            .into_iter()
            .chain(names.into_iter().map(String::as_str))
            .chain(self.schema_change.as_deref())
    }

    /// Milliseconds from the commit to a stage. The page's clock may be coarser than the host's.
    pub fn lag(&self, stage: usize) -> Option<i64> {
        self.lags.get(stage).copied().flatten().map(i64::from)
    }

    /// Records that the event passed a stage, in milliseconds since the epoch. False: it had
    /// before.
    pub(super) fn record_stage(&mut self, stage: usize, at: i64) -> bool {
        if self.lags[stage].is_some() {
            return false;
        }
        let lag = (at - self.committed_at).max(0);
        self.lags[stage] = Some(u32::try_from(lag).unwrap_or(u32::MAX));
        true
    }

    /// The problem that a stage reported.
    pub fn notice(&self, stage: usize) -> Option<&str> {
        let name = STAGES.get(stage)?;
        let (_, text) = self.notices.iter().find(|(stage, _)| stage == name)?;
        Some(text)
    }

    pub fn is_in_same_transaction(&self, other: &Self) -> bool {
        match (&self.transaction, &other.transaction) {
            (Some(this), Some(other)) => Arc::ptr_eq(&this.id, &other.id) || this.id == other.id,
            _ => false,
        }
    }
}

/// A schema change by the names of the IndexedDB calls.
fn describe_schema_change(change: &SchemaChange<'_>) -> String {
    match change {
        SchemaChange::CreateStore {
            key_path,
            auto_increment,
        } => {
            let generated = if *auto_increment { ", autoIncrement" } else { "" };
            format!("createObjectStore (keyPath {}{generated})", key_path.get())
        }
        SchemaChange::DeleteStore {} => "deleteObjectStore".to_owned(),
        SchemaChange::RenameStore { to } => format!("renamed to {to:?}"),
        SchemaChange::CreateIndex {
            index,
            key_path,
            unique,
            multi_entry,
        } => {
            let unique = if *unique { ", unique" } else { "" };
            let multi_entry = if *multi_entry { ", multiEntry" } else { "" };
            format!("createIndex {index:?} on {}{unique}{multi_entry}", key_path.get())
        }
        SchemaChange::DeleteIndex { index } => format!("deleteIndex {index:?}"),
        SchemaChange::RenameIndex { index, to } => format!("index {index:?} renamed to {to:?}"),
        SchemaChange::DeleteDatabase {} => "deleteDatabase".to_owned(),
    }
}

/// The range of a part that borrows from `text`.
fn range_in(text: &str, part: &str) -> Range<u32> {
    let start = (part.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
    let end = start.wrapping_add(part.len());
    let fits = |at: usize| u32::try_from(at).unwrap_or(0);
    if end <= text.len() {
        fits(start)..fits(end)
    } else {
        0..0
    }
}

#[cfg(test)]
mod tests {
    use crate::events::log::tests::row;

    #[test]
    fn key_and_values_are_ranges_of_the_text() {
        let row = row("u", "\"a\"", r#"{"b": 1}"#);
        assert_eq!(
            (row.key(), row.before(), row.after(), row.value_size()),
            ("\"a\"", Some("null"), r#"{"b": 1}"#, Some(8))
        );
        assert!(!row.has_left_out_value());
    }

    #[test]
    fn left_out_value_keeps_its_size() {
        let marker = protocol::wire::inspector::left_out("feed", 70_000);
        let row = row("u", "1", marker.get());
        assert_eq!((row.value_size(), row.has_left_out_value()), (Some(70_000), true));
    }
}

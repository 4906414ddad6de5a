//! One event, as far as lists and filters look at it. Parts of its text are kept as places in it.

use std::{ops::Range, sync::Arc};

use protocol::{
    event::{self, Event, Op},
    inspect::left_out_bytes,
    schema::SchemaChange,
};
use serde_json::value::RawValue;

use super::STAGES;

/// Which document wrote to which store; shared by all of its events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
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
}

impl Source {
    pub(super) fn of(source: &event::Source<'_>) -> Self {
        Self {
            origin: source.origin.clone().into_owned(),
            bucket: source.bucket.clone().into_owned(),
            database: source.database.clone().into_owned(),
            store: source.store.clone().into_owned(),
            context: source.context.clone().into_owned(),
        }
    }

    pub(super) fn is(&self, source: &event::Source<'_>) -> bool {
        self.context == source.context
            && self.store == source.store
            && self.database == source.database
            && self.origin == source.origin
            && self.bucket == source.bucket
    }
}

/// Which transaction an event belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Its name.
    pub id: Arc<str>,
    /// The event's place in it, from 1.
    pub order: u64,
    /// How many events it has.
    pub count: u64,
}

/// See the [module](self).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its number in its profile.
    pub number: u64,
    /// What happened.
    pub op: Op,
    /// Where.
    pub source: Arc<Source>,
    /// When the page saw the commit, in milliseconds since the epoch.
    pub at: i64,
    /// Whether it was read rather than observed.
    pub snapshot: bool,
    /// Whether [`Row::key`] is a record's.
    pub has_key: bool,
    /// Its transaction, if it has one.
    pub transaction: Option<Transaction>,
    /// What stages have to say about it: (stage, text).
    pub notices: Vec<(String, String)>,
    /// What changed, where it is the shape of the store.
    pub change: Option<Box<str>>,
    /// The event as it was published.
    pub text: Box<str>,
    /// How many milliseconds after the commit it passed each of [`STAGES`].
    lags: [Option<u32>; STAGES.len()],
    key: Range<u32>,
    before: Option<Range<u32>>,
    after: Range<u32>,
}

impl Row {
    pub(super) fn new(
        text: &str,
        event: &Event<'_>,
        source: Arc<Source>,
        transaction: Option<Transaction>,
    ) -> Self {
        let part = |value: &RawValue| part(text, value.get());
        Self {
            number: event.source.sequence,
            op: event.op,
            source,
            at: event.ts_ms,
            snapshot: event.source.snapshot,
            has_key: event.key.is_some(),
            transaction,
            notices: Vec::new(),
            change: event.schema.as_ref().map(|change| in_words(change).into()),
            text: text.into(),
            lags: [None; STAGES.len()],
            key: event.key.or(event.range).map_or(0..0, part),
            before: event.before.map(part),
            after: part(event.after),
        }
    }

    fn of(&self, range: &Range<u32>) -> &str {
        self.text
            .get(range.start as usize..range.end as usize)
            .unwrap_or_default()
    }

    /// The key's text; for a range deletion the range; empty where the whole store is meant.
    pub fn key(&self) -> &str {
        self.of(&self.key)
    }

    /// The typed value before; `None` where it is not known, `null` where it is known that there was none.
    pub fn before(&self) -> Option<&str> {
        self.before.as_ref().map(|range| self.of(range))
    }

    /// The typed value after.
    pub fn after(&self) -> &str {
        self.of(&self.after)
    }

    /// The value that the event is about: what a deletion took, what anything else left.
    pub fn value(&self) -> &str {
        match self.op {
            Op::Delete => self.before().unwrap_or("null"),
            _ => self.after(),
        }
    }

    /// The length of the value's text in bytes; nothing where there is none.
    pub fn size(&self) -> Option<usize> {
        (self.has_key && self.op != Op::Delete)
            .then(|| left_out_bytes(self.after()).unwrap_or(self.after.len()))
    }

    /// Whether a value of it was too large for the feed, so that a marker stands for it.
    pub fn is_cut(&self) -> bool {
        let parts = [self.key(), self.after(), self.before().unwrap_or_default()];
        parts.into_iter().any(|part| left_out_bytes(part).is_some())
    }

    /// What is searched for a text.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        let source = &self.source;
        let names = [&source.store, &source.database, &source.origin, &source.bucket];
        [self.key(), self.after(), self.before().unwrap_or_default()]
            .into_iter()
            .chain(names.into_iter().map(String::as_str))
            .chain(self.change.as_deref())
    }

    /// How many milliseconds after the commit it passed a stage. A page's clock may be coarser than the host's.
    pub fn lag(&self, stage: usize) -> Option<i64> {
        self.lags.get(stage).copied().flatten().map(i64::from)
    }

    /// It passes a stage, at a time in milliseconds since the epoch; whether it had not before.
    pub(super) fn pass(&mut self, stage: usize, at: i64) -> bool {
        if self.lags[stage].is_some() {
            return false;
        }
        let late = (at - self.at).max(0);
        self.lags[stage] = Some(u32::try_from(late).unwrap_or(u32::MAX));
        true
    }

    /// What a stage has to say about it.
    pub fn notice(&self, stage: usize) -> Option<&str> {
        let name = STAGES.get(stage)?;
        let (_, text) = self.notices.iter().find(|(of, _)| of == name)?;
        Some(text)
    }

    /// Whether the event is of the same transaction as another.
    pub fn is_beside(&self, other: &Self) -> bool {
        match (&self.transaction, &other.transaction) {
            (Some(this), Some(other)) => Arc::ptr_eq(&this.id, &other.id) || this.id == other.id,
            _ => false,
        }
    }
}

/// A change of a store's shape as the page called it.
fn in_words(change: &SchemaChange<'_>) -> String {
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

/// Where a part that was read out of a text stands in it.
fn part(text: &str, part: &str) -> Range<u32> {
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
    use crate::model::tests::row;

    #[test]
    fn parts_are_found_in_the_text() {
        let row = row("u", "\"a\"", r#"{"b": 1}"#);
        assert_eq!(
            (row.key(), row.before(), row.after(), row.size()),
            ("\"a\"", Some("null"), r#"{"b": 1}"#, Some(8))
        );
        assert!(!row.is_cut());
    }

    #[test]
    fn what_was_too_large_for_the_feed_keeps_its_size() {
        let marker = protocol::inspect::left_out("feed", 70_000);
        let row = row("u", "1", marker.get());
        assert_eq!((row.size(), row.is_cut()), (Some(70_000), true));
    }
}

//! Events as JSON text, many that have most of their source in common.
//!
//! The text is what serde makes of an [`Event`], byte for byte; but what the events of a store
//! share is rendered once.

use std::{fmt::Write as _, ops::Range};

use serde_json::{Error, value::RawValue};

use super::{Event, Source, Transaction, Writer};

/// Remembers how the last event's source and transaction were rendered.
#[derive(Debug, Default)]
pub struct Renderer {
    source: Option<RenderedSource>,
    transaction: Option<RenderedId>,
}

/// An event's JSON, and where in it the key and the value after are. Both are as they were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// All of it.
    pub text: String,
    /// The key's text, if there is one.
    pub key: Option<Range<usize>>,
    /// The text of the value after.
    pub after: Range<usize>,
}

/// The text around the sequence.
#[derive(Debug)]
struct RenderedSource {
    of: Source<'static>,
    before: String,
    after: String,
}

/// A transaction's id as JSON.
#[derive(Debug)]
struct RenderedId {
    of: String,
    json: String,
}

impl Renderer {
    /// The event's JSON.
    pub fn render(&mut self, event: &Event<'_>) -> Result<Rendered, Error> {
        let source = match &mut self.source {
            Some(rendered) if rendered.is_of(&event.source) => rendered,
            other => other.insert(RenderedSource::new(&event.source)?),
        };
        let values = [event.key, event.range, event.before, Some(event.after)];
        let length: usize = values.iter().flatten().map(|value| value.get().len()).sum();
        // With room for the names and numbers in between, so that it does not grow bit by bit.
        let mut text = String::with_capacity(length + source.before.len() + 256);
        text.push_str(r#"{"op":""#);
        text.push_str(event.op.letter());
        text.push('"');
        let key = event.key.map(|key| member(&mut text, "key", key));
        if let Some(range) = event.range {
            member(&mut text, "range", range);
        }
        if let Some(schema) = &event.schema {
            text.push_str(r#","schema":"#);
            text.push_str(&serde_json::to_string(schema)?);
        }
        if let Some(gap) = event.gap {
            let _infallible = write!(text, r#","gap":{gap}"#);
        }
        if let Some(before) = event.before {
            member(&mut text, "before", before);
        }
        let after = member(&mut text, "after", event.after);
        let _infallible = write!(text, r#","ts_ms":{},"source":"#, event.ts_ms);
        text.push_str(&source.before);
        let _infallible = write!(text, "{}", event.source.sequence);
        text.push_str(&source.after);
        if let Some(transaction) = &event.transaction {
            let Transaction {
                id,
                total_order,
                event_count,
            } = transaction;
            let rendered = match &mut self.transaction {
                Some(rendered) if rendered.of == *id => rendered,
                other => other.insert(RenderedId {
                    of: id.clone().into_owned(),
                    json: serde_json::to_string(id)?,
                }),
            };
            let _infallible = write!(
                text,
                r#","transaction":{{"id":{},"total_order":{total_order},"event_count":{event_count}}}"#,
                rendered.json
            );
        }
        text.push('}');
        Ok(Rendered { text, key, after })
    }
}

/// Adds a member; where its value is.
fn member(text: &mut String, name: &str, value: &RawValue) -> Range<usize> {
    text.push_str(",\"");
    text.push_str(name);
    text.push_str("\":");
    let begin = text.len();
    text.push_str(value.get());
    begin..text.len()
}

impl RenderedSource {
    fn new(source: &Source<'_>) -> Result<Self, Error> {
        let owned = |text: &str| text.to_owned().into();
        let of = Source {
            version: owned(&source.version),
            browser: owned(&source.browser),
            profile: owned(&source.profile),
            origin: owned(&source.origin),
            bucket: owned(&source.bucket),
            database: owned(&source.database),
            database_version: source.database_version,
            store: owned(&source.store),
            context: owned(&source.context),
            writer: source.writer.as_ref().map(|writer| Writer {
                kind: writer.kind,
                url: owned(&writer.url),
            }),
            sequence: 0,
            snapshot: source.snapshot,
            late: source.late,
        };
        // Within a string the quotes would be escaped.
        let (before, after) = around(&serde_json::to_string(&of)?, r#""sequence":"#);
        Ok(Self { of, before, after })
    }

    fn is_of(&self, source: &Source<'_>) -> bool {
        // What changes most often comes first.
        self.of.store == source.store
            && self.of.context == source.context
            && self.of.writer == source.writer
            && self.of.database == source.database
            && self.of.snapshot == source.snapshot
            && self.of.late == source.late
            && self.of.database_version == source.database_version
            && self.of.origin == source.origin
            && self.of.bucket == source.bucket
            && self.of.profile == source.profile
            && self.of.browser == source.browser
            && self.of.version == source.version
    }
}

/// What stands before and behind the `0` of a member.
fn around(text: &str, member: &str) -> (String, String) {
    let (before, after) = text.rsplit_once(&format!("{member}0")).unwrap_or((text, ""));
    (format!("{before}{member}"), after.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{Op, WriterKind},
        schema::SchemaChange,
    };
    use proptest::prelude::*;

    fn raw(json: &str) -> &RawValue {
        serde_json::from_str(json).expect("JSON")
    }

    /// Names that could be taken for a part of the text.
    fn name() -> impl Strategy<Value = String> {
        prop_oneof![
            Just(String::new()),
            Just("orders".to_owned()),
            Just(r#""sequence":0,"snapshot":false"#.to_owned()),
            Just(r#""total_order":0"#.to_owned()),
            Just("\u{1F600}\n\\".to_owned()),
            any::<String>(),
        ]
    }

    type Parts = (u8, u8, String, String, String, u64, bool, (u64, u64));

    fn parts() -> impl Strategy<Value = Parts> {
        (
            0..7_u8,
            0..64_u8,
            name(),
            name(),
            name(),
            any::<u64>(),
            any::<bool>(),
            (any::<u64>(), 0..3_u64),
        )
    }

    proptest! {
        #[test]
        fn the_text_is_what_serde_makes_of_it(all in prop::collection::vec(parts(), 1..20)) {
            let mut renderer = Renderer::default();
            let to = "b".into();
            let rename = SchemaChange::RenameStore { to };
            for (op, there, store, context, id, number, snapshot, (order, count)) in &all {
                let is = |bit: u8| there & (1 << bit) != 0;
                let event = Event {
                    op: [Op::Create, Op::Update, Op::Delete, Op::Read, Op::Truncate, Op::Schema, Op::Gap][usize::from(*op)],
                    key: is(0).then(|| raw(r#"[1,"a"]"#)),
                    range: is(1).then(|| raw(r#"{"lower":1}"#)),
                    schema: is(2).then(|| rename.clone()),
                    gap: is(5).then_some(*count),
                    before: is(3).then(|| raw(if is(1) { "null" } else { r#"{"a":"ä"}"# })),
                    after: raw(if is(0) { "null" } else { r#"{"a": "\ud800"}"# }),
                    ts_ms: i64::from_ne_bytes(number.to_ne_bytes()),
                    source: Source {
                        version: "0.1.0".into(),
                        browser: "b".into(),
                        profile: "p".into(),
                        origin: store.into(),
                        bucket: id.into(),
                        database: "d".into(),
                        database_version: *count,
                        store: store.into(),
                        context: context.into(),
                        writer: is(2).then(|| Writer {
                            kind: WriterKind::SharedWorker,
                            url: store.into(),
                        }),
                        sequence: *number,
                        snapshot: *snapshot,
                        late: is(0) && is(4),
                    },
                    transaction: is(4).then(|| Transaction {
                        id: id.into(),
                        total_order: *order,
                        event_count: *count,
                    }),
                };
                let text = serde_json::to_string(&event).expect("JSON");
                // Twice: rendered the first time, and as remembered.
                for _ in 0..2 {
                    let rendered = renderer.render(&event).expect("JSON");
                    prop_assert_eq!(&rendered.text, &text);
                    prop_assert_eq!(&text[rendered.after], event.after.get());
                    prop_assert_eq!(rendered.key.map(|key| &text[key]), event.key.map(RawValue::get));
                }
            }
        }
    }
}

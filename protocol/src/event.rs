//! The change event: what the journal holds and Redis carries.
//!
//! It has the shape of Debezium's change events, which consumers of change data already read.
//! `before` and `after` are typed values ([`crate::value`]). `before` is absent where the previous
//! value is not known, and `null` where it is known that there was none; it is never guessed.
//! `source.profile` with `source.sequence` names an event forever.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::schema::SchemaChange;

mod render;

pub use self::render::{Rendered, Renderer};

/// The single letters of Debezium's `op`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// The record was created.
    #[serde(rename = "c")]
    Create,
    /// The record was replaced.
    #[serde(rename = "u")]
    Update,
    /// The record is gone.
    #[serde(rename = "d")]
    Delete,
    /// The record was read: a snapshot, or the settled value after a doubt.
    #[serde(rename = "r")]
    Read,
    /// `clear` or `delete(range)` was called; a `d` for each record that went follows.
    #[serde(rename = "t")]
    Truncate,
    /// The store's shape changed; Debezium has a topic of its own for it.
    #[serde(rename = "s")]
    Schema,
    /// The journal was full: events of the store before this one are missing. The values that their
    /// records have now follow as `r` and `d`.
    #[serde(rename = "g")]
    Gap,
}

impl Op {
    /// The letter.
    pub fn letter(self) -> &'static str {
        match self {
            Op::Create => "c",
            Op::Update => "u",
            Op::Delete => "d",
            Op::Read => "r",
            Op::Truncate => "t",
            Op::Schema => "s",
            Op::Gap => "g",
        }
    }
}

/// One change of one record (or, for [`Op::Truncate`], [`Op::Schema`] and [`Op::Gap`], of a store).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event<'a> {
    /// What happened.
    pub op: Op,
    /// The record's key, in canonical typed form; absent for `t`, `s` and `g`.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub key: Option<&'a RawValue>,
    /// For `t` by `delete(range)`: the range. Absent: the whole store.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub range: Option<&'a RawValue>,
    /// For `s`: what changed.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub schema: Option<SchemaChange<'a>>,
    /// For `g`: how many events are missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<u64>,
    /// The value before; see the module's text for absent and `null`.
    #[serde(
        default,
        borrow,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub before: Option<&'a RawValue>,
    /// The value after; `null` for `d`, `t`, `s` and `g`.
    #[serde(borrow)]
    pub after: &'a RawValue,
    /// When the page saw the commit, in milliseconds since the epoch.
    pub ts_ms: i64,
    /// Where it happened.
    #[serde(borrow)]
    pub source: Source<'a>,
    /// The transaction it was part of; absent for `r`, and for a `d` that reconciliation found.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<Transaction<'a>>,
}

/// What kind of context wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriterKind {
    /// A dedicated worker.
    Worker,
    /// A shared worker.
    SharedWorker,
    /// A service worker.
    ServiceWorker,
}

/// The worker that wrote. The page says so; the browser confirms nothing of it but the origin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writer<'a> {
    /// What kind of worker.
    pub kind: WriterKind,
    /// The address of its script, without what stands behind `?` or `#`.
    #[serde(borrow)]
    pub url: Cow<'a, str>,
}

impl WriterKind {
    /// For a person.
    pub fn title(self) -> &'static str {
        match self {
            WriterKind::Worker => "worker",
            WriterKind::SharedWorker => "shared worker",
            WriterKind::ServiceWorker => "service worker",
        }
    }
}

/// Where a change happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Source<'a> {
    /// Version of the host that made the event.
    #[serde(borrow)]
    pub version: Cow<'a, str>,
    /// The browser, such as `chromium/156`.
    #[serde(borrow)]
    pub browser: Cow<'a, str>,
    /// The browser profile's random id.
    #[serde(borrow)]
    pub profile: Cow<'a, str>,
    /// Serialised origin.
    #[serde(borrow)]
    pub origin: Cow<'a, str>,
    /// Storage bucket; empty for the default one.
    #[serde(borrow)]
    pub bucket: Cow<'a, str>,
    /// The database's name.
    #[serde(borrow)]
    pub database: Cow<'a, str>,
    /// The version of the database.
    pub database_version: u64,
    /// The object store's name.
    #[serde(borrow)]
    pub store: Cow<'a, str>,
    /// The document's random id.
    #[serde(borrow)]
    pub context: Cow<'a, str>,
    /// The worker that wrote; absent if the document itself did, or if it was read.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub writer: Option<Writer<'a>>,
    /// The event's number in its profile: it grows by one from event to event.
    pub sequence: u64,
    /// Whether it was read rather than observed.
    pub snapshot: bool,
    /// Whether the change is most likely older than what an earlier event says of the record: a
    /// document reported it late. A reader that keeps the newest value skips it. If the guess is
    /// wrong, an [`Op::Read`] with what the record really holds follows.
    #[serde(default, skip_serializing_if = "is_false")]
    pub late: bool,
}

/// For serde: `false` is left out.
#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes a reference
fn is_false(value: &bool) -> bool {
    !*value
}

/// Which transaction an event belongs to, so that a reader can tell a whole one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Transaction<'a> {
    /// `<context>:<number of the delivery>`.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// The event's place in it, from 1.
    pub total_order: u64,
    /// How many events it has.
    pub event_count: u64,
}

/// A field that is there is `Some`, also if it is `null`.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_and_null_before_stay_apart() {
        let source = r#""source":{"version":"0","browser":"b","profile":"p","origin":"o","bucket":"","database":"d","database_version":1,"store":"s","context":"c","sequence":1,"snapshot":false}"#;
        for before in ["", r#""before":null,"#, r#""before":{"a":1},"#] {
            let text = format!(r#"{{"op":"c","key":1,{before}"after":null,"ts_ms":1,{source}}}"#);
            let event: Event<'_> = serde_json::from_str(&text).expect("an event");
            assert_eq!(serde_json::to_string(&event).expect("JSON"), text);
        }
    }
}

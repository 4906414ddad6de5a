//! Every message that crosses a process border, in the order in which they travel.
//!
//! | from | to | type | carried by |
//! |---|---|---|---|
//! | bridge (content script) | background | [`FromBridge`], bodies, [`Part`] | extension port |
//! | background | host | [`ToHost`] | native messaging |
//! | host | background | [`FromHost`] | native messaging |
//! | background | bridge | [`ToBridge`] | extension port, as JSON text |
//!
//! What a bridge sends is a string, a [`FromBridge`] as JSON; or an object: `{sequence, bodies}`,
//! bodies whose numbers follow each other from the first one's on, each in a string of its own that
//! holds the JSON of a [`crate::commit::Body`]; or `{sequence, index, count, text}`, a [`Part`].
//! Bodies travel as data, for a page that got hold of the bridge's node may have made them: nothing
//! in one reaches into what is around it. They are written once, in the page, and not read there.
//!
//! All are externally tagged (`{"hello":{…}}`), which lets bodies pass through as raw text. A
//! *delivery* is numbered by its context (one document) from 1 without gaps; it is kept by the
//! bridge until the host says it is on disk, and sent again after any break, so the pair (context,
//! sequence) is how the host knows a duplicate.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

pub use crate::problem::{ErrorCode, HostError};
use crate::{
    inspect::{Answer, Ask, Problem, Reply},
    redact::Rule,
};

/// How many bytes of deliveries a bridge may have on their way unacknowledged; further ones wait in
/// the page's process. A single larger delivery travels alone.
pub const BRIDGE_WINDOW: usize = 4 * 1024 * 1024;

/// How many bytes all bridges together may have on their way, as long as there are no more than a
/// thousand: with many of them the window of each is smaller than [`BRIDGE_WINDOW`], but never
/// smaller than [`SMALLEST_WINDOW`].
pub const BRIDGES_WINDOW: usize = 64 * 1024 * 1024;

/// See [`BRIDGES_WINDOW`].
pub const SMALLEST_WINDOW: usize = 64 * 1024;

/// A delivery longer than this many UTF-16 units is cut into parts of at most this many, so that
/// each stays below the browsers' limits even if every unit takes four bytes and an escape.
pub const MAX_PART_UNITS: usize = 4 * 1024 * 1024;

/// The largest number that a document can give a delivery: the largest one that its engine counts
/// exactly.
pub const MAX_SEQUENCE: u64 = (1 << 53) - 1;

/// The longest id of a document, in bytes. Bridges make them half as long; each event of the
/// document repeats it twice.
pub const MAX_CONTEXT: usize = 64;

/// How many workers of a document are reported at most, and the longest address of one, in bytes.
pub const MAX_WORKERS: usize = 16;

/// See [`MAX_WORKERS`].
pub const MAX_WORKER_URL: usize = 3 * 1024;

/// How many bytes of messages to the host travel together at most, as one frame that holds an array
/// of them. A message that is alone travels as it is.
pub const MAX_BUNDLE: usize = 1024 * 1024;

/// Bridge to background.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromBridge<'a> {
    /// First message on a port.
    #[serde(borrow)]
    Open(Open<'a>),
    /// The document goes away, or is frozen: others are asked to read from now on.
    Leaving {},
    /// The document writes: it may commit, and its thread be too busy to say so. Until
    /// [`FromBridge::Rested`] what others commit may be younger than what it has not sent yet.
    Writing {},
    /// The document has sent all that it has committed.
    Rested {},
    /// Where the writes of a delivery that follows were called from. Not for the host.
    #[serde(borrow)]
    Trace(Stacks<'a>),
    /// Everything is to be read: commits tell too little of what has changed. Answered, perhaps
    /// after another document has read, by [`ToBridge::Surveyed`].
    Survey {},
    /// The document still reads, and has nothing to deliver yet.
    Surveying {},
    /// The document has read everything, as far as it could, after [`ToBridge::Snapshot`].
    Surveyed {},
    /// A person can see the document: it may look for unseen writes.
    Shown {},
    /// The document is hidden and stops looking for unseen writes.
    Hidden(Hidden),
    /// The document has accounted for the commits reported by [`ToBridge::Committed`].
    Metered {},
    /// The document has a worker, which no hook observes.
    #[serde(borrow)]
    Worker(Worker<'a>),
}

/// A worker that is not observed.
#[derive(Debug, Serialize, Deserialize)]
pub struct Worker<'a> {
    /// The address of its script, without what stands behind `?` or `#`.
    #[serde(borrow)]
    pub url: Cow<'a, str>,
}

/// A document is hidden.
#[derive(Debug, Serialize, Deserialize)]
pub struct Hidden {
    /// What the storage meter said last, if the document has read it.
    #[serde(default)]
    pub meter: Option<MeterReading>,
}

/// What the storage meter of an origin said, for the next document that reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeterReading {
    /// How many bytes the origin uses.
    pub bytes: u64,
    /// A captured commit has come since, or may have.
    pub committed: bool,
}

/// The stacks of a commit's operations, in their order. Further operations have none.
#[derive(Debug, Serialize, Deserialize)]
pub struct Stacks<'a> {
    /// The delivery's number.
    pub sequence: u64,
    /// As the engine words them; empty where there is none.
    #[serde(borrow)]
    pub stacks: Vec<Cow<'a, str>>,
}

/// A document introduces itself.
#[derive(Debug, Serialize, Deserialize)]
pub struct Open<'a> {
    /// Random id of this document's lifetime.
    #[serde(borrow)]
    pub context: Cow<'a, str>,
    /// Hooked after the page's own scripts may have run: earlier writes are known only by snapshot.
    #[serde(default)]
    pub late: bool,
    /// Nothing that the document has asked to be read (by this, or [`FromBridge::Survey`]) was read
    /// since.
    #[serde(default)]
    pub survey: bool,
    /// What the document is embedded in. Required: without it the background cannot tell whose
    /// databases the document has.
    #[serde(borrow)]
    pub place: Place<'a>,
}

/// What the isolated world of a document knows of the document's place. The page's own scripts
/// cannot change it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Place<'a> {
    /// The serialised origins of the documents around this one, from its parent to the top; `null`
    /// for one that the browser does not name. Empty for a top document.
    #[serde(borrow)]
    pub ancestors: Vec<Cow<'a, str>>,
    /// Its databases are thrown away with it: it is in a credentialless or fenced frame, or below
    /// one.
    pub ephemeral: bool,
}

/// A slice of the JSON text of a body. Parts of one delivery follow each other in order, nothing of
/// the same context between.
#[derive(Debug, Serialize, Deserialize)]
pub struct Part<'a> {
    /// The delivery's number.
    pub sequence: u64,
    /// From 0.
    pub index: u32,
    /// How many parts there are.
    pub count: u32,
    /// The slice.
    #[serde(borrow)]
    pub text: Cow<'a, str>,
}

/// Background to bridge.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToBridge<'a> {
    /// The origin is enabled; deliveries are taken from now on. Said again when the window changes.
    Welcome(Welcome),
    /// The origin is not enabled: capture must stop and forget what it holds.
    Refused {},
    /// All deliveries up to this one are on disk.
    Acknowledged {
        /// The last one.
        sequence: u64,
    },
    /// The mirror has these stretches of a [`crate::commit::Digests`] as they were read. Comes
    /// ahead of the acknowledgement; without it none is known to be alike.
    Matched {
        /// The delivery's number.
        sequence: u64,
        /// How many, counted from the first one.
        stretches: u32,
    },
    /// Read these records again.
    #[serde(borrow)]
    Read(Read<'a>),
    /// Take an inventory and a snapshot of everything.
    Snapshot {},
    /// What documents of the origin have asked to be read has been read.
    Surveyed {},
    /// There is no room for this delivery: a gap is to come in its place, under its number; or,
    /// where it tells only what was read, a [`crate::commit::Skipped`].
    TooMuch {
        /// The delivery's number.
        sequence: u64,
    },
    /// Look for unseen writes until the document is hidden or goes away: no other document of the
    /// origin does.
    Meter {
        /// What the document that did so before has read.
        from: Option<MeterReading>,
    },
    /// Another document of the origin has committed. Not said again before
    /// [`FromBridge::Metered`].
    Committed {},
    /// Look for unseen writes more often.
    Watch {
        /// A comparison has found one. If not, a document of the origin is gone.
        found: bool,
    },
    /// Tell where writes are called from, or do so no more. A bridge that connects does not.
    Trace {
        /// Whether an inspector wants to see it.
        on: bool,
    },
}

/// What a bridge needs to know before it sends.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Welcome {
    /// See [`BRIDGE_WINDOW`] and [`BRIDGES_WINDOW`].
    pub window: usize,
    /// See [`MAX_PART_UNITS`].
    pub part_units: usize,
}

/// Background to host.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToHost<'a, B> {
    /// First message on a connection.
    #[serde(borrow)]
    Hello(ExtensionHello<'a>),
    /// A numbered body with who sent it.
    Delivery(#[serde(bound(deserialize = "B: Deserialize<'de>"))] Delivery<'a, B>),
    /// A slice of one.
    #[serde(borrow)]
    Part(HostPart<'a>),
    /// A question of an inspector; its number is the background's.
    Ask(Ask),
    /// By which rules everything that follows is redacted.
    #[serde(borrow)]
    Rules(Rules<'a>),
    /// The documents that can read an origin are others than when the host asked last.
    #[serde(borrow)]
    Readers(Readers<'a>),
    /// A document of an origin has a worker that is not observed.
    #[serde(borrow)]
    Worker(OriginWorker<'a>),
}

/// The extension introduces itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExtensionHello<'a> {
    /// [`crate::PROTOCOL_VERSION`] of the extension.
    pub protocol: u32,
    /// The extension's own version.
    #[serde(borrow)]
    pub version: Cow<'a, str>,
    /// `chromium` or `firefox`, with its version: `chromium/156`.
    #[serde(borrow)]
    pub browser: Cow<'a, str>,
    /// Random id of the browser profile, made when the extension is installed; names the journal.
    #[serde(borrow)]
    pub profile: Cow<'a, str>,
}

/// Where a delivery comes from, as the browser (never the page) says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<'a> {
    /// Serialised origin.
    #[serde(borrow)]
    pub origin: Cow<'a, str>,
    /// Tab id; -1 outside tabs.
    pub tab: i64,
    /// Frame id; 0 is the top frame.
    pub frame: i64,
}

/// A delivery on its way to the host.
#[derive(Debug, Serialize, Deserialize)]
pub struct Delivery<'a, B> {
    /// The document's id.
    #[serde(borrow)]
    pub context: Cow<'a, str>,
    /// From 1, without gaps, per context.
    pub sequence: u64,
    /// Who sent it.
    #[serde(borrow)]
    pub page: Page<'a>,
    /// Another document of the origin may have committed before and not have sent that yet.
    #[serde(default, skip_serializing_if = "is_false")]
    pub may_overtake: bool,
    /// In the host a [`crate::commit::Body`], in the background raw text.
    pub body: B,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// A slice of a delivery on its way to the host.
#[derive(Debug, Serialize, Deserialize)]
pub struct HostPart<'a> {
    /// The document's id.
    #[serde(borrow)]
    pub context: Cow<'a, str>,
    /// Who sent it.
    #[serde(borrow)]
    pub page: Page<'a>,
    /// See [`Delivery::may_overtake`].
    #[serde(default, skip_serializing_if = "is_false")]
    pub may_overtake: bool,
    /// The slice.
    #[serde(borrow)]
    pub part: Part<'a>,
}

/// The state of the redaction rules. Comes after the host's hello, ahead of any delivery, and
/// whenever it changes.
#[derive(Debug, Serialize, Deserialize)]
pub struct Rules<'a> {
    /// [`crate::redact::Redaction::fingerprint`]. If it is another one than before, what the host
    /// holds is to be read again, and no event has it as `before` any more.
    #[serde(borrow)]
    pub fingerprint: Cow<'a, str>,
}

/// A document of an origin has come or gone: what the host has asked for in vain is asked for once
/// more.
#[derive(Debug, Serialize, Deserialize)]
pub struct Readers<'a> {
    /// The origin.
    #[serde(borrow)]
    pub origin: Cow<'a, str>,
}

/// A worker of an origin that is not observed.
#[derive(Debug, Serialize, Deserialize)]
pub struct OriginWorker<'a> {
    /// The origin.
    #[serde(borrow)]
    pub origin: Cow<'a, str>,
    /// See [`Worker::url`].
    #[serde(borrow)]
    pub url: Cow<'a, str>,
}

/// Host to background.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromHost<R = Reply> {
    /// First message on a connection.
    Hello(HostHello),
    /// All deliveries of the context up to this one are on disk.
    Acknowledged {
        /// The document's id.
        context: String,
        /// The last one.
        sequence: u64,
    },
    /// The mirror has these stretches of a [`crate::commit::Digests`] as they were read. Comes
    /// ahead of the acknowledgement, and is not said again when that is.
    Matched {
        /// The document's id.
        context: String,
        /// The delivery's number.
        sequence: u64,
        /// How many, counted from the first one.
        stretches: u32,
    },
    /// These records are in doubt: let any document of the origin read them.
    Read {
        /// Whose records.
        origin: String,
        /// Which ones, as in [`Read`].
        #[serde(default)]
        bucket: String,
        /// See [`Read`].
        database: String,
        /// See [`Read`].
        store: String,
        /// See [`Read`].
        keys: Vec<String>,
    },
    /// The origin's stores must be compared completely.
    Snapshot {
        /// Whose stores.
        origin: String,
    },
    /// A comparison has found what no captured commit explains: the origin has a writer that is not
    /// seen, such as a worker.
    Unseen {
        /// Whose stores.
        origin: String,
    },
    /// What keeps sinks from passing events on, whenever that changes; empty if nothing does any
    /// more.
    Servers {
        /// One for each sink that is in trouble.
        problems: Vec<Problem>,
    },
    /// The answer to a question. Everything else goes first.
    Answer(Answer<R>),
    /// Something is wrong; the connection may still go on.
    Error(HostError),
}

/// The host introduces itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostHello {
    /// [`crate::PROTOCOL_VERSION`] of the host.
    pub protocol: u32,
    /// The host's own version.
    pub version: String,
    /// `capture.origins` of the configuration ([`crate::origin::OriginPattern`]).
    pub origins: Vec<String>,
    /// `[[redact]]` of the configuration.
    #[serde(default)]
    pub redact: Vec<Rule>,
}

/// A record address list for a read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read<'a> {
    /// Storage bucket; empty for the default one.
    #[serde(default)]
    pub bucket: Cow<'a, str>,
    /// The database's name.
    pub database: Cow<'a, str>,
    /// The store's name.
    pub store: Cow<'a, str>,
    /// Canonical key texts ([`crate::key::Key`]), each JSON in a string.
    pub keys: Vec<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;
    use crate::commit::Body;

    #[test]
    fn a_delivery_passes_through_the_background_untouched() {
        let body = r#"{"commit":{"database":"d","version":1,"began_at":1,"committed_at":2,"operations":[{"put":{"store":"s","key":"\ud800","value":-0}}]}}"#;
        let raw: &RawValue = serde_json::from_str(body).expect("JSON");
        let stamped: ToHost<'_, &RawValue> = ToHost::Delivery(Delivery {
            context: "c".into(),
            sequence: 7,
            page: Page {
                origin: "https://a.example".into(),
                tab: 1,
                frame: 0,
            },
            may_overtake: false,
            body: raw,
        });
        let text = serde_json::to_string(&stamped).expect("JSON");
        let received: ToHost<'_, Body<'_>> = serde_json::from_str(&text).expect("a message");
        let ToHost::Delivery(Delivery {
            body: parsed @ Body::Commit(_),
            sequence: 7,
            ..
        }) = received
        else {
            panic!()
        };
        assert_eq!(serde_json::to_string(&parsed).expect("JSON"), body);
    }

    #[test]
    fn messages_to_the_extension_read_as_documented() {
        let read = FromHost::<Reply>::Read {
            origin: "http://localhost:1".into(),
            bucket: String::new(),
            database: "d".into(),
            store: "s".into(),
            keys: vec!["[1]".into()],
        };
        let text = serde_json::to_string(&read).expect("JSON");
        assert_eq!(
            text,
            r#"{"read":{"origin":"http://localhost:1","bucket":"","database":"d","store":"s","keys":["[1]"]}}"#
        );
        assert!(matches!(
            serde_json::from_str::<FromHost>(&text),
            Ok(FromHost::Read { .. })
        ));
        let error = serde_json::to_string(&ErrorCode::ProtocolMismatch).expect("JSON");
        assert_eq!(error, r#""protocol_mismatch""#);
    }
}

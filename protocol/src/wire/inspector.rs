//! The inspector's requests (panel, popup, options) and the answers to them.
//!
//! | from | to | type | carried by |
//! |---|---|---|---|
//! | inspector page | background | [`FromInspector`] | extension port named [`PORT`], as JSON text |
//! | background | inspector page | [`ToInspector`] | the same port |
//! | background | host | [`Ask`] in [`crate::wire::host::ToHost`] | native messaging |
//! | host | background | [`Answer`] in [`crate::wire::host::FromHost`] | native messaging |
//!
//! The inspector *pulls*: each [`Question`] gets one [`Answer`], and the feed is a question that
//! the host answers when there is news (or after [`FEED_PATIENCE_MS`]). So a slow inspector is
//! never flooded, and nothing is remembered about inspectors anywhere but in themselves: a question
//! tells how far its asker has come. An answer fits a native message to the browser
//! ([`crate::MAX_MESSAGE_FROM_HOST`]).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{json, problem::HostError, redact::Rule, table::Table};

mod background;
mod deep_capture;
mod health;
mod look;
#[cfg(test)]
mod tests;
mod trace;

pub use crate::problem::{Problem, pieces};

pub use self::{
    background::{Background, Document, unobserved_workers, worker_urls},
    deep_capture::{DeepCapture, DeepCaptureState},
    health::{Health, Lag, Sink},
    look::{Look, Seen, Sight, StoreCount},
    trace::{Trace, Traced, Tracing},
};

/// The name of an inspector's port to the background.
pub const PORT: &str = "inspector";

/// How long the host keeps a [`Question::Feed`] to which there is no news.
pub const FEED_PATIENCE_MS: u64 = 20_000;

/// How many events an answer holds at most.
pub const FEED_EVENTS: usize = 512;

/// A value of an event that is longer than this many bytes is left out of the feed:
/// `{"$opaque":{"type":"Object","reason":"too large for the feed: 1234567 bytes"}}` stands for it.
/// [`Question::Record`] has more of it.
pub const FEED_VALUE_BYTES: usize = 64 * 1024;

/// How much of a value a [`Record`] shows at most.
pub const RECORD_VALUE_BYTES: usize = 256 * 1024;

/// What stands for a value in typed form that is too large for a place, which is `feed` or
/// `inspector`.
pub fn left_out(place: &str, bytes: usize) -> Box<RawValue> {
    // Nothing in it needs an escape.
    let marker = format!("{LEFT_OUT}{place}: {bytes} bytes\",\"type\":\"Object\"}}}}");
    json::read(&marker).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// How long the typed text was for which a marker of [`left_out`] stands; `None`: it is the value
/// itself.
pub fn left_out_bytes(typed: &str) -> Option<usize> {
    let (_, rest) = typed.strip_prefix(LEFT_OUT)?.split_once(": ")?;
    rest.split_once(" bytes\"")?.0.parse().ok()
}

/// How such a marker begins. No page can write one: what it stores with such a name is escaped
/// (`$object`).
const LEFT_OUT: &str = "{\"$opaque\":{\"reason\":\"too large for the ";

/// How many questions of all inspectors may wait for their answers in the host; further ones fail.
pub const MAX_QUESTIONS: usize = 128;

/// Inspector page to background.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromInspector<Q = Question> {
    /// First message: [`ToInspector::Background`] follows now and whenever it changes.
    Open {
        /// The tab that is inspected; `None`: all of them.
        tab: Option<i64>,
    },
    /// For the host. The id is the asker's own and comes back with the answer.
    Ask(Ask<Q>),
    /// For an open page: what its databases hold now. Answered by [`ToInspector::Seen`], redacted.
    Look {
        /// The asker's own number; comes back in [`Seen::id`].
        id: u64,
        /// The tab to look in, if it has a page of the origin; `None`: any that has.
        tab: Option<i64>,
        /// What to look at.
        look: Look,
    },
    /// Capture this origin, or do so no more (the user's decision; the permission has been asked
    /// for by the page that says this).
    Capture {
        /// Serialised origin.
        origin: String,
        /// Whether it is to be captured.
        enabled: bool,
    },
    /// Replace the user's redaction rules.
    Rules(Vec<Rule>),
    /// Have documents record the stack of each write until the port closes. Each such commit is
    /// reported by [`ToInspector::Trace`].
    Trace(Tracing),
    /// Capture the workers of a tab as they write, by the browser's debugger, or do so no more.
    /// Chromium only.
    DeepCapture {
        /// The tab.
        tab: i64,
        /// Whether they are to be captured.
        enabled: bool,
    },
    /// Send the host no deliveries for a while; the background and the bridges keep them up to
    /// their bounds. `false`: go on.
    Pause {
        /// Whether capture rests.
        paused: bool,
    },
}

/// Background to inspector page.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToInspector<R = Reply> {
    /// How the extension is.
    Background(Box<Background>),
    /// The host's answer.
    Answer(Answer<R>),
    /// What a page's databases hold.
    Seen(Seen),
    /// Where writes were called from.
    Trace(Trace),
}

/// A question with its number. The background, which only passes it on, takes the question as raw
/// JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask<Q = Question> {
    /// Comes back in [`Answer::id`].
    pub id: u64,
    /// The question.
    pub question: Q,
}

/// What the host can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Events, and how far they have come. Answered when something of it is new.
    Feed(Since),
    /// The host, its servers, what is wrong. Answered at once.
    Health {},
    /// The stores that the mirror knows.
    Stores {},
    /// One record, in the mirror and in Memcached.
    Record(Address),
    /// The entry of an event in the Redis stream.
    Entry {
        /// The event.
        number: u64,
    },
    /// Compare a store (or what there is) with Memcached, and put right what differs if asked to.
    Compare {
        /// Which stores; each name that is missing means all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        origin: Option<String>,
        /// See `origin`; empty for the default bucket.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bucket: Option<String>,
        /// See `origin`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        database: Option<String>,
        /// See `origin`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        store: Option<String>,
        /// Whether to write what differs.
        repair: bool,
    },
    /// Check the pipeline for problems, as `idb-relay doctor` does.
    Doctor {},
    /// Let a page of the origin read all stores again.
    Resync {
        /// Serialised origin.
        origin: String,
    },
}

/// How far an inspector has come. It makes only its first one itself; each answer has the next one
/// ([`Feed::next`]).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Since {
    /// The last event it has; `None`: it has none.
    pub event: Option<u64>,
    /// With `event: None`: how many past events to begin with.
    #[serde(default)]
    pub past: u64,
    /// For each stage the last event that it knows to have passed ([`Passage::last`]); a stage that
    /// is missing begins with the first event of the answer.
    #[serde(default)]
    pub passed: Table<String, u64>,
}

/// The host's answer to the question of this number. The background, which only passes it on, takes
/// the reply as raw JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Answer<R = Reply> {
    /// [`Ask::id`].
    pub id: u64,
    /// What it says.
    pub reply: R,
}

/// An answer's content.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To [`Question::Feed`].
    Feed(Feed),
    /// To [`Question::Health`].
    Health(Health),
    /// To [`Question::Stores`].
    Stores(Vec<Store>),
    /// To [`Question::Record`].
    Record(Record),
    /// To [`Question::Entry`]: its id; `None`: there is none around the time at which the event
    /// passed.
    Entry(Option<String>),
    /// To [`Question::Compare`]; several with the same id while it lasts, the last one is `done`.
    Compared(Compared),
    /// To [`Question::Doctor`]: what was looked at, in the order in which a write passes it.
    Doctor(Vec<Check>),
    /// It is done.
    Done {},
    /// It could not be answered.
    Failed(HostError),
}

/// How a check of `idb-relay doctor` ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it must be.
    Ok,
    /// It works; there is something to know.
    Note,
    /// It does not work.
    Problem,
}

/// One thing that `idb-relay doctor` looked at; `idb-relay doctor --json` says the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Which stretch of the way: `configuration`, `journal`, `browser`, `redis` or `memcached`.
    pub area: String,
    /// How it is.
    pub verdict: Verdict,
    /// What was found.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// A stretch of the feed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Feed {
    /// The number before the first event that the journal still has.
    pub tail: u64,
    /// The last event of the journal.
    pub head: u64,
    /// Events in their order ([`crate::event::Event`]), those after [`Since::event`].
    pub events: Vec<Box<RawValue>>,
    /// Which events have passed which stage since, and when: of each stage in order, none beyond
    /// the last event that the asker has now.
    pub passages: Vec<Passage>,
    /// What stages have to say about single events; each comes with the passage of its event.
    pub notices: Vec<Notice>,
    /// What to ask with next.
    #[serde(default)]
    pub next: Since,
}

/// All events of the stage's last passage up to this one had passed the stage at this time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passage {
    /// `journal`, `redis` or `memcached`.
    pub stage: String,
    /// The last event.
    pub last: u64,
    /// Milliseconds since the epoch.
    pub at: i64,
}

/// What a stage has to say about an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// `redis` or `memcached`.
    pub stage: String,
    /// The event.
    pub number: u64,
    /// What happened to it.
    pub text: String,
}

/// A store in the mirror. `idb-relay ls --json` says the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Store {
    /// Serialised origin.
    pub origin: String,
    /// Storage bucket; empty for the default one.
    pub bucket: String,
    /// The database's name.
    pub database: String,
    /// The database's version.
    pub version: u64,
    /// The store's name.
    pub store: String,
    /// How many records the mirror holds.
    pub records: u64,
    /// Whether the mirror is known to have every record.
    pub complete: bool,
    /// Whether some record waits to be read again.
    pub pending_reads: bool,
}

/// A record's address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Serialised origin.
    pub origin: String,
    /// Storage bucket; empty for the default one.
    #[serde(default)]
    pub bucket: String,
    /// The database's name.
    pub database: String,
    /// The store's name.
    pub store: String,
    /// The key's canonical text ([`crate::key::Key`]).
    pub key: String,
}

/// A record in the mirror and in Memcached.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// Its value in typed form; `None`: the mirror has none. One past [`RECORD_VALUE_BYTES`] is
    /// left out as in the feed.
    pub mirror: Option<Box<RawValue>>,
    /// The item's key.
    pub memcached_key: String,
    /// What Memcached is to hold, as text; `None`: nothing. Cut at [`RECORD_VALUE_BYTES`].
    pub wanted: Option<String>,
    /// What Memcached holds, as text; `None`: nothing, or it was not asked. Cut as `wanted` is.
    pub found: Option<String>,
    /// Whether Memcached holds what it is to hold; `None`: it could not be asked.
    pub same: Option<bool>,
    /// Why Memcached could not be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Problem>,
}

/// How far a comparison with Memcached has come. `idb-relay verify --json` says the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    /// Records to compare.
    pub total: u64,
    /// Records compared.
    pub compared: u64,
    /// Whether this is the last answer.
    pub done: bool,
    /// How many records Memcached lacks.
    pub missing: u64,
    /// For how many it holds something else.
    pub stale: u64,
    /// For how many records that are gone it still holds a value.
    pub orphaned: u64,
    /// How many of these were put right.
    pub repaired: u64,
    /// For how many it holds what another browser profile has, which owns the origin's keys. These
    /// are not put right.
    #[serde(default)]
    pub held: u64,
    /// How many records were still on their way when it was over: they changed while they were
    /// looked at.
    #[serde(default)]
    pub pending: u64,
    /// How many records have no item because Memcached takes none so large, or their value has no
    /// form there. That is no difference.
    #[serde(default)]
    pub refused: u64,
    /// How many items have names of this configuration's form, and are of origins that no journal
    /// here knows: another host's, perhaps. That is no difference either.
    #[serde(default)]
    pub strangers: u64,
    /// Servers that do not tell what they hold, each with the reason: of theirs only items of
    /// records that the mirror remembers as deleted are found to be orphaned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unlisted: Vec<String>,
    /// Those found since the last answer; at most [`MAX_DIFFERENCES`] in all.
    pub differences: Vec<Difference>,
}

/// How many differences the answers to a comparison name.
pub const MAX_DIFFERENCES: usize = 100;

/// A record of which Memcached does not hold what the mirror does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "FlatDifference")]
pub struct Difference {
    /// The record.
    #[serde(flatten)]
    pub address: Address,
    /// The item's key.
    pub memcached_key: String,
    /// In what way.
    pub kind: DifferenceKind,
    /// Whether it was put right.
    pub repaired: bool,
}

/// A [`Difference`] as it is read: serde's own way to read what is flattened takes more code than
/// all of its fields.
#[derive(Deserialize)]
struct FlatDifference {
    origin: String,
    #[serde(default)]
    bucket: String,
    database: String,
    store: String,
    key: String,
    memcached_key: String,
    kind: DifferenceKind,
    #[serde(default)]
    repaired: bool,
}

impl From<FlatDifference> for Difference {
    fn from(flat: FlatDifference) -> Self {
        Self {
            address: Address {
                origin: flat.origin,
                bucket: flat.bucket,
                database: flat.database,
                store: flat.store,
                key: flat.key,
            },
            memcached_key: flat.memcached_key,
            kind: flat.kind,
            repaired: flat.repaired,
        }
    }
}

/// The ways in which Memcached can differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// The mirror has the record, Memcached no item.
    Missing,
    /// Memcached has another value.
    Stale,
    /// There is no such record, Memcached has an item: one that was left behind, or lies on a
    /// server that is not its key's. If its name had to be shortened the record is not known, and
    /// its address empty.
    Orphaned,
    /// Another browser profile owns the origin's keys: Memcached holds what that one has.
    Held,
}

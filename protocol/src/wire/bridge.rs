//! Between the bridge of a document and the background, over an extension port.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

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
    /// The mirror has these stretches of a [`crate::body::Digests`] as they were read. Comes
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
    /// Take a store list and a snapshot of everything.
    Snapshot {},
    /// What documents of the origin have asked to be read has been read.
    Surveyed {},
    /// There is no room for this delivery: a gap is to come in its place, under its number; or,
    /// where it tells only what was read, a [`crate::body::Skipped`].
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

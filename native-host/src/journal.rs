//! The journal: one SQLite file per browser profile, in WAL mode, with mode 0600.
//!
//! It holds the *journal* proper (events, numbered, as long as [`retain`] says), the *mirror* (the
//! latest value of every record, under keys whose bytes sort as IndexedDB sorts them) and the
//! *progress* of the sinks.
//!
//! **Invariants:**
//! - One process writes ([`lock`]); within it, one thread applies deliveries ([`Journal`]) and the
//!   sinks save their progress ([`progress`]), taking turns ([`Turn`]). Any number of processes
//!   read ([`read`]).
//! - A delivery is applied in one transaction with `synchronous=FULL`; what [`Batch::commit`]
//!   returned is on disk.
//! - Every change of the mirror has an event, and the mirror holds what the newest event of a key
//!   says. So a reader that follows the journal's keys and takes values from the mirror can never
//!   go back in time.
//! - Other processes write nothing here; what they want they leave beside it ([`request`]). One
//!   that has to be sure that nothing changes for a moment may hold it (`hold`).
//! - The last events are at hand for readers of this process once they are on disk ([`recent`]);
//!   they say what the file says.
//! - Event numbers grow by one. A new journal starts at the microsecond of its creation, so a
//!   profile whose journal was deleted does not give its old numbers out again.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use protocol::event::Renderer;
use rusqlite::Connection;

mod apply;
mod clock;
pub mod condition;
mod error;
mod forget;
mod hold;
mod key;
pub mod lock;
pub mod log;
mod look;
mod mirror;
mod order;
pub mod progress;
pub mod read;
mod recent;
mod renumber;
pub mod request;
mod reread;
mod retain;
mod rules;
mod scan;
mod schema;
mod settle;
mod store;
pub mod tokens;
mod turn;

pub use apply::{Batch, Outcome};
pub use error::JournalError;
pub(crate) use hold::hold;
pub use recent::{Recent, Text};
pub use turn::Turn;

use crate::{config::Limits, time::now_ms};

use self::{clock::Clock, reread::Rereads, scan::Scan, settle::Settling, store::Stores};

/// Who makes the events: constant fields of their `source`.
#[derive(Debug, Clone)]
pub struct Author {
    /// The browser, such as `chromium/156`.
    pub browser: String,
    /// The browser profile's random id.
    pub profile: String,
}

/// The one writer of a profile's journal.
pub struct Journal {
    connection: Connection,
    state: State,
    path: PathBuf,
    turn: Turn,
    recent: Recent,
    _lock: lock::Lock,
}

/// What the writer remembers between transactions. All but `settling` and `rereads` only saves
/// reading; a failed transaction throws it away, and what it did to `settling` is undone.
struct State {
    author: Author,
    /// The number of the last event.
    head: u64,
    /// Events' numbers are above this one.
    base: u64,
    stores: Stores,
    contexts: HashMap<String, apply::Known>,
    /// How far whole-store reads have come, by context and store.
    scans: HashMap<(i64, i64), Scan>,
    /// When surveys that may find what is missing were begun, by context.
    surveys: HashMap<i64, i64>,
    /// The generation of the redaction rules that hold now: see [`rules`].
    redaction: i64,
    clock: Clock,
    settling: Settling,
    limits: Limits,
    /// The sink that carries events' texts.
    carrier: &'static str,
    room: retain::Room,
    renderer: Renderer,
    rereads: Rereads,
    /// A transaction was begun and not committed.
    unfinished: bool,
    /// How many bytes of events one delivery may write.
    delivery_bytes: u64,
    /// How much one delivery may do to stretches of stores.
    delivery_work: u64,
    /// How many bytes of records and events the last transaction wrote, or tried to.
    attempted: u64,
}

impl Journal {
    /// Opens a profile's journal for writing, waiting a while for an earlier host to let go of it.
    pub fn open(directory: &Path, author: Author) -> Result<Self, JournalError> {
        let path = path(directory, &author.profile)?;
        let lock = lock::acquire(&path)?;
        let clock = Clock::start(now_ms());
        let connection = schema::create(&path, &author, clock)?;
        let mut state = State {
            author,
            head: 0,
            base: 0,
            stores: Stores::default(),
            contexts: HashMap::new(),
            scans: HashMap::new(),
            surveys: HashMap::new(),
            redaction: 0,
            clock,
            settling: Settling::default(),
            limits: Limits::default(),
            carrier: "",
            room: retain::Room::default(),
            renderer: Renderer::default(),
            rereads: Rereads::default(),
            unfinished: false,
            delivery_bytes: apply::DELIVERY_BYTES,
            delivery_work: apply::DELIVERY_WORK,
            attempted: 0,
        };
        state
            .reload(&connection)
            .and_then(|()| state.rereads.resume(&connection))
            .map_err(|source| JournalError::failed(&path, source))?;
        Ok(Self {
            connection,
            state,
            path,
            turn: Turn::default(),
            recent: Recent::default(),
            _lock: lock,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number of the last event.
    pub fn head(&self) -> u64 {
        self.state.head
    }

    /// How much is kept from now on, and the sink that carries events' texts on: what it misses for
    /// want of room is made good.
    pub fn limit(&mut self, limits: Limits, carrier: &'static str) {
        self.state.limits = limits;
        self.state.carrier = carrier;
    }

    /// Whether something is to be made good once the sinks have come so far.
    pub fn owes(&self) -> bool {
        self.state.room.owed > 0
    }

    /// Lets go of what has grown old while nothing was written; whether there is more to do at
    /// once.
    pub fn tidy(&mut self) -> Result<bool, JournalError> {
        let mut batch = self.begin()?;
        let more = batch.tidy()?;
        batch.commit()?;
        self.recent.clear();
        self.shrink_log();
        Ok(more)
    }

    /// How many bytes of records and events the last transaction wrote, or tried to before it
    /// failed.
    pub fn attempted(&self) -> u64 {
        self.state.attempted
    }

    /// Gives back what the write-ahead log takes beyond [`log::LIMIT`], unless a reader still needs
    /// it.
    pub fn shrink_log(&mut self) {
        let _turn = self.turn.take();
        if let Err(error) = log::shrink(&self.connection, &self.path) {
            // It is tried again in a while.
            tracing::debug!("{}", JournalError::failed(&self.path, error));
        }
    }

    /// What the writers of this process share.
    pub fn turn(&self) -> Turn {
        self.turn.clone()
    }

    /// The last events, for readers of this process.
    pub fn recent(&self) -> Recent {
        self.recent.clone()
    }

    /// Starts a transaction. Without [`Batch::commit`] it never happened.
    pub fn begin(&mut self) -> Result<Batch<'_>, JournalError> {
        Batch::begin(self)
    }

    /// What is to be asked now: for records whose doubt has been quiet for long enough to read them
    /// again, and for stores of which something is missing.
    pub fn due_reads(&mut self, now: std::time::Instant) -> Vec<protocol::message::FromHost> {
        let state = &mut self.state;
        let (mut reads, given_up) = state.settling.due(now);
        for origin in given_up {
            state.rereads.want(&origin);
        }
        match state.rereads.due(&self.connection, &state.settling, now) {
            Ok(origins) => reads.extend(origins),
            // They stay due.
            Err(error) => tracing::warn!("{}", JournalError::failed(&self.path, error)),
        }
        reads
    }

    /// Other documents of the origin can be asked than before: what nothing has come of is asked
    /// for once more.
    pub fn ask_again(&mut self, origin: &str) -> Result<(), JournalError> {
        self.state.settling.ask_again(origin);
        self.state
            .rereads
            .ask_again(&self.connection, &self.state.settling, origin)
            .map_err(|source| JournalError::failed(&self.path, source))
    }

    /// When [`Journal::due_reads`] will have something, if it will.
    pub fn next_due(&self) -> Option<std::time::Instant> {
        let due = [self.state.settling.next_due(), self.state.rereads.next_due()];
        due.into_iter().flatten().min()
    }
}

/// How many documents, stores and reads are remembered. Pages can make as many as they like.
const REMEMBERED: usize = 4096;

impl State {
    /// Whether it is time to forget what only saves reading.
    fn remembers_much(&self) -> bool {
        [
            self.stores.len(),
            self.contexts.len(),
            self.scans.len(),
            self.surveys.len(),
        ]
        .into_iter()
        .any(|count| count > REMEMBERED)
    }

    /// Forgets what a failed transaction may have put in, or what is too much, and takes the head
    /// from the file.
    fn reload(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.stores = Stores::default();
        self.contexts.clear();
        self.scans.clear();
        self.surveys.clear();
        self.redaction = rules::generation(connection)?;
        self.head = schema::head(connection)?;
        self.base = schema::base(connection)?;
        self.room = retain::Room::load(connection)?;
        Ok(())
    }
}

/// The file of a profile's journal. Profile ids come from outside: only what cannot leave the
/// directory is taken.
pub fn path(directory: &Path, profile: &str) -> Result<PathBuf, JournalError> {
    let fits = (1..=64).contains(&profile.len());
    if fits
        && profile
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    {
        Ok(directory.join(format!("{profile}.sqlite")))
    } else {
        Err(JournalError::Profile(profile.chars().take(80).collect()))
    }
}

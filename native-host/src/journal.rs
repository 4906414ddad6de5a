//! The journal: one SQLite file per browser profile, in WAL mode, with mode 0600.
//!
//! It holds the *journal* proper (events, numbered, as long as [`retention::limits`] says), the
//! *mirror* (the latest value of every record, under keys whose bytes sort as IndexedDB sorts them)
//! and the *progress* of the sinks.
//!
//! **Invariants:**
//! - One process writes ([`side_files::file_lock`]); within it, one thread applies deliveries
//!   ([`Journal`]) and the sinks save their progress ([`progress`]), one at a time
//!   ([`WriterLock`]). Any number of processes read ([`read`]).
//! - A delivery is applied in one transaction with `synchronous=FULL`; what [`Batch::commit`]
//!   returned is on disk.
//! - Every change of the mirror has an event, and the mirror holds what the newest event of a key
//!   says. So a reader that follows the journal's keys and takes values from the mirror can never
//!   go back in time.
//! - Other processes write nothing here; what they want they leave beside it
//!   ([`side_files::requests`]). One that has to be sure that nothing changes for a moment may
//!   freeze it ([`freeze`]).
//! - The last events are at hand for readers of this process once they are on disk ([`recent`]);
//!   they say what the file says.
//! - Event numbers grow by one. A new journal starts at the microsecond of its creation, so a
//!   profile whose journal was deleted does not give its old numbers out again.
//!
//! Where to look: [`write`](self::write) makes events and mirror of what pages deliver,
//! [`conflict`] decides which of two statements is the younger one, [`retention`] what may stay,
//! [`progress`] is what the sinks write, [`read`] what they and the commands read, and
//! [`side_files`] has the lock, the requests and the write-ahead log.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use protocol::event::Renderer;
use rusqlite::Connection;

mod clock;
mod conflict;
mod error;
mod freeze;
mod key;
mod mirror;
mod place;
pub mod progress;
pub mod read;
mod recent;
mod renumber;
mod retention;
mod row_state;
mod rules;
mod scan;
mod schema;
pub mod side_files;
mod store;
pub mod tokens;
mod workers;
mod write;

pub use error::JournalError;
pub(crate) use freeze::freeze;
pub use progress::writer_lock::WriterLock;
pub use recent::{Recent, Text};
pub use write::{Batch, Matched, Outcome};

use crate::{config::Limits, time::now_ms, timing};

use self::{
    clock::Clock,
    conflict::{
        requery::{GivenUp, Requery},
        resync::{self, Resyncs},
    },
    retention::{
        forget::{BoundedContexts, Tombstones},
        limits,
    },
    scan::Scans,
    side_files::{file_lock, log},
    store::Stores,
};

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
    writer_lock: WriterLock,
    recent: Recent,
    _lock: file_lock::Lock,
}

/// What the writer remembers between transactions. All but `requery` and `resyncs` only saves
/// reading; a failed transaction throws it away, and what it did to `requery` is undone.
struct State {
    author: Author,
    /// The number of the last event.
    head: u64,
    /// Events' numbers are above this one.
    base: u64,
    stores: Stores,
    contexts: HashMap<String, write::Known>,
    /// How far whole-store reads have come.
    scans: Scans,
    /// When surveys that may find what is missing were begun, by context.
    surveys: HashMap<i64, i64>,
    /// The generation of the redaction rules that hold now: see [`rules`].
    redaction: i64,
    clock: Clock,
    requery: Requery,
    limits: Limits,
    /// The sink that carries events' texts.
    carrier: &'static str,
    usage: limits::Usage,
    /// Kept when the rest is read again: at worst it keeps texts a little longer.
    backfill_under_way: limits::BackfillUnderWay,
    renderer: Renderer,
    resyncs: Resyncs,
    tombstones: Tombstones,
    bounded_contexts: BoundedContexts,
    /// Deliveries were given up, for the journal was full of rows.
    was_overfull: bool,
    /// A transaction was begun and not committed.
    unfinished: bool,
    /// How many bytes of events one delivery may write.
    delivery_bytes: u64,
    /// How many bytes the rows of an origin's stores may take.
    origin_bytes: u64,
    /// How much work on ranges of stores one delivery may cause.
    delivery_work: u64,
    /// How many bytes of records and events the last transaction wrote, or tried to.
    attempted: u64,
}

impl Journal {
    /// Opens a profile's journal for writing, waiting a while for an earlier host to let go of it.
    pub fn open(directory: &Path, author: Author) -> Result<Self, JournalError> {
        let path = path(directory, &author.profile)?;
        let lock = file_lock::acquire(&path)?;
        let clock = Clock::start(now_ms());
        let connection = schema::create(&path, &author, clock)?;
        let mut state = State {
            author,
            head: 0,
            base: 0,
            stores: Stores::default(),
            contexts: HashMap::new(),
            scans: Scans::default(),
            surveys: HashMap::new(),
            redaction: 0,
            clock,
            requery: Requery::default(),
            limits: Limits::default(),
            carrier: "",
            usage: limits::Usage::default(),
            backfill_under_way: limits::BackfillUnderWay::default(),
            renderer: Renderer::default(),
            resyncs: Resyncs::default(),
            tombstones: Tombstones::default(),
            bounded_contexts: BoundedContexts::default(),
            was_overfull: false,
            unfinished: false,
            delivery_bytes: write::DELIVERY_BYTES,
            origin_bytes: write::ORIGIN_BYTES,
            delivery_work: write::DELIVERY_WORK,
            attempted: 0,
        };
        state
            .reload(&connection)
            .and_then(|()| state.resyncs.resume(&connection))
            .map_err(|source| JournalError::failed(&path, source))?;
        Ok(Self {
            connection,
            state,
            path,
            writer_lock: WriterLock::default(),
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
    /// want of space is backfilled.
    pub fn limit(&mut self, limits: Limits, carrier: &'static str) {
        self.state.limits = limits;
        self.state.carrier = carrier;
    }

    /// Whether something is to be made good once the sinks have come so far.
    pub fn has_backfill_pending(&self) -> bool {
        self.state.usage.backfill_pending > 0
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
        let _turn = self.writer_lock.take();
        if let Err(error) = log::shrink(&self.connection, &self.path) {
            // It is tried again in a while.
            tracing::debug!("{}", JournalError::failed(&self.path, error));
        }
    }

    /// What the writers of this process share.
    pub fn turn(&self) -> WriterLock {
        self.writer_lock.clone()
    }

    /// The last events, for readers of this process.
    pub fn recent(&self) -> Recent {
        self.recent.clone()
    }

    /// Starts a transaction. Without [`Batch::commit`] it never happened.
    pub fn begin(&mut self) -> Result<Batch<'_>, JournalError> {
        Batch::begin(self)
    }

    /// The questions that are due: for records in conflict whose stores have been quiet for long
    /// enough, and for stores that may lack something.
    pub fn due_reads(&mut self, now: std::time::Instant) -> Vec<protocol::wire::host::FromHost> {
        self.hand_over(now);
        let state = &mut self.state;
        let mut reads = state.requery.questions(now);
        match state.resyncs.due(&self.connection, &state.requery, now) {
            Ok(origins) => reads.extend(origins),
            Err(error) => {
                tracing::warn!("{}", JournalError::failed(&self.path, error));
                state.resyncs.postpone(now);
            }
        }
        reads
    }

    /// Requests a full read of the stores whose record requeries were given up. Their records stay
    /// in conflict until that request is on disk. Otherwise an event with a value before, or an
    /// answer about another record that ends the conflict, would treat them as certain.
    fn hand_over(&mut self, now: std::time::Instant) {
        let given_up = self.state.requery.given_up(now);
        if given_up.is_empty() {
            return;
        }
        let written = {
            let _lock = self.writer_lock.take();
            let ids: Vec<i64> = given_up.iter().map(|given_up| given_up.store).collect();
            resync::request_stores(&self.connection, &ids)
        };
        if let Err(error) = written {
            tracing::warn!("{}", JournalError::failed(&self.path, error));
            for GivenUp { store, .. } in given_up {
                self.state.requery.postpone(store, now + timing::host::retry());
            }
            return;
        }
        for GivenUp {
            store,
            origin,
            too_many,
        } in given_up
        {
            self.state.stores.forget(store);
            self.state.requery.hand_over(store);
            if too_many {
                self.state.resyncs.request_at_once(&origin, now);
            } else {
                self.state.resyncs.request(&origin);
            }
        }
    }

    /// Other documents of the origin can be asked than before: what nothing has come of is asked
    /// for once more.
    pub fn ask_again(&mut self, origin: &str) -> Result<(), JournalError> {
        self.state.requery.ask_again(origin);
        self.state
            .resyncs
            .ask_again(&self.connection, &self.state.requery, origin)
            .map_err(|source| JournalError::failed(&self.path, source))
    }

    /// When [`Journal::due_reads`] will have something, if it will.
    pub fn next_due(&self) -> Option<std::time::Instant> {
        let due = [self.state.requery.next_due(), self.state.resyncs.next_due()];
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
        self.bounded_contexts = BoundedContexts::default();
        self.redaction = rules::generation(connection)?;
        self.head = schema::head(connection)?;
        self.base = schema::base(connection)?;
        self.usage = limits::Usage::load(connection)?;
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

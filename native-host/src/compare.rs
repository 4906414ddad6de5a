//! Compares Memcached with the mirror, and puts right what differs: `idb-relay verify` and the
//! inspector's question are both this.
//!
//! **Invariants:**
//! - *What is on its way is no difference.* The offset of who feeds Memcached is read first, then
//!   the item, then the mirror with the journal's events after that offset. A record without such
//!   an event was passed on before it was looked at, so its item must say what the mirror says. One
//!   with such an event is looked at again.
//! - *Repairing never goes back in time*, also if a process writes meanwhile: the journal is held
//!   from before the mirror is read until the item is changed, and what arrives later changes
//!   nothing: it names the item that was seen (its CAS number), or ends by itself.
//! - *An origin that another profile owns is left alone*, also if its owner changes meanwhile: see
//!   `owners`.
//! - Memory is bounded by a stretch of records, however many there are.
//!
//! Each record is looked at by pipelined `mg`, then the servers are asked for all that they hold.
//!
//! - `journals`: the mirrors.
//! - `feed`: who brings Memcached up to date, and how far that is.
//! - `cache`: the servers.
//! - `records`: the mirrors' records, stretch by stretch.
//! - `items`: the servers' items, to find those of no record.
//! - `names`: many names in little room.
//! - `owners`: which profile writes the keys of which origin.
//! - `judge`: what is right, on its way, or different; looks twice.
//! - `repair`: putting it right.
//! - `settled`: telling the host that all is right.

use std::{cell::RefCell, io, rc::Rc, time::Duration};

use protocol::wire::{
    host::ErrorCode,
    inspector::{Address, Compared, Difference},
};

use crate::{
    config,
    failure::Failure,
    journal::{JournalError, progress::condition::Problem, read::Place},
    timing,
};

mod cache;
mod feed;
mod items;
mod journals;
mod judge;
mod names;
mod owners;
mod records;
mod repair;
mod settled;

use self::{cache::Cache, names::Names, owners::Owners};
pub use self::{
    feed::{Feed, FeedError},
    journals::Journals,
};

/// Which stores are compared; each name that is `None` means all.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Serialised origin.
    pub origin: Option<String>,
    /// Storage bucket; empty for the default one.
    pub bucket: Option<String>,
    /// The database's name.
    pub database: Option<String>,
    /// The object store's name.
    pub store: Option<String>,
}

impl Scope {
    /// Whether all stores are meant.
    pub fn is_all(&self) -> bool {
        [&self.origin, &self.bucket, &self.database, &self.store]
            .into_iter()
            .all(Option::is_none)
    }

    /// Whether a store is meant.
    pub fn means(&self, place: &Place) -> bool {
        let fits =
            |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|wanted| wanted == name);
        fits(&self.origin, &place.origin)
            && fits(&self.bucket, &place.bucket)
            && fits(&self.database, &place.database)
            && fits(&self.store, &place.store)
    }
}

/// Receives the progress and the differences of a comparison.
pub trait Observer {
    /// A record differs, and is put right or not.
    fn differs(&mut self, difference: Difference) -> io::Result<()>;

    /// The browser could not read a record's value: the file that held it is gone, say. That is no
    /// difference.
    fn unreadable(&mut self, _record: Address) -> io::Result<()> {
        Ok(())
    }

    /// It has come so far: `items` of the servers' items were looked through, of about so many,
    /// once the records are compared.
    fn advanced(&mut self, so_far: &Compared, items: Option<(u64, u64)>) -> io::Result<()>;
}

/// Why it could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A mirror cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Memcached cannot be asked.
    #[error("{}", .0.message)]
    Memcached(Problem),
    /// The output cannot be written.
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
}

impl Failure for CompareError {
    fn code(&self) -> ErrorCode {
        ErrorCode::QuestionFailed
    }

    fn fix(&self) -> String {
        match self {
            Self::Journal(error) => error.fix(),
            Self::Memcached(trouble) => trouble.fix.clone(),
            Self::Output(_) => "Check the system.".to_owned(),
        }
    }
}

impl From<Problem> for CompareError {
    fn from(trouble: Problem) -> Self {
        Self::Memcached(trouble)
    }
}

/// A comparison that is under way.
struct Comparison<'c, O> {
    feed: &'c Feed,
    journals: &'c Journals,
    scope: &'c Scope,
    repair: bool,
    observer: &'c mut O,
    cache: Cache,
    owners: Owners,
    so_far: Compared,
    /// The names of orphaned items that were reported.
    orphaned: Names,
    /// The shortened names of the mirrors' records, as they were at these generations of the
    /// journals.
    shortened: RefCell<Option<(Vec<i64>, Rc<Names>)>>,
    patience: Duration,
    /// What a host had sent when it ended has arrived.
    undisturbed: bool,
}

/// Compares the chosen journals with Memcached, within the scope, and repairs Memcached if asked
/// to. The observer gets each difference; the result only counts them.
pub fn compare<O: Observer>(
    config: &config::Memcached,
    feed: &Feed,
    journals: &Journals,
    scope: &Scope,
    repair: bool,
    observer: &mut O,
) -> Result<Compared, CompareError> {
    let cache = Cache::connect(config)?;
    let owners = Owners::find(config, &cache, journals)?;
    let mut comparison = Comparison {
        feed,
        journals,
        scope,
        repair,
        observer,
        cache,
        owners,
        so_far: Compared::default(),
        orphaned: Names::default(),
        shortened: RefCell::default(),
        patience: timing::compare::difference(),
        undisturbed: false,
    };
    comparison.records()?;
    comparison.items()?;
    comparison.settled()?;
    comparison.so_far.done = true;
    Ok(comparison.so_far)
}

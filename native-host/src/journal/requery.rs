//! Records in conflict, waiting to be read again.
//!
//! The commits of two documents may arrive in another order than they happened. If both wrote a
//! record and their clocks cannot tell which came first, the host applies what arrived last. Once
//! the store has been quiet for a moment it asks the extension for the record's value.
//!
//! The list of keys is not kept on disk. The store's `pending_reads` is: the next host
//! ([`resync`](super::resync)) or the next page load reads the whole store.

use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use protocol::message::FromHost;

use super::{key::RecordKey, store::Place};
use crate::timing;

/// How often a question is put.
const ATTEMPTS: u32 = 4;
/// How many keys, and bytes of keys, one question holds: far below the browsers' limit for a
/// message.
const KEYS: usize = 256;
const KEY_BYTES: usize = 128 * 1024;

/// How many keys of one store wait to be read one by one; with more of them the whole origin is
/// read again.
const SINGLY: usize = 16 * 1024;

#[derive(Default)]
pub(super) struct Requery {
    stores: HashMap<i64, Pending>,
    /// What the transaction under way has done.
    done: Vec<Change>,
}

/// A change that a transaction makes; with that it must come undone.
enum Change {
    Added {
        store: i64,
        key: Vec<u8>,
    },
    Resolved {
        store: i64,
        place: Place,
        key: Vec<u8>,
        text: String,
    },
}

/// What a read did to the keys that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resolution {
    /// The key did not wait.
    Unasked,
    /// Other keys of the store still wait.
    More,
    Last,
}

struct Pending {
    place: Place,
    keys: BTreeMap<Vec<u8>, String>,
    /// Of some of them: the document whose write was applied last.
    authors: HashMap<Vec<u8>, i64>,
    /// There were too many keys to remember them.
    all: bool,
    /// When the first of them came up.
    since: Instant,
    due: Instant,
    attempts: u32,
    /// An answer came, which left keys in conflict.
    answered: bool,
}

impl Requery {
    /// What was done since the last transaction is kept.
    pub(super) fn keep(&mut self) {
        self.done.clear();
    }

    /// What was done since the last transaction was kept never happened.
    pub(super) fn undo(&mut self) {
        for done in std::mem::take(&mut self.done).into_iter().rev() {
            match done {
                Change::Added { store, key } => {
                    self.remove(store, &key);
                }
                Change::Resolved {
                    store,
                    place,
                    key,
                    text,
                } => self.wait(store, &place, key, text),
            }
        }
        self.done.clear();
    }

    /// A record must be read again.
    pub(super) fn add(&mut self, store: i64, place: &Place, key: &RecordKey) {
        self.wait(store, place, key.bytes.clone(), key.text.get().to_owned());
    }

    fn wait(&mut self, store: i64, place: &Place, key: Vec<u8>, text: String) {
        let now = Instant::now();
        let doubts = self.stores.entry(store).or_insert_with(|| Pending {
            place: place.clone(),
            keys: BTreeMap::new(),
            authors: HashMap::new(),
            all: false,
            since: now,
            due: now,
            attempts: 0,
            answered: false,
        });
        if doubts.all || doubts.keys.len() >= SINGLY {
            doubts.all = true;
            doubts.keys.clear();
            doubts.authors.clear();
            doubts.due = (now + timing::journal::quiet())
                .min(doubts.since + timing::journal::longest_unquiet())
                .max(now);
            return;
        }
        let new = doubts.keys.insert(key.clone(), text).is_none();
        if new {
            self.done.push(Change::Added { store, key });
            doubts.due = (now + timing::journal::quiet())
                .min(doubts.since + timing::journal::longest_unquiet())
                .max(now);
            doubts.attempts = 0;
            doubts.answered = false;
        } else {
            doubts.answered = true;
            // Asked for already, and still in conflict: later, and at most `ATTEMPTS` times.
            doubts.due = now + timing::journal::quiet() * (1 << doubts.attempts);
        }
    }

    /// A record was read and is in no conflict.
    pub(super) fn resolve(&mut self, store: i64, key: &[u8]) -> Resolution {
        let Some((place, text)) = self.remove(store, key) else {
            return Resolution::Unasked;
        };
        self.done.push(Change::Resolved {
            store,
            place,
            key: key.to_owned(),
            text,
        });
        if self.has_pending(store) {
            Resolution::More
        } else {
            Resolution::Last
        }
    }

    fn remove(&mut self, store: i64, key: &[u8]) -> Option<(Place, String)> {
        let doubts = self.stores.get_mut(&store)?;
        let text = doubts.keys.remove(key)?;
        doubts.authors.remove(key);
        let place = doubts.place.clone();
        if doubts.keys.is_empty() && !doubts.all {
            self.stores.remove(&store);
        }
        Some((place, text))
    }

    /// Whether a record of the store waits to be read again.
    pub(super) fn has_pending(&self, store: i64) -> bool {
        self.stores.contains_key(&store)
    }

    /// Notes which document's write of a record that waits to be read was applied last.
    pub(super) fn set_author(&mut self, store: i64, key: &[u8], context: i64) {
        if let Some(doubts) = self.stores.get_mut(&store)
            && doubts.keys.contains_key(key)
        {
            doubts.authors.insert(key.to_owned(), context);
        }
    }

    /// Whether this document's write of a record that waits to be read was applied last.
    pub(super) fn is_author(&self, store: i64, key: &[u8], context: i64) -> bool {
        let doubts = self.stores.get(&store);
        doubts.and_then(|doubts| doubts.authors.get(key)) == Some(&context)
    }

    /// Whether this record of a store waits to be read.
    pub(super) fn is_pending(&self, store: i64, key: &[u8]) -> bool {
        self.stores
            .get(&store)
            .is_some_and(|doubts| doubts.all || doubts.keys.contains_key(key))
    }

    /// The questions that are to be put now, and the origins of stores for which no document has
    /// answered them.
    pub(super) fn due(&mut self, now: Instant) -> (Vec<FromHost>, Vec<String>) {
        let mut given_up = Vec::new();
        self.stores.retain(|_, doubts| {
            let keep = doubts.due > now || doubts.attempts < ATTEMPTS;
            // An answered store is not given up: a clock that was set back keeps all in conflict,
            // whichever document reads it.
            if !keep && !doubts.answered {
                given_up.push(doubts.place.origin.clone());
            }
            keep
        });
        let mut reads: Vec<FromHost> = Vec::new();
        // A snapshot resolves all that it finds, and adds again what is still in conflict.
        self.stores.retain(|_, doubts| {
            let ask = doubts.all && doubts.due <= now;
            if ask {
                let origin = doubts.place.origin.clone();
                reads.push(FromHost::Snapshot { origin });
            }
            !ask
        });
        for doubts in self.stores.values_mut().filter(|doubts| doubts.due <= now) {
            doubts.attempts += 1;
            doubts.due = now + timing::journal::answer();
            doubts.since = now;
            questions(doubts, &mut reads);
        }
        (reads, given_up)
    }

    /// Other documents of the origin can be asked than before: each record that waits has all
    /// attempts again.
    pub(super) fn ask_again(&mut self, origin: &str) {
        let now = Instant::now();
        for doubts in self
            .stores
            .values_mut()
            .filter(|doubts| doubts.place.origin == origin)
        {
            if doubts.attempts > 0 {
                doubts.attempts = 0;
                doubts.due = doubts.due.min(now + timing::journal::quiet());
            }
        }
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.stores.values().map(|doubts| doubts.due).min()
    }
}

fn questions(doubts: &Pending, reads: &mut Vec<FromHost>) {
    let mut keys = Vec::new();
    let mut bytes = 0;
    let mut ask = |keys: &mut Vec<String>| {
        reads.push(FromHost::Read {
            origin: doubts.place.origin.clone(),
            bucket: doubts.place.bucket.clone(),
            database: doubts.place.database.clone(),
            store: doubts.place.store.clone(),
            keys: std::mem::take(keys),
        });
    };
    for key in doubts.keys.values() {
        if !keys.is_empty() && (keys.len() == KEYS || bytes + key.len() > KEY_BYTES) {
            ask(&mut keys);
            bytes = 0;
        }
        bytes += key.len();
        keys.push(key.clone());
    }
    ask(&mut keys);
}

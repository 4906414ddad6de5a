//! Records in conflict, waiting to be read again.
//!
//! The commits of two documents may arrive in another order than they happened. If both wrote a
//! record and their clocks cannot tell which came first, the host applies what arrived last. Once
//! the store has been quiet for a moment it asks the extension for the record's value.
//!
//! An answer may leave the record in conflict, too: another write was about as young. As long as
//! documents answer, the question is put again, ever more rarely. Where none answers, all of the
//! store is asked for ([`resync`](super::resync)).
//!
//! The list of keys is not kept on disk. The store's `pending_reads` is: the next host
//! ([`resync`](super::resync)) or the next page load reads the whole store.

use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use protocol::wire::host::FromHost;

use super::super::{key::RecordKey, place::Place};
use crate::timing;

/// How often a question is put that no document answers.
const ATTEMPTS: u32 = 4;
/// How often the pause doubles before a question is put again that was answered, or whose records
/// are written on and on.
const DOUBLINGS: u32 = 8;
/// How many keys, and bytes of keys, one question holds: far below the browsers' limit for a
/// message.
const KEYS: usize = 256;
const KEY_BYTES: usize = 128 * 1024;

/// How many keys of one store wait to be read one by one, and how many bytes the keys of all stores
/// take; with more of them the whole store is read again.
const SINGLY: usize = 16 * 1024;
const SINGLY_BYTES: usize = 64 * 1024 * 1024;

#[derive(Default)]
pub(in crate::journal) struct Requery {
    stores: HashMap<i64, Pending>,
    /// What the keys of all stores take.
    bytes: usize,
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
pub(in crate::journal) enum Resolution {
    /// The key did not wait.
    Unasked,
    /// Other keys of the store still wait.
    More,
    Last,
}

struct Pending {
    place: Place,
    keys: BTreeMap<Vec<u8>, String>,
    /// What these take.
    bytes: usize,
    /// Of some of them: the document whose write was applied last.
    authors: HashMap<Vec<u8>, i64>,
    /// There were too many keys to remember them.
    all: bool,
    /// When the first of them came up.
    since: Instant,
    due: Instant,
    /// How often they were asked for since the last of them came up.
    attempts: u32,
    /// How often since a document answered for any of them.
    unanswered: u32,
}

/// A store whose records are no longer asked for one by one.
#[derive(Debug)]
pub(in crate::journal) struct GivenUp {
    pub store: i64,
    pub origin: String,
    /// There are too many of them; otherwise, no document has answered.
    pub too_many: bool,
}

/// Why a key waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Conflict,
    /// It was read, and is still in conflict.
    Answer,
}

impl Requery {
    /// What was done since the last transaction is kept.
    pub(in crate::journal) fn keep(&mut self) {
        self.done.clear();
    }

    /// What was done since the last transaction was kept never happened.
    pub(in crate::journal) fn undo(&mut self) {
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
                } => self.wait(store, &place, key, text, Cause::Conflict),
            }
        }
        self.done.clear();
    }

    /// A commit is in conflict: the record must be read again.
    pub(in crate::journal) fn add(&mut self, store: i64, place: &Place, key: &RecordKey) {
        let text = key.text.get().to_owned();
        self.wait(store, place, key.bytes.clone(), text, Cause::Conflict);
    }

    /// What was read of a record decides nothing: it must be read again.
    pub(in crate::journal) fn keep_asking(&mut self, store: i64, place: &Place, key: &RecordKey) {
        let text = key.text.get().to_owned();
        self.wait(store, place, key.bytes.clone(), text, Cause::Answer);
    }

    fn wait(&mut self, store: i64, place: &Place, key: Vec<u8>, text: String, cause: Cause) {
        let now = Instant::now();
        let pending = self.stores.entry(store).or_insert_with(|| Pending {
            place: place.clone(),
            keys: BTreeMap::new(),
            bytes: 0,
            authors: HashMap::new(),
            all: false,
            since: now,
            due: now,
            attempts: 0,
            unanswered: 0,
        });
        let bytes = key.len() + text.len();
        if pending.all || pending.keys.len() >= SINGLY || self.bytes + bytes > SINGLY_BYTES {
            pending.all = true;
            pending.keys.clear();
            self.bytes -= std::mem::take(&mut pending.bytes);
            pending.authors.clear();
            pending.due = (now + timing::journal::quiet())
                .min(pending.since + timing::journal::longest_unquiet())
                .max(now);
            return;
        }
        let new = pending.keys.insert(key.clone(), text).is_none();
        if new {
            pending.bytes += bytes;
            self.bytes += bytes;
            self.done.push(Change::Added { store, key });
            pending.attempts = 0;
        }
        pending.unanswered = 0;
        // Two documents may go on writing the same records: then each question costs a read of all
        // of them and decides nothing.
        let rarely = 1 << pending.attempts.min(DOUBLINGS);
        pending.due = if new || cause == Cause::Conflict {
            // Also where the key waits already: what was asked until now may be older.
            (now + timing::journal::quiet())
                .min(pending.since + timing::journal::longest_unquiet() * rarely)
                .max(now)
        } else {
            now + timing::journal::quiet() * rarely
        };
    }

    /// A record was read and is in no conflict.
    pub(in crate::journal) fn resolve(&mut self, store: i64, key: &[u8]) -> Resolution {
        let Some((place, text)) = self.remove(store, key) else {
            return Resolution::Unasked;
        };
        self.done.push(Change::Resolved {
            store,
            place,
            key: key.to_owned(),
            text,
        });
        match self.stores.get_mut(&store) {
            Some(pending) => {
                pending.unanswered = 0;
                Resolution::More
            }
            None => Resolution::Last,
        }
    }

    fn remove(&mut self, store: i64, key: &[u8]) -> Option<(Place, String)> {
        let pending = self.stores.get_mut(&store)?;
        let text = pending.keys.remove(key)?;
        pending.authors.remove(key);
        let bytes = key.len() + text.len();
        pending.bytes -= bytes;
        self.bytes -= bytes;
        let place = pending.place.clone();
        if pending.keys.is_empty() && !pending.all {
            self.stores.remove(&store);
        }
        Some((place, text))
    }

    /// Whether a record of the store waits to be read again.
    pub(in crate::journal) fn has_pending(&self, store: i64) -> bool {
        self.stores.contains_key(&store)
    }

    /// Notes which document's write of a record that waits to be read was applied last.
    pub(in crate::journal) fn set_author(&mut self, store: i64, key: &[u8], context: i64) {
        if let Some(pending) = self.stores.get_mut(&store)
            && pending.keys.contains_key(key)
        {
            pending.authors.insert(key.to_owned(), context);
        }
    }

    /// Whether this document's write of a record that waits to be read was applied last.
    pub(in crate::journal) fn is_author(&self, store: i64, key: &[u8], context: i64) -> bool {
        let pending = self.stores.get(&store);
        pending.and_then(|pending| pending.authors.get(key)) == Some(&context)
    }

    /// Whether this record of a store waits to be read.
    pub(in crate::journal) fn is_pending(&self, store: i64, key: &[u8]) -> bool {
        self.stores
            .get(&store)
            .is_some_and(|pending| pending.all || pending.keys.contains_key(key))
    }

    /// The stores whose records are not asked for one by one any more. They still wait, until they
    /// are [handed over](Self::hand_over).
    pub(in crate::journal) fn given_up(&self, now: Instant) -> Vec<GivenUp> {
        self.stores
            .iter()
            .filter(|(_, pending)| pending.due <= now && (pending.all || pending.unanswered >= ATTEMPTS))
            .map(|(store, pending)| GivenUp {
                store: *store,
                origin: pending.place.origin.clone(),
                too_many: pending.all,
            })
            .collect()
    }

    /// It is on disk that all of the store is to be read.
    pub(in crate::journal) fn hand_over(&mut self, store: i64) {
        if let Some(pending) = self.stores.remove(&store) {
            self.bytes -= pending.bytes;
        }
    }

    /// That could not be written: it is tried again at this time.
    pub(in crate::journal) fn postpone(&mut self, store: i64, until: Instant) {
        if let Some(pending) = self.stores.get_mut(&store) {
            pending.due = until;
        }
    }

    /// The questions that are to be put now.
    pub(in crate::journal) fn questions(&mut self, now: Instant) -> Vec<FromHost> {
        let mut reads: Vec<FromHost> = Vec::new();
        let due =
            |pending: &&mut Pending| pending.due <= now && !pending.all && pending.unanswered < ATTEMPTS;
        for pending in self.stores.values_mut().filter(due) {
            pending.attempts += 1;
            pending.unanswered += 1;
            pending.due = now + timing::journal::answer();
            pending.since = now;
            questions(pending, &mut reads);
        }
        reads
    }

    /// Other documents of the origin can be asked than before: each record that waits has all
    /// attempts again.
    pub(in crate::journal) fn ask_again(&mut self, origin: &str) {
        let now = Instant::now();
        for pending in self
            .stores
            .values_mut()
            .filter(|pending| pending.place.origin == origin)
        {
            if pending.attempts > 0 {
                pending.attempts = 0;
                pending.unanswered = 0;
                pending.due = pending.due.min(now + timing::journal::quiet());
            }
        }
    }

    pub(in crate::journal) fn next_due(&self) -> Option<Instant> {
        self.stores.values().map(|pending| pending.due).min()
    }
}

fn questions(pending: &Pending, reads: &mut Vec<FromHost>) {
    let mut keys = Vec::new();
    let mut bytes = 0;
    let mut ask = |keys: &mut Vec<String>| {
        reads.push(FromHost::Read {
            origin: pending.place.origin.clone(),
            bucket: pending.place.bucket.clone(),
            database: pending.place.database.clone(),
            store: pending.place.store.clone(),
            keys: std::mem::take(keys),
        });
    };
    for key in pending.keys.values() {
        if !keys.is_empty() && (keys.len() == KEYS || bytes + key.len() > KEY_BYTES) {
            ask(&mut keys);
            bytes = 0;
        }
        bytes += key.len();
        keys.push(key.clone());
    }
    ask(&mut keys);
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn record_written_on_and_on_is_asked_for_ever_more_rarely() {
        let place = Place {
            origin: "http://localhost".to_owned(),
            bucket: String::new(),
            database: "d".to_owned(),
            store: "s".to_owned(),
        };
        let key = RecordKey {
            bytes: b"1".to_vec(),
            text: RawValue::from_string("1".to_owned()).expect("JSON"),
        };
        let mut requery = Requery::default();
        requery.add(0, &place, &key);
        for attempt in 1..=6 {
            // The question was answered a while ago, and its record was written ever since.
            let asked = Instant::now()
                .checked_sub(timing::journal::longest_unquiet() * 5)
                .expect("a time");
            requery.postpone(0, asked);
            assert_eq!(requery.questions(asked).len(), 1);
            requery.keep_asking(0, &place, &key);
            let before = Instant::now();
            requery.add(0, &place, &key);
            let due = requery.next_due().expect("a question");
            if attempt <= 2 {
                assert!(due <= Instant::now(), "attempt {attempt}: {:?}", due - before);
            } else {
                // Not before eight times the longest wait, or a quiet moment.
                let soonest = before + timing::journal::quiet();
                assert!(due >= soonest, "attempt {attempt}: {:?}", due - before);
            }
        }
    }

    #[test]
    fn long_keys_are_not_kept_without_a_bound() {
        let mut requery = Requery::default();
        let place = |store: i64| Place {
            origin: "http://localhost".to_owned(),
            bucket: String::new(),
            database: "d".to_owned(),
            store: store.to_string(),
        };
        let key = |number: u32| {
            let text = format!("\"{number}{}\"", "k".repeat(200_000));
            RecordKey {
                bytes: text.clone().into_bytes(),
                text: RawValue::from_string(text).expect("JSON"),
            }
        };
        for store in 0..4 {
            for number in 0..100 {
                requery.add(store, &place(store), &key(number));
            }
        }
        assert!(requery.bytes <= SINGLY_BYTES, "{}", requery.bytes);
        let kept: usize = requery.stores.values().map(|pending| pending.bytes).sum();
        assert_eq!(kept, requery.bytes);
        assert!(requery.is_pending(0, &key(0).bytes) && requery.stores[&3].all);
        assert_eq!(requery.resolve(0, &key(0).bytes), Resolution::More);
        // The store that had too much is read completely.
        let given_up = requery.given_up(Instant::now() + timing::journal::longest_unquiet() * 2);
        assert!(
            given_up
                .iter()
                .any(|given_up| given_up.store == 3 && given_up.too_many),
            "{given_up:?}"
        );
        requery.hand_over(3);
        assert!(!requery.has_pending(3));
        let kept: usize = requery.stores.values().map(|pending| pending.bytes).sum();
        assert_eq!(kept, requery.bytes);
    }
}

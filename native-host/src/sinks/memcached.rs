//! Memcached: for every record the newest value, for every deleted record nothing.
//!
//! **Invariant: never back in time.** The journal says which records changed; what is written is
//! what the mirror holds *now*, and a single thread writes. So neither a replay after a crash nor a
//! retry can bring an old value back: at worst it brings the newest one early. The one way left is
//! a request that a server received, did not answer in time, and executes later, also one of a
//! process that was killed; so after such a one nothing is written until that must be over
//! (`unsure`).
//!
//! **A server that comes back comes back empty**, and then lacks the mark that it was given: all
//! records are written to it once more. So they are at the start of every process, and where a
//! server has an older mark than it was given: it was set back to an older state.
//!
//! - `marker`: the item by which a server remembers its state.
//! - `owner`: which profile writes an origin's keys, as the servers say. `owners`: what this host
//!   makes of it. `rewrite`: bringing an origin up to date that others may have written to.
//! - `servers`: all of them, and what is known of what they hold.
//! - `store`: what is sent, and what the answers mean.

use std::{borrow::Cow, collections::HashMap, thread, time::Duration};

use protocol::{
    name::RecordPrefix,
    value::{PlainError, plain},
};

use super::runner::{INCOMPLETE, NOT_OWNER, Sink, Step, StepError};
use crate::{
    config::{self, ValueForm},
    failpoint,
    journal::{
        JournalError,
        progress::condition::{Notice, Problem},
        read::{Changed, Changes, Reader},
        tokens::Tokens,
    },
    memcached::Failure,
    timing,
};

pub(crate) mod marker;
pub(crate) mod owner;
mod owners;
mod rewrite;
mod servers;
mod sign;
mod store;

pub(crate) use self::rewrite::{is_empty_of, may_be_of};
use self::{
    marker::Marker,
    owners::Owners,
    servers::{Found, Servers},
    store::Item,
};

/// How many events one step looks at.
const BATCH_EVENTS: usize = 512;

/// How much of the mirror is held in memory at a time, and how much of what is made of it.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// How many stores' names are remembered. Pages can make as many as they like.
const REMEMBERED: usize = 4096;

/// How often servers that are emptied meanwhile are filled again before that is reported.
const ROUNDS: usize = 4;

/// The sink.
pub struct MemcachedSink {
    config: config::Memcached,
    servers: Servers,
    owners: Owners,
    names: HashMap<i64, Named>,
    /// It has spoken to the servers.
    started: bool,
}

/// What the names of a store's records are made of.
struct Named {
    origin: String,
    /// None: by the template the key does not come last.
    prefix: Option<RecordPrefix>,
}

/// A server that is being filled.
struct Filling {
    index: usize,
    /// Its mark; if it is another one's in the end, the server was emptied meanwhile.
    found: Found,
    /// What the mark is to go on from.
    mark: Option<Marker>,
    /// The server has all deletions up to this event.
    deletions_until: u64,
}

impl From<Failure> for StepError {
    fn from(failure: Failure) -> Self {
        Self {
            reached: None,
            state: failure.state,
            trouble: failure.problem,
        }
    }
}

impl MemcachedSink {
    /// A sink for one profile's records; it connects when it is first asked to do something.
    pub fn new(config: &config::Memcached, profile: &str, tokens: Tokens) -> Self {
        let config = config.of_profile(profile);
        Self {
            servers: Servers::new(&config, profile),
            owners: Owners::new(config.key.clone(), profile, tokens),
            config,
            names: HashMap::new(),
            started: false,
        }
    }

    /// Sees to it that all servers can be written to and hold what they should up to this event, as
    /// was known at most so long ago.
    fn ready(&mut self, reader: &Reader, after: u64, known: Duration) -> Result<(), StepError> {
        if self.servers.connect()? {
            self.owners.reconnected();
        }
        if self.servers.unsure {
            let is_first = !std::mem::replace(&mut self.started, true);
            let is_clean = is_first && self.owners.tokens().last_ended_well(super::MEMCACHED)?;
            if !is_clean && !reader.is_new()? {
                // The servers have answered, so they are at it; what is written from then on is
                // newer.
                thread::sleep(timing::memcached::AFTERMATH);
            }
            self.servers.unsure = false;
        }
        if self.servers.was_looked_at(known) && self.servers.unfilled().is_empty() {
            return Ok(());
        }
        let (_, browser) = reader.author()?;
        self.owners
            .check(&mut self.servers, &browser, reader.origins()?)?;
        let journal = reader.identity()?;
        self.servers.look(journal, after)?;
        for _ in 0..ROUNDS {
            let unfilled = self.servers.unfilled();
            if unfilled.is_empty() {
                return self.rewrite_unsettled(reader);
            }
            self.fill(reader, journal, after, &unfilled)?;
        }
        Err(emptied())
    }

    /// Writes the whole mirror to these servers, then the deletions that they have missed. A value
    /// that cannot be written was reported when it changed.
    fn fill(
        &mut self,
        reader: &Reader,
        journal: i64,
        after: u64,
        indexes: &[usize],
    ) -> Result<(), StepError> {
        let mut fillings = Vec::with_capacity(indexes.len());
        for index in indexes {
            fillings.extend(self.begin_filling(reader, journal, after, *index)?);
        }
        let indexes: Vec<usize> = fillings.iter().map(|filling| filling.index).collect();
        // What one mark says of all servers of the list is true of each, unless that was set back.
        // It is relied on only where the journal no longer has the events that a server's own mark
        // lacks.
        let of_list = |filling: &Filling| filling.mark.as_ref()?.passed(self.servers.list());
        let passed = fillings.iter().filter_map(of_list).max().unwrap_or(0).min(after);
        let tail = reader.tail()?;
        for filling in &mut fillings {
            if filling.deletions_until < tail && !self.servers.is_set_back(filling.index) {
                filling.deletions_until = filling.deletions_until.max(passed);
            }
        }
        let mut last = None;
        loop {
            let records = reader.records(last.as_ref(), BATCH_EVENTS, BATCH_BYTES)?;
            let Some((position, _)) = records.last() else {
                break;
            };
            last = Some(position.clone());
            self.owners.check_in_time(&mut self.servers)?;
            failpoint::pass("memcached.filling");
            let mut items = Items::default();
            for (_, record) in &records {
                let (origin, name) = self.name(reader, record)?;
                if self.owners.owns(&origin) {
                    let value = self.value(record, &name).unwrap_or_default();
                    items.push(record.number, name, value);
                }
                if items.are_many() {
                    self.servers.store(&items.take(), Some(&indexes), None)?;
                    self.owners.check_in_time(&mut self.servers)?;
                }
            }
            self.servers.store(&items.take(), Some(&indexes), None)?;
        }
        self.delete_evicted(reader, after, &mut fillings, &indexes)?;
        for Filling {
            index, found, mark, ..
        } in fillings
        {
            let mark = Marker::after(mark.as_ref(), journal, self.servers.list(), after);
            self.servers.write_mark(index, &mark, Some(&found))?;
        }
        Ok(())
    }

    /// Gives a server a mark if it has none. If another process was quicker, that one's mark stays.
    /// `None` if the server has no mark afterwards either.
    fn begin_filling(
        &mut self,
        reader: &Reader,
        journal: i64,
        after: u64,
        index: usize,
    ) -> Result<Option<Filling>, StepError> {
        let mut found = self.servers.find(index)?;
        if found.is_none() {
            let mark = Marker::after(None, journal, self.servers.list(), after);
            self.servers.write_mark(index, &mark, None)?;
            self.servers.unfill(index);
            found = self.servers.find(index)?;
        }
        let Some(found) = found else {
            return Ok(None);
        };
        let deletions_until = match &found.mark {
            Some(mark) => mark.deletions_until(journal, self.servers.list(), reader.head()?),
            None => None,
        };
        Ok(Some(Filling {
            index,
            mark: match deletions_until {
                Some(_) => found.mark.clone(),
                // Another journal's deletions, or such as this one has forgotten.
                None => Some(Marker::lacking()),
            },
            deletions_until: deletions_until.map_or(after, |until| until.min(after)),
            found,
        }))
    }

    /// Deletes the records whose deletion the servers have missed, and marks the servers for which
    /// these are no longer known.
    fn delete_evicted(
        &mut self,
        reader: &Reader,
        after: u64,
        fillings: &mut [Filling],
        indexes: &[usize],
    ) -> Result<(), StepError> {
        let mut done = fillings
            .iter()
            .map(|filling| filling.deletions_until)
            .min()
            .unwrap_or(after);
        while done < after {
            let changes = reader.changes(done, BATCH_EVENTS, BATCH_BYTES)?;
            let tail = reader.tail()?;
            for filling in fillings.iter_mut() {
                if tail > done.max(filling.deletions_until) {
                    filling.mark.get_or_insert_default().lacks = true;
                }
            }
            self.owners.check_in_time(&mut self.servers)?;
            let mut items = Vec::new();
            for record in changes.records.iter().filter(|record| record.value.is_none()) {
                let (origin, name) = self.name(reader, record)?;
                if self.owners.owns(&origin) {
                    items.push(Item {
                        number: record.number,
                        name,
                        value: None,
                    });
                }
            }
            self.servers.store(&items, Some(indexes), None)?;
            if changes.last <= done {
                break;
            }
            done = changes.last;
        }
        Ok(())
    }

    fn pass_on(&mut self, reader: &Reader, after: u64) -> Result<Step, StepError> {
        self.ready(reader, after, timing::memcached::marker_while_busy())?;
        let changes = self.changes(reader, after)?;
        let mut notices = Vec::new();
        let mut items = Items::default();
        for record in &changes.records {
            if items.are_many() {
                notices.extend(self.servers.store(&items.take(), None, None)?);
                self.owners.check_in_time(&mut self.servers)?;
            }
            let (origin, name) = self.name(reader, record)?;
            if let Some(owner) = self.owners.other(&origin) {
                notices.push(Notice {
                    number: record.number,
                    text: format!("not written: the keys of {origin} are owned by {owner}"),
                });
                continue;
            }
            let value = match self.value(record, &name) {
                Ok(value) => value,
                Err(problem) => {
                    notices.push(Notice {
                        number: record.number,
                        text: format!("deleted: {}", cause_of(&problem)),
                    });
                    None
                }
            };
            items.push(record.number, name, value);
        }
        failpoint::pass("memcached.storing");
        let passed = (reader.identity()?, changes.last);
        notices.extend(self.servers.store(&items.take(), None, Some(passed))?);
        failpoint::pass("memcached.stored");
        Ok(Step {
            reached: changes.last,
            notices,
            trouble: self.trouble(),
        })
    }

    /// The records that the next events changed. It is known who owns each of them.
    fn changes(&mut self, reader: &Reader, after: u64) -> Result<Changes, StepError> {
        for _ in 0..ROUNDS {
            let changes = reader.changes(after, BATCH_EVENTS, BATCH_BYTES)?;
            let mut unknown = Vec::new();
            for record in &changes.records {
                let (origin, _) = self.name(reader, record)?;
                if !self.owners.knows(&origin) {
                    unknown.push(origin);
                }
            }
            if unknown.is_empty() {
                return Ok(changes);
            }
            let (_, browser) = reader.author()?;
            self.owners.check(&mut self.servers, &browser, unknown)?;
            // Reads the mirror, which may be ahead of these changes: they are read again behind it.
            self.rewrite_unsettled(reader)?;
        }
        Err(emptied())
    }

    /// What is wrong though all events are passed on.
    fn trouble(&self) -> Option<(&'static str, Problem)> {
        if let Some(trouble) = self.owners.problem() {
            return Some((NOT_OWNER, trouble));
        }
        let lacking = self.servers.lacking();
        let trouble = (!lacking.is_empty()).then(|| Problem {
            message: format!(
                "memcached at {} may hold records that were deleted while it was not brought up to date; which ones the journal no longer knows",
                lacking.join(", ")
            ),
            fix: "Open the pages once if the journal is new, then run `idb-relay verify --repair`.".to_owned(),
        });
        trouble.map(|trouble| (INCOMPLETE, trouble))
    }

    /// A record's origin, and its name.
    fn name(&mut self, reader: &Reader, record: &Changed) -> Result<(String, String), JournalError> {
        if let Some(Named {
            origin,
            prefix: Some(prefix),
        }) = self.names.get(&record.store)
        {
            return Ok((origin.clone(), prefix.record_name(&record.key)));
        }
        let place = reader.place(record.store)?;
        if self.names.len() > REMEMBERED {
            self.names.clear();
        }
        let name = self.config.key.record_name(place.names(), &record.key);
        let prefix = self.config.key.prefix(place.names());
        let origin = place.origin;
        self.names.insert(
            record.store,
            Named {
                origin: origin.clone(),
                prefix,
            },
        );
        Ok((origin, name))
    }

    /// What a record's item is to hold, at most as much as the server of this name takes.
    fn value<'r>(&self, record: &'r Changed, name: &str) -> Result<Option<Cow<'r, str>>, PlainError> {
        let most = self.servers.most_bytes(name);
        record
            .value
            .as_deref()
            .map(|typed| value_of(self.config.value, typed, most))
            .transpose()
    }
}

/// Items that go out together.
///
/// They are counted by the bytes that were made of the records: a few typed bytes may stand for a
/// plain form of many MiB.
#[derive(Default)]
struct Items<'r> {
    items: Vec<Item<'r>>,
    bytes: usize,
}

impl<'r> Items<'r> {
    fn push(&mut self, number: u64, name: String, value: Option<Cow<'r, str>>) {
        self.bytes += value.as_ref().map_or(0, |value| value.len());
        self.items.push(Item { number, name, value });
    }

    /// Whether they had better go out before there are more.
    fn are_many(&self) -> bool {
        self.bytes >= BATCH_BYTES
    }

    fn take(&mut self) -> Vec<Item<'r>> {
        self.bytes = 0;
        std::mem::take(&mut self.items)
    }
}

/// Why a value has no item, for a person who can give the server more room.
pub(crate) fn cause_of(problem: &PlainError) -> String {
    match problem {
        PlainError::TooLarge { limit } => {
            format!("it takes more than {limit} bytes, too large for the server (see its option -I)")
        }
        PlainError::Json(_) | PlainError::Cut { .. } | PlainError::TooManyReferences { .. } => {
            problem.to_string()
        }
    }
}

fn emptied() -> StepError {
    StepError {
        reached: None,
        state: "emptied",
        trouble: Problem {
            message: "memcached: what is written is lost again and again".to_owned(),
            fix: "See who flushes the servers, and whether they have room for what they hold (-m)."
                .to_owned(),
        },
    }
}

/// What a record's item is to hold in this form, in at most so many bytes.
pub(crate) fn value_of(form: ValueForm, typed: &str, limit: usize) -> Result<Cow<'_, str>, PlainError> {
    match form {
        ValueForm::Plain => plain(typed, limit),
        ValueForm::Typed if typed.len() > limit => Err(PlainError::TooLarge { limit }),
        ValueForm::Typed => Ok(Cow::Borrowed(typed)),
    }
}

impl Sink for MemcachedSink {
    fn name(&self) -> &'static str {
        super::MEMCACHED
    }

    fn step(&mut self, reader: &Reader, after: u64) -> Result<Step, StepError> {
        self.pass_on(reader, after)
    }

    fn end(&mut self) {
        // If it fails the others wait as for a host that was killed.
        if let Err(error) = self.owners.end(&mut self.servers) {
            tracing::debug!("{}", error.trouble.message);
        } else if self.started
            && !self.servers.unsure
            && let Err(error) = self.owners.tokens().note_end(super::MEMCACHED)
        {
            // The next host waits for what may be on its way.
            tracing::debug!("{error}");
        }
    }

    fn idle(&mut self, reader: &Reader, after: u64) -> Result<Step, StepError> {
        self.ready(reader, after, timing::memcached::marker_while_quiet())?;
        Ok(Step {
            reached: after,
            trouble: self.trouble(),
            ..Step::default()
        })
    }
}

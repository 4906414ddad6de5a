//! Memcached: for every record the newest value, for every deleted record nothing.
//!
//! **Invariant: never back in time.** The journal says which records changed; what is written is what the mirror holds *now*, and a
//! single thread writes. So neither a replay after a crash nor a retry can bring an old value back: at worst it brings the
//! newest one early. The one way left is a request that a server received, did not answer in time, and executes later,
//! be it one of a process that was killed; so after such a one nothing is written until that must be over (`unsure`).
//!
//! **A server that comes back comes back empty**, and then lacks the mark that it was given: all records are written to it once more. So they
//! are at the start of every process.
//!
//! - [`ketama`]: which server a key belongs to, as libmemcached says.
//! - `client`: single questions, on a connection of their own.
//! - `line`: a connection to a server.
//! - `mark`: what a server is told to remember of us.
//! - `obstacle`: what keeps a connection from its first command, with cures.
//! - `servers`: all of them, and what is known of what they hold.
//! - `settings`: what a server says of itself.
//! - `store`: what is sent, and what the answers mean.
//! - `stream`: TCP, TLS or a local socket below the protocol, and the login.

use std::{borrow::Cow, collections::HashMap, thread, time::Duration};

use memcache::exp::{Error, MetaCommand, MetaOp};
use protocol::{
    name::RecordPrefix,
    value::{PlainError, plain},
};

use super::runner::{Sink, Step, StepError};
use crate::{
    config::{self, ValueForm},
    failpoint::{self, paced},
    journal::{
        JournalError,
        progress::{Notice, Trouble},
        read::{Changed, Reader},
    },
};

mod client;
pub mod ketama;
mod line;
pub(crate) mod mark;
mod obstacle;
mod servers;
mod settings;
mod store;
mod stream;

pub(crate) use self::{
    client::Client,
    line::{Answer, Line, Parcel},
    settings::Settings,
    store::{fits, is_too_large},
    stream::Stream,
};
use self::{
    ketama::Ketama,
    mark::Mark,
    servers::{Found, Servers},
    store::Item,
};

/// How many events one step looks at.
const BATCH_EVENTS: usize = 512;

/// The largest value that is offered to a server: no server takes more without being told to, and few take more than 1 MiB.
const MAX_VALUE: usize = 32 * 1024 * 1024;

/// How long a server may take to connect, and to answer, or to take some of what is sent to it.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long after a server has answered on a new connection it may still execute what had come on one that is closed: it has only to get
/// through what it had received.
pub(crate) const AFTERMATH: Duration = Duration::from_millis(500);

/// How much of the mirror is held in memory at a time.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// How many stores' names are remembered. Pages can make as many as they like.
const REMEMBERED: usize = 4096;

/// How long a mark is taken to be there while all is quiet, and while there is something to pass on.
const QUIET: Duration = Duration::from_millis(500);
const BUSY: Duration = Duration::from_secs(2);

/// How often servers are filled that are emptied meanwhile, before that is told.
const ROUNDS: usize = 4;

/// The sink.
pub struct MemcachedSink {
    config: config::Memcached,
    servers: Servers,
    names: HashMap<i64, RecordPrefix>,
}

/// A server that is being filled.
struct Filling {
    index: usize,
    /// Its mark; if it is another one's in the end, the server was emptied meanwhile.
    found: Found,
    /// What the mark is to go on from.
    mark: Option<Mark>,
    /// It knows of all deletions up to this event.
    told: u64,
}

/// What an error of these servers is called, with its cure.
pub(crate) fn failure(error: &Error, servers: &[String]) -> StepError {
    store::trouble(error, servers)
}

/// What a server that cannot be spoken to is in the sink's words.
pub(crate) fn unreachable(error: std::io::Error, server: &str) -> Trouble {
    trouble(&Error::Io(error), &[server.to_owned()])
}

impl MemcachedSink {
    /// A sink for one profile's records; it connects when it is first asked to do something.
    pub fn new(config: config::Memcached, profile: &str) -> Self {
        Self {
            servers: Servers::new(&config, profile),
            config,
            names: HashMap::new(),
        }
    }

    /// Sees to it that all servers can be written to and hold what they should up to this event, as was known at most so long ago.
    fn ready(&mut self, reader: &Reader, after: u64, known: Duration) -> Result<(), StepError> {
        self.servers.connect()?;
        if self.servers.unsure {
            if !reader.is_new()? {
                // The servers have answered, so they are at it; what is written from then on is newer.
                thread::sleep(AFTERMATH);
            }
            self.servers.unsure = false;
        }
        if self.servers.was_looked_at(paced(known)) && self.servers.unfilled().is_empty() {
            return Ok(());
        }
        let journal = reader.identity()?;
        self.servers.look(journal, after)?;
        for _ in 0..ROUNDS {
            let unfilled = self.servers.unfilled();
            if unfilled.is_empty() {
                return Ok(());
            }
            self.fill(reader, journal, after, &unfilled)?;
        }
        Err(StepError {
            reached: None,
            state: "emptied",
            trouble: Trouble {
                error: "memcached: what is written is lost again and again".to_owned(),
                cure: "See who flushes the servers, and whether they have room for what they hold (-m)."
                    .to_owned(),
            },
        })
    }

    /// Writes everything to these servers that the mirror has, then tells them of what was deleted since they were told last. What
    /// cannot be written was told when it changed.
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
        // What one mark says of all servers of the list is true of each.
        let of_list = |filling: &Filling| filling.mark.as_ref()?.passed(self.servers.list());
        let passed = fillings.iter().filter_map(of_list).max().unwrap_or(0).min(after);
        for filling in &mut fillings {
            filling.told = filling.told.max(passed);
        }
        let mut last = None;
        loop {
            let records = reader.records(last.as_ref(), BATCH_EVENTS, BATCH_BYTES)?;
            let Some((position, _)) = records.last() else {
                break;
            };
            last = Some(position.clone());
            let mut items = Vec::with_capacity(records.len());
            for (_, record) in &records {
                items.push(Item {
                    number: record.number,
                    name: self.name(reader, record)?,
                    value: self.value(record).unwrap_or_default(),
                });
            }
            failpoint::pass("memcached.filling");
            self.servers.store(&items, Some(&indexes), None)?;
        }
        self.tell_deletions(reader, after, &mut fillings, &indexes)?;
        for Filling {
            index, found, mark, ..
        } in fillings
        {
            let mark = Mark::after(mark.as_ref(), journal, self.servers.list(), after);
            self.servers.write_mark(index, &mark, Some(&found))?;
        }
        Ok(())
    }

    /// Gives a server a mark that has none; nothing, if somebody else was quicker.
    fn begin_filling(
        &mut self,
        reader: &Reader,
        journal: i64,
        after: u64,
        index: usize,
    ) -> Result<Option<Filling>, StepError> {
        let mut found = self.servers.find(index)?;
        if found.is_none() {
            let mark = Mark::after(None, journal, self.servers.list(), after);
            self.servers.write_mark(index, &mark, None)?;
            self.servers.unfill(index);
            found = self.servers.find(index)?;
        }
        let Some(found) = found else {
            return Ok(None);
        };
        let told = match &found.mark {
            Some(mark) => mark.told(journal, self.servers.list(), reader.head()?),
            None => None,
        };
        Ok(Some(Filling {
            index,
            mark: match told {
                Some(_) => found.mark.clone(),
                // Another journal's deletions, or such as this one has forgotten.
                None => Some(Mark::lacking()),
            },
            told: told.map_or(after, |told| told.min(after)),
            found,
        }))
    }

    /// Deletes what was deleted since the servers were told of it; notes where that is no longer known.
    fn tell_deletions(
        &mut self,
        reader: &Reader,
        after: u64,
        fillings: &mut [Filling],
        indexes: &[usize],
    ) -> Result<(), StepError> {
        let mut told = fillings.iter().map(|filling| filling.told).min().unwrap_or(after);
        while told < after {
            let changes = reader.changes(told, BATCH_EVENTS, BATCH_BYTES)?;
            let tail = reader.tail()?;
            for filling in fillings.iter_mut() {
                if tail > told.max(filling.told) {
                    filling.mark.get_or_insert_default().lacks = true;
                }
            }
            let mut items = Vec::new();
            for record in changes.records.iter().filter(|record| record.value.is_none()) {
                items.push(Item {
                    number: record.number,
                    name: self.name(reader, record)?,
                    value: None,
                });
            }
            self.servers.store(&items, Some(indexes), None)?;
            if changes.last <= told {
                break;
            }
            told = changes.last;
        }
        Ok(())
    }

    fn pass_on(&mut self, reader: &Reader, after: u64) -> Result<Step, StepError> {
        self.ready(reader, after, BUSY)?;
        let changes = reader.changes(after, BATCH_EVENTS, BATCH_BYTES)?;
        let mut notices = Vec::new();
        let mut items = Vec::with_capacity(changes.records.len());
        for record in &changes.records {
            let name = self.name(reader, record)?;
            let value = match self.value(record) {
                Ok(value) => value,
                Err(problem) => {
                    notices.push(Notice {
                        number: record.number,
                        text: format!("deleted: {problem}"),
                    });
                    None
                }
            };
            items.push(Item {
                number: record.number,
                name,
                value,
            });
        }
        failpoint::pass("memcached.storing");
        let passed = (reader.identity()?, changes.last);
        notices.extend(self.servers.store(&items, None, Some(passed))?);
        failpoint::pass("memcached.stored");
        Ok(Step {
            reached: changes.last,
            notices,
            trouble: self.trouble(),
        })
    }

    /// What is wrong though all events are passed on.
    fn trouble(&self) -> Option<Trouble> {
        let lacking = self.servers.lacking();
        (!lacking.is_empty()).then(|| Trouble {
            error: format!(
                "memcached at {} may hold records that were deleted while it was not brought up to date; which ones the journal no longer knows",
                lacking.join(", ")
            ),
            cure: "Open the pages once if the journal is new, then run `idb-relay verify --repair`.".to_owned(),
        })
    }

    fn name(&mut self, reader: &Reader, record: &Changed) -> Result<String, JournalError> {
        if let Some(prefix) = self.names.get(&record.store) {
            return Ok(prefix.record_name(&record.key));
        }
        let place = reader.place(record.store)?;
        if self.names.len() > REMEMBERED {
            self.names.clear();
        }
        if let Some(prefix) = self.config.key.prefix(place.names()) {
            self.names.insert(record.store, prefix);
        }
        Ok(self.config.key.record_name(place.names(), &record.key))
    }

    fn value<'r>(&self, record: &'r Changed) -> Result<Option<Cow<'r, str>>, PlainError> {
        record
            .value
            .as_deref()
            .map(|typed| value_of(self.config.value, typed))
            .transpose()
    }
}

/// What a record's item is to hold in this form.
pub(crate) fn value_of(form: ValueForm, typed: &str) -> Result<Cow<'_, str>, PlainError> {
    match form {
        ValueForm::Plain => plain(typed, MAX_VALUE),
        ValueForm::Typed if typed.len() > MAX_VALUE => Err(PlainError::TooLarge { limit: MAX_VALUE }),
        ValueForm::Typed => Ok(Cow::Borrowed(typed)),
    }
}

/// What the server of this name holds under it, on a connection of its own.
pub(crate) fn lookup(config: &config::Memcached, name: &str) -> Result<Option<Vec<u8>>, Trouble> {
    let index = match config.servers.len() {
        // No need to ask.
        1 => 0,
        _ => Ketama::new(&config.servers).server(name.as_bytes()),
    };
    let server = config.servers.get(index..=index).unwrap_or_default();
    let Some(endpoint) = config.endpoints().nth(index) else {
        return Err(trouble(&store::unexpected(""), server));
    };
    let get = MetaCommand::new(MetaOp::Get, name).flag("v");
    Client::new(endpoint)
        .run(&[get])
        .and_then(|mut answers| answers.pop().unwrap_or_else(|| Err(store::unexpected(""))))
        .map(|found| found.value)
        .map_err(|error| trouble(&error, server))
}

/// What an error of these servers is in the sink's words.
pub(crate) fn trouble(error: &Error, servers: &[String]) -> Trouble {
    store::trouble(error, servers).trouble
}

impl Sink for MemcachedSink {
    fn name(&self) -> &'static str {
        super::MEMCACHED
    }

    fn step(&mut self, reader: &Reader, after: u64) -> Result<Step, StepError> {
        self.pass_on(reader, after)
    }

    fn idle(&mut self, reader: &Reader, after: u64) -> Result<Step, StepError> {
        self.ready(reader, after, QUIET)?;
        Ok(Step {
            reached: after,
            trouble: self.trouble(),
            ..Step::default()
        })
    }
}

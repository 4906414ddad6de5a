//! Memcached: for every record the newest value, for every deleted record nothing.
//!
//! **Invariant: never back in time.** The journal says which records changed; what is written is what the mirror holds *now*, and a
//! single thread writes. So neither a replay after a crash nor a retry can bring an old value back: at worst it brings the
//! newest one early. The one way left is a request that a server received, did not answer in time, and executes later,
//! be it one of a process that was killed; so after such a one nothing is written until that must be over (`unsure`).
//!
//! **A server that comes back comes back empty**: whenever a connection had to be made anew, all records are written once more.
//!
//! - [`ketama`]: which server a key belongs to, as libmemcached says.
//! - `presence`: whether the servers are still those that were filled.
//! - `settings`: what a server says of itself.
//! - `store`: what is sent, and what the answers mean.

use std::{borrow::Cow, collections::HashMap, thread, time::Duration};

use memcache::exp::{Error, MetaClient};
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

pub mod ketama;
mod presence;
mod settings;
mod store;

use self::{ketama::Ketama, presence::Presence, store::Item};
pub(crate) use self::{settings::Settings, store::is_too_large};

/// How many events one step looks at.
const BATCH_EVENTS: usize = 512;

/// The largest value that is offered to a server: no server takes more without being told to, and few take more than 1 MiB.
const MAX_VALUE: usize = 32 * 1024 * 1024;

/// How long a server may take to connect and to answer one batch.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long after a server has answered on a new connection it may still execute what had come on one that is closed: it has only to get
/// through what it had received.
pub(crate) const AFTERMATH: Duration = Duration::from_millis(500);

/// How much of the mirror is held in memory to fill a server.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// How many stores' names are remembered. Pages can make as many as they like.
const REMEMBERED: usize = 4096;

/// A client whose servers hold what they should, and what tells when they no longer do.
struct Connection {
    client: MetaClient,
    presence: Presence,
}

/// The sink.
pub struct MemcachedSink {
    config: config::Memcached,
    /// Only kept while the servers hold all that they should.
    connection: Option<Connection>,
    names: HashMap<i64, RecordPrefix>,
    /// Something was sent whose fate is not known, by this process or by one that was killed: a server may still execute it.
    unsure: bool,
}

/// Connects to one server; its name is looked up first.
pub fn dial(server: &str, timeout: Duration) -> std::io::Result<std::net::TcpStream> {
    presence::connect(server, timeout)
}

/// What an error of these servers is called, with its cure.
pub(crate) fn failure(error: &Error, servers: &[String]) -> StepError {
    store::trouble(error, servers)
}

/// What a server that cannot be spoken to is in the sink's words.
pub fn unreachable(error: std::io::Error, server: &str) -> Trouble {
    trouble(&Error::Io(error), &[server.to_owned()])
}

impl MemcachedSink {
    /// A sink that connects when there is something to pass on.
    pub fn new(config: config::Memcached) -> Self {
        Self {
            config,
            connection: None,
            names: HashMap::new(),
            unsure: true,
        }
    }

    /// The client; if the servers were not there without a break, they are filled first.
    fn client(&mut self, reader: &Reader) -> Result<MetaClient, StepError> {
        if let Some(connection) = &mut self.connection
            && connection.presence.is_unbroken()
        {
            return Ok(connection.client.clone());
        }
        self.connection = None;
        let trouble = |error| store::trouble(&error, &self.config.servers);
        // Held before the first record is written: a break from then on is noticed.
        let presence = Presence::of(&self.config.servers, paced(CONNECT_TIMEOUT))
            .map_err(|error| trouble(Error::Io(error)))?;
        let client = connect(&self.config).map_err(trouble)?;
        if self.unsure && !reader.is_new()? {
            // The servers have answered, so they are at it; what is written from then on is newer.
            thread::sleep(AFTERMATH);
        }
        self.unsure = false;
        self.fill(reader, &client)?;
        self.connection = Some(Connection {
            client: client.clone(),
            presence,
        });
        Ok(client)
    }

    /// Writes everything that the mirror has. What cannot be written was told when it changed.
    fn fill(&mut self, reader: &Reader, client: &MetaClient) -> Result<(), StepError> {
        let mut last = None;
        loop {
            let records = reader.records(last.as_ref(), BATCH_EVENTS, BATCH_BYTES)?;
            let Some((position, _)) = records.last() else {
                return Ok(());
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
            if let Err(error) = store::store(client, &items) {
                self.unsure = error.is_ambiguous();
                return Err(store::trouble(&error, &self.config.servers));
            }
        }
    }

    fn pass_on(&mut self, reader: &Reader, after: u64) -> Result<Step, StepError> {
        let client = self.client(reader)?;
        let changes = reader.changes(after, BATCH_EVENTS)?;
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
        match store::store(&client, &items) {
            Ok(refused) => {
                failpoint::pass("memcached.stored");
                notices.extend(refused);
                Ok(Step {
                    reached: changes.last,
                    notices,
                })
            }
            Err(error) => {
                self.unsure = error.is_ambiguous();
                // Names are looked up again with the next client: a server may have moved.
                self.connection = None;
                Err(store::trouble(&error, &self.config.servers))
            }
        }
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
    connect(config)
        .and_then(|client| client.get(name).send())
        .map(|found| found.value)
        .map_err(|error| trouble(&error, &config.servers))
}

fn connect(config: &config::Memcached) -> Result<MetaClient, Error> {
    client(&config.servers)
}

/// A client of these servers; a single one has every key.
pub(crate) fn client(servers: &[String]) -> Result<MetaClient, Error> {
    MetaClient::builder()
        .router(Ketama::new(servers))
        .connect_timeout(Some(paced(CONNECT_TIMEOUT)))
        .io_timeout(Some(paced(ANSWER_TIMEOUT)))
        .max_idle(1)
        .connect_multiple(servers)
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
        self.client(reader)?;
        Ok(Step {
            reached: after,
            ..Step::default()
        })
    }
}

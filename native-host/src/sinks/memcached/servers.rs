//! The servers, each with its connection, and with what is known of what it holds.

use std::time::{Duration, Instant};

use memcache::exp::Error;

use super::{
    marker::{self, Marker},
    store::{self, Item},
};
use crate::{
    config::{self, endpoint::Endpoint},
    journal::progress::condition::Notice,
    memcached::{Answer, Broken, CommandBatch, Connection, failure, most_bytes, ring::Ring, unexpected},
    sinks::runner::StepError,
};

/// All servers of the configuration.
pub(super) struct Servers {
    all: Vec<Server>,
    ring: Ring,
    mark: String,
    /// The list's name in a mark.
    list: String,
    /// When the marks were looked up.
    looked: Option<Instant>,
    /// Something was sent whose fate is not known, by this process or by one that was killed: a
    /// server may still execute it.
    pub unsure: bool,
}

/// One of them.
struct Server {
    address: [String; 1],
    endpoint: Endpoint,
    line: Option<Connection>,
    item_size: Option<u64>,
    /// It holds all that it should.
    filled: bool,
    /// It is not filled because it was set back to an older state.
    set_back: bool,
    /// Its mark, as far as is known.
    found: Option<Found>,
}

/// A mark that was found, and the number (CAS) of its item.
#[derive(Clone)]
pub(super) struct Found {
    pub mark: Option<Marker>,
    cas: u64,
}

/// An item that was found: its number (CAS) and its value.
pub(super) type Stored = (u64, Vec<u8>);

impl Servers {
    pub(super) fn new(config: &config::Memcached, profile: &str) -> Self {
        let servers = &config.servers;
        let all = config.endpoints().map(|endpoint| Server {
            address: [endpoint.name().to_owned()],
            endpoint,
            line: None,
            item_size: None,
            filled: false,
            set_back: false,
            found: None,
        });
        Self {
            all: all.collect(),
            ring: Ring::new(servers),
            mark: marker::name(profile),
            list: marker::list_name(servers),
            looked: None,
            unsure: true,
        }
    }

    /// Connects to those that have no connection, all of them; whether there were any.
    pub(super) fn connect(&mut self) -> Result<bool, StepError> {
        let mut connected = false;
        for server in &mut self.all {
            if server.line.as_mut().is_none_or(|line| !line.is_open()) {
                server.line = None;
                let (line, greeting) =
                    Connection::open(&server.endpoint).map_err(|error| failure(&error, &server.address))?;
                (server.line, server.item_size) = (Some(line), greeting.item_size);
                // Whether it is the one that was filled, its mark says.
                self.looked = None;
                connected = true;
            }
        }
        Ok(connected)
    }

    /// What the servers hold under these names, each on its own one: the items' numbers and values.
    pub(super) fn get(&mut self, names: &[String]) -> Result<Vec<Option<Stored>>, StepError> {
        let owners: Vec<usize> = names.iter().map(|name| self.home(name)).collect();
        let mut found = vec![None; names.len()];
        for index in 0..self.all.len() {
            let here: Vec<usize> = (0..names.len())
                .filter(|name| owners.get(*name) == Some(&index))
                .collect();
            if here.is_empty() {
                continue;
            }
            let mut parcel = CommandBatch::default();
            for name in here.iter().filter_map(|name| names.get(*name)) {
                parcel.push("mg", name, " v c", None);
            }
            let answers = self.exchange(index, |line, _| line.exchange(&parcel).map_err(harmless))?;
            for (name, answer) in here.into_iter().zip(answers) {
                if answer.says("EN") {
                    continue;
                }
                match (
                    answer.refusal(),
                    number(&answer),
                    answer.value,
                    found.get_mut(name),
                ) {
                    (None, Some(cas), Some(value), Some(found)) => *found = Some((cas, value)),
                    (refusal, ..) => {
                        let error = refusal.unwrap_or_else(|| unexpected(&answer.line));
                        return Err(self.failed(index, &error));
                    }
                }
            }
        }
        Ok(found)
    }

    /// Puts a value under a name on its own server: in the place of the item with this number, or
    /// where there is none; it expires after so many seconds if these are given. Returns whether
    /// that was done.
    pub(super) fn put(
        &mut self,
        name: &str,
        value: &str,
        instead_of: Option<u64>,
        seconds: Option<u32>,
    ) -> Result<bool, StepError> {
        let index = self.home(name);
        let mode = instead_of.map_or(" ME".to_owned(), |cas| format!(" C{cas}"));
        let flags = match seconds {
            Some(seconds) => format!("{mode} T{seconds}"),
            None => mode,
        };
        let mut parcel = CommandBatch::default();
        parcel.push("ms", name, &flags, Some(value.as_bytes()));
        let answers = self.exchange(index, |line, _| line.exchange(&parcel).map_err(harmless))?;
        match answers.first() {
            Some(answer) if answer.says("HD") => Ok(true),
            Some(answer) if answer.refusal().is_none() => Ok(false),
            answer => {
                let error = answer.and_then(Answer::refusal);
                Err(self.failed(index, &error.unwrap_or_else(|| unexpected(""))))
            }
        }
    }

    /// Deletes the item with this number under a name.
    pub(super) fn delete(&mut self, name: &str, cas: u64) -> Result<(), StepError> {
        let mut parcel = CommandBatch::default();
        parcel.push("md", name, &format!(" C{cas}"), None);
        self.exchange(self.home(name), |line, _| {
            line.exchange(&parcel).map_err(harmless)
        })
        .map(|_| ())
    }

    /// The server that a name belongs to.
    pub(super) fn home(&self, name: &str) -> usize {
        if self.all.len() == 1 {
            0
        } else {
            self.ring.server(name.as_bytes())
        }
    }

    /// The longest value that the server of this name takes, as far as its limit is known.
    pub(super) fn most_bytes(&self, name: &str) -> usize {
        let server = self.all.get(self.home(name));
        most_bytes(name, server.and_then(|server| server.item_size))
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// What a connection to a server needs.
    pub(super) fn endpoint(&self, index: usize) -> Option<&Endpoint> {
        self.all.get(index).map(|server| &server.endpoint)
    }

    /// Where a server is.
    pub(super) fn address(&self, index: usize) -> &str {
        self.all
            .get(index)
            .map_or("", |server| server.address[0].as_str())
    }

    /// Notes on a server that it may hold records that are to be deleted, and that are not known.
    pub(super) fn set_lacking(&mut self, index: usize) -> Result<(), StepError> {
        let found = self.all.get(index).and_then(|server| server.found.clone());
        if let Some(found) = found
            && let Some(mut mark) = found.mark.clone()
        {
            mark.lacks = true;
            self.write_mark(index, &mark, Some(&found))?;
        }
        Ok(())
    }

    /// Whether the marks were looked up in this time.
    pub(super) fn was_looked_at(&self, within: Duration) -> bool {
        self.looked.is_some_and(|looked| looked.elapsed() < within)
    }

    /// The servers that are not known to hold all that they should.
    pub(super) fn unfilled(&self) -> Vec<usize> {
        let indexes = self.all.iter().enumerate();
        indexes
            .filter(|(_, server)| !server.filled)
            .map(|(index, _)| index)
            .collect()
    }

    /// The servers that may hold deleted records.
    pub(super) fn lacking(&self) -> Vec<&str> {
        let lacks = |server: &&Server| {
            let mark = server.found.as_ref().and_then(|found| found.mark.as_ref());
            mark.is_some_and(|mark| mark.lacks)
        };
        let lacking = self.all.iter().filter(lacks);
        lacking.map(|server| server.address[0].as_str()).collect()
    }

    /// The list's name in a mark.
    pub(super) fn list(&self) -> &str {
        &self.list
    }

    /// Looks after the marks of filled servers, which have all up to this event; one whose mark is
    /// gone was emptied, and one whose mark is an older one was set back.
    pub(super) fn look(&mut self, journal: i64, passed: u64) -> Result<(), StepError> {
        for index in 0..self.all.len() {
            if !self.all.get(index).is_some_and(|server| server.filled) {
                continue;
            }
            let found = self.find(index)?;
            let unchanged = |found: &Found| {
                let mark = Marker::after(found.mark.as_ref(), journal, &self.list, passed);
                found.mark.as_ref() == Some(&mark)
            };
            match found {
                Some(found) if self.was_set_back(index, &found) => {
                    self.adopt(index, false, Some(found));
                }
                Some(found) if unchanged(&found) => self.adopt(index, true, Some(found)),
                Some(found) => {
                    let mark = Marker::after(found.mark.as_ref(), journal, &self.list, passed);
                    self.write_mark(index, &mark, Some(&found))?;
                }
                None => {
                    self.adopt(index, false, None);
                }
            }
        }
        self.looked = Some(Instant::now());
        Ok(())
    }

    /// Whether a mark that was found is older than what this process knows of the server.
    fn was_set_back(&self, index: usize, found: &Found) -> bool {
        let known = self.all.get(index).and_then(|server| server.found.as_ref());
        let known = known.and_then(|known| known.mark.as_ref());
        known.is_some_and(|known| {
            let found = found.mark.as_ref();
            found.is_none_or(|found| found.is_before(known, &self.list))
        })
    }

    /// Whether a server is to be filled because it was set back to an older state.
    pub(super) fn is_set_back(&self, index: usize) -> bool {
        self.all.get(index).is_some_and(|server| server.set_back)
    }

    /// The mark that a server has.
    pub(super) fn find(&mut self, index: usize) -> Result<Option<Found>, StepError> {
        let mut parcel = CommandBatch::default();
        parcel.push("mg", &self.mark, " v c", None);
        let answer = self
            .exchange(index, |line, _| line.exchange(&parcel).map_err(harmless))?
            .into_iter()
            .next();
        let Some(answer) = answer.filter(|answer| !answer.says("EN")) else {
            return Ok(None);
        };
        match (answer.refusal(), number(&answer), answer.value) {
            (None, Some(cas), Some(value)) => Ok(Some(Found {
                mark: Marker::parse(&value),
                cas,
            })),
            (refusal, ..) => {
                let error = refusal.unwrap_or_else(|| unexpected(&answer.line));
                Err(self.failed(index, &error))
            }
        }
    }

    /// Writes a mark in the place of the one that was found, if it is still there: one that is gone
    /// was lost with all else. Whether that was done.
    pub(super) fn write_mark(
        &mut self,
        index: usize,
        mark: &Marker,
        found: Option<&Found>,
    ) -> Result<bool, StepError> {
        let mut parcel = CommandBatch::default();
        push_mark(&mut parcel, &self.mark, mark, found);
        let answer = self
            .exchange(index, |line, _| line.exchange(&parcel).map_err(harmless))?
            .into_iter()
            .next();
        self.was_written(index, mark, answer.as_ref())
    }

    /// What came of writing a mark.
    fn was_written(
        &mut self,
        index: usize,
        mark: &Marker,
        answer: Option<&Answer>,
    ) -> Result<bool, StepError> {
        match answer {
            Some(answer) if answer.says("HD") => {
                let found = number(answer).map(|cas| Found {
                    mark: Some(mark.clone()),
                    cas,
                });
                if found.is_none() {
                    self.looked = None;
                }
                self.adopt(index, true, found);
                Ok(true)
            }
            Some(answer) if answer.refusal().is_none() => {
                self.looked = None;
                Ok(false)
            }
            answer => {
                let error = answer.and_then(Answer::refusal);
                Err(self.failed(index, &error.unwrap_or_else(|| unexpected(""))))
            }
        }
    }

    fn adopt(&mut self, index: usize, filled: bool, found: Option<Found>) {
        if let Some(server) = self.all.get_mut(index) {
            if server.filled && !filled {
                let state = match &found {
                    Some(_) => "was set back to an older state",
                    None => "is empty",
                };
                tracing::warn!("memcached at {} {state} and is filled again", server.address[0]);
                server.set_back = found.is_some();
            }
            server.filled = filled;
            server.set_back &= !filled;
            server.found = found;
        }
    }

    /// It has a mark, but has yet to be filled.
    pub(super) fn unfill(&mut self, index: usize) {
        if let Some(server) = self.all.get_mut(index) {
            server.filled = false;
        }
    }

    /// Brings the servers to hold what the items say that are theirs: all of them, or only these.
    /// One that fails does not keep the others from it. `passed`: by a journal, up to which event
    /// all servers have everything then; the marker of one of them says so before it is reported
    /// anywhere else.
    pub(super) fn store(
        &mut self,
        items: &[Item<'_>],
        only: Option<&[usize]>,
        passed: Option<(i64, u64)>,
    ) -> Result<Vec<Notice>, StepError> {
        let mut notices = Vec::new();
        let mut failure = None;
        let alone = self.all.len() == 1;
        let owner = |item: &Item<'_>| self.ring.server(item.name.as_bytes());
        let owners: Vec<usize> = if alone {
            Vec::new()
        } else {
            items.iter().map(owner).collect()
        };
        let last = self.all.len().saturating_sub(1);
        for index in 0..self.all.len() {
            if only.is_some_and(|only| !only.contains(&index)) {
                continue;
            }
            let found = self.all.get(index).and_then(|server| server.found.clone());
            // By the last of them: then all others have had theirs.
            let mark = match (passed, found) {
                (Some((journal, passed)), Some(found)) if index == last && failure.is_none() => {
                    let mark = Marker::after(found.mark.as_ref(), journal, &self.list, passed);
                    Some((mark, found, self.mark.clone()))
                }
                _ => None,
            };
            let its = items
                .iter()
                .enumerate()
                .filter(|(item, _)| alone || owners.get(*item) == Some(&index))
                .map(|(_, item)| item);
            let push = |parcel: &mut CommandBatch| {
                if let Some((mark, found, name)) = &mark {
                    push_mark(parcel, name, mark, Some(found));
                }
            };
            let stored = self.exchange(index, |line, item_size| store::store(line, item_size, its, push));
            let stored = match (stored, &mark) {
                (Ok((more, answer)), Some((mark, ..))) => self
                    .was_written(index, mark, answer.as_ref())
                    .map(|_| notices.extend(more)),
                (Ok((more, _)), None) => {
                    notices.extend(more);
                    Ok(())
                }
                (Err(error), _) => Err(error),
            };
            failure = failure.or(stored.err());
        }
        failure.map_or(Ok(notices), Err)
    }

    /// Does something on a server's connection; after a failure it has none any more.
    fn exchange<T>(
        &mut self,
        index: usize,
        run: impl FnOnce(&mut Connection, Option<u64>) -> Result<T, Broken>,
    ) -> Result<T, StepError> {
        let Some(server) = self.all.get_mut(index) else {
            // The ring has as many servers as there are.
            return Err(failure(&unexpected(""), &[]).into());
        };
        let Some(line) = &mut server.line else {
            let error = std::io::Error::from(std::io::ErrorKind::NotConnected);
            return Err(failure(&Error::Io(error), &server.address).into());
        };
        run(line, server.item_size).map_err(|Broken { error, unsure }| {
            // Its name is looked up again: it may have moved.
            server.line = None;
            self.unsure |= unsure;
            failure(&error, &server.address).into()
        })
    }

    /// The one answer to one harmless command.
    pub(super) fn ask_once(
        &mut self,
        index: usize,
        parcel: &CommandBatch,
    ) -> Result<Option<Answer>, StepError> {
        let answers = self.exchange(index, |line, _| line.exchange(parcel).map_err(harmless))?;
        Ok(answers.into_iter().next())
    }

    pub(super) fn failed(&mut self, index: usize, error: &Error) -> StepError {
        match self.all.get_mut(index) {
            Some(server) => {
                server.line = None;
                failure(error, &server.address).into()
            }
            None => failure(error, &[]).into(),
        }
    }
}

/// Adds a mark, or puts it in the place of exactly what was found; the answer has its item's
/// number.
fn push_mark(parcel: &mut CommandBatch, name: &str, mark: &Marker, found: Option<&Found>) {
    let flags = found.map_or(" c ME".to_owned(), |found| format!(" c C{}", found.cas));
    parcel.push("ms", name, &flags, Some(mark.text().as_bytes()));
}

/// The number (CAS) of the item that an answer is about.
fn number(answer: &Answer) -> Option<u64> {
    let mut flags = answer.line.split(' ').skip(1);
    flags.find_map(|flag| flag.strip_prefix('c')?.parse().ok())
}

/// Marks say what they build on: whenever they arrive, they do no harm.
fn harmless(broken: Broken) -> Broken {
    Broken {
        unsure: false,
        ..broken
    }
}

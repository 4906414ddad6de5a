//! Redis: every event once into a stream and once to its store's channel, in order.
//!
//! A script does both for a batch and keeps the number of the last event in a key of its own beside
//! the stream: the cursor. So a batch that is sent again after a lost answer, or by the next host,
//! passes on exactly what is new.
//!
//! **A server may remember less than was passed on**: it was restored from an older copy, lost its
//! last second, or came back empty. The cursor shows it whenever a connection is made and once a
//! second while all is quiet, and the script refuses to leave a gap in between. Then the stream
//! gets again what it lost, as far as the journal still has it; the channels do not, as their
//! subscribers have received it.
//!
//! **Two hosts with copies of one journal** would each take the other's events for their own. Only
//! one at a time publishes (`claim`), the other says so; when it takes over, what it has gets
//! numbers behind those of the first.
//!
//! - `publish.lua`: the script.
//! - `claim`: which host may publish.
//! - `flight`: calls of it on their way.
//! - `link`: a connection, and what its server remembers. `lookup`: what inspectors want to know.
//! - `sign`: that the host runs.
//! - `rights`: what the user must be allowed.
//! - `memory`: how much memory a server has left.
//! - `problem`: what servers refuse, and fixes.

use std::{collections::HashMap, ops::ControlFlow, time::Instant};

use redis::{Cmd, IntoConnectionInfo as _, RedisError};

use super::runner::{PROFILE_COPIED, PROFILE_IN_USE, Sink, Step, StepError};
use crate::{
    config, failpoint,
    journal::{
        JournalError,
        progress::condition::Problem,
        read::{Entry, Reader},
        tokens::Tokens,
    },
    timing,
};

mod claim;
mod flight;
mod link;
mod lookup;
mod memory;
mod problem;
mod rights;
pub(crate) mod sign;

use self::{
    claim::{Challenged, Former},
    flight::{Answer, Caller, Flight},
    link::Link,
    sign::Sign,
};
pub use self::{
    link::connect,
    lookup::{client, entry},
    memory::Memory,
    rights::{grant, refusal},
};

/// How much one script call carries: enough to make the round trip small, little enough that the
/// server's other clients do not wait.
const BATCH_EVENTS: usize = 512;
const BATCH_BYTES: usize = 1024 * 1024;

/// How many stores' channels are remembered. Pages can make as many as they like.
const REMEMBERED: usize = 4096;

/// How the text of a gap event begins.
const GAP: &str = r#"{"op":"g""#;

/// The sink.
pub struct RedisSink {
    config: config::Redis,
    profile: String,
    tokens: Tokens,
    caller: Caller,
    challenged: Challenged,
    sign: Sign,
    /// Only kept while all goes well: after any failure the next connection asks the server again
    /// how far it has come.
    link: Option<Link>,
    channels: HashMap<i64, String>,
    /// The server has events up to this one that the journal knows nothing of.
    taken: Option<u64>,
}

impl RedisSink {
    /// A sink for one profile's events; it connects when it is first asked to do something.
    pub fn new(config: config::Redis, profile: &str, tokens: Tokens) -> Self {
        let cursor_key = cursor_key(config.stream.as_deref(), profile);
        Self {
            caller: Caller::new(&config, cursor_key),
            config,
            profile: profile.to_owned(),
            tokens,
            challenged: Challenged::default(),
            sign: Sign::default(),
            link: None,
            channels: HashMap::new(),
            taken: None,
        }
    }

    fn failed(&self, error: &RedisError) -> StepError {
        self.with_rights(problem::of_error(error, &self.address()))
    }

    /// An error with what allows the user what the host needs, if that is what it is about.
    fn with_rights(&self, mut error: StepError) -> StepError {
        if error.state == "not_permitted" {
            let fix = &mut error.trouble.fix;
            *fix = format!("{fix} {}", rights::fix(&self.config));
        }
        error
    }

    /// Connects and finds the event up to which the server has everything: `after`, or an earlier
    /// one if it remembers less.
    fn connect(&mut self, reader: &Reader, after: u64) -> Result<(Link, u64), StepError> {
        let address = self.address();
        let failed = |error| self.failed(&error);
        let mut link = Link::open(&self.config, self.caller.cursor_key()).map_err(failed)?;
        let former = self.claim(&mut link)?;
        if self.is_ahead(&mut link, reader, after, former)? {
            self.taken = Some(link.cursor());
            return Err(StepError {
                reached: self.last_common(&mut link, reader, after)?,
                state: "journal_set_back",
                trouble: Problem {
                    message: format!(
                        "redis at {address} has events of this profile, up to {}, that the journal does not know: it was set back to an older copy, or another host has written there",
                        link.cursor()
                    ),
                    fix: "Nothing to do for the stream: what comes now gets numbers behind these. Load the captured pages once, so that the journal learns what it has missed; where Memcached is fed by `idb-relay apply`, run `idb-relay verify --repair` then.".to_owned(),
                },
            });
        }
        let Some(stream) = &self.config.stream else {
            // Channels remember nothing that could be made good.
            return Ok((link, after));
        };
        if link.cursor() == 0 {
            let (tail, head) = (reader.tail()?, reader.head()?);
            if tail < head {
                // Also if nothing was passed on as far as is known here: an offset may be lost with
                // a host, and a cursor with the keys that a server evicts.
                link.recover(stream, &self.profile).map_err(failed)?;
            }
            if link.cursor() == 0 && tail >= after {
                // This is the first start.
                return Ok((link, after));
            }
        }
        let known = link.cursor().min(after);
        if known < after {
            tracing::warn!(
                "redis remembers event {known}, the journal {after}: the stream gets what the journal has after the former"
            );
        }
        Ok((link, known))
    }

    /// Makes the cursor this connection's, unless a host that runs has it.
    fn claim(&self, link: &mut Link) -> Result<Former, StepError> {
        loop {
            let holder = link.holder().map_err(|error| self.failed(&error))?;
            let former = match &holder {
                None => Former::Own,
                Some(holder) if self.tokens.has(holder)? => Former::Own,
                Some(_) if claim::is_alive(link).map_err(|error| self.failed(&error))? => {
                    return Err(self.in_use());
                }
                Some(_) => Former::Other,
            };
            let token = match (self.tokens.make(), &holder) {
                (Ok(token), _) => token,
                // The disk may be full of what waits here: it must be able to leave.
                (Err(error), Some(holder)) if former == Former::Own => {
                    tracing::warn!("no new token for redis, going on under the last one: {error}");
                    link.adopt(holder.clone()).map_err(|error| self.failed(&error))?;
                    return Ok(former);
                }
                (Err(error), _) => return Err(error.into()),
            };
            let replaced = claim::replace(link, &token, holder.as_deref());
            // If not it has changed hands meanwhile.
            if replaced.map_err(|error| self.failed(&error))? {
                failpoint::pass("redis.claimed");
                link.adopt(token).map_err(|error| self.failed(&error))?;
                return Ok(former);
            }
        }
    }

    fn in_use(&self) -> StepError {
        StepError {
            reached: None,
            state: PROFILE_IN_USE,
            trouble: Problem {
                message: format!(
                    "another host publishes to redis at {} as profile {}: this browser profile, or this machine, is a copy. Nothing is published from here; it stays in the journal",
                    self.address(),
                    self.profile
                ),
                fix: super::COPIED_FIX.to_owned(),
            },
        }
    }

    /// What is to be said although all is published.
    fn problem(&self) -> Option<(&'static str, Problem)> {
        self.challenged.is_recent().then(|| {
            let trouble = Problem {
                message: format!(
                    "a second host wants to publish to redis at {} as profile {}: a copy of this browser profile, or of this machine, runs. It publishes nothing as long as this one does",
                    self.address(),
                    self.profile
                ),
                fix: super::COPIED_FIX.to_owned(),
            };
            (PROFILE_COPIED, trouble)
        })
    }

    /// The last event that the stream and the journal have in common after this one: what comes
    /// behind it was not passed on.
    fn last_common(&self, link: &mut Link, reader: &Reader, after: u64) -> Result<Option<u64>, StepError> {
        let Some(stream) = &self.config.stream else {
            return Ok(None);
        };
        let head = reader.head()?;
        let mut failure = None;
        let each = |number: u64, _: &str, theirs: String| {
            if number <= after {
                return ControlFlow::Break(None);
            }
            if number > head {
                return ControlFlow::Continue(());
            }
            match reader.events(number - 1, 1, 0) {
                Ok(ours) => match ours.first() {
                    Some(ours) if ours.number == number && *ours.event == *theirs => {
                        ControlFlow::Break(Some(number))
                    }
                    _ => ControlFlow::Continue(()),
                },
                Err(error) => {
                    failure = Some(error);
                    ControlFlow::Break(None)
                }
            }
        };
        let found = link
            .newest_first(stream, &self.profile, each)
            .map_err(|error| self.failed(&error))?;
        match (failure, found) {
            (Some(error), _) => Err(error.into()),
            (None, ControlFlow::Break(found)) => Ok(found),
            (None, ControlFlow::Continue(())) => Ok(None),
        }
    }

    /// Whether the server has events that the journal knows nothing of, or others under the same
    /// numbers.
    fn is_ahead(
        &self,
        link: &mut Link,
        reader: &Reader,
        after: u64,
        former: Former,
    ) -> Result<bool, StepError> {
        if link.cursor() <= after {
            return Ok(false);
        }
        if link.cursor() > reader.given_out()? {
            return Ok(true);
        }
        let Some(stream) = &self.config.stream else {
            // What is published twice does less harm than what is left out.
            return Ok(former == Former::Other);
        };
        // So it is after a crash, too: an offset may be older than what was passed on.
        let found = link
            .last_in_stream(stream, &self.profile)
            .map_err(|error| self.failed(&error))?;
        let Some((number, theirs)) = found.filter(|(number, _)| *number > after) else {
            return Ok(former == Former::Other);
        };
        let ours = reader.events(number - 1, 1, 0)?.pop();
        // A gap stands in the place of another event.
        Ok(ours.is_some_and(|ours| {
            ours.number == number && *ours.event != *theirs && !ours.event.starts_with(GAP)
        }))
    }

    /// Passes on what comes after `from`: for a while, and in any case what a step back left out.
    /// Channels get what comes after `after`.
    fn pass_on(
        &mut self,
        link: &mut Link,
        reader: &Reader,
        from: u64,
        after: u64,
    ) -> Result<Step, StepError> {
        let end = Instant::now() + timing::redis::STEP;
        let mut flight = Flight::default();
        let (mut sent, mut reached) = (from, from);
        let mut loaded = false;
        loop {
            while flight.has_room() && (sent < after || sent == from || Instant::now() < end) {
                let entries = without_a_hole(reader.events(sent, BATCH_EVENTS, BATCH_BYTES)?);
                let Some(last) = entries.last().map(|entry| entry.number) else {
                    break;
                };
                let builds_on = if sent == reached { link.cursor() } else { sent };
                let call = self.call(reader, &entries, builds_on, after, link.token())?;
                failpoint::pass("redis.sending");
                flight
                    .send(link, &call, last)
                    .map_err(|error| self.stopped(reached, &error))?;
                sent = last;
            }
            let answer = flight
                .receive(link)
                .map_err(|error| self.stopped(reached, &error))?;
            match answer {
                Some(Answer::Passed(last)) => {
                    failpoint::pass("redis.sent");
                    reached = last;
                }
                Some(Answer::NoScript) if !loaded => {
                    loaded = true;
                    flight
                        .drain(link)
                        .and_then(|()| self.caller.load(link))
                        .map_err(|error| self.stopped(reached, &error))?;
                    sent = reached;
                }
                Some(Answer::NoScript) => return Err(problem::of_text("NOSCRIPT", &self.address(), None)),
                Some(Answer::Stopped { reached, refused }) => return Err(self.refused(reached, &refused)),
                None => {
                    return Ok(Step {
                        reached: reached.max(after),
                        trouble: self.problem(),
                        ..Step::default()
                    });
                }
            }
        }
    }

    fn call(
        &mut self,
        reader: &Reader,
        entries: &[Entry],
        builds_on: u64,
        published: u64,
        token: &str,
    ) -> Result<Cmd, JournalError> {
        if self.channels.len() > REMEMBERED {
            self.channels.clear();
        }
        for entry in entries {
            if !self.channels.contains_key(&entry.store) {
                let name = self.config.channel.store_name(reader.place(entry.store)?.names());
                self.channels.insert(entry.store, name);
            }
        }
        Ok(self
            .caller
            .call(entries, &self.channels, builds_on, published, token))
    }

    /// Fails if the server's memory has no room for more of the stream.
    fn leave_room(&self, link: &mut Link) -> Result<(), StepError> {
        if self.config.stream.is_none() {
            return Ok(());
        }
        match link.memory().map_err(|error| self.failed(&error))? {
            Some(memory) => memory.problem(&self.config, &self.address()).map_or(Ok(()), Err),
            None => Ok(()),
        }
    }

    fn address(&self) -> String {
        address(&self.config.url)
    }

    /// The connection failed, or the server refused a whole call; what was answered before it
    /// counts.
    fn stopped(&self, reached: u64, error: &RedisError) -> StepError {
        StepError {
            reached: Some(reached),
            ..self.failed(error)
        }
    }

    /// The server stopped in the middle of a batch.
    fn refused(&self, reached: Option<u64>, refused: &str) -> StepError {
        if !refused.is_empty() {
            return self.with_rights(problem::of_text(refused, &self.address(), reached));
        }
        StepError {
            reached,
            state: "refused",
            trouble: Problem {
                message: format!("redis at {} stopped without a reason", self.address()),
                fix: "Report this; the events are sent again.".to_owned(),
            },
        }
    }
}

/// The events up to the first whose number does not follow: what comes then is another batch.
fn without_a_hole(mut entries: Vec<Entry>) -> Vec<Entry> {
    let hole = entries
        .windows(2)
        .position(|pair| pair[0].number + 1 != pair[1].number);
    entries.truncate(hole.map_or(entries.len(), |before| before + 1));
    entries
}

/// What an error of the client is called, with its fix.
pub fn trouble(error: &RedisError, address: &str) -> Problem {
    problem::of_error(error, address).trouble
}

/// The same with its state, for who passes on.
pub(crate) fn failure(error: &RedisError, address: &str) -> StepError {
    problem::of_error(error, address)
}

/// Where the server of a URL is, without what opens it.
pub fn address(url: &str) -> String {
    url.into_connection_info()
        .map_or_else(|_| "redis.url".to_owned(), |info| info.addr().to_string())
}

impl Sink for RedisSink {
    fn name(&self) -> &'static str {
        super::REDIS
    }

    fn step(&mut self, reader: &Reader, after: u64) -> Result<Step, StepError> {
        let (mut link, from) = match self.link.take() {
            Some(link) if link.is_open() => (link, after),
            _ => self.connect(reader, after)?,
        };
        if let Err(error) = self.leave_room(&mut link) {
            // The server answers: there is no need to connect again, unless it has to be given
            // something again.
            if error.state == memory::FULL && from == after {
                link.ask_memory_again();
                self.link = Some(link);
            }
            return Err(error);
        }
        let signed = self.sign.give(&mut link);
        signed.map_err(|error| self.failed(&error))?;
        let step = self.pass_on(&mut link, reader, from, after)?;
        self.link = Some(link);
        Ok(step)
    }

    fn taken(&mut self) -> Option<u64> {
        self.taken.take()
    }

    fn idle(&mut self, reader: &Reader, after: u64) -> Result<Step, StepError> {
        let address = self.address();
        if let Some(link) = &mut self.link {
            if !link.is_unbroken() {
                self.link = None;
            } else if claim::answer(link).map_err(|error| problem::of_error(&error, &address))? {
                self.challenged.note();
            }
        }
        self.step(reader, after)
    }
}

/// The key that holds the number of the last event of a profile, in the stream's cluster slot.
pub(crate) fn cursor_key(stream: Option<&str>, profile: &str) -> String {
    match stream {
        Some(stream) if stream.contains(['{', '}']) => format!("{stream}:cursor:{profile}"),
        Some(stream) => format!("{{{stream}}}:cursor:{profile}"),
        None => format!("{{idb}}:cursor:{profile}"),
    }
}

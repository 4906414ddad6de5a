//! Redis: every event once into a stream and once to its store's channel, in order.
//!
//! A script does both for a batch and keeps the number of the last event in a key of its own beside the stream: the cursor. So a
//! batch that is sent again after a lost answer, or by the next host, passes on exactly what is new.
//!
//! **A server may remember less than was passed on**: it was restored from an older copy, lost its last second, or came back empty.
//! The cursor shows it whenever a connection is made and once a second while all is quiet, and the script refuses to leave a
//! gap in between. Then the stream gets again what it lost, as far as the journal still has it; the channels do not, for
//! who listened there has heard it.
//!
//! - `publish.lua`: the script.
//! - `link`: a connection, and what its server remembers.
//! - `trouble`: what servers refuse, and cures.

use std::collections::HashMap;

use redis::{IntoConnectionInfo as _, RedisError, Script};

use super::runner::{Sink, Step, StepError};
use crate::{
    config, failpoint,
    journal::{
        JournalError,
        progress::Trouble,
        read::{Entry, Reader},
    },
};

mod link;
mod trouble;

use self::link::Link;
pub use self::link::connect;

/// How much one script call carries: enough to make the round trip small, little enough that the server's other clients do not wait.
const BATCH_EVENTS: usize = 512;
const BATCH_BYTES: usize = 1024 * 1024;

/// The sink.
pub struct RedisSink {
    config: config::Redis,
    profile: String,
    cursor_key: String,
    script: Script,
    /// Only kept while all goes well: after any failure the next connection asks the server anew how far it has come.
    link: Option<Link>,
    channels: HashMap<i64, String>,
}

impl RedisSink {
    /// A sink for one profile's events; it connects when it is first asked to do something.
    pub fn new(config: config::Redis, profile: &str) -> Self {
        let cursor_key = cursor_key(config.stream.as_deref(), profile);
        Self {
            config,
            profile: profile.to_owned(),
            cursor_key,
            script: Script::new(include_str!("redis/publish.lua")),
            link: None,
            channels: HashMap::new(),
        }
    }

    fn failed(&self, error: &RedisError) -> StepError {
        trouble::of_error(error, &address(&self.config.url))
    }

    /// Connects and finds the event up to which the server has everything: `after`, or an earlier one if it remembers less.
    fn connect(&self, reader: &Reader, after: u64) -> Result<(Link, u64), StepError> {
        let failed = |error| self.failed(&error);
        let mut link = Link::open(&self.config.url, &self.cursor_key).map_err(failed)?;
        let Some(stream) = &self.config.stream else {
            // Channels remember nothing that could be made good.
            return Ok((link, after));
        };
        if link.cursor() == 0 {
            if reader.tail()? >= after {
                // Of what the journal has, nothing was passed on: this is the first start.
                return Ok((link, after));
            }
            link.recover(stream, &self.profile).map_err(failed)?;
        }
        let known = link.cursor().min(after);
        if known < after {
            tracing::warn!(
                "redis remembers event {known}, the journal {after}: the stream gets what the journal has after the former"
            );
        }
        Ok((link, known))
    }

    /// Passes on what comes after `from`: one batch, and more only until what a step back left out is made good.
    fn pass_on(
        &mut self,
        link: &mut Link,
        reader: &Reader,
        mut from: u64,
        after: u64,
    ) -> Result<Step, StepError> {
        loop {
            let entries = reader.events(from, BATCH_EVENTS, BATCH_BYTES)?;
            if let Some(last) = entries.last() {
                self.publish(link, reader, &entries, after)?;
                from = last.number;
            }
            if entries.is_empty() || from >= after {
                return Ok(Step {
                    reached: from.max(after),
                    ..Step::default()
                });
            }
        }
    }

    fn channel(&mut self, reader: &Reader, store: i64) -> Result<&str, JournalError> {
        if !self.channels.contains_key(&store) {
            let name = self.config.channel.store_name(reader.place(store)?.names());
            self.channels.insert(store, name);
        }
        Ok(self.channels.get(&store).map_or("", String::as_str))
    }

    /// Sends a batch; all of it was passed on if this succeeds. Channels get what comes after `published`.
    fn publish(
        &mut self,
        link: &mut Link,
        reader: &Reader,
        entries: &[Entry],
        published: u64,
    ) -> Result<(), StepError> {
        let script = self.script.clone();
        let mut call = script.key(&self.cursor_key);
        if let Some(stream) = &self.config.stream {
            call.key(stream);
        }
        call.arg(self.config.max_stream_length.unwrap_or(0));
        call.arg(link.cursor());
        call.arg(published);
        for entry in entries {
            call.arg(entry.number);
            call.arg(self.channel(reader, entry.store)?);
            call.arg(&entry.event);
        }
        failpoint::pass("redis.sending");
        let (reached, refused) = link.publish(&call).map_err(|error| self.failed(&error))?;
        failpoint::pass("redis.sent");
        let last = entries.last().map_or(0, |entry| entry.number);
        match (reached, refused.as_str()) {
            (Some(reached), "") if reached >= last => Ok(()),
            (reached, "") => Err(StepError {
                reached,
                state: "refused",
                trouble: Trouble {
                    error: format!(
                        "redis at {} stopped before event {last} without a reason",
                        address(&self.config.url)
                    ),
                    cure: "Report this; the events are sent again.".to_owned(),
                },
            }),
            (reached, refused) => Err(trouble::of_text(refused, &address(&self.config.url), reached)),
        }
    }
}

/// What an error of the client is called, with its cure.
pub fn trouble(error: &RedisError, address: &str) -> Trouble {
    trouble::of_error(error, address).trouble
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
        let step = self.pass_on(&mut link, reader, from, after)?;
        self.link = Some(link);
        Ok(step)
    }

    fn idle(&mut self, reader: &Reader, after: u64) -> Result<Step, StepError> {
        if self.link.as_mut().is_some_and(|link| !link.is_unbroken()) {
            self.link = None;
        }
        self.step(reader, after)
    }
}

/// The key that holds the number of the last event of a profile, in the stream's cluster slot.
fn cursor_key(stream: Option<&str>, profile: &str) -> String {
    match stream {
        Some(stream) if stream.contains(['{', '}']) => format!("{stream}:cursor:{profile}"),
        Some(stream) => format!("{{{stream}}}:cursor:{profile}"),
        None => format!("{{idb}}:cursor:{profile}"),
    }
}

//! Redis: every event once into a stream and once to its store's channel, in order.
//!
//! A script does both for a batch and keeps the number of the last event in a key of its own beside the stream. So a batch that is
//! sent again after a lost answer, or by the next host, passes on exactly what is new.
//!
//! - `publish.lua`: the script.
//! - `trouble`: what servers refuse, and cures.

use std::{collections::HashMap, time::Duration};

use redis::{
    Client, Connection, ConnectionLike as _, IntoConnectionInfo as _, RedisError, Script,
    io::tcp::TcpSettings,
};

use super::runner::{Sink, Step, StepError};
use crate::{
    config,
    journal::{
        JournalError,
        progress::Trouble,
        read::{Entry, Reader},
    },
};

mod trouble;

/// How much one script call carries: enough to make the round trip small, little enough that the server's other clients do not wait.
const BATCH_EVENTS: usize = 512;
const BATCH_BYTES: usize = 1024 * 1024;

/// How long a server may take. A script that outlives this has still run once, which the cursor shows.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The sink.
pub struct RedisSink {
    config: config::Redis,
    cursor_key: String,
    script: Script,
    connection: Option<Connection>,
    channels: HashMap<i64, String>,
}

impl RedisSink {
    /// A sink for one profile's events; it connects when there is something to pass on.
    pub fn new(config: config::Redis, profile: &str) -> Self {
        let cursor_key = cursor_key(config.stream.as_deref(), profile);
        Self {
            config,
            cursor_key,
            script: Script::new(include_str!("redis/publish.lua")),
            connection: None,
            channels: HashMap::new(),
        }
    }

    /// Where the server is, without what opens it.
    fn address(&self) -> String {
        self.config
            .url
            .as_str()
            .into_connection_info()
            .map_or_else(|_| "redis.url".to_owned(), |info| info.addr().to_string())
    }

    fn failed(&self, error: &RedisError) -> StepError {
        trouble::of_error(error, &self.address())
    }

    /// Connects, and steps back if the server remembers less than was passed on: it was restored from an older copy of its data.
    fn connect(&mut self, after: u64) -> Result<u64, StepError> {
        if self.connection.as_ref().is_some_and(Connection::is_open) {
            return Ok(after);
        }
        let (connection, cursor) =
            open(&self.config.url, &self.cursor_key).map_err(|error| self.failed(&error))?;
        self.connection = Some(connection);
        match cursor {
            Some(cursor) if cursor < after => {
                tracing::warn!(
                    "redis remembers event {cursor}, the journal {after}: passing on again from there"
                );
                Ok(cursor)
            }
            _ => Ok(after),
        }
    }

    fn channel(&mut self, reader: &Reader, store: i64) -> Result<&str, JournalError> {
        if !self.channels.contains_key(&store) {
            let name = self.config.channel.store_name(reader.place(store)?.names());
            self.channels.insert(store, name);
        }
        Ok(self.channels.get(&store).map_or("", String::as_str))
    }

    fn publish(&mut self, reader: &Reader, entries: &[Entry]) -> Result<u64, StepError> {
        let script = self.script.clone();
        let mut call = script.key(&self.cursor_key);
        if let Some(stream) = &self.config.stream {
            call.key(stream);
        }
        call.arg(self.config.max_stream_length.unwrap_or(0));
        for entry in entries {
            call.arg(entry.number);
            call.arg(self.channel(reader, entry.store)?);
            call.arg(&entry.event);
        }
        let Some(connection) = &mut self.connection else {
            return Err(trouble::disconnected(&self.address()));
        };
        let answer: Result<(String, String), RedisError> = call.invoke(connection);
        match answer {
            Ok((reached, refused)) => {
                let reached = reached.parse().ok();
                match (reached, refused.as_str()) {
                    (Some(reached), "") => Ok(reached),
                    (reached, refused) => Err(trouble::of_text(refused, &self.address(), reached)),
                }
            }
            Err(error) => {
                // Whatever is still under way on this connection, it is not to be taken for the answer to the next call.
                self.connection = None;
                Err(self.failed(&error))
            }
        }
    }
}

impl Sink for RedisSink {
    fn name(&self) -> &'static str {
        super::REDIS
    }

    fn step(&mut self, reader: &Reader, after: u64) -> Result<Step, StepError> {
        let mut from = self.connect(after)?;
        // A step back is made good at once; a sink's own offset only grows.
        loop {
            let entries = reader.events(from, BATCH_EVENTS, BATCH_BYTES)?;
            let Some(last) = entries.last().map(|entry| entry.number) else {
                return Ok(Step {
                    reached: from.max(after),
                    ..Step::default()
                });
            };
            let reached = self.publish(reader, &entries)?;
            if reached < last {
                return Err(StepError {
                    reached: Some(reached),
                    state: "refused",
                    trouble: Trouble {
                        error: format!(
                            "redis at {} stopped at event {reached} of {last} without a reason",
                            self.address()
                        ),
                        cure: "Report this; the events are sent again.".to_owned(),
                    },
                });
            }
            from = last;
            if last >= after {
                return Ok(Step {
                    reached: last,
                    ..Step::default()
                });
            }
        }
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

fn open(url: &str, cursor_key: &str) -> Result<(Connection, Option<u64>), RedisError> {
    let info = url.into_connection_info()?;
    let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
    let mut connection = Client::open(info)?.get_connection_with_timeout(CONNECT_TIMEOUT)?;
    connection.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    connection.set_write_timeout(Some(ANSWER_TIMEOUT))?;
    let cursor = redis::cmd("GET").arg(cursor_key).query(&mut connection)?;
    Ok((connection, cursor))
}

//! The stream and the consumer group: which events come next, which are still owed.
//!
//! All that changes the group goes through the [lease](super::lease). Before anything new is read, everything that any consumer was given and has not
//! acknowledged is claimed, whoever it was: only one process reads at a time, so it is either our own or that of one that has
//! lost the lease.

use std::collections::HashMap;

use redis::{Connection, RedisError, Script, Value, from_redis_value};

use super::lease::Lease;

mod position;

pub use self::position::lag;

/// How many entries are read at once, at first and at most.
const FIRST_ENTRIES: usize = 64;
const MOST_ENTRIES: usize = 512;

/// When what was read at once is larger than this, less is read the next time.
const LARGE: usize = 8 * 1024 * 1024;

/// How long a server waits for something new to happen before it says that nothing has.
const WAIT_MS: &str = "500";

/// An entry of the stream.
#[derive(Debug)]
pub struct Entry {
    /// Its id in the stream.
    pub id: String,
    /// The event's text; `None` if there is none in it, or none that is text.
    pub event: Option<String>,
}

/// A consumer of a group.
pub struct Group {
    stream: String,
    name: String,
    consumer: String,
    /// How many entries are read next.
    count: usize,
    read: Script,
    end: Script,
}

/// Whether a group has read all that there is.
#[derive(Debug)]
pub enum End {
    /// It has not.
    Ahead,
    /// It has.
    Reached {
        /// It reads on after this entry.
        last: String,
        /// How many entries were cut off the stream before they were read, since it was here last; `None` if nobody knows.
        unread: Option<usize>,
    },
}

/// What a stream is like.
#[derive(Debug, Default)]
pub struct Extent {
    /// How many entries it has.
    pub length: usize,
    /// How many it has had, if the server tells (Redis 7).
    pub added: Option<usize>,
    /// The id of the first one it has, if it has one.
    pub first: Option<String>,
    /// The id of the last one it has had.
    pub last: String,
}

/// What was claimed.
#[derive(Debug, Default)]
pub struct Claimed {
    /// What is owed, oldest first.
    pub entries: Vec<Entry>,
    /// How many of what was owed are no longer in the stream.
    pub gone: usize,
}

impl Group {
    /// A consumer of this name.
    pub fn new(stream: &str, name: &str, consumer: &str) -> Self {
        Self {
            stream: stream.to_owned(),
            name: name.to_owned(),
            consumer: consumer.to_owned(),
            count: FIRST_ENTRIES,
            read: Script::new(include_str!("group/read.lua")),
            end: Script::new(include_str!("group/end.lua")),
        }
    }

    /// The group's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The stream's name.
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// What the stream is like; `None` if there is none.
    pub fn extent(&self, connection: &mut Connection) -> Result<Option<Extent>, RedisError> {
        let answer: Result<HashMap<String, Value>, RedisError> = redis::cmd("XINFO")
            .arg("STREAM")
            .arg(&self.stream)
            .query(connection);
        let mut answer = match answer {
            Err(error) if is_no_such_key(&error) => return Ok(None),
            other => other?,
        };
        let mut field = |name: &str| answer.remove(name).unwrap_or(Value::Nil);
        let first: Option<(String, Value)> = from_redis_value(field("first-entry"))?;
        Ok(Some(Extent {
            length: from_redis_value(field("length"))?,
            added: from_redis_value(field("entries-added"))?,
            first: first.map(|(id, _)| id),
            last: from_redis_value(field("last-generated-id"))?,
        }))
    }

    /// The last entry that was given to a consumer of the group; `None` if there is no group.
    pub fn place(&self, connection: &mut Connection) -> Result<Option<String>, RedisError> {
        let groups: Vec<HashMap<String, Value>> = redis::cmd("XINFO")
            .arg("GROUPS")
            .arg(&self.stream)
            .query(connection)?;
        for mut group in groups {
            let mut field = |name: &str| from_redis_value(group.remove(name).unwrap_or(Value::Nil));
            if field("name")? == self.name.as_str() {
                return Ok(Some(field("last-delivered-id")?));
            }
        }
        Ok(None)
    }

    /// Creates the group; what comes after this entry will be read, and so many there were up to it. `false` if the lease is lost.
    pub fn create(
        &self,
        lease: &mut Lease,
        connection: &mut Connection,
        after: &str,
        count: Option<usize>,
    ) -> Result<bool, RedisError> {
        let command = ["XGROUP", "CREATE", &self.stream, &self.name, after];
        if lease.run(connection, &command)?.is_none() {
            return Ok(false);
        }
        let Some(count) = count else { return Ok(true) };
        let (key, position) = (lease.position_key(), format!("{after} {count}"));
        Ok(lease.run(connection, &["SET", &key, &position])?.is_some())
    }

    /// Claims all that is owed; `None` if the lease is lost.
    pub fn claim(
        &self,
        lease: &mut Lease,
        connection: &mut Connection,
    ) -> Result<Option<Claimed>, RedisError> {
        let mut claimed = Claimed::default();
        let mut from = "0-0".to_owned();
        loop {
            let count = FIRST_ENTRIES.to_string();
            let command = [
                "XAUTOCLAIM",
                &self.stream,
                &self.name,
                &self.consumer,
                "0",
                &from,
                "COUNT",
                &count,
            ];
            let Some(answer) = lease.run(connection, &command)? else {
                return Ok(None);
            };
            let mut answer: Vec<Value> = from_redis_value(answer)?;
            // Before Redis 7 there is no list of those that are gone; they come as nothing in the list of entries.
            let gone: Vec<String> = match answer.get_mut(2) {
                Some(gone) => from_redis_value(std::mem::replace(gone, Value::Nil))?,
                None => Vec::new(),
            };
            claimed.gone += gone.len();
            let mut next = answer.into_iter();
            let after: String = from_redis_value(next.next().unwrap_or(Value::Nil))?;
            claimed
                .entries
                .extend(entries(next.next().unwrap_or(Value::Nil))?);
            if after == "0-0" {
                return Ok(Some(claimed));
            }
            from = after;
        }
    }

    /// Reads on after this entry; `None` if the lease is lost.
    pub fn read(
        &mut self,
        lease: &mut Lease,
        connection: &mut Connection,
        after: &str,
    ) -> Result<Option<Vec<Entry>>, RedisError> {
        let position = lease.position_key();
        let count = self.count.to_string();
        let arguments = [&*self.name, &*self.consumer, &*count, after];
        let Some(answer) = lease.invoke(connection, &self.read, &[&position], &arguments)? else {
            return Ok(None);
        };
        let streams: Option<Vec<(String, Value)>> = from_redis_value(answer)?;
        let mut read = Vec::new();
        for (_, of_stream) in streams.unwrap_or_default() {
            read.extend(entries(of_stream)?);
        }
        let bytes: usize = read
            .iter()
            .map(|entry| entry.event.as_ref().map_or(0, String::len))
            .sum();
        self.count = if bytes > LARGE {
            (self.count / 4).max(1)
        } else {
            (self.count * 2).min(MOST_ENTRIES)
        };
        Ok(Some(read))
    }

    /// Whether all that there is has been read, up to this entry; `None` if the lease is lost.
    pub fn end(
        &self,
        lease: &mut Lease,
        connection: &mut Connection,
        last: &str,
    ) -> Result<Option<End>, RedisError> {
        let position = lease.position_key();
        let arguments = [&*self.name, last];
        let Some(answer) = lease.invoke(connection, &self.end, &[&position], &arguments)? else {
            return Ok(None);
        };
        let reached: Option<(String, i64)> = from_redis_value(answer)?;
        Ok(Some(match reached {
            None => End::Ahead,
            Some((last, unread)) => End::Reached {
                last,
                unread: unread.try_into().ok(),
            },
        }))
    }

    /// Waits a while for something to come after this entry.
    pub fn wait(&self, connection: &mut Connection, after: &str) -> Result<(), RedisError> {
        redis::cmd("XREAD")
            .arg("COUNT")
            .arg(1)
            .arg("BLOCK")
            .arg(WAIT_MS)
            .arg("STREAMS")
            .arg(&self.stream)
            .arg(after)
            .exec(connection)
    }

    /// Says that these are done with; `false` if the lease is lost.
    pub fn acknowledge(
        &self,
        lease: &mut Lease,
        connection: &mut Connection,
        ids: &[&str],
    ) -> Result<bool, RedisError> {
        for ids in ids.chunks(MOST_ENTRIES) {
            let mut command = vec!["XACK", &self.stream, &self.name];
            command.extend(ids);
            if lease.run(connection, &command)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What comes before (and, at first, at) this entry, newest first. An id that begins with `(` is left out itself.
    pub fn backwards(
        &self,
        connection: &mut Connection,
        from: &str,
        count: usize,
    ) -> Result<Vec<Entry>, RedisError> {
        entries(
            redis::cmd("XREVRANGE")
                .arg(&self.stream)
                .arg(from)
                .arg("-")
                .arg("COUNT")
                .arg(count)
                .query(connection)?,
        )
    }
}

/// An entry as the server gives it: its id, and its fields unless it is gone.
type RawEntry = (String, Option<HashMap<String, Value>>);

/// The entries of an answer.
fn entries(answer: Value) -> Result<Vec<Entry>, RedisError> {
    let entries: Option<Vec<Option<RawEntry>>> = from_redis_value(answer)?;
    Ok(entries
        .unwrap_or_default()
        .into_iter()
        .flatten()
        .map(|(id, fields)| Entry {
            id,
            event: fields
                .and_then(|mut fields| fields.remove("event"))
                .and_then(|event| from_redis_value(event).ok()),
        })
        .collect())
}

fn is_no_such_key(error: &RedisError) -> bool {
    error
        .detail()
        .is_some_and(|detail| detail.contains("no such key"))
        || error.to_string().contains("no such key")
}

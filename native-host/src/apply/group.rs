//! The stream and the consumer group: which events come next, which are still unacknowledged.
//!
//! All that changes the group goes through the [lease](super::lease). Before it reads anything new,
//! the process claims all that any consumer was given and has not acknowledged: only one process
//! reads at a time, so it is either our own or that of one that has lost the lease.

use std::{collections::HashMap, time::Instant};

use redis::{Connection, RedisError, Script, Value, from_redis_value};

use super::{batch_size::BatchSize, lease::Lease};
use crate::timing;

mod position;

pub use self::position::lag;

/// How many entries are read at once, at most; fewer if they are large.
const MOST_ENTRIES: usize = 512;

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
    /// How much is read at once.
    batch_size: BatchSize,
    read: Script,
    claim: Script,
    backwards: Script,
    again: Script,
    end: Script,
    extent: Script,
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
        /// How many entries were cut off the stream before they were read, since it was here last;
        /// `None` if that is unknown.
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
    /// Some of the unacknowledged entries, oldest first.
    pub entries: Vec<Entry>,
    /// How many of the unacknowledged entries are no longer in the stream.
    pub gone: usize,
    /// From which id on there may be more; `None`: there is none.
    pub next: Option<String>,
}

impl Group {
    /// A consumer of this name.
    pub fn new(stream: &str, name: &str, consumer: &str) -> Self {
        Self {
            stream: stream.to_owned(),
            name: name.to_owned(),
            consumer: consumer.to_owned(),
            batch_size: BatchSize::default(),
            read: paged(include_str!("group/read.lua")),
            claim: paged(include_str!("group/claim.lua")),
            backwards: paged(include_str!("group/backwards.lua")),
            again: paged(include_str!("group/again.lua")),
            end: Script::new(include_str!("group/end.lua")),
            extent: Script::new(include_str!("group/extent.lua")),
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
        type Reply = (usize, i64, String, Option<String>);
        let reply: Option<Reply> = self.extent.key(&self.stream).invoke(connection)?;
        Ok(reply.map(|(length, added, last, first)| Extent {
            length,
            added: added.try_into().ok(),
            first,
            last,
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

    /// Creates the group; what comes after this entry will be read, and so many there were up to
    /// it. `false` if the lease is lost.
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

    /// Claims some of the unacknowledged entries, from this id on; `None` if the lease is lost.
    pub fn claim(
        &mut self,
        lease: &mut Lease,
        connection: &mut Connection,
        from: &str,
    ) -> Result<Option<Claimed>, RedisError> {
        let (count, bytes) = (MOST_ENTRIES.to_string(), self.batch_size.bytes().to_string());
        let arguments = [&*self.name, &*self.consumer, &*count, &*bytes, from];
        let asked = Instant::now();
        let answer = lease.invoke(connection, &self.claim, &[], &arguments);
        self.batch_size.learn(asked.elapsed());
        let Some(answer) = answer? else {
            return Ok(None);
        };
        let (next, claimed, gone): (String, Value, Vec<String>) = from_redis_value(answer)?;
        Ok(Some(Claimed {
            entries: entries(claimed)?,
            gone: gone.len(),
            next: Some(next).filter(|next| next != "0-0"),
        }))
    }

    /// Reads on after this entry; `None` if the lease is lost.
    pub fn read(
        &mut self,
        lease: &mut Lease,
        connection: &mut Connection,
        after: &str,
    ) -> Result<Option<Vec<Entry>>, RedisError> {
        let position = lease.position_key();
        let (count, bytes) = (MOST_ENTRIES.to_string(), self.batch_size.bytes().to_string());
        let arguments = [&*self.name, &*self.consumer, &*count, &*bytes, after];
        let asked = Instant::now();
        let answer = lease.invoke(connection, &self.read, &[&position], &arguments);
        self.batch_size.learn(asked.elapsed());
        answer?.map(entries).transpose()
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

    /// Waits a while for something to come after this entry. It is returned complete, and read
    /// again later: Redis has no other way of waiting.
    pub fn wait(&self, lease: &Lease, connection: &mut Connection, after: &str) -> Result<(), RedisError> {
        let _waiting = lease.wait();
        redis::cmd("XREAD")
            .arg("COUNT")
            .arg(1)
            .arg("BLOCK")
            .arg(timing::apply::new_entry().as_millis().to_string())
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

    /// What comes before (and, at first, at) this entry, newest first. An id that begins with `(`
    /// is left out itself.
    pub fn backwards(
        &mut self,
        lease: &Lease,
        connection: &mut Connection,
        from: &str,
    ) -> Result<Vec<Entry>, RedisError> {
        let _waiting = lease.wait();
        let asked = Instant::now();
        let answer = self
            .backwards
            .key(&self.stream)
            .arg(from)
            .arg(MOST_ENTRIES)
            .arg(self.batch_size.bytes())
            .invoke(connection);
        self.batch_size.learn(asked.elapsed());
        entries(answer?)
    }

    /// Some of these entries once more, and of how many these are all that there are.
    pub fn again(
        &mut self,
        lease: &Lease,
        connection: &mut Connection,
        ids: &[&str],
    ) -> Result<(usize, Vec<Entry>), RedisError> {
        let _waiting = lease.wait();
        let asked = Instant::now();
        let mut call = self.again.key(&self.stream);
        call.arg(self.batch_size.bytes());
        for id in ids.iter().take(MOST_ENTRIES) {
            call.arg(id);
        }
        let answer = call.invoke(connection);
        self.batch_size.learn(asked.elapsed());
        let (looked, found): (usize, Value) = answer?;
        Ok((looked, entries(found)?))
    }
}

/// A script that gives entries.
fn paged(script: &str) -> Script {
    Script::new(&format!("{}{script}", include_str!("group/page.lua")))
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

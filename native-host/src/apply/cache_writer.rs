//! The processes that write a stream's events to a cache, as far as Redis knows.

use std::collections::HashMap;

use redis::{Connection, RedisError, Value, from_redis_value};
use serde::Deserialize;

use super::lease::Lease;

/// The default group of `idb-relay apply`.
pub const USUAL_GROUP: &str = "memcached";

/// What the name of a process ends with that listens to the channels. No name given by a person has
/// a space.
pub const PUBSUB_SUFFIX: &str = " --pubsub";

/// A group that reads a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheWriter {
    /// Its name.
    pub group: String,
    /// Whether it is known as one of `idb-relay apply`.
    pub is_apply: bool,
    /// The process of `idb-relay apply` that writes now.
    pub process: Option<String>,
    /// What it feeds, and how, if it has said so.
    pub feed: Option<Feed>,
}

/// What a group feeds: what the marks of its servers say, too.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Feed {
    /// The template of keys.
    pub key: String,
    /// The form of values.
    pub value: String,
    /// The servers.
    pub servers: Vec<String>,
    /// Since when, as a random name.
    pub era: String,
}

impl CacheWriter {
    /// Whether the process that writes now listens to the channels: it is unknown then what it has
    /// missed.
    pub fn uses_pubsub(&self) -> bool {
        self.process
            .as_ref()
            .is_some_and(|process| process.ends_with(PUBSUB_SUFFIX))
    }

    /// The servers, if they are known.
    pub fn servers(&self) -> &[String] {
        self.feed.as_ref().map_or(&[], |feed| &feed.servers)
    }
}

/// The groups that read this stream, and who listens to the channels beside it under the usual
/// name.
pub fn cache_writers(
    connection: &mut Connection,
    stream: Option<&str>,
) -> Result<Vec<CacheWriter>, RedisError> {
    let groups = match stream {
        Some(stream) => groups(connection, stream)?,
        None => Vec::new(),
    };
    let listens = !groups.iter().any(|group| group == USUAL_GROUP);
    let mut writers = Vec::new();
    for group in groups {
        writers.push(cache_writer(connection, stream, group)?);
    }
    if listens {
        let usual = cache_writer(connection, stream, USUAL_GROUP.to_owned())?;
        writers.extend(Some(usual).filter(|writer| writer.process.is_some()));
    }
    Ok(writers)
}

/// The group of this name, whether or not there is one.
pub fn cache_writer(
    connection: &mut Connection,
    stream: Option<&str>,
    group: String,
) -> Result<CacheWriter, RedisError> {
    let lease = Lease::new(stream, &group, "");
    let feed: Option<String> = redis::cmd("GET").arg(lease.memory_key()).query(connection)?;
    let process = lease.holder(connection)?;
    Ok(CacheWriter {
        is_apply: feed.is_some() || process.is_some(),
        process,
        feed: feed.and_then(|feed| serde_json::from_str(&feed).ok()),
        group,
    })
}

fn groups(connection: &mut Connection, stream: &str) -> Result<Vec<String>, RedisError> {
    // Asked for the groups of what is not there, the server refuses.
    let kind: String = redis::cmd("TYPE").arg(stream).query(connection)?;
    if kind == "none" {
        return Ok(Vec::new());
    }
    let groups: Vec<HashMap<String, Value>> =
        redis::cmd("XINFO").arg("GROUPS").arg(stream).query(connection)?;
    groups
        .into_iter()
        .map(|mut group| Ok(from_redis_value(group.remove("name").unwrap_or(Value::Nil))?))
        .collect()
}

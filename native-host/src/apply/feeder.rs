//! Who brings what a stream says to a cache, as far as Redis knows.

use std::collections::HashMap;

use redis::{Connection, RedisError, Value, from_redis_value};
use serde_json::Value as Json;

use super::lease::Lease;

/// The group of `idb-relay apply` unless it is told another.
pub const USUAL_GROUP: &str = "memcached";

/// A group that reads a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feeder {
    /// Its name.
    pub group: String,
    /// Whether it is known as one of `idb-relay apply`.
    pub is_apply: bool,
    /// The process of `idb-relay apply` that writes now.
    pub process: Option<String>,
    /// The Memcached servers that it feeds, if it has said so.
    pub servers: Vec<String>,
}

/// The groups that read this stream, and who listens to the channels beside it under the usual name.
pub fn feeders(connection: &mut Connection, stream: Option<&str>) -> Result<Vec<Feeder>, RedisError> {
    let groups = match stream {
        Some(stream) => groups(connection, stream)?,
        None => Vec::new(),
    };
    let listens = !groups.iter().any(|group| group == USUAL_GROUP);
    let mut feeders = Vec::new();
    for group in groups {
        feeders.push(feeder(connection, stream, group)?);
    }
    if listens {
        let feeder = feeder(connection, stream, USUAL_GROUP.to_owned())?;
        feeders.extend(Some(feeder).filter(|feeder| feeder.process.is_some()));
    }
    Ok(feeders)
}

fn feeder(connection: &mut Connection, stream: Option<&str>, group: String) -> Result<Feeder, RedisError> {
    let lease = Lease::new(stream, &group, "");
    let feed: Option<String> = redis::cmd("GET").arg(lease.memory_key()).query(connection)?;
    let process = lease.holder(connection)?;
    Ok(Feeder {
        is_apply: feed.is_some() || process.is_some(),
        process,
        servers: feed.as_deref().map(servers).unwrap_or_default(),
        group,
    })
}

fn groups(connection: &mut Connection, stream: &str) -> Result<Vec<String>, RedisError> {
    let there: bool = redis::cmd("EXISTS").arg(stream).query(connection)?;
    if !there {
        return Ok(Vec::new());
    }
    let groups: Vec<HashMap<String, Value>> =
        redis::cmd("XINFO").arg("GROUPS").arg(stream).query(connection)?;
    groups
        .into_iter()
        .map(|mut group| Ok(from_redis_value(group.remove("name").unwrap_or(Value::Nil))?))
        .collect()
}

/// The servers in what a group remembers of its feed.
fn servers(feed: &str) -> Vec<String> {
    let feed: Json = serde_json::from_str(feed).unwrap_or_default();
    let servers = feed["servers"].as_array().into_iter().flatten();
    servers
        .filter_map(|server| Some(server.as_str()?.to_owned()))
        .collect()
}

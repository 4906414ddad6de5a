//! Which process brings Memcached up to date: the host, `idb-relay apply`, none, or both.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::Check;
use crate::{
    apply::cache_writer::{CacheWriter, cache_writers},
    config::{Config, MemcachedMode, Redis},
    journal::progress::condition::Problem,
    sinks::redis as redis_sink,
};

const MEMCACHED: &str = "memcached";

/// What there is to say about it; nothing where the host alone feeds it, or where Redis can't be
/// asked.
pub fn examine(config: &Config) -> Vec<Check> {
    let Some(redis) = &config.redis else {
        return match config.memcached.mode {
            MemcachedMode::Host => Vec::new(),
            MemcachedMode::Off => vec![no_writer(
                "Redis, from which `idb-relay apply` could, is switched off",
            )],
        };
    };
    let writers = match ask(redis) {
        Ok(writers) => writers,
        // Everything else about Redis may be allowed.
        Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) => {
            let Problem { message: error, fix } =
                redis_sink::trouble(&error, &redis_sink::address(&redis.url));
            let message = format!("who feeds Memcached is not known: {error}");
            return vec![Check::note(MEMCACHED, message, &fix)];
        }
        // The check of Redis itself reports this problem.
        Err(_) => return Vec::new(),
    };
    match config.memcached.mode {
        MemcachedMode::Host => writers
            .iter()
            .filter_map(|writer| twice(writer, &config.memcached.servers))
            .collect(),
        MemcachedMode::Off if writers.is_empty() => vec![no_writer(&match &redis.stream {
            Some(stream) => format!("the stream {stream:?} has no consumer group"),
            None => "there is no stream, and no `idb-relay apply` listens to the channels".to_owned(),
        })],
        MemcachedMode::Off => writers.iter().map(once).collect(),
    }
}

fn ask(redis: &Redis) -> Result<Vec<CacheWriter>, RedisError> {
    cache_writers(&mut redis_sink::connect(redis)?, redis.stream.as_deref())
}

fn no_writer(why: &str) -> Check {
    Check::note(
        MEMCACHED,
        format!("nothing writes to Memcached: memcached.mode is \"off\", and {why}"),
        "Run `idb-relay apply` near Memcached, or write memcached.mode = \"host\". Nothing to do if Redis is all you want.",
    )
}

/// Beside a host that leaves Memcached alone.
fn once(writer: &CacheWriter) -> Check {
    let CacheWriter {
        group,
        is_apply,
        process,
        ..
    } = writer;
    let servers = writer.servers();
    let what = if servers.is_empty() {
        "Memcached".to_owned()
    } else {
        format!("memcached at {}", servers.join(", "))
    };
    match process {
        Some(process) => Check::ok(
            MEMCACHED,
            format!("`idb-relay apply` (group {group}, process {process}) feeds {what}"),
        ),
        None if *is_apply => Check::note(
            MEMCACHED,
            format!("no `idb-relay apply` of group {group} runs now, which feeds {what}"),
            "Start it; it goes on where it was. Or, if it is not wanted any more, remove its group (XGROUP DESTROY).",
        ),
        None => Check::ok(
            MEMCACHED,
            format!("group {group} reads the stream; it is not of `idb-relay apply`"),
        ),
    }
}

/// Beside a host that feeds Memcached itself.
fn twice(writer: &CacheWriter, own: &[String]) -> Option<Check> {
    let process = writer.process.as_ref()?;
    let group = &writer.group;
    let common: Vec<&str> = own
        .iter()
        .filter(|server| writer.servers().contains(server))
        .map(String::as_str)
        .collect();
    if !common.is_empty() {
        return Some(Check::problem(
            MEMCACHED,
            format!(
                "both the host and `idb-relay apply` (group {group}, process {process}) feed memcached at {}: one may write an older \
                 value over what the other has written",
                common.join(", ")
            ),
            "Write memcached.mode = \"off\" where the host runs and restart the browser; or end `idb-relay apply`.",
        ));
    }
    let where_to = if writer.servers().is_empty() {
        "a Memcached".to_owned()
    } else {
        format!("memcached at {}", writer.servers().join(", "))
    };
    Some(Check::note(
        MEMCACHED,
        format!(
            "`idb-relay apply` (group {group}, process {process}) feeds {where_to} from the stream, the host its own"
        ),
        "Nothing to do if these are different servers. If they are the same under other names, write memcached.mode = \"off\" \
         where the host runs.",
    ))
}

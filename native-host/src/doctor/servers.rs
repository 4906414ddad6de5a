//! Redis and Memcached: whether they answer, and whether they can do what the sinks need.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    time::Duration,
};

use redis::{Connection, RedisError};

use super::Check;
use crate::{
    config::{Config, Redis},
    sinks::{memcached, redis as redis_sink},
};

const REDIS: &str = "redis";
const MEMCACHED: &str = "memcached";

/// The part of a server's answer that a wait may take.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The oldest Memcached whose meta commands are what the sink speaks.
const MEMCACHED_SINCE: (u32, u32) = (1, 6);

pub(super) fn examine(config: &Config) -> Vec<Check> {
    let mut checks = Vec::new();
    match &config.redis {
        Some(config) => checks.extend(redis(config)),
        None => checks.push(Check::ok(REDIS, "switched off in the configuration")),
    }
    match config.fed_memcached() {
        Some(config) => checks.extend(config.servers.iter().map(|server| memcached(server))),
        None => checks.push(Check::ok(
            MEMCACHED,
            "the host does not write to it (memcached.mode = \"off\")",
        )),
    }
    checks
}

fn redis(config: &Redis) -> Vec<Check> {
    let address = redis_sink::address(&config.url);
    let looked =
        redis_sink::connect(&config.url).and_then(|mut connection| look(&mut connection, config, &address));
    looked.unwrap_or_else(|error| vec![Check::trouble(REDIS, redis_sink::trouble(&error, &address))])
}

fn look(connection: &mut Connection, config: &Redis, address: &str) -> Result<Vec<Check>, RedisError> {
    redis::cmd("PING").exec(connection)?;
    let info: String = redis::cmd("INFO").query(connection)?;
    let field = |name: &str| {
        info.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .unwrap_or("unknown")
            .trim()
    };
    if field("role") == "slave" {
        return Ok(vec![Check::problem(
            REDIS,
            format!("redis at {address} is a replica"),
            "Name its master in redis.url.",
        )]);
    }
    let mut checks = vec![Check::ok(
        REDIS,
        format!("redis at {address} answers, version {}", field("redis_version")),
    )];
    if let Some(stream) = &config.stream {
        let kind: String = redis::cmd("TYPE").arg(stream).query(connection)?;
        if !["none", "stream"].contains(&kind.as_str()) {
            checks.push(Check::problem(
                REDIS,
                format!("redis at {address}: {stream:?} is a {kind}, not a stream"),
                "Delete that key, or name another stream in redis.stream.",
            ));
        }
    }
    let policy = field("maxmemory_policy");
    if field("maxmemory") != "0" && policy.starts_with("allkeys") {
        checks.push(Check::remark(
            REDIS,
            format!("redis at {address} may evict the stream when its memory is full (maxmemory-policy {policy})"),
            "Set maxmemory-policy to noeviction or to one of volatile-*; and redis.max_stream_length so that the stream stays small.",
        ));
    }
    Ok(checks)
}

fn memcached(server: &str) -> Check {
    match Settings::of(server) {
        Err(error) => Check::trouble(MEMCACHED, memcached::unreachable(error, server)),
        Ok(Settings { version, .. }) if number(&version).is_some_and(|number| number < MEMCACHED_SINCE) => {
            Check::problem(
                MEMCACHED,
                format!("memcached at {server} has version {version}"),
                "Update it to 1.6 or newer: its meta commands are needed.",
            )
        }
        Ok(Settings { version, item_size }) => Check::ok(
            MEMCACHED,
            format!("memcached at {server} answers, version {version}, takes items up to {item_size} bytes"),
        ),
    }
}

/// What a Memcached server says of itself.
struct Settings {
    version: String,
    item_size: String,
}

impl Settings {
    fn of(server: &str) -> io::Result<Self> {
        let mut stream = memcached::dial(server, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.write_all(b"version\r\nstats settings\r\n")?;
        let mut lines = BufReader::new(stream).lines();
        let mut settings = Self {
            version: "unknown".to_owned(),
            item_size: "unknown".to_owned(),
        };
        for line in &mut lines {
            let line = line?;
            if let Some(version) = line.strip_prefix("VERSION ") {
                version.clone_into(&mut settings.version);
            } else if let Some(size) = line.strip_prefix("STAT item_size_max ") {
                size.clone_into(&mut settings.item_size);
            } else if line == "END" || line.starts_with("ERROR") {
                return Ok(settings);
            }
        }
        Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "it closed the connection: is it Memcached?",
        ))
    }
}

/// Major and minor version.
fn number(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

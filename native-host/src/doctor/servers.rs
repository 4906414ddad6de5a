//! Redis and Memcached: whether they answer, and whether they can do what the sinks need.

use redis::{Connection, ConnectionAddr, IntoConnectionInfo as _, RedisError};

use super::Check;
use crate::{
    config::{
        Config, Redis,
        endpoint::{Endpoint, is_loopback},
    },
    memcached::{self, Settings},
    sinks::redis as redis_sink,
    timing,
};

const REDIS: &str = "redis";
const MEMCACHED: &str = "memcached";

/// The oldest Memcached whose meta commands are what the sink speaks.
const MEMCACHED_SINCE: (u32, u32) = (1, 6);

pub(super) fn examine(config: &Config) -> Vec<Check> {
    let mut checks = Vec::new();
    match &config.redis {
        Some(config) => checks.extend(redis(config)),
        None => checks.push(Check::ok(REDIS, "switched off in the configuration")),
    }
    match config.fed_memcached() {
        Some(config) => checks.extend(config.endpoints().flat_map(|server| memcached(&server))),
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
        redis_sink::connect(config).and_then(|mut connection| look(&mut connection, config, &address));
    let mut checks =
        looked.unwrap_or_else(|error| vec![Check::trouble(REDIS, redis_sink::trouble(&error, &address))]);
    if is_exposed(&config.url) {
        checks.push(Check::note(
            REDIS,
            format!("the connection to redis at {address} is in the clear: events and the password can be read and changed on the way"),
            "Use rediss:// if the server has TLS, or reach it through a tunnel that ends on this machine.",
        ));
    }
    checks
}

/// Whether events and passwords cross a network in the clear.
fn is_exposed(url: &str) -> bool {
    let info = url.into_connection_info();
    info.is_ok_and(|info| matches!(info.addr(), ConnectionAddr::Tcp(host, _) if !is_loopback(host)))
}

fn look(connection: &mut Connection, config: &Redis, address: &str) -> Result<Vec<Check>, RedisError> {
    if let Some(refusal) = redis_sink::refusal(connection, config)? {
        return Ok(vec![Check::problem(
            REDIS,
            format!("redis at {address} does not allow what the host needs: {refusal}"),
            redis_sink::grant(config),
        )]);
    }
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
    let bound = redis_sink::Memory::of(connection)?.and_then(|memory| memory.bound(config));
    let bound = bound
        .filter(|_| config.stream.is_some())
        .map_or_else(String::new, |bound| {
            format!(
                "; the host adds nothing to the stream while it uses more than {} MiB",
                bound >> 20
            )
        });
    let mut checks = vec![Check::ok(
        REDIS,
        format!(
            "redis at {address} answers, version {}{bound}",
            field("redis_version")
        ),
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
        checks.push(Check::note(
            REDIS,
            format!("redis at {address} may evict the stream when its memory is full (maxmemory-policy {policy})"),
            "Set maxmemory-policy to noeviction or to one of volatile-*; and redis.max_stream_length so that the stream stays small.",
        ));
    }
    Ok(checks)
}

fn memcached(endpoint: &Endpoint) -> Vec<Check> {
    let server = endpoint.name();
    let mut checks = Vec::new();
    match Settings::of(endpoint, timing::cli::doctor()) {
        Ok(settings) => {
            checks.push(answers(server, &settings));
            if endpoint.login.is_some() && !settings.asked_for_login {
                checks.push(Check::note(
                    MEMCACHED,
                    format!("memcached at {server} lets everyone in: it did not ask for user and password, which were not sent"),
                    "Start it with a file of users (-Y), or remove memcached.user and memcached.password.",
                ));
            }
        }
        Err(error) => checks.push(Check::trouble(MEMCACHED, memcached::unreachable(error, server))),
    }
    if endpoint.is_exposed() {
        let what = match endpoint.login {
            Some(_) => "records and the password",
            None => "records",
        };
        checks.push(Check::note(
            MEMCACHED,
            format!("the connection to memcached at {server} is in the clear: {what} can be read and changed on the way"),
            "Write tls:// before the address if the server has TLS (-Z), or reach it through a tunnel that ends on this machine.",
        ));
    }
    checks
}

fn answers(server: &str, settings: &Settings) -> Check {
    let version = settings.version.as_deref().unwrap_or("unknown");
    if number(version).is_some_and(|number| number < MEMCACHED_SINCE) {
        return Check::problem(
            MEMCACHED,
            format!("memcached at {server} has version {version}"),
            "Update it to 1.6 or newer: its meta commands are needed.",
        );
    }
    let item_size = settings
        .item_size
        .map_or_else(|| "unknown".to_owned(), |size| size.to_string());
    Check::ok(
        MEMCACHED,
        format!("memcached at {server} answers, version {version}, takes items up to {item_size} bytes"),
    )
}

/// Major and minor version.
fn number(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

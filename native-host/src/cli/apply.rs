//! `idb-relay apply`.

use std::{
    fs,
    io::{self, Write},
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use clap::Args;
use serde_json::json;

use super::CliError;
use crate::{
    apply::{self, Options, cache_writer, lease},
    config::{self, Config, MemcachedMode, Redis},
    journal::read::journals,
    logging::{self, Log},
    output::{self, line},
    sinks, threads,
};

/// Bring Memcached up to date from Redis, as a process of its own
///
/// For teams whose browsers are not near the cache: where they are, the host publishes to Redis and
/// leaves Memcached alone (memcached.mode = "off"); near the cache, this command reads the stream
/// by a consumer group and writes what the host would write: for every record the newest value, for
/// every deleted record nothing.
///
/// Nothing is lost: an event is acknowledged once it is in Memcached, and what a process that died
/// has left undone is done by the next one. No older value ever replaces a newer one. Run as many
/// processes as you like: one of a group writes, the others stand by and take over within about 5
/// seconds if it dies, at once if it ends. A Memcached that was restarted, flushed or replaced is
/// filled again from the stream.
///
/// What the stream no longer has (`redis.max_stream_length`) can't be filled in; it is said if that
/// is so. With --pubsub nothing is filled in at all.
///
/// What it says it also writes to a log, idb-relay-apply.log in the platform's state directory (on
/// Linux ~/.local/state/idb-relay); `IDB_RELAY_LOG=debug` makes it say more.
///
/// Needs Redis 6.2 or newer (7 tells more about streams that were cut) and Memcached 1.6 or newer
/// with its CAS on, reached directly: a proxy that reconnects behind our back would break the
/// promise.
#[derive(Debug, Args)]
#[command(
    after_help = "Of the configuration it reads [redis] (url, stream, channel) and [memcached] (servers, key, value); memcached.mode is \
    about the host and means nothing here.\n\nExamples:\n  idb-relay apply\n  idb-relay apply --group eu-west --json | jq .applied\n  \
    IDB_RELAY_CONFIG=/etc/idb-relay/apply.toml idb-relay apply"
)]
pub(super) struct Arguments {
    /// Listen to the Pub/Sub channels instead: at most once, so events that are published while no
    /// `apply` listens are missed
    #[arg(long)]
    pubsub: bool,
    /// The consumer group; one group feeds one Memcached (or one set of servers)
    #[arg(long, value_name = "NAME", default_value = cache_writer::USUAL_GROUP, value_parser = name)]
    group: String,
    /// This process's name in the group; by default the machine's name and the process's number
    #[arg(long, value_name = "NAME", value_parser = name)]
    consumer: Option<String>,
    /// One JSON object a line, for every record that is written, too
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: Arguments, out: &mut (impl Write + Send)) -> Result<(), CliError> {
    let config = Config::load()?;
    let redis = config.redis.as_ref().ok_or(CliError::NoRedis)?;
    if redis.stream.is_none() && !arguments.pubsub {
        return Err(CliError::NoStream);
    }
    logging::start(Log::Apply);
    let ended = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&ended);
    ctrlc::set_handler(move || {
        if asked.swap(true, Ordering::Relaxed) {
            // Asked twice: at once. Nothing is lost, the next one takes a little longer.
            process::exit(130);
        }
    })
    .map_err(|error| CliError::Signals(io::Error::other(error)))?;
    let options = Options {
        pubsub: arguments.pubsub,
        consumer: arguments.consumer.unwrap_or_else(consumer),
        group: arguments.group,
        json: arguments.json,
    };
    introduce(&config, redis, &options, out)?;
    warn(&config, &options, out)?;
    // The system interrupts this thread with a signal, and no call to a server: those are made by
    // the other one.
    let worked = thread::scope(|scope| {
        let run = || apply::run(&config, &options, &ended, out);
        threads::spawn_scoped(scope, run).map(thread::ScopedJoinHandle::join)
    });
    match worked.map_err(CliError::Thread)? {
        Ok(worked) => Ok(worked?),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Where from, where to, and who.
fn introduce(
    config: &Config,
    redis: &Redis,
    options: &Options,
    out: &mut impl Write,
) -> Result<(), CliError> {
    let (address, servers) = (sinks::redis::address(&redis.url), &config.memcached.servers);
    let pattern = redis.channel.pattern();
    let Options { group, consumer, .. } = options;
    let mut started = json!({
        "version": crate::VERSION, "redis": address, "memcached": servers, "group": group, "consumer": consumer,
        "at_most_once": options.pubsub, "lease_seconds": lease::LENGTH,
    });
    if options.pubsub {
        started["channels"] = pattern.as_str().into();
    } else {
        started["stream"] = redis.stream.clone().into();
    }
    tracing::info!(details = %started, "started");
    if options.json {
        output::json(out, &json!({ "started": started }))?;
    } else if options.pubsub {
        line!(
            out,
            "from channels {pattern} at {address} to memcached {}: group {group}, consumer {consumer}",
            servers.join(", ")
        )?;
        line!(
            out,
            "at most once: what is published while no process listens is missed"
        )?;
    } else {
        line!(
            out,
            "from stream {} at {address} to memcached {}: group {group}, consumer {consumer}",
            redis.stream.as_deref().unwrap_or_default(),
            servers.join(", ")
        )?;
    }
    Ok(out.flush()?)
}

/// Says so if the host of this machine, which reads the same configuration, feeds the same servers.
fn warn(config: &Config, options: &Options, out: &mut impl Write) -> Result<(), CliError> {
    let directory = &config.journal.directory;
    // Where no browser has ever started a host the mode means nothing.
    let has_host = journals(directory).is_ok_and(|journals| !journals.is_empty());
    if config.memcached.mode == MemcachedMode::Off || !has_host {
        return Ok(());
    }
    let warning = format!(
        "the host of this machine feeds the same Memcached (memcached.mode is \"host\", and there are journals in {}): one may write an \
         older value over what the other has written",
        directory.display()
    );
    let fix = format!(
        "Write mode = \"off\" under [memcached] in {} and restart the browser; or do without `idb-relay apply` here.",
        config::path().unwrap_or_default().display()
    );
    tracing::warn!(fix, "{warning}");
    if options.json {
        let warning = json!({"state": "fed_twice", "error": warning, "fix": fix});
        output::json(out, &json!({ "warning": warning }))?;
    } else {
        line!(out, "WARNING: {warning}")?;
        line!(out, "   fix: {fix}")?;
    }
    Ok(out.flush()?)
}

/// A name that no other process has.
fn consumer() -> String {
    let machine = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let machine: String = machine.chars().filter(|char| is_name(*char)).take(40).collect();
    let machine = if machine.is_empty() { "apply" } else { &machine };
    format!("{machine}-{}", process::id())
}

fn is_name(char: char) -> bool {
    char.is_ascii_alphanumeric() || "-_.".contains(char)
}

fn name(text: &str) -> Result<String, String> {
    if (1..=64).contains(&text.len()) && text.chars().all(is_name) {
        Ok(text.to_owned())
    } else {
        Err("letters, digits, \"-\", \"_\" and \".\", at most 64 of them".to_owned())
    }
}

//! The host, the journal, the sinks and how late they are.

use std::{env, fs, path::Path};

use protocol::{
    PROTOCOL_VERSION,
    inspect::{Health, Lag, Sink},
};

use crate::{
    config::{self, Config},
    journal::{
        JournalError,
        read::{Reader, SinkSummary},
    },
    sinks,
};

/// Over how many of the last events lags are told.
const RECENT: usize = 512;

/// From how many events on it is worth counting them.
const MANY: u64 = 10_000_000;

/// How a journal's host is. What the journal does not say is taken from this configuration.
pub fn health(config: &Config, reader: &Reader) -> Result<Health, JournalError> {
    let (tail, head) = (reader.tail()?, reader.head()?);
    let recent = reader.recent(RECENT)?;
    let (events_bytes, stripped) = reader.usage()?;
    let mut health = Health {
        version: crate::VERSION.to_owned(),
        protocol: PROTOCOL_VERSION,
        journal: reader.path().display().to_string(),
        journal_bytes: size(reader.path()),
        events_bytes,
        events_max_bytes: config.journal.limits.max_bytes,
        stripped,
        head,
        tail,
        configuration: config::path().map_or_else(String::new, |path| path.display().to_string()),
        program: env::current_exe()
            .map_or_else(|_| "idb-relay".to_owned(), |path| path.display().to_string()),
        ..Health::default()
    };
    if let Some(redis) = &config.redis {
        health.channel = redis.channel.to_string();
        health.stream = redis.stream.clone().unwrap_or_default();
    }
    if let Some(memcached) = config.fed_memcached() {
        health.memcached_key = memcached.key.of_profile(&reader.author()?.0).to_string();
        memcached.value.name().clone_into(&mut health.memcached_value);
    }
    for sink in reader.sinks()? {
        health.sinks.push(Sink {
            servers: servers(config, &sink.name),
            client: match &config.redis {
                Some(redis) if sink.name == sinks::REDIS => sinks::redis::client(redis),
                _ => Vec::new(),
            },
            enabled: sink.enabled,
            behind: match behind(tail, head, &sink) {
                // Numbers may have been left out in between.
                events if events > MANY => reader.waiting(sink.number)?,
                events => events,
            },
            notices: reader.notices(&sink.name)?,
            lag: lag(reader, &sink, &recent)?,
            name: sink.name,
            state: sink.state,
            since: sink.since,
            attempts: sink.attempts,
            number: sink.number,
            error: sink.error,
            fix: sink.fix,
        });
    }
    Ok(health)
}

/// Where a sink's events go, without what opens it.
fn servers(config: &Config, sink: &str) -> Vec<String> {
    match sink {
        sinks::REDIS => config
            .redis
            .iter()
            .map(|redis| sinks::redis::address(&redis.url))
            .collect(),
        sinks::MEMCACHED => config
            .fed_memcached()
            .map_or_else(Vec::new, |memcached| memcached.servers.clone()),
        _ => Vec::new(),
    }
}

/// How many events a sink has still to pass on. Not the difference of the numbers: a new sink's
/// number is 0.
fn behind(tail: u64, head: u64, sink: &SinkSummary) -> u64 {
    head - sink.number.max(tail).min(head)
}

/// How late a sink was with these events, oldest first, each with the time of its commit; those it
/// has not passed do not count.
fn lag(reader: &Reader, sink: &SinkSummary, recent: &[(u64, i64)]) -> Result<Option<Lag>, JournalError> {
    let (Some((first, _)), Some((last, _))) = (recent.first(), recent.last()) else {
        return Ok(None);
    };
    let passages = reader.passages(&sink.name, first - 1, *last)?;
    let mut passages = passages.iter().peekable();
    let mut lags = Vec::with_capacity(recent.len());
    for (number, committed_at) in recent {
        while passages.next_if(|(to, _)| to < number).is_some() {}
        // A page's clock may be coarser than ours; nothing passes a stage before it happens.
        lags.extend(
            passages
                .peek()
                .map(|(_, at)| at.saturating_sub(*committed_at).max(0)),
        );
    }
    Ok(percentiles(lags))
}

fn percentiles(mut lags: Vec<i64>) -> Option<Lag> {
    lags.sort_unstable();
    // The nearest rank: the least value that so many of a hundred do not pass.
    let rank = |percent: usize| {
        let index = (lags.len() * percent).div_ceil(100).checked_sub(1)?;
        i32::try_from(*lags.get(index)?).map_or(Some(f64::from(i32::MAX)), |lag| Some(f64::from(lag)))
    };
    Some(Lag {
        p50: rank(50)?,
        p95: rank(95)?,
        p99: rank(99)?,
    })
}

/// The bytes of a journal on disk, with what waits to be brought into the file.
fn size(journal: &Path) -> u64 {
    let wal = journal.with_extension("sqlite-wal");
    [journal, &wal]
        .iter()
        .filter_map(|path| fs::metadata(path).ok())
        .map(|metadata| metadata.len())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_seen() {
        assert_eq!(percentiles(Vec::new()), None);
        let lag = |p50, p95, p99| Some(Lag { p50, p95, p99 });
        assert_eq!(percentiles(vec![7]), lag(7.0, 7.0, 7.0));
        assert_eq!(percentiles((1..=100).rev().collect()), lag(50.0, 95.0, 99.0));
        assert_eq!(
            percentiles(vec![1, i64::MAX]),
            lag(1.0, f64::from(i32::MAX), f64::from(i32::MAX))
        );
    }
}

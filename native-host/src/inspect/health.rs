//! The host, the journal, the sinks and how late they are.

use std::{env, fs, path::Path};

use protocol::{
    PROTOCOL_VERSION,
    wire::inspector::{Health, Lag, Sink},
};

use crate::{
    config::{self, Config},
    journal::{
        JournalError,
        read::{Reader, SinkSummary},
    },
    sinks,
    timing::inspect::{CLOCKS_APART_MS, LATEST_REPORT_MS},
};

/// Over how many of the last events lags are reported.
const RECENT: usize = 512;

/// The stage in front of the sinks.
const JOURNAL: &str = "journal";

/// From how many events on it is worth counting them.
const MANY: u64 = 10_000_000;

/// How a journal's host is. What the journal does not say is taken from this configuration.
pub fn health(config: &Config, reader: &Reader) -> Result<Health, JournalError> {
    let (tail, head) = (reader.tail()?, reader.head()?);
    let recent = timed(reader)?;
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
        let (lag, untimed) = lag(reader, &sink, &recent)?;
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
            lag,
            untimed,
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

/// An event, the time of its commit, and when it was journaled, if that is still known.
struct Timed {
    number: u64,
    committed_at: i64,
    journaled_at: Option<i64>,
}

impl Timed {
    /// How late a stage was that was passed at this time; `None` if one of the times cannot be
    /// right. The time of the commit comes from the page, which may say anything. A sink may have
    /// been away for any time, but the event was journaled soon.
    fn latency(&self, passed_at: i64) -> Option<i64> {
        let report = self
            .journaled_at
            .unwrap_or(passed_at)
            .saturating_sub(self.committed_at);
        let latency = passed_at.saturating_sub(self.committed_at);
        let is_right = report <= LATEST_REPORT_MS && report.min(latency) >= -CLOCKS_APART_MS;
        // A page's clock may be coarser than ours; nothing passes a stage before it happens.
        is_right.then_some(latency.max(0))
    }
}

/// The last events, oldest first.
fn timed(reader: &Reader) -> Result<Vec<Timed>, JournalError> {
    let recent = reader.recent(RECENT)?;
    let journaled = passed_at(reader, JOURNAL, &recent)?;
    Ok(recent
        .into_iter()
        .zip(journaled)
        .map(|((number, committed_at), journaled_at)| Timed {
            number,
            committed_at,
            journaled_at,
        })
        .collect())
}

/// When each of these events, oldest first, passed a stage.
fn passed_at(reader: &Reader, stage: &str, events: &[(u64, i64)]) -> Result<Vec<Option<i64>>, JournalError> {
    let (Some((first, _)), Some((last, _))) = (events.first(), events.last()) else {
        return Ok(Vec::new());
    };
    let passages = reader.passages(stage, first - 1, *last)?;
    let mut passages = passages.iter().peekable();
    Ok(events
        .iter()
        .map(|(number, _)| {
            while passages.next_if(|(to, _)| to < number).is_some() {}
            passages.peek().map(|(_, at)| *at)
        })
        .collect())
}

/// How late a sink was with these events, oldest first, and how many of them are left out because
/// a time cannot be right; those it has not passed do not count.
fn lag(reader: &Reader, sink: &SinkSummary, recent: &[Timed]) -> Result<(Option<Lag>, u64), JournalError> {
    let numbers: Vec<_> = recent
        .iter()
        .map(|event| (event.number, event.committed_at))
        .collect();
    let passed = passed_at(reader, &sink.name, &numbers)?;
    let mut lags = Vec::with_capacity(recent.len());
    let mut untimed = 0;
    for (event, at) in recent.iter().zip(passed) {
        match at.map(|at| event.latency(at)) {
            Some(Some(latency)) => lags.push(latency),
            Some(None) => untimed += 1,
            None => {}
        }
    }
    Ok((percentiles(lags), untimed))
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
    fn latency_is_none_when_a_time_cannot_be_right() {
        const NOW: i64 = 1_700_000_000_000;
        let latency = |committed_at, journaled_at, passed_at: i64| {
            let event = Timed {
                number: 1,
                committed_at,
                journaled_at,
            };
            event.latency(passed_at)
        };
        assert_eq!(latency(NOW, Some(NOW + 2), NOW + 5), Some(5));
        assert_eq!(latency(NOW, None, NOW + 5), Some(5));
        // Clocks are apart a little.
        assert_eq!(latency(NOW, Some(NOW - CLOCKS_APART_MS), NOW), Some(0));
        assert_eq!(latency(NOW, Some(NOW - CLOCKS_APART_MS - 1), NOW), None);
        // A sink was away for long, a page was not.
        let long = 10 * LATEST_REPORT_MS;
        assert_eq!(latency(NOW, Some(NOW), NOW + long), Some(long));
        assert_eq!(latency(NOW, Some(NOW + long), NOW + long), None);
        // The clock was set back after the event was journaled.
        assert_eq!(latency(NOW, Some(NOW), NOW - 1000), None);
        for committed_at in [i64::MIN, 0, i64::MAX] {
            assert_eq!(latency(committed_at, Some(NOW), NOW), None);
            assert_eq!(latency(committed_at, None, NOW), None);
        }
    }

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

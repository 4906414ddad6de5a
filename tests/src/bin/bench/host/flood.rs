//! Events a second until everything is in both servers, and what that costs.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use lab::{
    relay::STREAM,
    servers::{MemcachedOptions, MemcachedServer, RedisOptions, RedisServer},
};
use redis::Commands as _;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use super::{
    feed::{Feed, Shape},
    program::Launch,
    usage,
};
use crate::statistics::rounded;

/// How often the servers are asked how much they hold: seldom enough to cost nothing.
const INTERVAL: Duration = Duration::from_millis(10);

/// How long the servers may lack events once all are acknowledged.
const PATIENCE: Duration = Duration::from_secs(300);

/// How long a host is left alone before its idle memory is read.
const REST: Duration = Duration::from_secs(2);

/// Room for a million records and their keys, with no need to evict.
const MEMCACHED_MEGABYTES: u32 = 2048;

/// Private servers.
pub struct Servers {
    pub redis: RedisServer,
    pub memcached: MemcachedServer,
}

impl Servers {
    pub fn start() -> Result<Self> {
        Ok(Self {
            redis: RedisServer::start_with(&RedisOptions::default().volatile())?,
            memcached: MemcachedServer::start_with(
                &MemcachedOptions::default().megabytes(MEMCACHED_MEGABYTES),
            )?,
        })
    }
}

/// What a flood showed.
pub struct Flood {
    pub events: u64,
    /// From the first byte until the last acknowledgement, the last entry in the stream, the last
    /// item in Memcached.
    pub journaled: Duration,
    pub in_redis: Duration,
    pub in_memcached: Duration,
    /// As far as the journal remembers; 0 for the peer.
    pub events_per_commit: u64,
    pub processor: Processor,
    pub memory: Memory,
}

/// Microseconds of processor time an event.
pub struct Processor {
    pub host: f64,
    pub redis: f64,
    pub memcached: f64,
    pub feeder: f64,
}

/// Resident bytes of the host.
pub struct Memory {
    /// Before the first event.
    pub idle: u64,
    pub peak: u64,
    /// When it has been left alone after the flood.
    pub end: u64,
}

impl Flood {
    /// Events a second until everything is everywhere.
    pub fn rate(&self) -> f64 {
        self.rate_of(self.journaled.max(self.in_redis).max(self.in_memcached))
    }

    /// Events a second.
    #[allow(clippy::cast_precision_loss, reason = "no flood is that large")]
    pub fn rate_of(&self, time: Duration) -> f64 {
        self.events as f64 / time.as_secs_f64()
    }
}

impl Processor {
    pub fn figures(&self) -> Value {
        json!({
            "host": rounded(self.host),
            "redis": rounded(self.redis),
            "memcached": rounded(self.memcached),
            "feeder": rounded(self.feeder),
        })
    }

    fn of(seconds: [f64; 4], events: u64) -> Self {
        #[allow(clippy::cast_precision_loss, reason = "no flood is that large")]
        let [host, redis, memcached, feeder] = seconds.map(|seconds| seconds * 1e6 / events as f64);
        Self {
            host,
            redis,
            memcached,
            feeder,
        }
    }
}

/// Sends the events and waits until each server holds all of them.
pub fn measure(launch: &Launch, shape: Shape, events: u64) -> Result<Flood> {
    let servers = Servers::start()?;
    let mut program = launch.start(&servers.redis, &servers.memcached)?;
    let ids = [
        program.id(),
        servers.redis.id().context("redis-server is gone")?,
        servers.memcached.id().context("memcached is gone")?,
        std::process::id(),
    ];
    let processor = || -> Result<[f64; 4]> {
        let mut seconds = [0.0; 4];
        for (seconds, id) in seconds.iter_mut().zip(ids) {
            *seconds = usage::processor_seconds(id)?;
        }
        Ok(seconds)
    };
    thread::sleep(REST);
    let idle = usage::resident(program.id())?.now;
    let before = processor()?;
    let start = Instant::now();
    let (journaled, in_redis, in_memcached) = thread::scope(|scope| {
        let redis = scope.spawn(|| arrival(start, events, redis_count(&servers.redis)?));
        let memcached = scope.spawn(|| arrival(start, events, memcached_count(&servers.memcached)?));
        let mut feed = Feed::new(shape);
        let mut left = events;
        while left > 0 {
            let frame = feed.frame(left)?;
            left -= frame.events;
            program.send(&frame)?;
        }
        program.all_acknowledged()?;
        let journaled = start.elapsed();
        let in_redis = redis.join().ok().context("a watcher panicked")??;
        let in_memcached = memcached.join().ok().context("a watcher panicked")??;
        anyhow::Ok((journaled, in_redis, in_memcached))
    })?;
    let after = processor()?;
    thread::sleep(REST);
    let resident = usage::resident(program.id())?;
    let seconds = std::array::from_fn(|index| after[index] - before[index]);
    Ok(Flood {
        events,
        journaled,
        in_redis,
        in_memcached,
        events_per_commit: match launch {
            Launch::Host(_) => events_per_commit(&program.journal())?,
            Launch::Peer(_) => 0,
        },
        processor: Processor::of(seconds, events),
        memory: Memory {
            idle,
            peak: resident.peak,
            end: resident.now,
        },
    })
}

/// When a server holds so many.
fn arrival(start: Instant, events: u64, mut count: impl FnMut() -> Result<u64>) -> Result<Duration> {
    let mut last = (Instant::now(), 0);
    loop {
        let found = count()?;
        if found >= events {
            return Ok(start.elapsed());
        }
        if found > last.1 {
            last = (Instant::now(), found);
        }
        ensure!(
            last.0.elapsed() < PATIENCE,
            "only {found} of {events} events have arrived"
        );
        thread::sleep(INTERVAL);
    }
}

fn redis_count(server: &RedisServer) -> Result<impl FnMut() -> Result<u64> + use<>> {
    let mut connection = server.connect()?;
    Ok(move || Ok(connection.xlen(STREAM)?))
}

fn memcached_count(server: &MemcachedServer) -> Result<impl FnMut() -> Result<u64> + use<>> {
    let mut client = server.connect()?;
    Ok(move || Ok(client.count()? as u64))
}

/// How many events the journal's commits had on average, as far as it remembers.
fn events_per_commit(journal: &Path) -> Result<u64> {
    let connection = Connection::open_with_flags(journal, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let average: Option<u64> = connection.query_row(
        "SELECT (max(last) - min(last)) / nullif(count(*) - 1, 0) FROM delivery WHERE stage = 'journal'",
        [],
        |row| row.get(0),
    )?;
    Ok(average.unwrap_or(1).max(1))
}

//! Each leg of the way with nothing else: the servers, and SQLite.

use std::{
    collections::VecDeque,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use lab::servers::{MemcachedServer, RedisServer};
use memcache::exp::{Memcache, Ttl};
use protocol::event::{Event, Op, Source, Transaction};
use redis::Script;
use rusqlite::{Connection, params};
use serde_json::{Value, json, value::RawValue};

use super::{feed, flood::Servers};
use crate::statistics::rounded;

/// Commands that `redis-benchmark` sends at once, and over how many connections.
const PIPELINE: u32 = 64;
const CONNECTIONS: u32 = 4;

/// How many events the relay's sinks send in one call, and how many script calls it has in flight.
const BATCH: u64 = 512;
const IN_FLIGHT: usize = 4;

/// The script that the relay calls.
const SCRIPT: &str = include_str!("../../../../../native-host/src/sinks/redis/publish.lua");

/// Events a second.
pub struct Legs {
    /// `redis-benchmark -P`.
    xadd: f64,
    publish: f64,
    /// The relay's own script calls, from this program.
    evalsha: f64,
    /// `set_many` of the `memcache` crate.
    set_many: f64,
    /// Appends with `synchronous=FULL`.
    sqlite: f64,
    events: u64,
    sqlite_batch: u64,
}

impl Legs {
    /// Measures each with so many events; SQLite commits after each `batch`.
    pub fn measure(events: u64, batch: u64) -> Result<Self> {
        let servers = Servers::start()?;
        let xadd = redis_benchmark(&servers.redis, events, &["XADD", "bench", "*", "event"])?;
        let publish = redis_benchmark(&servers.redis, events, &["PUBLISH", CHANNEL])?;
        redis::cmd("FLUSHALL").exec(&mut servers.redis.connect()?)?;
        Ok(Self {
            xadd,
            publish,
            evalsha: evalsha(&servers.redis, events)?,
            set_many: set_many(&servers.memcached, events)?,
            sqlite: sqlite(events, batch)?,
            events,
            sqlite_batch: batch,
        })
    }

    /// Both commands for each event.
    fn redis_benchmark(&self) -> f64 {
        1.0 / (1.0 / self.xadd + 1.0 / self.publish)
    }

    /// The one that is slowest: nothing that goes all the way can be faster.
    pub fn slowest(&self) -> (&'static str, f64) {
        [
            ("redis_benchmark", self.redis_benchmark()),
            ("memcached_set_many", self.set_many),
            ("sqlite_appends", self.sqlite),
        ]
        .into_iter()
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .unwrap_or(("none", f64::NAN))
    }

    /// As they are printed.
    pub fn figures(&self) -> Value {
        json!({
            "events": self.events,
            "event_bytes": event(1).map_or(0, |text| text.len()),
            "redis_benchmark_xadd_per_second": rounded(self.xadd),
            "redis_benchmark_publish_per_second": rounded(self.publish),
            "redis_benchmark_events_per_second": rounded(self.redis_benchmark()),
            "redis_evalsha_events_per_second": rounded(self.evalsha),
            "memcached_set_many_events_per_second": rounded(self.set_many),
            "sqlite_appends_per_second": rounded(self.sqlite),
            "sqlite_appends_per_commit": self.sqlite_batch,
        })
    }
}

/// The channel of the store that [`feed`] writes to.
const CHANNEL: &str = "idb:http%3A//localhost%3A8080:bench:rows";

/// An event as the relay journals and publishes it.
fn event(number: u64) -> Result<String> {
    let (key, after) = (number.to_string(), feed::value(number));
    let event = Event {
        op: Op::Create,
        key: Some(serde_json::from_str::<&RawValue>(&key)?),
        range: None,
        schema: None,
        gap: None,
        before: None,
        after: serde_json::from_str(&after)?,
        ts_ms: 1_790_000_000_000,
        source: Source {
            version: env!("CARGO_PKG_VERSION").into(),
            browser: "chromium/156".into(),
            profile: feed::PROFILE.into(),
            origin: feed::ORIGIN.into(),
            bucket: "".into(),
            database: "bench".into(),
            database_version: 1,
            store: "rows".into(),
            context: feed::CONTEXT.into(),
            writer: None,
            sequence: 1_790_000_000_000_000 + number,
            late: false,
            snapshot: false,
        },
        transaction: Some(Transaction {
            id: format!("{}:{number}", feed::CONTEXT).into(),
            total_order: 1,
            event_count: 1,
        }),
    };
    Ok(serde_json::to_string(&event)?)
}

#[allow(clippy::cast_precision_loss, reason = "no flood is that large")]
fn rate(events: u64, time: Duration) -> f64 {
    events as f64 / time.as_secs_f64()
}

/// `redis-benchmark` of a command whose last argument is an event.
fn redis_benchmark(server: &RedisServer, events: u64, command: &[&str]) -> Result<f64> {
    let mut benchmark = Command::new("redis-benchmark");
    benchmark
        .args(["-h", "127.0.0.1", "-q", "-p", &server.port().to_string()])
        .args(["-n", &events.to_string(), "-P", &PIPELINE.to_string()])
        .args(["-c", &CONNECTIONS.to_string()])
        .args(command)
        .arg(event(1)?);
    let output = benchmark.output().context("cannot run redis-benchmark")?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "redis-benchmark failed: {said}");
    // "XADD …: 123456.78 requests per second, p50=…"; progress stands before it on the line.
    said.rsplit_once(" requests per second")
        .and_then(|(before, _)| before.rsplit(' ').next()?.parse().ok())
        .with_context(|| format!("redis-benchmark said {said:?}"))
}

/// Script calls as the relay makes them, ready made; some in flight.
fn evalsha(server: &RedisServer, events: u64) -> Result<f64> {
    let mut connection = server.connect()?;
    let script = Script::new(SCRIPT);
    script.load(&mut connection)?;
    let mut calls = Vec::new();
    let mut last = 0;
    while last < events {
        let mut call = redis::cmd("EVALSHA");
        call.arg(script.get_hash()).arg(2);
        call.arg("{idb:events}:cursor:bench").arg("idb:events");
        call.arg(0).arg(last).arg(0).arg(last + 1);
        let end = (last + BATCH).min(events);
        call.arg(CHANNEL).arg(end - last);
        for number in last + 1..=end {
            call.arg(event(number)?);
        }
        last = end;
        calls.push(call.get_packed_command());
    }
    let start = Instant::now();
    let mut flying = VecDeque::new();
    let answered = |connection: &mut redis::Connection| -> Result<()> {
        let answer: (String, String) = redis::from_redis_value(connection.recv_response()?)?;
        ensure!(answer.1.is_empty(), "redis refused: {}", answer.1);
        Ok(())
    };
    for call in &calls {
        if flying.len() == IN_FLIGHT {
            flying.pop_front();
            answered(&mut connection)?;
        }
        connection.send_packed_command(call)?;
        flying.push_back(());
    }
    for () in flying {
        answered(&mut connection)?;
    }
    Ok(rate(events, start.elapsed()))
}

fn set_many(server: &MemcachedServer, events: u64) -> Result<f64> {
    let client = Memcache::connect([server.address()])?;
    let pairs: Vec<(String, Vec<u8>)> = (0..events)
        .map(|number| (format!("{CHANNEL}:{number}"), feed::value(number).into_bytes()))
        .collect();
    let start = Instant::now();
    for batch in pairs.chunks(usize::try_from(BATCH)?) {
        client.set_many(batch.iter().map(|(key, value)| (key, value)), Ttl::NEVER)?;
    }
    Ok(rate(events, start.elapsed()))
}

/// Rows of a journal's size, appended.
fn sqlite(events: u64, batch: u64) -> Result<f64> {
    let directory = tempfile::Builder::new().prefix("idb-relay-bench-").tempdir()?;
    let connection = Connection::open(directory.path().join("appends.sqlite"))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch(
        "CREATE TABLE journal (number INTEGER PRIMARY KEY, store INTEGER NOT NULL, key BLOB, event TEXT NOT NULL) STRICT",
    )?;
    let rows: Vec<String> = (0..events.min(batch)).map(event).collect::<Result<_>>()?;
    let start = Instant::now();
    let mut number = 0;
    while number < events {
        let transaction = connection.unchecked_transaction()?;
        for row in &rows[..usize::try_from(batch.min(events - number))?] {
            number += 1;
            transaction
                .prepare_cached("INSERT INTO journal (number, store, key, event) VALUES (?1, 1, ?2, ?3)")?
                .execute(params![number, number.to_be_bytes(), row])?;
        }
        transaction.commit()?;
    }
    Ok(rate(events, start.elapsed()))
}

//! How long one event takes that travels alone, beside what it cannot do without: a few round trips
//! to a server, and one fsync.
//!
//! All are taken in turn, each after a pause: a processor that has slept wakes as slowly for the
//! one as for the other.

use std::{
    fs::File,
    io::{Seek as _, SeekFrom, Write as _},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use lab::servers::Client;
use serde_json::{Value, json};

use super::{
    feed::{Feed, Shape},
    flood::Servers,
    program::{Launch, Program},
};
use crate::statistics::{durations, median, rounded};

/// How many events, after some that warm everything up.
const SAMPLES: u64 = 300;
const WARM_UP: u64 = 30;

/// Between two things that are measured.
const PAUSE: Duration = Duration::from_millis(10);

/// How long an event may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many round trips the goal grants.
const ROUND_TRIPS: f64 = 3.0;

/// What a page of a file holds.
const PAGE: usize = 4096;

/// The record's name under the default template.
const KEY: &str = "idb:http%3A//localhost%3A8080:bench:rows:0";

/// Milliseconds.
#[derive(Default)]
struct Times {
    lone: Vec<f64>,
    memcached: Vec<f64>,
    redis: Vec<f64>,
    fsync: Vec<f64>,
}

/// One line.
pub fn measure(host: &Launch) -> Result<Value> {
    let servers = Servers::start()?;
    let mut program = host.start(&servers.redis, &servers.memcached)?;
    let mut client = servers.memcached.connect()?;
    let mut redis = servers.redis.connect()?;
    let mut file = scratch(&program.journal())?;
    let mut feed = Feed::new(Shape::Singles);
    let mut times = Times::default();
    for number in 1..=WARM_UP + SAMPLES {
        let lone = timed(|| arrival(&mut program, &mut feed, &mut client, number))?;
        let memcached = timed(|| client.get("absent").map(|_| ()))?;
        let redis = timed(|| Ok(redis::cmd("PING").exec(&mut redis)?))?;
        let fsync = timed(|| overwrite(&mut file))?;
        if number > WARM_UP {
            times.lone.push(lone);
            times.memcached.push(memcached);
            times.redis.push(redis);
            times.fsync.push(fsync);
        }
    }
    let budget = ROUND_TRIPS * median(&times.memcached) + median(&times.fsync);
    let lone = median(&times.lone);
    Ok(json!({
        "bench": "host",
        "case": "lone",
        "samples": SAMPLES,
        "stdin_to_memcached_ms": durations(&times.lone),
        "memcached_round_trip_ms": durations(&times.memcached),
        "redis_round_trip_ms": durations(&times.redis),
        "fsync_ms": durations(&times.fsync),
        "three_round_trips_and_one_fsync_ms": rounded(budget),
        "ratio_to_three_round_trips_and_one_fsync": rounded(lone / budget),
        "goal_ratio": 1.0,
    }))
}

/// Milliseconds that it takes, after a pause.
fn timed(what: impl FnOnce() -> Result<()>) -> Result<f64> {
    thread::sleep(PAUSE);
    let start = Instant::now();
    what()?;
    Ok(start.elapsed().as_secs_f64() * 1000.0)
}

/// From stdin until it is seen.
fn arrival(program: &mut Program, feed: &mut Feed, client: &mut Client, value: u64) -> Result<()> {
    let start = Instant::now();
    program.send(&feed.lone(value)?)?;
    let expected = value.to_string();
    while client
        .get(KEY)?
        .is_none_or(|item| item.value != expected.as_bytes())
    {
        ensure!(start.elapsed() < PATIENCE, "a lone event did not arrive");
    }
    Ok(())
}

/// A file beside the journal, long enough that a write to it changes nothing but its content.
fn scratch(journal: &Path) -> Result<File> {
    let mut file = File::create(journal.with_extension("scratch"))?;
    file.write_all(&[0; PAGE])?;
    file.sync_all()?;
    Ok(file)
}

fn overwrite(file: &mut File) -> Result<()> {
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&[1; PAGE])?;
    Ok(file.sync_data()?)
}

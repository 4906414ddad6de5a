//! From a commit to its value in Memcached.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use lab::{Rig, browser::Kind, observe::Record, servers::MemcachedServer};
use serde_json::{Value, json};

use crate::{echo, now, statistics};

/// How many commits.
const SAMPLES: usize = 500;

/// Milliseconds between them: each travels alone.
const PAUSE: usize = 20;

/// Commits one record again and again, watches for it in Memcached, and compares the clocks: page
/// and watcher run on one machine. Beside it, how long a message of the same size takes to a native
/// program and back.
pub fn measure(kind: Kind) -> Result<Value> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url("/bench/"))?;
    let record = Record {
        bucket: String::new(),
        database: "bench".to_owned(),
        store: "rows".to_owned(),
        key: r#""probe""#.to_owned(),
        value: String::new(),
    };
    let key = record.memcached_key(&rig.site.origin())?;

    let stop = AtomicBool::new(false);
    let (committed, visible) = thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(&rig.memcached, &key, &stop));
        // A first few to warm everything up; then those that count.
        let committed = page
            .evaluate("probe(50, 10)")
            .and_then(|_| page.evaluate(&format!("probe({SAMPLES}, {PAUSE})")));
        stop.store(committed.is_err(), Ordering::Relaxed);
        let visible = watcher.join().ok().context("the watcher panicked")?;
        anyhow::Ok((committed?, visible?))
    })?;
    let committed: Vec<f64> = serde_json::from_value(committed)?;
    let latencies: Vec<f64> = committed
        .iter()
        .zip(&visible)
        .map(|(committed, visible)| visible - committed)
        .collect();
    browser.quit()?;

    let round_trips = echo::measure(kind, SAMPLES)?;
    let ratio = statistics::median(&latencies) / statistics::median(&round_trips.native);
    Ok(json!({
        "bench": "latency",
        "browser": kind.name(),
        "samples": SAMPLES,
        "commit_to_memcached_ms": statistics::durations(&latencies),
        "native_round_trip_ms": statistics::durations(&round_trips.native),
        "page_to_native_round_trip_ms": statistics::durations(&round_trips.page),
        "ratio_to_native_round_trip": statistics::rounded(ratio),
    }))
}

/// When each number from 1 on was first seen under the key; a number that was overtaken was seen
/// with the one that overtook it. The warm-up starts from 1, too: the measurement begins when the
/// number falls for the last time.
fn watch(memcached: &MemcachedServer, key: &str, stop: &AtomicBool) -> Result<Vec<f64>> {
    let mut client = memcached.connect()?;
    let mut seen: Vec<f64> = Vec::with_capacity(SAMPLES);
    while seen.len() < SAMPLES {
        ensure!(!stop.load(Ordering::Relaxed), "the page failed");
        // Often enough for the figures, not so often that the watcher takes the time it measures.
        thread::sleep(Duration::from_micros(200));
        let Some(item) = client.get(key)? else { continue };
        let number: usize = std::str::from_utf8(&item.value)?.parse()?;
        if number < seen.len() {
            seen.clear();
        }
        let time = now();
        while seen.len() < number {
            seen.push(time);
        }
    }
    Ok(seen)
}

//! What the host makes of a flood, and of a lone event: from its stdin into journal, Redis and
//! Memcached.
//!
//! Beside it, in the same run: each leg of that way alone ([`raw`]), and what one would write by
//! hand in Node ([`peer`]). All servers are private and keep nothing on disk; the journals lie in
//! the directory for temporary files.
//!
//! # Layout
//!
//! - [`feed`]: what the extension would send.
//! - [`program`]: a native messaging host that is fed as a browser feeds it.
//! - [`flood`]: events a second until everything is in both servers, and what that costs.
//! - [`raw`]: the same servers, and SQLite, with nothing else.
//! - [`lone`]: how long one event takes that travels alone.
//! - [`usage`]: what the kernel says of a process.

mod feed;
mod flood;
mod lone;
mod program;
mod raw;
mod usage;

use anyhow::Result;
use lab::{artifacts, directories};
use serde_json::{Value, json};

use self::{feed::Shape, flood::Flood, program::Launch, raw::Legs};
use crate::statistics::rounded;

/// The default number of events of a flood.
pub const EVENTS: u64 = 1_000_000;

/// What is measured beside is given one in so many of the events: its rate does not depend on how
/// long it runs.
const SHARE: u64 = 5;

/// Goals, as shares of what is measured beside.
const GOAL_TO_SLOWEST_LEG: f64 = 0.5;
const GOAL_TO_PEER: f64 = 10.0;
const GOAL_PEAK_BYTES: u64 = 100 << 20;
const GOAL_IDLE_BYTES: u64 = 32 << 20;

/// Prints a line for each case as soon as it is measured.
pub fn measure(events: u64, mut print: impl FnMut(&Value)) -> Result<()> {
    let host = Launch::Host(artifacts::host()?);
    let peer = Launch::Peer(directories::tests_directory().join("peer/host.mjs"));
    print(&lone::measure(&host)?);
    for shape in [Shape::Singles, Shape::Transactions] {
        let ours = flood::measure(&host, shape, events)?;
        let share = (events / SHARE).max(1);
        // At once, while the machine is as it was.
        let legs = Legs::measure(share, ours.events_per_commit)?;
        let theirs = flood::measure(&peer, shape, share)?;
        print(&figures(shape, &ours, &theirs, &legs));
    }
    Ok(())
}

fn figures(shape: Shape, ours: &Flood, theirs: &Flood, legs: &Legs) -> Value {
    let (leg, slowest) = legs.slowest();
    let to_slowest = ours.rate() / slowest;
    let to_peer = ours.rate() / theirs.rate();
    json!({
        "bench": "host",
        "case": shape.name(),
        "events": ours.events,
        "value_bytes": feed::VALUE_BYTES,
        "events_per_frame": feed::FRAME_EVENTS,
        "events_per_journal_commit": ours.events_per_commit,
        "events_per_second": ours.rate().round(),
        "journal_events_per_second": ours.rate_of(ours.journaled).round(),
        "redis_events_per_second": ours.rate_of(ours.in_redis).round(),
        "memcached_events_per_second": ours.rate_of(ours.in_memcached).round(),
        "processor_us_per_event": ours.processor.figures(),
        "raw": legs.figures(),
        "slowest_raw_leg": leg,
        "slowest_raw_leg_events_per_second": slowest.round(),
        "ratio_to_slowest_raw_leg": rounded(to_slowest),
        "goal_ratio_to_slowest_raw_leg": GOAL_TO_SLOWEST_LEG,
        "peer_events": theirs.events,
        "peer_events_per_second": theirs.rate().round(),
        "peer_processor_us_per_event": theirs.processor.figures(),
        "ratio_to_peer": rounded(to_peer),
        "goal_ratio_to_peer": GOAL_TO_PEER,
        "idle_resident_bytes": ours.memory.idle,
        "goal_idle_resident_bytes": GOAL_IDLE_BYTES,
        "peak_resident_bytes": ours.memory.peak,
        "end_resident_bytes": ours.memory.end,
        "goal_peak_resident_bytes": GOAL_PEAK_BYTES,
        "peer_peak_resident_bytes": theirs.memory.peak,
    })
}

//! Rows a second from the page to Memcached.

use std::{thread, time::Duration};

use anyhow::{Context as _, Result, ensure};
use lab::{
    Rig,
    browser::{Kind, Launch, Page, Profile},
    servers::MemcachedServer,
    site::Site,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{now, peer::Peer, statistics};

/// How often each case is measured; the median counts.
const REPEATS: usize = 3;

/// How long rows may take to arrive.
const PATIENCE_MS: f64 = 120_000.0;

/// What the page does.
#[derive(Clone, Copy)]
struct Case {
    /// The page's function.
    function: &'static str,
    rows: usize,
}

const CASES: [Case; 2] = [
    Case {
        function: "bulk",
        rows: 5000,
    },
    Case {
        function: "singles",
        rows: 1000,
    },
];

/// What the page's functions return.
#[derive(Deserialize)]
struct Times {
    began: f64,
    committed: f64,
}

/// Rows a second.
struct Rates {
    /// Until the page's last transaction has committed.
    committed: f64,
    /// Until Memcached holds the last row; without a Memcached the same.
    visible: f64,
}

/// The figures of both cases.
pub fn measure(kind: Kind) -> Result<Vec<Value>> {
    CASES.iter().map(|case| measure_case(kind, *case)).collect()
}

fn measure_case(kind: Kind, case: Case) -> Result<Value> {
    let site = Site::start()?;
    let bare = {
        let profile = Profile::new(kind)?;
        let browser = profile.start(&Launch::default())?;
        rates(&browser.open(&site.url("/bench/"))?, case, None, "")?
    };
    let relayed = {
        let rig = Rig::new(kind)?;
        let browser = rig.browser()?;
        rates(
            &browser.open(&rig.site.url("/bench/"))?,
            case,
            Some(&rig.memcached),
            "",
        )?
    };
    let by_hand = {
        let peer = Peer::start()?;
        let profile = Profile::new(kind)?;
        let browser = profile.start(&Launch::default())?;
        rates(
            &browser.open(&site.url("/bench/"))?,
            case,
            Some(&peer.memcached),
            &format!(", {:?}", peer.url),
        )?
    };
    Ok(json!({
        "bench": "page",
        "browser": kind.name(),
        "case": case.function,
        "rows": case.rows,
        "row_bytes": 250,
        "bare_page_rows_per_second": bare.committed.round(),
        "captured_page_rows_per_second": relayed.committed.round(),
        "to_memcached_rows_per_second": relayed.visible.round(),
        "peer_to_memcached_rows_per_second": by_hand.visible.round(),
        "page_ratio_to_bare": statistics::rounded(relayed.committed / bare.committed),
        "to_memcached_ratio_to_bare": statistics::rounded(relayed.visible / bare.committed),
        "to_memcached_ratio_to_peer": statistics::rounded(relayed.visible / by_hand.visible),
    }))
}

fn rates(page: &Page<'_>, case: Case, memcached: Option<&MemcachedServer>, peer: &str) -> Result<Rates> {
    let (mut committed, mut visible) = (Vec::new(), Vec::new());
    // The first round warms everything up.
    for round in 0..=REPEATS {
        let Case { function, rows } = case;
        let call = format!("{function}({}, {rows}{peer})", round * rows);
        let (times, arrived) = thread::scope(|scope| {
            let arrival = scope.spawn(|| memcached.map(|memcached| arrival(memcached, (round + 1) * rows)));
            let times: Times = serde_json::from_value(page.evaluate(&call)?)?;
            let arrived = arrival.join().ok().context("the watcher panicked")?.transpose()?;
            anyhow::Ok((times, arrived))
        })?;
        if round > 0 {
            #[allow(clippy::cast_precision_loss, reason = "a few thousand rows")]
            let rate = |end: f64| rows as f64 * 1000.0 / (end - times.began);
            committed.push(rate(times.committed));
            visible.push(rate(arrived.unwrap_or(times.committed)));
        }
    }
    Ok(Rates {
        committed: statistics::median(&committed),
        visible: statistics::median(&visible),
    })
}

/// When Memcached held so many items.
fn arrival(memcached: &MemcachedServer, items: usize) -> Result<f64> {
    let mut client = memcached.connect()?;
    let start = now();
    loop {
        let count = client.count()?;
        // Beside them it has the host's mark.
        if count > items {
            return Ok(now());
        }
        ensure!(
            now() - start < PATIENCE_MS,
            "only {count} of {items} rows have arrived"
        );
        thread::sleep(Duration::from_micros(500));
    }
}

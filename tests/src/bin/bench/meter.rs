//! Unseen writes: how soon they are in Memcached, and how often captured ones are compared for
//! nothing.

use std::{thread, time::Duration};

use anyhow::{Result, ensure};
use lab::{
    Rig,
    browser::{Background, Kind, Page},
    observe::Record,
    servers::MemcachedServer,
};
use serde_json::{Value, json};

use crate::{now, statistics};

/// How many commits are captured, and how many milliseconds apart.
const COMMITS: u32 = 3000;
const PAUSE: u32 = 10;

/// How many unseen writes.
const SAMPLES: u32 = 100;

/// How long one may take to arrive.
const PATIENCE_MS: f64 = 60_000.0;

/// Makes the background count how often documents ask for a comparison.
const COUNT: &str = "(background, port, { survey }) => {
    background.asked ??= 0;
    if (survey) background.asked += 1;
}";

/// A worker that puts a number, and nothing else happens; and a page that writes, with no worker.
pub fn measure(kind: Kind) -> Result<Value> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let background = browser.background()?;
    background.observe_documents(COUNT)?;
    let page = browser.open(&rig.site.url("/unseen/"))?;
    page.evaluate("write([['put', 0, 'page']])")?;
    rig.settled(&page)?;

    let asked_before = asked(&background)?;
    let began = now();
    page.evaluate(&format!(
        "(async () => {{
            for (let number = 0; number < {COMMITS}; number++) {{
                await write([['put', number, `row ${{number % 100}}`]]);
                await new Promise((resolve) => setTimeout(resolve, {PAUSE}));
            }}
        }})()"
    ))?;
    let writing = now() - began;
    rig.settled(&page)?;
    let comparisons = asked(&background)? - asked_before;

    let latencies = latencies(&rig, &page)?;
    browser.quit()?;
    Ok(json!({
        "bench": "meter",
        "browser": kind.name(),
        "captured_commits": COMMITS,
        "captured_commits_seconds": statistics::rounded(writing / 1000.0),
        "comparisons_per_1000_captured_commits": statistics::rounded(comparisons * 1000.0 / f64::from(COMMITS)),
        "unseen_writes": SAMPLES,
        "unseen_write_to_memcached_ms": statistics::durations(&latencies),
    }))
}

fn asked(background: &Background<'_>) -> Result<f64> {
    Ok(serde_json::from_value(
        background.call("({ asked = 0 }) => asked")?,
    )?)
}

fn latencies(rig: &Rig, page: &Page<'_>) -> Result<Vec<f64>> {
    let record = Record {
        bucket: String::new(),
        database: "unseen".to_owned(),
        store: "items".to_owned(),
        key: r#""worker""#.to_owned(),
        value: String::new(),
    };
    let key = record.memcached_key(&rig.site.origin())?;
    (0..SAMPLES)
        .map(|number| {
            let committed = page.evaluate(&format!(
                "writeIn('blob', [['put', {number}, 'worker']])
                    .then(() => performance.timeOrigin + performance.now())"
            ))?;
            let committed: f64 = serde_json::from_value(committed)?;
            let visible = arrival(&rig.memcached, &key, &number.to_string())?;
            // At another point of the meter's interval each time.
            thread::sleep(Duration::from_millis(u64::from(number * 37 % 500)));
            Ok(visible - committed)
        })
        .collect()
}

/// When Memcached held this value.
fn arrival(memcached: &MemcachedServer, key: &str, value: &str) -> Result<f64> {
    let mut client = memcached.connect()?;
    let start = now();
    loop {
        if client
            .get(key)?
            .is_some_and(|item| item.value == value.as_bytes())
        {
            return Ok(now());
        }
        ensure!(now() - start < PATIENCE_MS, "{key} is not {value}");
        thread::sleep(Duration::from_millis(1));
    }
}

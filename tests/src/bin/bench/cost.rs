//! What capture costs the page: the same writes with and without the extension, in alternation.
//!
//! To capture a value is to make one copy of it. So the yardstick is structured clones: what is
//! added, over what one clone of each value takes on the bare page in the same run.
//!
//! Documents that use no IndexedDB are measured beside a third browser, too, whose extension is
//! ours with empty page scripts: what the browser itself takes to run any extension's scripts in
//! two worlds.
//!
//! Only the page's own time counts, from its first call to its last `complete`. The relay works
//! meanwhile, on the same processors: its share is in the figures of what takes longer than its
//! batches.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use lab::{
    Rig, artifacts,
    browser::{Kind, Launch, Page, Profile},
    observe::Record,
    site::Site,
    wait::{self, PATIENCE, Seen},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::statistics;

/// How often each is measured; the medians count.
const ROUNDS: usize = 7;

const PAGE: &str = "/bench/cost.html";

/// The page's functions that write.
const WRITES: [&str; 7] = [
    "rows",
    "hundreds",
    "singles",
    "documents",
    "texts",
    "buffers",
    "dexie",
];

const WITHOUT: &str = "documents_without_indexeddb";

/// A line for each case.
pub fn measure(kind: Kind) -> Result<Vec<Value>> {
    let site = Site::start()?;
    let profile = Profile::new(kind)?;
    let bare_browser = profile.start(&Launch::default())?;
    let rig = Rig::new(kind)?;
    let captured_browser = rig.browser()?;
    let bare = bare_browser.open(&site.url(PAGE))?;
    let captured = captured_browser.open(&rig.site.url(PAGE))?;
    let mut figures = Vec::new();
    for case in WRITES {
        let (mut without, mut with, mut clones) = (Vec::new(), Vec::new(), Vec::new());
        // The first round warms everything up.
        for round in 0..=ROUNDS {
            let (bare_times, times) = (run(&bare, case)?, run(&captured, case)?);
            // What one round has left to do is not the next one's to pay.
            drained(&rig, &captured, round)?;
            if round > 0 {
                without.push(bare_times.writes);
                clones.push(bare_times.clones);
                with.push(times.writes);
            }
        }
        let [without, with, clones] = [without, with, clones].map(|times| statistics::median(&times));
        figures.push(json!({
            "bench": "cost",
            "browser": kind.name(),
            "case": case,
            "bare_ms": statistics::rounded(without),
            "captured_ms": statistics::rounded(with),
            "clones_ms": statistics::rounded(clones),
            "ratio_to_bare": statistics::rounded(with / without),
            "added_in_clones": statistics::rounded((with - without) / clones),
        }));
    }
    figures.push(documents(kind, &bare, &captured)?);
    figures.push(json!({
        "bench": "cost",
        "browser": kind.name(),
        "case": "heap_after_100000_writes",
        "bare_bytes": heap(&bare, || Ok(()))?,
        "captured_bytes": heap(&captured, || drained(&rig, &captured, ROUNDS + 1))?,
    }));
    Ok(figures)
}

/// The heap before, right after and, with nothing on its way any more, some time after many writes.
fn heap(page: &Page<'_>, drain: impl FnOnce() -> Result<()>) -> Result<Value> {
    let bytes = || page.evaluate("heap()");
    let before = bytes()?;
    page.evaluate("manyWrites()")?;
    let after = bytes()?;
    drain()?;
    Ok(json!({ "before": before, "after": after, "drained": bytes()? }))
}

/// What a document costs at its start, beside one without an extension and one with empty scripts.
fn documents(kind: Kind, bare: &Page<'_>, captured: &Page<'_>) -> Result<Value> {
    let rig = Rig::new(kind)?;
    let extension = tempfile::tempdir()?;
    copy(&artifacts::extension(kind)?, extension.path())?;
    for script in ["hook.js", "bridge.js"] {
        fs::write(extension.path().join("page").join(script), "")?;
    }
    let browser = rig.profile.start(&Launch {
        extension: Some(extension.path().to_owned()),
        environment: rig.relay.environment(),
        ..Launch::default()
    })?;
    browser.ready_to_capture()?;
    let empty = browser.open(&rig.site.url(PAGE))?;
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        for (page, times) in [bare, captured, &empty].into_iter().zip(&mut times) {
            let time = run(page, WITHOUT)?.writes;
            if round > 0 {
                times.push(time);
            }
        }
    }
    let [without, with, floor] = times.map(|times| statistics::median(&times));
    Ok(json!({
        "bench": "cost",
        "browser": kind.name(),
        "case": WITHOUT,
        "bare_ms": statistics::rounded(without),
        "captured_ms": statistics::rounded(with),
        "empty_scripts_ms": statistics::rounded(floor),
        "ratio_to_bare": statistics::rounded(with / without),
        "ratio_to_empty_scripts": statistics::rounded(with / floor),
    }))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Waits until a last write of the round has passed every stage, and so have all before it.
fn drained(rig: &Rig, page: &Page<'_>, round: usize) -> Result<()> {
    let mark = format!("{round} {}", crate::now());
    page.evaluate(&format!("cost.mark({mark:?})"))?;
    let key = Record {
        bucket: String::new(),
        database: "cost".to_owned(),
        store: "rows".to_owned(),
        key: r#""mark""#.to_owned(),
        value: String::new(),
    }
    .memcached_key(&rig.site.origin())?;
    let mut memcached = rig.memcached.connect()?;
    wait::until("the round's last write in Memcached", PATIENCE, || {
        Ok(match memcached.get(&key)? {
            Some(item) if item.value == format!("{mark:?}").as_bytes() => Seen::Ready(()),
            _ => Seen::Not("not there yet".to_owned()),
        })
    })
}

/// What the page measured of a case, in milliseconds.
#[derive(Deserialize)]
struct Times {
    /// From the first call to the last `complete`.
    writes: f64,
    /// A structured clone of each value.
    clones: f64,
}

fn run(page: &Page<'_>, case: &str) -> Result<Times> {
    Ok(serde_json::from_value(page.evaluate(&format!("cost.{case}()"))?)?)
}

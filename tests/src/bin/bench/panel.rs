//! The inspector's panel: how soon it shows something, how smooth it stays, what it weighs.
//!
//! A frame's interval is what `requestAnimationFrame` sees: 16.7 ms on a screen of 60 Hz as long as
//! none is missed. Its work is what the page's thread does from there until it is free again:
//! scripts, styles, layout.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use lab::{
    Rig, artifacts,
    browser::{Kind, Page},
    panel::Panel,
};
use serde_json::{Value, json};

use crate::statistics;

/// Events a second, in transactions of [`ROWS`], for so many seconds.
const RATE: u32 = 2000;
const ROWS: u32 = 40;
const SECONDS: u64 = 10;
/// As many as the panel keeps.
const MANY: usize = 100_000;
/// How often it is brought to the front until it is drawn.
const ACTIVATED: usize = 10;
/// How often the panel is opened; the median counts.
const OPENED: usize = 5;

/// Remembers each frame from now on in `window.frames`: how long after the one before it came, and
/// its work.
const RECORD: &str = "(() => {
    const frames = (window.frames_seen = []);
    const channel = new MessageChannel();
    let before, began;
    channel.port1.onmessage = () => frames.length && (frames.at(-1).work = performance.now() - began);
    const frame = (now) => {
        if (window.frames_seen !== frames) return;
        began = performance.now();
        if (before !== undefined) frames.push({ interval: now - before, work: 0 });
        before = now;
        channel.port2.postMessage(0);
        requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
})()";

/// Ends the recording.
const RECORDED: &str = "((frames) => ((window.frames_seen = undefined), frames))(window.frames_seen)";

/// Lines of figures.
pub fn measure(kind: Kind) -> Result<Vec<Value>> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let url = rig.site.url("/bench/");
    let page = browser.open(&url)?;
    page.evaluate("bulk(0, 1000)")?;
    rig.stream_of(1000)?;
    let named = |figures: Value| {
        let mut line = json!({"bench": "panel", "browser": kind.name()});
        if let (Value::Object(line), Value::Object(figures)) = (&mut line, figures) {
            line.extend(figures);
        }
        line
    };
    let mut lines = vec![named(sizes(kind)?)];

    let mut opened = Vec::new();
    for _ in 0..OPENED {
        let panel = Panel::of(&browser, &url)?;
        panel.wait_for("performance.getEntriesByName('first-row').length > 0")?;
        let first = panel.evaluate("performance.getEntriesByName('first-row')[0].startTime")?;
        opened.push(first.as_f64().context("a time")?);
        panel.page.close()?;
    }
    lines.push(named(json!({
        "case": "open_to_first_row",
        "ms": statistics::rounded(statistics::median(&opened)),
    })));

    let panel = Panel::of(&browser, &url)?;
    panel.page.resize(1280, 800)?;
    bring_to_front(&panel)?;
    panel.page.evaluate(RECORD)?;
    let rate = stream(&page)?;
    lines.push(named(frames(
        &panel,
        "stream",
        json!({"events_per_second": rate}),
    )?));

    let began = Instant::now();
    for from in (0..MANY).step_by(5000) {
        page.evaluate(&format!("bulk({from}, 5000)"))?;
        let known = from + 5000;
        panel.wait_for(&format!("{SHOWN} >= {known}"))?;
    }
    panel.wait_for(&format!("{SHOWN} === {MANY}"))?;
    lines.push(named(json!({
        "case": "fill",
        "events": MANY,
        "seconds": statistics::rounded(began.elapsed().as_secs_f64()),
        "wasm_bytes": panel.evaluate("import(chrome.runtime.getURL('panel/panel.js')).then((panel) => panel.default()).then(({ memory }) => memory.buffer.byteLength)")?,
        "js_heap_bytes": panel.evaluate("performance.memory?.usedJSHeapSize ?? null")?,
    })));

    panel.page.evaluate(RECORD)?;
    let rate = stream(&page)?;
    lines.push(named(frames(
        &panel,
        "stream_at_the_bound",
        json!({"events_per_second": rate}),
    )?));

    // From the end to the beginning and back: each frame shows other rows.
    panel.page.evaluate(RECORD)?;
    panel.evaluate(
        "new Promise((resolve) => { const list = $('#feed'), step = list.scrollHeight / 150; let frame = 0; const next = () => { \
         list.scrollTop += frame < 150 ? -step : step; if (++frame < 300) requestAnimationFrame(next); else resolve(); }; next(); })",
    )?;
    lines.push(named(frames(&panel, "scroll_at_the_bound", json!({}))?));

    panel.page.evaluate(RECORD)?;
    let began = Instant::now();
    panel.filter("\"row 1000099999\"")?;
    panel.wait_for("$('.chips .term:last-of-type').textContent.includes('row 1') && $('[data-why=looking]') === null && $$('.row').length < 20")?;
    let looked = began.elapsed().as_secs_f64() * 1000.0;
    lines.push(named(frames(
        &panel,
        "search_at_the_bound",
        json!({"ms": statistics::rounded(looked)}),
    )?));
    Ok(lines)
}

/// How many events the panel has.
const SHOWN: &str = "Number(/([0-9,]+) event/.exec($('.count').textContent)[1].replaceAll(',', ''))";

/// Has the browser draw the panel. A tab that has just become visible may be given no frames until
/// it is activated once more.
fn bring_to_front(panel: &Panel<'_>) -> Result<()> {
    const FRAME: &str = "Promise.race([\
        new Promise((resolve) => requestAnimationFrame(() => resolve(true))), \
        new Promise((resolve) => setTimeout(resolve, 1000, false))])";
    for _ in 0..ACTIVATED {
        panel.page.activate()?;
        panel.wait_for("document.visibilityState === 'visible'")?;
        if panel.page.evaluate(FRAME)? == true {
            return Ok(());
        }
    }
    bail!("the browser draws no frame of the panel, which it calls visible")
}

/// Writes at the rate, and returns what it came to.
fn stream(page: &Page<'_>) -> Result<f64> {
    let pause = Duration::from_secs(1) * ROWS / RATE;
    let began = Instant::now();
    let mut written = 0u32;
    while began.elapsed() < Duration::from_secs(SECONDS) {
        page.evaluate(&format!("bulk({written}, {ROWS})"))?;
        written += ROWS;
        let due = pause * (written / ROWS);
        thread::sleep(due.saturating_sub(began.elapsed()));
    }
    Ok(statistics::rounded(
        f64::from(written) / began.elapsed().as_secs_f64(),
    ))
}

/// The figures of the frames since the recording began.
fn frames(panel: &Panel<'_>, case: &str, more: Value) -> Result<Value> {
    let frames = panel.page.evaluate(RECORDED)?;
    let frames = frames.as_array().context("frames")?;
    ensure!(!frames.is_empty(), "no frame was seen");
    let of = |name: &str| -> Vec<f64> { frames.iter().filter_map(|frame| frame[name].as_f64()).collect() };
    let (intervals, work) = (of("interval"), of("work"));
    let mut figures = json!({
        "case": case,
        "frames": frames.len(),
        "frame_interval_ms": percentiles(&intervals),
        "frame_work_ms": percentiles(&work),
    });
    if let (Value::Object(figures), Value::Object(more)) = (&mut figures, more) {
        figures.extend(more);
    }
    Ok(figures)
}

fn percentiles(samples: &[f64]) -> Value {
    let of = |share| statistics::rounded(statistics::percentile(samples, share));
    json!({"p50": of(0.5), "p95": of(0.95), "p99": of(0.99)})
}

/// What the WASM modules take as they are loaded, and as a store sends them.
fn sizes(kind: Kind) -> Result<Value> {
    let extension = artifacts::extension(kind)?;
    let of = |path: &str| -> Result<Value> {
        let path = extension.join(path);
        Ok(json!({"bytes": fs::metadata(&path)?.len(), "gzip_bytes": gzipped(&path)?}))
    };
    Ok(json!({
        "case": "sizes",
        "panel": of("panel/panel_bg.wasm")?,
        "panel_bindings": of("panel/panel.js")?,
        "background": of("wasm/idb_relay_bg.wasm")?,
        "popup_and_options": of("pages/pages_bg.wasm")?,
    }))
}

fn gzipped(path: &Path) -> Result<usize> {
    let output = Command::new("gzip")
        .args(["-9", "-c"])
        .arg(path)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run gzip")?;
    ensure!(output.status.success(), "gzip failed");
    Ok(output.stdout.len())
}

//! Blobs: their bytes are read after the commit, and nothing of what follows passes them by.

use anyhow::{Context as _, Result, ensure};
use lab::{
    Rig,
    browser::Kind,
    observe::Event,
    wait::{self, PATIENCE, Seen},
};
use serde_json::{Value, json};

const PAGE: &str = "/writer/";

/// A megabyte that is no megabyte of zeros, several times and a little more.
const LONG: &str =
    "new Blob([...Array(100).fill(Uint8Array.from({ length: 1 << 20 }, (_, index) => index * 7)), 'end'])";

/// The events of a key, once there are so many.
fn events_of(rig: &Rig, key: &str, count: usize) -> Result<Vec<Event>> {
    wait::until(&format!("{count} events of {key}"), PATIENCE, || {
        let mut events = rig.stream()?;
        events.retain(|event| event.json()["key"] == *key);
        Ok(if events.len() >= count {
            Seen::Ready(events)
        } else {
            Seen::Not(format!("{} events", events.len()))
        })
    })
}

fn blob(event: &Event) -> &Value {
    &event.json()["after"]["$blob"]
}

fn what_comes_after_a_blob_waits_for_it(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate(
        "Promise.all([put('picture', new Blob(['x'.repeat(500_000)])), put('next', 1), put('file', [new File(['ab'], 'n')]), put('last', 2)])",
    )?;
    rig.settled(&page)?;
    let mut events = rig.stream()?;
    events.retain(|event| event.op() == "c");
    let keys: Vec<&Value> = events.iter().map(|event| &event.json()["key"]).collect();
    assert_eq!(keys, ["picture", "next", "file", "last"]);
    let text = blob(&events[0])["base64"].as_str().context("bytes")?;
    assert!(text.len() > 600_000 && text.starts_with("eHh4"), "{}", text.len());
    assert_eq!(events[2].json()["after"][0]["$blob"]["base64"], json!("YWI="));
    Ok(())
}

fn a_long_blob_is_named_by_its_hash(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate(&format!("put('long', {LONG})"))?;
    let expected = page.evaluate(&format!(
        "({LONG}).arrayBuffer().then((bytes) => crypto.subtle.digest('SHA-256', bytes)).then((hash) => new Uint8Array(hash).toHex())"
    ))?;
    let events = events_of(&rig, "long", 1)?;
    assert_eq!(blob(&events[0])["sha256"], expected);
    assert_eq!(blob(&events[0])["size"], json!(100 * 1024 * 1024 + 3));
    rig.settled(&page)?;
    Ok(())
}

fn a_page_that_leaves_before_its_blob_is_read_tells_of_it(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    // Capture is on, and the first look at what there is over.
    page.evaluate("put('first', 1)")?;
    rig.settled(&page)?;
    // It leaves in the event that comes right after the one of the blob's commit.
    page.evaluate(&format!(
        "void inOneTurn([['long', {LONG}], ['next', 2]], () => {{ location.href = '/blank/'; }}).catch(() => {{}})"
    ))?;
    events_of(&rig, "next", 1)?;
    let events = events_of(&rig, "long", 1)?;
    ensure!(
        blob(&events[0])["sha256"].is_null(),
        "the blob was read before the page could leave"
    );
    page.wait_for("location.pathname === '/blank/'")?;
    page.navigate(&rig.site.url(PAGE))?;
    let events = events_of(&rig, "long", 2)?;
    assert_eq!(events[1].op(), "r");
    assert!(blob(&events[1])["sha256"].is_string());
    rig.settled(&page)?;
    Ok(())
}

/// Longer than what is carried, and no longer than what the browser hashes in one go.
const HASHED_AT_ONCE: &str = "new Blob([new Uint8Array(60 * 1024 * 1024)])";

/// Another site gets another process, and Chromium cuts the document's port before it learns that
/// it goes.
fn a_page_that_goes_to_another_site_takes_nothing_along(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("put('first', 1)")?;
    rig.settled(&page)?;
    let elsewhere = rig.site.url("/blank/").replace("localhost", "127.0.0.1");
    // It leaves in the event that comes right after the one of the blob's commit.
    page.evaluate(&format!(
        "void count(0, 3).then(() => inOneTurn([['long', {HASHED_AT_ONCE}], ['next', 2]], () => {{ location.href = {elsewhere:?}; }})).catch(() => {{}})"
    ))?;
    events_of(&rig, "next", 1)?;
    let events = events_of(&rig, "long", 1)?;
    ensure!(
        blob(&events[0])["sha256"].is_null(),
        "the blob was read before the page could leave"
    );
    page.wait_for("location.hostname === '127.0.0.1'")?;
    // From the back/forward cache or loaded again: the page brings what was missing.
    page.evaluate("history.back()")?;
    page.wait_for("location.hostname === 'localhost'")?;
    let events = events_of(&rig, "long", 2)?;
    assert!(blob(&events[1])["sha256"].is_string());
    rig.settled(&page)?;
    Ok(())
}

lab::in_both_browsers!(
    what_comes_after_a_blob_waits_for_it,
    a_long_blob_is_named_by_its_hash,
    a_page_that_leaves_before_its_blob_is_read_tells_of_it,
    a_page_that_goes_to_another_site_takes_nothing_along,
);

//! One page against all others: what it stores costs no other origin its capture.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use lab::{
    Rig,
    browser::Kind,
    observe::Event,
    pages::{popup, words},
    site::Site,
    wait::{self, PATIENCE, Seen},
};
use serde_json::json;

use crate::meddling::CATCH_NODE;

const PAGE: &str = "/writer/";

const RULE: &str = r#"
[[redact]]
fields = ["/list/*", "/secret"]
how = "hash"
"#;

/// Forty objects, each an array 325 deep with the one before at its bottom.
const DEEP: &str = "(() => { \
    const list = []; \
    for (let value = 0; list.length < 40; list.push(value)) for (let depth = 0; depth < 325; depth++) value = [value]; \
    return { list }; \
})()";

/// Makes the background fail on one delivery, whenever it is worked on: an exception that passes
/// the module leaves it as a trap does.
const FAIL: &str = "(background) => { \
    const native = background.idbRelayInHand; \
    let target; \
    background.failures = 0; \
    background.idbRelayInHand = (context, sequence) => { \
        native(context, sequence); \
        if (context === '') return; \
        target ??= `${context} ${sequence}`; \
        if (target !== `${context} ${sequence}`) return; \
        background.failures += 1; \
        throw new Error('a failure of the test'); \
    }; \
}";

/// Fails once on the next delivery, and has no memory for another instance the first two times.
const FAIL_TWICE_MORE: &str = "(background) => { \
    const native = background.idbRelayInHand; \
    const { Instance } = background.WebAssembly; \
    background.attempts = 0; \
    background.WebAssembly.Instance = function (...given) { \
        background.attempts += 1; \
        if (background.attempts <= 2) throw new RangeError('a failure of the test'); \
        return new Instance(...given); \
    }; \
    background.idbRelayInHand = (context, sequence) => { \
        native(context, sequence); \
        if (context === '' || background.attempts > 0) return; \
        throw new Error('a failure of the test'); \
    }; \
}";

/// A rig with a second site, both captured.
fn rig(kind: Kind, more: &str) -> Result<(Rig, Site)> {
    let rig = Rig::new(kind)?;
    let other = Site::start()?;
    let config = fs::read_to_string(rig.relay.config())?;
    let (own, both) = (
        json!([rig.site.origin()]).to_string(),
        json!([rig.site.origin(), other.origin()]).to_string(),
    );
    ensure!(config.contains(&own), "no {own} in {config}");
    fs::write(rig.relay.config(), config.replace(&own, &both) + more)?;
    Ok((rig, other))
}

/// The newest event of a key from an origin, once there is one.
fn event_of(rig: &Rig, origin: &str, key: &str) -> Result<Event> {
    wait::until(&format!("an event of {key} from {origin}"), PATIENCE, || {
        let events = rig.stream()?;
        let newest = events
            .into_iter()
            .rev()
            .find(|event| event.json()["key"] == key && event.json()["source"]["origin"] == origin);
        Ok(newest.map_or_else(|| Seen::Not("none".to_owned()), Seen::Ready))
    })
}

fn deep_references_under_a_hash_rule_stop_no_capture(kind: Kind) -> Result<()> {
    let (rig, other) = rig(kind, RULE)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    let bystander = browser.open(&other.url(PAGE))?;
    page.evaluate(&format!("put('deep', {DEEP})"))?;
    let list = event_of(&rig, &rig.site.origin(), "deep")?.json()["after"]["list"].clone();
    let hashes = list.as_array().context("a list")?;
    assert_eq!(hashes.len(), 40);
    ensure!(
        hashes
            .iter()
            .all(|hash| hash.as_str().is_some_and(|hash| hash.starts_with("hash-"))),
        "{list}"
    );
    bystander.evaluate("put('open', { secret: 'hush', more: 1 })")?;
    let after = event_of(&rig, &other.origin(), "open")?.json()["after"].clone();
    ensure!(after["more"] == 1 && after["secret"] != "hush", "{after}");
    page.evaluate("put('after', 1)")?;
    event_of(&rig, &rig.site.origin(), "after")?;
    Ok(())
}

fn a_delivery_that_fails_twice_is_left_out_with_a_gap(kind: Kind) -> Result<()> {
    let (rig, other) = rig(kind, "")?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    let bystander = browser.open(&other.url(PAGE))?;
    page.evaluate("put('before', 1)")?;
    bystander.evaluate("put('before', 1)")?;
    event_of(&rig, &rig.site.origin(), "before")?;
    event_of(&rig, &other.origin(), "before")?;
    let background = browser.background()?;
    background.call(FAIL)?;
    page.evaluate("put('fatal', 1)")?;
    // It is read again instead: sent as a snapshot, not as a commit.
    assert_eq!(event_of(&rig, &rig.site.origin(), "fatal")?.op(), "r");
    assert_eq!(background.call("(background) => background.failures")?, json!(2));
    bystander.evaluate("put('after', 2)")?;
    assert_eq!(event_of(&rig, &other.origin(), "after")?.op(), "c");
    page.evaluate("put('after', 2)")?;
    event_of(&rig, &rig.site.origin(), "after")?;
    assert_eq!(background.call("(background) => background.failures")?, json!(2));
    Ok(())
}

fn background_without_memory_for_a_restart_tries_again(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("put('before', 1)")?;
    event_of(&rig, &rig.site.origin(), "before")?;
    let background = browser.background()?;
    background.call(FAIL_TWICE_MORE)?;
    page.evaluate("put('after', 1)")?;
    event_of(&rig, &rig.site.origin(), "after")?;
    assert_eq!(background.call("(background) => background.attempts")?, json!(3));
    Ok(())
}

/// What one page sends is refused alone: the deliveries of others travel in the same frame.
fn a_forged_body_takes_no_other_pages_delivery_along(kind: Kind) -> Result<()> {
    let (rig, other) = rig(kind, "")?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    let bystander = browser.open(&other.url(PAGE))?;
    let caught = page.evaluate(&format!("({CATCH_NODE})()"))?;
    assert_eq!(caught, json!(true), "the page did not get hold of the node");
    bystander.evaluate("put('before', 1)")?;
    event_of(&rig, &other.origin(), "before")?;
    // What waited while capture was paused leaves together.
    let popup = popup(&browser, &rig.site.url(PAGE))?;
    popup.evaluate("document.getElementById('pause').click()")?;
    words(&popup, "Capture is paused")?;
    page.evaluate(
        "void window.node.dispatchEvent(new other.MessageEvent('body', {
            data: `{\"gap\":{\"reason\":\"x\",\"stores\":[]},\"deep\":${'['.repeat(200000)}${']'.repeat(200000)}}`,
        }))",
    )?;
    bystander.evaluate("put('during', 2)")?;
    popup
        .wait_for("/([2-9]|[0-9]{2}) deliveries wait/.test(document.getElementById('words').textContent)")?;
    popup.evaluate("document.getElementById('pause').click()")?;
    let during = event_of(&rig, &other.origin(), "during")?;
    assert_eq!(during.op(), "c", "read again instead: {}", during.line());
    page.evaluate("other.put('after', 3)")?;
    let after = event_of(&rig, &rig.site.origin(), "after")?;
    assert_eq!(after.op(), "c", "{}", after.line());
    Ok(())
}

lab::in_both_browsers!(
    a_forged_body_takes_no_other_pages_delivery_along,
    background_without_memory_for_a_restart_tries_again,
    deep_references_under_a_hash_rule_stop_no_capture,
    a_delivery_that_fails_twice_is_left_out_with_a_gap,
);

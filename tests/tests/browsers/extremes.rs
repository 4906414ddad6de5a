//! Pages that write more, larger or deeper than can be carried: the page goes on, memory stays
//! bounded, what was cut is said, and once all is quiet the caches hold what can be carried.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lab::{
    Rig,
    browser::{Kind, Page},
    observe::{self, Event},
    relay::STREAM,
    wait::{self, PATIENCE, Seen},
};
use serde_json::{Value, json};

const PAGE: &str = "/writer/";

/// How long the largest transaction may take.
const MINUTES: Duration = Duration::from_secs(30 * 60);

/// Evaluates a write that the engine itself may refuse; whether it did not.
fn stored(page: &Page<'_>, write: &str) -> Result<bool> {
    let outcome = page.evaluate(&format!("{write}.then(() => true, () => false)"))?;
    outcome.as_bool().context("true or false")
}

/// The last event of a key, once there is one.
fn last(rig: &Rig, key: &Value) -> Result<Event> {
    wait::until(&format!("an event of {key}"), PATIENCE, || {
        let events = rig.stream()?;
        let newest = events.into_iter().rev().find(|event| event.json()["key"] == *key);
        Ok(newest.map_or_else(|| Seen::Not("none".to_owned()), Seen::Ready))
    })
}

/// How the newest value of a key was cut short, if it was.
fn cut(event: &Event) -> Option<&str> {
    event.json()["after"]["$opaque"]["reason"].as_str()
}

fn a_huge_value_is_named_and_holds_nothing_up(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    let text = stored(&page, "put('text', 'x'.repeat(200 * 1024 * 1024))")?;
    let bytes = stored(&page, "put('bytes', new Uint8Array(200 * 1024 * 1024))")?;
    let smaller = stored(&page, "put('smaller', new Uint8Array(60 * 1024 * 1024))")?;
    page.evaluate("put('next', 1)")?;
    assert_eq!(last(&rig, &json!("next"))?.json()["after"], json!(1));
    let events = rig.stream()?;
    for (key, stored) in [("text", text), ("bytes", bytes), ("smaller", smaller)] {
        let of_key: Vec<_> = events.iter().filter(|event| event.json()["key"] == key).collect();
        let all_cut = of_key.iter().all(|event| cut(event) == Some("too large"));
        assert!(all_cut, "{key} is not cut");
        assert_eq!(of_key.len(), usize::from(stored), "{key}");
    }
    ensure!(smaller, "this engine stored nothing large");
    // No client may take a cut value for the whole: the caches hold only the other records.
    wait::until("Memcached to hold the small value alone", PATIENCE, || {
        let held: Vec<_> = rig.memcached.dump()?.into_keys().collect();
        Ok(match &held[..] {
            [key] if key.ends_with("\"next\"") => Seen::Ready(()),
            _ => Seen::Not(format!("{held:?}")),
        })
    })?;
    // Without them all is as it should be.
    for key in ["text", "bytes", "smaller"] {
        page.evaluate(&format!("remove({key:?})"))?;
    }
    rig.settled(&page)?;
    Ok(())
}

fn depth_has_a_bound_that_is_named(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    let nest = "((levels) => { let value = 0; while (levels-- > 0) value = { value }; return value; })";
    ensure!(stored(&page, &format!("put('10', {nest}(10))"))?);
    ensure!(stored(&page, &format!("put('2000', {nest}(2000))"))?);
    let deepest = stored(&page, &format!("put('100000', {nest}(100_000))"))?;
    let key = "((levels) => { let key = 0; while (levels-- > 0) key = [key]; return key; })(500)";
    let deep_key = stored(&page, &format!("put({key}, 'under a deep key')"))?;
    page.evaluate("put('last', 1)")?;
    // Few JSON readers go so deep: the texts are looked at as they are.
    let texts = wait::until("the last event", PATIENCE, || {
        let texts = observe::texts(&rig.redis, STREAM)?;
        Ok(if texts.iter().any(|text| text.contains(r#""key":"last""#)) {
            Seen::Ready(texts)
        } else {
            Seen::Not(format!("{} events", texts.len()))
        })
    })?;
    let of_key = |key: &str| {
        let key = format!(r#""key":"{key}""#);
        texts.iter().find(|text| text.contains(&key)).context(key)
    };
    ensure!(of_key("10")?.contains(&format!("{}0{}", r#"{"value":"#.repeat(10), "}".repeat(10))));
    ensure!(
        texts.iter().any(|text| text.contains("under a deep key")) == deep_key,
        "a record whose key nests 500 deep is as stored as any other"
    );
    for key in ["2000", "100000"].iter().take(if deepest { 2 } else { 1 }) {
        let text = of_key(key)?;
        ensure!(
            text.contains(r#""reason":"too deep""#) || text.contains(r#""reason":"could not be read""#),
            "{key} is not cut: …{}",
            &text[text.len().saturating_sub(300)..]
        );
    }
    Ok(())
}

fn a_transaction_past_the_bound_is_read_again(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("put('before', 1)")?;
    rig.settled(&page)?;
    // 80 MB of text in one transaction.
    page.evaluate(
        "transact((items) => { const text = 'x'.repeat(20_000); for (let n = 0; n < 4000; n++) items.put(text + n, n % 100); })",
    )?;
    let events = rig.settled(&page)?;
    let read = events.iter().filter(|event| event.op() == "r").count();
    assert_eq!(
        read, 100,
        "what was too much to carry at once is read from the database"
    );
    Ok(())
}

fn a_page_that_outruns_the_host_is_bounded_and_converges(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("put('before', 1)")?;
    rig.settled(&page)?;
    rig.relay.freeze_host()?;
    // More than the bridge keeps: 100 MB in commits of 200 kB.
    page.evaluate(
        "(async () => { const text = 'x'.repeat(200_000); for (let n = 0; n < 500; n++) await put(n % 50, text + n); })()",
    )?;
    rig.relay.thaw_host()?;
    page.evaluate("put('after', 1)")?;
    let events = rig.settled(&page)?;
    ensure!(
        events.len() < 500,
        "nothing was given up: the bound was not reached"
    );
    Ok(())
}

/// A million records in one transaction are more than a page can hold twice: what the hook keeps is
/// bounded, and the store is read when the transaction is over. It takes minutes, most of them the
/// engine's own.
fn a_million_keys_in_one_transaction_converge(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("put('before', 1)")?;
    rig.settled(&page)?;
    page.evaluate(
        "void transact((items) => { for (let n = 0; n < 1_000_000; n++) items.put({ n, name: 'a name', at: new Date(n) }, n); }) \
            .then(() => put('after', 1))",
    )?;
    wait::until("a million records in the mirror", MINUTES, || {
        let stores = rig.relay.run_json(&["ls", "--json"])?;
        Ok(if stores.to_string().contains(r#""records":1000002"#) {
            Seen::Ready(())
        } else {
            Seen::Not(stores.to_string())
        })
    })
}

#[test]
#[ignore = "takes minutes"]
fn chromium_a_million_keys() -> Result<()> {
    a_million_keys_in_one_transaction_converge(Kind::Chromium)
}

#[test]
#[ignore = "takes minutes"]
fn firefox_a_million_keys() -> Result<()> {
    a_million_keys_in_one_transaction_converge(Kind::Firefox)
}

lab::in_both_browsers!(
    a_huge_value_is_named_and_holds_nothing_up,
    depth_has_a_bound_that_is_named,
    a_transaction_past_the_bound_is_read_again,
    a_page_that_outruns_the_host_is_bounded_and_converges,
);

//! Commits that one tab reports after another tab's younger one: neither the caches nor a reader of
//! the stream goes back.

use anyhow::{Result, bail, ensure};
use lab::{
    Rig,
    browser::Kind,
    observe::{Event, checks},
    wait::{self, PATIENCE, Seen},
};
use serde_json::{Value, json};

const PAGE: &str = "/writer/";

fn busy_tab_takes_no_younger_value_back(kind: Kind) -> Result<()> {
    busy_tab_is_late(kind, Some("old"), Some("new"))
}

fn busy_tabs_deletion_takes_no_younger_value_away(kind: Kind) -> Result<()> {
    busy_tab_is_late(kind, None, Some("new"))
}

fn busy_tabs_value_comes_not_back_behind_a_deletion(kind: Kind) -> Result<()> {
    busy_tab_is_late(kind, Some("old"), None)
}

/// The busy tab leaves `old` (deletes the record, if it is `None`), and the other one `new`.
fn busy_tab_is_late(kind: Kind, old: Option<&str>, new: Option<&str>) -> Result<()> {
    let text = |value: Option<&str>| value.map_or("undefined".to_owned(), |value| format!("{value:?}"));
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let busy = browser.open(&rig.site.url(PAGE))?;
    let other = browser.open(&rig.site.url(PAGE))?;
    // Its thread is busy from the commit on. How long it has to be depends on the machine.
    for milliseconds in [1000, 4000, 16_000] {
        let key = format!("busy for {milliseconds}");
        busy.evaluate(&format!("put({key:?}, 'first')"))?;
        rig.settled(&busy)?;
        busy.evaluate(&format!(
            "void setTimeout(() => putAndBeBusy({key:?}, {}, {milliseconds}))",
            text(old)
        ))?;
        // It waits for the transaction of the busy tab, which came first.
        let change = match new {
            Some(new) => format!("put({key:?}, {new:?})"),
            None => format!("remove({key:?})"),
        };
        other.evaluate(&format!("seen({key:?}, {}).then(() => {change})", text(old)))?;
        let of_old = |event: &Event| {
            let is_old = match old {
                Some(old) => event.json()["after"] == old,
                None => event.op() == "d",
            };
            is_old && event.json()["key"] == *key
        };
        wait::until("the busy tab's report", PATIENCE, || {
            Ok(if rig.stream()?.iter().any(of_old) {
                Seen::Ready(())
            } else {
                Seen::Not("nothing of it".to_owned())
            })
        })?;
        let events = rig.settled(&other)?;
        let late = events
            .iter()
            .find(|event| of_old(event))
            .is_some_and(|event| event.json()["source"]["late"] == true);
        let kept = checks::kept(&events, &key);
        if late {
            assert_eq!(kept, [&json!("first"), &json!(new)]);
            return Ok(());
        }
        assert_eq!(kept, [&json!("first"), &json!(old), &json!(new)]);
    }
    bail!("the busy tab was never the later one to report");
}

/// The busy tab creates the record and the other one replaces it: no event claims that there was
/// none.
fn record_that_busy_tab_created_is_published_without_before(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let busy = browser.open(&rig.site.url(PAGE))?;
    let other = browser.open(&rig.site.url(PAGE))?;
    busy.evaluate("put('first', 1)")?;
    rig.settled(&busy)?;
    for milliseconds in [1000, 4000, 16_000] {
        let key = format!("made while busy for {milliseconds}");
        let create = format!("putAndBeBusy({key:?}, 'old', {milliseconds})");
        busy.evaluate(&format!("void setTimeout(() => {create})"))?;
        other.evaluate(&format!("seen({key:?}, 'old').then(() => put({key:?}, 'new'))"))?;
        wait::until("the busy tab's report", PATIENCE, || {
            let is_it = |event: &Event| event.json()["key"] == *key && event.json()["after"] == "old";
            Ok(if rig.stream()?.iter().any(is_it) {
                Seen::Ready(())
            } else {
                Seen::Not("nothing of it".to_owned())
            })
        })?;
        let events = rig.settled(&other)?;
        let of_key = events
            .iter()
            .map(Event::json)
            .filter(|event| event["key"] == *key);
        let of_key: Vec<_> = of_key.collect();
        let told = |value: &str| {
            let is_it = |event: &&Value| event["op"] != "r" && event["after"] == value;
            of_key.iter().position(is_it)
        };
        let (Some(created), Some(replaced)) = (told("old"), told("new")) else {
            bail!("not told: {of_key:?}");
        };
        if created < replaced {
            assert_eq!(of_key[replaced]["before"], "old");
            continue;
        }
        // The busy tab has announced that it writes, so nothing is claimed for the other one.
        let event = of_key[replaced];
        ensure!(event.get("before").is_none(), "{event}");
        let late = of_key[created];
        assert_eq!(late["source"]["late"], true, "{late}");
        ensure!(late.get("before").is_none(), "{late}");
        assert_eq!(checks::kept(&events, &key).last(), Some(&&json!("new")));
        return Ok(());
    }
    bail!("the busy tab was never the later one to report");
}

/// The busy tab creates the record and the other one deletes it: there was something to delete.
fn deletion_of_what_a_busy_tab_created_is_published(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let busy = browser.open(&rig.site.url(PAGE))?;
    let other = browser.open(&rig.site.url(PAGE))?;
    busy.evaluate("put('first', 1)")?;
    rig.settled(&busy)?;
    for milliseconds in [1000, 4000, 16_000] {
        let key = format!("gone while busy for {milliseconds}");
        let create = format!("putAndBeBusy({key:?}, 'old', {milliseconds})");
        busy.evaluate(&format!("void setTimeout(() => {create})"))?;
        other.evaluate(&format!("seen({key:?}, 'old').then(() => remove({key:?}))"))?;
        let deletion = wait::until("the deletion", PATIENCE, || {
            let of_key = |event: &Event| event.json()["key"] == *key;
            let events: Vec<_> = rig.stream()?.into_iter().filter(of_key).collect();
            Ok(match events.iter().position(|event| event.op() == "d") {
                Some(index) => Seen::Ready((index == 0).then(|| events[0].json().clone())),
                None => Seen::Not(format!("{events:?}")),
            })
        })?;
        rig.settled(&other)?;
        if let Some(deletion) = deletion {
            ensure!(deletion.get("before").is_none(), "{deletion}");
            return Ok(());
        }
    }
    bail!("the busy tab was never the later one to report");
}

/// The event of its commit waits behind its own busy task, in which it writes once more.
fn commit_of_a_busy_page_that_writes_on_is_captured(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("put('first', 1)")?;
    rig.settled(&page)?;
    page.evaluate("putAndBeBusy('second', 2, 1500).then(() => put('third', 3))")?;
    let events: Vec<_> = rig.settled(&page)?.iter().map(Event::line).collect();
    assert_eq!(
        events[1..],
        [1, 2, 3].map(|number| {
            let key = ["first", "second", "third"][number - 1];
            format!("c writer/items {key:?} {number}")
        })
    );
    Ok(())
}

lab::in_both_browsers!(
    commit_of_a_busy_page_that_writes_on_is_captured,
    deletion_of_what_a_busy_tab_created_is_published,
    record_that_busy_tab_created_is_published_without_before,
    busy_tab_takes_no_younger_value_back,
    busy_tabs_deletion_takes_no_younger_value_away,
    busy_tabs_value_comes_not_back_behind_a_deletion,
);

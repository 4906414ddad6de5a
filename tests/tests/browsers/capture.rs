//! What is captured, and what is not.

use anyhow::{Result, ensure};
use lab::{
    Rig,
    browser::{Kind, Launch},
    observe::{self, Event, checks},
    site::{CLEARING, Site},
    wait::{self, PATIENCE, Seen},
};
use serde_json::json;

const PAGE: &str = "/writer/";

fn an_origin_that_is_not_enabled_is_never_captured(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let other = Site::start()?;
    let browser = rig.browser()?;
    let page = browser.open(&other.url(PAGE))?;
    page.evaluate("put('secret', 1)")?;
    page.reload()?;
    page.evaluate("put('secret', 2)")?;
    // What comes later on an enabled origin has arrived: so would have this.
    let enabled = browser.open(&rig.site.url(PAGE))?;
    enabled.evaluate("put('open', 1)")?;
    rig.settled(&enabled)?;
    page.evaluate("put('secret', 3)")?;
    enabled.evaluate("put('open', 2)")?;
    let events = rig.settled(&enabled)?;
    for event in &events {
        ensure!(
            event.json()["source"]["origin"] == rig.site.origin(),
            "captured: {}",
            event.json()
        );
    }
    assert_eq!(events.len(), 3);
    Ok(())
}

fn records_from_before_capture_arrive_as_read(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.profile.start(&Launch::default())?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("count(0, 500).then(() => put('date', new Date(0)))")?;
    browser.quit()?;

    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    let events = rig.settled(&page)?;
    assert_eq!(events.len(), 501);
    for event in &events {
        ensure!(
            event.op() == "r" && event.json()["source"]["snapshot"] == json!(true),
            "not a snapshot's event: {}",
            event.json()
        );
    }
    checks::numbered_without_gaps(&events)?;

    // What is written within the clocks' doubt of a read may have been there before it.
    let read_at = events
        .iter()
        .filter_map(|event| event.json()["ts_ms"].as_i64())
        .max();
    wait::until(
        "what was read to be older than clocks may be wrong",
        PATIENCE,
        || {
            let now = page.evaluate("Date.now() - 300")?.as_i64();
            Ok(if now > read_at {
                Seen::Ready(())
            } else {
                Seen::Not(format!("{now:?}, read at {read_at:?}"))
            })
        },
    )?;

    // Known records are not read out again, and changes from now on know what was before.
    page.reload()?;
    page.evaluate("put(1, 'changed')")?;
    page.evaluate("remove(2)")?;
    let events = rig.settled(&page)?;
    let later: Vec<_> = events[501..].iter().map(Event::line).collect();
    assert_eq!(later, [r#"u writer/items 1 "changed""#, "d writer/items 2"]);
    assert_eq!(events[501].json()["before"], json!(1));
    Ok(())
}

fn unseen_write_is_found_at_next_load(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("count(0, 10)")?;
    rig.settled(&page)?;
    browser.quit()?;

    let browser = rig.profile.start(&Launch::default())?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("put(1, 'unseen').then(() => remove(2)).then(() => put(10, 10))")?;
    browser.quit()?;

    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    let events = rig.settled(&page)?;
    let mut later: Vec<_> = events[11..].iter().map(Event::line).collect();
    later.sort();
    assert_eq!(
        later,
        [
            "d writer/items 2",
            r#"r writer/items 1 "unseen""#,
            "r writer/items 10 10"
        ]
    );
    Ok(())
}

fn databases_that_went_unseen_are_missed_at_the_next_load(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("count(0, 3)")?;
    rig.settled(&page)?;
    browser.quit()?;

    let browser = rig.profile.start(&Launch::default())?;
    let page = browser.open(&rig.site.url("/blank/"))?;
    page.evaluate(
        "new Promise((resolve) => { indexedDB.deleteDatabase('writer').onsuccess = () => resolve(); })",
    )?;
    browser.quit()?;

    // Nothing is left of the origin; that must be reported, too.
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url("/blank/"))?;
    let events = rig.settled(&page)?;
    assert_eq!(events.iter().filter(|event| event.op() == "d").count(), 3);
    Ok(())
}

fn databases_that_do_not_open_hold_no_other_up(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("put(['key'], 1)")?;
    rig.settled(&page)?;
    // Upgrades wait without end for another connection to close, and every later open of these
    // databases waits behind them.
    page.evaluate(
        "Promise.all(Array.from({ length: 16 }, (_, number) => new Promise((resolve) => {
            const first = indexedDB.open(`stuck ${number}`, 1);
            first.onsuccess = () => (indexedDB.open(`stuck ${number}`, 2).onblocked = () => resolve());
        })))",
    )?;
    // What this deletes can't be known without running the getter again, so the store is compared.
    page.evaluate("transact((items) => items.delete(Object.defineProperty([0], 0, { get: () => 'key' })))")?;
    wait::until("the deletion to arrive", PATIENCE, || {
        let held = rig.memcached.dump()?;
        Ok(if held.is_empty() {
            Seen::Ready(())
        } else {
            Seen::Not(format!("{:?}", held.keys()))
        })
    })
}

fn transactions_that_do_not_end_hold_no_other_up(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    // Made before the other database, it is read before it.
    page.evaluate(
        "new Promise((resolve) => {
            const request = indexedDB.open('busy', 1);
            request.onupgradeneeded = () => request.result.createObjectStore('items');
            request.onsuccess = () => {
                const items = request.result.transaction('items', 'readwrite').objectStore('items');
                const goOn = () => (items.get(1).onsuccess = goOn);
                goOn();
                resolve();
            };
        })",
    )?;
    page.evaluate("put(['key'], 1)")?;
    wait::until("the record to arrive", PATIENCE, || {
        let held = rig.memcached.dump()?;
        Ok(if held.len() == 1 {
            Seen::Ready(())
        } else {
            Seen::Not(format!("{held:?}"))
        })
    })?;
    page.evaluate("transact((items) => items.delete(Object.defineProperty([0], 0, { get: () => 'key' })))")?;
    wait::until("the deletion to arrive", PATIENCE, || {
        let held = rig.memcached.dump()?;
        Ok(if held.is_empty() {
            Seen::Ready(())
        } else {
            Seen::Not(format!("{:?}", held.keys()))
        })
    })
}

fn two_tabs_that_write_one_key_converge(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let tabs = [
        browser.open(&rig.site.url(PAGE))?,
        browser.open(&rig.site.url(PAGE))?,
    ];
    for round in 0..3 {
        for (number, tab) in tabs.iter().enumerate() {
            tab.evaluate(&format!(
                "void (window.hammering = hammer('shared', 'round {round}, tab {number},', 100))"
            ))?;
        }
        for tab in &tabs {
            tab.evaluate("hammering")?;
        }
        let events = rig.settled(&tabs[0])?;
        checks::numbered_without_gaps(&events)?;
        ensure!(events.len() >= 200 * (round + 1), "only {} events", events.len());
    }
    Ok(())
}

fn one_big_transaction_arrives_whole(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let subscriber = rig.subscribe()?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate(
        "transact((items) => { for (let n = 0; n < 3000; n++) items.put({n, text: 'ä'.repeat(2000)}, n); })",
    )?;
    let events = rig.settled(&page)?;
    assert_eq!(events.len(), 3001);
    checks::whole_transactions(&events)?;
    assert_eq!(subscriber.wait_for(3001, |_| true)?, events);
    let stored = observe::contents(&page)?;
    assert_eq!(stored.len(), 3000);
    Ok(())
}

/// Which record it deletes can't be known without running the accessor again: the store is read
/// again, and no other.
fn a_deletion_by_a_key_with_accessors_takes_nothing_along(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate(
        "new Promise((resolve) => {
            const request = indexedDB.open('two', 1);
            request.onupgradeneeded = () => {
                request.result.createObjectStore('kept');
                request.result.createObjectStore('cut').put('here', ['a', 1]);
            };
            request.onsuccess = () => resolve(void (window.two = request.result));
        })",
    )?;
    rig.settled(&page)?;
    page.evaluate(
        "new Promise((resolve) => {
            const transaction = two.transaction(['kept', 'cut'], 'readwrite');
            const key = Object.defineProperty(['a'], 1, { get: () => 1, enumerable: true });
            transaction.objectStore('kept').put('seen', 1);
            transaction.objectStore('cut').delete(key);
            transaction.oncomplete = () => resolve();
        })",
    )?;
    let events = rig.settled(&page)?;
    let lines: Vec<String> = events.iter().map(Event::line).collect();
    ensure!(
        lines.iter().any(|line| line == r#"c two/kept 1 "seen""#),
        "{lines:#?}"
    );
    ensure!(
        lines.iter().any(|line| line == r#"d two/cut ["a",1]"#),
        "{lines:#?}"
    );
    Ok(())
}

/// The browser closes the page's connections by force; the page goes on without a load.
fn what_the_browser_clears_is_gone_everywhere(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    // A page that watches its connection, as libraries do.
    page.evaluate("opened().then((connection) => void (connection.onclose = () => {}))")?;
    page.evaluate("together([['a', 1], ['b', 2]])")?;
    rig.settled(&page)?;
    page.evaluate(&format!("fetch({CLEARING:?}).then((answer) => answer.text())"))?;
    wait::until("the browser to have cleared the databases", PATIENCE, || {
        let databases = page.evaluate("indexedDB.databases()")?;
        Ok(if databases == json!([]) {
            Seen::Ready(())
        } else {
            Seen::Not(databases.to_string())
        })
    })?;
    rig.settled(&page).map(drop)
}

/// Views of parts of buffers, dates that occur twice, arrays with names: engines make tidy keys of
/// them, and so does the host.
fn deletions_by_untidy_keys_are_captured(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate(
        "Promise.all([put(new Uint8Array([2]), 1), put([new Date(0), new Date(0)], 2), put(['a'], 3)])",
    )?;
    rig.settled(&page)?;
    page.evaluate(
        "transact((items) => {
            const date = new Date(0);
            items.delete(new Uint8Array([1, 2]).subarray(1));
            items.delete([date, date]);
            items.delete(Object.assign(['a'], { named: true }));
            items.put('kept', 4);
        })",
    )?;
    let events = rig.settled(&page)?;
    let of_transaction: Vec<String> = events
        .iter()
        .filter(|event| event.json()["transaction"]["event_count"] == json!(4))
        .map(Event::line)
        .collect();
    assert_eq!(
        of_transaction,
        [
            r#"d writer/items {"$bytes":{"base64":"Ag==","type":"ArrayBuffer"}}"#,
            r#"d writer/items [{"$date":"1970-01-01T00:00:00.000Z"},{"$date":"1970-01-01T00:00:00.000Z"}]"#,
            r#"d writer/items ["a"]"#,
            r#"c writer/items 4 "kept""#,
        ]
    );
    Ok(())
}

lab::in_both_browsers!(
    what_the_browser_clears_is_gone_everywhere,
    an_origin_that_is_not_enabled_is_never_captured,
    records_from_before_capture_arrive_as_read,
    unseen_write_is_found_at_next_load,
    databases_that_went_unseen_are_missed_at_the_next_load,
    databases_that_do_not_open_hold_no_other_up,
    transactions_that_do_not_end_hold_no_other_up,
    two_tabs_that_write_one_key_converge,
    one_big_transaction_arrives_whole,
    a_deletion_by_a_key_with_accessors_takes_nothing_along,
    deletions_by_untidy_keys_are_captured,
);

//! What the inspector shows of stores and records: counts, drift, and nothing that a rule hides.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use lab::{
    Rig,
    browser::{Key, Kind},
    observe::Record,
    panel::Panel,
};
use serde_json::json;

const WRITER: &str = "/writer/";

/// A record of a store `items`.
fn item(bucket: &str, database: &str, key: &str) -> Record {
    Record {
        bucket: bucket.to_owned(),
        database: database.to_owned(),
        store: "items".to_owned(),
        key: key.to_owned(),
        value: String::new(),
    }
}

fn drift_is_found_and_put_right(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let url = rig.site.url(WRITER);
    let page = browser.open(&url)?;
    page.evaluate("together([['a', 1], ['b', 2], ['c', 3]])")?;
    rig.settled(&page)?;
    let panel = Panel::of(&browser, &url)?;
    panel.page.resize(1280, 600)?;
    let picture = |name: &str| panel.picture(&format!("{name}-{}", kind.name()));
    panel.press("Stores")?;
    panel.wait_for("$('.stores [data-title=\"In IndexedDB\"]')?.textContent === '3'")?;
    assert_eq!(panel.text(".stores [data-title='In the mirror']")?, "3");
    panel.press("Compare")?;
    panel.wait_for("$('.stores .good')?.textContent === 'none'")?;
    assert_eq!(panel.text(".stores [data-title='In Memcached']")?, "3");

    // Another client writes into Memcached.
    let key = item("", "writer", r#""b""#).memcached_key(&rig.site.origin())?;
    rig.memcached.connect()?.set(&key, "spoilt")?;
    panel.press("Compare")?;
    panel.wait_for("$('.stores .error')?.textContent === '1 stale'")?;
    panel.wait_for("$('.differences button')?.textContent === '\"b\"'")?;
    panel.click(".differences button")?;
    panel.wait_for("$('.chosen .verdict')?.dataset.state === 'wrong'")?;
    let places = panel.evaluate("$$('.chosen td').map((place) => place.textContent)")?;
    assert_eq!(places, json!(["2", "2", "spoilt"]));
    picture("drift")?;
    panel.accessible()?;
    panel.page.resize(400, 700)?;
    panel.fits()?;
    picture("narrow-stores")?;
    panel.accessible()?;
    panel.page.resize(1280, 600)?;

    panel.press("Repair")?;
    panel.wait_for("$('.stores .good')?.textContent === '1 stale; 1 repaired'")?;
    panel.press("Look again")?;
    panel.wait_for("$('.chosen .verdict')?.dataset.state === 'ok'")?;
    picture("repaired")?;
    rig.settled(&page).map(drop)
}

/// How a store's line reads: in IndexedDB, in the mirror, and what is said of it.
fn line(store: &str, indexeddb: &str, mirror: &str, state: &str) -> String {
    format!(
        "$$('.stores tbody tr').some((row) => row.querySelector('th').textContent.endsWith('› {store}') \
         && row.querySelector('[data-title=\"In IndexedDB\"]').textContent === '{indexeddb}' \
         && row.querySelector('[data-title=\"In the mirror\"]').textContent === '{mirror}' \
         && row.textContent.includes('{state}'))"
    )
}

/// The pages' own numbers stand beside the mirror's, also where the mirror knows nothing.
fn records_are_counted_where_they_are(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let url = rig.site.url(WRITER);
    let page = browser.open(&url)?;
    page.evaluate("count(0, 5)")?;
    rig.settled(&page)?;
    let panel = Panel::of(&browser, &url)?;
    panel.page.resize(1280, 600)?;
    panel.press("Stores")?;
    panel.wait_for(&line("items", "5", "5", "complete"))?;

    // What the host is not sent, the mirror lacks.
    panel.press("Pause capture")?;
    panel.wait_for("$('.health').textContent.includes('capture paused')")?;
    page.evaluate("count(5, 8)")?;
    page.evaluate(
        "new Promise((resolve, reject) => { const open = indexedDB.open('unseen', 1); open.onupgradeneeded = () => open.result.createObjectStore('things').put(1, 1); open.onsuccess = resolve; open.onerror = reject; }).then(() => true)",
    )?;
    panel.press("Refresh")?;
    panel.wait_for(&line("items", "8", "5", "the mirror lacks 3"))?;
    panel.wait_for(&line("things", "1", "0", "not completely read yet"))?;
    panel.picture(&format!("counts-{}", kind.name()))?;
    panel.accessible()?;
    panel.page.resize(400, 700)?;
    panel.fits()?;
    panel.picture(&format!("narrow-counts-{}", kind.name()))?;
    panel.page.resize(1280, 600)?;
    panel.press("Resume capture")?;
    rig.settled(&page)?;
    panel.press("Refresh")?;
    panel.wait_for(&line("items", "8", "8", "complete"))?;

    // Without a page the panel has no document to ask.
    page.close()?;
    let other = Panel::open(&browser, "")?;
    other.press("Stores")?;
    other.wait_for(
        "$('.stores [data-title=\"In IndexedDB\"] span')?.title.includes('No page of the site is open')",
    )
}

/// Looks a key up in the field, and waits for what the three places have and for the sentence below
/// them.
fn look_up(
    panel: &Panel<'_>,
    key: &str,
    title: &str,
    places: [&str; 3],
    state: &str,
    verdict: &str,
) -> Result<()> {
    panel.write("#lookup-key", key)?;
    panel.page.press(Key::Enter)?;
    let places = json!(places);
    panel.wait_for(&format!(
        "$('.chosen h2').textContent === {title:?} \
         && JSON.stringify($$('.places td').map((place) => place.textContent)) === JSON.stringify({places}) \
         && $('.places .verdict').dataset.state === {state:?} && $('.places .verdict').textContent.includes({verdict:?})"
    ))
}

/// No event and no difference of it is needed.
fn any_record_is_looked_up_by_its_key(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let url = rig.site.url(WRITER);
    let page = browser.open(&url)?;
    page.evaluate("together([[7, 'seven'], [[1, 'b'], { n: 1 }], [new Date(0), 'born'], ['gone', 1]])")?;
    rig.settled(&page)?;
    let panel = Panel::of(&browser, &url)?;
    let picture = |name: &str| panel.picture(&format!("{name}-{}", kind.name()));
    panel.page.resize(1280, 600)?;
    panel.press("Stores")?;
    panel.wait_for(&line("items", "4", "4", "complete"))?;

    // By keys alone.
    panel.evaluate("void $('#look-up-0').focus()")?;
    panel.page.press(Key::Enter)?;
    panel.wait_for("document.activeElement.id === 'lookup-key' && $('.places') === null")?;
    for char in "ann".chars() {
        panel.page.press(Key::Character(char))?;
    }
    panel.page.press(Key::Enter)?;
    panel
        .wait_for("$('#lookup-mistake').textContent.includes('write keys as JSON, such as 42, \"alice\"')")?;
    assert_eq!(panel.evaluate("$('#lookup-key').ariaInvalid")?, json!("true"));
    assert_eq!(panel.evaluate("$('.places')")?, json!(null));
    picture("lookup-mistake")?;
    panel.accessible()?;
    panel.write("#lookup-key", "{\"a\": 1}")?;
    panel.page.press(Key::Enter)?;
    panel.wait_for("$('#lookup-mistake').textContent.includes('a key is a number, a string, a date, bytes, or an array of these')")?;

    let same = "All are the same.";
    look_up(
        &panel,
        " 7.0 ",
        "writer › items › 7",
        [r#""seven""#; 3],
        "ok",
        same,
    )?;
    assert_eq!(panel.evaluate("$('#lookup-key').ariaInvalid")?, json!("false"));
    assert_eq!(panel.text("#lookup-mistake")?, "");
    look_up(
        &panel,
        r#"[1, "b"]"#,
        r#"writer › items › [1,"b"]"#,
        [r#"{"n":1}"#; 3],
        "ok",
        same,
    )?;
    let date = r#"{"$date":"1970-01-01T00:00:00.000Z"}"#;
    look_up(
        &panel,
        date,
        &format!("writer › items › {date}"),
        [r#""born""#; 3],
        "ok",
        same,
    )?;
    picture("lookup")?;
    panel.accessible()?;

    // What is not everywhere, or nowhere, is said to be so.
    let none = "no such record";
    look_up(
        &panel,
        "8",
        "writer › items › 8",
        [none; 3],
        "ok",
        "none of the three has this record",
    )?;
    let gone = item("", "writer", r#""gone""#).memcached_key(&rig.site.origin())?;
    ensure!(rig.memcached.connect()?.delete(&gone)?, "{gone} was not there");
    let places = ["1", "1", none];
    look_up(
        &panel,
        r#""gone""#,
        r#"writer › items › "gone""#,
        places,
        "wrong",
        "Memcached does not hold",
    )?;
    panel.press("Pause capture")?;
    panel.wait_for("$('.health').textContent.includes('capture paused')")?;
    page.evaluate("put('unseen', 1)")?;
    panel.evaluate("void $('#lookup-key').focus()")?;
    let places = ["1", none, none];
    look_up(
        &panel,
        r#""unseen""#,
        r#"writer › items › "unseen""#,
        places,
        "wrong",
        "The mirror does not hold",
    )?;
    panel.page.resize(400, 700)?;
    panel.evaluate("void $('.chosen').scrollIntoView()")?;
    panel.fits()?;
    picture("narrow-lookup")?;
    panel.accessible()?;
    panel.page.press(Key::Escape)?;
    panel.wait_for("$('.chosen') === null && document.activeElement.id === 'look-up-0'")
}

/// Two databases of one name, of which one is in a storage bucket, are two: each is compared with
/// its own items. Firefox has no storage buckets.
#[test]
fn a_buckets_stores_are_compared_by_themselves() -> Result<()> {
    let rig = Rig::new(Kind::Chromium)?;
    let browser = rig.browser()?;
    let url = rig.site.url("/places/");
    let page = browser.open(&url)?;
    page.evaluate("putBy(indexedDB, 'key', 'default')")?;
    for bucket in ["drafts", "other"] {
        page.evaluate(&format!(
            "navigator.storageBuckets.open('{bucket}').then((bucket) => putBy(bucket.indexedDB, 'key', '{bucket}'))"
        ))?;
    }
    rig.settled(&page)?;
    let panel = Panel::of(&browser, &url)?;
    panel.page.resize(1280, 600)?;
    panel.press("Stores")?;
    let rows = "$$('.stores tbody tr').map((row) => row.querySelector('th').textContent.split('› ').at(-1))";
    panel.wait_for(&format!(
        "JSON.stringify({rows}) === JSON.stringify(['items', 'items (bucket drafts)', 'items (bucket other)'])"
    ))?;
    // Another client overwrites one bucket's item, and deletes another's.
    let origin = rig.site.origin();
    let mut memcached = rig.memcached.connect()?;
    memcached.set(
        &item("drafts", "places", r#""key""#).memcached_key(&origin)?,
        "spoilt",
    )?;
    let other = item("other", "places", r#""key""#).memcached_key(&origin)?;
    ensure!(memcached.delete(&other)?, "{other} was not there");
    let drift = |shown: [&str; 3]| {
        let shown = json!(shown);
        panel.wait_for(&format!(
            "JSON.stringify($$('.stores tbody tr td:nth-child(5) > span').map((drift) => drift.textContent)) === JSON.stringify({shown})"
        ))
    };
    let compare = |row: usize| {
        panel.evaluate(&format!(
            "void [...$$('.stores tbody tr')[{row}].querySelectorAll('button')].find((button) => button.textContent === 'Compare').click()"
        ))
    };
    compare(1)?;
    drift(["not compared yet", "1 stale", "not compared yet"])?;
    compare(0)?;
    drift(["none", "1 stale", "not compared yet"])?;
    panel.press("Compare all with Memcached")?;
    drift(["none", "1 stale", "1 missing"])?;
    // The difference is the bucket's own.
    panel.click(".differences button")?;
    panel.wait_for("$('.places .verdict')?.dataset.state === 'wrong'")?;
    assert_eq!(
        panel.text(".chosen h2")?,
        r#"places › items (bucket drafts) › "key""#
    );
    let places = panel.evaluate("$$('.places td').map((place) => place.textContent)")?;
    assert_eq!(places, json!([r#""drafts""#, r#""drafts""#, "spoilt"]));
    panel.picture("buckets-chromium")?;
    panel.accessible()?;
    panel.evaluate(
        "void $$('.stores .buttons button').filter((button) => button.textContent === 'Repair')[1].click()",
    )?;
    drift(["none", "1 stale; 1 repaired", "1 missing"])?;
    panel.evaluate(
        "void $$('.stores .buttons button').filter((button) => button.textContent === 'Repair')[2].click()",
    )?;
    drift(["none", "1 stale; 1 repaired", "1 missing; 1 repaired"])?;
    rig.settled(&page).map(drop)
}

/// A rule holds in every place of the panel, and what it makes of a record is the same in all of
/// them.
fn what_rules_hide_is_hidden_here_too(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let config = fs::read_to_string(rig.relay.config())?;
    let rules = r#"
[[redact]]
store = "users"
fields = ["/cards/*/number"]
how = "mask"
[[redact]]
store = "users"
fields = ["/mail"]
how = "hash"
[[redact]]
store = "sessions"
fields = ["@key"]
how = "drop"
"#;
    fs::write(rig.relay.config(), config + rules)?;
    let browser = rig.browser()?;
    let url = rig.site.url("/secrets/");
    let page = browser.open(&url)?;
    page.evaluate("opened.then(() => true)")?;
    page.evaluate("found()")?;
    let panel = Panel::of(&browser, &url)?;
    panel.page.resize(1280, 800)?;
    for (filter, part) in [
        ("open-ann", "open-bank"),
        ("store:sessions op:create", "open-session"),
    ] {
        panel.filter(filter)?;
        panel.wait_for("$$('.row').length === 1")?;
        panel.click(".row")?;
        panel.wait_for(&format!(
            "$('.details .verdict')?.dataset.state === 'ok' && $('.places code')?.textContent.includes('{part}')"
        ))?;
        let places = panel.evaluate("$$('.places code').map((place) => place.textContent)")?;
        let places: Vec<String> = serde_json::from_value(places)?;
        ensure!(
            places.len() == 3 && places.iter().all(|place| *place == places[0]),
            "{places:?}"
        );
        ensure!(panel.text(".places")?.contains("redaction rules"));
    }
    panel.picture(&format!("redacted-{}", kind.name()))?;
    ensure!(!panel.text("body")?.contains("hush"), "the panel shows a secret");

    // The page's own key finds a note that the record has another key here.
    panel.press("Stores")?;
    panel.wait_for("$('[aria-label=\"Look up a record in sessions\"]') !== null")?;
    panel.click("[aria-label='Look up a record in sessions']")?;
    panel.wait_for("document.activeElement.id === 'lookup-key'")?;
    let note =
        "A redaction rule gives the record another key. Look it up by the key that its newest event has.";
    let places = [note, "no such record", "no such record"];
    let title = r#"vault › sessions › "hush-token-found""#;
    look_up(
        &panel,
        r#""hush-token-found""#,
        title,
        places,
        "off",
        "could not be compared",
    )?;
    panel.press("Events")?;

    // It is gone from IndexedDB, unseen, and so is different.
    panel.press("Pause capture")?;
    panel.wait_for("$('.health').textContent.includes('capture paused')")?;
    page.evaluate("transact((store) => store('sessions').delete('hush-token-found'))")?;
    panel.press("Look again")?;
    panel.wait_for("$('.details .verdict')?.dataset.state === 'wrong'")?;
    assert_eq!(panel.text(".places td")?, "no such record");
    panel.filter("")?;
    // What is exported is what is listed, and that is looked for a stretch at a time.
    panel.wait_for("$$('.row').length > 1")?;
    panel.evaluate(
        "(window.URL.createObjectURL = (blob) => { window.exported = blob; return 'blob:none'; }, undefined)",
    )?;
    panel.press("Export")?;
    panel.wait_for("window.exported !== undefined")?;
    let text = panel.evaluate("exported.text()")?;
    let text = text.as_str().context("a text")?;
    ensure!(text.contains("open-ann") && !text.contains("hush"), "{text}");
    Ok(())
}

lab::in_both_browsers!(
    any_record_is_looked_up_by_its_key,
    drift_is_found_and_put_right,
    records_are_counted_where_they_are,
    what_rules_hide_is_hidden_here_too,
);

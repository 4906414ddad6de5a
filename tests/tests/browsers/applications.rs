//! Applications as their authors write them, each on a library that does its own things with
//! IndexedDB: nothing they see differs, and all they write arrives.

use anyhow::{Context as _, Result, ensure};
use lab::{
    Rig,
    browser::{Kind, Launch, Page},
    observe::checks,
    site::Site,
    wait::{self, PATIENCE, Seen},
};

/// What an application saw, and what it warned of. It must do what it does without an error.
fn run(page: &Page<'_>) -> Result<Vec<String>> {
    let seen = page.evaluate("run()")?;
    let complaints = page.evaluate("complaints")?;
    let mut lines: Vec<String> = serde_json::from_value(seen)?;
    let complaints: Vec<String> = serde_json::from_value(complaints)?;
    ensure!(
        complaints.iter().all(|complaint| complaint.starts_with("warn ")),
        "{complaints:#?}"
    );
    lines.extend(complaints);
    Ok(lines)
}

/// Runs the application of `tests/sites/applications/<name>/` once where nothing is captured, and
/// once where all is.
fn arrives_unseen(kind: Kind, name: &str) -> Result<()> {
    let rig = Rig::new(kind)?;
    let uncaptured = Site::start()?;
    let path = format!("/applications/{name}/");
    let browser = rig.browser()?;
    let bare = browser.open(&uncaptured.url(&path))?;
    let expected = run(&bare).context("where nothing is captured")?;
    let page = browser.open(&rig.site.url(&path))?;
    let seen = run(&page)?;
    for (seen, expected) in seen.iter().zip(&expected) {
        ensure!(seen == expected, "it saw {seen}\nrather than {expected}");
    }
    assert_eq!(seen, expected);

    let events = rig.settled(&page)?;
    checks::numbered_without_gaps(&events)?;
    checks::whole_transactions(&events)?;
    for event in &events {
        // Every write was captured: nothing had to be read again.
        ensure!(!matches!(event.op(), "g" | "r"), "{}", event.json());
    }
    Ok(())
}

fn dexie(kind: Kind) -> Result<()> {
    arrives_unseen(kind, "dexie")
}

fn rxdb(kind: Kind) -> Result<()> {
    arrives_unseen(kind, "rxdb")
}

fn wa_sqlite(kind: Kind) -> Result<()> {
    arrives_unseen(kind, "wa-sqlite")
}

fn zone_loaded_first(kind: Kind) -> Result<()> {
    arrives_unseen(kind, "zone-first")
}

fn zone_loaded_late(kind: Kind) -> Result<()> {
    arrives_unseen(kind, "zone-late")
}

fn vue(kind: Kind) -> Result<()> {
    arrives_unseen(kind, "vue")
}

fn mobx(kind: Kind) -> Result<()> {
    arrives_unseen(kind, "mobx")
}

const DATABASES: u32 = 400;

/// A database with a record for each number below.
const MAKE_DATABASES: &str = "(count) => Promise.all(Array.from({ length: count }, (_, number) =>
    new Promise((resolve, reject) => {
        const request = indexedDB.open(`database ${number}`, 1);
        request.onupgradeneeded = () => request.result.createObjectStore('items').put(`of ${number}`, number);
        request.onsuccess = () => (request.result.close(), resolve());
        request.onerror = () => reject(request.error);
    })))";

/// Notes which document (by the number of its port) asks for a reading, tells a list of all stores,
/// and has read everything.
const NOTE_READINGS: &str = "(background, port, { open, bodies = [], surveyed }) => {
    background.readings ??= [];
    background.ports ??= [];
    if (!background.ports.includes(port)) background.ports.push(port);
    const note = (what) => background.readings.push([what, background.ports.indexOf(port)]);
    if (open?.survey === true) note('asks');
    for (const body of bodies) {
        if (JSON.parse(body).store_list !== undefined) note('stores');
    }
    if (surveyed !== undefined) note('read');
}";

/// One tab reads them. Only behind it one more confirms what it read, since the others asked
/// meanwhile.
fn databases_are_read_by_one_of_three_tabs(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.profile.start(&Launch::default())?;
    let page = browser.open(&rig.site.url("/blank/"))?;
    page.evaluate(&format!("({MAKE_DATABASES})({DATABASES}).then(() => null)"))?;
    browser.quit()?;

    let browser = rig.browser()?;
    let background = browser.background()?;
    background.observe_documents(NOTE_READINGS)?;
    let notes = || -> Result<Vec<(String, u32)>> {
        Ok(serde_json::from_value(
            background.call("({ readings = [] }) => readings")?,
        )?)
    };
    let elsewhere = rig.site.url("/blank/").replace("localhost", "127.0.0.1");
    let tabs = [0, 1, 2].map(|_| browser.open(&elsewhere));
    let tabs = tabs.into_iter().collect::<Result<Vec<_>>>()?;
    // The first one's list of stores waits for the host until the others are there.
    rig.relay.freeze_host()?;
    for tab in &tabs {
        let there = rig.site.url("/writer/");
        tab.evaluate(&format!("void setTimeout(() => (location.href = {there:?}))"))?;
    }
    let count = |notes: &[(String, u32)], what: &str| notes.iter().filter(|(noted, _)| noted == what).count();
    wait::until("three documents", PATIENCE, || {
        let notes = notes()?;
        Ok(if count(&notes, "asks") >= tabs.len() {
            Seen::Ready(())
        } else {
            Seen::Not(format!("{notes:?}"))
        })
    })?;
    rig.relay.thaw_host()?;
    for (number, tab) in tabs.iter().enumerate() {
        tab.wait_for("typeof put === 'function'")?;
        tab.evaluate(&format!("put('tab', {number})"))?;
    }
    // Firefox takes more than a minute for so many databases where others load the machine.
    wait::until("the reading to be over", 4 * PATIENCE, || {
        let notes = notes()?;
        Ok(if count(&notes, "read") > 0 {
            Seen::Ready(())
        } else {
            Seen::Not(format!("{notes:?}"))
        })
    })?;
    let events = rig.settled(&tabs[0])?;
    let notes = notes()?;
    let mut readings = notes.iter().filter(|(what, _)| what != "asks");
    let (first, end) = (readings.next(), readings.next());
    let reader = first.context("no list of stores")?.1;
    assert_eq!(end, Some(&("read".to_owned(), reader)), "{notes:?}");
    ensure!(count(&notes, "stores") <= 2, "{notes:?}");
    let read = events.iter().filter(|event| event.op() == "r").count();
    assert_eq!(read, usize::try_from(DATABASES)?);
    ensure!(events.iter().all(|event| event.op() != "g"), "a gap");
    Ok(())
}

lab::in_both_browsers!(
    dexie,
    rxdb,
    wa_sqlite,
    zone_loaded_first,
    zone_loaded_late,
    vue,
    mobx,
    databases_are_read_by_one_of_three_tabs,
);

//! How the extension reads a page's databases: what it finds, and that no page waits for it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use lab::{
    Rig,
    browser::{Browser, Kind, Launch, Page},
    observe::Event,
    wait::{self, PATIENCE, Seen},
};
use serde_json::{Value, json};

const PAGE: &str = "/reading/";

/// What holds up the thread of the tab whose databases are being read.
#[derive(Debug, Clone, Copy)]
enum Stall {
    Dialog,
    BusyLoop,
    /// At a breakpoint of the developer tools.
    Debugger,
    /// By the browser, to save power: a hidden tab.
    Frozen,
}

/// What a test can do in the browser.
fn stalls(kind: Kind) -> &'static [Stall] {
    match kind {
        Kind::Chromium => &[Stall::Dialog, Stall::BusyLoop, Stall::Debugger, Stall::Frozen],
        Kind::Firefox => &[Stall::Dialog, Stall::BusyLoop],
    }
}

fn stream_holds(rig: &Rig, what: &str, wanted: impl Fn(&Event) -> bool) -> Result<()> {
    wait::until(what, PATIENCE, || {
        Ok(if rig.stream()?.iter().any(&wanted) {
            Seen::Ready(())
        } else {
            Seen::Not("nothing of it".to_owned())
        })
    })
}

fn stall(writer: &Page<'_>, reader: &Page<'_>, stall: Stall) -> Result<()> {
    match stall {
        Stall::Dialog => reader.open_dialog("alert('here')"),
        Stall::BusyLoop => {
            // Longer than anything is waited for: the browser is ended before.
            reader.evaluate("void setTimeout(() => stall(120_000))")?;
            writer.wait_for("window.otherStalls === true")
        }
        Stall::Frozen => reader.devtools("Page.setWebLifecycleState", &json!({"state": "frozen"})),
        Stall::Debugger => {
            reader.devtools("Debugger.enable", &json!({}))?;
            reader.evaluate("void setTimeout(() => { stall(0); debugger; })")?;
            writer.wait_for("window.otherStalls === true")
        }
    }
}

/// Opens a second tab, and stalls it while its reading of the store "second" waits for the first
/// tab.
fn stall_while_reading<'b>(
    rig: &Rig,
    browser: &'b Browser,
    writer: &Page<'_>,
    how: Stall,
) -> Result<Page<'b>> {
    writer.evaluate("put('first', 0, 'seen').then(() => put('second', 0, 'seen'))")?;
    rig.settled(writer)?;
    writer.evaluate(
        "putUnseen('first', 'unseen', 1)
            .then(() => putUnseen('second', 'unseen, too', 1))
            .then(() => hold('second'))",
    )?;
    let reader = browser.open(&rig.site.url(PAGE))?;
    // The reading of the store "first" is over.
    stream_holds(rig, "the unseen record", |event| event.json()["key"] == "unseen")?;
    reader.evaluate("rounds(20)")?;
    stall(writer, &reader, how)?;
    Ok(reader)
}

fn write_waits_for_no_stalled_tab(kind: Kind) -> Result<()> {
    for how in stalls(kind).iter().copied() {
        let rig = Rig::new(kind)?;
        let browser = rig.browser()?;
        let writer = browser.open(&rig.site.url(PAGE))?;
        let _reader = stall_while_reading(&rig, &browser, &writer, how)?;
        writer.evaluate("void put('second', 'while it stalls', 1).then(() => (window.done = true))")?;
        writer.evaluate("release()")?;
        writer.wait_for("window.done === true")?;
    }
    Ok(())
}

/// While a stretch is on its way to the host the database is not open.
fn deletion_waits_for_no_stalled_tab(kind: Kind) -> Result<()> {
    for how in stalls(kind).iter().copied() {
        let rig = Rig::new(kind)?;
        let browser = rig.browser()?;
        let writer = browser.open(&rig.site.url(PAGE))?;
        // More than one stretch.
        writer.evaluate("put('first', 0, 'seen').then(() => count('second', 40))")?;
        rig.settled(&writer)?;
        writer.evaluate("putUnseen('first', 'unseen', 1).then(() => hold('second'))")?;
        let reader = browser.open(&rig.site.url(PAGE))?;
        // The reading of the store "first" is over, and that of "second" waits.
        stream_holds(&rig, "the unseen record", |event| event.json()["key"] == "unseen")?;
        reader.evaluate("rounds(20)")?;
        rig.relay.freeze_host()?;
        writer.evaluate("release()")?;
        reader.evaluate("rounds(20)")?;
        stall(&writer, &reader, how)?;
        writer.evaluate("void deleteAll().then(() => (window.done = true))")?;
        writer.wait_for("window.done === true")?;
        rig.relay.thaw_host()?;
        rig.settled(&writer)?;
    }
    Ok(())
}

/// What the extension reads meanwhile gives way.
fn no_reading_blocks_an_upgrade_or_a_deletion(kind: Kind) -> Result<()> {
    for (version, expected) in [(2, json!(["upgradeneeded", "success"])), (0, json!(["success"]))] {
        let rig = Rig::new(kind)?;
        let browser = rig.browser()?;
        let writer = browser.open(&rig.site.url(PAGE))?;
        writer.evaluate("put('first', 0, 'seen').then(() => put('second', 0, 'seen'))")?;
        rig.settled(&writer)?;
        writer.evaluate("putUnseen('first', 'unseen', 1).then(() => hold('second'))")?;
        let reader = browser.open(&rig.site.url(PAGE))?;
        // The reading of the store "first" is over.
        stream_holds(&rig, "the unseen record", |event| event.json()["key"] == "unseen")?;
        for page in [&reader, &writer] {
            page.evaluate("rounds(20)")?;
        }
        let events = writer.evaluate(&format!("changeBehind({version})"))?;
        assert_eq!(events, expected);
    }
    Ok(())
}

/// A tab that was asked to read sends its reading when it continues.
fn stalled_tab_goes_on_reading(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let writer = browser.open(&rig.site.url(PAGE))?;
    let reader = stall_while_reading(&rig, &browser, &writer, Stall::Dialog)?;
    writer.evaluate("release()")?;
    reader.close_dialog()?;
    writer.close()?;
    rig.settled(&reader).map(drop)
}

/// The tab that loads last reads, most likely. Whichever does: what it leaves unread is read by
/// another.
fn another_tab_reads_when_the_reader_closes(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let writer = browser.open(&rig.site.url(PAGE))?;
    writer.evaluate("put('first', 0, 'seen').then(() => put('second', 0, 'seen'))")?;
    rig.settled(&writer)?;
    writer.evaluate("putUnseen('second', 'unseen', 1).then(() => hold('first'))")?;
    let reader = browser.open(&rig.site.url(PAGE))?;
    reader.evaluate("rounds(20)")?;
    reader.close()?;
    writer.evaluate("release()")?;
    rig.settled(&writer).map(drop)
}

/// Counts what readers say while they have nothing to deliver.
const COUNT_SIGNS: &str = "(background, port, { surveying }) => {
    background.signs ??= 0;
    if (surveying !== undefined) background.signs += 1;
}";

/// Of one that said nothing, another document would take over.
fn reader_says_that_it_waits_for_many_databases(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let background = browser.background()?;
    background.observe_documents(COUNT_SIGNS)?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("makeUnopenable(25).then(() => null)")?;
    let _reader = browser.open(&rig.site.url(PAGE))?;
    wait::until("a sign of the reader", PATIENCE, || {
        Ok(match background.call("({ signs }) => signs")?.as_u64() {
            Some(signs) if signs > 0 => Seen::Ready(()),
            signs => Seen::Not(format!("{signs:?}")),
        })
    })
}

/// The files in which the browser keeps large values of pages.
fn value_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            found.extend(value_files(&path)?);
        } else if entry.metadata()?.len() >= VALUE_UNITS {
            let path_text = path.to_string_lossy();
            if path_text.contains(".indexeddb.blob/") || path_text.contains(".files/") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Past what either browser keeps beside the key.
const VALUE_UNITS: u64 = 1_500_000;

fn value_whose_file_is_gone_hides_no_other(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.profile.start(&Launch::default())?;
    let page = browser.open(&rig.site.url(PAGE))?;
    for key in 0..6 {
        page.evaluate(&format!("put('first', {key}, randomText({VALUE_UNITS}))"))?;
    }
    page.evaluate("put('first', 'small', 1)")?;
    browser.quit()?;
    let files = value_files(&rig.profile.directory())?;
    ensure!(files.len() == 6, "{files:?}");
    for index in [0, 3] {
        fs::remove_file(&files[index])?;
    }
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    stream_holds(&rig, "the last record", |event| event.json()["key"] == "small")?;
    let reason = "the browser cannot read it";
    let of_numbers = |events: Vec<Event>| -> Vec<bool> {
        let events = events.iter().map(Event::json);
        events
            .filter(|event| event["key"].is_u64())
            .map(|event| event["after"]["$opaque"]["reason"] == reason)
            .collect()
    };
    let lost = of_numbers(rig.stream()?);
    ensure!(
        lost.len() == 6 && lost.iter().filter(|lost| **lost).count() == 2,
        "{lost:?}"
    );
    let expected: Vec<_> = (0..6)
        .filter(|key| lost[*key])
        .map(|key| key.to_string())
        .collect();
    assert_eq!(unreadable(&rig)?, expected);
    // The readable records are published, and the store is no longer in conflict.
    page.evaluate("Promise.all([0, 1, 2, 3, 4, 5].map((key) => put('first', key, key)))")?;
    rig.settled(&page).map(drop)
}

/// The bytes of a blob are in a file of their own.
fn blob_whose_file_is_gone_hides_no_other(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.profile.start(&Launch::default())?;
    let page = browser.open(&rig.site.url(PAGE))?;
    for key in 0..3 {
        page.evaluate(&format!(
            "put('first', 'blob {key}', new Blob([randomText({VALUE_UNITS})]))"
        ))?;
    }
    page.evaluate("put('first', 'small', 1)")?;
    browser.quit()?;
    let files = value_files(&rig.profile.directory())?;
    ensure!(files.len() == 3, "{files:?}");
    fs::remove_file(&files[1])?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    stream_holds(&rig, "the last record", |event| event.json()["key"] == "small")?;
    let events = rig.stream()?;
    let after = |key: &str| {
        let event = events.iter().find(|event| event.json()["key"] == key);
        event
            .map(|event| event.json()["after"].clone())
            .context("no event")
    };
    for key in ["blob 0", "blob 2"] {
        ensure!(after(key)?["$blob"]["sha256"].is_string(), "{}", after(key)?);
    }
    let lost = after("blob 1")?;
    match kind {
        // It finds out when it opens the blob.
        Kind::Chromium => assert_eq!(lost["$blob"], json!({"type": "", "size": VALUE_UNITS})),
        Kind::Firefox => {
            assert_eq!(lost["$opaque"]["reason"], "the browser cannot read it");
            assert_eq!(unreadable(&rig)?, [r#""blob 1""#]);
        }
    }
    page.evaluate("put('first', 'blob 1', 1)")?;
    stream_holds(&rig, "the next value", |event| {
        event.json()["key"] == "blob 1" && event.json()["after"] == 1
    })?;
    assert_eq!(unreadable(&rig)?, [""; 0]);
    Ok(())
}

/// The keys of the records that `verify` names as unreadable.
fn unreadable(rig: &Rig) -> Result<Vec<String>> {
    let lines = rig.relay.run(&["verify", "--json"])?;
    let lines = lines.lines().map(serde_json::from_str::<Value>);
    let lines = lines.collect::<Result<Vec<_>, _>>()?;
    let named = lines.iter().filter_map(|line| line["unreadable"]["key"].as_str());
    Ok(named.map(str::to_owned).collect())
}

lab::in_both_browsers!(
    blob_whose_file_is_gone_hides_no_other,
    write_waits_for_no_stalled_tab,
    deletion_waits_for_no_stalled_tab,
    no_reading_blocks_an_upgrade_or_a_deletion,
    stalled_tab_goes_on_reading,
    another_tab_reads_when_the_reader_closes,
    reader_says_that_it_waits_for_many_databases,
    value_whose_file_is_gone_hides_no_other,
);

//! Pages that save while they leave: their commits are published, or the store is read again by
//! another page, or at least the loss is named.

use std::fs;

use anyhow::{Result, bail, ensure};
use lab::{
    Rig,
    browser::{Browser, Kind, Page},
    observe::Event,
    site::Site,
    wait::{self, PATIENCE, Seen},
};
use serde_json::json;

const PAGE: &str = "/writer/";

/// How a page goes away.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// To a site that gets another process.
    OtherSite,
    /// To another origin of the same site.
    OtherPort,
    /// To another page of its origin.
    SameOrigin,
    /// By the address bar, to another site.
    Typed,
    /// With its tab.
    Closed,
    /// A frame that its page removes.
    FrameRemoved,
}

/// Puts `bye` under a key in each event of that name, and commits.
fn saving_in(event: &str, key: &str) -> String {
    format!("saveWhenLeaving({event:?}, {key:?}, 'bye')")
}

/// Lets a new page prepare by the script `save` that it saves `key` when it leaves, and go away.
fn leave(rig: &Rig, browser: &Browser, other: &Site, save: &str, key: &str, way: Way) -> Result<()> {
    let page = browser.open(&rig.site.url(PAGE))?;
    if let Way::FrameRemoved = way {
        page.evaluate("frameOf('/writer/')")?;
        page.evaluate(&format!("frames[0].{save}"))?;
        page.evaluate("document.querySelector('iframe').remove()")?;
        return Ok(());
    }
    // Its port is open once this has arrived.
    page.evaluate(&format!("put('open', {key:?})"))?;
    rig.settled(&page)?;
    page.evaluate(save)?;
    let goes_to = |url: &str| page.evaluate(&format!("void (location.href = {url:?})"));
    match way {
        Way::OtherSite => drop(goes_to(&elsewhere(rig))?),
        Way::OtherPort => drop(goes_to(&other.url("/blank/"))?),
        Way::SameOrigin => drop(goes_to(&rig.site.url("/blank/"))?),
        Way::Typed => page.navigate(&elsewhere(rig))?,
        Way::Closed => return page.close(),
        Way::FrameRemoved => {}
    }
    page.wait_for("location.pathname === '/blank/'")
}

fn elsewhere(rig: &Rig) -> String {
    rig.site.url("/blank/").replace("localhost", "127.0.0.1")
}

/// Waits for the event that tells of a record: written, or found by a page that stays open. The
/// browser may have dropped what the page saved in its last moment; then there is nothing to tell.
fn ensure_published_if_committed(rig: &Rig, stays: &Page<'_>, key: &str) -> Result<()> {
    wait::until(&format!("an event of {key}"), PATIENCE, || {
        Ok(if rig.stream()?.iter().any(|event| event.json()["key"] == key) {
            Seen::Ready(())
        } else {
            Seen::Not("no event of it".to_owned())
        })
    })
    .or_else(|error| {
        let text = format!("{key:?}");
        let is_there = lab::observe::contents(stays)?
            .iter()
            .any(|record| record.key == text);
        ensure!(!is_there, error);
        Ok(())
    })
}

/// A page of the origin stays open: it reads what the leaving page could not tell, without a load.
fn saves_in(kind: Kind, event: &str, ways: &[Way]) -> Result<()> {
    let rig = Rig::new(kind)?;
    let other = Site::start()?;
    let browser = rig.browser()?;
    let stays = browser.open(&rig.site.url(PAGE))?;
    stays.evaluate("put('first', 1)")?;
    rig.settled(&stays)?;
    for way in ways {
        let key = format!("{event} {way:?}");
        leave(&rig, &browser, &other, &saving_in(event, &key), &key, *way)?;
        ensure_published_if_committed(&rig, &stays, &key)?;
    }
    rig.settled(&stays).map(drop)
}

const EVERY_WAY: [Way; 6] = [
    Way::OtherSite,
    Way::OtherPort,
    Way::SameOrigin,
    Way::Typed,
    Way::Closed,
    Way::FrameRemoved,
];

fn page_that_saves_at_pagehide_is_read(kind: Kind) -> Result<()> {
    saves_in(kind, "pagehide", &EVERY_WAY)
}

fn page_that_saves_when_hidden_is_read(kind: Kind) -> Result<()> {
    saves_in(kind, "visibilitychange", &EVERY_WAY)
}

fn page_that_saves_at_unload_is_read(kind: Kind) -> Result<()> {
    // Chromium drops what a removed frame saves there.
    saves_in(kind, "unload", &EVERY_WAY[..5])
}

fn page_that_saves_before_unload_is_captured(kind: Kind) -> Result<()> {
    // Neither a frame that is removed nor a tab that is closed from outside gets this event.
    saves_in(kind, "beforeunload", &EVERY_WAY[..4])
}

/// idb calls IndexedDB by proxies.
const SAVE_WITH_IDB: &str = "async (key) => {
    const { openDB } = await import('/node_modules/idb/build/index.js');
    const database = await openDB('idb', 1, { upgrade: (upgraded) => void upgraded.createObjectStore('items') });
    addEventListener('pagehide', () => {
        const transaction = database.transaction('items', 'readwrite');
        transaction.store.put('bye', key);
        transaction.commit();
    });
}";

fn page_that_saves_with_idb_is_read(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let other = Site::start()?;
    let browser = rig.browser()?;
    let stays = browser.open(&rig.site.url(PAGE))?;
    for way in [Way::OtherSite, Way::OtherPort, Way::Closed] {
        let key = format!("idb {way:?}");
        leave(
            &rig,
            &browser,
            &other,
            &format!("({SAVE_WITH_IDB})({key:?})"),
            &key,
            way,
        )?;
        ensure_published_if_committed(&rig, &stays, &key)?;
    }
    let events = rig.settled(&stays)?;
    let is_saved = events.iter().any(|event| event.json()["after"] == "bye");
    ensure!(is_saved, "the page saved nothing in three departures");
    Ok(())
}

/// No page of the origin is left: the loss is named at once, and the next page brings the record.
fn page_that_saves_and_leaves_none_behind_is_a_gap(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let other = Site::start()?;
    let browser = rig.browser()?;
    'ways: for way in [Way::OtherSite, Way::OtherPort, Way::Closed] {
        // Firefox ends the script of a page that leaves now and then, and nothing is saved.
        for _ in 0..5 {
            if is_saved_and_named(&rig, &browser, &other, way)? {
                continue 'ways;
            }
        }
        bail!("{way:?}: the page saved nothing in five departures");
    }
    Ok(())
}

/// Whether a page that leaves none behind has saved something; then the host names the loss.
fn is_saved_and_named(rig: &Rig, browser: &Browser, other: &Site, way: Way) -> Result<bool> {
    let before = named_losses(rig);
    let key = format!("alone {way:?} {before}");
    leave(rig, browser, other, &saving_in("pagehide", &key), &key, way)?;
    let named_within = |patience| {
        wait::until("the host to name the loss", patience, || {
            Ok(match named_losses(rig) {
                losses if losses > before => Seen::Ready(()),
                losses => Seen::Not(format!("{losses} of them")),
            })
        })
    };
    // There may be none to wait for.
    let _unless_saved = named_within(PATIENCE / 6);
    let page = browser.open(&rig.site.url(PAGE))?;
    rig.settled(&page)?;
    let records = lab::observe::contents(&page)?;
    let saved = json!(key).to_string();
    let is_saved = records.iter().any(|record| record.key == saved);
    page.close()?;
    if is_saved {
        named_within(PATIENCE)?;
    }
    Ok(is_saved)
}

/// How many losses by documents that went away the host has named.
fn named_losses(rig: &Rig) -> usize {
    losses(rig, "a transaction's document went away").len()
}

/// The losses that the host has named, for this reason.
fn losses(rig: &Rig, reason: &str) -> Vec<String> {
    let log = rig.profile.home().join(".local/state/idb-relay/idb-relay.log");
    let log = fs::read_to_string(log).unwrap_or_default();
    let lines = log
        .lines()
        .filter(|line| line.contains("were lost") && line.contains(reason));
    lines.map(str::to_owned).collect()
}

/// It comes back from the back/forward cache, where the browser has kept it, and goes on.
fn page_that_saved_and_comes_back_is_captured(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let stays = browser.open(&rig.site.url(PAGE))?;
    let page = browser.open(&rig.site.url(PAGE))?;
    for round in ["first", "second"] {
        page.evaluate(&format!("put({round:?}, 1)"))?;
        page.evaluate(&format!("saveWhenLeaving('pagehide', 'left {round}', 'bye')"))?;
        page.navigate(&elsewhere(&rig))?;
        ensure_published_if_committed(&rig, &stays, &format!("left {round}"))?;
        page.evaluate("void history.back()")?;
        page.wait_for("typeof put === 'function'")?;
    }
    page.evaluate("put('back', 1)")?;
    let events = rig.settled(&page)?;
    let published = events.iter().find(|event| event.json()["key"] == "back");
    ensure!(published.is_some_and(|event| event.op() == "c"), "{published:?}");
    Ok(())
}

fn database_deleted_while_leaving_is_missed(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let other = Site::start()?;
    let browser = rig.browser()?;
    let stays = browser.open(&rig.site.url("/blank/"))?;
    for target in [elsewhere(&rig), other.url("/blank/")] {
        let page = browser.open(&rig.site.url(PAGE))?;
        page.evaluate("put('gone', 1)")?;
        rig.settled(&page)?;
        page.evaluate("deleteWhenLeaving('pagehide')")?;
        page.evaluate(&format!("void (location.href = {target:?})"))?;
        stays.wait_for("indexedDB.databases().then(({ length }) => length === 0)")?;
        rig.settled(&stays)?;
        page.close()?;
    }
    Ok(())
}

/// Its commit is published without the bytes, which were still being read.
fn blob_of_a_frame_that_is_removed_is_read_by_its_page(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("put('first', 1)")?;
    rig.settled(&page)?;
    page.evaluate("frameOf('/writer/')")?;
    page.evaluate(
        "(async () => {
            await frames[0].put('blob', new Blob([new Uint8Array(60 * 1024 * 1024)]));
            document.querySelector('iframe').remove();
        })()",
    )?;
    wait::until("the hash of the blob", PATIENCE, || {
        let events = rig.stream()?;
        let mut events = events.iter().map(Event::json);
        Ok(
            if events.any(|event| event["after"]["$blob"]["sha256"].is_string()) {
                Seen::Ready(())
            } else {
                Seen::Not("no event with it".to_owned())
            },
        )
    })?;
    rig.settled(&page).map(drop)
}

/// More than may be on its way unacknowledged.
fn page_that_leaves_more_than_its_window_is_read(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let stays = browser.open(&rig.site.url("/blank/"))?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("put('first', 1)")?;
    rig.settled(&page)?;
    rig.relay.freeze_host()?;
    page.evaluate(
        "(async () => { for (let number = 0; number < 12; number++) await put(number, 'x'.repeat(900_000)); await put('last', 1); })()",
    )?;
    page.close()?;
    rig.relay.thaw_host()?;
    rig.settled(&stays).map(drop)
}

/// Nothing in the page can say that it ends.
fn page_whose_process_crashes_is_read_by_another(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let stays = browser.open(&rig.site.url("/blank/"))?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("put('first', 1)")?;
    rig.settled(&page)?;
    // With no room on the way to the host the last ones are in the page alone.
    rig.relay.freeze_host()?;
    page.evaluate(
        "(async () => { for (let number = 0; number < 12; number++) await put(number, 'x'.repeat(900_000)); await put('last', 1); })()",
    )?;
    page.crash()?;
    rig.relay.thaw_host()?;
    rig.settled(&stays).map(drop)
}

/// No page of the origin is left to read what it committed: the loss is named at once.
fn page_whose_process_crashes_alone_is_a_gap(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("put('first', 1)")?;
    page.evaluate("frameOf('/writer/')")?;
    page.evaluate("frames[0].put('framed', 1)")?;
    rig.settled(&page)?;
    // It keeps the browser alive.
    browser.open(&elsewhere(&rig))?;
    page.crash()?;
    wait_for_sudden_end(&rig)?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("put('last', 1)")?;
    rig.settled(&page)?;
    // One for the page and its frame.
    assert_eq!(losses(&rig, "").len(), 1, "{:?}", losses(&rig, ""));
    Ok(())
}

fn wait_for_sudden_end(rig: &Rig) -> Result<()> {
    wait::until("the host to name the loss", PATIENCE, || {
        Ok(match losses(rig, "a document ended without a word").len() {
            0 => Seen::Not("no loss of it".to_owned()),
            _ => Seen::Ready(()),
        })
    })
}

/// The browser says of each that it goes away, and each has sent everything.
fn page_that_goes_away_at_rest_is_no_gap(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let other = Site::start()?;
    let browser = rig.browser()?;
    for way in EVERY_WAY {
        leave(&rig, &browser, &other, &saving_in("never", "key"), "key", way)?;
        let page = browser.open(&rig.site.url(PAGE))?;
        page.evaluate(&format!("put('{way:?}', 1)"))?;
        rig.settled(&page)?;
        page.close()?;
    }
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("put('last', 1)")?;
    rig.settled(&page)?;
    browser.quit()?;
    assert_eq!(losses(&rig, ""), [""; 0]);
    Ok(())
}

/// Only the browser's own events say that a document goes away.
fn page_that_makes_up_a_pagehide_is_captured(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("put('first', 1)")?;
    rig.settled(&page)?;
    for event in [
        "new Event('pagehide')",
        "new PageTransitionEvent('pagehide', { persisted: true })",
        "new Event('freeze')",
    ] {
        page.evaluate(&format!("void dispatchEvent({event})"))?;
    }
    page.evaluate("put('blob', new Blob(['hello']))")?;
    let events = rig.settled(&page)?;
    let of_blob: Vec<_> = events
        .iter()
        .filter(|event| event.json()["key"] == "blob")
        .collect();
    assert_eq!(of_blob.len(), 1);
    assert_eq!(of_blob[0].op(), "c");
    assert_eq!(of_blob[0].json()["after"]["$blob"]["base64"], "aGVsbG8=");
    Ok(())
}

lab::in_both_browsers!(
    page_that_makes_up_a_pagehide_is_captured,
    page_that_saves_at_pagehide_is_read,
    page_that_saves_when_hidden_is_read,
    page_that_saves_at_unload_is_read,
    page_that_saves_before_unload_is_captured,
    page_that_saves_with_idb_is_read,
    page_that_saves_and_leaves_none_behind_is_a_gap,
    page_whose_process_crashes_is_read_by_another,
    page_whose_process_crashes_alone_is_a_gap,
    page_that_goes_away_at_rest_is_no_gap,
    page_that_saved_and_comes_back_is_captured,
    database_deleted_while_leaving_is_missed,
    blob_of_a_frame_that_is_removed_is_read_by_its_page,
    page_that_leaves_more_than_its_window_is_read,
);

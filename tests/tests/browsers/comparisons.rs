//! What a comparison of a store costs: equal pieces are compared by digests, and differing ones are
//! found.

use std::fs;

use anyhow::{Result, ensure};
use lab::{
    Rig,
    browser::{Background, Browser, Kind, Page},
    wait::{self, PATIENCE, Seen},
};
use serde::Deserialize;

use crate::bulk::{rig_without_servers, store_is_mirrored};

const PAGE: &str = "/unseen/";

/// Many pieces, and several stretches.
const RECORDS: u32 = 20_000;

/// Makes the background note what documents tell of what they read.
const NOTE_READINGS: &str = "(background, port, { bodies = [], text, surveyed }) => {
    const readings = (background.readings ??= { bytes: 0, digests: 0, snapshots: [], surveys: 0 });
    if (surveyed) readings.surveys += 1;
    if (text) readings.bytes += text.length;
    for (const body of bodies) {
        const { commit, digests, snapshot } = JSON.parse(body);
        if (!commit) readings.bytes += body.length;
        if (digests) readings.digests += 1;
        if (snapshot) readings.snapshots.push(snapshot.records.length);
    }
}";

/// See [`NOTE_READINGS`].
#[derive(Debug, Deserialize)]
struct Readings {
    /// Of all messages with readings.
    bytes: u32,
    digests: u32,
    /// How many records each had.
    snapshots: Vec<u32>,
    /// How often everything was read.
    surveys: u32,
}

/// What was read since this was asked last.
fn readings(background: &Background<'_>) -> Result<Readings> {
    let readings = background.call(
        "(background) => {
            const { readings } = background;
            background.readings = { bytes: 0, digests: 0, snapshots: [], surveys: 0 };
            return readings;
        }",
    )?;
    Ok(serde_json::from_value(readings)?)
}

/// Opens the page, with a store that the host knows as a whole.
fn open_with_store<'b>(rig: &Rig, browser: &'b Browser, records: u32) -> Result<Page<'b>> {
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate(&format!(
        "opened().then((database) => new Promise((resolve, reject) => {{
            const transaction = database.transaction('items', 'readwrite');
            for (let key = 0; key < {records}; key++)
                transaction.objectStore('items').put({{ name: `record ${{key}}`, secret: `hush ${{key % 7}}` }}, key);
            transaction.oncomplete = resolve;
            transaction.onabort = () => reject(transaction.error);
        }}))"
    ))?;
    Ok(page)
}

/// Loads the page again, and returns what was read because of that.
fn read_again(background: &Background<'_>, page: &Page<'_>) -> Result<Readings> {
    readings(background)?;
    page.evaluate("void location.reload()")?;
    let mut all = readings(background)?;
    wait::until("the reading to end", PATIENCE, || {
        let more = readings(background)?;
        all.bytes += more.bytes;
        all.digests += more.digests;
        all.snapshots.extend(more.snapshots);
        all.surveys += more.surveys;
        Ok(if all.surveys > 0 {
            Seen::Ready(())
        } else {
            Seen::Not(format!("{all:?}"))
        })
    })?;
    Ok(all)
}

fn value_is_mirrored(rig: &Rig, key: &str, wanted: &str) -> Result<()> {
    let origin = rig.site.origin();
    let address = [
        "--origin",
        &origin,
        "--database",
        "unseen",
        "--store",
        "items",
        "--key",
        key,
    ];
    wait::until("the record in the mirror", PATIENCE, || {
        let found = rig.relay.run(&[&["get", "--json"], &address[..]].concat());
        Ok(match found {
            Ok(found) if found.contains(wanted) => Seen::Ready(()),
            found => Seen::Not(format!("{found:?}")),
        })
    })
}

/// No record of a store that is as the host knows it is sent.
fn unchanged_store_is_compared_by_a_few_digests(kind: Kind) -> Result<()> {
    let rig = rig_without_servers(kind)?;
    let browser = rig.browser()?;
    let background = browser.background()?;
    background.observe_documents(NOTE_READINGS)?;
    let page = open_with_store(&rig, &browser, RECORDS)?;
    // Read once as a whole, so that the host knows that nothing is missing.
    read_again(&background, &page)?;
    store_is_mirrored(&rig, "items", RECORDS)?;
    let readings = read_again(&background, &page)?;
    ensure!(readings.snapshots.is_empty(), "{readings:?}");
    ensure!(readings.digests >= 1 && readings.bytes < 8 * 1024, "{readings:?}");
    store_is_mirrored(&rig, "items", RECORDS)
}

/// Of a store in which a worker has changed some records, only those beside them are sent.
fn changed_records_are_found_with_few_others_sent(kind: Kind) -> Result<()> {
    let rig = rig_without_servers(kind)?;
    let browser = rig.browser()?;
    let background = browser.background()?;
    background.observe_documents(NOTE_READINGS)?;
    let page = open_with_store(&rig, &browser, RECORDS)?;
    read_again(&background, &page)?;
    store_is_mirrored(&rig, "items", RECORDS)?;
    // Far from each other: changed, added, deleted.
    let operations = r#"[["put", {"name": "by a worker"}, 1234], ["put", {"name": "added"}, 9876.5], ["delete", 16000], ["delete", 16001]]"#;
    page.evaluate(&format!("writeIn('blob', {operations})"))?;
    value_is_mirrored(&rig, "1234", "by a worker")?;
    value_is_mirrored(&rig, "9876.5", "added")?;
    store_is_mirrored(&rig, "items", RECORDS - 1)?;
    let readings = readings(&background)?;
    let sent: u32 = readings.snapshots.iter().sum();
    // Three pieces, or more where several comparisons have come.
    ensure!((3..=1000).contains(&sent), "{readings:?}");
    Ok(())
}

/// Where a rule concerns the store the mirror has other values than the page.
fn changed_record_of_a_redacted_store_is_found(kind: Kind) -> Result<()> {
    let rig = rig_without_servers(kind)?;
    let config = fs::read_to_string(rig.relay.config())?;
    let rule = "\n[[redact]]\ndatabase = \"unseen\"\nfields = [\"/secret\"]\nhow = \"mask\"\n";
    fs::write(rig.relay.config(), config + rule)?;
    let browser = rig.browser()?;
    let background = browser.background()?;
    background.observe_documents(NOTE_READINGS)?;
    let records = 3000;
    let page = open_with_store(&rig, &browser, records)?;
    read_again(&background, &page)?;
    store_is_mirrored(&rig, "items", records)?;
    let readings = read_again(&background, &page)?;
    let sent: u32 = readings.snapshots.iter().sum();
    ensure!(sent == records, "{readings:?}");
    page.evaluate(r#"writeIn("blob", [["put", {"name": "by a worker", "secret": "hush"}, 1234]])"#)?;
    value_is_mirrored(&rig, "1234", "by a worker")?;
    Ok(())
}

/// The host knows nothing of the store: all of it is sent once.
fn store_that_is_new_to_the_host_is_sent_once(kind: Kind) -> Result<()> {
    let rig = rig_without_servers(kind)?;
    let browser = rig.profile.start(&lab::browser::Launch::default())?;
    open_with_store(&rig, &browser, RECORDS)?;
    browser.quit()?;
    let browser = rig.browser()?;
    let background = browser.background()?;
    background.observe_documents(NOTE_READINGS)?;
    let _page = browser.open(&rig.site.url(PAGE))?;
    store_is_mirrored(&rig, "items", RECORDS)?;
    let readings = readings(&background)?;
    let sent: u32 = readings.snapshots.iter().sum();
    // A document that asks while another reads has it read once more, by digests.
    ensure!(sent == RECORDS && readings.digests < 32, "{readings:?}");
    Ok(())
}

lab::in_both_browsers!(
    unchanged_store_is_compared_by_a_few_digests,
    changed_records_are_found_with_few_others_sent,
    changed_record_of_a_redacted_store_is_found,
    store_that_is_new_to_the_host_is_sent_once,
);

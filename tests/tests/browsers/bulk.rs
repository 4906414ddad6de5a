//! More than fits at once: large records, and transactions whose text is larger than a string can
//! be.

use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use anyhow::{Context as _, Result, ensure};
use lab::{
    Rig,
    browser::{Kind, Launch, Page},
    wait::{self, PATIENCE, Seen},
};
use serde_json::Value;

const PAGE: &str = "/writer/";

/// Past what a body may have of several records, once they are base64.
const LARGE_BYTES: u32 = 6_000_000;
const LARGE_RECORDS: u32 = 5;
const SMALL_RECORDS: u32 = 20;

/// Counts the large records in each long delivery, and keeps the highest count.
const COUNT_LARGE: &str = "(background, port, { sequence, index, text }) => {
    background.largeRecords ??= {};
    if (text === undefined) return;
    if (index === 0) background.largeRecords[sequence] = 0;
    background.largeRecords[sequence] += text.split('$bytes').length - 1;
}";

/// A rig whose host has no servers: they would have to hold what passes here.
pub fn rig_without_servers(kind: Kind) -> Result<Rig> {
    let rig = Rig::new(kind)?;
    let config = fs::read_to_string(rig.relay.config())?;
    let config = config
        .replace("[redis]\n", "[redis]\nenabled = false\n")
        .replace("[memcached]\n", "[memcached]\nmode = \"off\"\n");
    fs::write(rig.relay.config(), config)?;
    Ok(rig)
}

/// Waits until the mirror holds all records of a store, so many, and none of them is in doubt.
pub fn store_is_mirrored(rig: &Rig, store: &str, records: u32) -> Result<()> {
    wait::until("the whole store in the mirror", PATIENCE, || {
        let text = rig.relay.run(&["ls", "--json"])?;
        let stores: Vec<Value> = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        let seen = stores.iter().find(|found| found["store"] == store);
        let is_whole = seen.is_some_and(|found| {
            found["records"] == records && found["complete"] == true && found["pending_reads"] == false
        });
        Ok(if is_whole {
            Seen::Ready(())
        } else {
            let counts = seen.map(|found| [&found["records"], &found["complete"], &found["pending_reads"]]);
            Seen::Not(format!("[records, complete, pending_reads]: {counts:?}"))
        })
    })
}

fn put_large_records(page: &Page<'_>) -> Result<()> {
    page.evaluate(&format!("count(0, {SMALL_RECORDS})"))?;
    for record in 0..LARGE_RECORDS {
        page.evaluate(&format!(
            "put({}, new ArrayBuffer({LARGE_BYTES}))",
            SMALL_RECORDS + record
        ))?;
    }
    // Past the limit of a value: reported as such, and the records behind it are published as they
    // are.
    page.evaluate("put('too large', new ArrayBuffer(26_000_000))")?;
    page.evaluate("put('z, behind it', 1)").map(drop)
}

fn store_of_large_records_is_read(kind: Kind) -> Result<()> {
    let rig = rig_without_servers(kind)?;
    let browser = rig.profile.start(&Launch::default())?;
    put_large_records(&browser.open(&rig.site.url(PAGE))?)?;
    browser.quit()?;
    let browser = rig.browser()?;
    let background = browser.background()?;
    background.observe_documents(COUNT_LARGE)?;
    let _page = browser.open(&rig.site.url(PAGE))?;
    store_is_mirrored(&rig, "items", SMALL_RECORDS + LARGE_RECORDS + 2)?;
    let counts = background.call("(background) => Object.values(background.largeRecords)")?;
    let counts: Vec<u32> = serde_json::from_value(counts)?;
    // More than one at once may be more than the background can hold, and more than a string can.
    ensure!(
        counts.iter().sum::<u32>() >= LARGE_RECORDS && counts.iter().all(|count| *count <= 1),
        "{counts:?}"
    );
    let origin = rig.site.origin();
    let value = |key: &str| {
        let address = [
            "--origin",
            &origin,
            "--database",
            "writer",
            "--store",
            "items",
            "--key",
            key,
        ];
        rig.relay.run(&[&["get", "--json"], &address[..]].concat())
    };
    ensure!(value("\"too large\"")?.contains(r#""reason":"too large""#));
    ensure!(value("\"z, behind it\"")?.contains('1'));
    Ok(())
}

/// Lets the background turn away what was read of a store, unless it is three records or less. (It
/// takes it all the same: with fewer it would be of the middle of a reading, which the host has
/// then seen out of order.)
const TURN_AWAY: &str = "(background, port, { sequence, bodies = [] }) => {
    background.turnedAway ??= [];
    for (const [index, body] of bodies.entries()) {
        const count = JSON.parse(body).snapshot?.records.length ?? 0;
        if (count <= 3) continue;
        background.turnedAway.push(count);
        port.postMessage(JSON.stringify({ too_much: { sequence: sequence + index } }));
    }
}";

/// Where the background has no room the reader takes less, and goes on where it was.
fn reading_that_is_turned_away_goes_on_in_pieces(kind: Kind) -> Result<()> {
    let rig = rig_without_servers(kind)?;
    let browser = rig.profile.start(&Launch::default())?;
    browser.open(&rig.site.url(PAGE))?.evaluate("count(0, 20)")?;
    browser.quit()?;
    let browser = rig.browser()?;
    let background = browser.background()?;
    background.observe_documents(TURN_AWAY)?;
    let _page = browser.open(&rig.site.url(PAGE))?;
    store_is_mirrored(&rig, "items", 20)?;
    let counts = background.call("(background) => background.turnedAway")?;
    let counts: Vec<u64> = serde_json::from_value(counts)?;
    assert_eq!(counts, [16, 8, 4]);
    Ok(())
}

/// A store's longest name, of characters that take six each in JSON: many small writes make their
/// transaction's text longer than what one may have; without that bound, than any engine's strings.
const LONG_NAME: &str = "String.fromCharCode(1).repeat(1024)";
const WRITES: u32 = 12_000;

fn transaction_with_long_names_is_a_gap(kind: Kind) -> Result<()> {
    let rig = rig_without_servers(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate(&format!(
        "(async () => {{
            window.name = {LONG_NAME};
            window.named = await new Promise((resolve) => {{
                const request = indexedDB.open('names', 1);
                request.onupgradeneeded = () => request.result.createObjectStore(window.name);
                request.onsuccess = () => resolve(request.result);
            }});
            window.putMany = (to) => new Promise((resolve, reject) => {{
                const transaction = named.transaction(window.name, 'readwrite');
                const store = transaction.objectStore(window.name);
                for (let number = 0; number < to; number++) store.put(1, number);
                transaction.oncomplete = resolve;
                transaction.onabort = () => reject(transaction.error);
            }});
            await putMany(1);
        }})()"
    ))?;
    let name = "\u{1}".repeat(1024);
    store_is_mirrored(&rig, &name, 1)?;
    page.evaluate(&format!("putMany({WRITES})"))?;
    let log = rig.profile.home().join(".local/state/idb-relay/idb-relay.log");
    wait::until("the host to name the loss", PATIENCE, || {
        let log = fs::read_to_string(&log)?;
        Ok(if log.contains("more than fits into memory") {
            Seen::Ready(())
        } else {
            Seen::Not("no word of it in its log".to_owned())
        })
    })?;
    store_is_mirrored(&rig, &name, WRITES).context("behind the large transaction")
}

/// Clears a store and fills it again, in one transaction that is longer than a batch of the sinks.
const MAKE_REFILL: &str = "(async () => {
    const { default: Dexie } = await import('/node_modules/dexie/dist/dexie.mjs');
    const database = new Dexie('refilled');
    database.version(1).stores({ items: '' });
    const keys = Array.from({ length: 2000 }, (_, number) => number);
    window.refill = (round) =>
        database.transaction('rw', database.items, async () => {
            await database.items.clear();
            await database.items.bulkPut(keys.map((key) => `${key} of ${round}`), keys);
        });
    await refill(0);
})()";

/// Every state that was committed has them.
fn rows_of_refilled_store_are_never_missing(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate(MAKE_REFILL)?;
    rig.settled(&page)?;
    let origin = rig.site.origin().replace(':', "%3A");
    let names = [0, 600, 1999].map(|key| format!("idb:{origin}:refilled:items:{key}"));
    let mut cache = rig.memcached.connect()?;
    let is_over = AtomicBool::new(false);
    let missing = thread::scope(|scope| {
        let watcher = scope.spawn(|| -> Result<Vec<&String>> {
            let mut missing = Vec::new();
            loop {
                let is_last = is_over.load(Ordering::Relaxed);
                for name in &names {
                    if cache.get(name)?.is_none() {
                        missing.push(name);
                    }
                }
                if is_last {
                    return Ok(missing);
                }
            }
        });
        let refilled = (1..=3).try_for_each(|round| {
            page.evaluate(&format!("refill({round})"))?;
            rig.settled(&page).map(drop)
        });
        is_over.store(true, Ordering::Relaxed);
        let missing = watcher.join();
        refilled?;
        missing.map_err(|_| anyhow::anyhow!("the watcher panicked"))?
    })?;
    ensure!(
        missing.is_empty(),
        "{} times, first {:?}",
        missing.len(),
        missing[0]
    );
    Ok(())
}

lab::in_both_browsers!(
    rows_of_refilled_store_are_never_missing,
    store_of_large_records_is_read,
    reading_that_is_turned_away_goes_on_in_pieces,
    transaction_with_long_names_is_a_gap,
);

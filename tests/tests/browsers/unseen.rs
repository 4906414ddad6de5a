//! Writes that no hook sees are found while the page stays open: those of workers, of DevTools, and
//! while all tabs were hidden.

use anyhow::{Context as _, Result, ensure};
use lab::{
    Rig,
    browser::{Background, Browser, Kind, Page},
    observe::Record,
    pages::{look_at, popup},
    wait::{self, PATIENCE, Seen},
};
use serde_json::json;

const PAGE: &str = "/unseen/";

/// All kinds of workers, one of which leaves no trace in the page.
const WORKERS: [&str; 4] = ["dedicated", "blob", "shared", "service"];

/// Makes the background note which tabs ask for a comparison, and which one reads.
const NOTE_COMPARISONS: &str = "(background, port, { survey, surveyed }) => {
    background.asked ??= [];
    background.read ??= [];
    if (survey) background.asked.push(port.sender.tab.id);
    if (surveyed) background.read.push(port.sender.tab.id);
}";

/// The tabs that have asked for a comparison since this was asked last.
fn asked(background: &Background<'_>) -> Result<Vec<i64>> {
    let asked = background.call("(background) => (background.asked ?? []).splice(0)")?;
    Ok(serde_json::from_value(asked)?)
}

/// The tabs that have read all there is since this was asked last.
fn read(background: &Background<'_>) -> Result<Vec<i64>> {
    let read = background.call("(background) => (background.read ?? []).splice(0)")?;
    Ok(serde_json::from_value(read)?)
}

/// Opens the page, with some records that were captured and compared.
fn open<'b>(rig: &Rig, browser: &'b Browser) -> Result<Page<'b>> {
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("write([1, 2, 3].map((key) => ['put', `seen ${key}`, key]))")?;
    rig.settled(&page)?;
    Ok(page)
}

/// Waits until Memcached holds this record. The page is not looked into.
fn holds(rig: &Rig, key: &str, value: &str) -> Result<()> {
    let record = Record {
        bucket: String::new(),
        database: "unseen".to_owned(),
        store: "items".to_owned(),
        key: json!(key).to_string(),
        value: String::new(),
    };
    let name = record.memcached_key(&rig.site.origin())?;
    wait::until("the record in Memcached", PATIENCE, || {
        let item = rig.memcached.get(&name)?;
        Ok(match item {
            Some(item) if item.value == json!(value).to_string().as_bytes() => Seen::Ready(()),
            item => Seen::Not(format!("{item:?}")),
        })
    })
}

fn worker_writes_are_found_without_a_reload(kind: Kind) -> Result<()> {
    for worker in WORKERS {
        let rig = Rig::new(kind)?;
        let browser = rig.browser()?;
        let page = open(&rig, &browser)?;
        for operations in [
            r#"[["put", "unseen", 1], ["delete", 2], ["put", "new", 4]]"#,
            r#"[["delete", 4]]"#,
            r#"[["put", "again", 3], ["put", "again", 5]]"#,
            r#"[["clear"]]"#,
        ] {
            page.evaluate(&format!("writeIn({worker:?}, {operations})"))?;
            rig.settled(&page).with_context(|| format!("a {worker} worker"))?;
        }
    }
    Ok(())
}

/// The page's own commits hide no worker's.
fn worker_write_is_found_while_the_page_goes_on_writing(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = open(&rig, &browser)?;
    page.evaluate("void keepWriting(300)")?;
    for number in 0..3 {
        let value = format!("unseen {number}");
        page.evaluate(&format!("writeIn('blob', [['put', {value:?}, 'worker']])"))?;
        holds(&rig, "worker", &value)?;
    }
    page.evaluate("stopWriting()")?;
    rig.settled(&page).map(drop)
}

/// A value before that another writer may have replaced is not told.
fn before_is_absent_once_a_worker_has_written(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = open(&rig, &browser)?;
    page.evaluate("write([['put', 'known', 1]])")?;
    let events = rig.settled(&page)?;
    let before = &events.last().context("an event")?.json()["before"];
    ensure!(*before == "seen 1", "{before}");
    page.evaluate("writeIn('blob', [['put', 'unseen', 2]])")?;
    rig.settled(&page)?;
    // Some comparisons that find nothing may have come in between.
    page.evaluate("write([['put', 'later', 1], ['put', 'later', 2], ['put', 'later', 6]])")?;
    let events = rig.settled(&page)?;
    for event in events.iter().filter(|event| event.json()["after"] == "later") {
        ensure!(event.json().get("before").is_none(), "{}", event.json());
    }
    Ok(())
}

/// The tab in front looks for unseen writes, and no other.
fn tab_in_front_compares_and_no_other(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let background = browser.background()?;
    background.observe_documents(NOTE_COMPARISONS)?;
    let first = open(&rig, &browser)?;
    first.evaluate("writeIn('shared', [['put', 'unseen', 'worker']])")?;
    rig.settled(&first)?;
    let first_tab = *read(&background)?.last().context("no tab has read")?;
    let second = open(&rig, &browser)?;
    second.evaluate("writeIn('shared', [['put', 'from the second', 'worker']])")?;
    rig.settled(&second)?;
    let second_tab = *read(&background)?.last().context("no tab has read")?;
    ensure!(first_tab != second_tab, "the hidden tab reads");
    for (front, front_tab) in [(&first, first_tab), (&second, second_tab), (&first, first_tab)] {
        front.activate()?;
        front.wait_for("document.visibilityState === 'visible'")?;
        // What is under way ends behind this.
        for round in 0..2 {
            if round == 1 {
                asked(&background)?;
                read(&background)?;
            }
            let value = format!("{front_tab} {round} {:?}", std::time::Instant::now());
            front.evaluate(&format!("writeIn('shared', [['put', {value:?}, 'worker']])"))?;
            holds(&rig, "worker", &value)?;
        }
        let (asked, read) = (asked(&background)?, read(&background)?);
        ensure!(!asked.is_empty(), "no tab has asked");
        ensure!(
            asked.iter().chain(&read).all(|tab| *tab == front_tab),
            "{asked:?} {read:?}"
        );
    }
    Ok(())
}

/// What is written while a person sees no tab of the origin is found when a tab is seen.
fn unseen_write_of_hidden_tabs_is_found_when_one_is_shown(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = open(&rig, &browser)?;
    let _other = browser.open("about:blank")?;
    page.wait_for("document.visibilityState === 'hidden'")?;
    page.evaluate("writeIn('blob', [['put', 'unseen', 'worker'], ['delete', 1]])")?;
    page.activate()?;
    rig.settled(&page).map(drop)
}

/// Popup and `status` say which workers are not observed: a dedicated one once it runs (Firefox
/// captures it, see `workers_captured.rs`), a service worker that is registered after the page is
/// loaded once it has written.
fn workers_that_are_not_observed_are_named(kind: Kind) -> Result<()> {
    let workers: &[&str] = match kind {
        Kind::Chromium => &["dedicated", "service"],
        Kind::Firefox => &["service"],
    };
    for &worker in workers {
        let rig = Rig::new(kind)?;
        let browser = rig.browser()?;
        let page = open(&rig, &browser)?;
        let operations = match worker {
            "dedicated" => "[]",
            _ => r#"[["put", "unseen", 1]]"#,
        };
        page.evaluate(&format!("writeIn({worker:?}, {operations})"))?;
        let script = rig.site.url("/unseen/worker.js");
        wait::until("the worker in `status`", PATIENCE, || {
            let status = rig.relay.run_json(&["status", "--json"])?;
            let workers = &status["profiles"][0]["workers"];
            Ok(
                if workers[0]["url"] == json!(script) && workers[0]["origin"] == json!(rig.site.origin()) {
                    Seen::Ready(())
                } else {
                    Seen::Not(format!("{workers}"))
                },
            )
        })?;
        let text = rig.relay.run(&["status"])?;
        ensure!(text.contains(&format!("the worker {script} of")), "{text}");
        let popup = popup(&browser, &rig.site.url(PAGE))?;
        popup.wait_for(&format!(
            "document.getElementById('remark').textContent.includes({script:?})"
        ))?;
        look_at(&popup, &format!("popup-{worker}-worker-{}", kind.name()))?;
    }
    Ok(())
}

lab::in_both_browsers!(
    workers_that_are_not_observed_are_named,
    worker_writes_are_found_without_a_reload,
    worker_write_is_found_while_the_page_goes_on_writing,
    before_is_absent_once_a_worker_has_written,
    tab_in_front_compares_and_no_other,
    unseen_write_of_hidden_tabs_is_found_when_one_is_shown,
);

/// The meter alone: nothing is compared for captured writes, and once for one that is not.
#[test]
fn captured_writes_are_not_compared_in_chromium() -> Result<()> {
    let rig = Rig::new(Kind::Chromium)?;
    let browser = rig.browser()?;
    let background = browser.background()?;
    background.observe_documents(NOTE_COMPARISONS)?;
    let page = open(&rig, &browser)?;
    let second = open(&rig, &browser)?;
    wait::until("the pages to be read", PATIENCE, || {
        Ok(match background.call("({ read }) => read.length")?.as_u64() {
            Some(readings) if readings >= 2 => Seen::Ready(()),
            readings => Seen::Not(format!("{readings:?}")),
        })
    })?;
    asked(&background)?;
    // Both write: the one in front, and the one behind it.
    page.evaluate("void keepWriting(40)")?;
    second.evaluate("void keepWriting(70)")?;
    second.evaluate(
        "write(Array.from({ length: 300 }, (_, key) => ['put', 'x'.repeat(key), `row ${key % 20}`]))",
    )?;
    second.evaluate("write(Array.from({ length: 20 }, (_, key) => ['delete', `row ${key}`]))")?;
    second.evaluate("write([['clear'], ['put', 1, 'last']])")?;
    for page in [&page, &second] {
        page.evaluate("stopWriting()")?;
    }
    rig.settled(&second)?;
    let before = asked(&background)?;
    second.evaluate("writeIn('blob', [['put', 'unseen', 'worker']])")?;
    holds(&rig, "worker", "unseen")?;
    let behind = asked(&background)?;
    ensure!(before.is_empty() && behind.len() == 1, "{before:?} {behind:?}");
    Ok(())
}

/// Where the meter counts pages a schedule finds what it misses.
#[test]
fn worker_writes_are_found_in_chromium_with_sqlite() -> Result<()> {
    let rig = Rig::new(Kind::Chromium)?;
    let browser =
        rig.browser_with_arguments(&["--enable-features=IdbSqliteBackingStore,IdbSqliteOnDiskRollout"])?;
    let page = open(&rig, &browser)?;
    for operations in [r#"[["put", "unseen", 1]]"#, r#"[["delete", 1]]"#] {
        page.evaluate(&format!("writeIn('dedicated', {operations})"))?;
        rig.settled(&page)?;
    }
    Ok(())
}

#[test]
fn deletions_in_devtools_are_found_in_chromium() -> Result<()> {
    let rig = Rig::new(Kind::Chromium)?;
    let browser = rig.browser()?;
    let page = open(&rig, &browser)?;
    let origin = rig.site.origin();
    let key = json!({"type": "number", "number": 2});
    let of_store = json!({
        "securityOrigin": origin,
        "databaseName": "unseen",
        "objectStoreName": "items",
        "keyRange": {"lower": key, "upper": key, "lowerOpen": false, "upperOpen": false},
    });
    page.devtools("IndexedDB.deleteObjectStoreEntries", &of_store)?;
    let records = rig.settled(&page).and_then(|_| lab::observe::contents(&page))?;
    ensure!(records.len() == 2, "{records:?}");
    page.devtools("IndexedDB.clearObjectStore", &of_store)?;
    rig.settled(&page)?;
    page.evaluate("write([['put', 'back', 1]])")?;
    rig.settled(&page)?;
    page.devtools("IndexedDB.deleteDatabase", &of_store)?;
    rig.settled(&page)?;
    ensure!(lab::observe::contents(&page)?.is_empty(), "the database is there");
    Ok(())
}

//! Chromium hooks workers by its debugger, before their first line.

use anyhow::{Context as _, Result, ensure};
use lab::{
    Rig, artifacts,
    browser::{Browser, Kind, Page},
    observe::Event,
    panel::Panel,
    site::Site,
    wait::{self, PATIENCE, Seen},
};
use serde_json::{Value, json};

const PAGE: &str = "/deep/";

/// The kinds whose first line is captured, with what events call them.
const KINDS: [(&str, &str); 5] = [
    ("classic", "worker"),
    ("module", "worker"),
    ("blob", "worker"),
    ("nested", "worker"),
    ("service", "service_worker"),
];

/// The browser with the build that may debug.
fn deep_browser(rig: &Rig) -> Result<Browser> {
    rig.browser_with(&artifacts::deep_extension()?)
}

/// Switches deep capture of the page's tab, and waits until that is done.
fn capture_deeply(browser: &Browser, page: &Page<'_>, is_wanted: bool) -> Result<()> {
    let url = page.evaluate("location.href")?;
    let switched = browser.background()?.call(&format!(
        "async (background) => {{
            const tabs = await background.chrome.tabs.query({{}});
            await background.idbRelayDeepCapture(tabs.find((tab) => tab.url === {url}).id, {is_wanted});
        }}"
    ));
    switched.map(drop)
}

/// Opens the page with deep capture.
fn open<'b>(rig: &Rig, browser: &'b Browser) -> Result<Page<'b>> {
    let page = browser.open(&rig.site.url(PAGE))?;
    capture_deeply(browser, &page, true)?;
    page.evaluate("write([['put', 'of the page', 0]])")?;
    rig.settled(&page)?;
    Ok(page)
}

/// Starts a worker, and waits until it has written its first record.
fn start(page: &Page<'_>, kind: &str, name: &str) -> Result<()> {
    page.evaluate(&format!("start({kind:?}, {name:?})"))?;
    committed(page, name)
}

fn committed(page: &Page<'_>, value: &str) -> Result<()> {
    page.wait_for(&format!("committed.includes({value:?})"))
}

/// The events of a record, as `[op, after, kind of the writer]`.
fn published(events: &[Event], key: &str) -> Vec<Value> {
    let of_key = events.iter().map(Event::json).filter(|event| event["key"] == key);
    of_key
        .map(|event| json!([event["op"], event["after"], event["source"]["writer"]["kind"]]))
        .collect()
}

/// Has a worker write until one of its writes comes as an event of this kind of writer: one that
/// runs already is hooked soon, at no time that shows in the page.
fn is_hooked_soon(rig: &Rig, page: &Page<'_>, call: &str, kind: &str) -> Result<()> {
    let mut number = 0;
    wait::until("a captured write", PATIENCE, || {
        number += 1;
        let value = format!("{call} {number}");
        let before = rig.stream()?.len();
        page.evaluate(&call.replace("VALUE", &format!("{value:?}")))?;
        committed(page, &value)?;
        let events = rig.settled(page)?;
        let is_captured = |event: &&Event| {
            event.json()["after"] == value && event.json()["source"]["writer"]["kind"] == kind
        };
        Ok(match events.iter().skip(before).find(is_captured) {
            Some(_) => Seen::Ready(()),
            None => Seen::Not(format!("{number} writes without a hook")),
        })
    })
}

#[test]
fn workers_are_captured_from_their_first_line() -> Result<()> {
    let rig = Rig::new(Kind::Chromium)?;
    let browser = deep_browser(&rig)?;
    let page = open(&rig, &browser)?;
    for (kind, writer) in KINDS {
        start(&page, kind, kind)?;
        let again = format!("{kind} again");
        match kind {
            "service" => page.evaluate(&format!("againInService({again:?})"))?,
            _ => page.evaluate(&format!("again({kind:?}, {again:?})"))?,
        };
        committed(&page, &again)?;
        let events = rig.settled(&page)?;
        let expected = [json!(["c", kind, writer]), json!(["u", again, writer])];
        ensure!(
            published(&events, kind) == expected,
            "{:?}",
            published(&events, kind)
        );
    }
    Ok(())
}

#[test]
fn worker_of_the_first_script_is_captured_after_a_reload() -> Result<()> {
    let rig = Rig::new(Kind::Chromium)?;
    let browser = deep_browser(&rig)?;
    let page = open(&rig, &browser)?;
    let mut captured = 0;
    for kind in ["classic", "blob"] {
        // A worker that starts while the page has hardly begun is not always hooked, and read then.
        let mut loads = 0;
        let before = captured;
        while captured == before {
            loads += 1;
            ensure!(loads <= 5, "{kind}: not captured in any load");
            page.evaluate("write([['delete', 'at the load']])")?;
            rig.settled(&page)?;
            page.navigate(&rig.site.url(&format!("{PAGE}?start={kind}")))?;
            committed(&page, "at the load")?;
            let events = published(&rig.settled(&page)?, "at the load");
            let last = events.last().context("an event")?;
            ensure!(last[1] == "at the load", "{kind}: {last}");
            captured = events.iter().filter(|event| event[2] == "worker").count();
        }
    }
    Ok(())
}

/// Those that run when deep capture begins, and shared ones, whose start nothing tells of.
#[test]
fn running_workers_are_hooked_soon() -> Result<()> {
    let rig = Rig::new(Kind::Chromium)?;
    let browser = deep_browser(&rig)?;
    let page = browser.open(&rig.site.url(PAGE))?;
    start(&page, "classic", "early")?;
    rig.settled(&page)?;
    capture_deeply(&browser, &page, true)?;
    is_hooked_soon(&rig, &page, "again('early', VALUE)", "worker")?;
    start(&page, "shared", "shared")?;
    is_hooked_soon(&rig, &page, "again('shared', VALUE)", "shared_worker")
}

/// What has no hook is not counted, and what a library has replaced can have one.
#[test]
fn only_workers_with_a_hook_are_counted() -> Result<()> {
    let rig = Rig::new(Kind::Chromium)?;
    let browser = deep_browser(&rig)?;
    let page = browser.open(&rig.site.url(PAGE))?;
    start(&page, "frozen", "frozen")?;
    start(&page, "wrapped", "wrapped")?;
    rig.settled(&page)?;
    let panel = Panel::of(&browser, &rig.site.url(PAGE))?;
    panel.click("button.deep")?;
    panel.wait_for("$('.chips').textContent.includes('captured')")?;
    is_hooked_soon(&rig, &page, "again('wrapped', VALUE)", "worker")?;
    // The next one is hooked behind those that ran before.
    start(&page, "classic", "last")?;
    panel.wait_for("$('.chips').textContent.includes('2 workers captured')")
}

/// A worker that outlives its document keeps its channel, also where the background was ended.
#[test]
fn shared_worker_is_handed_on_after_the_background_ended() -> Result<()> {
    let rig = Rig::new(Kind::Chromium)?;
    let browser = deep_browser(&rig)?;
    let first = open(&rig, &browser)?;
    start(&first, "shared", "shared")?;
    is_hooked_soon(&rig, &first, "again('shared', VALUE)", "shared_worker")?;
    let second = browser.open(&rig.site.url(&format!("{PAGE}?second")))?;
    capture_deeply(&browser, &second, true)?;
    second.evaluate("start('shared', 'shared')")?;
    browser.end_background()?;
    // It has begun again by itself.
    is_hooked_soon(&rig, &second, "start('classic', VALUE)", "worker")?;
    first.close()?;
    is_hooked_soon(&rig, &second, "again('shared', VALUE)", "shared_worker")
}

/// A document that comes back finds its service worker's channel in the hands of another.
#[test]
fn service_worker_is_published_once_when_its_page_is_back() -> Result<()> {
    let rig = Rig::new(Kind::Chromium)?;
    let elsewhere = Site::start()?;
    let browser = deep_browser(&rig)?;
    let first = open(&rig, &browser)?;
    start(&first, "service", "service")?;
    let second = browser.open(&rig.site.url(&format!("{PAGE}?second")))?;
    capture_deeply(&browser, &second, true)?;
    // Chromium keeps no page that is debugged.
    capture_deeply(&browser, &first, false)?;
    first.evaluate("void (window.mark = 1)")?;
    first.navigate(&elsewhere.url("/blank/"))?;
    is_hooked_soon(&rig, &second, "againInService(VALUE)", "service_worker")?;
    first.evaluate("void history.back()")?;
    first.wait_for("globalThis.againInService !== undefined")?;
    ensure!(first.evaluate("window.mark")? == 1, "it was loaded again");
    first.evaluate("write([['put', 'back', 0]])")?;
    rig.settled(&first)?;
    for number in 0..5 {
        let value = format!("once {number}");
        second.evaluate(&format!("againInService({value:?})"))?;
        committed(&second, &value)?;
        let events = rig.settled(&second)?;
        let times = events
            .iter()
            .filter(|event| event.json()["after"] == value)
            .count();
        ensure!(times == 1, "{value} is published {times} times");
    }
    Ok(())
}

/// What the page loads waits for its service worker, and must not wait for a debugger.
#[test]
fn service_worker_is_captured_after_a_reload_and_an_update() -> Result<()> {
    let rig = Rig::new(Kind::Chromium)?;
    let browser = deep_browser(&rig)?;
    let page = open(&rig, &browser)?;
    start(&page, "service", "service")?;
    page.reload()?;
    is_hooked_soon(&rig, &page, "againInService(VALUE)", "service_worker")?;
    // Another script.
    page.evaluate("start('service', 'updated')")?;
    committed(&page, "service")?;
    ping(&page)?;
    is_hooked_soon(&rig, &page, "againInService(VALUE)", "service_worker")
}

/// The extension's own is stopped with the page's, as when a machine sleeps.
#[test]
fn stopped_service_worker_starts_although_the_background_ended() -> Result<()> {
    let rig = Rig::new(Kind::Chromium)?;
    let browser = deep_browser(&rig)?;
    let page = open(&rig, &browser)?;
    start(&page, "service", "service")?;
    page.wait_for("navigator.serviceWorker.controller !== null")?;
    page.devtools("ServiceWorker.enable", &json!({}))?;
    page.devtools("ServiceWorker.stopAllWorkers", &json!({}))?;
    ping(&page)?;
    is_hooked_soon(&rig, &page, "againInService(VALUE)", "service_worker")
}

/// Has the service worker answer.
fn ping(page: &Page<'_>) -> Result<()> {
    let pong = page.evaluate("fetch('ping').then((answer) => answer.text())")?;
    ensure!(pong == "pong", "{pong}");
    Ok(())
}

/// Workers that are hooked stay so; later ones are found by comparison.
#[test]
fn switching_off_in_mid_stream_breaks_nothing() -> Result<()> {
    let rig = Rig::new(Kind::Chromium)?;
    let browser = deep_browser(&rig)?;
    let page = open(&rig, &browser)?;
    start(&page, "classic", "hooked")?;
    page.evaluate("times(200, (n) => again('hooked', `value ${n}`))")?;
    capture_deeply(&browser, &page, false)?;
    committed(&page, "value 199")?;
    start(&page, "classic", "later")?;
    let events = rig.settled(&page)?;
    ensure!(
        published(&events, "hooked").len() == 201,
        "{}",
        published(&events, "hooked").len()
    );
    ensure!(
        published(&events, "later") == [json!(["r", "later", null])],
        "{:?}",
        published(&events, "later")
    );
    page.evaluate("again('hooked', 'still')")?;
    committed(&page, "still")?;
    let events = rig.settled(&page)?;
    ensure!(published(&events, "hooked").last() == Some(&json!(["u", "still", "worker"])));
    // On again.
    capture_deeply(&browser, &page, true)?;
    start(&page, "module", "last")?;
    let events = rig.settled(&page)?;
    ensure!(published(&events, "last") == [json!(["c", "last", "worker"])]);
    Ok(())
}

/// Attachments outlive the background, and workers would wait for it without end.
#[test]
fn workers_go_on_when_the_background_ends() -> Result<()> {
    let rig = Rig::new(Kind::Chromium)?;
    let browser = deep_browser(&rig)?;
    let page = open(&rig, &browser)?;
    page.evaluate("times(5, (n) => start('classic', `before ${n}`))")?;
    browser.end_background()?;
    page.evaluate("times(5, (n) => start('classic', `after ${n}`))")?;
    for number in 0..5 {
        committed(&page, &format!("before {number}"))?;
        committed(&page, &format!("after {number}"))?;
    }
    rig.settled(&page)?;
    // It has begun again by itself.
    let mut number = 0;
    wait::until("a captured worker", PATIENCE, || {
        number += 1;
        let name = format!("again {number}");
        start(&page, "classic", &name)?;
        let published = published(&rig.settled(&page)?, &name);
        Ok(if published == [json!(["c", name, "worker"])] {
            Seen::Ready(())
        } else {
            Seen::Not(format!("{published:?}"))
        })
    })
}

#[test]
fn workers_that_fail_or_end_at_once_hold_up_nothing() -> Result<()> {
    let rig = Rig::new(Kind::Chromium)?;
    let browser = deep_browser(&rig)?;
    let page = open(&rig, &browser)?;
    page.evaluate("new Promise((resolve) => (new Worker('absent.js').onerror = resolve)).then(() => null)")?;
    page.evaluate(
        "new Promise((resolve) => (new Worker('data:,throw 1').onerror = resolve)).then(() => null)",
    )?;
    page.evaluate("times(20, (n) => new Worker('first.js', { name: 'ended' }).terminate())")?;
    page.evaluate("times(50, (n) => start('classic', `many ${n}`))")?;
    for number in 0..50 {
        committed(&page, &format!("many {number}"))?;
    }
    let events = rig.settled(&page)?;
    for number in 0..50 {
        let name = format!("many {number}");
        ensure!(
            published(&events, &name) == [json!(["c", name, "worker"])],
            "{:?}",
            published(&events, &name)
        );
    }
    Ok(())
}

/// DevTools attach to the same workers.
#[test]
fn another_debugger_goes_on_beside_it() -> Result<()> {
    let rig = Rig::new(Kind::Chromium)?;
    let browser = deep_browser(&rig)?;
    let page = open(&rig, &browser)?;
    page.devtools("Debugger.enable", &json!({}))?;
    page.devtools(
        "Target.setAutoAttach",
        &json!({"autoAttach": true, "waitForDebuggerOnStart": false, "flatten": true}),
    )?;
    start(&page, "classic", "beside")?;
    let events = rig.settled(&page)?;
    ensure!(published(&events, "beside") == [json!(["c", "beside", "worker"])]);
    Ok(())
}

/// The tab goes elsewhere, even to where no extension may debug, and comes back.
#[test]
fn deep_capture_comes_back_with_the_page() -> Result<()> {
    let rig = Rig::new(Kind::Chromium)?;
    let browser = deep_browser(&rig)?;
    let page = open(&rig, &browser)?;
    for elsewhere in ["about:blank", "chrome://version/"] {
        page.navigate(elsewhere)?;
        page.navigate(&rig.site.url(PAGE))?;
        page.evaluate("write([['clear']])")?;
        let mut number = 0;
        wait::until("a captured worker", PATIENCE, || {
            number += 1;
            let name = format!("back {number}");
            start(&page, "classic", &name)?;
            let published = published(&rig.settled(&page)?, &name);
            Ok(if published.last() == Some(&json!(["c", name, "worker"])) {
                Seen::Ready(())
            } else {
                Seen::Not(format!("{published:?}"))
            })
        })?;
    }
    Ok(())
}

#[test]
fn panel_switches_deep_capture_and_says_how_it_is() -> Result<()> {
    let rig = Rig::new(Kind::Chromium)?;
    let browser = deep_browser(&rig)?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("write([['put', 'of the page', 0]])")?;
    rig.settled(&page)?;
    let panel = Panel::of(&browser, &rig.site.url(PAGE))?;
    panel.click("button.deep")?;
    panel.wait_for("$('.chips').textContent.includes('workers that start from now on')")?;
    panel.wait_for("$('button.deep').ariaPressed === 'true'")?;
    start(&page, "classic", "first")?;
    start(&page, "blob", "second")?;
    panel.wait_for("$('.chips').textContent.includes('2 workers captured')")?;
    panel.page.activate()?;
    panel.wait_for("$$('.row').length >= 3")?;
    panel.picture("deep-capture")?;
    panel.fits()?;
    panel.click("button.deep")?;
    panel.wait_for("!$('.chips').textContent.includes('Deep capture')")?;
    panel.wait_for("$('button.deep').ariaPressed === 'false'")
}

/// The build that people load by default may not debug.
#[test]
fn build_without_the_permission_names_the_one_with_it() -> Result<()> {
    let rig = Rig::new(Kind::Chromium)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("write([['put', 'of the page', 0]])")?;
    rig.settled(&page)?;
    let panel = Panel::of(&browser, &rig.site.url(PAGE))?;
    panel.click("button.deep")?;
    panel.wait_for("$('.problems').textContent.includes('chromium-deep')")?;
    panel.accessible()?;
    panel.picture("deep-capture-missing")
}

/// What is captured explains how the meter moves, in workers as in pages.
#[test]
fn captured_writes_of_workers_are_not_compared() -> Result<()> {
    let rig = Rig::new(Kind::Chromium)?;
    let browser = deep_browser(&rig)?;
    let background = browser.background()?;
    background.observe_documents(
        "(background, port, { survey, surveyed }) => {
            background.asked = (background.asked ?? 0) + (survey === undefined ? 0 : 1);
            background.surveyed = (background.surveyed ?? 0) + (surveyed === undefined ? 0 : 1);
        }",
    )?;
    let page = open(&rig, &browser)?;
    wait::until("the page to be read", PATIENCE, || {
        Ok(
            match background.call("({ surveyed }) => surveyed ?? 0")?.as_u64() {
                Some(1..) => Seen::Ready(()),
                readings => Seen::Not(format!("{readings:?}")),
            },
        )
    })?;
    background.call("(background) => (background.asked = 0)")?;
    start(&page, "classic", "first")?;
    page.evaluate(
        "(async () => {
            for (let n = 0; n < 100; n++) {
                again('first', `value ${n}`);
                await new Promise((resolve) => setTimeout(resolve, 20));
            }
        })()",
    )?;
    committed(&page, "value 99")?;
    rig.settled(&page)?;
    let asked = background.call("({ asked }) => asked")?;
    ensure!(asked == 0, "{asked} comparisons");
    Ok(())
}

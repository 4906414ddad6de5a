//! Who decides what is captured, and the pages where it is decided.

use anyhow::{Context as _, Result, ensure};
use lab::{
    Rig,
    browser::Kind,
    pages::{look_at, options, popup, words},
};
use serde_json::json;

const WRITER: &str = "/writer/";

fn the_popup_enables_a_page_that_is_open_already(kind: Kind) -> Result<()> {
    let rig = Rig::without_consent(kind)?;
    let browser = rig.browser_at_once(false)?;
    let url = rig.site.url(WRITER);
    let page = browser.open(&url)?;
    page.evaluate("put('before', 1)")?;
    let popup = popup(&browser, &url)?;
    words(&popup, "This site is not captured")?;
    look_at(&popup, &format!("popup-off-{}", kind.name()))?;

    popup.evaluate("document.getElementById('capture').click()")?;
    words(&popup, "Existing records are read")?;
    page.evaluate("put('after', 2)")?;
    let events = rig.settled(&page)?;
    // Reading what was there takes its time; the write may well be first.
    let mut lines: Vec<String> = events.iter().map(lab::observe::Event::line).collect();
    lines.sort();
    assert_eq!(
        lines,
        [r#"c writer/items "after" 2"#, r#"r writer/items "before" 1"#]
    );
    popup.wait_for("document.querySelectorAll('#sinks li').length === 3")?;
    popup.wait_for("document.getElementById('host').textContent.startsWith('host 0.')")?;
    look_at(&popup, &format!("popup-on-{}", kind.name()))?;

    // It stays enabled for pages to come, until it is switched off.
    page.reload()?;
    page.evaluate("put('again', 3)")?;
    rig.settled(&page)?;
    popup.evaluate("document.getElementById('capture').click()")?;
    words(&popup, "This site is not captured")?;
    page.reload()?;
    page.evaluate("put('unseen', 4)")?;
    popup.evaluate("document.getElementById('capture').click()")?;
    words(&popup, "Capturing")?;
    let events = rig.settled(&page)?;
    let last = events.last().context("events")?;
    ensure!(
        last.line() == r#"r writer/items "unseen" 4"#,
        "captured while it was off: {}",
        last.line()
    );
    Ok(())
}

/// The elements of a page that is open already hide members of its window and of its document.
fn popup_enables_a_page_whose_elements_hide_members(kind: Kind) -> Result<()> {
    let rig = Rig::without_consent(kind)?;
    let browser = rig.browser_at_once(false)?;
    let url = rig.site.url("/named/");
    let page = browser.open(&url)?;
    page.evaluate("put('before', 1)")?;
    let popup = popup(&browser, &url)?;
    words(&popup, "This site is not captured")?;
    popup.evaluate("document.getElementById('capture').click()")?;
    words(&popup, "Existing records are read").with_context(|| {
        popup
            .evaluate("document.body.innerText")
            .map_or_else(|e| e.to_string(), |w| w.to_string())
    })?;
    page.evaluate("put('after', new Map([['a', 2]]))")?;
    let events = rig.settled(&page)?;
    let after = events.iter().find(|event| event.json()["key"] == "after");
    ensure!(after.is_some_and(|event| event.op() == "c"), "{after:?}");
    // Capture is on when the page loads, and goes on when its elements are there.
    page.reload()?;
    page.evaluate("put('again', 3)")?;
    let events = rig.settled(&page)?;
    let again = events.iter().find(|event| event.json()["key"] == "again");
    ensure!(again.is_some_and(|event| event.op() == "c"), "{again:?}");
    // Its listeners are in place, too.
    let stays = browser.open(&rig.site.url(WRITER))?;
    page.reload()?;
    page.evaluate("saveWhenLeaving('pagehide', 'left', 'bye')")?;
    page.close()?;
    stays.wait_for("seen('left', 'bye').then(() => true)")?;
    rig.settled(&stays).map(drop)
}

fn what_is_paused_arrives_later(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let url = rig.site.url(WRITER);
    let page = browser.open(&url)?;
    page.evaluate("put('a', 1)")?;
    rig.settled(&page)?;
    let popup = popup(&browser, &url)?;
    words(&popup, "The host's configuration says so")?;
    ensure!(popup.evaluate("document.getElementById('capture').disabled")? == json!(true));
    popup.evaluate("document.getElementById('pause').click()")?;
    words(&popup, "Capture is paused")?;
    let before = rig.stream()?.len();
    page.evaluate("count(0, 5)")?;
    words(&popup, "wait")?;
    look_at(&popup, &format!("popup-paused-{}", kind.name()))?;
    ensure!(
        rig.stream()?.len() == before,
        "something arrived while capture rested"
    );
    popup.evaluate("document.getElementById('pause').click()")?;
    assert_eq!(rig.settled(&page)?.len(), before + 5);
    Ok(())
}

/// Managed policy enables an origin and redacts, and no page of ours can change that.
fn a_policy_decides(kind: Kind) -> Result<()> {
    let rig = Rig::without_consent(kind)?;
    let policy = json!({
        "origins": [rig.site.origin()],
        "redact": [{"database": "writer", "fields": ["/secret"], "how": "mask"}],
    });
    if !rig.profile.prescribe(&policy)? {
        eprintln!("no mount namespaces on this machine: a policy would be everybody's");
        return Ok(());
    }
    let browser = rig.browser()?;
    let url = rig.site.url(WRITER);
    let page = browser.open(&url)?;
    page.evaluate("put('a', { secret: 'hush', rest: 1 })")?;
    let events = rig.stream_of(2)?;
    let last = events.last().context("events")?;
    assert_eq!(last.line(), r#"c writer/items "a" {"rest":1,"secret":"***"}"#);
    let popup = popup(&browser, &url)?;
    words(&popup, "Your administrator says so")?;
    ensure!(popup.evaluate("document.getElementById('capture').disabled")? == json!(true));
    look_at(&popup, &format!("popup-policy-{}", kind.name()))?;
    let options = options(&browser)?;
    options.wait_for("[...document.querySelectorAll('.by')].filter((by) => by.textContent === 'managed policy').length === 2")?;
    ensure!(options.evaluate("document.querySelectorAll('.items button').length")? == json!(0));
    look_at(&options, &format!("options-policy-{}", kind.name()))?;
    Ok(())
}

/// A policy with a rule that cannot be applied keeps everything in the browser.
fn a_policy_with_a_broken_rule_keeps_everything_here(kind: Kind) -> Result<()> {
    let rig = Rig::without_consent(kind)?;
    let policy = json!({
        "origins": [rig.site.origin()],
        "redact": [{"fields": ["/secret"], "how": "erase"}],
    });
    if !rig.profile.prescribe(&policy)? {
        return Ok(());
    }
    let browser = rig.browser()?;
    let url = rig.site.url(WRITER);
    let page = browser.open(&url)?;
    page.evaluate("put('a', { secret: 'hush' })")?;
    let popup = popup(&browser, &url)?;
    lab::pages::button(&popup, "!", "erase")?;
    popup.wait_for("document.getElementById('remark').textContent.includes('Nothing is sent')")?;
    look_at(&popup, &format!("popup-broken-rule-{}", kind.name()))?;
    ensure!(rig.stream()?.is_empty(), "something was sent");
    Ok(())
}

/// The page knows the extension's address here; that helps it nothing.
fn a_page_reaches_none_of_our_pages(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(WRITER))?;
    for path in [
        "manifest.json",
        "ui/options.html",
        "ui/popup.html",
        "ui/panel.html",
        "content/hook.js",
        "background.js",
        "wasm/idb_relay_bg.wasm",
        "pages/pages_bg.wasm",
        "panel/panel_bg.wasm",
        "icons/16.png",
    ] {
        let url = browser.extension_url(path);
        for attempt in [
            format!("fetch({url:?}).then(() => 'read', () => 'refused')"),
            format!("fetch({url:?}, {{ mode: 'no-cors' }}).then(() => 'read', () => 'refused')"),
            format!("import({url:?}).then(() => 'read', () => 'refused')"),
            format!(
                "new Promise((resolve) => {{ const image = new Image(); image.onload = () => resolve('read'); image.onerror = () => resolve('refused'); image.src = {url:?}; }})"
            ),
        ] {
            assert_eq!(page.evaluate(&attempt)?, json!("refused"), "{attempt}");
        }
    }
    // No way to speak to the background: without `externally_connectable` pages have no `runtime`,
    // or one that takes nothing.
    let spoken = page.evaluate("typeof chrome === 'undefined' || chrome.runtime === undefined || chrome.runtime.connect === undefined ? 'none' : 'some'")?;
    assert_eq!(spoken, json!("none"));
    ensure!(page.evaluate("typeof browser === 'undefined'")? == json!(true));
    Ok(())
}

fn private_windows_are_left_alone(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let url = rig.site.url(WRITER);
    let page = browser.open(&url)?;
    page.evaluate("put('before', 1)")?;
    rig.settled(&page)?;
    let private = browser.open_private(&url)?;
    private.evaluate("put('private', 2)")?;
    // It has databases of its own: the window is a private one indeed.
    ensure!(
        private.evaluate("indexedDB.databases().then((all) => all.length)")? == json!(1),
        "it has no database"
    );
    page.evaluate("put('after', 3)")?;
    let events = rig.settled(&page)?;
    let lines: Vec<String> = events.iter().map(lab::observe::Event::line).collect();
    assert_eq!(
        lines[1..],
        [r#"c writer/items "before" 1"#, r#"c writer/items "after" 3"#],
        "behind the schema"
    );
    Ok(())
}

lab::in_both_browsers!(
    a_policy_decides,
    a_policy_with_a_broken_rule_keeps_everything_here,
    a_page_reaches_none_of_our_pages,
    private_windows_are_left_alone,
    the_popup_enables_a_page_that_is_open_already,
    popup_enables_a_page_whose_elements_hide_members,
    what_is_paused_arrives_later,
);

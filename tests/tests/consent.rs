//! Who decides what is captured, and the pages where it is decided.

use std::{env, fs};

use anyhow::{Context as _, Result, ensure};
use lab::{
    Rig,
    browser::{Browser, Kind, Page},
};
use serde_json::json;

const WRITER: &str = "/writer/";

/// The popup of the tab with this address, as a tab of its own.
fn popup<'b>(browser: &'b Browser, url: &str) -> Result<Page<'b>> {
    let page = browser.open(&browser.extension_url("ui/popup.html"))?;
    let tab = page.evaluate(&format!(
        "chrome.tabs.query({{}}).then((tabs) => tabs.find((tab) => tab.url === {url:?})?.id)"
    ))?;
    let tab = tab.as_i64().context("the tab is not there")?;
    page.navigate(&browser.extension_url(&format!("ui/popup.html?tab={tab}")))?;
    page.wait_for("document.getElementById('words').textContent.length > 1")?;
    Ok(page)
}

fn words(page: &Page<'_>, part: &str) -> Result<()> {
    page.wait_for(&format!(
        "document.getElementById('words').textContent.includes({part:?})"
    ))
}

/// Keeps a picture where `IDB_RELAY_PICTURES` says, for people.
fn picture(page: &Page<'_>, name: &str) -> Result<()> {
    let Some(directory) = env::var_os("IDB_RELAY_PICTURES") else {
        return Ok(());
    };
    for scheme in ["light", "dark"] {
        page.evaluate(&format!(
            "void (document.documentElement.style.colorScheme = '{scheme}')"
        ))?;
        let path = std::path::Path::new(&directory).join(format!("{name}-{scheme}.png"));
        fs::write(path, page.screenshot()?)?;
    }
    Ok(())
}

fn the_popup_enables_a_page_that_is_open_already(kind: Kind) -> Result<()> {
    let rig = Rig::without_consent(kind)?;
    let browser = rig.browser_at_once(false)?;
    let url = rig.site.url(WRITER);
    let page = browser.open(&url)?;
    page.evaluate("put('before', 1)")?;
    let popup = popup(&browser, &url)?;
    words(&popup, "Nothing of this site is captured")?;
    picture(&popup, &format!("popup-off-{}", kind.name()))?;

    popup.evaluate("document.getElementById('capture').click()")?;
    words(&popup, "since you enabled it")?;
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
    picture(&popup, &format!("popup-on-{}", kind.name()))?;

    // It stays enabled for pages to come, until it is switched off.
    page.reload()?;
    page.evaluate("put('again', 3)")?;
    rig.settled(&page)?;
    popup.evaluate("document.getElementById('capture').click()")?;
    words(&popup, "Nothing of this site is captured")?;
    page.reload()?;
    page.evaluate("put('unseen', 4)")?;
    popup.evaluate("document.getElementById('capture').click()")?;
    words(&popup, "Captured")?;
    let events = rig.settled(&page)?;
    let last = events.last().context("events")?;
    ensure!(
        last.line() == r#"r writer/items "unseen" 4"#,
        "captured while it was off: {}",
        last.line()
    );
    Ok(())
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
    picture(&popup, &format!("popup-paused-{}", kind.name()))?;
    ensure!(
        rig.stream()?.len() == before,
        "something arrived while capture rested"
    );
    popup.evaluate("document.getElementById('pause').click()")?;
    assert_eq!(rig.settled(&page)?.len(), before + 5);
    Ok(())
}

lab::in_both_browsers!(
    the_popup_enables_a_page_that_is_open_already,
    what_is_paused_arrives_later,
);

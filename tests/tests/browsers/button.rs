//! The extension's button and its popup when something is wrong.

use anyhow::{Result, ensure};
use lab::{
    Rig,
    browser::Kind,
    pages::{button, look_at, popup, words},
};
use serde_json::json;

const WRITER: &str = "/writer/";

fn a_missing_host_is_named_with_the_fix(kind: Kind) -> Result<()> {
    let rig = Rig::without_consent(kind)?;
    rig.relay.uninstall(&rig.profile)?;
    let browser = rig.browser_at_once(false)?;
    let url = rig.site.url(WRITER);
    browser.open(&url)?;
    let popup = popup(&browser, &url)?;
    button(&popup, "!", "idb-relay install")?;
    popup.wait_for("document.getElementById('remark').textContent.includes('idb-relay install')")?;
    popup.wait_for("document.getElementById('host').textContent === 'no host'")?;
    popup.evaluate("document.getElementById('capture').click()")?;
    words(&popup, "there is no host to receive it")?;
    popup.wait_for("document.querySelector('#sinks b').textContent === 'Nowhere'")?;
    popup.wait_for("document.querySelector('#remark code').textContent === 'idb-relay install'")?;
    look_at(&popup, &format!("popup-no-host-{}", kind.name()))
}

fn a_server_that_is_away_shows_at_the_button(kind: Kind) -> Result<()> {
    let mut rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let url = rig.site.url(WRITER);
    let page = browser.open(&url)?;
    page.evaluate("put('a', 1)")?;
    rig.settled(&page)?;
    let popup = popup(&browser, &url)?;
    button(&popup, "", "idb-relay")?;
    // From here to the inspector of this tab.
    popup.evaluate(
        "void (chrome.tabs.create = (tab) => { globalThis.opened = tab; return Promise.resolve(); })",
    )?;
    popup.evaluate("document.getElementById('inspect').click()")?;
    popup.wait_for("opened.url === chrome.runtime.getURL(`ui/panel.html${location.search}`)")?;
    rig.redis.kill()?;
    button(&popup, "!", "redis at")?;
    popup.wait_for("document.querySelectorAll('#sinks li[data-state=wrong]').length === 1")?;
    popup.wait_for("document.querySelector('#sinks .fix').textContent.length > 10")?;
    look_at(&popup, &format!("popup-redis-away-{}", kind.name()))?;
    rig.redis.restart()?;
    button(&popup, "", "idb-relay")
}

fn a_page_without_a_site_has_nothing_to_capture(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let url = browser.extension_url("ui/options.html");
    browser.open(&url)?;
    let popup = popup(&browser, &url)?;
    words(&popup, "nothing to capture")?;
    ensure!(popup.evaluate("document.getElementById('inspect').hidden")? == json!(true));
    ensure!(popup.evaluate("document.getElementById('capture').disabled")? == json!(true));
    look_at(&popup, &format!("popup-no-site-{}", kind.name()))
}

/// The popup says so, and its button asks for this origin only.
fn a_missing_permission_is_asked_for(kind: Kind) -> Result<()> {
    let rig = Rig::without_consent(kind)?;
    let browser = rig.browser_at_once(false)?;
    let url = rig.site.url(WRITER);
    browser.open(&url)?;
    let popup = popup(&browser, &url)?;
    // The site's own permission is a required one, which no test can take away: what is asked for
    // is looked at, with the answer of a user who closes the question.
    popup.evaluate(
        "void (chrome.permissions.request = (wanted) => { globalThis.wanted = wanted; return Promise.resolve(false); })",
    )?;
    popup.evaluate("document.getElementById('capture').click()")?;
    let wanted = popup.evaluate("wanted")?;
    let host = rig.site.origin();
    let host = host.rsplit_once(':').map_or(host.as_str(), |(host, _)| host);
    assert_eq!(wanted, json!({ "origins": [format!("{host}/*")] }));
    Ok(())
}

lab::in_both_browsers!(
    a_missing_host_is_named_with_the_fix,
    a_server_that_is_away_shows_at_the_button,
    a_page_without_a_site_has_nothing_to_capture,
    a_missing_permission_is_asked_for,
);

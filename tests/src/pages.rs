//! The extension's own pages, opened as tabs.

use std::{env, fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::{
    browser::{Browser, Page},
    directories,
};

/// The popup of the tab with this address.
pub fn popup<'b>(browser: &'b Browser, url: &str) -> Result<Page<'b>> {
    let page = browser.open(&browser.extension_url("ui/popup.html"))?;
    let tab = page.evaluate(&format!(
        "chrome.tabs.query({{}}).then((tabs) => tabs.find((tab) => tab.url === {url:?})?.id)"
    ))?;
    let tab = tab.as_i64().context("the tab is not there")?;
    page.navigate(&browser.extension_url(&format!("ui/popup.html?tab={tab}")))?;
    page.wait_for("document.getElementById('words').textContent.length > 1")?;
    page.resize(340, 640)?;
    Ok(page)
}

/// Waits until the popup's sentence about the site has this in it.
pub fn words(popup: &Page<'_>, part: &str) -> Result<()> {
    popup.wait_for(&format!(
        "document.getElementById('words').textContent.includes({part:?})"
    ))
}

/// The options page.
pub fn options(browser: &Browser) -> Result<Page<'_>> {
    let page = browser.open(&browser.extension_url("ui/options.html"))?;
    page.wait_for("document.querySelectorAll('#rules li').length > 0")?;
    page.resize(820, 1300)?;
    Ok(page)
}

/// Waits until the extension's button shows this badge and says this; `page` is one of ours.
pub fn button(page: &Page<'_>, badge: &str, part: &str) -> Result<()> {
    page.wait_for(&format!(
        "Promise.all([chrome.action.getBadgeText({{}}), chrome.action.getTitle({{}})])
            .then(([badge, title]) => badge === {badge:?} && title.includes({part:?}))"
    ))
}

/// Looks at a page as it is now, in both themes: axe-core has nothing serious to say, and a picture
/// is kept where `IDB_RELAY_PICTURES` says, for people.
pub fn look_at(page: &Page<'_>, name: &str) -> Result<()> {
    let directory = env::var_os("IDB_RELAY_PICTURES");
    for scheme in ["light", "dark"] {
        page.evaluate(&format!(
            "void (document.documentElement.style.colorScheme = '{scheme}')"
        ))?;
        accessible(page).with_context(|| format!("{name}, {scheme}"))?;
        if let Some(directory) = &directory {
            let path = Path::new(directory).join(format!("{name}-{scheme}.png"));
            fs::write(path, page.screenshot()?)?;
        }
    }
    Ok(())
}

/// Makes sure that axe-core has nothing serious to say of a page as it is now.
pub fn accessible(page: &Page<'_>) -> Result<()> {
    let axe = directories::tests_directory().join("sites/node_modules/axe-core/axe.min.js");
    let axe = fs::read_to_string(&axe).with_context(|| format!("{} is not there", axe.display()))?;
    if page.evaluate("window.axe === undefined")? == json!(true) {
        page.evaluate(&format!("(() => {{ {axe}\n }})()"))?;
    }
    let violations = page.evaluate(
        "axe.run(document).then(({ violations }) => violations.filter(({ impact }) => ['serious', 'critical'].includes(impact)).map(({ id, nodes }) => id + ': ' + nodes.slice(0, 3).map(({ html, failureSummary }) => html.slice(0, 200) + ' ' + failureSummary).join('; ')))",
    )?;
    ensure!(violations == json!([]), "{violations:#}");
    Ok(())
}

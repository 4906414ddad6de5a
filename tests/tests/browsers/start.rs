//! The first moments of a browser, and of an extension that was just installed.

use std::{fs, path::Path};

use anyhow::Result;
use lab::{
    Rig,
    artifacts::ExtensionCopy,
    browser::{Browser, Kind},
    observe,
    wait::{self, PATIENCE, Seen},
};
use serde_json::Value;

const PAGE: &str = "/writer/";

fn end_background_as_soon_as_it_runs(browser: &Browser) -> Result<()> {
    wait::until("a background to end", PATIENCE, || {
        Ok(if browser.end_running_background()? {
            Seen::Ready(())
        } else {
            Seen::Not("none runs".to_owned())
        })
    })
}

/// In Chromium a background that is ended in the very milliseconds in which the browser registers
/// it is registered no more: no event wakes it, and no message. A page of the extension does.
fn open_popup_if_background_is_lost(browser: &Browser) -> Result<()> {
    if browser.kind() == Kind::Chromium && is_background_lost(browser)? {
        open_popup(browser)?;
    }
    Ok(())
}

/// Asked in a document of the extension that runs no script of ours. Only Chromium's backgrounds
/// are registered.
fn is_background_lost(browser: &Browser) -> Result<bool> {
    let page = browser.open(&browser.extension_url("icons/16.png"))?;
    let registrations =
        page.evaluate("navigator.serviceWorker.getRegistrations().then((all) => all.length)")?;
    page.close()?;
    Ok(registrations == 0)
}

/// Waits for nothing: the extension may be loaded again at once, which closes the popup.
fn open_popup(browser: &Browser) -> Result<()> {
    allow_unpacked(browser)?;
    let page = browser.open(&browser.extension_url("icons/16.png"))?;
    page.evaluate("void setTimeout(() => { location.href = '/ui/popup.html'; })")
        .map(drop)
}

/// The next page that loads is captured from its first write on.
fn next_page_is_captured(rig: &Rig, browser: &Browser) -> Result<()> {
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("put('after', 1)")?;
    rig.settled(&page).map(drop)
}

/// The background ends whenever it has come back, before it can have done much.
fn end_background_again_and_again(rig: &Rig, browser: &Browser) -> Result<()> {
    for round in 0..5 {
        end_background_as_soon_as_it_runs(browser)?;
        open_popup_if_background_is_lost(browser)?;
        // Where the background did not come so far as to register scripts, a page wakes nothing:
        // an event of the tab does.
        let page = browser.open(&rig.site.url(PAGE))?;
        page.evaluate(&format!("put('ended', {round})"))?;
        page.close()?;
    }
    Ok(())
}

fn background_ended_repeatedly_after_installation_comes_back(kind: Kind) -> Result<()> {
    let rig = Rig::on_empty_profile(kind)?;
    let browser = rig.browser_at_once(false)?;
    end_background_again_and_again(&rig, &browser)?;
    next_page_is_captured(&rig, &browser)
}

fn background_ended_repeatedly_at_the_browsers_start_comes_back(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    rig.browser()?.quit()?;
    let browser = rig.browser_at_once(false)?;
    end_background_again_and_again(&rig, &browser)?;
    next_page_is_captured(&rig, &browser)
}

/// A browser that says nothing of its policy until `sayPolicy` is called.
const SILENT_POLICY: &str = "chrome.storage.managed.get = () => new Promise((resolve) => {
    globalThis.sayPolicy = () => resolve({});
});
";

/// Scripts are registered, the host started and documents welcome before the browser has reported
/// the policy, however late it does.
fn first_pages_are_captured_before_the_policy_is_known(kind: Kind) -> Result<()> {
    let rig = Rig::on_empty_profile(kind)?;
    let extension = ExtensionCopy::of(kind)?;
    extension.run_first(SILENT_POLICY)?;
    // The host has said which origins there are.
    let browser = rig.browser_with(&extension.path())?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("put('first', 1)")?;
    let status = rig.relay.run_json(&["status", "--json"])?;
    assert_eq!(status["profiles"].as_array().map(Vec::len), Some(1), "{status}");
    let background = browser.background()?;
    assert_eq!(
        background.call("({ sayPolicy }) => typeof sayPolicy")?,
        "function"
    );
    assert_eq!(rig.stream()?.len(), 0, "a rule of the policy may concern it");
    background.call("({ sayPolicy }) => sayPolicy()")?;
    let events: Vec<_> = rig.settled(&page)?.iter().map(observe::Event::line).collect();
    assert_eq!(events[1..], [r#"c writer/items "first" 1"#]);
    Ok(())
}

/// Nothing is registered yet that could wake it: its end comes as soon as it is there.
fn a_background_ended_in_its_first_moment_comes_back(kind: Kind) -> Result<()> {
    let rig = Rig::on_empty_profile(kind)?;
    let browser = rig.browser_at_once(false)?;
    end_background_as_soon_as_it_runs(&browser)?;
    open_popup_if_background_is_lost(&browser)?;
    next_page_is_captured(&rig, &browser)
}

fn background_ended_at_the_browsers_start_comes_back(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    rig.browser()?.quit()?;
    let browser = rig.browser_at_once(false)?;
    end_background_as_soon_as_it_runs(&browser)?;
    open_popup_if_background_is_lost(&browser)?;
    next_page_is_captured(&rig, &browser)
}

/// An update ends all that there is of the extension, and starts its new version.
fn background_ended_right_after_an_update_comes_back(kind: Kind) -> Result<()> {
    comes_back_after_an_update(kind, |_, browser| {
        end_background_as_soon_as_it_runs(browser)?;
        open_popup_if_background_is_lost(browser)
    })
}

fn background_ended_repeatedly_after_an_update_comes_back(kind: Kind) -> Result<()> {
    comes_back_after_an_update(kind, end_background_again_and_again)
}

fn comes_back_after_an_update(kind: Kind, end: fn(&Rig, &Browser) -> Result<()>) -> Result<()> {
    let rig = Rig::new(kind)?;
    let copy = ExtensionCopy::of(kind)?;
    let extension = copy.path();
    let browser = rig.browser_with(&extension)?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("put('before', 1)")?;
    rig.settled(&page)?;
    if kind == Kind::Chromium {
        allow_unpacked(&browser)?;
    }
    set_version(&extension, "65535.0.0")?;
    let old = browser.running_background()?;
    reload_extension(&browser)?;
    wait::until("the new version's background", PATIENCE, || {
        let running = browser.running_background()?;
        Ok(if running.is_some() && running != old {
            Seen::Ready(())
        } else {
            Seen::Not(format!("{running:?}"))
        })
    })?;
    end(&rig, &browser)?;
    next_page_is_captured(&rig, &browser)?;
    let version = "({ chrome }) => chrome.runtime.getManifest().version";
    assert_eq!(browser.background()?.call(version)?, "65535.0.0");
    Ok(())
}

/// A script that fails has the same effect as an end in the milliseconds of the registration.
#[test]
fn popup_brings_back_background_that_chromium_has_lost() -> Result<()> {
    let rig = Rig::new(Kind::Chromium)?;
    let copy = ExtensionCopy::of(Kind::Chromium)?;
    let extension = copy.path();
    let browser = rig.browser_with(&extension)?;
    allow_unpacked(&browser)?;
    let script = fs::read(extension.join("background.js"))?;
    fs::write(extension.join("background.js"), "throw new Error('a test');")?;
    reload_extension(&browser)?;
    wait::until("the background to be lost", PATIENCE, || {
        // While the extension is loaded again it has no pages.
        Ok(match is_background_lost(&browser) {
            Ok(true) => Seen::Ready(()),
            other => Seen::Not(format!("{other:?}")),
        })
    })?;
    fs::write(extension.join("background.js"), script)?;
    open_popup(&browser)?;
    next_page_is_captured(&rig, &browser)
}

/// The background that would answer ends with it.
fn reload_extension(browser: &Browser) -> Result<()> {
    let _unanswered = browser
        .background()?
        .call("({ chrome }) => chrome.runtime.reload()");
    Ok(())
}

/// Without it Chromium switches off an extension from a directory when it is loaded again.
fn allow_unpacked(browser: &Browser) -> Result<()> {
    let page = browser.open("chrome://extensions/")?;
    page.evaluate("chrome.developerPrivate.updateProfileConfiguration({ inDeveloperMode: true })")?;
    page.close()
}

fn set_version(extension: &Path, version: &str) -> Result<()> {
    let path = extension.join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path)?)?;
    manifest["version"] = version.into();
    Ok(fs::write(path, manifest.to_string())?)
}

lab::in_both_browsers!(
    a_background_ended_in_its_first_moment_comes_back,
    background_ended_at_the_browsers_start_comes_back,
    background_ended_right_after_an_update_comes_back,
    background_ended_repeatedly_after_an_update_comes_back,
    background_ended_repeatedly_after_installation_comes_back,
    background_ended_repeatedly_at_the_browsers_start_comes_back,
    first_pages_are_captured_before_the_policy_is_known,
);

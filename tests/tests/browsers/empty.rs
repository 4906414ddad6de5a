//! Why the panel's list is empty, in each way that there is: what it says, and what a press does.
//!
//! Each state leaves pictures in `target/panel/`, for people to look at.

use std::fs;

use anyhow::{Result, ensure};
use lab::{
    Rig,
    browser::{Browser, Key, Kind, Page},
    pages::{look_at, popup, words},
    panel::Panel,
};
use serde_json::Value;

const WRITER: &str = "/writer/";

/// Waits until the list is empty for this reason, and looks at that, wide and narrow.
fn looks(panel: &Panel<'_>, why: &str) -> Result<()> {
    is(panel, why)?;
    let browser = panel.page.kind().name();
    for (name, width) in [("narrow-empty", 400), ("empty", 1280)] {
        panel.page.resize(width, 700)?;
        panel.fits()?;
        panel.picture(&format!("{name}-{why}-{browser}"))?;
        panel.accessible()?;
    }
    is(panel, why)
}

/// Waits until the list is empty for this reason.
fn is(panel: &Panel<'_>, why: &str) -> Result<()> {
    panel.wait_for(&format!("$('[data-why={why}] h2') !== null"))
}

/// Runs a command of the palette.
fn command(panel: &Panel<'_>, name: &str) -> Result<()> {
    panel.page.press_with_control(Key::Character('k'))?;
    panel.wait_for("document.activeElement === $('.palette input')")?;
    panel.write(".palette input", name)?;
    panel.wait_for(&format!("$('.palette li')?.textContent === {name:?}"))?;
    panel.page.press(Key::Enter)?;
    panel.wait_for("$('.palette') === null")
}

/// A site's page, captured, and the panel that inspects it.
fn quiet<'b>(rig: &Rig, browser: &'b Browser) -> Result<(Page<'b>, Panel<'b>)> {
    let url = rig.site.url(WRITER);
    let page = browser.open(&url)?;
    let panel = Panel::of(browser, &url)?;
    is(&panel, "quiet")?;
    Ok((page, panel))
}

fn an_empty_list_says_why_and_what_to_press(kind: Kind) -> Result<()> {
    let rig = Rig::without_consent(kind)?;
    let browser = rig.browser_at_once(false)?;
    let url = rig.site.url(WRITER);
    let page = browser.open(&url)?;
    let panel = Panel::open(&browser, "")?;
    looks(&panel, "no-site")?;
    panel.page.close()?;

    // A page of a site that is not enabled, open already; then it is, and its writes come.
    let panel = Panel::of(&browser, &url)?;
    looks(&panel, "site")?;
    ensure!(panel.text(".empty h2")?.starts_with(&rig.site.origin()));
    panel.press("Capture this site")?;
    looks(&panel, "late")?;
    page.evaluate("put('first', 1)")?;
    panel.wait_for(
        "$('.row .key') !== null && $$('.row').some((row) => row.textContent.includes('\"first\"'))",
    )?;
    panel.wait_for("$$('.row .from span').some((from) => from.title.includes('captured after'))")?;
    rig.settled(&page)?;
    panel.page.close()?;

    let panel = Panel::open(&browser, "?origin=null")?;
    looks(&panel, "no-page")?;
    assert_eq!(panel.text(".chips .term")?, "");
    panel.page.close()?;

    // Enabled by the configuration, which grants nothing.
    configure(&rig, "origins = []", "origins = [\"http://site.test\"]")?;
    rig.relay.kill_host()?;
    let panel = Panel::open(&browser, "?origin=http://site.test")?;
    looks(&panel, "permission")
}

fn configure(rig: &Rig, from: &str, to: &str) -> Result<()> {
    let path = rig.relay.config();
    let text = fs::read_to_string(&path)?;
    ensure!(text.contains(from), "the configuration has no {from}");
    fs::write(path, text.replace(from, to))?;
    Ok(())
}

fn without_a_host_the_panel_says_how_to_install_one(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let manifest = rig.relay.manifest();
    let known = fs::read_to_string(&manifest)?;
    fs::remove_file(&manifest)?;
    let browser = rig.browser_at_once(false)?;
    let panel = Panel::open(&browser, "")?;
    looks(&panel, "host")?;
    let command = format!("idb-relay install --browser {}", kind.name());
    assert_eq!(panel.copied(".command button")?, command);

    // A recording opens all the same.
    let event = r#"{"op":"c","key":1,"before":null,"after":{"a":1},"ts_ms":1767225600000,"source":{"version":"0","browser":"b","profile":"p","origin":"http://localhost:1","bucket":"","database":"shop","database_version":1,"store":"orders","context":"c","sequence":1,"snapshot":false}}"#;
    panel.import("mine.ndjson", &format!("{event}\n"))?;
    panel.wait_for_lines(1)?;
    panel.click(".row")?;
    panel.wait_for("/a:\\s+1/.test($('.tree').textContent)")?;
    panel.picture(&format!("recording-{}", kind.name()))?;
    panel.accessible()?;
    panel.page.close()?;

    // A host of another version: it says hello, and no more is needed to be turned away.
    let directory = rig.relay.config();
    let other = directory.with_file_name("other-version.sh");
    let hello = r#"{"hello":{"protocol":999,"version":"9.9.0","origins":[],"redact":[]}}"#;
    fs::write(
        &other,
        format!(
            "#!/bin/sh\nprintf '\\{:03o}\\000\\000\\000%s' '{hello}'\nexec cat > /dev/null\n",
            hello.len()
        ),
    )?;
    fs::set_permissions(&other, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    let mut versions: Value = serde_json::from_str(&known)?;
    versions["path"] = other.display().to_string().into();
    fs::write(&manifest, versions.to_string())?;
    let panel = Panel::open(&browser, "")?;
    panel.wait_for("$('[data-why=versions] h2')?.textContent.includes('9.9.0')")?;
    ensure!(panel.text(".empty")?.contains("Update the extension"));
    ensure!(panel.text(".empty")?.contains("until the versions match"));
    looks(&panel, "versions")
}

/// Presses what the empty list offers, and sees that the page is captured.
fn loads_again(rig: &Rig, page: &Page<'_>, panel: &Panel<'_>) -> Result<()> {
    panel.press("Reload the page")?;
    is(panel, "quiet")?;
    page.wait_for("typeof put === 'function'")?;
    page.evaluate("put('a', 1)")?;
    panel.wait_for_lines(2)?;
    rig.settled(page).map(drop)
}

/// A page that was turned away is captured once it is loaded again, and so it is said.
fn a_site_that_is_switched_off_and_on_takes_a_load(kind: Kind) -> Result<()> {
    let rig = Rig::without_consent(kind)?;
    let browser = rig.browser_at_once(false)?;
    let url = rig.site.url(WRITER);
    let page = browser.open(&url)?;
    let panel = Panel::of(&browser, &url)?;
    is(&panel, "site")?;
    panel.press("Capture this site")?;
    is(&panel, "late")?;
    command(&panel, "Stop capturing this site")?;
    is(&panel, "site")?;
    panel.press("Capture this site")?;
    looks(&panel, "refused")?;
    // Until the background knows that the site is on again, the page is one that is not captured.
    panel.wait_for("$('.empty h2').textContent.includes('from its next load on')")?;
    let popup = popup(&browser, &url)?;
    words(&popup, "what is open here is not captured")?;
    popup.wait_for("document.getElementById('remark').textContent.includes('from its next load on')")?;
    look_at(&popup, &format!("popup-refused-{}", kind.name()))?;
    loads_again(&rig, &page, &panel)
}

/// Where the browser shows an error of its own there is nothing of ours in the page.
fn a_page_that_could_not_be_loaded_is_captured_from_the_next_load_on(kind: Kind) -> Result<()> {
    let mut rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let (page, panel) = quiet(&rig, &browser)?;
    let popup = popup(&browser, &rig.site.url(WRITER))?;
    rig.site.stop();
    command(&panel, "Reload the page")?;
    looks(&panel, "unhooked")?;
    words(&popup, "Captured from the next load on")?;
    look_at(&popup, &format!("popup-unhooked-{}", kind.name()))?;
    rig.site.restart()?;
    loads_again(&rig, &page, &panel)
}

fn paused_capture_goes_on_from_the_empty_list(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let (page, panel) = quiet(&rig, &browser)?;
    panel.press("Pause capture")?;
    looks(&panel, "paused")?;
    page.evaluate("put('a', 1)")?;
    panel.wait_for("/[1-9] deliver(y waits|ies wait) until/.test($('.empty').textContent)")?;
    panel.click(".empty .primary")?;
    panel.wait_for_lines(2)?;
    rig.settled(&page).map(drop)
}

fn a_recording_without_an_event_says_so(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let (page, panel) = quiet(&rig, &browser)?;
    panel.import("nothing.ndjson", "\n")?;
    looks(&panel, "recording")?;
    ensure!(panel.text(".empty h2")?.starts_with("nothing.ndjson"));
    panel.click(".empty .primary")?;
    is(&panel, "quiet")?;
    page.evaluate("put('a', 1)")?;
    panel.wait_for_lines(2)
}

/// A filter looks at much a stretch a frame. The frames are held back here, for as long as it takes
/// to look.
fn a_filter_that_is_still_looking_says_so(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let (_page, panel) = quiet(&rig, &browser)?;
    let event = r#"{"op":"c","key":1,"before":null,"after":"VALUE","ts_ms":1767225600000,"source":{"version":"0","browser":"b","profile":"p","origin":"http://localhost:1","bucket":"","database":"shop","database_version":1,"store":"orders","context":"c","sequence":1,"snapshot":false}}"#;
    let event = event.replace("VALUE", &"x".repeat(100_000));
    panel.import("large.ndjson", &format!("{event}\n").repeat(60))?;
    panel.wait_for("$('.count').textContent.startsWith('60 events')")?;
    panel.evaluate(
        "void ((window.held = []), (window.wait = requestAnimationFrame), (window.requestAnimationFrame = (frame) => held.push(frame)))",
    )?;
    panel.filter("nothing")?;
    panel.wait_for("held.length === 1")?;
    panel.evaluate("void held.shift()()")?;
    looks(&panel, "looking")?;
    panel.evaluate(
        "void ((window.requestAnimationFrame = wait), held.forEach((frame) => requestAnimationFrame(frame)))",
    )?;
    looks(&panel, "filter")?;
    // The panel shows the whole recording, regardless of the inspected site.
    ensure!(!panel.text(".empty")?.contains("site"));
    panel.click(".empty .primary")?;
    panel.wait_for("$('.empty') === null && $$('.row').length > 0")
}

lab::in_both_browsers!(
    a_filter_that_is_still_looking_says_so,
    a_page_that_could_not_be_loaded_is_captured_from_the_next_load_on,
    a_recording_without_an_event_says_so,
    a_site_that_is_switched_off_and_on_takes_a_load,
    an_empty_list_says_why_and_what_to_press,
    paused_capture_goes_on_from_the_empty_list,
    without_a_host_the_panel_says_how_to_install_one,
);

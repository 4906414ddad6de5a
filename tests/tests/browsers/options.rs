//! The options page: what is captured, what is redacted, and a look at it before it counts.

use anyhow::{Context as _, Result, ensure};
use lab::{
    Rig,
    browser::{Kind, Page},
    pages::{button, look_at, options},
};
use serde_json::json;

/// Writes into a field as a person does.
fn write(page: &Page<'_>, id: &str, text: &str) -> Result<()> {
    page.evaluate(&format!(
        "void ((field) => {{ field.value = {text:?}; field.dispatchEvent(new Event('input', {{ bubbles: true }})); }})(document.getElementById({id:?}))"
    ))?;
    Ok(())
}

fn press(page: &Page<'_>, label: &str) -> Result<()> {
    let button = format!(
        "[...document.querySelectorAll('button')].find((button) => !button.hidden && (button.ariaLabel ?? button.textContent).includes({label:?}))"
    );
    page.wait_for(&format!("{button} !== undefined"))?;
    page.evaluate(&format!("void {button}.click()"))?;
    Ok(())
}

fn shows(page: &Page<'_>, id: &str, part: &str) -> Result<()> {
    page.wait_for(&format!(
        "document.getElementById({id:?}).textContent.includes({part:?})"
    ))
}

fn shows_no(page: &Page<'_>, id: &str, part: &str) -> Result<()> {
    page.wait_for(&format!(
        "!document.getElementById({id:?}).textContent.includes({part:?})"
    ))
}

fn a_rule_is_tried_then_holds(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url("/writer/"))?;
    let options = options(&browser)?;
    shows(&options, "rules", "Nothing is redacted")?;
    shows(&options, "sites", "host's configuration")?;
    shows(&options, "after", "correct horse")?;
    shows(&options, "after-words", "Leaves as it is")?;

    // Each letter counts at once.
    write(&options, "rule-fields", "/password\n/cards/*/number")?;
    shows_no(&options, "after", "correct horse")?;
    shows_no(&options, "after", "4242")?;
    shows(&options, "after-words", "Redacted")?;
    write(&options, "rule-how", "hash")?;
    write(&options, "rule-fields", "/mail")?;
    shows(&options, "after", "hash-")?;
    shows(&options, "after-key", "hash-")?;
    shows_no(&options, "after", "ann@example.org")?;
    look_at(&options, &format!("options-preview-{}", kind.name()))?;
    write(&options, "rule-fields", "mail")?;
    shows(&options, "rule-error", "no JSON Pointer")?;
    press(&options, "Add rule")?;
    shows(&options, "rules", "Nothing is redacted")?;
    look_at(&options, &format!("options-mistake-{}", kind.name()))?;
    write(&options, "sample", "{")?;
    write(&options, "rule-fields", "/secret")?;
    shows(&options, "sample-error", "not JSON")?;

    // A saved rule applies to every later event.
    write(&options, "rule-how", "mask")?;
    write(&options, "rule-database", "writer")?;
    press(&options, "Add rule")?;
    shows(&options, "rules", "/secret")?;
    page.evaluate("put('a', { secret: 'hush', open: 1 })")?;
    let last = |count| {
        let events = rig.stream_of(count)?;
        anyhow::Ok(events.last().context("events")?.line())
    };
    assert_eq!(last(2)?, r#"c writer/items "a" {"open":1,"secret":"***"}"#);

    press(&options, "Change the rule")?;
    ensure!(options.evaluate("document.getElementById('rule-database').value")? == json!("writer"));
    ensure!(options.evaluate("document.activeElement.id")? == json!("rule-fields"));
    write(&options, "rule-how", "drop")?;
    press(&options, "Save rule")?;
    shows(&options, "rules", "drop")?;
    page.evaluate("put('b', { secret: 'hush', open: 2 })")?;
    lab::wait::until("a dropped field", lab::wait::PATIENCE, || {
        let lines: Vec<String> = rig.stream()?.iter().map(lab::observe::Event::line).collect();
        Ok(
            if lines.contains(&r#"c writer/items "b" {"open":2}"#.to_owned()) {
                lab::wait::Seen::Ready(())
            } else {
                lab::wait::Seen::Not(lines.join("\n"))
            },
        )
    })?;
    look_at(&options, &format!("options-rules-{}", kind.name()))?;
    options.reload()?;
    shows(&options, "rules", "drop")?;
    press(&options, "Remove the rule")?;
    shows(&options, "rules", "Nothing is redacted")?;
    Ok(())
}

fn sites_come_and_go(kind: Kind) -> Result<()> {
    let rig = Rig::without_consent(kind)?;
    let browser = rig.browser_at_once(false)?;
    let page = browser.open(&rig.site.url("/writer/"))?;
    let options = options(&browser)?;
    shows(&options, "sites", "No site is captured")?;
    write(&options, "site-origin", "localhost")?;
    press(&options, "Capture this site")?;
    shows(&options, "site-error", "write the whole origin")?;

    write(&options, "site-origin", &rig.site.origin())?;
    press(&options, "Capture this site")?;
    shows(&options, "sites", &rig.site.origin())?;
    page.reload()?;
    page.evaluate("put('a', 1)")?;
    rig.settled(&page)?;

    // A site that needs a permission, which the test does not grant.
    write(&options, "site-origin", "https://shop.example")?;
    press(&options, "Capture this site")?;
    shows(&options, "sites", "permission missing")?;
    button(&options, "!", "permission")?;
    look_at(&options, &format!("options-sites-{}", kind.name()))?;
    press(&options, "Remove https://shop.example")?;
    shows_no(&options, "sites", "shop.example")?;
    button(&options, "", "idb-relay")?;

    press(&options, "Back to the defaults")?;
    shows(&options, "reset-words", "1 site and 0 rules")?;
    shows(&options, "sites", &rig.site.origin())?;
    press(&options, "Really forget them")?;
    shows(&options, "sites", "No site is captured")?;
    Ok(())
}

lab::in_both_browsers!(a_rule_is_tried_then_holds, sites_come_and_go);

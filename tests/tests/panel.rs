//! The inspector's panel, in real browsers, with what really happens.

use anyhow::{Result, ensure};
use lab::{
    Rig,
    browser::{Key, Kind},
    panel::Panel,
};
use serde_json::json;

fn each_write_is_shown_on_its_way(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let url = rig.site.url("/shop/");
    let page = browser.open(&url)?;
    page.wait_for("window.demo !== undefined")?;
    let panel = Panel::of(&browser, &url)?;
    panel.wait_for("$$('.row').length > 0")?;
    page.evaluate("demo.drive(5)")?;
    panel.wait_for("$$('.row').length > 20")?;
    panel.page.resize(1280, 800)?;
    panel.wait_for("$$('.row [data-stage=memcached]').every((stage) => stage.dataset.state === 'passed')")?;
    panel.picture(&format!("feed-{}", kind.name()))?;
    panel.evaluate("$$('.row').at(-5).click()")?;
    panel.wait_for("$('.details .places .verdict') !== null")?;
    panel.picture(&format!("details-{}", kind.name()))?;
    panel.page.resize(400, 700)?;
    panel.picture(&format!("narrow-details-{}", kind.name()))?;
    panel.page.press(Key::Escape)?;
    panel.wait_for("$('.details') === null")?;
    panel.picture(&format!("narrow-{}", kind.name()))?;
    panel.page.resize(1280, 800)?;
    panel.press("Stores")?;
    panel.wait_for("$$('.stores tbody tr').length > 0")?;
    panel.picture(&format!("stores-{}", kind.name()))?;
    panel.page.press_with_control(Key::Character('k'))?;
    panel.picture(&format!("palette-{}", kind.name()))?;
    panel.page.press(Key::Escape)?;
    panel.page.press(Key::Character('?'))?;
    panel.picture(&format!("help-{}", kind.name()))?;
    ensure!(json!(1) == 1);
    Ok(())
}

lab::in_both_browsers!(each_write_is_shown_on_its_way,);

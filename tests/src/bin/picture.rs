//! `cargo xtask picture`: the panel's pictures for the README, of a real run: a scripted customer
//! in the sample shop, through the real host to real servers.

use std::fs;

use anyhow::{Context as _, Result};
use lab::{Rig, browser::Kind, directories, panel::Panel};

fn main() -> Result<()> {
    let rig = Rig::new(Kind::Chromium)?;
    let browser = rig.browser()?;
    let url = rig.site.url("/shop/");
    let page = browser.open(&url)?;
    page.wait_for("window.demo !== undefined")?;
    // A host that has just begun lets what another may have sent before it run out.
    rig.settled(&page)?;
    let panel = Panel::of(&browser, &url)?;
    panel.page.resize(1280, 640)?;
    page.evaluate("demo.drive(250)")?;
    rig.settled(&page)?;
    panel.wait_for(
        "$$('.row').length > 10 && $$('.row [data-stage=memcached]').every((stage) => stage.dataset.state === 'passed')",
    )?;
    panel.evaluate("$$('.row').findLast((row) => row.textContent.includes('orders') && row.querySelector('.op').dataset.op === 'u').click()")?;
    panel.wait_for("$('.details .verdict')?.dataset.state === 'ok'")?;
    let docs = directories::tests_directory()
        .parent()
        .context("the tests lie in the tree")?
        .join("docs");
    for (theme, name) in [("light", "panel.png"), ("dark", "panel-dark.png")] {
        panel.theme(theme)?;
        fs::write(docs.join(name), panel.page.screenshot()?)?;
    }
    browser.quit()
}

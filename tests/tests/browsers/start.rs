//! The first moments of a browser, and of an extension that was just installed.

use anyhow::Result;
use lab::{
    Rig,
    browser::Kind,
    wait::{self, PATIENCE, Seen},
};

const PAGE: &str = "/writer/";

/// Nothing is registered yet that could wake it: its end comes as soon as it is there.
fn a_background_ended_in_its_first_moment_comes_back(kind: Kind) -> Result<()> {
    let rig = Rig::on_empty_profile(kind)?;
    let browser = rig.browser_at_once(false)?;
    wait::until("a background to end", PATIENCE, || {
        Ok(if browser.end_running_background()? {
            Seen::Ready(())
        } else {
            Seen::Not("none runs".to_owned())
        })
    })?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("put('after', 1)")?;
    rig.settled(&page).map(drop)
}

lab::in_both_browsers!(a_background_ended_in_its_first_moment_comes_back);

//! Four tabs with frames that upgrade, fill and delete the same databases against each other.

use anyhow::Result;
use lab::{Rig, browser::Kind};
use serde_json::json;

const PAGE: &str = "/churn/";

/// Each open waits for those before it, in whichever tab they are, and ours are among them.
fn tabs_answer_while_they_upgrade_and_delete(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let mut tabs = Vec::new();
    for _ in 0..4 {
        let tab = browser.open(&rig.site.url(PAGE))?;
        tab.evaluate("addFrames(2)")?;
        tabs.push(tab);
    }
    for tab in &tabs {
        tab.evaluate("void start(3, 3)")?;
    }
    for tab in &tabs {
        assert_eq!(tab.evaluate("1 + 1")?, json!(2));
    }
    for tab in &tabs {
        tab.evaluate("over.then(() => {})")?;
    }
    rig.settled(&tabs[0]).map(drop)
}

lab::in_both_browsers!(tabs_answer_while_they_upgrade_and_delete);

//! Names that a page made up to mislead: in the panel none changes the direction of what stands
//! beside it, and no command that is copied does anything else than it says.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use lab::{Rig, browser::Kind, panel::Panel};
use serde_json::json;

/// Turns what follows round, begins a line, ends the quotes, and looks like an option.
const NAME: &str = "-\u{202e}\nit's $(touch made) \u{5d0}\u{5d1} 9";

fn names_keep_to_themselves_in_the_panel(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let url = rig.site.url("/blank/");
    let page = browser.open(&url)?;
    let name = serde_json::to_string(NAME)?;
    page.evaluate(&format!(
        "new Promise((resolve, reject) => {{
          const open = indexedDB.open({name}, 1);
          // Too large for the feed, so that the panel names a command that prints it.
          open.onupgradeneeded = () => open.result.createObjectStore({name}).put('x'.repeat(200_000), {name});
          open.onsuccess = () => {{ open.result.close(); resolve(true); }};
          open.onerror = () => reject(open.error);
        }})"
    ))?;
    let panel = Panel::of(&browser, &url)?;
    panel.page.resize(1280, 700)?;
    panel.wait_for("$$('.row .op').some((op) => op.textContent === 'create')")?;
    let isolated = |selector: &str| -> Result<()> {
        let found = panel.evaluate(&format!(
            "$$({selector:?}).map((element) => getComputedStyle(element).unicodeBidi)"
        ))?;
        let found = found.as_array().context("a list")?;
        ensure!(!found.is_empty(), "nothing is {selector}");
        ensure!(
            found.iter().all(|style| style == "isolate"),
            "{selector}: {found:?}"
        );
        Ok(())
    };
    for selector in [".row .name", ".row .key", ".row .preview"] {
        isolated(selector)?;
    }
    // What follows a name is drawn behind it.
    let drawn = panel.evaluate(
        "(() => { const row = $$('.row').find((row) => row.querySelector('.op').textContent === 'create'); \
         const [database, store] = row.querySelectorAll('.name'); \
         return database.getBoundingClientRect().right <= store.getBoundingClientRect().left + 1; })()",
    )?;
    assert_eq!(
        drawn,
        json!(true),
        "the store's name is drawn behind the database's"
    );
    panel.evaluate("$$('.row').find((row) => row.querySelector('.op').textContent === 'create').click()")?;
    panel.wait_for("$('.details h2') !== null")?;
    isolated(".details header .name")?;
    isolated(".details code")?;
    panel.wait_for("$$('.details code').some((code) => code.textContent.startsWith('idb-relay get'))")?;
    let command = panel.evaluate(
        "$$('.details code').find((code) => code.textContent.startsWith('idb-relay get')).textContent",
    )?;
    let command = command.as_str().context("a text")?;
    ensure!(!command.contains(protocol::shown::is_hidden), "{command:?}");
    // A shell does what the command says, and nothing else.
    let directory = tempfile::tempdir()?;
    let program = rig.relay.host().display().to_string();
    let mut shell = Command::new("bash");
    shell
        .args(["-c", &command.replacen("idb-relay", &program, 1)])
        .current_dir(directory.path())
        .env_clear()
        .envs(rig.relay.environment())
        .env("HOME", rig.profile.home())
        .env("IDB_RELAY_CONFIG", rig.relay.config());
    let output = shell.output()?;
    let printed = String::from_utf8(output.stdout)?;
    ensure!(
        printed.trim_end() == format!("\"{}\"", "x".repeat(200_000)),
        "{command}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    ensure!(!directory.path().join("made").exists(), "{command}");

    panel.press("Stores")?;
    panel.wait_for("$('.stores tbody .name') !== null")?;
    isolated(".stores tbody .name")
}

lab::in_both_browsers!(names_keep_to_themselves_in_the_panel,);

//! The tests of the extension's views (`#[wasm_bindgen_test]`), run where views live: in the
//! documents of a real browser.
//!
//! They are compiled with their crates ([`artifacts::views`]) and need neither extension nor host.
//! The page that runs them lies in `tests/views/`; each test has a document of its own, so that
//! none finds what another left, a panic included.

use anyhow::{Result, bail, ensure};
use serde::Deserialize;

use crate::{
    artifacts,
    browser::{Kind, Launch, Profile},
    site::Site,
};

/// How a test ended.
#[derive(Debug, Deserialize)]
struct End {
    passed: bool,
    /// What the test's harness wrote, a panic's message among it.
    said: String,
}

/// Runs all tests of one of the extension's crates, named by its directory. The error has what each
/// one that failed said. That there is none is an error, too.
pub fn pass(kind: Kind, directory: &str) -> Result<()> {
    let site = Site::of(artifacts::views()?)?;
    let profile = Profile::new(kind)?;
    let browser = profile.start(&Launch::default())?;
    let page = browser.open(&site.url("/"))?;
    page.resize(1280, 800)?;
    let tests: Vec<String> = serde_json::from_value(page.evaluate(&format!("tests({directory:?})"))?)?;
    ensure!(!tests.is_empty(), "no test was found in extension/{directory}");
    let mut failed = Vec::new();
    for test in &tests {
        let end: End = serde_json::from_value(page.evaluate(&format!("run({directory:?}, {test:?})"))?)?;
        if !end.passed {
            failed.push(format!("{}\n{}", name(test), end.said));
        }
    }
    if !failed.is_empty() {
        bail!(
            "{} of {} tests of extension/{directory} failed in {}:\n\n{}",
            failed.len(),
            tests.len(),
            kind.name(),
            failed.join("\n\n")
        );
    }
    Ok(())
}

/// The test's name in its crate, out of the one that the module exports.
fn name(export: &str) -> &str {
    export.split_once("::").map_or(export, |(_, name)| name)
}

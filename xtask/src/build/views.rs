//! The tests of the extension's views as WASM, laid out so that a browser can run them:
//! `target/views/`. Nothing of them is in the extension.
//!
//! `tests/views/` holds the page that runs them, `tests/src/views.rs` opens it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use wasm_bindgen_cli_support::Bindgen;

use super::{copy, target_directory, wasm::TARGET};
use crate::run;

/// The crates that have such tests, by their directories in `extension/`, all in `tests/views/`.
const CRATES: [(&str, &str); 2] = [("pages", "idb-relay-pages"), ("panel", "idb-relay-panel")];

/// What cargo calls the tests, and what their files are called.
const TESTS: &str = "views";

/// Builds them.
pub fn build(root: &Path) -> Result<()> {
    let mut cargo = run::cargo(root);
    cargo.args(["test", "--no-run", "--test", TESTS, "--target", TARGET]);
    cargo.args(CRATES.map(|(_, package)| format!("--package={package}")));
    cargo.arg("--message-format=json-render-diagnostics");
    let output = run::read("Building the tests of views", cargo)?;

    let views = target_directory(root).join("views");
    if views.exists() {
        fs::remove_dir_all(&views).with_context(|| format!("cannot clear {}", views.display()))?;
    }
    copy(&root.join("tests/views"), &views)?;
    let built: Vec<_> = output.lines().filter_map(executable).collect();
    for (directory, package) in CRATES {
        let manifest = root.join("extension").join(directory).join("Cargo.toml");
        let test = built.iter().find(|(of, _)| *of == manifest);
        let (_, test) = test.with_context(|| format!("cargo built no tests of {package}"))?;
        bindings(test, &views.join(directory))?;
    }
    ensure!(
        built.len() == CRATES.len(),
        "cargo built other tests, too: {built:?}"
    );
    Ok(())
}

/// Of a message of cargo that it has built a test: the manifest of the crate, and the file.
fn executable(message: &str) -> Option<(PathBuf, PathBuf)> {
    let message: Value = serde_json::from_str(message).ok()?;
    if message["target"]["name"] != TESTS {
        return None;
    }
    Some((
        message["manifest_path"].as_str()?.into(),
        message["executable"].as_str()?.into(),
    ))
}

fn bindings(test: &Path, directory: &Path) -> Result<()> {
    Bindgen::new()
        .input_path(test)
        .out_name(TESTS)
        .web(true)
        // The main function is that of Rust's own harness, which can't run here.
        .and_then(|bindgen| {
            bindgen
                .typescript(false)
                .keep_debug(false)
                .emit_start(false)
                .generate(directory)
        })
        .with_context(|| format!("cannot make the bindings of {}", test.display()))
}

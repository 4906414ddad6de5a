//! `cargo xtask test`: formatting, lints, unit tests, browser tests.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::Result;

use crate::{
    build, deny, lab,
    machine::{self, Need},
    run,
};

/// The crates that are compiled to WebAssembly, and so are checked apart from the rest.
const EXTENSION: [&str; 3] = ["idb-relay-extension", "idb-relay-pages", "idb-relay-panel"];

/// Runs everything; with filters only the tests that they name.
pub fn test(root: &Path, filters: &[String]) -> Result<()> {
    machine::ensure(&[
        Need::WasmTarget,
        Need::Linters,
        Need::Chromium,
        Need::Firefox,
        Need::Redis,
        Need::Memcached,
        Need::Node,
        Need::Python,
    ])?;
    lab::packages(root, "tests/sites")?;
    lab::packages(root, "tests/peer")?;
    if filters.is_empty() {
        lint(root)?;
    }
    build::build(root, false)?;
    build::views(root)?;
    let mut tests = if has_nextest() {
        let mut tests = run::cargo(root);
        tests
            .args(["nextest", "run", "--workspace", "--no-fail-fast"])
            .args(
                filters
                    .iter()
                    .flat_map(|text| ["-E".to_owned(), named(root, text)]),
            );
        tests
    } else {
        let mut tests = run::cargo(root);
        // Two browsers at a time is what .config/nextest.toml allows, too.
        tests
            .args(["test", "--workspace", "--no-fail-fast", "--", "--test-threads=2"])
            .args(filters);
        tests
    };
    lab::with_browsers(&mut tests);
    run::visibly("Testing", tests)
}

fn lint(root: &Path) -> Result<()> {
    deny::check(root)?;

    let mut format = run::cargo(root);
    format.args(["fmt", "--all", "--check"]);
    run::visibly("Checking the formatting", format)?;

    let mut native = run::cargo(root);
    native.args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ]);
    run::visibly("Linting what runs on this machine", native)?;

    let mut extension = run::cargo(root);
    extension
        .args([
            "clippy",
            "--lib",
            "--test",
            "views",
            "--target",
            "wasm32-unknown-unknown",
        ])
        .args(EXTENSION.map(|package| format!("--package={package}")))
        .args(["--", "--deny", "warnings"]);
    run::visibly("Linting the extension", extension)?;

    let mut page = Command::new("node");
    page.current_dir(root)
        .args(["tests/sites/node_modules/typescript/bin/tsc", "--project"])
        .arg("extension/page");
    run::visibly("Checking the types of the page scripts", page)
}

/// Nextest's expression for the tests whose name, or whose file's name in `tests/tests/`, contains a text.
fn named(root: &Path, text: &str) -> String {
    // Nextest refuses expressions about files that are not there.
    let is_file = root.join("tests/tests").read_dir().is_ok_and(|files| {
        files.flatten().any(|file| {
            file.file_name()
                .to_string_lossy()
                .trim_end_matches(".rs")
                .contains(text)
        })
    });
    if is_file {
        format!("test(~{text}) | binary(~{text})")
    } else {
        format!("test(~{text})")
    }
}

/// Whether cargo-nextest is there; a toolchain from rustup alone has only `cargo test`.
fn has_nextest() -> bool {
    Command::new("cargo")
        .args(["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

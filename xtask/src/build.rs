//! Building the host and the unpacked extensions.
//!
//! The extension is three WASM modules (the background, the popup with the options page, and the
//! panel), the page scripts, a few files as they are and a manifest each:
//! `target/extension/chromium` and `target/extension/firefox` can be loaded by the browsers as they
//! stand; so can `target/extension/chromium-deep`, which may hook workers by the debugger.
//!
//! # Layout
//!
//! - [`manifest`]: one base, a small overlay a browser.
//! - [`content`]: the page scripts out of their modules.
//! - [`views`]: the tests of the extension's views, which a browser runs.
//! - [`wasm`]: the Rust side of the extension.

mod content;
mod manifest;
mod views;
pub(crate) mod wasm;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{deny::notices, run};

/// The builds of the extension, by their directories.
const BUILDS: [Build; 3] = [
    Build {
        name: "chromium",
        browser: "chromium",
        overlay: None,
    },
    // Chromium refuses this permission as an optional one.
    Build {
        name: "chromium-deep",
        browser: "chromium",
        overlay: Some("debugger"),
    },
    Build {
        name: "firefox",
        browser: "firefox",
        overlay: None,
    },
];

/// An unpacked extension.
struct Build {
    /// Its directory.
    name: &'static str,
    browser: &'static str,
    /// What else is laid over the browser's manifest: `manifests/extension.<overlay>.json`.
    overlay: Option<&'static str>,
}

/// What the extension's own pages consist of besides the WASM, in `extension/ui`.
const PAGES: [&str; 11] = [
    "devtools.html",
    "devtools.js",
    "options.html",
    "options.js",
    "pages.css",
    "panel.css",
    "panel.html",
    "panel.js",
    "popup.html",
    "popup.js",
    "revive.js",
];

/// What the background's JavaScript consists of, in `extension`.
const BACKGROUND: [&str; 5] = [
    "background.js",
    "background/deep_capture.js",
    "background/owners.js",
    "background/restart.js",
    "background/routes.js",
];

/// What hooks workers in Firefox, in `extension`.
const WORKER_SCRIPTS: [&str; 2] = ["background/script_start.js", "background/worker_scripts.js"];

/// Builds everything that the demo, the benchmarks and most tests run.
pub fn build(root: &Path, release: bool) -> Result<()> {
    host(root, release)?;
    extension(root, release)
}

/// Builds the unpacked extensions.
pub fn extension(root: &Path, release: bool) -> Result<()> {
    let target = target_directory(root);
    let modules = wasm::build(root, &target, release)?;
    let others = notices::notices(root, &wasm::packages())?;
    for build in BUILDS {
        let directory = target.join("extension").join(build.name);
        assemble(root, &build, &modules, &directory)?;
        write(&directory.join(notices::FILE), &others)?;
        run::announce(&format!("{} is ready", directory.display()));
    }
    Ok(())
}

/// A page script for a browser, by the name of its file.
pub fn page_script(root: &Path, name: &str, browser: &str) -> Result<String> {
    let script = content::SCRIPTS.iter().find(|script| script.name == name);
    let script = script.with_context(|| format!("there is no script {name}"))?;
    script.text(&root.join("extension/content"), browser)
}

/// Builds the tests of the extension's views.
pub fn views(root: &Path) -> Result<()> {
    views::build(root)
}

/// The Rust target of the host for Windows.
pub const WINDOWS: &str = "x86_64-pc-windows-gnu";

/// The C compiler that it needs.
pub const WINDOWS_COMPILER: &str = "x86_64-w64-mingw32-gcc";

/// Builds the host for Windows, and the one library that Wine lacks for it.
pub fn windows_host(root: &Path) -> Result<()> {
    let mut cargo = run::cargo(root);
    cargo.args([
        "build",
        "--package",
        "idb-relay",
        "--bin",
        "idb-relay",
        "--target",
        WINDOWS,
    ]);
    // It is run by tests alone: a third of the room, and Wine loads it sooner.
    cargo.env("CARGO_PROFILE_DEV_DEBUG", "0");
    run::visibly("Building the host for Windows", cargo)?;
    let library = target_directory(root)
        .join(WINDOWS)
        .join("debug/bcryptprimitives.dll");
    let mut compiler = Command::new(WINDOWS_COMPILER);
    compiler
        .current_dir(root)
        .args(["-shared", "-o"])
        .arg(library)
        .args(["native-host/tests/windows/prng.c", "-ladvapi32"]);
    run::quietly("Building what Wine lacks", compiler)
}

/// Builds the host alone.
pub fn host(root: &Path, release: bool) -> Result<()> {
    let mut cargo = run::cargo(root);
    cargo.args(["build", "--package", "idb-relay"]);
    if release {
        cargo.arg("--release");
    }
    run::visibly("Building the host", cargo)?;
    let profile = if release { "release" } else { "debug" };
    let others = notices::notices(root, &["idb-relay"])?;
    write(&target_directory(root).join(profile).join(notices::FILE), &others)
}

/// Where cargo puts what it builds.
pub fn target_directory(root: &Path) -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => root.join(directory),
        None => root.join("target"),
    }
}

fn assemble(root: &Path, build: &Build, modules: &[PathBuf], directory: &Path) -> Result<()> {
    if directory.exists() {
        fs::remove_dir_all(directory).with_context(|| format!("cannot clear {}", directory.display()))?;
    }
    let source = root.join("extension");
    write(
        &directory.join("manifest.json"),
        &manifest::manifest(&root.join("manifests"), build.browser, build.overlay)?,
    )?;
    for script in content::SCRIPTS {
        let text = script.text(&source.join("content"), build.browser)?;
        write(&directory.join("content").join(script.name), &text)?;
    }
    fs::create_dir_all(directory.join("background"))?;
    for script in BACKGROUND {
        copy(&source.join(script), &directory.join(script))?;
    }
    if build.browser == "firefox" {
        for script in WORKER_SCRIPTS {
            copy(&source.join(script), &directory.join(script))?;
        }
    }
    copy(&source.join("ui/icons"), &directory.join("icons"))?;
    fs::create_dir_all(directory.join("ui"))?;
    for page in PAGES {
        copy(&source.join("ui").join(page), &directory.join("ui").join(page))?;
    }
    // Chromium's manifest names it; Firefox's policies need none.
    copy(
        &root.join("manifests/managed_schema.json"),
        &directory.join("managed_schema.json"),
    )?;
    for module in modules {
        copy(
            module,
            &directory.join(module.file_name().context("a module has a name")?),
        )?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Copies a file, or a directory with all that is in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let failed = || format!("cannot copy {} to {}", from.display(), to.display());
    if !from.is_dir() {
        return fs::copy(from, to).map(drop).with_context(failed);
    }
    fs::create_dir_all(to).with_context(failed)?;
    for entry in fs::read_dir(from).with_context(failed)? {
        let entry = entry.with_context(failed)?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

//! Where `cargo xtask build` left what the lab runs.

use std::path::PathBuf;

use anyhow::{Result, ensure};

use crate::{
    browser::Kind,
    directories::{profile_directory, target_directory},
};

/// The host binary, built with the same profile as the running program.
pub fn host() -> Result<PathBuf> {
    built(profile_directory()?.join("idb-relay"))
}

/// The unpacked extension for a browser.
pub fn extension(kind: Kind) -> Result<PathBuf> {
    built(target_directory()?.join("extension").join(kind.name()))
}

/// Chromium's extension that may hook workers by the debugger.
pub fn deep_extension() -> Result<PathBuf> {
    built(target_directory()?.join("extension/chromium-deep"))
}

/// The tests of the extension's views, with the page that runs them.
pub fn views() -> Result<PathBuf> {
    built(target_directory()?.join("views"))
}

fn built(path: PathBuf) -> Result<PathBuf> {
    ensure!(
        path.exists(),
        "{} is not there; run `cargo xtask build` first",
        path.display()
    );
    Ok(path)
}

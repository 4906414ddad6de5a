//! Where `cargo xtask build` left what the lab runs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Result, ensure};
use tempfile::TempDir;

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

/// A copy of the unpacked extension for a browser, to be changed.
#[derive(Debug)]
pub struct ExtensionCopy(TempDir);

impl ExtensionCopy {
    /// Makes one.
    pub fn of(kind: Kind) -> Result<Self> {
        let copy = Self(tempfile::tempdir()?);
        copy_directory(&extension(kind)?, &copy.path())?;
        Ok(copy)
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.0.path().join("extension")
    }

    /// Runs a script ahead of the background's own.
    pub fn run_first(&self, script: &str) -> Result<()> {
        fs::write(self.path().join("first.js"), script)?;
        let background = self.path().join("background.js");
        let own = fs::read_to_string(&background)?;
        Ok(fs::write(background, format!("import \"./first.js\";\n{own}"))?)
    }
}

fn copy_directory(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let copy = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_directory(&entry.path(), &copy)?;
        } else {
            fs::copy(entry.path(), copy)?;
        }
    }
    Ok(())
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

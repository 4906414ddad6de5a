//! Where `cargo xtask build` left what the lab runs.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

use crate::browser::Kind;

/// The `tests/` directory of the source tree.
pub fn tests_directory() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The host binary, built with the same profile as the running program.
pub fn host() -> Result<PathBuf> {
    built(profile_directory()?.join("idb-relay"))
}

/// The unpacked extension for a browser.
pub fn extension(kind: Kind) -> Result<PathBuf> {
    built(target_directory()?.join("extension").join(kind.name()))
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

/// `target`.
pub(crate) fn target_directory() -> Result<PathBuf> {
    let profile = profile_directory()?;
    let target = profile
        .parent()
        .context("the build profile's directory has no parent")?;
    Ok(target.to_owned())
}

/// `target/debug` or `target/release`: the running program lies in it, or, if a test, in its
/// `deps`.
fn profile_directory() -> Result<PathBuf> {
    let program = env::current_exe().context("cannot tell where this program lies")?;
    let directory = program.parent().context("this program lies nowhere")?;
    Ok(if directory.ends_with("deps") {
        directory.parent().context("`deps` has no parent")?.to_owned()
    } else {
        directory.to_owned()
    })
}

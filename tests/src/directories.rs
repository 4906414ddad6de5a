//! Where the source tree and what is built from it lie.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// The `tests/` directory of the source tree.
pub fn tests_directory() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
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
pub(crate) fn profile_directory() -> Result<PathBuf> {
    let program = env::current_exe().context("cannot tell where this program lies")?;
    let directory = program.parent().context("this program lies nowhere")?;
    Ok(if directory.ends_with("deps") {
        directory.parent().context("`deps` has no parent")?.to_owned()
    } else {
        directory.to_owned()
    })
}

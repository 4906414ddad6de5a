//! The sources as Mozilla's reviewers get them: what the extension is made of, and how to make the
//! same bytes of it.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result};

use super::files::{self, Files};
use crate::run;

/// How reviewers build; it is the first file of the archive that they look for.
const INSTRUCTIONS: &str = "docs/store/build.md";

/// Where the toolchain is named.
const TOOLCHAIN: &str = "rust-toolchain.toml";

/// Whether these are a checkout; the archive of sources is none.
pub fn is_checkout(root: &Path) -> bool {
    root.join(".git").exists()
}

/// All files under version control, as they are on the disk. The toolchain is named by its version:
/// `stable` is another one later.
pub fn files(root: &Path) -> Result<Files> {
    let mut git = Command::new("git");
    git.current_dir(root).args(["ls-files", "-z"]);
    let listed = run::output(git)?;
    let mut sources = Files::default();
    for path in listed.split_terminator('\0') {
        let file = root.join(path);
        // Removed, and not yet committed so.
        if file.is_file() {
            sources.add_file(path, &file)?;
        }
    }
    let mut rustc = Command::new("rustc");
    rustc.current_dir(root).arg("--version");
    let version = run::output(rustc)?;
    let toolchain = String::from_utf8(files::read(&root.join(TOOLCHAIN))?)?;
    sources.add(TOOLCHAIN, pinned(&toolchain, &version)?);
    let instructions = String::from_utf8(files::read(&root.join(INSTRUCTIONS))?)?;
    sources.add("BUILD.md", instructions.replace("{rustc}", version.trim()));
    Ok(sources)
}

/// The toolchain file with this version of `rustc` in the place of the channel.
fn pinned(toolchain: &str, version: &str) -> Result<String> {
    const CHANNEL: &str = "channel = \"stable\"";
    let number = version.split(' ').nth(1);
    let number = number.with_context(|| format!("{version} names no version"))?;
    anyhow::ensure!(toolchain.contains(CHANNEL), "{TOOLCHAIN} lacks {CHANNEL}");
    Ok(toolchain.replace(CHANNEL, &format!("channel = \"{number}\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_name_the_toolchain_by_its_version() {
        let found = pinned(
            "[toolchain]\nchannel = \"stable\"\n",
            "rustc 1.95.0 (59807616e 2026-04-14)\n",
        );
        assert_eq!(found.expect("pinned"), "[toolchain]\nchannel = \"1.95.0\"\n");
        assert!(pinned("channel = \"nightly\"", "rustc 1.95.0").is_err());
    }

    #[test]
    fn sources_of_this_checkout_are_complete() {
        let root = crate::root().expect("a root");
        if is_checkout(&root) {
            let sources = files(&root).expect("sources");
            let directory = tempfile::tempdir().expect("a directory");
            sources.unpack(directory.path()).expect("unpacked");
            for path in [
                "Cargo.lock",
                "xtask/src/main.rs",
                "extension/content/main/hook.js",
                "BUILD.md",
            ] {
                assert!(directory.path().join(path).is_file(), "{path}");
            }
            assert!(!is_checkout(directory.path()));
        }
    }
}

//! JavaScript and CSS are formatted by Prettier.
//!
//! It is one of the npm packages of `tests/sites`. Without them the rule says so, and finds
//! nothing.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

use super::Finding;
use crate::{build, run};

/// What is run by `node`, relative to the top of the tree.
const PRETTIER: &str = "tests/sites/node_modules/prettier/bin/prettier.cjs";

/// Prettier at work: it takes longer than the other rules together.
pub(super) struct Formatting(Option<Child>);

/// Begins to look for files that are formatted otherwise. Files that have not changed since are not
/// read.
pub(super) fn begin(root: &Path) -> Result<Formatting> {
    if !root.join(PRETTIER).exists() {
        run::announce(
            "The formatting of JavaScript and CSS was not checked: there is no Prettier.\n  \
             fix: `npm ci --prefix tests/sites --ignore-scripts` installs it.",
        );
        return Ok(Formatting(None));
    }
    let cache = build::target_directory(root).join("prettier");
    fs::create_dir_all(&cache).with_context(|| format!("cannot make {}", cache.display()))?;
    let mut node = Command::new("node");
    node.current_dir(root)
        .args([
            PRETTIER,
            "--list-different",
            "--cache",
            "--cache-strategy=content",
        ])
        .arg("--cache-location")
        .arg(cache.join("cache"))
        .args(["extension", "tests"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Ok(Formatting(Some(node.spawn().context("cannot run node")?)))
}

impl Formatting {
    /// What it has found, once it is done.
    pub(super) fn find(self) -> Result<Vec<Finding>> {
        let Some(prettier) = self.0 else {
            return Ok(Vec::new());
        };
        let output = prettier.wait_with_output().context("cannot wait for Prettier")?;
        // 1: files are formatted otherwise. It lists them.
        if !matches!(output.status.code(), Some(0 | 1)) {
            bail!(
                "Prettier failed: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(findings(&String::from_utf8_lossy(&output.stdout)))
    }
}

fn findings(listed: &str) -> Vec<Finding> {
    let files = listed.lines().filter(|line| !line.is_empty());
    let finding = |file: &str| Finding {
        file: file.to_owned(),
        line: 0,
        message: "formatted otherwise".to_owned(),
    };
    files.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_listed_file_is_found() {
        let found = findings("extension/background.js\ntests/sites/shop/style.css\n");
        let files: Vec<&str> = found.iter().map(|finding| &*finding.file).collect();
        assert_eq!(files, ["extension/background.js", "tests/sites/shop/style.css"]);
    }
}

//! The files that the rules read: those that git knows, without what others made.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};

/// What a file is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Rust.
    Rust,
    /// JavaScript.
    JavaScript,
    /// Lua.
    Lua,
    /// TOML.
    Toml,
    /// Markdown.
    Markdown,
    /// HTML and CSS.
    Page,
}

/// A file.
#[derive(Debug)]
pub struct Source {
    /// Relative to the top of the tree, with slashes.
    pub path: String,
    /// What it is written in.
    pub language: Language,
    /// What it holds.
    pub text: String,
}

/// All files.
#[derive(Debug, Default)]
pub struct Sources(pub Vec<Source>);

impl Sources {
    /// Reads all files of the tree that git lists: committed ones and new ones that it does not
    /// ignore.
    pub fn read(root: &Path) -> Result<Self> {
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .context("cannot run git")?;
        ensure!(listed.status.success(), "git ls-files failed: is this a clone?");
        let listed = String::from_utf8(listed.stdout).context("a file's name is not UTF-8")?;
        let mut sources = Vec::new();
        for path in listed.split('\0') {
            let Some(language) = language(path) else {
                continue;
            };
            // A file that git knows may be gone from the working tree.
            if let Ok(text) = fs::read_to_string(root.join(path)) {
                sources.push(Source {
                    path: path.to_owned(),
                    language,
                    text,
                });
            }
        }
        Ok(Self(sources))
    }

    /// Those in one of these languages.
    pub fn of<'a>(&'a self, languages: &'a [Language]) -> impl Iterator<Item = &'a Source> {
        self.0
            .iter()
            .filter(|source| languages.contains(&source.language))
    }
}

fn language(path: &str) -> Option<Language> {
    Some(match path.rsplit_once('.')?.1 {
        "rs" => Language::Rust,
        "js" | "mjs" | "ts" => Language::JavaScript,
        "lua" => Language::Lua,
        "toml" => Language::Toml,
        "md" => Language::Markdown,
        "html" | "css" => Language::Page,
        _ => return None,
    })
}

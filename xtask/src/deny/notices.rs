//! The licence texts of what is linked into the programs that are shipped: `THIRD-PARTY.txt`.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use anyhow::{Context as _, Result, bail};

use super::{
    Lists,
    metadata::{Metadata, Package},
};

/// What the file is called.
pub const FILE: &str = "THIRD-PARTY.txt";

/// What the names of files with a licence in them begin with, in any case.
const FILES: [&str; 6] = [
    "license",
    "licence",
    "copying",
    "copyright",
    "notice",
    "unlicense",
];

/// What tells a licence's file from that of another one, in any case.
const MARKS: [(&str, &str); 6] = [
    ("MIT", "mit"),
    ("Apache-2.0", "apache"),
    ("BSL-1.0", "boost"),
    ("Zlib", "zlib"),
    ("ISC", "isc"),
    ("Unicode-3.0", "unicode"),
];

/// For packages that come without the text of their licence, which is MIT.
const MIT: &str = "\
Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation
files (the \"Software\"), to deal in the Software without restriction, including without limitation the rights to use, copy,
modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software
is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED \"AS IS\", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES
OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE
LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
";

/// The notices for all that is linked into these packages of the workspace, on any system.
pub fn notices(root: &Path, names: &[&str]) -> Result<String> {
    let lists = Lists::read(root)?;
    collect(root, names, &lists, &lists.targets)
}

/// The same for these systems alone.
pub fn notices_for(root: &Path, names: &[&str], targets: &[&str]) -> Result<String> {
    let targets: Vec<String> = targets.iter().map(ToString::to_string).collect();
    collect(root, names, &Lists::read(root)?, &targets)
}

fn collect(root: &Path, names: &[&str], lists: &Lists, targets: &[String]) -> Result<String> {
    let metadata = Metadata::read(root, targets)?;
    // Many packages have the same text.
    let mut texts = BTreeMap::<String, Vec<String>>::new();
    let rust = format!("Copyright (c) The Rust Project Contributors\n\n{MIT}");
    texts.insert(rust, vec!["The Rust standard library (MIT)".to_owned()]);
    for package in metadata.linked_into(names) {
        let taken = lists.allowed.choose(&package.license);
        let taken = taken.with_context(|| format!("{package} has no licence that is allowed"))?;
        let mut title = format!("{package} ({})", taken.join(" AND "));
        if !package.repository.is_empty() {
            let _infallible = write!(title, ", {}", package.repository);
        }
        texts.entry(text(package, &taken)?).or_default().push(title);
    }
    let mut sections: Vec<(Vec<String>, String)> =
        texts.into_iter().map(|(text, titles)| (titles, text)).collect();
    sections.sort();
    let mut notices =
        "Software of others that is part of this one, and the licences under which it is.\n".to_owned();
    for (titles, text) in sections {
        let line = "-".repeat(80);
        let _infallible = write!(notices, "\n{line}\n{}\n{line}\n\n{text}", titles.join("\n"));
    }
    Ok(notices)
}

/// The licence of a package, as its files say it.
fn text(package: &Package, taken: &[String]) -> Result<String> {
    let mut found = Vec::new();
    let read = || format!("cannot read the files of {package}");
    for entry in fs::read_dir(&package.directory).with_context(read)? {
        let path = entry.with_context(read)?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .to_lowercase();
        if path.is_file() && FILES.iter().any(|begin| name.starts_with(begin)) {
            found.push((name, path));
        }
    }
    found.sort();
    let is_of = |name: &str, license: &str| {
        let mark = MARKS.iter().find(|(known, _)| *known == license);
        mark.is_some_and(|(_, mark)| name.contains(mark))
    };
    let has_own = taken
        .iter()
        .all(|license| found.iter().any(|(name, _)| is_of(name, license)));
    if has_own {
        // Those of licences that it is not taken under say nothing here; a notice always does.
        found.retain(|(name, _)| {
            name.starts_with("notice") || taken.iter().any(|license| is_of(name, license))
        });
    }
    if found.is_empty() {
        if taken != ["MIT"] {
            bail!(
                "{package} comes without the text of its licence {:?}",
                package.license
            );
        }
        let authors = match package.authors.join(", ") {
            authors if authors.is_empty() => format!("the authors of {}", package.name),
            authors => authors,
        };
        return Ok(format!("Copyright (c) {authors}\n\n{MIT}"));
    }
    let mut text = String::new();
    for (_, path) in found {
        let file = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        text.push_str(String::from_utf8_lossy(&file).replace("\r\n", "\n").trim());
        text.push_str("\n\n");
    }
    text.pop();
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_have_the_licences_of_what_is_linked() {
        let root = crate::root().expect("a root");
        let notices = notices(&root, &["idb-relay"]).expect("notices");
        // Among them one with several files, one without any choice, and one that is linked by
        // another.
        for linked in ["ring ", "redis ", "libsqlite3-sys ", "The Rust standard library"] {
            assert!(notices.contains(&format!("\n{linked}")), "{linked}");
        }
        for text in [
            "Permission is hereby granted",
            "BoringSSL",
            "Redistributions in binary form",
        ] {
            assert!(notices.contains(text), "{text}");
        }
        // What only builds or tests it, and macros.
        for absent in ["rcgen ", "cc ", "serde_derive ", "idb-relay"] {
            assert!(!notices.contains(&format!("\n{absent}")), "{absent}");
        }
    }
}

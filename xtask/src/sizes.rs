//! How large what browsers load of the extension may be, gzipped: that is what its package and its
//! download have of it.
//!
//! The page scripts are measured whenever they are linted. The WASM modules are measured by a
//! release build, which takes minutes: it writes down the sizes and which sources they are of, so
//! that the lint can tell whether they still count.

use std::{fmt::Write as _, fs, io::Write as _, path::Path};

use anyhow::{Context as _, Result, bail};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest as _, Sha256};
use toml::{Table, Value};

use crate::sources::Sources;

/// The most bytes of each page script. Every document of a captured site runs the hook before its
/// own scripts; Chromium's has spaces that make its functions look native.
pub const SCRIPTS: [(&str, &str, usize); 4] = [
    ("hook.js", "firefox", 10 * 1024 + 512),
    ("hook.js", "chromium", 14 * 1024 + 512),
    ("worker_hook.js", "firefox", 11 * 1024),
    ("bridge.js", "firefox", 16 * 1024 + 512),
];

/// The most bytes of each WASM module, by its title: little more than it has. A module that gets
/// smaller takes its budget along.
const MODULES: [(&str, usize); 3] = [
    ("background", 195_000),
    ("popup and options", 139_000),
    ("panel", 260_000),
];

/// Where a release build writes down the sizes of the WASM modules, below the target directory.
const RECORD: &str = "extension/sizes.toml";

/// What is larger than it may be, one line each.
pub type TooLarge = Vec<String>;

/// Whether the WASM modules were measured.
#[derive(Debug, PartialEq, Eq)]
pub enum Modules {
    /// By a release build of these sources.
    Measured(TooLarge),
    /// No release build was made of them.
    Unknown,
}

/// Checks the WASM modules by what the last release build wrote down in the target directory.
pub fn check_modules(root: &Path, target: &Path, sources: &Sources) -> Result<Modules> {
    let path = target.join(RECORD);
    let Ok(text) = fs::read_to_string(&path) else {
        return Ok(Modules::Unknown);
    };
    let record: Table = toml::from_str(&text).with_context(|| format!("in {}", path.display()))?;
    compare(&record, &fingerprint(root, sources)?, &MODULES)
}

fn compare(record: &Table, sources: &str, budgets: &[(&str, usize)]) -> Result<Modules> {
    if record.get("sources").and_then(Value::as_str) != Some(sources) {
        return Ok(Modules::Unknown);
    }
    let mut too_large = TooLarge::new();
    for (name, most) in budgets {
        let size = record.get(*name).and_then(Value::as_integer);
        let size = size.and_then(|size| usize::try_from(size).ok());
        too_large.extend(over(
            name,
            size.with_context(|| format!("no size of {name}"))?,
            *most,
        ));
    }
    Ok(Modules::Measured(too_large))
}

/// Writes down the sizes of the WASM modules, by their titles; fails if one is too large.
pub fn record(root: &Path, target: &Path, sizes: &[(&str, usize)]) -> Result<()> {
    // An archive of the sources is built without git, and is not linted.
    let sources = match Sources::read(root) {
        Ok(sources) => fingerprint(root, &sources)?,
        Err(_) => "unknown".to_owned(),
    };
    let mut record = Table::new();
    record.insert("sources".to_owned(), sources.clone().into());
    for (name, size) in sizes {
        record.insert((*name).to_owned(), i64::try_from(*size)?.into());
    }
    let path = target.join(RECORD);
    fs::write(&path, record.to_string()).with_context(|| format!("cannot write {}", path.display()))?;
    match compare(&record, &sources, &MODULES)? {
        Modules::Measured(too_large) if !too_large.is_empty() => bail!("{}", too_large.join("\n")),
        _ => Ok(()),
    }
}

/// What is wrong with a size, if it is too large.
pub fn over(name: &str, size: usize, most: usize) -> Option<String> {
    (size > most).then(|| format!("{name} has {size} bytes gzipped, {most} allowed"))
}

/// How many bytes a file has gzipped.
pub fn gzipped(file: &[u8]) -> Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(file)?;
    Ok(encoder.finish()?.len())
}

/// The fingerprint of what the WASM modules are made of: the Rust sources of the extension and the
/// protocol, and which packages there are.
fn fingerprint(root: &Path, sources: &Sources) -> Result<String> {
    let lock = root.join("Cargo.lock");
    let lock = fs::read(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
    let files = sources.0.iter().map(|source| (&*source.path, &*source.text));
    let mut files: Vec<_> = files.filter(|(path, _)| is_of_modules(path)).collect();
    files.sort_unstable();
    let mut hash = Sha256::new();
    hash.update(&lock);
    for (path, text) in files {
        for part in [path, text] {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
    }
    let hash = hash.finalize();
    let mut text = String::with_capacity(2 * hash.len());
    for byte in hash {
        write!(text, "{byte:02x}")?;
    }
    Ok(text)
}

fn is_of_modules(path: &str) -> bool {
    let is_source = Path::new(path)
        .extension()
        .is_some_and(|extension| extension == "rs" || extension == "toml");
    let is_test = path.contains("/tests/") || path.ends_with("/tests.rs") || path.contains("/testing/");
    is_source
        && !is_test
        && (path == "Cargo.toml" || path.starts_with("extension/") || path.starts_with("protocol/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::{Language, Source};

    fn record_of(panel: i64) -> Table {
        Table::from_iter([
            ("sources".to_owned(), "a".into()),
            ("panel".to_owned(), panel.into()),
        ])
    }

    #[test]
    fn module_over_its_budget_is_named_with_both_sizes() {
        let checked = compare(&record_of(11), "a", &[("panel", 10)]).expect("a record");
        let expected = "panel has 11 bytes gzipped, 10 allowed".to_owned();
        assert_eq!(checked, Modules::Measured(vec![expected]));
        let checked = compare(&record_of(10), "a", &[("panel", 10)]).expect("a record");
        assert_eq!(checked, Modules::Measured(vec![]));
    }

    #[test]
    fn sizes_of_other_sources_do_not_count() {
        let checked = compare(&record_of(11), "b", &[("panel", 10)]).expect("a record");
        assert_eq!(checked, Modules::Unknown);
        assert!(compare(&record_of(11), "a", &[("popup", 10)]).is_err());
    }

    #[test]
    fn fingerprint_changes_with_sources_of_modules_and_not_with_tests() {
        let root = crate::root().expect("a root");
        let of = |files: &[(&str, &str)]| {
            let sources = files.iter().map(|(path, text)| Source {
                path: (*path).to_owned(),
                language: Language::Rust,
                text: (*text).to_owned(),
            });
            fingerprint(&root, &Sources(sources.collect())).expect("a fingerprint")
        };
        let one = of(&[("extension/src/lib.rs", "a"), ("xtask/src/main.rs", "a")]);
        assert_eq!(
            one,
            of(&[("extension/src/tests.rs", "a"), ("extension/src/lib.rs", "a")])
        );
        assert_ne!(one, of(&[("extension/src/lib.rs", "b")]));
    }

    #[test]
    fn text_that_repeats_is_small_gzipped() {
        assert!(gzipped(&[b'x'; 10_000]).expect("a size") < 100);
    }
}

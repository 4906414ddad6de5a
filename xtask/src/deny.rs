//! What the project depends on: licences, sources, and packages that are there twice or not at all,
//! by the lists in `deny.toml`.
//!
//! The file is that of `cargo deny`, which has some hundred packages of its own to compile before
//! it can be run; so the checks that `cargo metadata` allows are made here. Advisories
//! cannot: their database is fetched from the network.
//!
//! # Layout
//!
//! - [`licence`]: which licences a package is taken under.
//! - [`metadata`]: the packages, as cargo tells them.
//! - [`notices`]: the texts that travel with what is shipped.

mod licence;
mod metadata;
pub mod notices;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context as _, Result, ensure};
use toml::{Table, Value};

use self::{
    licence::Allowed,
    metadata::{Metadata, Package},
};
use crate::run;

/// What cargo calls the registry that is meant when none is named.
const REGISTRY: &str = "registry+";

/// The lists of `deny.toml`.
struct Lists {
    targets: Vec<String>,
    allowed: Allowed,
    registries: Vec<String>,
    /// Names, each with the reason.
    banned: BTreeMap<String, String>,
    /// `name@version`
    skipped: BTreeSet<String>,
}

/// Checks all packages of the workspace.
pub fn check(root: &Path) -> Result<()> {
    run::announce("Checking licences, sources and versions of dependencies");
    let lists = Lists::read(root)?;
    let metadata = Metadata::read(root, &lists.targets)?;
    let mut problems = Vec::new();
    for package in metadata.packages() {
        problems.extend(lists.problem(package));
    }
    problems.extend(lists.duplicates(metadata.packages()));
    ensure!(
        problems.is_empty(),
        "{} problems with dependencies (see deny.toml):\n  {}",
        problems.len(),
        problems.join("\n  ")
    );
    Ok(())
}

impl Lists {
    fn read(root: &Path) -> Result<Self> {
        let path = root.join("deny.toml");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} is not as it should be", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let table: Table = text.parse()?;
        let list = |section: &str, key: &str| {
            table
                .get(section)
                .and_then(|section| section.get(key)?.as_array())
                .with_context(|| format!("there is no list {key} in [{section}]"))
        };
        let texts = |section, key| -> Result<Vec<String>> {
            list(section, key)?
                .iter()
                .map(|value| value.as_str().map(str::to_owned))
                .collect::<Option<_>>()
                .with_context(|| format!("{key} in [{section}] has something else than texts"))
        };
        let named = |key| -> Result<Vec<(String, String)>> {
            let text = |value: &Value, key| Some(value.get(key)?.as_str()?.to_owned());
            list("bans", key)?
                .iter()
                .map(|value| Some((text(value, "crate")?, text(value, "reason")?)))
                .collect::<Option<_>>()
                .with_context(|| format!("an entry of {key} in [bans] lacks crate or reason"))
        };
        Ok(Self {
            targets: texts("graph", "targets")?,
            allowed: Allowed::new(texts("licenses", "allow")?),
            registries: texts("sources", "allow-registry")?,
            banned: named("deny")?.into_iter().collect(),
            skipped: named("skip")?.into_iter().map(|(name, _)| name).collect(),
        })
    }

    /// What is wrong with one package.
    fn problem(&self, package: &Package) -> Option<String> {
        // Ours: it is in no registry.
        let source = package.source.as_deref()?;
        if let Some(reason) = self.banned.get(&package.name) {
            return Some(format!("{package} is banned: {reason}"));
        }
        let is_known = source
            .strip_prefix(REGISTRY)
            .is_some_and(|registry| self.registries.iter().any(|known| known == registry));
        if !is_known {
            return Some(format!(
                "{package} comes from {source}, which [sources] does not allow"
            ));
        }
        if self.allowed.choose(&package.license).is_none() {
            return Some(format!(
                "{package} has the licence {:?}, which [licenses] does not allow",
                package.license
            ));
        }
        None
    }

    /// Packages that are there in several versions, and exceptions for such that are not.
    fn duplicates<'p>(&self, packages: impl Iterator<Item = &'p Package>) -> Vec<String> {
        let mut versions = BTreeMap::<&str, BTreeSet<&str>>::new();
        for package in packages {
            versions
                .entry(&package.name)
                .or_default()
                .insert(&package.version);
        }
        let mut unused = self.skipped.clone();
        let mut problems = Vec::new();
        for (name, versions) in versions {
            let is_skipped = |version: &&&str| self.skipped.contains(&format!("{name}@{version}"));
            if versions.len() > 1 {
                for version in versions.iter().filter(is_skipped) {
                    unused.remove(&format!("{name}@{version}"));
                }
            }
            let left: Vec<&str> = versions
                .iter()
                .filter(|version| !is_skipped(version))
                .copied()
                .collect();
            if left.len() > 1 {
                problems.push(format!(
                    "{name} is there in the versions {}: let all ask for one, or add the others to skip in [bans]",
                    left.join(", ")
                ));
            }
        }
        let unused = unused
            .iter()
            .map(|entry| format!("{entry} in [bans] skip is no longer needed: remove it"));
        problems.extend(unused);
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTS: &str = r#"
        [graph]
        targets = []
        [licenses]
        allow = ["MIT"]
        [bans]
        deny = [{ crate = "bad", reason = "it is bad" }]
        skip = [{ crate = "a@1.0.0", reason = "b asks for it" }]
        [sources]
        allow-registry = ["https://registry.example"]
    "#;

    fn package(name: &str, version: &str, license: &str, source: &str) -> Package {
        Package::for_test(name, version, license, source)
    }

    #[test]
    fn workspace_depends_on_nothing_that_is_not_allowed() {
        check(&crate::root().expect("a root")).expect("all is allowed");
    }

    #[test]
    fn package_is_named_with_what_is_wrong() {
        let lists = Lists::parse(LISTS).expect("lists");
        let source = "registry+https://registry.example";
        let problem = |name, license, source| lists.problem(&package(name, "1.0.0", license, source));
        assert_eq!(problem("good", "MIT OR GPL-3.0", source), None);
        let said = problem("bad", "MIT", source).expect("a problem");
        assert!(said.contains("bad 1.0.0 is banned: it is bad"), "{said}");
        let said = problem("good", "GPL-3.0", source).expect("a problem");
        assert!(said.contains("GPL-3.0"), "{said}");
        let said = problem("good", "MIT", "git+https://registry.example").expect("a problem");
        assert!(said.contains("comes from git+"), "{said}");
    }

    #[test]
    fn second_version_needs_an_exception_that_is_needed() {
        let lists = Lists::parse(LISTS).expect("lists");
        let of = |name, version| package(name, version, "MIT", "registry+https://registry.example");
        let found = |packages: &[Package]| lists.duplicates(packages.iter());
        assert!(found(&[of("a", "1.0.0"), of("a", "2.0.0")]).is_empty());
        let said = found(&[of("a", "1.0.0"), of("a", "2.0.0"), of("a", "3.0.0")]);
        assert!(
            said[0].contains("a is there in the versions 2.0.0, 3.0.0"),
            "{said:?}"
        );
        let said = found(&[of("a", "1.0.0")]);
        assert!(
            said[0].contains("a@1.0.0 in [bans] skip is no longer needed"),
            "{said:?}"
        );
    }
}

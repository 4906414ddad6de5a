//! What `cargo metadata` tells of packages, and of what needs what.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::run;

/// The packages of the workspace, and all that they need.
pub struct Metadata {
    packages: BTreeMap<String, Package>,
    /// What is linked into a package, by their ids: neither what only builds or tests it, nor
    /// macros.
    links: BTreeMap<String, Vec<String>>,
}

/// A package in one version.
pub struct Package {
    pub name: String,
    pub version: String,
    /// An SPDX expression.
    pub license: String,
    /// `None`: it is of the workspace.
    pub source: Option<String>,
    pub repository: String,
    pub authors: Vec<String>,
    /// Where its files are.
    pub directory: PathBuf,
    is_macro: bool,
}

impl fmt::Display for Package {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.name, self.version)
    }
}

impl Metadata {
    /// For these targets.
    pub fn read(root: &Path, targets: &[String]) -> Result<Self> {
        let mut cargo = run::cargo(root);
        cargo.args(["metadata", "--format-version=1", "--locked", "--quiet"]);
        for target in targets {
            cargo.args(["--filter-platform", target]);
        }
        let output: Value = serde_json::from_str(&run::output(cargo)?)?;
        Self::of(&output).context("cargo metadata tells something else than it should")
    }

    fn of(output: &Value) -> Option<Self> {
        let mut packages = BTreeMap::new();
        for package in output["packages"].as_array()? {
            packages.insert(package["id"].as_str()?.to_owned(), Package::of(package)?);
        }
        let mut links = BTreeMap::new();
        let mut used = BTreeSet::new();
        for node in output["resolve"]["nodes"].as_array()? {
            let id = node["id"].as_str()?.to_owned();
            let linked = node["deps"].as_array()?.iter().filter(|dependency| {
                let kinds = dependency["dep_kinds"].as_array();
                kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()))
            });
            let linked = linked.filter_map(|dependency| dependency["pkg"].as_str());
            let linked = linked.filter(|id| packages.get(*id).is_some_and(|package| !package.is_macro));
            links.insert(id.clone(), linked.map(str::to_owned).collect());
            used.insert(id);
        }
        // What other targets need is named, too.
        packages.retain(|id, _| used.contains(id));
        Some(Self { packages, links })
    }

    /// All packages.
    pub fn packages(&self) -> impl Iterator<Item = &Package> {
        self.packages.values()
    }

    /// What is linked into packages of the workspace, without these.
    pub fn linked_into(&self, names: &[&str]) -> Vec<&Package> {
        let is_asked = |package: &Package| package.source.is_none() && names.contains(&package.name.as_str());
        let roots = self.packages.iter().filter(|(_, package)| is_asked(package));
        let mut next: Vec<&String> = roots.map(|(id, _)| id).collect();
        let mut found = BTreeSet::new();
        while let Some(id) = next.pop() {
            if found.insert(id) {
                next.extend(self.links.get(id).into_iter().flatten());
            }
        }
        let mut linked: Vec<&Package> = found.into_iter().filter_map(|id| self.packages.get(id)).collect();
        linked.retain(|package| package.source.is_some());
        linked.sort_by_key(|package| (&package.name, &package.version));
        linked
    }
}

impl Package {
    fn of(output: &Value) -> Option<Self> {
        let text = |key: &str| output[key].as_str().unwrap_or_default().to_owned();
        let targets = output["targets"].as_array()?;
        Some(Self {
            name: output["name"].as_str()?.to_owned(),
            version: text("version"),
            license: text("license"),
            source: output["source"].as_str().map(str::to_owned),
            repository: text("repository"),
            authors: output["authors"]
                .as_array()?
                .iter()
                .filter_map(|author| author.as_str().map(str::to_owned))
                .collect(),
            directory: Path::new(output["manifest_path"].as_str()?).parent()?.to_owned(),
            is_macro: targets.iter().any(|target| {
                let kinds = target["kind"].as_array();
                kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind == "proc-macro"))
            }),
        })
    }

    #[cfg(test)]
    pub fn for_test(name: &str, version: &str, license: &str, source: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            license: license.to_owned(),
            source: Some(source.to_owned()),
            repository: String::new(),
            authors: Vec::new(),
            directory: PathBuf::new(),
            is_macro: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_linked_leaves_out_macros_and_what_only_builds() {
        let package = |name: &str, source: Value, kind: &str| {
            json!({
                "id": name, "name": name, "version": "1.0.0", "license": "MIT", "source": source, "authors": [],
                "manifest_path": format!("/{name}/Cargo.toml"), "targets": [{ "kind": [kind] }],
            })
        };
        let needs = |name: &str, kind: Value| json!({ "pkg": name, "dep_kinds": [{ "kind": kind }] });
        let output = json!({
            "packages": [
                package("ours", Value::Null, "lib"), package("linked", "r".into(), "lib"), package("below", "r".into(), "lib"),
                package("built", "r".into(), "lib"), package("macro", "r".into(), "proc-macro"), package("other", "r".into(), "lib"),
            ],
            "resolve": { "nodes": [
                { "id": "ours", "deps": [needs("linked", Value::Null), needs("built", "build".into()), needs("macro", Value::Null)] },
                { "id": "linked", "deps": [needs("below", Value::Null)] },
                { "id": "below", "deps": [] }, { "id": "built", "deps": [] }, { "id": "macro", "deps": [] },
            ] },
        });
        let metadata = Metadata::of(&output).expect("as it should be");
        let linked: Vec<String> = metadata
            .linked_into(&["ours"])
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(linked, ["below 1.0.0", "linked 1.0.0"]);
        assert_eq!(metadata.packages().count(), 5, "without what other targets need");
    }
}

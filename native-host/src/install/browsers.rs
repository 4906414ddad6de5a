//! The browsers of `manifests/browsers.toml`.
//!
//! The table names browsers; this knows systems and ways of packaging, and no brand. A browser that
//! comes as a Flatpak or a Snap, too, is there once for each: they read different places.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{InstallError, surroundings::Surroundings};
use crate::directories::System;

const FILE: &str = "manifests/browsers.toml";
const TEXT: &str = include_str!("../../../manifests/browsers.toml");

/// A browser on this system.
#[derive(Debug, Clone)]
pub struct Browser {
    /// How commands call it.
    pub name: String,
    /// How people call it.
    pub title: String,
    /// Which template of the host manifest.
    pub family: String,
    /// How it comes, and where it looks for hosts.
    pub(crate) package: Package,
}

/// How a browser comes.
#[derive(Debug, Clone)]
pub(crate) enum Package {
    Linux(Linux),
    Macos(Macos),
    Windows(Windows),
    Flatpak(Flatpak),
    Snap(Snap),
}

/// What tells that a browser is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Presence {
    /// Nothing.
    Absent,
    /// Its program.
    Installed,
    /// What it makes when this user starts it.
    Used,
}

/// For whom to install.
#[derive(Debug, Clone)]
pub enum Scope {
    /// This user.
    User,
    /// Everybody.
    System,
    /// One profile directory (for Firefox: one home directory).
    Directory(PathBuf),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    sources: BTreeMap<String, String>,
    browser: BTreeMap<String, Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    title: String,
    family: String,
    linux: Option<Linux>,
    macos: Option<Macos>,
    windows: Option<Windows>,
    flatpak: Option<Flatpak>,
    snap: Option<Snap>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Linux {
    source: Vec<String>,
    used: Vec<String>,
    programs: Vec<String>,
    desktop: Vec<String>,
    user: Vec<String>,
    system: Vec<String>,
    #[serde(default)]
    lib64: Vec<String>,
    #[serde(rename = "override")]
    below: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Macos {
    source: Vec<String>,
    used: Vec<String>,
    bundles: Vec<String>,
    user: Vec<String>,
    system: Vec<String>,
    #[serde(rename = "override")]
    below: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Windows {
    source: Vec<String>,
    used: Vec<String>,
    #[serde(default)]
    programs: Vec<String>,
    #[serde(default)]
    registered: Vec<String>,
    pub(crate) key: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Flatpak {
    source: Vec<String>,
    pub(crate) id: String,
    user: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Snap {
    source: Vec<String>,
    name: String,
    #[serde(default)]
    user: Vec<String>,
    pub(crate) cannot: Option<String>,
}

/// All browsers that this system may have, by name.
pub fn all(system: System) -> Result<Vec<Browser>, InstallError> {
    let broken = |error: String| InstallError::Template(FILE, error);
    let table: Table = toml::from_str(TEXT).map_err(|error| broken(error.to_string()))?;
    let mut browsers = Vec::new();
    for (name, entry) in table.browser {
        let packages = [
            entry.linux.map(Package::Linux),
            entry.macos.map(Package::Macos),
            entry.windows.map(Package::Windows),
            entry.flatpak.map(Package::Flatpak),
            entry.snap.map(Package::Snap),
        ];
        for package in packages.into_iter().flatten() {
            let source = package.source();
            let unknown = source.iter().find(|source| !table.sources.contains_key(*source));
            if source.is_empty() || unknown.is_some() {
                return Err(broken(format!("{name} has no source, or one that is not listed")));
            }
            if package.system() == system {
                browsers.push(Browser {
                    name: name.clone(),
                    title: format!("{}{}", entry.title, package.suffix()),
                    family: entry.family.clone(),
                    package,
                });
            }
        }
    }
    Ok(browsers)
}

/// The browsers that `install` means: one by name, `all`, or, without a name, those that are there.
/// What comes as a Flatpak or Snap has to be there in any case, and has no place but its user's.
pub fn chosen(
    name: Option<&str>,
    scope: &Scope,
    surroundings: &Surroundings,
) -> Result<Vec<Browser>, InstallError> {
    let found = named(name, scope, surroundings.system)?;
    let is_there = |browser: &Browser| browser.presence(surroundings) > Presence::Absent;
    let has_sandboxed = found.iter().any(|one| one.is_sandboxed() && is_there(one));
    let chosen: Vec<_> = found
        .into_iter()
        .filter(|browser| {
            is_there(browser)
                || match name {
                    None => false,
                    Some("all") => !browser.is_sandboxed(),
                    // Who has it as a Flatpak alone is not given another place.
                    Some(_) => !browser.is_sandboxed() && !has_sandboxed,
                }
        })
        .collect();
    if chosen.is_empty() {
        return Err(InstallError::NoBrowser);
    }
    Ok(chosen)
}

/// The browsers of this name that have a place in this scope, however they come; without one, or
/// by `all`, all of them.
pub fn named(name: Option<&str>, scope: &Scope, system: System) -> Result<Vec<Browser>, InstallError> {
    let is_for_user = matches!(scope, Scope::User);
    let mut all = all(system)?;
    all.retain(|browser| is_for_user || !browser.is_sandboxed());
    let Some(name) = name.filter(|name| *name != "all") else {
        return Ok(all);
    };
    let mut known: Vec<_> = all.iter().map(|browser| browser.name.clone()).collect();
    known.dedup();
    let found: Vec<_> = all.into_iter().filter(|browser| browser.name == name).collect();
    if found.is_empty() {
        return Err(InstallError::UnknownBrowser {
            name: name.to_owned(),
            known: known.join(", "),
        });
    }
    Ok(found)
}

impl Package {
    fn source(&self) -> &[String] {
        match self {
            Self::Linux(package) => &package.source,
            Self::Macos(package) => &package.source,
            Self::Windows(package) => &package.source,
            Self::Flatpak(package) => &package.source,
            Self::Snap(package) => &package.source,
        }
    }

    fn system(&self) -> System {
        match self {
            Self::Linux(_) | Self::Flatpak(_) | Self::Snap(_) => System::Xdg,
            Self::Macos(_) => System::Apple,
            Self::Windows(_) => System::Windows,
        }
    }

    fn suffix(&self) -> &'static str {
        match self {
            Self::Linux(_) | Self::Macos(_) | Self::Windows(_) => "",
            Self::Flatpak(_) => " (Flatpak)",
            Self::Snap(_) => " (Snap)",
        }
    }
}

impl Browser {
    /// Whether it comes in a sandbox that hosts are outside of.
    pub fn is_sandboxed(&self) -> bool {
        matches!(self.package, Package::Flatpak(_) | Package::Snap(_))
    }

    /// Why it can start no host.
    pub fn cannot(&self) -> Option<&str> {
        match &self.package {
            Package::Snap(snap) => snap.cannot.as_deref(),
            _ => None,
        }
    }

    /// Whether it is there, and whether this user has started it.
    pub fn presence(&self, surroundings: &Surroundings) -> Presence {
        let at = |path: String| surroundings.has_any(&[path]);
        let (is_used, is_installed) = match &self.package {
            Package::Linux(linux) => (
                surroundings.has_any(&linux.used),
                surroundings.has_program(&linux.programs) || surroundings.has_desktop_file(&linux.desktop),
            ),
            Package::Macos(macos) => (
                surroundings.has_any(&macos.used),
                surroundings.has_bundle(&macos.bundles),
            ),
            Package::Windows(windows) => (
                surroundings.has_any(&windows.used),
                surroundings.has_any(&windows.programs) || surroundings.has_key(&windows.registered),
            ),
            Package::Flatpak(flatpak) => (
                at(format!("{{home}}/.var/app/{}", flatpak.id)),
                at(format!("{{data}}/flatpak/app/{}", flatpak.id))
                    || at(format!("/var/lib/flatpak/app/{}", flatpak.id)),
            ),
            Package::Snap(snap) => (
                at(format!("{{home}}/snap/{}", snap.name)),
                at(format!("/snap/{}", snap.name)),
            ),
        };
        if is_used {
            Presence::Used
        } else if is_installed {
            Presence::Installed
        } else {
            Presence::Absent
        }
    }

    /// The directories where it looks for host manifests; none where it asks the registry, or
    /// where it cannot be served.
    pub fn directories(
        &self,
        scope: &Scope,
        surroundings: &Surroundings,
    ) -> Result<Vec<PathBuf>, InstallError> {
        let (user, system, below): (&[String], &[String], _) = match &self.package {
            Package::Linux(linux) => (&linux.user, &linux.system, Some(&linux.below)),
            Package::Macos(macos) => (&macos.user, &macos.system, Some(&macos.below)),
            Package::Windows(_) => (&[], &[], None),
            Package::Flatpak(flatpak) => (&flatpak.user, &[], None),
            Package::Snap(snap) => (&snap.user, &[], None),
        };
        let paths = match scope {
            Scope::User => user,
            Scope::System => system,
            Scope::Directory(directory) => {
                return Ok(below.map(|below| join(directory, below)).into_iter().collect());
            }
        };
        let also = match (&self.package, scope) {
            (Package::Linux(linux), Scope::System) => linux.lib64_here(surroundings),
            _ => &[],
        };
        paths
            .iter()
            .chain(also)
            .map(|path| surroundings.resolve(path).ok_or(InstallError::NoHome))
            .collect()
    }
}

impl Linux {
    /// The directories below `/usr/lib64`, if this machine has such a browser there, or had.
    fn lib64_here(&self, surroundings: &Surroundings) -> &[String] {
        let own = self
            .lib64
            .iter()
            .filter_map(|path| Path::new(path).parent()?.to_str());
        let own = own.map(str::to_owned);
        let programs = self.programs.iter().map(|name| format!("/usr/lib64/{name}"));
        let signs: Vec<String> = own.chain(programs).collect();
        if surroundings.has_any(&signs) {
            &self.lib64
        } else {
            &[]
        }
    }
}

fn join(directory: &Path, below: &str) -> PathBuf {
    below
        .split('/')
        .fold(directory.to_owned(), |path, part| path.join(part))
}

#[cfg(test)]
mod tests;

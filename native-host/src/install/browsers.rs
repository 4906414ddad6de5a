//! The browsers of `manifests/browsers.toml`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::InstallError;
use crate::directories::Directories;

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
    places: Option<Places>,
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

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    title: String,
    family: String,
    linux: Option<Places>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Places {
    present: Vec<String>,
    user: String,
    system: String,
    #[serde(rename = "override")]
    below: String,
}

/// All browsers of the list, by name.
pub fn all() -> Result<Vec<Browser>, InstallError> {
    let entries: BTreeMap<String, Entry> =
        toml::from_str(TEXT).map_err(|error| InstallError::Template(FILE, error.to_string()))?;
    Ok(entries
        .into_iter()
        .map(|(name, entry)| Browser {
            name,
            title: entry.title,
            family: entry.family,
            places: if cfg!(target_os = "linux") {
                entry.linux
            } else {
                None
            },
        })
        .collect())
}

/// The browsers that a command means: one by name, `all`, or, without a name, those this user has;
/// if there are none, all.
pub fn chosen(name: Option<&str>) -> Result<Vec<Browser>, InstallError> {
    let all = all()?;
    match name {
        Some("all") => Ok(all),
        Some(name) => {
            let known = all
                .iter()
                .map(|browser| browser.name.as_str())
                .collect::<Vec<_>>()
                .join(", ");
            let found: Vec<_> = all.into_iter().filter(|browser| browser.name == name).collect();
            if found.is_empty() {
                return Err(InstallError::UnknownBrowser {
                    name: name.to_owned(),
                    known,
                });
            }
            Ok(found)
        }
        None => {
            let present: Vec<_> = all
                .iter()
                .filter(|browser| browser.is_present())
                .cloned()
                .collect();
            Ok(if present.is_empty() { all } else { present })
        }
    }
}

impl Browser {
    /// Whether this user has run it.
    pub fn is_present(&self) -> bool {
        self.places
            .iter()
            .flat_map(|places| &places.present)
            .any(|path| resolve(path).is_ok_and(|path| path.exists()))
    }

    /// Where it looks for host manifests.
    pub fn directory(&self, scope: &Scope) -> Result<PathBuf, InstallError> {
        let Some(places) = &self.places else {
            return Err(InstallError::System(self.title.clone()));
        };
        match scope {
            Scope::User => resolve(&places.user),
            Scope::System => Ok(PathBuf::from(&places.system)),
            Scope::Directory(directory) => Ok(directory.join(&places.below)),
        }
    }
}

fn resolve(path: &str) -> Result<PathBuf, InstallError> {
    let base = Directories::find().ok_or(InstallError::NoHome)?;
    let places: [(&str, &Path); 2] = [("{home}/", &base.home), ("{config}/", &base.configurations)];
    for (prefix, directory) in places {
        if let Some(rest) = path.strip_prefix(prefix) {
            return Ok(directory.join(rest));
        }
    }
    Ok(PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_complete() {
        let names: Vec<_> = all()
            .expect("a list")
            .into_iter()
            .map(|browser| browser.name)
            .collect();
        assert_eq!(
            names,
            ["brave", "chrome", "chrome-beta", "chromium", "edge", "firefox"]
        );
    }

    #[test]
    fn directories_lie_below_the_given_one() {
        let scope = Scope::Directory("/profile".into());
        let below = |name| {
            chosen(Some(name)).expect("known")[0]
                .directory(&scope)
                .expect("a path")
        };
        assert_eq!(below("chromium"), Path::new("/profile/NativeMessagingHosts"));
        assert_eq!(
            below("firefox"),
            Path::new("/profile/.mozilla/native-messaging-hosts")
        );
        assert!(matches!(
            chosen(Some("netscape")),
            Err(InstallError::UnknownBrowser { .. })
        ));
    }
}

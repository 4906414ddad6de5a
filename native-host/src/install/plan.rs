//! What is to be written so that a browser finds the host, writing it, and taking it back.
//!
//! Taken back is what an `install` has written, wherever the program was then. What another program
//! has put in its place is left there, and named.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{
    InstallError,
    browsers::{Browser, Package, Scope},
    manifest,
    registry::{Hive, Registry, Value},
    surroundings::Surroundings,
};
use crate::temporary;

/// A browser's manifests, and what they are to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The browser's title.
    pub browser: String,
    /// What is written for it; all say the same.
    pub manifests: Vec<Manifest>,
    /// The registry key that names the manifest.
    pub key: Option<(Hive, String)>,
    /// The permission that the browser needs: the id of its Flatpak.
    pub flatpak: Option<String>,
}

/// A manifest's place, and its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The file.
    pub path: PathBuf,
    /// What it says.
    pub content: String,
    /// The program beside it that leaves the browser's sandbox.
    pub wrapper: Option<Wrapper>,
}

/// A program that starts the host outside of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrapper {
    /// The file.
    pub path: PathBuf,
    /// A shell script.
    pub content: String,
}

/// What was done for a browser.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The files and keys that were written or removed.
    pub changed: Vec<PathBuf>,
    /// What else is to be said: what was replaced, or left, and why.
    pub notes: Vec<String>,
}

/// What is to be written so that these browsers find the host.
pub fn plan(
    browsers: &[Browser],
    scope: &Scope,
    surroundings: &Surroundings,
    program: &Path,
) -> Result<Vec<Plan>, InstallError> {
    browsers
        .iter()
        .map(|browser| one(browser, scope, surroundings, program))
        .collect()
}

fn one(
    browser: &Browser,
    scope: &Scope,
    surroundings: &Surroundings,
    program: &Path,
) -> Result<Plan, InstallError> {
    let no_place = |why| InstallError::NoPlace {
        browser: browser.title.clone(),
        why,
    };
    let mut plan = Plan {
        browser: browser.title.clone(),
        manifests: Vec::new(),
        key: None,
        flatpak: None,
    };
    if let Package::Windows(windows) = &browser.package {
        let hive = match scope {
            Scope::User => Hive::User,
            Scope::System => Hive::Machine,
            Scope::Directory(_) => {
                return Err(no_place(
                    "on Windows browsers look for hosts in the registry alone",
                ));
            }
        };
        // Beside the program: users who may start the one may read the other.
        let name = format!("{}.{}.json", protocol::HOST_NAME, browser.family);
        plan.key = Some((hive, format!("{}\\{}", windows.key, protocol::HOST_NAME)));
        plan.manifests.push(Manifest {
            path: program.with_file_name(name),
            content: manifest::host(&browser.family, program)?,
            wrapper: None,
        });
        return Ok(plan);
    }
    for directory in browser.directories(scope, surroundings)? {
        let wrapper = match &browser.package {
            Package::Flatpak(flatpak) => {
                plan.flatpak = Some(flatpak.id.clone());
                Some(Wrapper {
                    path: directory.join(format!("{}.sh", protocol::HOST_NAME)),
                    content: manifest::wrapper(program)?,
                })
            }
            _ => None,
        };
        let started = wrapper.as_ref().map_or(program, |wrapper| &wrapper.path);
        plan.manifests.push(Manifest {
            path: directory.join(format!("{}.json", protocol::HOST_NAME)),
            content: manifest::host(&browser.family, started)?,
            wrapper,
        });
    }
    if plan.manifests.is_empty() && browser.cannot().is_none() {
        return Err(no_place("it is sandboxed, and belongs to one user"));
    }
    Ok(plan)
}

impl Plan {
    /// Writes the manifests, making their directories, and then the key.
    pub fn write(&self, registry: &dyn Registry) -> Result<Outcome, InstallError> {
        let mut outcome = Outcome::default();
        // Before the first file is written: a failed install changes nothing.
        let mut found = Vec::new();
        for manifest in &self.manifests {
            found.push(manifest.look()?);
            if let Some(Found::Foreign) = found.last() {
                return Err(InstallError::Foreign(manifest.path.clone()));
            }
            if let Some(wrapper) = &manifest.wrapper
                && matches!(wrapper.look()?, Found::Foreign)
            {
                return Err(InstallError::ForeignWrapper(wrapper.path.clone()));
            }
        }
        for (manifest, found) in self.manifests.iter().zip(found) {
            if let Some(wrapper) = &manifest.wrapper
                && !matches!(wrapper.look()?, Found::Same)
            {
                write_new(&wrapper.path, &wrapper.content, true)?;
                outcome.changed.push(wrapper.path.clone());
            }
            let path = &manifest.path;
            match found {
                Found::Same => continue,
                Found::Foreign => return Err(InstallError::Foreign(path.clone())),
                Found::Nothing => {}
                Found::Link => outcome.notes.push(format!("{} was a link", path.display())),
                Found::Broken => outcome.notes.push(format!("{} was no manifest", path.display())),
                Found::Ours(program) => {
                    let program = program.display();
                    outcome.notes.push(format!("it started {program} before"));
                }
            }
            write_new(path, &manifest.content, false)?;
            outcome.changed.push(path.clone());
        }
        if let (Some((hive, key)), Some(manifest)) = (&self.key, self.manifests.first()) {
            let shown = key_name(*hive, key);
            let path = &manifest.path;
            let text = path.to_str().ok_or_else(|| InstallError::Path(path.clone()))?;
            let before = registry.read(*hive, key).map_err(key_failed(&shown, "read"))?;
            if before != Some(Value::Text(text.to_owned())) {
                registry
                    .write(*hive, key, text)
                    .map_err(key_failed(&shown, "written"))?;
                if before == Some(Value::Other) {
                    outcome.notes.push(format!("{shown} was not a string"));
                }
                if !outcome.changed.contains(path) {
                    outcome.changed.push(path.clone());
                }
            }
        }
        Ok(outcome)
    }

    /// Removes what an `install` has written. `others`: the plans of all browsers, for a manifest
    /// that another key still names stays, unless the key is among those `gone`. Without `acts` it
    /// only says what it would remove.
    pub fn remove(
        &self,
        registry: &dyn Registry,
        others: &[Self],
        gone: &BTreeSet<PathBuf>,
        acts: bool,
    ) -> Result<Outcome, InstallError> {
        let mut outcome = Outcome::default();
        let mut manifests = self.manifests.clone();
        if let Some((hive, key)) = &self.key {
            let shown = key_name(*hive, key);
            let found = registry.read(*hive, key).map_err(key_failed(&shown, "read"))?;
            match found {
                None => {}
                Some(Value::Text(path)) if manifests.iter().any(|one| has_name_of(&path, one)) => {
                    // Beside the program that was named then, which may be another one.
                    let named = PathBuf::from(path);
                    let other = manifests
                        .first()
                        .filter(|own| !is_same_on_windows(&own.path, &named));
                    let other = other.cloned();
                    manifests.extend(other.map(|own| Manifest { path: named, ..own }));
                    // A key that is gone leads to no manifest that cannot be removed.
                    if let Some(named) = manifests.last()
                        && matches!(named.look()?, Found::Foreign)
                    {
                        let path = named.path.display();
                        outcome.notes.push(format!(
                            "left {shown}, which names {path}, which belongs to another program"
                        ));
                        return Ok(outcome);
                    }
                    if acts {
                        registry
                            .delete(*hive, key)
                            .map_err(key_failed(&shown, "removed"))?;
                    }
                    outcome.changed.push(PathBuf::from(&shown));
                }
                Some(Value::Text(path)) => {
                    outcome.notes.push(format!("left {shown}, which names {path}"));
                    return Ok(outcome);
                }
                Some(Value::Other) => {
                    outcome.notes.push(format!("left {shown}, which is not a string"));
                    return Ok(outcome);
                }
            }
            let is_named = |manifest: &Manifest| {
                let keys = others.iter().filter_map(|other| other.key.as_ref());
                keys.flat_map(|(_, key)| [(Hive::User, key), (Hive::Machine, key)])
                    .filter(|(other, name)| (other, *name) != (hive, key))
                    .filter(|(hive, key)| !gone.contains(Path::new(&key_name(*hive, key))))
                    .any(|(hive, key)| match registry.read(hive, key) {
                        Ok(Some(Value::Text(path))) => is_same_on_windows(Path::new(&path), &manifest.path),
                        Ok(_) => false,
                        // What cannot be read may name it.
                        Err(_) => true,
                    })
            };
            manifests.retain(|manifest| !is_named(manifest));
        }
        for manifest in &manifests {
            manifest.remove(&mut outcome, acts)?;
        }
        Ok(outcome)
    }
}

impl Plan {
    /// Whether the browser still starts a program, but by what is among those `gone`.
    pub fn starts(&self, program: &Path, registry: &dyn Registry, gone: &BTreeSet<PathBuf>) -> bool {
        let Some((hive, key)) = &self.key else {
            let there = self.manifests.iter().filter(|one| !gone.contains(&one.path));
            return there.into_iter().any(|manifest| manifest.starts(program));
        };
        if gone.contains(Path::new(&key_name(*hive, key))) {
            return false;
        }
        match registry.read(*hive, key) {
            Ok(Some(Value::Text(path))) => fs::read(path)
                .ok()
                .and_then(|text| serde_json::from_slice::<Said>(&text).ok())
                .is_some_and(|said| {
                    is_same_on_windows(&said.path, program) || is_same_file(&said.path, program)
                }),
            Ok(_) => false,
            // What cannot be read may name it.
            Err(_) => true,
        }
    }
}

/// What lies at the place of a manifest, or of a wrapper.
enum Found {
    Nothing,
    /// Exactly what is to be there.
    Same,
    /// What an `install` has written, for this program.
    Ours(PathBuf),
    /// A manifest that does not let our extension start a host; a script of another program.
    Foreign,
    /// No manifest.
    Broken,
    Link,
}

/// What matters of a manifest.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    #[serde(default)]
    pub(crate) allowed_origins: Vec<String>,
    #[serde(default)]
    pub(crate) allowed_extensions: Vec<String>,
}

impl Said {
    /// Whether it lets start a host what another one lets.
    pub(crate) fn allows(&self, other: &Self) -> bool {
        let all = |wanted: &[String], found: &[String]| wanted.iter().all(|id| found.contains(id));
        self.name == other.name
            && all(&other.allowed_origins, &self.allowed_origins)
            && all(&other.allowed_extensions, &self.allowed_extensions)
    }
}

impl Manifest {
    fn look(&self) -> Result<Found, InstallError> {
        if is_link(&self.path) {
            return Ok(Found::Link);
        }
        let found = match fs::read(&self.path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(error) => return Err(failed(&self.path, "read")(error)),
        };
        if found == self.content.as_bytes() {
            return Ok(Found::Same);
        }
        if serde_json::from_slice::<serde_json::Value>(&found).is_err() {
            return Ok(Found::Broken);
        }
        let wanted = serde_json::from_str::<Said>(&self.content);
        Ok(match (serde_json::from_slice::<Said>(&found), wanted) {
            (Ok(found), Ok(wanted)) if found.allows(&wanted) => Found::Ours(found.path),
            _ => Found::Foreign,
        })
    }

    fn remove(&self, outcome: &mut Outcome, acts: bool) -> Result<(), InstallError> {
        let left = |why| format!("left {}, which {why}", self.path.display());
        match self.look()? {
            Found::Nothing => {}
            Found::Same | Found::Ours(_) => {
                if acts {
                    fs::remove_file(&self.path).map_err(failed(&self.path, "removed"))?;
                }
                outcome.changed.push(self.path.clone());
            }
            // What stays may start the wrapper, so the wrapper stays as well.
            Found::Link => {
                outcome.notes.push(left("is a link that no install has made"));
                return Ok(());
            }
            Found::Broken => {
                outcome.notes.push(left("is no manifest"));
                return Ok(());
            }
            Found::Foreign => {
                outcome.notes.push(left("belongs to another program"));
                return Ok(());
            }
        }
        match &self.wrapper {
            Some(wrapper) => wrapper.remove(outcome, acts),
            None => Ok(()),
        }
    }

    /// Whether a browser that reads this manifest starts a program.
    fn starts(&self, program: &Path) -> bool {
        let said = fs::read(&self.path).ok();
        let Some(said) = said.and_then(|text| serde_json::from_slice::<Said>(&text).ok()) else {
            return false;
        };
        if is_same_file(&said.path, program) {
            return true;
        }
        self.wrapper.as_ref().is_some_and(|wrapper| {
            is_same_file(&said.path, &wrapper.path)
                && fs::read_to_string(&wrapper.path)
                    .ok()
                    .and_then(|text| manifest::wrapped(&text))
                    .is_some_and(|wrapped| is_same_file(&wrapped, program))
        })
    }
}

impl Wrapper {
    fn look(&self) -> Result<Found, InstallError> {
        if is_link(&self.path) {
            return Ok(Found::Link);
        }
        match fs::read(&self.path) {
            Ok(found) if found == self.content.as_bytes() => Ok(Found::Same),
            Ok(found) => {
                let text = String::from_utf8_lossy(&found);
                Ok(if text.starts_with(manifest::WRAPPER) {
                    Found::Ours(manifest::wrapped(&text).unwrap_or_default())
                } else {
                    Found::Foreign
                })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Found::Nothing),
            Err(error) => Err(failed(&self.path, "read")(error)),
        }
    }

    /// Removes it, for any program that it starts: the path of this one may have changed.
    fn remove(&self, outcome: &mut Outcome, acts: bool) -> Result<(), InstallError> {
        match self.look()? {
            Found::Nothing => {}
            Found::Same | Found::Ours(_) => {
                if acts {
                    fs::remove_file(&self.path).map_err(failed(&self.path, "removed"))?;
                }
                outcome.changed.push(self.path.clone());
            }
            Found::Link | Found::Broken | Found::Foreign => {
                let path = self.path.display();
                outcome
                    .notes
                    .push(format!("left {path}, which no install has written"));
            }
        }
        Ok(())
    }
}

/// Whether two paths lead to the same file, also by links.
pub(crate) fn is_same_file(one: &Path, other: &Path) -> bool {
    let resolve = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    one == other || resolve(one) == resolve(other)
}

/// Whether Windows, which ignores the case of letters, takes two paths for one.
fn is_same_on_windows(one: &Path, other: &Path) -> bool {
    let plain = |path: &Path| path.to_string_lossy().replace('/', "\\").to_lowercase();
    plain(one) == plain(other)
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink())
}

/// Whether a registry value names a manifest of the name that this one has.
fn has_name_of(value: &str, manifest: &Manifest) -> bool {
    let name = manifest.path.file_name().and_then(|name| name.to_str());
    value.rsplit(['\\', '/']).next() == name
}

pub(crate) fn key_name(hive: Hive, key: &str) -> String {
    format!("{}\\{key}", hive.name())
}

fn failed<'a>(path: &'a Path, doing: &'static str) -> impl Fn(io::Error) -> InstallError + 'a {
    move |source| InstallError::File {
        path: path.to_owned(),
        doing,
        source,
    }
}

pub(crate) fn key_failed<'a>(key: &'a str, doing: &'static str) -> impl Fn(io::Error) -> InstallError + 'a {
    move |source| InstallError::Key {
        key: key.to_owned(),
        doing,
        source,
    }
}

/// Writes a file by way of another name, making its directory.
fn write_new(path: &Path, content: &str, is_program: bool) -> Result<(), InstallError> {
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory).map_err(failed(directory, "made"))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (mut file, draft) =
        temporary::create(directory, &format!("{name}.new"), false).map_err(failed(path, "written"))?;
    let written = file
        .write_all(content.as_bytes())
        .and_then(|()| if is_program { allow_start(&file) } else { Ok(()) })
        // Windows renames no file that is open.
        .and_then(|()| {
            drop(file);
            fs::rename(&draft, path)
        });
    if written.is_err() {
        let _left_behind = fs::remove_file(&draft);
    }
    written.map_err(failed(path, "written"))
}

/// Lets everybody start a program.
fn allow_start(file: &fs::File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        file.set_permissions(fs::Permissions::from_mode(0o755))
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        Ok(())
    }
}

#[cfg(test)]
mod tests;

//! What `install` looks at: the directories of this user, the programs, the registry.

use std::{
    env,
    ffi::OsString,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use super::registry::{self, Hive, Registry};
use crate::directories::{Directories, System, THIS};

/// A machine and a user on it. Tests make one up; `root` is where its absolute paths begin.
pub struct Surroundings {
    pub(crate) system: System,
    root: PathBuf,
    /// What the names in braces of `manifests/browsers.toml` stand for.
    places: Vec<(&'static str, PathBuf)>,
    /// Where programs are sought.
    path: Vec<PathBuf>,
    /// Directories with `applications/*.desktop` in them.
    shared: Vec<PathBuf>,
    /// Where this user's own programs go.
    pub(crate) own_programs: Option<PathBuf>,
    pub(crate) registry: Box<dyn Registry>,
}

impl Surroundings {
    /// Those of the user who runs this.
    pub fn find() -> Self {
        Self::of(
            THIS,
            PathBuf::from("/"),
            env::home_dir(),
            env::var_os,
            registry::of_this_system(),
        )
    }

    pub(crate) fn of(
        system: System,
        root: PathBuf,
        home: Option<PathBuf>,
        variable: impl Fn(&'static str) -> Option<OsString>,
        registry: Box<dyn Registry>,
    ) -> Self {
        // A relative path would mean another directory in each process.
        let given = |name| {
            variable(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let list = |name| -> Vec<PathBuf> {
            let paths = variable(name).unwrap_or_default();
            env::split_paths(&paths)
                .filter(|path| path.is_absolute())
                .collect()
        };
        let mut places = Vec::new();
        let mut own_programs = None;
        let mut shared = Vec::new();
        if let Some(base) = Directories::of(system, home, &variable) {
            let data = given("XDG_DATA_HOME").unwrap_or_else(|| base.home.join(".local/share"));
            own_programs = match system {
                System::Xdg | System::Apple => Some(base.home.join(".local/bin")),
                System::Windows => {
                    given("LOCALAPPDATA").map(|local| local.join("Programs").join("idb-relay"))
                }
            };
            places.extend([("config", base.configurations), ("home", base.home)]);
            shared.push(data.clone());
            places.push(("data", data));
        }
        shared.extend(match list("XDG_DATA_DIRS") {
            directories if directories.is_empty() => {
                vec![root.join("usr/local/share"), root.join("usr/share")]
            }
            directories => directories,
        });
        let wide = given("ProgramW6432").or_else(|| given("ProgramFiles"));
        places.extend(
            [
                ("local", given("LOCALAPPDATA")),
                ("programs", wide),
                ("programs32", given("ProgramFiles(x86)")),
            ]
            .into_iter()
            .filter_map(|(name, path)| Some((name, path?))),
        );
        Self {
            system,
            root,
            places,
            path: list("PATH"),
            shared,
            own_programs,
            registry,
        }
    }

    /// What a path of the table means here; `None`: there is no such directory on this system, or
    /// this user has no home.
    pub(crate) fn resolve(&self, path: &str) -> Option<PathBuf> {
        let Some(named) = path.strip_prefix('{') else {
            // As it is where the root is the system's own.
            return Some(self.root.join(path.strip_prefix('/')?));
        };
        let (name, rest) = named.split_once("}/")?;
        let (_, base) = self.places.iter().find(|(other, _)| *other == name)?;
        // Each part by itself, so that Windows has its own separator.
        Some(rest.split('/').fold(base.clone(), |path, part| path.join(part)))
    }

    /// Whether one of these paths of the table is there.
    pub(crate) fn has_any(&self, paths: &[String]) -> bool {
        paths
            .iter()
            .filter_map(|path| self.resolve(path))
            .any(|path| path.exists())
    }

    /// Whether a program of one of these names can be started. Those of Snaps do not count, nor
    /// what only starts one: they are browsers of their own.
    pub(crate) fn has_program(&self, names: &[String]) -> bool {
        names.iter().any(|name| self.program(name).is_some())
    }

    fn program(&self, name: &str) -> Option<PathBuf> {
        self.path
            .iter()
            .map(|directory| directory.join(name))
            .find(|program| program.is_file() && !starts_snap(program))
    }

    /// Whether there is a desktop file of one of these names. Those of Flatpaks do not count, nor
    /// those that start a Snap.
    pub(crate) fn has_desktop_file(&self, names: &[String]) -> bool {
        let is_exported = |directory: &Path| {
            directory
                .components()
                .any(|part| part.as_os_str() == "flatpak" || part.as_os_str() == "snapd")
        };
        self.shared
            .iter()
            .filter(|directory| !is_exported(directory))
            .flat_map(|directory| {
                names
                    .iter()
                    .map(move |name| directory.join("applications").join(name))
            })
            .any(|file| file.is_file() && !self.is_of_snap(&file))
    }

    /// Whether all that a desktop file starts is a Snap.
    fn is_of_snap(&self, file: &Path) -> bool {
        let text = fs::read_to_string(file).unwrap_or_default();
        let Some(command) = text.lines().find_map(|line| line.strip_prefix("Exec=")) else {
            return false;
        };
        let program = command.split_whitespace().next().unwrap_or_default();
        if program.contains('/') {
            return starts_snap(Path::new(program));
        }
        let is_there = self
            .path
            .iter()
            .any(|directory| directory.join(program).is_file());
        is_there && self.program(program).is_none()
    }

    /// Whether one of these keys is in the registry, for this user or for everybody.
    pub(crate) fn has_key(&self, keys: &[String]) -> bool {
        let is_there = |hive, key: &str| self.registry.read(hive, key).is_ok_and(|found| found.is_some());
        keys.iter()
            .any(|key| is_there(Hive::User, key) || is_there(Hive::Machine, key))
    }

    /// Whether there is an application bundle of one of these names.
    pub(crate) fn has_bundle(&self, names: &[String]) -> bool {
        let directories = [
            Some(self.root.join("Applications")),
            self.resolve("{home}/Applications"),
        ];
        directories
            .iter()
            .flatten()
            .any(|directory| names.iter().any(|name| directory.join(name).is_dir()))
    }
}

/// How much of a script is looked at. Ubuntu's have 2 KB.
const SCRIPT: u64 = 16 * 1024;

/// Whether a program is a Snap's, or a script that starts one: Ubuntu's `chromium-browser` and
/// `firefox` tell of the Snap and start `/snap/bin/…`.
fn starts_snap(program: &Path) -> bool {
    let snaps = [Path::new("/snap"), Path::new("/var/lib/snapd/snap")];
    let is_snap = |path: &Path| snaps.iter().any(|snap| path.starts_with(snap));
    if is_snap(program) || fs::read_link(program).is_ok_and(|target| is_snap(&target)) {
        return true;
    }
    let mut script = Vec::new();
    let read = fs::File::open(program).and_then(|file| file.take(SCRIPT).read_to_end(&mut script));
    let text = String::from_utf8_lossy(&script);
    read.is_ok()
        && text.starts_with("#!")
        && text
            .lines()
            .any(|line| !line.trim_start().starts_with('#') && line.contains("/snap/bin/"))
}

//! A made-up machine with one user, of any system, below a directory of its own.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    rc::Rc,
};

use tempfile::TempDir;

use super::{
    registry::{Hive, Registry, Value},
    surroundings::Surroundings,
};
use crate::directories::System;

type Keys = Rc<RefCell<BTreeMap<(Hive, String), Value>>>;

/// The user's name has a space and letters that are not ASCII, as the directories' of Windows may.
const HOME: &str = "home of Zoë";

pub(crate) struct Machine {
    system: System,
    root: TempDir,
    keys: Keys,
}

struct Registered(Keys);

impl Registry for Registered {
    fn read(&self, hive: Hive, key: &str) -> io::Result<Option<Value>> {
        Ok(self.0.borrow().get(&(hive, key.to_owned())).cloned())
    }

    fn write(&self, hive: Hive, key: &str, value: &str) -> io::Result<()> {
        if hive == Hive::Machine {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let value = Value::Text(value.to_owned());
        self.0.borrow_mut().insert((hive, key.to_owned()), value);
        Ok(())
    }

    fn delete(&self, hive: Hive, key: &str) -> io::Result<()> {
        let removed = self.0.borrow_mut().remove(&(hive, key.to_owned()));
        removed.map(|_| ()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Machine {
    pub(crate) fn new(system: System) -> Self {
        Self {
            system,
            root: tempfile::tempdir().expect("a directory"),
            keys: Keys::default(),
        }
    }

    pub(crate) fn surroundings(&self) -> Surroundings {
        let variable = |name: &'static str| -> Option<OsString> {
            let directory = match name {
                "APPDATA" => "roaming",
                "LOCALAPPDATA" => "local",
                "ProgramFiles" => "programs",
                "ProgramFiles(x86)" => "programs32",
                "PATH" => "bin",
                _ => return None,
            };
            Some(self.root.path().join(directory).into_os_string())
        };
        let registry = Box::new(Registered(Rc::clone(&self.keys)));
        let home = Some(self.path("home"));
        Surroundings::of(self.system, self.root.path().to_owned(), home, variable, registry)
    }

    /// A path below the root; "home" is the user's.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        let below = match below.strip_prefix("home") {
            Some(rest) => format!("{HOME}{rest}"),
            None => below.to_owned(),
        };
        self.root.path().join(below)
    }

    /// The reverse of [`Self::path`].
    pub(crate) fn below(&self, path: &Path) -> PathBuf {
        let below = path.strip_prefix(self.root.path()).expect("below the root");
        match below.strip_prefix(HOME) {
            Ok(rest) => Path::new("home").join(rest),
            Err(_) => below.to_owned(),
        }
    }

    pub(crate) fn file(&self, below: &str) -> PathBuf {
        let path = self.path(below);
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        fs::write(&path, "").expect("written");
        path
    }

    pub(crate) fn directory(&self, below: &str) {
        fs::create_dir_all(self.path(below)).expect("made");
    }

    pub(crate) fn set(&self, hive: Hive, key: &str, value: &str) {
        let value = Value::Text(value.to_owned());
        self.keys.borrow_mut().insert((hive, key.to_owned()), value);
    }

    pub(crate) fn set_other(&self, key: &str) {
        let key = (Hive::User, key.to_owned());
        self.keys.borrow_mut().insert(key, Value::Other);
    }

    pub(crate) fn get(&self, key: &str) -> Option<Value> {
        self.keys.borrow().get(&(Hive::User, key.to_owned())).cloned()
    }
}

pub(crate) fn slashes(path: &Path) -> String {
    path.display().to_string().replace('\\', "/")
}

//! A copy of this program in the directory of this user's own programs.
//!
//! A manifest names the program by its path. One that was unpacked into a folder of downloads is
//! gone with the folder, and the next version lies in another one.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{InstallError, surroundings::Surroundings};
use crate::temporary;

/// Where the copy lies.
pub fn path(surroundings: &Surroundings) -> Result<PathBuf, InstallError> {
    let directory = surroundings.own_programs.as_ref().ok_or(InstallError::NoHome)?;
    Ok(directory.join(if cfg!(windows) {
        "idb-relay.exe"
    } else {
        "idb-relay"
    }))
}

/// Copies a program there; `false` if it is there already, byte for byte.
pub fn write(program: &Path, copy: &Path) -> Result<bool, InstallError> {
    let failed = |path: &Path, doing| {
        let path = path.to_owned();
        move |source| InstallError::File { path, doing, source }
    };
    let directory = copy.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory).map_err(failed(directory, "made"))?;
    let content = fs::read(program).map_err(failed(program, "read"))?;
    let is_link = fs::symlink_metadata(copy).is_ok_and(|metadata| metadata.is_symlink());
    if !is_link && fs::read(copy).is_ok_and(|there| there == content) {
        return Ok(false);
    }
    let (mut file, draft) =
        temporary::create(directory, ".idb-relay.new", false).map_err(failed(copy, "written"))?;
    let written = io::Write::write_all(&mut file, &content).and_then(|()| {
        // Those who could start the original can start the copy.
        file.set_permissions(fs::metadata(program)?.permissions())
    });
    drop(file);
    let renamed = written.map_err(failed(copy, "written")).and_then(|()| {
        fs::rename(&draft, copy).map_err(|source| match source.kind() {
            // Windows lets no program be replaced that runs.
            io::ErrorKind::PermissionDenied | io::ErrorKind::ExecutableFileBusy if cfg!(windows) => {
                InstallError::InUse {
                    path: copy.to_owned(),
                    source,
                }
            }
            _ => failed(copy, "written")(source),
        })
    });
    if renamed.is_err() {
        let _left_behind = fs::remove_file(&draft);
    }
    renamed.map(|()| true)
}

/// Removes the copy; `false` if there is none.
pub fn remove(copy: &Path) -> Result<bool, InstallError> {
    match fs::remove_file(copy) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) if cfg!(windows) && source.kind() == io::ErrorKind::PermissionDenied => {
            Err(InstallError::InUse {
                path: copy.to_owned(),
                source,
            })
        }
        Err(source) => Err(InstallError::File {
            path: copy.to_owned(),
            doing: "removed",
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{directories::System, install::testing::Machine};

    #[test]
    fn copy_is_made_once_and_replaced_when_it_differs() {
        let machine = Machine::new(System::Xdg);
        let program = machine.file("Downloads/idb-relay-2/idb-relay");
        fs::write(&program, "new").expect("written");
        let copy = path(&machine.surroundings()).expect("a home");
        assert_eq!(copy.parent(), Some(&*machine.path("home/.local/bin")));
        assert!(write(&program, &copy).expect("written"));
        assert!(!write(&program, &copy).expect("there"));
        // The copy itself, run again.
        assert!(!write(&copy, &copy).expect("there"));
        fs::write(&copy, "old").expect("written");
        assert!(write(&program, &copy).expect("written"));
        assert_eq!(fs::read_to_string(&copy).expect("there"), "new");
        assert_eq!(
            fs::read_dir(copy.parent().expect("a directory"))
                .expect("it")
                .count(),
            1
        );
        assert!(remove(&copy).expect("removed") && !remove(&copy).expect("gone"));
    }

    #[test]
    #[cfg(unix)]
    fn copy_can_be_started_and_replaces_a_link() {
        use std::os::unix::fs::PermissionsExt as _;
        let machine = Machine::new(System::Apple);
        let program = machine.file("idb-relay");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("set");
        let copy = path(&machine.surroundings()).expect("a home");
        fs::create_dir_all(copy.parent().expect("a directory")).expect("made");
        // A link to the download is the trap itself.
        std::os::unix::fs::symlink(&program, &copy).expect("a link");
        assert!(write(&program, &copy).expect("written"));
        let metadata = fs::symlink_metadata(&copy).expect("there");
        assert!(metadata.is_file() && metadata.permissions().mode() & 0o777 == 0o755);
    }

    #[test]
    fn windows_has_a_directory_for_ones_own_programs() {
        let machine = Machine::new(System::Windows);
        let copy = path(&machine.surroundings()).expect("a home");
        assert_eq!(copy.parent(), Some(&*machine.path("local/Programs/idb-relay")));
    }
}

//! A copy of this program in the directory of this user's own programs.
//!
//! A manifest names the program by its path. One that was unpacked into a folder of downloads is
//! gone with the folder, and the next version lies in another one.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{InstallError, plan::is_same_file, surroundings::Surroundings};
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

/// Whether there is a copy to remove; fails if another file lies in its place.
pub fn is_there(copy: &Path) -> Result<bool, InstallError> {
    let foreign = |what| InstallError::NoCopy {
        path: copy.to_owned(),
        what,
    };
    match fs::symlink_metadata(copy) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(InstallError::File {
            path: copy.to_owned(),
            doing: "read",
            source,
        }),
        Ok(metadata) if metadata.is_symlink() => Err(foreign("a link")),
        Ok(metadata) if !metadata.is_file() => Err(foreign("no file")),
        Ok(_) if is_script(copy) => Err(foreign("a script")),
        Ok(_) => Ok(true),
    }
}

/// Whether a file is for an interpreter, as no program of ours is.
fn is_script(path: &Path) -> bool {
    let mut begin = [0; 2];
    let read = fs::File::open(path).and_then(|mut file| io::Read::read_exact(&mut file, &mut begin));
    read.is_ok() && begin == *b"#!"
}

/// Removes the copy; `false` if there is none. `running`: the program that does it.
pub fn remove(copy: &Path, running: &Path) -> Result<bool, InstallError> {
    if !is_there(copy)? {
        return Ok(false);
    }
    match fs::remove_file(copy) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => {
            let is_locked = cfg!(windows) && source.kind() == io::ErrorKind::PermissionDenied;
            Err(unremoved(copy, running, source, is_locked))
        }
    }
}

fn unremoved(copy: &Path, running: &Path, source: io::Error, is_locked: bool) -> InstallError {
    let path = copy.to_owned();
    if !is_locked {
        let doing = "removed";
        InstallError::File { path, doing, source }
    } else if is_same_file(copy, running) {
        InstallError::Running(path)
    } else {
        InstallError::InUse { path, source }
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
        assert!(remove(&copy, &program).expect("removed"));
        assert!(!remove(&copy, &program).expect("gone"));
    }

    #[test]
    fn remove_refuses_what_is_no_copy() {
        let machine = Machine::new(System::Xdg);
        let program = machine.file("idb-relay");
        let copy = path(&machine.surroundings()).expect("a home");
        let refused = || remove(&copy, &program).expect_err("refused").to_string();
        fs::create_dir_all(&copy).expect("made");
        assert!(refused().contains("is no file"));
        fs::remove_dir(&copy).expect("removed");
        fs::write(&copy, "#!/bin/sh\n").expect("written");
        assert!(refused().contains("is a script"));
        #[cfg(unix)]
        {
            fs::remove_file(&copy).expect("removed");
            std::os::unix::fs::symlink(&program, &copy).expect("a link");
            assert!(refused().contains("is a link") && copy.is_symlink());
        }
    }

    #[test]
    fn locked_copy_error_names_the_running_process() {
        let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
        let (copy, other) = (Path::new("/copy"), Path::new("/other"));
        let itself = unremoved(copy, copy, denied(), true);
        assert!(matches!(itself, InstallError::Running(_)), "{itself}");
        let browser = unremoved(copy, other, denied(), true);
        assert!(matches!(browser, InstallError::InUse { .. }), "{browser}");
        let elsewhere = unremoved(copy, copy, denied(), false);
        assert!(matches!(elsewhere, InstallError::File { .. }), "{elsewhere}");
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

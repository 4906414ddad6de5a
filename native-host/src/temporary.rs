//! Files that are made under a name of their own, to be renamed or removed at once.
//!
//! The directory may be one that others write to. So such a file is always a new one: what lies
//! there already, a link among it, is neither followed nor overwritten.

use std::{
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

/// How many names are tried. A file that an earlier process has left behind takes one.
const ATTEMPTS: u32 = 16;

/// Makes a file in a directory; its name begins with this one. `private`: no other user may read
/// it.
pub(crate) fn create(directory: &Path, name: &str, private: bool) -> io::Result<(File, PathBuf)> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    if private {
        keep_private(&mut options);
    }
    let mut attempt = 0;
    loop {
        attempt += 1;
        let path = directory.join(format!("{name}.{:08x}", fastrand::u32(..)));
        match options.open(&path) {
            Ok(file) => return Ok((file, path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < ATTEMPTS => {}
            Err(error) => return Err(error),
        }
    }
}

/// Lets no other user read what is made. On Windows the rights of the directory hold: a user's own
/// is closed to others.
fn keep_private(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    #[cfg(not(unix))]
    let _ = options;
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[test]
    fn file_is_a_new_one_each_time() {
        let directory = tempfile::tempdir().expect("a directory");
        // The same names come again.
        let paths = [(); 3].map(|()| {
            fastrand::seed(7);
            create(directory.path(), "draft", true).expect("made").1
        });
        assert!(paths[0] != paths[1] && paths[1] != paths[2]);
        let mode = fs::metadata(&paths[0]).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn link_is_not_followed() {
        let directory = tempfile::tempdir().expect("a directory");
        let aim = directory.path().join("aim");
        let mut generator = fastrand::Rng::with_seed(7);
        let first = directory.path().join(format!("draft.{:08x}", generator.u32(..)));
        std::os::unix::fs::symlink(&aim, &first).expect("a link");
        fastrand::seed(7);
        let (_, path) = create(directory.path(), "draft", false).expect("made");
        assert!(path != first && !aim.exists(), "{}", path.display());
    }
}

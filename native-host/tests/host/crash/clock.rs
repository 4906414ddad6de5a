//! The clock of the machine on which a round happens: pages and host go by it, and it goes as the
//! model says.

use std::{
    fs::File,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

/// Where the host reads it.
pub fn path(directory: &Path) -> PathBuf {
    directory.join("clock")
}

/// In milliseconds since the epoch.
#[derive(Debug)]
pub struct Clock {
    now: i64,
    file: File,
}

impl Clock {
    /// A clock that is right.
    pub fn new(directory: &Path) -> Self {
        let file = File::create(path(directory)).expect("a file");
        let mut clock = Self {
            now: crate::support::body::now(),
            file,
        };
        clock.pass(0);
        clock
    }

    /// So many milliseconds pass; what time it is then.
    pub fn pass(&mut self, milliseconds: i64) -> i64 {
        self.now += milliseconds;
        self.file
            .write_all_at(&self.now.to_le_bytes(), 0)
            .expect("written");
        self.now
    }
}

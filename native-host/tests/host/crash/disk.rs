//! A disk that can be full.
//!
//! As root (in a container, say) it is a small file system of its own, filled by a file that takes
//! the rest. Others may not mount one: there the program may not let files grow any more, which
//! SQLite meets at the same places.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use super::lab::shell;

/// Enough for every round; little enough to be filled at once.
const SIZE: &str = "size=96m";

pub struct Disk {
    path: PathBuf,
    mounted: bool,
    full: bool,
    /// The program that runs has met a full disk.
    met: bool,
    /// The program that runs.
    program: Option<u32>,
}

impl Disk {
    pub fn small(path: &Path) -> Self {
        fs::create_dir(path).expect("made");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", SIZE, "none"])
            .arg(path)
            .output()
            .is_ok_and(|output| output.status.success());
        Self {
            path: path.to_owned(),
            mounted,
            full: false,
            met: false,
            program: None,
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Whether it was at any time since the program was started.
    pub fn was_full(&self) -> bool {
        self.met
    }

    /// A command that runs this program so that it meets a full disk as an error, not as a signal.
    pub fn command(&self, program: &str) -> Command {
        if self.mounted {
            Command::new(program)
        } else {
            shell(r#"trap "" XFSZ; exec "$0" "$@""#, program)
        }
    }

    /// The program that writes here.
    pub fn used_by(&mut self, program: Option<u32>) {
        self.program = program;
        self.met = self.full;
        if self.full && !self.mounted {
            self.limit(Some(0));
        }
    }

    /// How much room there is, in the words of `df`.
    pub fn room(&self) -> String {
        let output = Command::new("df")
            .arg("--output=avail,iavail")
            .arg(&self.path)
            .output();
        output.map_or_else(
            |error| error.to_string(),
            |output| String::from_utf8_lossy(&output.stdout).replace('\n', " "),
        )
    }

    pub fn fill(&mut self) {
        self.full = true;
        self.met = true;
        if !self.mounted {
            return self.limit(Some(0));
        }
        let mut ballast = File::create(self.ballast()).expect("made");
        let mut size = 1 << 20;
        while size > 0 {
            // Smaller and smaller, until there is no room for a byte.
            let bytes = vec![0; size];
            while ballast.write_all(&bytes).is_ok() {}
            size /= 16;
        }
    }

    pub fn free(&mut self) {
        if !std::mem::take(&mut self.full) {
            return;
        }
        if self.mounted {
            // Its room is free at once, also if a program that is just being started by another
            // thread still holds the file.
            File::create(self.ballast()).expect("emptied");
            fs::remove_file(self.ballast()).expect("removed");
        } else {
            self.limit(None);
        }
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }

    /// Limits how far files of the running program may grow, even if they are larger already.
    fn limit(&self, current: Option<u64>) {
        let program = self.program.and_then(|id| Pid::from_raw(id.cast_signed()));
        let limit = Rlimit {
            current,
            maximum: None,
        };
        // It may be gone already.
        let _ended = program.map(|program| prlimit(Some(program), Resource::Fsize, limit));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.mounted {
            let _busy = Command::new("umount").arg("--lazy").arg(&self.path).output();
        }
    }
}

//! A file that is put aside when it has grown to its limit, so that the two of them bound the disk
//! they take.
//!
//! Hosts of several browser profiles may write to the same file, each by appending. The first host
//! that notices that it is full puts it aside. The others go on in the file put aside until they
//! notice, too, and lose nothing but its being bounded to the byte. A host that cannot rotate the
//! file continues with the one it has: a log is no reason to stop.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// See the module.
#[derive(Debug)]
pub(super) struct Rotating {
    path: PathBuf,
    limit: u64,
    file: File,
    /// How long the file is, as far as is known here.
    length: u64,
}

impl Rotating {
    /// Appends to the file. If it is not there it is made, with its directory, and on Unix only its
    /// owner may read it.
    pub(super) fn open(path: &Path, limit: u64) -> io::Result<Self> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let file = append(path)?;
        Ok(Self {
            path: path.to_owned(),
            limit,
            length: file.metadata()?.len(),
            file,
        })
    }

    fn rotate(&mut self) -> io::Result<()> {
        // Another host may have put it aside already.
        if fs::metadata(&self.path).is_ok_and(|file| file.len() >= self.limit) {
            fs::rename(&self.path, self.path.with_extension("log.old"))?;
        }
        self.file = append(&self.path)?;
        self.length = self.file.metadata()?.len();
        Ok(())
    }
}

fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

impl Write for Rotating {
    /// Each call is a line; it stays whole.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.length >= self.limit && self.rotate().is_err() {
            // Not tried again with each line.
            self.length = 0;
        }
        self.file.write_all(line)?;
        self.length += line.len() as u64;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 1000;

    fn lines(path: &Path) -> Vec<u32> {
        let text = fs::read_to_string(path).expect("a log");
        text.lines()
            .map(|line| line.trim().parse().expect("a whole line"))
            .collect()
    }

    #[test]
    fn two_files_hold_the_newest_lines_and_no_more() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("state/idb-relay.log");
        let mut log = Rotating::open(&path, LIMIT).expect("a log");
        for number in 0..1000 {
            writeln!(log, "{number:9}").expect("written");
        }
        let old = path.with_extension("log.old");
        let all: Vec<u32> = lines(&old).into_iter().chain(lines(&path)).collect();
        assert!(
            all.len() >= 100
                && all
                    .iter()
                    .copied()
                    .eq(1000 - u32::try_from(all.len()).expect("few")..1000)
        );
        for file in [&path, &old] {
            let metadata = fs::metadata(file).expect("there");
            assert!(metadata.len() <= LIMIT + 10);
            #[cfg(unix)]
            assert_eq!(
                std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777,
                0o600
            );
        }
        assert_eq!(
            fs::read_dir(directory.path().join("state")).expect("it").count(),
            2
        );
        // The next process continues with it.
        drop(log);
        writeln!(Rotating::open(&path, LIMIT).expect("a log"), "{:9}", 1000).expect("written");
        assert_eq!(lines(&path).last(), Some(&1000));
    }

    #[test]
    fn two_hosts_share_a_log_and_its_bound() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("idb-relay.log");
        let mut logs = [(); 2].map(|()| Rotating::open(&path, LIMIT).expect("a log"));
        for number in 0..1000 {
            writeln!(logs[number % 2], "{number:9}").expect("written");
        }
        for file in [&path, &path.with_extension("log.old")] {
            assert!(fs::metadata(file).expect("there").len() <= 3 * LIMIT);
            lines(file);
        }
        assert_eq!(lines(&path).last(), Some(&999));
    }

    #[test]
    fn what_cannot_be_put_aside_grows_on() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("idb-relay.log");
        fs::create_dir_all(path.with_extension("log.old").join("in the way")).expect("made");
        let mut log = Rotating::open(&path, LIMIT).expect("a log");
        for number in 0..300 {
            writeln!(log, "{number:9}").expect("written");
        }
        assert_eq!(lines(&path).len(), 300);
    }
}

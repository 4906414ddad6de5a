//! What other processes ask of the host that writes a journal: to have the stores of an origin read
//! again.
//!
//! A text file beside the journal, a line for each origin, for only the host writes to the journal
//! itself. Both sides hold the file's lock while they touch it, so no request is lost between
//! reading and emptying.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write as _},
    path::{Path, PathBuf},
};

use super::{super::JournalError, file_lock::private};

/// Upper bound on what is read of the file. No legitimate request comes close.
const MAX_BYTES: u64 = 1024 * 1024;

fn path(journal: &Path) -> PathBuf {
    journal.with_extension("requests")
}

/// Asks the host of this journal to have these origins' stores read again.
pub fn resync<'o>(journal: &Path, origins: impl IntoIterator<Item = &'o str>) -> Result<(), JournalError> {
    let lines: String = origins.into_iter().flat_map(|origin| [origin, "\n"]).collect();
    let path = path(journal);
    let mut file = private(&path)?;
    let written = file.lock().and_then(|()| file.write_all(lines.as_bytes()));
    written.map_err(|source| JournalError::file(&path, source))
}

/// Whether a host has taken all requests.
pub fn is_empty(journal: &Path) -> bool {
    std::fs::metadata(path(journal)).map_or(true, |metadata| metadata.len() == 0)
}

/// Takes the requests: origins whose stores are to be read again, each once. Lines that are none
/// mean nothing to any page.
pub fn take(journal: &Path) -> Result<Vec<String>, JournalError> {
    if is_empty(journal) {
        return Ok(Vec::new());
    }
    let path = path(journal);
    let taken = || {
        let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
        file.lock()?;
        let mut text = Vec::new();
        Read::take(&mut file as &mut File, MAX_BYTES).read_to_end(&mut text)?;
        file.set_len(0)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    };
    let text = taken().map_err(|source| JournalError::file(&path, source))?;
    let mut origins: Vec<String> = text.lines().map(str::to_owned).collect();
    origins.sort_unstable();
    origins.dedup();
    Ok(origins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_taken_once() {
        let directory = tempfile::tempdir().expect("a directory");
        let journal = directory.path().join("p.sqlite");
        assert_eq!(take(&journal).expect("none"), Vec::<String>::new());
        resync(&journal, ["http://b", "http://a"]).expect("written");
        resync(&journal, ["http://b"]).expect("written");
        assert!(!is_empty(&journal));
        assert_eq!(take(&journal).expect("some"), ["http://a", "http://b"]);
        assert!(is_empty(&journal));
        assert_eq!(take(&journal).expect("none"), Vec::<String>::new());
    }
}

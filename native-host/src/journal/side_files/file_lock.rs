//! One writer per journal: an advisory lock on a file beside it, which the system releases however
//! the process ends.

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    path::Path,
    thread,
    time::Instant,
};

use super::super::JournalError;
use crate::timing;

/// Held as long as the journal may be written to.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Locks a journal, making its directory if need be.
pub fn acquire(journal: &Path) -> Result<Lock, JournalError> {
    if let Some(directory) = journal.parent() {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .create(directory)
            .map_err(|source| JournalError::file(directory, source))?;
    }
    let path = journal.with_extension("lock");
    let file = private(&path)?;
    let deadline = Instant::now() + timing::journal::LOCK;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                thread::sleep(timing::journal::LOCK_POLL);
            }
            Err(TryLockError::WouldBlock) => return Err(JournalError::Locked(journal.to_owned())),
            Err(TryLockError::Error(source)) => return Err(JournalError::file(&path, source)),
        }
    }
}

/// Whether a host holds the journal now.
pub fn is_held(journal: &Path) -> bool {
    File::open(journal.with_extension("lock"))
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Opens a file for writing, made with mode 0600 if it is not there. SQLite gives its side files
/// the mode of the main one.
pub(in crate::journal) fn private(path: &Path) -> Result<File, JournalError> {
    let mut options = OpenOptions::new();
    options.create(true).read(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .map_err(|source| JournalError::file(path, source))
}

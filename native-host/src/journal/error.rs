//! What can go wrong with a journal.

use std::{
    io,
    path::{Path, PathBuf},
};

use protocol::wire::host::ErrorCode;

use crate::failure::Failure;

/// Why the journal cannot be used, or not now.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another process writes to it.
    #[error("another host holds the journal {}", .0.display())]
    Locked(PathBuf),
    /// Another version of this program wrote it.
    #[error("the journal {} has format {found}; this version knows format {known}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The format that is known here.
        known: i64,
    },
    /// The extension's profile id cannot name a file.
    #[error("{0:?} is no profile id: 1 to 64 letters, digits and hyphens")]
    Profile(String),
    /// There is no journal where one was expected.
    #[error("there is no journal in {}", .0.display())]
    Missing(PathBuf),
    /// A file or a directory cannot be made or opened.
    #[error("{} cannot be used: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// SQLite failed.
    #[error("the journal {} failed: {source}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

impl JournalError {
    pub(crate) fn failed(path: &Path, source: rusqlite::Error) -> Self {
        Self::Database {
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn file(path: &Path, source: io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            source,
        }
    }

    /// Whether it failed because the disk is full.
    pub fn wants_room(&self) -> bool {
        matches!(self, Self::Database { source, .. } if source.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull))
    }

    /// Whether trying again later may help: the trouble lies with the disk or with another process,
    /// not with the journal's content.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Database { source, .. } => passes(source),
            Self::Locked(_) => true,
            Self::Format { .. } | Self::Profile(_) | Self::Missing(_) | Self::File { .. } => false,
        }
    }
}

/// Whether SQLite's trouble may pass without anybody touching the file. What is not on the list
/// stays: a damaged page, a file that is no database, a row that does not read as what this program
/// writes.
fn passes(source: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, FileLockingProtocolFailed, OperationInterrupted,
        OutOfMemory, PermissionDenied, ReadOnly, SystemIoFailure,
    };
    matches!(
        source.sqlite_error_code(),
        Some(
            CannotOpen
                | DatabaseBusy
                | DatabaseLocked
                | DiskFull
                | FileLockingProtocolFailed
                | OperationInterrupted
                | OutOfMemory
                | PermissionDenied
                | ReadOnly
                | SystemIoFailure
        )
    )
}

impl Failure for JournalError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Locked(_) => ErrorCode::JournalLocked,
            Self::Format { .. } => ErrorCode::JournalFormat,
            Self::Profile(_) => ErrorCode::MalformedMessage,
            Self::Missing(_) | Self::File { .. } | Self::Database { .. } => ErrorCode::JournalFailed,
        }
    }

    fn fix(&self) -> String {
        match self {
            Self::Locked(_) => {
                "The host of an earlier browser start may still be finishing: this is tried again by itself. \
                 If it stays, two browsers use copies of one profile; close one of them."
                    .to_owned()
            }
            Self::Format { .. } => {
                "Install the version that wrote it again (idb-relay --version), or move the file away: \
                 the host starts a new journal and pages are read again when they load."
                    .to_owned()
            }
            Self::Profile(_) => "Reinstall the extension; it makes a new profile id.".to_owned(),
            Self::Missing(_) => "Start a browser with the extension and open a page that is captured, \
                 or point journal.directory of the configuration to where the journal is."
                .to_owned(),
            Self::File { .. } => {
                "Check the permissions of journal.directory, or name another directory in the configuration."
                    .to_owned()
            }
            Self::Database { source, .. } => database_fix(source),
        }
    }
}

fn database_fix(source: &rusqlite::Error) -> String {
    use rusqlite::ErrorCode::{DiskFull, ReadOnly};
    match source.sqlite_error_code() {
        Some(DiskFull) => {
            "Free some disk space; the host goes on by itself and nothing that was acknowledged is lost."
        }
        Some(ReadOnly) => "Make the file and its directory writable for this user.",
        _ if passes(source) => "Check the disk and the file's permissions; the host tries again by itself.",
        _ => "Move the file away; the host starts a new journal and pages are read again when they load.",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::{Error, ffi, types::Type};

    fn sqlite(code: i32) -> JournalError {
        JournalError::failed(Path::new("j"), Error::SqliteFailure(ffi::Error::new(code), None))
    }

    #[test]
    fn what_passes_is_tried_again_and_damage_is_not() {
        for code in [
            ffi::SQLITE_FULL,
            ffi::SQLITE_BUSY,
            ffi::SQLITE_IOERR_FSYNC,
            ffi::SQLITE_CANTOPEN,
            ffi::SQLITE_NOMEM,
        ] {
            let error = sqlite(code);
            assert!(error.is_transient() && !error.fix().contains("Move"), "{error}");
        }
        let conversion = Error::InvalidColumnType(0, "key".to_owned(), Type::Null);
        for error in [
            sqlite(ffi::SQLITE_CORRUPT),
            sqlite(ffi::SQLITE_NOTADB),
            sqlite(ffi::SQLITE_CONSTRAINT),
            JournalError::failed(Path::new("j"), conversion),
        ] {
            assert!(
                !error.is_transient() && error.fix().contains("Move the file away"),
                "{error}"
            );
        }
    }
}

//! Keeping the journal as it is for a moment.
//!
//! The holder takes SQLite's write lock, writes nothing, and gives the lock back. Meanwhile the
//! host journals nothing, so no process, by any route, can learn of a younger value than the mirror
//! has. The host waits, as it does for a disk that is busy.

use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig};

use super::{JournalError, schema};
use crate::timing;

/// As long as this lives, no process writes to the journal.
#[derive(Debug)]
pub(crate) struct Freeze {
    connection: Connection,
    path: PathBuf,
}

/// Holds a journal, waiting this long for those who write; `None`: they did not let go of it.
pub(crate) fn freeze(journal: &Path, patience: Duration) -> Result<Option<Freeze>, JournalError> {
    let connection = schema::connect(journal, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let failed = |source| JournalError::failed(journal, source);
    // The last one to leave would tidy up: that is the host's.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .map_err(failed)?;
    connection.busy_timeout(Duration::ZERO).map_err(failed)?;
    let deadline = Instant::now() + patience;
    loop {
        match connection.execute_batch("BEGIN IMMEDIATE") {
            Ok(()) => {
                return Ok(Some(Freeze {
                    connection,
                    path: journal.to_owned(),
                }));
            }
            Err(error) if error.sqlite_error_code() != Some(ErrorCode::DatabaseBusy) => {
                return Err(failed(error));
            }
            Err(_) if Instant::now() >= deadline => return Ok(None),
            Err(_) => thread::sleep(timing::journal::FREEZE_POLL),
        }
    }
}

impl Drop for Freeze {
    fn drop(&mut self) {
        // Closing the connection does it in any case.
        if let Err(error) = self.connection.execute_batch("ROLLBACK") {
            tracing::warn!("{}", JournalError::failed(&self.path, error));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Author, Journal};

    #[test]
    fn a_host_that_starts_meanwhile_waits() {
        let directory = tempfile::tempdir().expect("a directory");
        let author = Author {
            browser: "b".to_owned(),
            profile: "p".to_owned(),
        };
        let open = {
            let (path, author) = (directory.path().to_owned(), author.clone());
            move || Journal::open(&path, author).map(|_| ())
        };
        let journal = Journal::open(directory.path(), author).expect("a journal");
        let path = journal.path().to_owned();
        let held = freeze(&path, Duration::ZERO).expect("a journal").expect("free");
        assert!(freeze(&path, Duration::ZERO).expect("a journal").is_none());
        drop(journal);
        let opening = thread::spawn(open);
        let end = Instant::now() + Duration::from_millis(300);
        while Instant::now() < end {
            assert!(!opening.is_finished(), "{:?}", opening.join());
            thread::sleep(timing::journal::FREEZE_POLL);
        }
        drop(held);
        opening.join().expect("no panic").expect("it is opened");
        assert!(
            freeze(&path, Duration::from_secs(5))
                .expect("a journal")
                .is_some()
        );
    }
}

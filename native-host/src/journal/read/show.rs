//! What the commands show of a journal.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use protocol::key::Key;
use rusqlite::{OptionalExtension as _, params};
use serde::Serialize;

use super::{
    super::{JournalError, store::IS_COMPLETE},
    Place, Reader, VALUE, place, value,
};
use crate::{time::now_ms, timing::journal::WORKER_MS};

/// How many records are read at a time, and how many bytes of them, about.
const PAGE_RECORDS: usize = 512;
const PAGE_BYTES: usize = 1024 * 1024;

/// A store, as `ls` shows it.
#[derive(Debug, Clone)]
pub struct StoreSummary {
    /// Its row.
    pub id: i64,
    /// Where it is.
    pub place: Place,
    /// The database's version.
    pub version: u64,
    /// The mirror is known to have every record.
    pub complete: bool,
    /// Some record waits to be read again.
    pub pending_reads: bool,
    /// How many records the mirror holds.
    pub records: u64,
}

/// A worker that is not observed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Worker {
    /// Whose.
    pub origin: String,
    /// The address of its script.
    pub url: String,
    /// When a document that has it was seen last, in milliseconds.
    pub seen_at: i64,
}

/// A sink, as `status` shows it.
#[derive(Debug, Clone)]
pub struct SinkSummary {
    /// `redis` or `memcached`.
    pub name: String,
    /// Whether the last host had it switched on.
    pub enabled: bool,
    /// The last event it has passed on.
    pub number: u64,
    /// One word.
    pub state: String,
    /// What is wrong.
    pub error: Option<String>,
    /// What to do about it.
    pub fix: Option<String>,
    /// Since when, in milliseconds.
    pub since: i64,
    /// How often it has failed since it last came further.
    pub attempts: u64,
}

/// What was last wrong with a sink, whether or not it still is.
#[derive(Debug, Clone, Serialize)]
pub struct Failed {
    /// One word.
    pub state: String,
    /// What was wrong.
    pub error: String,
    /// What was to be done about it.
    pub fix: String,
    /// When it was first so, in milliseconds.
    pub at: i64,
    /// When it was over, if it is.
    pub recovered_at: Option<i64>,
}

impl Reader {
    /// The browser profile and the browser.
    pub fn author(&self) -> Result<(String, String), JournalError> {
        self.read(|connection| {
            connection.query_row("SELECT profile, browser FROM meta", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
        })
    }

    /// How many bytes the events take, and how many have lost their text for want of room.
    pub fn usage(&self) -> Result<(u64, u64), JournalError> {
        self.read(|connection| {
            connection.query_row("SELECT bytes, stripped FROM usage", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
        })
    }

    /// How many events there are after this one, counted.
    pub fn waiting(&self, after: u64) -> Result<u64, JournalError> {
        self.read(|connection| {
            connection.query_row("SELECT count(*) FROM journal WHERE number > ?1", [after], |row| {
                row.get(0)
            })
        })
    }

    /// What was last wrong with each sink, by its name.
    pub fn last_failures(&self) -> Result<Vec<(String, Failed)>, JournalError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT sink, state, error, fix, at, over_at FROM failed ORDER BY sink")?
                .query_map([], |row| {
                    let failed = Failed {
                        state: row.get(1)?,
                        error: row.get(2)?,
                        fix: row.get(3)?,
                        at: row.get(4)?,
                        recovered_at: row.get(5)?,
                    };
                    Ok((row.get(0)?, failed))
                })?
                .collect()
        })
    }

    /// All stores, by place.
    pub fn stores(&self) -> Result<Vec<StoreSummary>, JournalError> {
        self.read(|connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT id, version, {IS_COMPLETE}, pending_reads, origin, bucket, database, name,
                        (SELECT count(*) FROM record WHERE store = store.id AND value IS NOT NULL)
                     FROM store WHERE gone = 0 ORDER BY origin, bucket, database, name"
                ))?
                .query_map([], |row| {
                    Ok(StoreSummary {
                        id: row.get(0)?,
                        version: row.get(1)?,
                        complete: row.get(2)?,
                        pending_reads: row.get(3)?,
                        place: place(row, 4)?,
                        records: row.get(8)?,
                    })
                })?
                .collect()
        })
    }

    /// The workers that were seen within the last day, the last one first.
    pub fn workers(&self) -> Result<Vec<Worker>, JournalError> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT origin, url, seen_at FROM worker WHERE seen_at >= ?1
                     ORDER BY seen_at DESC, origin, url",
                )?
                .query_map([now_ms() - WORKER_MS], |row| {
                    Ok(Worker {
                        origin: row.get(0)?,
                        url: row.get(1)?,
                        seen_at: row.get(2)?,
                    })
                })?
                .collect()
        })
    }

    /// How many stores have not been read completely, or have records to be read again.
    pub fn unread_stores(&self) -> Result<u64, JournalError> {
        self.read(|connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT count(*) FROM store WHERE NOT {IS_COMPLETE} OR pending_reads"
                ))?
                .query_row([], |row| row.get(0))
        })
    }

    /// What the mirror holds of a record; `None`: nothing.
    pub fn record(&self, store: i64, key: &Key) -> Result<Option<String>, JournalError> {
        self.read(|connection| value(&mut *connection.prepare_cached(VALUE)?, store, &key.to_bytes()))
    }

    /// The records of a store in key order, each with its typed value, handed to `each` one by one,
    /// as they are when their page is read. While `each` has its turn nothing is being read: a
    /// command that waits for a terminal would hold up the journal's write-ahead log.
    pub fn each_record<E: From<JournalError>>(
        &self,
        store: i64,
        mut each: impl FnMut(&str, &str) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut after = Vec::new();
        loop {
            let page = self.page(store, &after)?;
            let Some((last, _)) = page.last() else {
                return Ok(());
            };
            after.clone_from(last);
            for (bytes, value) in &page {
                // What is no key was never written by this program; there is nothing to show of it.
                if let Ok(key) = Key::from_bytes(bytes) {
                    each(&key.to_string(), value)?;
                }
            }
        }
    }

    /// The records of a store after this key: one if there is one, then as many as fit a page.
    fn page(&self, store: i64, after: &[u8]) -> Result<Vec<(Vec<u8>, String)>, JournalError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT key, value FROM record WHERE store = ?1 AND key > ?2 AND value IS NOT NULL
                 ORDER BY key LIMIT ?3",
            )?;
            let mut rows = statement.query(params![store, after, PAGE_RECORDS])?;
            let mut page: Vec<(Vec<u8>, String)> = Vec::new();
            let mut bytes = 0;
            while bytes < PAGE_BYTES
                && let Some(row) = rows.next()?
            {
                let record: (Vec<u8>, String) = (row.get(0)?, row.get(1)?);
                bytes += record.0.len() + record.1.len();
                page.push(record);
            }
            Ok(page)
        })
    }

    /// The sinks that ever ran.
    pub fn sinks(&self) -> Result<Vec<SinkSummary>, JournalError> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT name, enabled, number, state, error, fix, since,
                        coalesce((SELECT count FROM attempt WHERE sink = name), 0)
                     FROM sink ORDER BY name DESC",
                )?
                .query_map([], |row| {
                    Ok(SinkSummary {
                        name: row.get(0)?,
                        enabled: row.get(1)?,
                        number: row.get(2)?,
                        state: row.get(3)?,
                        error: row.get(4)?,
                        fix: row.get(5)?,
                        since: row.get(6)?,
                        attempts: row.get(7)?,
                    })
                })?
                .collect()
        })
    }

    /// When an event passed a stage, in milliseconds since the epoch.
    pub fn passed_at(&self, stage: &str, number: u64) -> Result<Option<i64>, JournalError> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT at FROM delivery WHERE stage = ?1 AND last >= ?2 ORDER BY last LIMIT 1",
                )?
                .query_row(params![stage, number], |row| row.get(0))
                .optional()
        })
    }

    /// What a stage has to say about an event.
    pub fn notice(&self, stage: &str, number: u64) -> Result<Option<String>, JournalError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT text FROM notice WHERE stage = ?1 AND number = ?2")?
                .query_row(params![stage, number], |row| row.get(0))
                .optional()
        })
    }

    /// How many events a stage has something to say about.
    pub fn notices(&self, stage: &str) -> Result<u64, JournalError> {
        self.read(|connection| {
            connection.query_row("SELECT count(*) FROM notice WHERE stage = ?1", [stage], |row| {
                row.get(0)
            })
        })
    }

    /// A time of day in the user's time zone, as SQLite knows it.
    pub fn local_time(&self, milliseconds: i64) -> Result<String, JournalError> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT coalesce(strftime('%H:%M:%f', ?1 / 1000.0, 'unixepoch', 'localtime'), '?')",
                )?
                .query_row([milliseconds], |row| row.get(0))
        })
    }
}

/// The journals of a directory, one per browser profile; none if it is not there.
pub fn journals(directory: &Path) -> Result<Vec<PathBuf>, JournalError> {
    let failed = |source| JournalError::file(directory, source);
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(failed)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "sqlite") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
